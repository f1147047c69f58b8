/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * How a pool is started and stopped.
 */
#include "pool/coproc-worker-pool-private.h"

#include "coproc-interrupt-private.h"

/* --- start --- */

static gboolean
begin_start (CoprocWorkerPool *self, GVariant *arguments, GTask *task, GError **error)
{
  g_autoptr (GVariant) owned = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  CoprocPoolCore *core = self->core;
  gboolean begun;

  g_mutex_lock (&core->lock);
  begun = coproc_pool_core_start_locked (core, owned, error);
  if (begun && task != NULL)
    g_queue_push_tail (&core->starts, g_object_ref (task));
  if (begun)
    coproc_pool_core_look_locked (core);
  g_mutex_unlock (&core->lock);
  return begun;
}

static void
on_start_cancelled (GCancellable *cancellable, gpointer user_data)
{
  CoprocPoolCore *core = user_data;
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  g_mutex_lock (&core->lock);
  if (core->state == COPROC_WORKER_STATE_STARTING)
    coproc_pool_core_fail_locked (core, g_steal_pointer (&error));
  g_mutex_unlock (&core->lock);
  g_clear_error (&error);
}

/* Waits until the start has come to something. An interruption ends it as a cancellation does; a second one does not wait
 * for its end. */
static void
wait_for_start_locked (CoprocPoolCore *core)
{
  GError *interruption = NULL;

  while (core->state == COPROC_WORKER_STATE_STARTING
         || (core->failure != NULL && core->state == COPROC_WORKER_STATE_STOPPING))
    {
      if (!coproc_interrupt_take (&interruption))
        coproc_interrupt_wait (&core->changed, &core->lock, -1);
      else if (core->state == COPROC_WORKER_STATE_STARTING)
        coproc_pool_core_fail_locked (core, g_steal_pointer (&interruption));
      else
        break;
    }
  g_clear_error (&interruption);
}

/**
 * coproc_worker_pool_start:
 * @self: a pool
 * @arguments: (nullable): the arguments of each worker's entry point, of type `a{sv}`; a floating one
 *   is consumed
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Starts the workers and waits until all of them are ready.
 *
 * With an [property@Coproc.WorkerPool:idle-timeout] only one is started, and the others when there is work
 * for them. A pool that has ended can be started again.
 *
 * Errors: %COPROC_ERROR_ALREADY_ALIVE; those of [method@Coproc.WorkerResource.start] when one cannot be
 * started, which ends the others; %COPROC_ERROR_CLOSED when the pool was stopped meanwhile;
 * %G_IO_ERROR_CANCELLED, also when the function of [func@Coproc.set_interrupt_func] ends the wait.
 *
 * Threads: any; blocks.
 *
 * Returns: %TRUE when the pool is running
 *
 * Since: 1.0
 */
gboolean
coproc_worker_pool_start (CoprocWorkerPool  *self,
                          GVariant          *arguments,
                          GCancellable      *cancellable,
                          GError           **error)
{
  CoprocPoolCore *core;
  gboolean started;
  gulong handler = 0;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), FALSE);
  g_return_val_if_fail (self->model != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  core = self->core;
  if (!begin_start (self, arguments, NULL, error))
    return FALSE;
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_start_cancelled), core, NULL);
  g_mutex_lock (&core->lock);
  wait_for_start_locked (core);
  started = core->failure == NULL;
  if (!started)
    g_propagate_error (error, g_error_copy (core->failure));
  g_mutex_unlock (&core->lock);
  g_cancellable_disconnect (cancellable, handler);
  return started;
}

static gboolean
on_start_task_cancelled (GCancellable *cancellable, gpointer user_data)
{
  on_start_cancelled (cancellable, user_data);
  return G_SOURCE_REMOVE;
}

static void
drop_source (gpointer source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

/* Cancels the start with @task, as long as there is one. */
static void
watch_start (GTask *task, CoprocPoolCore *core)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  GSource *source;

  if (cancellable == NULL)
    return;
  source = g_cancellable_source_new (cancellable);
  g_source_set_static_name (source, "coproc pool start");
  g_source_set_callback (source, G_SOURCE_FUNC (on_start_task_cancelled), coproc_pool_core_ref (core),
                         (GDestroyNotify) coproc_pool_core_unref);
  g_source_attach (source, g_task_get_context (task));
  if (g_cancellable_is_cancelled (cancellable))
    g_source_set_ready_time (source, 0);
  g_object_set_data_full (G_OBJECT (task), "coproc-cancel", source, drop_source);
}

