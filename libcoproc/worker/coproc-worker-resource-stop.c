/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Ending a worker, from asking it to killing it, and waiting until it has ended.
 */
#include "worker/coproc-worker-resource-private.h"

#include "coproc-error.h"

/* --- join --- */

static gboolean
set_not_alive (CoprocWorkerResource *self, GError **error)
{
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE, "Worker %s:%s is not running",
               self->plugin, self->entry_point);
  return FALSE;
}

static gint64
deadline_of (gint64 timeout_us)
{
  gint64 now = g_get_monotonic_time ();

  return timeout_us < 0 || timeout_us > G_MAXINT64 - now ? -1 : now + timeout_us;
}

/**
 * coproc_worker_resource_join:
 * @self: a worker
 * @timeout_us: how long to wait, in microseconds; -1: for ever
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Asks the worker to end and waits until its process has.
 *
 * It is not restarted any more. What the worker still sends meanwhile can be received afterwards. How it has ended is told by
 * [method@Coproc.WorkerResource.get_exit_status] and
 * [method@Coproc.WorkerResource.get_term_signal]; a worker that has ended before is fine.
 *
 * Errors: %COPROC_ERROR_NOT_ALIVE for a worker that was never started; %COPROC_ERROR_TIMED_OUT,
 * the worker runs on; %COPROC_ERROR_RESTART_LIMIT when it had ended because it was restarted too often;
 * %G_IO_ERROR_CANCELLED.
 *
 * Threads: any; blocks.
 *
 * Returns: %TRUE when the worker has ended
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_join (CoprocWorkerResource  *self,
                             gint64                 timeout_us,
                             GCancellable          *cancellable,
                             GError               **error)
{
  g_autoptr (CoprocWorkerRun) run = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (timeout_us >= -1, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  coproc_worker_supervisor_let_go (self->supervisor);
  run = coproc_worker_supervisor_dup_run (self->supervisor);
  if (run == NULL)
    return set_not_alive (self, error);
  if (coproc_worker_supervisor_has_given_up (self->supervisor, error))
    return FALSE;
  coproc_worker_run_ask (run);

  return coproc_worker_run_wait (run, deadline_of (timeout_us), cancellable, error);
}

/**
 * coproc_worker_resource_join_async:
 * @self: a worker
 * @timeout_us: how long to wait, in microseconds; -1: for ever
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (nullable): called when the worker has ended, or the time has passed
 * @user_data: data for @callback
 *
 * Asks the worker to end and waits for it without blocking; see
 * [method@Coproc.WorkerResource.join].
 *
 * Threads: any; @callback is called in the thread-default context of the caller. If the worker was
 * made in the same context, [signal@Coproc.WorkerResource::exited] is emitted before it.
 *
 * Since: 1.0
 */
