/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a pool is given to do.
 */
#include "pool/coproc-worker-pool-private.h"

#include <math.h>

#include "coproc-error.h"
#include "messenger/coproc-message-private.h"

CoprocPoolJob *
coproc_worker_pool_begin (CoprocWorkerPool  *self,
                          CoprocPoolJob     *job,
                          gpointer          *inputs,
                          gsize              n_inputs,
                          gboolean           more)
{
  CoprocPoolCore *core = self->core;
  GError *error = NULL;

  g_mutex_lock (&core->lock);
  coproc_pool_job_add_locked (job, inputs, n_inputs);
  job->fed = !more;
  if (!coproc_pool_core_check_locked (core, &error))
    coproc_pool_job_fail_locked (job, error);
  else
    coproc_pool_core_offer_locked (core, job);
  g_mutex_unlock (&core->lock);
  return job;
}

/* --- one task --- */

static gboolean
check_task (CoprocWorkerPool *self, double priority, GError **error)
{
  CoprocPoolCore *core = self->core;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&core->lock);

  if (isnan (priority))
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY, "A priority is a number");
  else if (core->settings.max_pending > 0 && core->n_queued >= core->settings.max_pending)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "%" G_GSIZE_FORMAT " tasks wait for a worker already",
                 core->n_queued);
  else
    return TRUE;
  return FALSE;
}

/**
 * coproc_worker_pool_submit_async:
 * @self: a pool
 * @payload: what the task is given; a floating one is consumed
 * @priority: lower goes first
 * @timeout_us: how long the task may take from now on, in microseconds; -1 for ever
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async) (nullable): called with the result
 * @user_data: data for @callback
 *
 * Runs one task.
 *
 * When it is cancelled or its time is over it ends at once. If a worker has begun with it, the worker is told, and is
 * killed when it still works on it after [property@Coproc.WorkerPool:cancel-grace].
 *
 * Threads: any; @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
coproc_worker_pool_submit_async (CoprocWorkerPool     *self,
                                 GVariant             *payload,
                                 double                priority,
                                 gint64                timeout_us,
                                 GCancellable         *cancellable,
                                 GAsyncReadyCallback   callback,
                                 gpointer              user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (CoprocPoolJob) job = NULL;
  gpointer input;
  GError *error = NULL;

  g_return_if_fail (COPROC_IS_WORKER_POOL (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  input = g_variant_ref_sink (payload);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_worker_pool_submit_async);
  g_task_set_check_cancellable (task, FALSE);
  if (!check_task (self, priority, &error))
    {
      g_variant_unref (input);
      g_task_return_error (task, error);
      return;
    }
  job = coproc_pool_job_new (self->core, FALSE, FALSE, priority, 0);
  job->kind = COPROC_JOB_TASK;
  coproc_worker_pool_begin (self, job, &input, 1, FALSE);
  coproc_pool_wait_begin (job, g_steal_pointer (&task), timeout_us, TRUE);
}

/**
 * coproc_worker_pool_submit_finish:
 * @self: a pool
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.WorkerPool.submit_async].
 *
 * Errors: that of the task; %COPROC_ERROR_WORKER_DIED when its worker has died, and
 * %COPROC_ERROR_NOT_STARTED when that was before it began; %COPROC_ERROR_TIMED_OUT; %COPROC_ERROR_NOT_ALIVE
 * when the pool is not running, %COPROC_ERROR_CLOSED when it was stopped; %COPROC_ERROR_RESTART_LIMIT
 * when its workers only die; %COPROC_ERROR_LIMIT past [property@Coproc.WorkerPool:max-pending];
 * %COPROC_ERROR_INVALID_PRIORITY; %COPROC_ERROR_TOO_LARGE or %COPROC_ERROR_INVALID_PAYLOAD for what cannot be
 * sent; %G_IO_ERROR_CANCELLED.
 *
 * Returns: (transfer full): the result
 *
 * Since: 1.0
 */
GVariant *
coproc_worker_pool_submit_finish (CoprocWorkerPool *self, GAsyncResult *result, GError **error)
{
  CoprocOutcome *outcome;
  GVariant *value;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, coproc_worker_pool_submit_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  outcome = g_task_propagate_pointer (G_TASK (result), error);
  if (outcome == NULL)
    return NULL;
  value = g_steal_pointer (&outcome->value);
  if (outcome->error != NULL)
    g_propagate_error (error, g_steal_pointer (&outcome->error));
  coproc_outcome_free (outcome);
  return value;
}

/* --- maps --- */

/* All results of @job, which it takes: a NULL-terminated array. */
static gpointer *
wait_for_all (CoprocPoolJob *job, gsize n, GCancellable *cancellable, gsize *n_results, GError **error)
{
  g_autoptr (CoprocPoolJob) owned G_GNUC_UNUSED = job;
  CoprocOutcome outcome;
  gpointer *results;

  *n_results = 0;
  if (!coproc_pool_job_wait (job, cancellable, error))
    {
      coproc_pool_job_give_up (job, NULL);
      return NULL;
    }
  results = g_new (gpointer, n + 1);
  for (gsize i = 0; i < n && coproc_results_pop (&job->results, &outcome); i++)
    results[i] = outcome.value;
  results[n] = NULL;
  *n_results = n;
  return results;
}

