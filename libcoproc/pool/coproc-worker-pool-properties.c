/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The properties of a pool.
 */
#include "pool/coproc-worker-pool-private.h"

#include "coproc-properties-private.h"

typedef enum
{
  PROP_MODEL = 1,
  PROP_PING_TIMEOUT,
  PROP_STATE,
  PROP_N_DONE,
  PROP_N_FAILED,
  PROP_N_PENDING,
  PROP_N_WORKERS,
  PROP_MAX_PENDING,
  PROP_MAX_TASKS_PER_WORKER,
  PROP_MAX_MEMORY_PER_WORKER,
  PROP_IDLE_TIMEOUT,
  PROP_TASK_TIMEOUT,
  PROP_CANCEL_GRACE,
  PROP_RETRY_NOT_STARTED,
  PROP_IDEMPOTENT,
} PoolProperty;

static GParamSpec *props[PROP_IDEMPOTENT + 1];

static void
coproc_worker_pool_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  CoprocWorkerPool *self = COPROC_WORKER_POOL (object);
  CoprocPoolCore *core = self->core;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (prop_id == PROP_PING_TIMEOUT)
    {
      if (self->model != NULL)
        g_object_get_property (G_OBJECT (self->model), "ping-timeout", value);
      return;
    }
  locker = g_mutex_locker_new (&core->lock);

  switch ((int) prop_id)
    {
    case PROP_MODEL:
      g_value_set_object (value, self->model);
      break;
    case PROP_STATE:
      g_value_set_enum (value, core->state);
      break;
    case PROP_N_DONE:
      g_value_set_uint64 (value, core->n_done);
      break;
    case PROP_N_FAILED:
      g_value_set_uint64 (value, core->n_failed);
      break;
    case PROP_N_PENDING:
      g_value_set_uint64 (value, core->n_queued + core->n_out);
      break;
    case PROP_N_WORKERS:
      g_value_set_uint (value, core->settings.n_workers);
      break;
    case PROP_MAX_PENDING:
      g_value_set_uint (value, core->settings.max_pending);
      break;
    case PROP_MAX_TASKS_PER_WORKER:
      g_value_set_uint (value, core->settings.max_tasks_per_worker);
      break;
    case PROP_MAX_MEMORY_PER_WORKER:
      g_value_set_uint64 (value, core->settings.max_memory_per_worker);
      break;
    case PROP_IDLE_TIMEOUT:
      g_value_set_int64 (value, core->settings.idle_timeout);
      break;
    case PROP_TASK_TIMEOUT:
      g_value_set_int64 (value, core->settings.task_timeout);
      break;
    case PROP_CANCEL_GRACE:
      g_value_set_int64 (value, core->settings.cancel_grace);
      break;
    case PROP_RETRY_NOT_STARTED:
      g_value_set_boolean (value, core->settings.retry_not_started);
      break;
    case PROP_IDEMPOTENT:
      g_value_set_boolean (value, core->settings.idempotent);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static gboolean
take_setting_locked (CoprocPoolSettings *settings, PoolProperty prop_id, const GValue *value)
{
  switch ((int) prop_id)
    {
    case PROP_N_WORKERS:
      return COPROC_TAKE_IF_DIFFERENT (settings->n_workers, g_value_get_uint (value) > 0 ? g_value_get_uint (value)
                                                                                  : g_get_num_processors ());
    case PROP_MAX_PENDING:
      return COPROC_TAKE_IF_DIFFERENT (settings->max_pending, g_value_get_uint (value));
    case PROP_MAX_TASKS_PER_WORKER:
      return COPROC_TAKE_IF_DIFFERENT (settings->max_tasks_per_worker, g_value_get_uint (value));
    case PROP_MAX_MEMORY_PER_WORKER:
      return COPROC_TAKE_IF_DIFFERENT (settings->max_memory_per_worker, g_value_get_uint64 (value));
    case PROP_IDLE_TIMEOUT:
      return COPROC_TAKE_IF_DIFFERENT (settings->idle_timeout, g_value_get_int64 (value));
    case PROP_TASK_TIMEOUT:
      return COPROC_TAKE_IF_DIFFERENT (settings->task_timeout, g_value_get_int64 (value));
    case PROP_CANCEL_GRACE:
      return COPROC_TAKE_IF_DIFFERENT (settings->cancel_grace, g_value_get_int64 (value));
    case PROP_RETRY_NOT_STARTED:
      return COPROC_TAKE_IF_DIFFERENT (settings->retry_not_started, g_value_get_boolean (value));
    case PROP_IDEMPOTENT:
      return COPROC_TAKE_IF_DIFFERENT (settings->idempotent, g_value_get_boolean (value));
    default:
      g_assert_not_reached ();
    }
}

/* It is the model's. */
static void
set_ping_timeout (CoprocWorkerPool *self, const GValue *value, GParamSpec *pspec)
{
  gint64 old;

  if (self->model == NULL)
    return;
  g_object_get (self->model, "ping-timeout", &old, NULL);
  if (old == g_value_get_int64 (value))
    return;
  g_object_set_property (G_OBJECT (self->model), "ping-timeout", value);
  g_object_notify_by_pspec (G_OBJECT (self), pspec);
}

static void
coproc_worker_pool_set_property (GObject *object, guint prop_id, const GValue *value, GParamSpec *pspec)
{
  CoprocWorkerPool *self = COPROC_WORKER_POOL (object);
  CoprocPoolCore *core = self->core;
  gboolean changed;

  if (prop_id == PROP_MODEL)
    {
      self->model = g_value_dup_object (value);
      return;
    }
  if (prop_id == PROP_PING_TIMEOUT)
    {
      set_ping_timeout (self, value, pspec);
      return;
    }
  if (prop_id < PROP_N_WORKERS || prop_id > PROP_IDEMPOTENT)
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      return;
    }
  g_mutex_lock (&core->lock);
  changed = take_setting_locked (&core->settings, prop_id, value);
  if (changed)
    coproc_pool_core_adjust_locked (core);
  g_mutex_unlock (&core->lock);
  coproc_pool_core_sweep (core);
  if (changed)
    g_object_notify_by_pspec (object, pspec);
}

