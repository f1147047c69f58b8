/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Waiting for the end of a run: a thread on the condition, a task on sources of its own context.
 */
#include "worker/coproc-worker-run-private.h"

#include "coproc-error.h"
#include "coproc-interrupt-private.h"
#include "coproc-source-private.h"

/* A task that waits. Everything but `done_source`'s being made ready happens in the task's context,
 * so that no callback can run in the background thread, and none before the call has returned. */
struct _CoprocWorkerWait
{
  CoprocWorkerRun *run;      /* (owned) */
  GTask *task;               /* (owned) */
  GSource *done_source;      /* made ready by the run, under its lock */
  GSource *cancel_source;    /* (nullable) */
  GSource *deadline_source;  /* (nullable) */
};

static gboolean
is_over_locked (CoprocWorkerRun *self)
{
  return self->state == COPROC_WORKER_STATE_EXITED || self->state == COPROC_WORKER_STATE_FAILED;
}

/* What a wait for @self has come to. (lock) */
static gboolean
get_result_locked (CoprocWorkerRun *self, GError **error)
{
  if (is_over_locked (self))
    return TRUE;
  if (self->stage == COPROC_STOP_GIVEN_UP)
    {
      g_autofree char *name = coproc_worker_run_dup_name (self);

      g_set_error (error, COPROC_ERROR, COPROC_ERROR_FAILED, "%s cannot be killed: %s", name,
                   self->process != NULL ? "the kernel does not end it"
                                         : "it was asked to end, and a thread must do that itself");
    }
  else
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                 "Worker %s did not end in the time given", self->label);

  return FALSE;
}

void
coproc_worker_run_wake_locked (CoprocWorkerRun *self)
{
  g_cond_broadcast (&self->changed);

  if (is_over_locked (self) || self->stage == COPROC_STOP_GIVEN_UP)
    for (guint i = 0; i < self->waits->len; i++)
      g_source_set_ready_time (((CoprocWorkerWait *) self->waits->pdata[i])->done_source, 0);
}

/* --- a thread --- */

static void
on_cancelled (GCancellable *cancellable, gpointer user_data)
{
  CoprocWorkerRun *self = user_data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_cond_broadcast (&self->changed);
}

gboolean
coproc_worker_run_wait (CoprocWorkerRun *self,
                        gint64 deadline,
                        GCancellable *cancellable,
                        GError **error)
{
  g_autoptr (GError) failure = NULL;
  gboolean in_time = TRUE, result;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self, NULL);

  g_mutex_lock (&self->lock);
  while (!is_over_locked (self) && self->stage != COPROC_STOP_GIVEN_UP && in_time
         && !g_cancellable_is_cancelled (cancellable) && failure == NULL)
    {
      in_time = coproc_interrupt_wait (&self->changed, &self->lock, deadline);
      coproc_interrupt_take (&failure);
    }
  if (is_over_locked (self)
      || (failure == NULL && !g_cancellable_set_error_if_cancelled (cancellable, &failure)))
    result = get_result_locked (self, error);
  else
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      result = FALSE;
    }
  g_mutex_unlock (&self->lock);

  g_cancellable_disconnect (cancellable, handler);

  return result;
}

/* --- a task --- */

static void
drop_source (GSource **source)
{
  if (*source == NULL)
    return;

  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* The wait is over: takes @error. In the task's context. */
static void
complete (CoprocWorkerWait *self, GError *error)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->task);
  g_autoptr (CoprocWorkerRun) run = g_steal_pointer (&self->run);

  g_mutex_lock (&run->lock);
  g_ptr_array_remove_fast (run->waits, self);
  g_mutex_unlock (&run->lock);

  drop_source (&self->done_source);
  drop_source (&self->cancel_source);
  drop_source (&self->deadline_source);
  g_free (self);

  /* Where one context tells both, the end of the worker is told before the end of the wait for it.
   * Another context may not be running. */
  if (error == NULL
      && g_task_get_context (task) == coproc_worker_observer_get_context (run->observer))
    coproc_worker_observer_catch_up (run->observer);
  g_clear_pointer (&run, coproc_worker_run_unref);

  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static gboolean
on_done (gpointer user_data)
{
  CoprocWorkerWait *self = user_data;
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&self->run->lock);
  get_result_locked (self->run, &error);
  g_mutex_unlock (&self->run->lock);
  complete (self, g_steal_pointer (&error));

  return G_SOURCE_REMOVE;
}

static gboolean
on_wait_cancelled (GCancellable *cancellable, gpointer user_data)
{
  CoprocWorkerWait *self = user_data;
  g_autoptr (GError) error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  complete (self, g_steal_pointer (&error));

  return G_SOURCE_REMOVE;
}

/* @source: (transfer full) */
static GSource *
add_source (GSource *source, GTask *task)
{
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_attach (source, g_task_get_context (task));

  return source;
}

void
coproc_worker_run_wait_task (CoprocWorkerRun *self, gint64 deadline, GTask *task)
{
  CoprocWorkerWait *wait = g_new0 (CoprocWorkerWait, 1);
  GCancellable *cancellable = g_task_get_cancellable (task);

  wait->run = coproc_worker_run_ref (self);
  wait->task = task;
  wait->done_source = add_source (coproc_source_new ("coproc worker wait", on_done, wait, NULL), task);
  if (cancellable != NULL)
    {
      GSource *source = g_cancellable_source_new (cancellable);

      g_source_set_static_name (source, "coproc worker wait");
      g_source_set_callback (source, G_SOURCE_FUNC (on_wait_cancelled), wait, NULL);
      wait->cancel_source = add_source (source, task);
    }
  if (deadline >= 0)
    {
      wait->deadline_source = add_source (coproc_source_new ("coproc worker wait", on_done, wait, NULL), task);
      g_source_set_ready_time (wait->deadline_source, deadline);
    }

  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->waits, wait);
  coproc_worker_run_wake_locked (self);
  g_mutex_unlock (&self->lock);
}
