/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What happens to a worker, in order, on its way from the background thread to the application.
 */
#include "worker/coproc-worker-observer-private.h"

#include "wire/coproc-fork-private.h"

#define EVENTS_PER_DISPATCH 64

typedef enum
{
  EVENT_STATE,
  EVENT_EXITED,
  EVENT_RESTARTED,
  EVENT_LINE,
} EventKind;

typedef struct
{
  EventKind kind;
  int status;
  int signum;
  guint count;
  char *line;              /* (nullable) (owned) */
} Event;

struct _CoprocWorkerObserver
{
  gatomicrefcount ref_count;
  GMainContext *context;   /* immutable (owned) */
  GWeakRef object;         /* thread-safe by itself */
  CoprocForkGuard guard;   /* thread-safe by itself */

  GMutex lock;
  GQueue events;           /* (mutex lock) Event */
  guint n_lines;           /* (mutex lock) how many of them are lines */
  GSource *source;         /* (mutex lock) (nullable) there while events wait */
  gboolean muted;          /* (mutex lock) */
};

static void
event_free (Event *event)
{
  g_free (event->line);
  g_free (event);
}

CoprocWorkerObserver *
coproc_worker_observer_new (GObject *object)
{
  CoprocWorkerObserver *self = g_new0 (CoprocWorkerObserver, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_queue_init (&self->events);
  g_weak_ref_init (&self->object, object);
  self->context = g_main_context_ref_thread_default ();
  coproc_fork_guard_add (&self->guard, COPROC_FORK_PART, &self->lock, NULL, self);

  return self;
}

CoprocWorkerObserver *
coproc_worker_observer_ref (CoprocWorkerObserver *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_worker_observer_unref (CoprocWorkerObserver *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  g_queue_clear_full (&self->events, (GDestroyNotify) event_free);
  g_weak_ref_clear (&self->object);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
coproc_worker_observer_mute (CoprocWorkerObserver *self)
{
  GSource *source;

  g_mutex_lock (&self->lock);
  self->muted = TRUE;
  source = g_steal_pointer (&self->source);
  g_mutex_unlock (&self->lock);

  if (source != NULL)
    {
      g_source_destroy (source);
      g_source_unref (source);
    }
}

static Event *
pop_event_locked (CoprocWorkerObserver *self)
{
  Event *event = self->muted ? NULL : g_queue_pop_head (&self->events);

  if (event != NULL && event->kind == EVENT_LINE)
    self->n_lines--;

  return event;
}

/* Takes the next event out; with the last one the source goes. */
static Event *
next_event (CoprocWorkerObserver *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  Event *event = pop_event_locked (self);

  if (event == NULL)
    g_clear_pointer (&self->source, g_source_unref);

  return event;
}

/* Takes @event; @object is NULL when there is nobody to tell it. */
static void
emit (GObject *object, Event *event)
{
  if (object != NULL && event->kind == EVENT_STATE)
    g_object_notify (object, "state");
  else if (object != NULL && event->kind == EVENT_EXITED)
    g_signal_emit_by_name (object, "exited", event->status, event->signum);
  else if (object != NULL && event->kind == EVENT_RESTARTED)
    g_signal_emit_by_name (object, "restarted", event->count);
  else if (object != NULL)
    g_signal_emit_by_name (object, "stderr-line", event->line);
  event_free (event);
}

static gboolean
on_events (gpointer user_data)
{
  CoprocWorkerObserver *self = user_data;
  g_autoptr (GObject) object = g_weak_ref_get (&self->object);

  /* Not all at once: a worker may print faster than this tells. */
  for (guint i = 0; i < EVENTS_PER_DISPATCH; i++)
    {
      Event *event = next_event (self);

      if (event == NULL)
        return G_SOURCE_REMOVE;
      emit (object, event);
    }

  return G_SOURCE_CONTINUE;
}

GMainContext *
coproc_worker_observer_get_context (CoprocWorkerObserver *self)
{
  return self->context;
}

void
coproc_worker_observer_catch_up (CoprocWorkerObserver *self)
{
  g_autoptr (GObject) object = g_weak_ref_get (&self->object);
  guint n;

  g_mutex_lock (&self->lock);
  n = g_queue_get_length (&self->events);
  g_mutex_unlock (&self->lock);

  /* What comes while this tells, and the source, are left to its next dispatch. */
  for (guint i = 0; i < n; i++)
    {
      Event *event;

      g_mutex_lock (&self->lock);
      event = pop_event_locked (self);
      g_mutex_unlock (&self->lock);
      if (event == NULL)
        return;
      emit (object, event);
    }
}

static void
drop_oldest_line_locked (CoprocWorkerObserver *self)
{
  for (GList *link = self->events.head; link != NULL; link = link->next)
    if (((Event *) link->data)->kind == EVENT_LINE)
      {
        event_free (link->data);
        g_queue_delete_link (&self->events, link);
        self->n_lines--;
        return;
      }
}

static void
tell (CoprocWorkerObserver *self, const Event *event)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  Event *copy;

  if (self->muted)
    return;

  if (event->kind == EVENT_LINE && self->n_lines++ >= COPROC_OBSERVER_MAX_LINES)
    drop_oldest_line_locked (self);
  copy = g_memdup2 (event, sizeof *event);
  copy->line = g_strdup (event->line);
  g_queue_push_tail (&self->events, copy);

  if (self->source == NULL)
    {
      self->source = g_idle_source_new ();
      g_source_set_priority (self->source, G_PRIORITY_DEFAULT);
      g_source_set_static_name (self->source, "coproc worker");
      g_source_set_callback (self->source, on_events, coproc_worker_observer_ref (self),
                             (GDestroyNotify) coproc_worker_observer_unref);
      g_source_attach (self->source, self->context);
    }
}

void
coproc_worker_observer_tell_state (CoprocWorkerObserver *self)
{
  tell (self, &(Event) { .kind = EVENT_STATE });
}

void
coproc_worker_observer_tell_exited (CoprocWorkerObserver *self, int status, int signum)
{
  tell (self, &(Event) { .kind = EVENT_EXITED, .status = status, .signum = signum });
}

void
coproc_worker_observer_tell_restarted (CoprocWorkerObserver *self, guint count)
{
  tell (self, &(Event) { .kind = EVENT_RESTARTED, .count = count });
}

void
coproc_worker_observer_tell_line (CoprocWorkerObserver *self, const char *line)
{
  tell (self, &(Event) { .kind = EVENT_LINE, .line = (char *) line });
}