/**
 * coproc_worker_pool_start_async:
 * @self: a pool
 * @arguments: (nullable): the arguments of each worker's entry point, of type `a{sv}`; a floating one
 *   is consumed
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (nullable): called when the pool is running, or failed
 * @user_data: data for @callback
 *
 * Starts the workers without blocking; see [method@Coproc.WorkerPool.start].
 *
 * Threads: any; @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
coproc_worker_pool_start_async (CoprocWorkerPool     *self,
                                GVariant             *arguments,
                                GCancellable         *cancellable,
                                GAsyncReadyCallback   callback,
                                gpointer              user_data)
{
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;

  g_return_if_fail (COPROC_IS_WORKER_POOL (self));
  g_return_if_fail (self->model != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_pool_start_async);
  g_task_set_check_cancellable (task, FALSE);
  watch_start (task, self->core);
  if (!begin_start (self, arguments, task, &error))
    g_task_return_error (task, error);
}

static gboolean
finish (CoprocWorkerPool *self, GAsyncResult *result, gpointer tag, GError **error)
{
  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * coproc_worker_pool_start_finish:
 * @self: a pool
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerPool.start_async].
 *
 * Errors: as [method@Coproc.WorkerPool.start].
 *
 * Returns: %TRUE when the pool is running
 *
 * Since: 1.0
 */
gboolean
coproc_worker_pool_start_finish (CoprocWorkerPool *self, GAsyncResult *result, GError **error)
{
  return finish (self, result, coproc_worker_pool_start_async, error);
}

/* --- stop --- */

/**
 * coproc_worker_pool_stop:
 * @self: a pool
 * @grace_us: how long, in microseconds, the workers have to end before they get a SIGTERM, and again
 *   before they get a SIGKILL; -1 for ever
 * @error: return location for an error
 *
 * Ends the pool and waits until all its workers are gone.
 *
 * Tasks that no worker has yet fail with %COPROC_ERROR_CLOSED; what a worker has can still be done
 * within @grace_us. Called once more, it can only shorten that.
 *
 * Errors: %G_IO_ERROR_CANCELLED when the function of [func@Coproc.set_interrupt_func] ends the wait; the pool ends all
 * the same. A pool that is not running is fine.
 *
 * Threads: any; blocks.
 *
 * Returns: %TRUE when the pool has ended
 *
 * Since: 1.0
 */
gboolean
coproc_worker_pool_stop (CoprocWorkerPool *self, gint64 grace_us, GError **error)
{
  CoprocPoolCore *core;
  gboolean interrupted = FALSE;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), FALSE);
  g_return_val_if_fail (grace_us >= -1, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  core = self->core;
  coproc_pool_core_stop (core, grace_us);
  g_mutex_lock (&core->lock);
  while (core->state == COPROC_WORKER_STATE_STOPPING && !(interrupted = coproc_interrupt_take (error)))
    coproc_interrupt_wait (&core->changed, &core->lock, -1);
  g_mutex_unlock (&core->lock);
  return !interrupted;
}

/**
 * coproc_worker_pool_stop_async:
 * @self: a pool
 * @grace_us: as for [method@Coproc.WorkerPool.stop]
 * @cancellable: (nullable): a cancellable, which is ignored: an end cannot be called off
 * @callback: (scope async) (nullable): called when the pool has ended
 * @user_data: data for @callback
 *
 * Ends the pool without blocking; see [method@Coproc.WorkerPool.stop].
 *
 * Threads: any; @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
coproc_worker_pool_stop_async (CoprocWorkerPool     *self,
                               gint64                grace_us,
                               GCancellable         *cancellable,
                               GAsyncReadyCallback   callback,
                               gpointer              user_data)
{
  CoprocPoolCore *core;
  GTask *task;

  g_return_if_fail (COPROC_IS_WORKER_POOL (self));
  g_return_if_fail (grace_us >= -1);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  core = self->core;
  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_pool_stop_async);
  g_mutex_lock (&core->lock);
  g_queue_push_tail (&core->stops, task);
  g_mutex_unlock (&core->lock);
  coproc_pool_core_stop (core, grace_us);
  g_mutex_lock (&core->lock);
  coproc_pool_core_look_locked (core);
  g_mutex_unlock (&core->lock);
}

/**
 * coproc_worker_pool_stop_finish:
 * @self: a pool
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerPool.stop_async].
 *
 * Errors: as [method@Coproc.WorkerPool.stop].
 *
 * Returns: %TRUE when the pool has ended
 *
 * Since: 1.0
 */
gboolean
coproc_worker_pool_stop_finish (CoprocWorkerPool *self, GAsyncResult *result, GError **error)
{
  return finish (self, result, coproc_worker_pool_stop_async, error);
}
