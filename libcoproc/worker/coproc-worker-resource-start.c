/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Starting a worker: what is checked here, and a life for it.
 */
#include "worker/coproc-worker-resource-private.h"

#include "coproc-error.h"
#include "wire/coproc-limits-private.h"
#include "worker/coproc-rlimits-private.h"

static gboolean
has_code (CoprocWorkerResource *self)
{
  return self->function != NULL || self->command != NULL || (self->plugin != NULL && self->entry_point != NULL);
}

/* What only a process can have, or only a plugin can be. */
static gboolean
check_mode_locked (CoprocWorkerResource *self, GError **error)
{
  if (self->mode == COPROC_WORKER_MODE_PROCESS && self->function != NULL)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                         "A function of the host can only run in a thread");
  else if (self->mode == COPROC_WORKER_MODE_THREAD && self->command != NULL)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED, "A command can only run in a process");
  else if (self->mode == COPROC_WORKER_MODE_THREAD
           && (self->environment != NULL || self->working_directory != NULL))
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                         "A thread has the environment and the working directory of its process");
  else if (self->mode == COPROC_WORKER_MODE_THREAD && (self->launcher != NULL || self->rlimits != NULL))
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                         "Only a process has a launcher or resource limits");
  else
    return TRUE;

  return FALSE;
}

/* What this side can see to be wrong; the plugin and its entry point are the worker's to check. */
static gboolean
check_start_locked (CoprocWorkerResource *self, GVariant *arguments, GError **error)
{
  const CoprocLimits limits = COPROC_DEFAULT_LIMITS;

  if (!check_mode_locked (self, error)
      || (self->rlimits != NULL && !coproc_rlimits_check (self->rlimits, error)))
    return FALSE;
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

static CoprocWorkerSetup *
setup_new_locked (CoprocWorkerResource *self, GVariant *arguments)
{
  CoprocWorkerSetup *setup = coproc_worker_setup_new ();

  setup->mode = self->mode;
  if (self->launcher != NULL)
    setup->launcher = coproc_launcher_ref (self->launcher);
  setup->plugin = g_strdup (self->plugin);
  setup->entry_point = g_strdup (self->entry_point);
  setup->command = g_strdupv (self->command);
  if (self->function != NULL)
    setup->function = g_atomic_rc_box_acquire (self->function);
  if (arguments != NULL)
    setup->arguments = g_variant_ref (arguments);
  setup->messenger_type = self->messenger_type;
  setup->environment = g_strdupv (self->environment);
  setup->working_directory = g_strdup (self->working_directory);
  setup->transport = self->transport;
  setup->copied_payloads = self->copied_payloads;
  setup->max_message_size = self->max_message_size;
  setup->stderr_mode = self->stderr_mode;
  setup->inherit_stdout = self->inherit_stdout;
  setup->grace_us = self->grace_us;
  setup->start_timeout_us = self->start_timeout_us;
  setup->heartbeat_us = self->heartbeat_us;
  setup->ping_us = self->ping_us;
  setup->hang_us = self->hang_us;
  if (self->rlimits != NULL)
    setup->rlimits = g_variant_ref (self->rlimits);
  return setup;
}

/* Goes from NEW, EXITED or FAILED to STARTING, with a new life. (transfer full) (nullable) */
static CoprocWorkerRun *
begin (CoprocWorkerResource *self, GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) owned = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (CoprocWorkerSetup) setup = NULL;
  g_autoptr (GError) refusal = NULL;

  g_mutex_lock (&self->lock);
  setup = setup_new_locked (self, owned);
  check_start_locked (self, owned, &refusal);
  g_mutex_unlock (&self->lock);

  /* That it runs already is the first thing to be told. */
  if (refusal == NULL || coproc_worker_resource_is_alive (self))
    return coproc_worker_supervisor_begin (self->supervisor, setup, error);
  g_propagate_error (error, g_steal_pointer (&refusal));
  return NULL;
}

static gboolean
run_start (CoprocWorkerRun *run, GCancellable *cancellable, GError **error)
{
  if (coproc_worker_run_start (run, cancellable, error))
    return TRUE;

  g_prefix_error (error, "Worker %s could not be started: ", run->label);
  return FALSE;
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
 * A worker that has ended can be started again: it gets a new process and a new messenger, and its restarts
 * are counted anew. A start that fails is not tried again, whatever the
 * [property@Coproc.WorkerResource:restart-policy]; one that has worked is what restarts repeat.
 *
 * What the entry point itself refuses, once it runs, is raised by the messenger's next receive.
 *
 * Errors: %COPROC_ERROR_ALREADY_ALIVE; %COPROC_ERROR_INVALID_PAYLOAD or %COPROC_ERROR_TOO_LARGE for
 * the arguments; %COPROC_ERROR_SPAWN when there can be no process; %COPROC_ERROR_PLUGIN_NOT_FOUND,
 * %COPROC_ERROR_PLUGIN_REFUSED, %COPROC_ERROR_PLUGIN_ABI or %COPROC_ERROR_PLUGIN_SYMBOL for the
 * plugin; %COPROC_ERROR_HANDSHAKE_TIMEOUT when the worker was not ready within
 * [property@Coproc.WorkerResource:start-timeout]; %COPROC_ERROR_WORKER_DIED when it ended before;
 * %COPROC_ERROR_FAILED for a mode that what is started cannot have;
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
  g_autoptr (CoprocWorkerRun) run = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (has_code (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  run = begin (self, arguments, error);

  return run != NULL && run_start (run, cancellable, error);
}

/* An asynchronous start: the starting thread's, then its context's. */
typedef struct
{
  CoprocWorkerRun *run;        /* (owned) */
  GError *error;               /* (nullable) what has come of it */
} StartJob;

static void
start_job_free (StartJob *job)
{
  coproc_worker_run_unref (job->run);
  g_clear_error (&job->error);
  g_free (job);
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

  run_start (job->run, g_task_get_cancellable (task), &job->error);
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
  CoprocWorkerRun *run;
  StartJob *job;
  GThread *thread;

  g_return_if_fail (COPROC_IS_WORKER_RESOURCE (self));
  g_return_if_fail (has_code (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_resource_start_async);
  /* A worker that did start is told of, even when the cancellation came right after it. */
  g_task_set_check_cancellable (task, FALSE);

  run = begin (self, arguments, &error);
  if (run == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  job = g_new0 (StartJob, 1);
  job->run = run;
  g_task_set_task_data (task, job, (GDestroyNotify) start_job_free);

  /* A thread for the time of the start: GTask's own would linger. */
  thread = g_thread_try_new ("coproc-start", start_in_thread, g_object_ref (task), &error);
  if (thread == NULL)
    {
      g_object_unref (task);
      coproc_worker_run_fail_start (run);
      g_task_return_new_error (task, COPROC_ERROR, COPROC_ERROR_SPAWN,
                               "Worker %s could not be started: %s", run->label, error->message);
      return;
    }
  g_thread_unref (thread);
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
  return coproc_worker_resource_finish (self, result, coproc_worker_resource_start_async, error);
}
