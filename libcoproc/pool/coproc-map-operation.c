/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "pool/coproc-worker-pool-private.h"

/**
 * CoprocMapOperation:
 *
 * A map whose results are taken one by one.
 *
 * It is made by [method@Coproc.WorkerPool.map_ordered], [method@Coproc.WorkerPool.map_unordered] or
 * [method@Coproc.WorkerPool.map_lazy]. A task that fails is an error of the [method@Coproc.MapOperation.next] that
 * reaches it, and the operation goes on, unless [property@Coproc.MapOperation:stop-on-error] is set.
 *
 * Dropping it cancels it: what its tasks still give is for nobody, least of all for another operation.
 *
 * ```c
 * g_autoptr (CoprocMapOperation) operation = coproc_worker_pool_map_unordered (pool, inputs, n, 0);
 * GVariant *result;
 * gsize index;
 *
 * while ((result = coproc_map_operation_next (operation, &index, NULL, &error)) != NULL)
 *   use (index, result);
 * ```
 *
 * ```python
 * operation = pool.map_unordered(inputs, 0)
 * while (pair := operation.next(None))[0] is not None:
 *     result, index = pair
 * ```
 *
 * Threads: every method may be called from any thread.
 *
 * Since: 1.0
 */

struct _CoprocMapOperation
{
  GObject parent_instance;

  /* immutable after construction */
  CoprocWorkerPool *pool;      /* (owned) */
  CoprocPoolJob *job;          /* (owned) */
  CoprocPoolProgress *progress; /* (owned) the job's */

  CoprocMapInputs inputs;      /* those of a lazy map */
};

typedef enum
{
  PROP_N_DONE = 1,
  PROP_N_FAILED,
  PROP_N_TOTAL,
  PROP_LAST_INDEX,
  PROP_RATE,
  PROP_REMAINING_TIME,
  PROP_STOP_ON_ERROR,
} OperationProperty;

static GParamSpec *props[PROP_STOP_ON_ERROR + 1];
static guint progress_signal;

G_DEFINE_FINAL_TYPE (CoprocMapOperation, coproc_map_operation, G_TYPE_OBJECT)

static void
tell_progress (GObject *object)
{
  g_signal_emit (object, progress_signal, 0);
}

CoprocMapOperation *
coproc_map_operation_new (CoprocWorkerPool    *pool,
                          CoprocPoolJob       *job,
                          CoprocMapInputFunc   func,
                          gpointer             user_data,
                          GDestroyNotify       notify)
{
  CoprocMapOperation *self = g_object_new (COPROC_TYPE_MAP_OPERATION, NULL);

  self->pool = g_object_ref (pool);
  self->job = job;
  self->inputs = (CoprocMapInputs) { .func = func, .user_data = user_data, .notify = notify };
  self->progress = coproc_pool_progress_new (self, tell_progress);

  g_mutex_lock (&job->core->lock);
  job->progress = coproc_pool_progress_ref (self->progress);
  coproc_pool_job_wake_locked (job); /* it may have begun, or even ended */
  g_mutex_unlock (&job->core->lock);
  return self;
}

/* --- results --- */

/* Takes what is in @outcome. */
static GVariant *
take_result (CoprocOutcome *outcome, gsize *index, GError **error)
{
  if (index != NULL)
    *index = outcome->index;
  if (outcome->error != NULL)
    g_propagate_error (error, g_steal_pointer (&outcome->error));
  return g_steal_pointer (&outcome->value);
}

/**
 * coproc_map_operation_next:
 * @self: an operation
 * @index: (out) (optional): return location for the index of the result's input
 * @cancellable: (nullable): a cancellable, which ends the wait and not the operation
 * @error: return location for an error
 *
 * Waits for the next result.
 *
 * Errors: that of a task, after which there may be further results; %G_IO_ERROR_CANCELLED, also after
 * [method@Coproc.MapOperation.cancel]; those of [method@Coproc.WorkerPool.submit_finish].
 *
 * Threads: any; blocks, without iterating the caller's context.
 *
 * Returns: (transfer full) (nullable): the result; %NULL without @error when there are no more
 *
 * Since: 1.0
 */
