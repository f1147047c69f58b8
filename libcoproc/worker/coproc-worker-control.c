/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What can be done with a worker: to start it, to wait for it, to end it, and to ask about it.
 */
#include "worker/coproc-worker-resource-private.h"

#include "coproc-error.h"
#include "wire/coproc-limits-private.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocWorkerRun, coproc_worker_run_unref)

/* --- start --- */

/* What a start works with, so that the properties may change meanwhile. */
typedef struct
{
  CoprocWorkerRun *run;
  GVariant *arguments;         /* (nullable) */
  char **environment;
  char *working_directory;
  CoprocWorkerSetup setup;     /* its strings are the object's and this one's */
  GError *error;               /* (nullable) what an asynchronous start has come to */
} StartJob;

static void
start_job_free (StartJob *job)
{
  g_clear_pointer (&job->run, coproc_worker_run_unref);
  g_clear_pointer (&job->arguments, g_variant_unref);
  g_strfreev (job->environment);
  g_free (job->working_directory);
  g_clear_error (&job->error);
  g_free (job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StartJob, start_job_free)

/* What this side can see to be wrong; the plugin and its entry point are the worker's to check. */
static gboolean
check_start_locked (CoprocWorkerResource *self, GVariant *arguments, GError **error)
{
  const CoprocLimits limits = COPROC_DEFAULT_LIMITS;

  if (self->run != NULL && !coproc_worker_run_is_over (self->run))
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE,
                 "Worker %s:%s is running already", self->plugin, self->entry_point);
  else if (self->mode != COPROC_WORKER_MODE_PROCESS)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                         "This version of the library runs workers in processes only");
  else if (self->transport == COPROC_TRANSPORT_SHARED_MEMORY)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                         "This version of the library has no shared-memory transport");
  else if (arguments != NULL && !g_variant_is_of_type (arguments, G_VARIANT_TYPE_VARDICT))
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                 "A worker's arguments are of type 'a{sv}', not '%s'",
                 g_variant_get_type_string (arguments));
  else if (arguments != NULL && g_variant_get_size (arguments) > limits.max_variant_size)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE,
                 "A worker's arguments have at most %" G_GUINT64_FORMAT " bytes, not %zu",
                 limits.max_variant_size, g_variant_get_size (arguments));
  else
    return TRUE;

  return FALSE;
}

/* Goes from NEW, EXITED or FAILED to STARTING, with a new life. */
static StartJob *
start_job_new (CoprocWorkerResource *self, GVariant *arguments, GError **error)
{
  g_autoptr (StartJob) job = g_new0 (StartJob, 1);
  CoprocWorkerRun *previous;

  if (arguments != NULL)
    job->arguments = g_variant_ref_sink (arguments);

  g_mutex_lock (&self->lock);
  if (!check_start_locked (self, arguments, error))
    {
      g_mutex_unlock (&self->lock);
      return NULL;
    }
  previous = g_steal_pointer (&self->run);
  self->run = coproc_worker_run_new (self->observer);
  job->run = coproc_worker_run_ref (self->run);
  job->environment = g_strdupv (self->environment);
  job->working_directory = g_strdup (self->working_directory);
  job->setup = (CoprocWorkerSetup) {
    .launcher = &coproc_child_launcher,
    .plugin = self->plugin,
    .entry_point = self->entry_point,
    .messenger_type = self->messenger_type,
    .environment = (const char *const *) job->environment,
    .working_directory = job->working_directory,
    .stderr_mode = self->stderr_mode,
    .grace_us = self->grace_us,
    .start_timeout_us = self->start_timeout_us,
  };
  g_mutex_unlock (&self->lock);

  if (previous != NULL)
    coproc_worker_run_release (previous);

  return g_steal_pointer (&job);
}

static gboolean
start_job_run (StartJob *job, GCancellable *cancellable, GError **error)
{
  if (coproc_worker_run_start (job->run, &job->setup, job->arguments, cancellable, error))
    return TRUE;

  g_prefix_error (error, "Worker %s:%s could not be started: ", job->setup.plugin,
                  job->setup.entry_point);
  return FALSE;
}

/**
 * coproc_worker_resource_new: (constructor)
 * @plugin: the name of a plugin on the search path, or the absolute path of its file
 * @entry_point: the name of one of its entry points
 *
 * Makes a worker that is not started yet.
 *
 * Nothing is looked up before [method@Coproc.WorkerResource.start].
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new worker
 *
 * Since: 1.0
 */
CoprocWorkerResource *
coproc_worker_resource_new (const char *plugin, const char *entry_point)
{
  g_return_val_if_fail (plugin != NULL, NULL);
  g_return_val_if_fail (entry_point != NULL, NULL);

  return g_object_new (COPROC_TYPE_WORKER_RESOURCE, "plugin", plugin, "entry-point", entry_point,
                       NULL);
}

