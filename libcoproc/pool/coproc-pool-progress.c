/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Progress on its way from the drivers to an object's `progress`: in the object's context, at a bounded rate.
 */
#include "pool/coproc-pool-private.h"

#include "coproc-source-private.h"

#define INTERVAL (G_USEC_PER_SEC / 10)

struct _CoprocPoolProgress
{
  gatomicrefcount ref_count;
  GWeakRef object;         /* thread-safe by itself */
  CoprocPoolProgressFunc tell; /* immutable */
  GSource *source;         /* immutable (owned), ready when it is time to tell */
  int asked;               /* atomic: it will be told */

  GMutex lock;
  gint64 told_at;          /* (mutex lock) monotonic */
};

static gboolean
on_time (gpointer user_data)
{
  CoprocPoolProgress *self = user_data;
  g_autoptr (GObject) object = g_weak_ref_get (&self->object);

  g_mutex_lock (&self->lock);
  g_source_set_ready_time (self->source, -1);
  self->told_at = g_get_monotonic_time ();
  g_atomic_int_set (&self->asked, FALSE);
  g_mutex_unlock (&self->lock);
  if (object != NULL)
    self->tell (object);
  return G_SOURCE_CONTINUE;
}

CoprocPoolProgress *
coproc_pool_progress_new (gpointer object, CoprocPoolProgressFunc tell)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  CoprocPoolProgress *self = g_new0 (CoprocPoolProgress, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_weak_ref_init (&self->object, object);
  self->tell = tell;
  self->told_at = -INTERVAL;
  self->source = coproc_source_new ("coproc pool progress", on_time, coproc_pool_progress_ref (self),
                                    (GDestroyNotify) coproc_pool_progress_unref);
  g_source_attach (self->source, context);
  return self;
}

CoprocPoolProgress *
coproc_pool_progress_ref (CoprocPoolProgress *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_pool_progress_unref (CoprocPoolProgress *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_source_unref (self->source);
  g_weak_ref_clear (&self->object);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
coproc_pool_progress_mute (CoprocPoolProgress *self)
{
  g_source_destroy (self->source);
}

void
coproc_pool_progress_note (CoprocPoolProgress *self, gboolean last)
{
  if (g_atomic_int_get (&self->asked) && !last)
    return;

  g_mutex_lock (&self->lock);
  if (last || !g_atomic_int_get (&self->asked))
    g_source_set_ready_time (self->source, last ? 0 : self->told_at + INTERVAL);
  g_atomic_int_set (&self->asked, TRUE);
  g_mutex_unlock (&self->lock);
}
