/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The object: its making, its signals, its end, and what it can be asked.
 */
#include "worker/coproc-worker-resource-private.h"

#include "messenger/coproc-priority-messenger.h"
#include "wire/coproc-limits-private.h"

/**
 * CoprocWorkerResource:
 *
 * A worker as its host holds it: plugin code in a process, or a thread, of its own, and the messenger
 * to it.
 *
 * A worker is made from the name (or the absolute path) of a plugin and the name of one of its
 * entry points, started with [method@Coproc.WorkerResource.start], talked to through
 * [method@Coproc.WorkerResource.get_messenger], and ended with
 * [method@Coproc.WorkerResource.join], [method@Coproc.WorkerResource.stop] or
 * [method@Coproc.WorkerResource.terminate]. Dropping the last reference ends it too, in the
 * background.
 *
 * ```
 * NEW ──▶ STARTING ──▶ RUNNING ──▶ STOPPING ──▶ EXITED
 *            │            └────────────────────▶ EXITED
 *            └──▶ FAILED          EXITED, FAILED ──▶ STARTING
 * ```
 *
 * When the worker's process ends without having said goodbye, everything that waits for it fails
 * with %COPROC_ERROR_WORKER_DIED, whose message names the process, the signal or exit code, and the
 * end of what it printed; what had arrived before can still be received. A request that the worker had not
 * taken up fails with %COPROC_ERROR_NOT_STARTED: that one, and only that one, can be sent again without the
 * risk that it is done twice.
 *
 * With a [property@Coproc.WorkerResource:restart-policy] a worker that has ended is started again, with the
 * arguments of its start and after a pause: 0.1 s at first, twice as long each time, at most 5 s, and 0.1 s again
 * once it has been running for a minute. From one life to the next its state is
 * %COPROC_WORKER_STATE_STARTING. The messenger is another one each time, and nothing is sent again by the
 * library; [signal@Coproc.WorkerResource::restarted] is the time to do that. A worker that needs more than
 * [property@Coproc.WorkerResource:max-restarts] within [property@Coproc.WorkerResource:restart-window]
 * is given up: its state is %COPROC_WORKER_STATE_FAILED, and whoever then receives from it, sends to it or joins
 * it is told by %COPROC_ERROR_RESTART_LIMIT. It can be started anew. To join, stop or terminate a worker ends
 * its restarts, too.
 *
 * With [property@Coproc.WorkerResource:mode] %COPROC_WORKER_MODE_THREAD the same entry point runs in a thread
 * of the host: it starts faster, and payloads cross by reference, but its crash is the host's, and
 * it can be asked to end but not killed. Its exit status is 0, or 1 when it has failed.
 *
 * Every method may be called from any thread. Signals and property notifications are emitted in the
 * thread-default [struct@GLib.MainContext] of the thread that made the object.
 *
 * ```c
 * g_autoptr (CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
 * g_autoptr (GVariant) reply = NULL;
 *
 * if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
 *   return FALSE;
 * reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
 *                                g_variant_new_string ("hello"), NULL, -1, NULL, &error);
 * ```
 *
 * ```python
 * worker = Coproc.WorkerResource.new('echo', 'echo')
 * worker.start(None, None)
 * reply = worker.get_messenger().call(GLib.Variant('s', 'hello'), None, -1, None)
 * worker.stop(2_000_000)
 * ```
 *
 * Since: 1.0
 */
G_DEFINE_FINAL_TYPE (CoprocWorkerResource, coproc_worker_resource, G_TYPE_OBJECT)

/* --- GObject --- */

static void
coproc_worker_resource_dispose (GObject *object)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);

  coproc_worker_observer_mute (self->observer);
  coproc_worker_supervisor_release (self->supervisor);

  G_OBJECT_CLASS (coproc_worker_resource_parent_class)->dispose (object);
}

static void
coproc_worker_resource_finalize (GObject *object)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);

  coproc_fork_guard_remove (&self->guard);
  coproc_worker_supervisor_unref (self->supervisor);
  coproc_worker_observer_unref (self->observer);
  g_free (self->plugin);
  g_free (self->entry_point);
  g_strfreev (self->command);
  g_clear_pointer (&self->function, coproc_worker_function_unref);
  g_strfreev (self->environment);
  g_free (self->working_directory);
  g_clear_pointer (&self->launcher, coproc_launcher_unref);
  g_clear_pointer (&self->rlimits, g_variant_unref);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (coproc_worker_resource_parent_class)->finalize (object);
}