static void
install_figures (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * CoprocWorkerPool:state:
   *
   * Where the pool is in its life: that of a worker, see [enum@Coproc.WorkerState].
   *
   * Since: 1.0
   */
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, COPROC_TYPE_WORKER_STATE, COPROC_WORKER_STATE_NEW,
                                         readable);
  /**
   * CoprocWorkerPool:n-done:
   *
   * How many tasks have ended, those that failed included; see [signal@Coproc.WorkerPool::progress].
   *
   * Since: 1.0
   */
  props[PROP_N_DONE] = g_param_spec_uint64 ("n-done", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocWorkerPool:n-failed:
   *
   * How many tasks have failed.
   *
   * Since: 1.0
   */
  props[PROP_N_FAILED] = g_param_spec_uint64 ("n-failed", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocWorkerPool:n-pending:
   *
   * How many tasks wait for a worker or are under way.
   *
   * Since: 1.0
   */
  props[PROP_N_PENDING] = g_param_spec_uint64 ("n-pending", NULL, NULL, 0, G_MAXUINT64, 0, readable);
}

static void
install_limits (GParamFlags settable)
{
  /**
   * CoprocWorkerPool:max-pending:
   *
   * How many inputs of a lazy map are made ahead of the results that have been taken, and past how many
   * waiting tasks [method@Coproc.WorkerPool.submit_async] fails with %COPROC_ERROR_LIMIT; 0 for what keeps the
   * workers busy, and no limit.
   *
   * Since: 1.0
   */
  props[PROP_MAX_PENDING] = g_param_spec_uint ("max-pending", NULL, NULL, 0, G_MAXUINT, 0, settable);
  /**
   * CoprocWorkerPool:max-tasks-per-worker:
   *
   * After how many tasks a worker is replaced by a new one, 0: never.
   *
   * Since: 1.0
   */
  props[PROP_MAX_TASKS_PER_WORKER]
      = g_param_spec_uint ("max-tasks-per-worker", NULL, NULL, 0, G_MAXUINT, 0, settable);
  /**
   * CoprocWorkerPool:max-memory-per-worker:
   *
   * From how many bytes of resident memory on a worker process is replaced by a new one, once it has done the tasks
   * that it has; 0: never.
   *
   * Since: 1.0
   */
  props[PROP_MAX_MEMORY_PER_WORKER]
      = g_param_spec_uint64 ("max-memory-per-worker", NULL, NULL, 0, G_MAXUINT64, 0, settable);
  /**
   * CoprocWorkerPool:idle-timeout:
   *
   * After how long without a task, in microseconds, a worker ends; -1: never. Unless it is -1, workers are only
   * started when there is work for them.
   *
   * Since: 1.0
   */
  props[PROP_IDLE_TIMEOUT] = g_param_spec_int64 ("idle-timeout", NULL, NULL, -1, G_MAXINT64, -1, settable);
  /**
   * CoprocWorkerPool:ping-timeout:
   *
   * How long, in microseconds, a worker process, idle or not, may leave the library's pings without an answer before
   * it is killed and replaced; -1: for ever. It is [property@Coproc.WorkerResource:ping-timeout] of the pool's model, and
   * holds for workers that are started from then on.
   *
   * Since: 1.0
   */
  props[PROP_PING_TIMEOUT] = g_param_spec_int64 ("ping-timeout", NULL, NULL, -1, G_MAXINT64 / 2, -1, settable);
  /**
   * CoprocWorkerPool:task-timeout:
   *
   * How long, in microseconds, a worker may work on a task, which then fails with
   * %COPROC_ERROR_TIMED_OUT; -1: for ever.
   *
   * Since: 1.0
   */
  props[PROP_TASK_TIMEOUT] = g_param_spec_int64 ("task-timeout", NULL, NULL, -1, G_MAXINT64, -1, settable);
  /**
   * CoprocWorkerPool:cancel-grace:
   *
   * How long, in microseconds, a worker may go on with a task that was cancelled, or whose time is over, before it
   * is killed and replaced; -1: for ever.
   *
   * Since: 1.0
   */
  props[PROP_CANCEL_GRACE] = g_param_spec_int64 ("cancel-grace", NULL, NULL, -1, G_MAXINT64, -1, settable);
}

void
coproc_worker_pool_install_properties (GObjectClass *object_class)
{
  const GParamFlags settable = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  install_figures ();
  install_limits (settable);
  /**
   * CoprocWorkerPool:model:
   *
   * The worker that the pool's workers are made like.
   *
   * Since: 1.0
   */
  props[PROP_MODEL] = g_param_spec_object ("model", NULL, NULL, COPROC_TYPE_WORKER_RESOURCE,
                                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  /**
   * CoprocWorkerPool:n-workers:
   *
   * How many workers there are at most; set to 0: one for each processor. When it is lowered while the pool runs,
   * workers end once they have done the tasks that they have.
   *
   * Since: 1.0
   */
  props[PROP_N_WORKERS]
      = g_param_spec_uint ("n-workers", NULL, NULL, 0, G_MAXUINT, 0, settable | G_PARAM_CONSTRUCT);
  /**
   * CoprocWorkerPool:retry-not-started:
   *
   * Whether a task that a worker had not begun when it died is given to another one; otherwise it fails with
   * %COPROC_ERROR_NOT_STARTED.
   *
   * Since: 1.0
   */
  props[PROP_RETRY_NOT_STARTED] = g_param_spec_boolean ("retry-not-started", NULL, NULL, TRUE, settable);
  /**
   * CoprocWorkerPool:idempotent:
   *
   * Whether a task may run more than once: one that a worker was at when it died is given to another one, three
   * times at most.
   *
   * Since: 1.0
   */
  props[PROP_IDEMPOTENT] = g_param_spec_boolean ("idempotent", NULL, NULL, FALSE, settable);

  object_class->get_property = coproc_worker_pool_get_property;
  object_class->set_property = coproc_worker_pool_set_property;
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}