/* The results of all @inputs, variants or @messages, whose references it takes, or the first error. */
static gpointer *
map_all (CoprocWorkerPool *self,
         gpointer *inputs,
         gsize n_inputs,
         gboolean messages,
         guint chunk_size,
         GCancellable *cancellable,
         gsize *n_results,
         GError **error)
{
  CoprocPoolJob *job = coproc_pool_job_new (self->core, TRUE, messages, 0, chunk_size);

  job->stop_on_error = TRUE;
  coproc_worker_pool_begin (self, job, inputs, n_inputs, FALSE);
  return wait_for_all (job, n_inputs, cancellable, n_results, error);
}

/* Takes references to the @n inputs, floating ones too. (transfer container) */
static gpointer *
ref_variants (GVariant **inputs, gsize n)
{
  gpointer *refs = g_new (gpointer, n);

  for (gsize i = 0; i < n; i++)
    refs[i] = g_variant_ref_sink (inputs[i]);
  return refs;
}

static gboolean
are_all_set (gpointer *inputs, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (inputs[i] == NULL)
      return FALSE;
  return TRUE;
}

/**
 * coproc_worker_pool_map:
 * @self: a pool
 * @inputs: (array length=n_inputs): what the tasks are given; floating ones are consumed
 * @n_inputs: their number
 * @chunk_size: how many inputs go into one message, 0: as suits them
 * @cancellable: (nullable): a cancellable
 * @n_results: (out): return location for the number of results, which is that of the inputs
 * @error: return location for an error
 *
 * Runs a task for each of the inputs and waits for all of them.
 *
 * The first one that fails ends it: the others are dropped, or told that nobody waits for them.
 *
 * Errors: the error of a task, whose message says which input it was and which worker; %G_IO_ERROR_CANCELLED; those of
 * [method@Coproc.WorkerPool.submit_finish].
 *
 * Threads: any; blocks, without iterating the caller's context.
 *
 * Returns: (array length=n_results) (transfer full): the results in the order of the inputs, and a %NULL
 *   behind them; %NULL with @error set
 *
 * Since: 1.0
 */
