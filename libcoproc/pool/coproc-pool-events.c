/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What happens in a pool, on its way from the drivers to the application: the state and the ends of workers, in order
 * and at once.
 */
#include "pool/coproc-worker-pool-private.h"

#include "coproc-source-private.h"

#define MAX_EXITS 1024     /* ends that are not told yet; where the context does not run the oldest are forgotten */

typedef struct
{
  GPid pid;
  int status;
  int signum;
} Exit;

typedef struct
{
  CoprocPoolDriver *driver; /* (owned) */
  gboolean there;
} Change;

struct _CoprocPoolEvents
{
  gatomicrefcount ref_count;
  GMainContext *context;   /* immutable (owned) */
  GWeakRef pool;           /* thread-safe by itself */
  GSource *source;         /* immutable (owned), ready when there is something to tell */
  CoprocPoolProgress *progress; /* immutable (owned) */

  GMutex lock;
  gboolean state_changed;  /* (mutex lock) */
  GQueue exits;            /* (mutex lock) Exit */
  GQueue changes;          /* (mutex lock) Change: of the drivers */
  gboolean muted;          /* (mutex lock) */
};

static void
change_free (Change *change)
{
  coproc_pool_driver_unref (change->driver);
  g_free (change);
}

static void
tell_changes (CoprocPoolEvents *self, GObject *pool)
{
  for (;;)
    {
      Change *change;

      g_mutex_lock (&self->lock);
      change = g_queue_pop_head (&self->changes);
      g_mutex_unlock (&self->lock);
      if (change == NULL)
        return;
      coproc_worker_pool_tell_driver (COPROC_WORKER_POOL (pool), change->driver, change->there);
      change_free (change);
    }
}

static void
tell_progress (GObject *pool)
{
  GListModel *workers = coproc_worker_pool_get_workers (COPROC_WORKER_POOL (pool));

  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (CoprocPoolWorker) worker = g_list_model_get_item (workers, i);

      coproc_pool_worker_refresh (worker);
    }
  g_signal_emit_by_name (pool, "progress");
}

static void
tell_exits (CoprocPoolEvents *self, GObject *pool)
{
  for (;;)
    {
      Exit *exit;

      g_mutex_lock (&self->lock);
      exit = g_queue_pop_head (&self->exits);
      g_mutex_unlock (&self->lock);
      if (exit == NULL)
        return;
      g_signal_emit_by_name (pool, "worker-exited", (int) exit->pid, exit->status, exit->signum);
      g_free (exit);
    }
}

static gboolean
on_events (gpointer user_data)
{
  CoprocPoolEvents *self = user_data;
  g_autoptr (GObject) pool = g_weak_ref_get (&self->pool);
  gboolean state_changed;

  g_mutex_lock (&self->lock);
  g_source_set_ready_time (self->source, -1);
  state_changed = self->state_changed;
  self->state_changed = FALSE;
  g_mutex_unlock (&self->lock);
  if (pool == NULL)
    return G_SOURCE_CONTINUE;

  tell_changes (self, pool);
  tell_exits (self, pool);
  if (state_changed)
    g_object_notify (pool, "state");
  return G_SOURCE_CONTINUE;
}

CoprocPoolEvents *
coproc_pool_events_new (GObject *pool)
{
  CoprocPoolEvents *self = g_new0 (CoprocPoolEvents, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_weak_ref_init (&self->pool, pool);
  self->context = g_main_context_ref_thread_default ();
  self->progress = coproc_pool_progress_new (pool, tell_progress);
  self->source = coproc_source_new ("coproc pool events", on_events, coproc_pool_events_ref (self),
                                    (GDestroyNotify) coproc_pool_events_unref);
  g_source_attach (self->source, self->context);
  return self;
}

CoprocPoolEvents *
coproc_pool_events_ref (CoprocPoolEvents *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_pool_events_unref (CoprocPoolEvents *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_source_unref (self->source);
  coproc_pool_progress_unref (self->progress);
  g_queue_clear_full (&self->exits, g_free);
  g_queue_clear_full (&self->changes, (GDestroyNotify) change_free);
  g_weak_ref_clear (&self->pool);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
coproc_pool_events_mute (CoprocPoolEvents *self)
{
  GQueue changes;

  /* A driver that is to be told of keeps the core, which keeps this. */
  g_mutex_lock (&self->lock);
  self->muted = TRUE;
  changes = self->changes;
  g_queue_init (&self->changes);
  g_mutex_unlock (&self->lock);
  g_queue_clear_full (&changes, (GDestroyNotify) change_free);
  coproc_pool_progress_mute (self->progress);
  g_source_destroy (self->source);
}

void
coproc_pool_events_tell_progress (CoprocPoolEvents *self)
{
  coproc_pool_progress_note (self->progress, FALSE);
}

void
coproc_pool_events_tell_state (CoprocPoolEvents *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->state_changed = TRUE;
  g_source_set_ready_time (self->source, 0);
}

void
coproc_pool_events_tell_exited (CoprocPoolEvents *self, GPid pid, int status, int signum)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  Exit *exit = g_new (Exit, 1);

  *exit = (Exit) { pid, status, signum };
  if (self->exits.length >= MAX_EXITS)
    g_free (g_queue_pop_head (&self->exits));
  g_queue_push_tail (&self->exits, exit);
  g_source_set_ready_time (self->source, 0);
}

void
coproc_pool_events_tell_driver (CoprocPoolEvents *self, CoprocPoolDriver *driver, gboolean there)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  Change *change;

  if (self->muted)
    return;
  change = g_new (Change, 1);
  *change = (Change) { coproc_pool_driver_ref (driver), there };
  g_queue_push_tail (&self->changes, change);
  g_source_set_ready_time (self->source, 0);
}