static void
coproc_worker_resource_class_init (CoprocWorkerResourceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = coproc_worker_resource_dispose;
  object_class->finalize = coproc_worker_resource_finalize;

  coproc_worker_resource_install_properties (object_class);

  /**
   * CoprocWorkerResource::exited:
   * @self: the worker
   * @status: the exit code (of a thread 0 or 1), -1 when a signal ended the process or nobody knows
   * @signum: the signal that ended the process, 0 if none did
   *
   * The worker's process or thread has ended.
   *
   * What it had sent can still be received. The worker may be started again in a handler, unless
   * [property@Coproc.WorkerResource:state] says that it is being restarted.
   *
   * Since: 1.0
   */
  g_signal_new ("exited", COPROC_TYPE_WORKER_RESOURCE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
  /**
   * CoprocWorkerResource::restarted:
   * @self: the worker
   * @count: how often that has happened since the worker was started
   *
   * The worker was started again, after an end that [property@Coproc.WorkerResource:restart-policy]
   * answers, and has a new messenger.
   *
   * Since: 1.0
   */
  g_signal_new ("restarted", COPROC_TYPE_WORKER_RESOURCE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, G_TYPE_UINT);
  /**
   * CoprocWorkerResource::stderr-line:
   * @self: the worker
   * @line: the line, valid UTF-8, without its newline
   *
   * The worker has printed a line, and [property@Coproc.WorkerResource:stderr-mode] is
   * %COPROC_STDERR_MODE_CAPTURE.
   *
   * A line longer than 8 KiB comes in pieces. Where the context is not iterated only the last 1024
   * lines are kept.
   *
   * Since: 1.0
   */
  g_signal_new ("stderr-line", COPROC_TYPE_WORKER_RESOURCE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
coproc_worker_resource_init (CoprocWorkerResource *self)
{
  g_mutex_init (&self->lock);
  coproc_fork_guard_add (&self->guard, COPROC_FORK_WORKER, &self->lock, NULL, self);
  self->observer = coproc_worker_observer_new (G_OBJECT (self));
  self->supervisor = coproc_worker_supervisor_new (self->observer);
  self->mode = COPROC_WORKER_MODE_PROCESS;
  self->messenger_type = COPROC_TYPE_PRIORITY_MESSENGER;
  self->grace_us = COPROC_DEFAULT_GRACE_US;
  self->start_timeout_us = COPROC_DEFAULT_START_TIMEOUT_US;
  self->heartbeat_us = COPROC_DEFAULT_HEARTBEAT_US;
  self->ping_us = self->hang_us = -1;
  self->transport = COPROC_TRANSPORT_AUTO;
  self->max_message_size = COPROC_DEFAULT_MAX_MESSAGE_SIZE;
  self->stderr_mode = COPROC_STDERR_MODE_INHERIT;
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
 * coproc_worker_resource_new_for_command: (constructor)
 * @argv: (array zero-terminated=1): a program, by its path or its name on the search path for programs, and its
 *   arguments
 *
 * Makes a worker that is a program of any kind; it is not started yet.
 *
 * The program takes up its messenger with [func@Coproc.worker_connect]. It must close that before it
 * ends, or its end is that of a worker that has died.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new worker
 *
 * Since: 1.0
 */
CoprocWorkerResource *
coproc_worker_resource_new_for_command (const char *const *argv)
{
  CoprocWorkerResource *self;

  g_return_val_if_fail (argv != NULL && argv[0] != NULL, NULL);

  self = g_object_new (COPROC_TYPE_WORKER_RESOURCE, NULL);
  self->command = g_strdupv ((char **) argv);
  return self;
}

/**
 * coproc_worker_resource_new_for_function: (skip)
 * @function: what the worker does
 * @user_data: data for @function
 * @notify: (nullable): called with @user_data when the worker and its last thread are gone, in either's
 *   thread
 *
 * Makes a worker that is a function, to run in a thread; it is not started yet.
 *
 * Its [property@Coproc.WorkerResource:mode] is %COPROC_WORKER_MODE_THREAD. Each start calls @function in
 * a new thread, with a thread-default [struct@GLib.MainContext] of its own.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new worker
 *
 * Since: 1.0
 */
CoprocWorkerResource *
coproc_worker_resource_new_for_function (CoprocWorkerFunc   function,
                                         gpointer           user_data,
                                         GDestroyNotify     notify)
{
  CoprocWorkerResource *self;

  g_return_val_if_fail (function != NULL, NULL);

  self = g_object_new (COPROC_TYPE_WORKER_RESOURCE, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  self->function = g_atomic_rc_box_new (CoprocWorkerFunction);
  *self->function = (CoprocWorkerFunction) { function, user_data, notify };
  return self;
}

gboolean
coproc_worker_resource_finish (CoprocWorkerResource *self,
                               GAsyncResult *result,
                               gpointer tag,
                               GError **error)
{
  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- what can be asked --- */

/**
 * coproc_worker_resource_get_messenger:
 * @self: a worker
 *
 * Gets this side's end of the connection to the worker.
 *
 * Each start makes a new one. It stays when the worker has ended, so that what had arrived can be
 * received.
 *
 * So does a restart, with counters that begin anew. Until it has succeeded this is still the messenger of
 * the worker that has ended; that one lives on until the next restart, or for as long as somebody has a
 * reference to it: take one to use it beyond that.
 *
 * Threads: any.
 *
 * Returns: (transfer none) (nullable): the messenger, %NULL if the worker never ran or its last
 *   start failed
 *
 * Since: 1.0
 */
CoprocMessenger *
coproc_worker_resource_get_messenger (CoprocWorkerResource *self)
{
  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), NULL);

  return coproc_worker_supervisor_get_messenger (self->supervisor);
}

/**
 * coproc_worker_resource_is_alive:
 * @self: a worker
 *
 * Whether the worker is starting, running or stopping. One that is about to be restarted is starting.
 *
 * Threads: any.
 *
 * Returns: %TRUE if it is
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_is_alive (CoprocWorkerResource *self)
{
  CoprocWorkerState state;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);

  state = coproc_worker_supervisor_get_state (self->supervisor);

  return state == COPROC_WORKER_STATE_STARTING || state == COPROC_WORKER_STATE_RUNNING
         || state == COPROC_WORKER_STATE_STOPPING;
}

/**
 * coproc_worker_resource_get_pid:
 * @self: a worker
 *
 * Gets the number of the worker's process.
 *
 * Threads: any.
 *
 * Returns: the process id, 0 while there is no process
 *
 * Since: 1.0
 */
GPid
coproc_worker_resource_get_pid (CoprocWorkerResource *self)
{
  CoprocWorkerRun *run;
  GPid pid = 0;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), 0);

  run = coproc_worker_supervisor_dup_run (self->supervisor);
  if (run != NULL)
    {
      pid = coproc_worker_run_get_pid (run);
      coproc_worker_run_unref (run);
    }

  return pid;
}

static CoprocExit
get_exit (CoprocWorkerResource *self)
{
  CoprocExit status = { COPROC_EXIT_NOT_YET, 0 };
  CoprocWorkerRun *run = coproc_worker_supervisor_dup_run (self->supervisor);

  if (run != NULL)
    {
      status = coproc_worker_run_get_exit (run);
      coproc_worker_run_unref (run);
    }

  return status;
}

/**
 * coproc_worker_resource_get_exit_status:
 * @self: a worker
 *
 * Gets the exit code of the worker's process.
 *
 * Threads: any.
 *
 * Returns: the exit code; -1 while there is none, when a signal ended the process, or when
 *   somebody else took its status
 *
 * Since: 1.0
 */
int
coproc_worker_resource_get_exit_status (CoprocWorkerResource *self)
{
  CoprocExit status;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), -1);

  status = get_exit (self);

  return status.kind == COPROC_EXIT_CODE ? status.value : -1;
}

/**
 * coproc_worker_resource_get_term_signal:
 * @self: a worker
 *
 * Gets the signal that ended the worker's process.
 *
 * Threads: any.
 *
 * Returns: the signal; 0 if none did
 *
 * Since: 1.0
 */
int
coproc_worker_resource_get_term_signal (CoprocWorkerResource *self)
{
  CoprocExit status;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), 0);

  status = get_exit (self);

  return status.kind == COPROC_EXIT_SIGNAL ? status.value : 0;
}