GVariant **
coproc_worker_pool_map (CoprocWorkerPool  *self,
                        GVariant         **inputs,
                        gsize              n_inputs,
                        guint              chunk_size,
                        GCancellable      *cancellable,
                        gsize             *n_results,
                        GError           **error)
{
  g_autofree gpointer *refs = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (n_inputs == 0 || (inputs != NULL && are_all_set ((gpointer *) inputs, n_inputs)), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (n_results != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  refs = ref_variants (inputs, n_inputs);
  return (GVariant **) map_all (self, refs, n_inputs, FALSE, chunk_size, cancellable, n_results, error);
}

/**
 * coproc_worker_pool_map_messages:
 * @self: a pool
 * @inputs: (array length=n_inputs): the requests
 * @n_inputs: their number
 * @chunk_size: how many inputs go into one message, 0: as suits them
 * @cancellable: (nullable): a cancellable
 * @n_results: (out): return location for the number of results, which is that of the inputs
 * @error: return location for an error
 *
 * Does what [method@Coproc.WorkerPool.map] does for messages, whose bytes are not copied on the way in or out
 * ([method@Coproc.Message.get_bytes]) and that may have channels.
 *
 * Errors: as [method@Coproc.WorkerPool.map].
 *
 * Threads: any; blocks, without iterating the caller's context.
 *
 * Returns: (array length=n_results) (transfer full): the replies in the order of the inputs, and a %NULL
 *   behind them; %NULL with @error set
 *
 * Since: 1.0
 */
CoprocMessage **
coproc_worker_pool_map_messages (CoprocWorkerPool  *self,
                                 CoprocMessage    **inputs,
                                 gsize              n_inputs,
                                 guint              chunk_size,
                                 GCancellable      *cancellable,
                                 gsize             *n_results,
                                 GError           **error)
{
  g_autofree gpointer *refs = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (n_inputs == 0 || (inputs != NULL && are_all_set ((gpointer *) inputs, n_inputs)), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (n_results != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  refs = g_new (gpointer, n_inputs);
  for (gsize i = 0; i < n_inputs; i++)
    refs[i] = coproc_message_ref (inputs[i]);
  return (CoprocMessage **) map_all (self, refs, n_inputs, TRUE, chunk_size, cancellable, n_results, error);
}

static CoprocMapOperation *
map_with (CoprocWorkerPool *self, GVariant **inputs, gsize n_inputs, gboolean ordered, guint chunk_size)
{
  g_autofree gpointer *refs = NULL;
  CoprocPoolJob *job;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (n_inputs == 0 || (inputs != NULL && are_all_set ((gpointer *) inputs, n_inputs)), NULL);

  refs = ref_variants (inputs, n_inputs);
  job = coproc_pool_job_new (self->core, ordered, FALSE, 0, chunk_size);
  coproc_worker_pool_begin (self, job, refs, n_inputs, FALSE);
  return coproc_map_operation_new (self, job, NULL, NULL, NULL);
}

/**
 * coproc_worker_pool_map_ordered:
 * @self: a pool
 * @inputs: (array length=n_inputs): what the tasks are given; floating ones are consumed
 * @n_inputs: their number
 * @chunk_size: how many inputs go into one message, 0: as suits them
 *
 * Runs a task for each of the inputs; the results can be had one by one, in the order of the inputs.
 *
 * Threads: any.
 *
 * Returns: (transfer full): the operation
 *
 * Since: 1.0
 */
CoprocMapOperation *
coproc_worker_pool_map_ordered (CoprocWorkerPool *self, GVariant **inputs, gsize n_inputs, guint chunk_size)
{
  return map_with (self, inputs, n_inputs, TRUE, chunk_size);
}

/**
 * coproc_worker_pool_map_unordered:
 * @self: a pool
 * @inputs: (array length=n_inputs): what the tasks are given; floating ones are consumed
 * @n_inputs: their number
 * @chunk_size: how many inputs go into one message, 0: as suits them
 *
 * Runs a task for each of the inputs; the results can be had one by one, as they come.
 *
 * Threads: any.
 *
 * Returns: (transfer full): the operation
 *
 * Since: 1.0
 */
CoprocMapOperation *
coproc_worker_pool_map_unordered (CoprocWorkerPool *self, GVariant **inputs, gsize n_inputs, guint chunk_size)
{
  return map_with (self, inputs, n_inputs, FALSE, chunk_size);
}

/**
 * coproc_worker_pool_map_lazy:
 * @self: a pool
 * @func: (scope notified) (closure user_data) (destroy notify): makes the next input
 * @user_data: data for @func
 * @notify: (nullable): called with @user_data when no more inputs are wanted
 * @ordered: whether the results come in the order of the inputs
 * @chunk_size: how many inputs go into one message, 0: as suits them
 *
 * Runs a task for each input that @func makes, of which there may be any number: no more than
 * [property@Coproc.WorkerPool:max-pending] are made ahead of the results that have been taken.
 *
 * Threads: any; @func is called by [method@Coproc.MapOperation.next] and
 * [method@Coproc.MapOperation.next_async], never in another thread.
 *
 * Returns: (transfer full): the operation
 *
 * Since: 1.0
 */
CoprocMapOperation *
coproc_worker_pool_map_lazy (CoprocWorkerPool    *self,
                             CoprocMapInputFunc   func,
                             gpointer             user_data,
                             GDestroyNotify       notify,
                             gboolean             ordered,
                             guint                chunk_size)
{
  CoprocPoolJob *job;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);

  job = coproc_pool_job_new (self->core, ordered, FALSE, 0, chunk_size);
  coproc_worker_pool_begin (self, job, NULL, 0, TRUE);
  return coproc_map_operation_new (self, job, func, user_data, notify);
}

/**
 * coproc_worker_pool_broadcast:
 * @self: a pool
 * @payload: what each worker is given; a floating one is consumed
 *
 * Gives the same message to every worker, and gathers their replies.
 *
 * Each of the workers that there are now gets it once, one that is just being started as soon as it is ready, and
 * ahead of any task that is not begun yet. When a worker dies before it has answered, the one
 * that takes its place gets the message instead, three in a row at most; one that leaves because there are to be
 * fewer workers has no part in it any more. Workers that come later do not get it: what all workers must know
 * always belongs into the arguments of [method@Coproc.WorkerPool.start].
 *
 * The operation gives the replies as they come: one for each worker, [property@Coproc.MapOperation:n-total] in all, or the
 * error of that worker, whose message names it. In the figures of the pool each counts as a task.
 *
 * Threads: any.
 *
 * Returns: (transfer full): the operation
 *
 * Since: 1.0
 */
CoprocMapOperation *
coproc_worker_pool_broadcast (CoprocWorkerPool *self, GVariant *payload)
{
  g_autoptr (GVariant) owned = NULL;
  g_autoptr (GBytes) bytes = NULL;
  CoprocPoolCore *core;
  CoprocPoolJob *job;
  gboolean trusted;
  GError *error = NULL;

  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);
  g_return_val_if_fail (payload != NULL, NULL);

  owned = g_variant_ref_sink (payload);
  bytes = g_variant_get_data_as_bytes (owned);
  trusted = g_variant_is_normal_form (owned);
  core = self->core;
  job = coproc_pool_job_new (core, FALSE, FALSE, -INFINITY, 0);
  job->kind = COPROC_JOB_BROADCAST;
  g_mutex_lock (&core->lock);
  if (coproc_pool_core_check_locked (core, &error))
    coproc_pool_broadcast_post_locked (core, job, g_variant_get_type (owned), bytes, trusted);
  else
    coproc_pool_job_fail_locked (job, error);
  g_mutex_unlock (&core->lock);
  return coproc_map_operation_new (self, job, NULL, NULL, NULL);
}