/**
 * coproc_worker_resource_start:
 * @self: a worker
 * @arguments: (nullable): the arguments of the entry point, of type `a{sv}`; a floating one is
 *   consumed
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Starts the worker and waits until it is ready.
 *
 * A worker that has ended can be started again: it gets a new process and a new messenger.
 *
 * What the entry point itself refuses, once it runs, is raised by the messenger's next receive.
 *
 * Errors: %COPROC_ERROR_ALREADY_ALIVE; %COPROC_ERROR_INVALID_PAYLOAD or %COPROC_ERROR_TOO_LARGE for
 * the arguments; %COPROC_ERROR_SPAWN when there can be no process; %COPROC_ERROR_PLUGIN_NOT_FOUND,
 * %COPROC_ERROR_PLUGIN_REFUSED, %COPROC_ERROR_PLUGIN_ABI or %COPROC_ERROR_PLUGIN_SYMBOL for the
 * plugin; %COPROC_ERROR_HANDSHAKE_TIMEOUT when the worker was not ready within
 * [property@Coproc.WorkerResource:start-timeout]; %COPROC_ERROR_WORKER_DIED when it ended before;
 * %COPROC_ERROR_FAILED for a mode or a transport that this version does not have;
 * %G_IO_ERROR_CANCELLED.
 *
 * Threads: any; blocks.
 *
 * Returns: %TRUE when the worker is running
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_start (CoprocWorkerResource  *self,
                              GVariant              *arguments,
                              GCancellable          *cancellable,
                              GError               **error)
{
  g_autoptr (StartJob) job = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (self->plugin != NULL && self->entry_point != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  job = start_job_new (self, arguments, error);

  return job != NULL && start_job_run (job, cancellable, error);
}

/* The start is over. In the task's context, so that the last reference to the worker is not dropped
 * in the starting thread. */
static gboolean
on_start_over (gpointer user_data)
{
  GTask *task = user_data;
  StartJob *job = g_task_get_task_data (task);

  if (job->error != NULL)
    g_task_return_error (task, g_steal_pointer (&job->error));
  else
    g_task_return_boolean (task, TRUE);

  return G_SOURCE_REMOVE;
}

static gpointer
start_in_thread (gpointer user_data)
{
  GTask *task = user_data;
  StartJob *job = g_task_get_task_data (task);
  g_autoptr (GSource) source = g_idle_source_new ();

  start_job_run (job, g_task_get_cancellable (task), &job->error);
  g_source_set_static_name (source, "coproc worker start");
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_callback (source, on_start_over, task, g_object_unref);
  g_source_attach (source, g_task_get_context (task));

  return NULL;
}

/**
 * coproc_worker_resource_start_async:
 * @self: a worker
 * @arguments: (nullable): the arguments of the entry point, of type `a{sv}`; a floating one is
 *   consumed
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (nullable): called when the worker is ready, or failed
 * @user_data: data for @callback
 *
 * Starts the worker without blocking; see [method@Coproc.WorkerResource.start].
 *
 * Threads: any; @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
coproc_worker_resource_start_async (CoprocWorkerResource *self,
                                    GVariant             *arguments,
                                    GCancellable         *cancellable,
                                    GAsyncReadyCallback   callback,
                                    gpointer              user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (GError) error = NULL;
  StartJob *job;
  GThread *thread;

  g_return_if_fail (COPROC_IS_WORKER_RESOURCE (self));
  g_return_if_fail (self->plugin != NULL && self->entry_point != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_resource_start_async);
  /* A worker that did start is told of, even when the cancellation came right after it. */
  g_task_set_check_cancellable (task, FALSE);

  job = start_job_new (self, arguments, &error);
  if (job == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  g_task_set_task_data (task, job, (GDestroyNotify) start_job_free);

  /* A thread for the time of the start: GTask's own would linger. */
  thread = g_thread_try_new ("coproc-start", start_in_thread, g_object_ref (task), &error);
  if (thread == NULL)
    {
      g_object_unref (task);
      coproc_worker_run_fail_start (job->run);
      g_task_return_new_error (task, COPROC_ERROR, COPROC_ERROR_SPAWN,
                               "Worker %s:%s could not be started: %s", self->plugin,
                               self->entry_point, error->message);
      return;
    }
  g_thread_unref (thread);
}

/* The end of each of the asynchronous calls. */
static gboolean
finish (CoprocWorkerResource *self, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * coproc_worker_resource_start_finish:
 * @self: a worker
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerResource.start_async].
 *
 * Errors: as [method@Coproc.WorkerResource.start].
 *
 * Returns: %TRUE when the worker is running
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_start_finish (CoprocWorkerResource *self,
                                     GAsyncResult *result,
                                     GError **error)
{
  return finish (self, result, coproc_worker_resource_start_async, error);
}

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
 * What the worker still sends meanwhile can be received afterwards. How it has ended is told by
 * [method@Coproc.WorkerResource.get_exit_status] and
 * [method@Coproc.WorkerResource.get_term_signal]; a worker that has ended before is fine.
 *
 * Errors: %COPROC_ERROR_NOT_ALIVE for a worker that was never started; %COPROC_ERROR_TIMED_OUT,
 * the worker runs on; %G_IO_ERROR_CANCELLED.
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

  run = coproc_worker_resource_dup_run (self);
  if (run == NULL)
    return set_not_alive (self, error);
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
 * Threads: any; @callback is called in the thread-default context of the caller.
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

  run = coproc_worker_resource_dup_run (self);
  if (run == NULL)
    {
      set_not_alive (self, &error);
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
  return finish (self, result, coproc_worker_resource_join_async, error);
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
  run = coproc_worker_resource_dup_run (self);
  if (run == NULL || coproc_worker_run_is_over (run))
    return set_not_alive (self, error);
  coproc_worker_run_stop (run, COPROC_STOP_TERM, grace_us);

  return coproc_worker_run_wait (run, -1, NULL, error);
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

  run = coproc_worker_resource_dup_run (self);
  if (run == NULL)
    return TRUE;
  coproc_worker_run_stop (run, COPROC_STOP_ASKED, grace_us);

  return coproc_worker_run_wait (run, -1, NULL, error);
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
 * Threads: any; @callback is called in the thread-default context of the caller.
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

  run = coproc_worker_resource_dup_run (self);
  if (run == NULL)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  coproc_worker_run_stop (run, COPROC_STOP_ASKED, grace_us);
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
  return finish (self, result, coproc_worker_resource_stop_async, error);
}