void
coproc_worker_resource_join_async (CoprocWorkerResource *self,
                                   gint64                timeout_us,
                                   GCancellable         *cancellable,
                                   GAsyncReadyCallback   callback,
                                   gpointer              user_data)
{
  g_autoptr (CoprocWorkerRun) run = NULL;
  g_autoptr (GTask) task = NULL;
  g_autoptr (GError) error = NULL;

  g_return_if_fail (COPROC_IS_WORKER_RESOURCE (self));
  g_return_if_fail (timeout_us >= -1);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_resource_join_async);
  g_task_set_check_cancellable (task, FALSE);

  coproc_worker_supervisor_let_go (self->supervisor);
  run = coproc_worker_supervisor_dup_run (self->supervisor);
  if (run == NULL)
    set_not_alive (self, &error);
  if (run == NULL || coproc_worker_supervisor_has_given_up (self->supervisor, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  coproc_worker_run_ask (run);
  coproc_worker_run_wait_task (run, deadline_of (timeout_us), g_steal_pointer (&task));
}

/**
 * coproc_worker_resource_join_finish:
 * @self: a worker
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerResource.join_async].
 *
 * Errors: as [method@Coproc.WorkerResource.join].
 *
 * Returns: %TRUE when the worker has ended
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_join_finish (CoprocWorkerResource *self,
                                    GAsyncResult *result,
                                    GError **error)
{
  return coproc_worker_resource_finish (self, result, coproc_worker_resource_join_async, error);
}

/* --- stop --- */

/**
 * coproc_worker_resource_terminate:
 * @self: a worker
 * @error: return location for an error
 *
 * Ends the worker now: a close request and SIGTERM at once, SIGKILL when the grace period is over.
 *
 * Errors: %COPROC_ERROR_NOT_ALIVE for a worker that was never started or has ended;
 * %COPROC_ERROR_FAILED when even SIGKILL does not end it.
 *
 * Threads: any; blocks until the process is reaped.
 *
 * Returns: %TRUE when the worker has ended
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_terminate (CoprocWorkerResource *self, GError **error)
{
  g_autoptr (CoprocWorkerRun) run = NULL;
  gint64 grace_us;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  g_object_get (self, "grace-period", &grace_us, NULL);
  if (coproc_worker_supervisor_let_go (self->supervisor))
    return TRUE;
  run = coproc_worker_supervisor_dup_run (self->supervisor);
  if (run == NULL || coproc_worker_run_is_over (run))
    return set_not_alive (self, error);
  coproc_worker_run_stop (run, COPROC_STOP_TERM, grace_us);

  return coproc_worker_run_wait (run, -1, NULL, error);
}

CoprocWorkerRun *
coproc_worker_resource_begin_stop (CoprocWorkerResource *self, gint64 grace_us)
{
  CoprocWorkerRun *run;

  coproc_worker_supervisor_let_go (self->supervisor);
  run = coproc_worker_supervisor_dup_run (self->supervisor);
  if (run != NULL)
    coproc_worker_run_stop (run, COPROC_STOP_ASKED, grace_us);
  return run;
}

/**
 * coproc_worker_resource_stop:
 * @self: a worker
 * @grace_us: how long, in microseconds, the worker has to end by itself, and again after a SIGTERM;
 *   -1: for ever
 * @error: return location for an error
 *
 * Ends the worker: a close request, after the grace SIGTERM, after another SIGKILL.
 *
 * A worker that was never started, or has ended, is fine.
 *
 * Errors: %COPROC_ERROR_FAILED when even SIGKILL does not end it.
 *
 * Threads: any; blocks until the process is reaped.
 *
 * Returns: %TRUE when the worker is not running any more
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_stop (CoprocWorkerResource *self, gint64 grace_us, GError **error)
{
  g_autoptr (CoprocWorkerRun) run = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (grace_us >= -1, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  run = coproc_worker_resource_begin_stop (self, grace_us);
  return run == NULL || coproc_worker_run_wait (run, -1, NULL, error);
}

/**
 * coproc_worker_resource_stop_async:
 * @self: a worker
 * @grace_us: how long, in microseconds, the worker has to end by itself, and again after a SIGTERM;
 *   -1: for ever
 * @cancellable: (nullable): a cancellable, for the wait; the stop goes on
 * @callback: (scope async) (nullable): called when the worker has ended
 * @user_data: data for @callback
 *
 * Ends the worker without blocking; see [method@Coproc.WorkerResource.stop].
 *
 * Threads: any; @callback is called in the thread-default context of the caller. If the worker was
 * made in the same context, [signal@Coproc.WorkerResource::exited] is emitted before it.
 *
 * Since: 1.0
 */
void
coproc_worker_resource_stop_async (CoprocWorkerResource *self,
                                   gint64                grace_us,
                                   GCancellable         *cancellable,
                                   GAsyncReadyCallback   callback,
                                   gpointer              user_data)
{
  g_autoptr (CoprocWorkerRun) run = NULL;
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (COPROC_IS_WORKER_RESOURCE (self));
  g_return_if_fail (grace_us >= -1);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_resource_stop_async);
  g_task_set_check_cancellable (task, FALSE);

  run = coproc_worker_resource_begin_stop (self, grace_us);
  if (run == NULL)
    g_task_return_boolean (task, TRUE);
  else
    coproc_worker_run_wait_task (run, -1, g_steal_pointer (&task));
}

/**
 * coproc_worker_resource_stop_finish:
 * @self: a worker
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerResource.stop_async].
 *
 * Errors: %COPROC_ERROR_FAILED when even SIGKILL does not end it; %G_IO_ERROR_CANCELLED.
 *
 * Returns: %TRUE when the worker is not running any more
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_stop_finish (CoprocWorkerResource *self,
                                    GAsyncResult *result,
                                    GError **error)
{
  return coproc_worker_resource_finish (self, result, coproc_worker_resource_stop_async, error);
}