GVariant *
coproc_map_operation_next (CoprocMapOperation  *self,
                           gsize               *index,
                           GCancellable        *cancellable,
                           GError             **error)
{
  CoprocOutcome outcome;

  g_return_val_if_fail (COPROC_IS_MAP_OPERATION (self) && self->job != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (index != NULL)
    *index = 0;
  coproc_map_inputs_feed (&self->inputs, self->job);
  if (!coproc_pool_job_next (self->job, &outcome, cancellable, error))
    return NULL;
  return take_result (&outcome, index, error);
}

/**
 * coproc_map_operation_next_async:
 * @self: an operation
 * @cancellable: (nullable): a cancellable, which ends the wait and not the operation
 * @callback: (scope async) (nullable): called with the result
 * @user_data: data for @callback
 *
 * Waits for the next result without blocking; see [method@Coproc.MapOperation.next].
 *
 * Several may be pending: each gets a result of its own.
 *
 * Threads: any; @callback is called in the thread-default context of the caller.
 *
 * Since: 1.0
 */
void
coproc_map_operation_next_async (CoprocMapOperation  *self,
                                 GCancellable        *cancellable,
                                 GAsyncReadyCallback  callback,
                                 gpointer             user_data)
{
  GTask *task;

  g_return_if_fail (COPROC_IS_MAP_OPERATION (self) && self->job != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  coproc_map_inputs_feed (&self->inputs, self->job);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, coproc_map_operation_next_async);
  g_task_set_check_cancellable (task, FALSE);
  coproc_pool_wait_begin (self->job, task, -1, FALSE);
}

/**
 * coproc_map_operation_next_finish:
 * @self: an operation
 * @result: the result given to the callback
 * @index: (out) (optional): return location for the index of the result's input
 * @error: return location for an error
 *
 * Ends [method@Coproc.MapOperation.next_async].
 *
 * Errors: as [method@Coproc.MapOperation.next].
 *
 * Returns: (transfer full) (nullable): the result; %NULL without @error when there are no more
 *
 * Since: 1.0
 */
GVariant *
coproc_map_operation_next_finish (CoprocMapOperation  *self,
                                  GAsyncResult        *result,
                                  gsize               *index,
                                  GError             **error)
{
  CoprocOutcome *outcome;
  GVariant *value;

  g_return_val_if_fail (COPROC_IS_MAP_OPERATION (self) && self->job != NULL, NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, coproc_map_operation_next_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (index != NULL)
    *index = 0;
  outcome = g_task_propagate_pointer (G_TASK (result), error);
  if (outcome == NULL)
    return NULL;
  value = take_result (outcome, index, error);
  coproc_outcome_free (outcome);
  return value;
}

/**
 * coproc_map_operation_cancel:
 * @self: an operation
 *
 * Ends the operation: its tasks that no worker has begun are dropped, others told that nobody waits for them.
 *
 * Results that are there can still be taken; then the next one fails with %G_IO_ERROR_CANCELLED, once.
 *
 * Threads: any.
 *
 * Since: 1.0
 */
void
coproc_map_operation_cancel (CoprocMapOperation *self)
{
  g_return_if_fail (COPROC_IS_MAP_OPERATION (self) && self->job != NULL);

  coproc_pool_job_give_up (self->job, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                                           "The operation was cancelled"));
}

/* --- GObject --- */

static gint64
get_remaining_time_locked (CoprocPoolJob *job)
{
  const guint64 n_left = coproc_pool_job_get_total_locked (job) - job->n_done;

  if (coproc_pool_job_is_complete_locked (job))
    return 0;
  if (!job->fed)
    return -1;
  return coproc_pool_rate_estimate (&job->rate, g_get_monotonic_time (), job->n_done, n_left);
}

static void
coproc_map_operation_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  CoprocMapOperation *self = COPROC_MAP_OPERATION (object);
  CoprocPoolJob *job = self->job;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  g_return_if_fail (job != NULL);
  locker = g_mutex_locker_new (&job->core->lock);

  switch ((OperationProperty) prop_id)
    {
    case PROP_N_DONE:
      g_value_set_uint64 (value, job->n_done);
      break;
    case PROP_N_FAILED:
      g_value_set_uint64 (value, job->n_failed);
      break;
    case PROP_N_TOTAL:
      g_value_set_uint64 (value, coproc_pool_job_get_total_locked (job));
      break;
    case PROP_RATE:
      g_value_set_double (value, coproc_pool_rate_get (&job->rate, g_get_monotonic_time (), job->n_done));
      break;
    case PROP_REMAINING_TIME:
      g_value_set_int64 (value, get_remaining_time_locked (job));
      break;
    case PROP_LAST_INDEX:
      g_value_set_int64 (value, job->results.n_popped > 0 ? (gint64) job->results.last_index : -1);
      break;
    case PROP_STOP_ON_ERROR:
      g_value_set_boolean (value, job->stop_on_error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
coproc_map_operation_set_property (GObject *object, guint prop_id, const GValue *value, GParamSpec *pspec)
{
  CoprocMapOperation *self = COPROC_MAP_OPERATION (object);
  gboolean wanted = g_value_get_boolean (value), changed;

  g_return_if_fail (self->job != NULL);
  g_mutex_lock (&self->job->core->lock);
  changed = self->job->stop_on_error != wanted;
  self->job->stop_on_error = wanted;
  g_mutex_unlock (&self->job->core->lock);
  if (changed)
    g_object_notify_by_pspec (object, pspec);
}

static void
coproc_map_operation_dispose (GObject *object)
{
  CoprocMapOperation *self = COPROC_MAP_OPERATION (object);

  if (self->job != NULL)
    {
      coproc_pool_job_give_up (self->job, NULL);
      coproc_map_inputs_drop (&self->inputs, self->job);
      coproc_pool_progress_mute (self->progress);
    }
  g_clear_object (&self->pool);

  G_OBJECT_CLASS (coproc_map_operation_parent_class)->dispose (object);
}

static void
coproc_map_operation_finalize (GObject *object)
{
  CoprocMapOperation *self = COPROC_MAP_OPERATION (object);

  g_clear_pointer (&self->job, coproc_pool_job_unref);
  g_clear_pointer (&self->progress, coproc_pool_progress_unref);

  G_OBJECT_CLASS (coproc_map_operation_parent_class)->finalize (object);
}

static void
coproc_map_operation_class_init (CoprocMapOperationClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = coproc_map_operation_get_property;
  object_class->set_property = coproc_map_operation_set_property;
  object_class->dispose = coproc_map_operation_dispose;
  object_class->finalize = coproc_map_operation_finalize;

  /**
   * CoprocMapOperation:n-done:
   *
   * How many of its tasks have ended, those that failed included; see [signal@Coproc.MapOperation::progress].
   *
   * Since: 1.0
   */
  props[PROP_N_DONE] = g_param_spec_uint64 ("n-done", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocMapOperation:n-failed:
   *
   * How many of its tasks have failed.
   *
   * Since: 1.0
   */
  props[PROP_N_FAILED] = g_param_spec_uint64 ("n-failed", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocMapOperation:n-total:
   *
   * How many tasks it has; of a lazy one, how many inputs have been made so far.
   *
   * Since: 1.0
   */
  props[PROP_N_TOTAL] = g_param_spec_uint64 ("n-total", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocMapOperation:last-index:
   *
   * The index of the input whose result or error was taken last, -1 before the first one. Languages in which a call
   * that fails gives nothing else learn from it which input has failed. An error that ends the operation, as with
   * [property@Coproc.MapOperation:stop-on-error], leaves it as it is.
   *
   * Since: 1.0
   */
  props[PROP_LAST_INDEX] = g_param_spec_int64 ("last-index", NULL, NULL, -1, G_MAXINT64, -1, readable);
  /**
   * CoprocMapOperation:rate:
   *
   * How many of its tasks end in a second: lately, or at the end of an operation that has ended.
   *
   * Since: 1.0
   */
  props[PROP_RATE] = g_param_spec_double ("rate", NULL, NULL, 0, G_MAXDOUBLE, 0, readable);
  /**
   * CoprocMapOperation:remaining-time:
   *
   * In how many microseconds the operation ends if it goes on as it did lately; -1: not known, as nothing is done
   * yet or not all inputs of a lazy map are made.
   *
   * Since: 1.0
   */
  props[PROP_REMAINING_TIME] = g_param_spec_int64 ("remaining-time", NULL, NULL, -1, G_MAXINT64, -1, readable);
  /**
   * CoprocMapOperation:stop-on-error:
   *
   * Whether the first task that fails ends the operation, with its error.
   *
   * Since: 1.0
   */
  props[PROP_STOP_ON_ERROR]
      = g_param_spec_boolean ("stop-on-error", NULL, NULL, FALSE, readable | G_PARAM_WRITABLE | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);

  /**
   * CoprocMapOperation::progress:
   * @self: the operation
   *
   * Tasks have ended, or inputs have been made, since this was emitted last; ten times a second at most, and at the end.
   * It is emitted in the thread-default [struct@GLib.MainContext] of the thread that made the operation.
   *
   * Since: 1.0
   */
  progress_signal = g_signal_new ("progress", COPROC_TYPE_MAP_OPERATION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 0);
}

static void
coproc_map_operation_init (CoprocMapOperation *self)
{
}
