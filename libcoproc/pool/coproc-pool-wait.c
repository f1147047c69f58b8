/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A task that waits for an outcome. One source in its context is all there is of it: made ready by the
 * outcome, by the cancellation (a child source) or by the time. So nothing is called back in a driver's
 * thread, nor before the call that began it has returned.
 */
#include "pool/coproc-pool-private.h"

#include "coproc-error.h"

#include "coproc-source-private.h"
struct _CoprocPoolWait
{
  CoprocPoolJob *job;      /* (owned) */
  GTask *task;             /* (owned) */
  gboolean owns;           /* the job ends with the wait */
  gint64 deadline;         /* monotonic, -1: none */
  GSource *source;         /* (owned) */
  GList link;              /* (lock) in the job's waits while `waiting` */
  gboolean waiting;        /* (lock) */
};

void
coproc_outcome_free (CoprocOutcome *self)
{
  g_clear_pointer ((GVariant **) &self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_free (self);
}

/* Why the wait is over without an outcome: (nullable) */
static GError *
get_interruption (CoprocPoolWait *self)
{
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (g_task_get_cancellable (self->task), &error))
    return error;
  if (self->deadline >= 0 && g_get_monotonic_time () >= self->deadline)
    return g_error_new_literal (COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "The task was not done in the time given");
  return NULL;
}

static void
leave_locked (CoprocPoolWait *self)
{
  if (self->waiting)
    g_queue_unlink (&self->job->waits, &self->link);
  self->waiting = FALSE;
}

/* Returns: whether the wait is over, with *outcome, *error, or neither at the end. */
static gboolean
look_locked (CoprocPoolWait *self, CoprocOutcome **outcome, GError **error)
{
  CoprocPoolJob *job = self->job;
  CoprocOutcome next;

  if (coproc_results_pop (&job->results, &next))
    *outcome = g_memdup2 (&next, sizeof next);
  else if (coproc_pool_job_is_complete_locked (job))
    *error = g_steal_pointer (&job->failure);
  else if ((*error = get_interruption (self)) != NULL)
    {
      if (self->owns)
        coproc_pool_job_give_up_locked (job, NULL);
    }
  else
    return FALSE;
  leave_locked (self);
  return TRUE;
}

static gboolean
on_ready (gpointer user_data)
{
  CoprocPoolWait *self = user_data;
  CoprocPoolCore *core = self->job->core;
  CoprocOutcome *outcome = NULL;
  GError *error = NULL;
  gboolean over;

  g_mutex_lock (&core->lock);
  over = look_locked (self, &outcome, &error);
  if (!over)
    g_source_set_ready_time (self->source, self->deadline);
  g_mutex_unlock (&core->lock);
  if (!over)
    return G_SOURCE_CONTINUE;

  coproc_pool_core_sweep (core);
  if (error != NULL)
    g_task_return_error (self->task, error);
  else
    g_task_return_pointer (self->task, outcome, (GDestroyNotify) coproc_outcome_free);
  return G_SOURCE_REMOVE;
}

/* With its source, which also a context takes along that goes before the wait is over. */
static void
wait_free (gpointer data)
{
  CoprocPoolWait *self = data;

  g_mutex_lock (&self->job->core->lock);
  leave_locked (self);
  g_mutex_unlock (&self->job->core->lock);
  coproc_pool_job_unref (self->job);
  g_object_unref (self->task);
  g_free (self);
}

static void
add_cancellable (GSource *source, GCancellable *cancellable)
{
  g_autoptr (GSource) child = g_cancellable_source_new (cancellable);

  g_source_set_dummy_callback (child);
  g_source_add_child_source (source, child);
}

void
coproc_pool_wait_begin (CoprocPoolJob *job, GTask *task, gint64 timeout_us, gboolean owns)
{
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (task));
  g_autoptr (GCancellable) cancellable = NULL;
  CoprocPoolWait *self = g_new0 (CoprocPoolWait, 1);
  g_autoptr (GSource) source = coproc_source_new ("coproc pool wait", on_ready, self, wait_free);

  g_set_object (&cancellable, g_task_get_cancellable (task));
  if (cancellable != NULL)
    add_cancellable (source, cancellable);
  self->job = coproc_pool_job_ref (job);
  self->task = task;
  self->owns = owns;
  self->deadline = timeout_us < 0 ? -1 : g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);
  self->source = source;
  self->link.data = self;
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_ready_time (source, self->deadline);

  g_mutex_lock (&job->core->lock);
  g_queue_push_tail_link (&job->waits, &self->link);
  self->waiting = TRUE;
  if (coproc_results_can_pop (&job->results) || coproc_pool_job_is_complete_locked (job))
    coproc_pool_wait_wake_locked (self);
  g_mutex_unlock (&job->core->lock);

  /* From here on the context may be through with it. */
  g_source_attach (source, context);
  /* GLib does not wake the context when it is cancelled while the source is being attached. */
  if (cancellable != NULL && g_cancellable_is_cancelled (cancellable))
    g_source_set_ready_time (source, 0);
}

void
coproc_pool_wait_wake_locked (CoprocPoolWait *self)
{
  g_source_set_ready_time (self->source, 0);
}

/* --- tasks that wait for the pool --- */

static gboolean
on_return (gpointer user_data)
{
  GTask *task = user_data;
  GError *error = g_task_get_task_data (task);

  if (error != NULL)
    g_task_return_error (task, g_error_copy (error));
  else
    g_task_return_boolean (task, TRUE);
  return G_SOURCE_REMOVE;
}

void
coproc_pool_return (GTask *task, GError *error)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  if (error != NULL)
    g_task_set_task_data (task, error, (GDestroyNotify) g_error_free);
  g_source_set_static_name (source, "coproc pool");
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, on_return, task, g_object_unref);
  g_source_attach (source, g_task_get_context (task));
}
