/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "pool/coproc-worker-pool-private.h"

/**
 * CoprocPoolWorker:
 *
 * What can be seen of one worker of a pool; see [method@Coproc.WorkerPool.get_workers].
 *
 * It stands for a place in the pool: when the worker there dies, or has served its time, its successor is seen here.
 * The figures are those of the moment in which they are read; changes are notified together with
 * [signal@Coproc.WorkerPool::progress], and the figures of the process once a second.
 *
 * Since: 1.0
 */

#define SAMPLE_INTERVAL G_USEC_PER_SEC /* between two looks at a process */

typedef enum
{
  PROP_PID = 1,
  PROP_STATE,
  PROP_TASKS_DONE,
  PROP_CURRENT_ITEM,
  PROP_CPU_TIME,
  PROP_RSS,
} WorkerProperty;

static GParamSpec *props[PROP_RSS + 1];

/* What was notified last. */
typedef struct
{
  GPid pid;
  CoprocWorkerState state;
  guint64 tasks_done;
  gint64 current_item;
  CoprocProcessFigures process;
} Figures;

struct _CoprocPoolWorker
{
  GObject parent_instance;

  CoprocPoolDriver *driver;  /* (owned) */
  Figures told;              /* pool's context only */
  gint64 sampled_at;         /* pool's context only; monotonic */
};

G_DEFINE_FINAL_TYPE (CoprocPoolWorker, coproc_pool_worker, G_TYPE_OBJECT)

CoprocPoolWorker *
coproc_pool_worker_new (CoprocPoolDriver *driver)
{
  CoprocPoolWorker *self = g_object_new (COPROC_TYPE_POOL_WORKER, NULL);

  self->driver = coproc_pool_driver_ref (driver);
  return self;
}

CoprocPoolDriver *
coproc_pool_worker_get_driver (CoprocPoolWorker *self)
{
  return self->driver;
}

/* Everything but the figures of the process. */
static void
look (CoprocPoolWorker *self, Figures *figures)
{
  CoprocPoolDriver *driver = self->driver;
  CoprocParcel *first;

  if (driver == NULL)
    return;
  g_mutex_lock (&driver->core->lock);
  first = g_queue_peek_head (&driver->line);
  figures->pid = driver->pid;
  figures->state = driver->state;
  figures->tasks_done = driver->n_tasks;
  figures->current_item = first != NULL ? (gint64) first->first : -1;
  g_mutex_unlock (&driver->core->lock);
}

static Figures
get_figures (CoprocPoolWorker *self)
{
  Figures figures = { .current_item = -1, .state = COPROC_WORKER_STATE_EXITED };

  look (self, &figures);
  coproc_process_figures_read (&figures.process, figures.pid);
  return figures;
}

static void
notify_if (CoprocPoolWorker *self, gboolean changed, WorkerProperty prop)
{
  if (changed)
    g_object_notify_by_pspec (G_OBJECT (self), props[prop]);
}

void
coproc_pool_worker_refresh (CoprocPoolWorker *self)
{
  const gint64 now = g_get_monotonic_time ();
  const Figures old = self->told;

  look (self, &self->told);
  if (now >= self->sampled_at + SAMPLE_INTERVAL || old.pid != self->told.pid)
    {
      coproc_process_figures_read (&self->told.process, self->told.pid);
      self->sampled_at = now;
    }
  notify_if (self, old.pid != self->told.pid, PROP_PID);
  notify_if (self, old.state != self->told.state, PROP_STATE);
  notify_if (self, old.tasks_done != self->told.tasks_done, PROP_TASKS_DONE);
  notify_if (self, old.current_item != self->told.current_item, PROP_CURRENT_ITEM);
  notify_if (self, old.process.cpu_us != self->told.process.cpu_us, PROP_CPU_TIME);
  notify_if (self, old.process.rss != self->told.process.rss, PROP_RSS);
}

/* --- GObject --- */

static void
coproc_pool_worker_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  const Figures figures = get_figures (COPROC_POOL_WORKER (object));

  switch ((WorkerProperty) prop_id)
    {
    case PROP_PID:
      g_value_set_int (value, (int) figures.pid);
      break;
    case PROP_STATE:
      g_value_set_enum (value, figures.state);
      break;
    case PROP_TASKS_DONE:
      g_value_set_uint64 (value, figures.tasks_done);
      break;
    case PROP_CURRENT_ITEM:
      g_value_set_int64 (value, figures.current_item);
      break;
    case PROP_CPU_TIME:
      g_value_set_int64 (value, figures.process.cpu_us);
      break;
    case PROP_RSS:
      g_value_set_uint64 (value, figures.process.rss);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
coproc_pool_worker_finalize (GObject *object)
{
  CoprocPoolWorker *self = COPROC_POOL_WORKER (object);

  g_clear_pointer (&self->driver, coproc_pool_driver_unref);

  G_OBJECT_CLASS (coproc_pool_worker_parent_class)->finalize (object);
}

static void
coproc_pool_worker_class_init (CoprocPoolWorkerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = coproc_pool_worker_get_property;
  object_class->finalize = coproc_pool_worker_finalize;

  /**
   * CoprocPoolWorker:pid:
   *
   * The worker's process; 0 while there is none, and for a thread.
   *
   * Since: 1.0
   */
  props[PROP_PID] = g_param_spec_int ("pid", NULL, NULL, 0, G_MAXINT, 0, readable);
  /**
   * CoprocPoolWorker:state:
   *
   * Where the worker is in its life.
   *
   * Since: 1.0
   */
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, COPROC_TYPE_WORKER_STATE,
                                         COPROC_WORKER_STATE_NEW, readable);
  /**
   * CoprocPoolWorker:tasks-done:
   *
   * How many tasks have ended here, those of earlier workers included.
   *
   * Since: 1.0
   */
  props[PROP_TASKS_DONE] = g_param_spec_uint64 ("tasks-done", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  /**
   * CoprocPoolWorker:current-item:
   *
   * The index, within its map, of the input that the worker works on; 0 for a single task, -1 if there is none.
   *
   * Since: 1.0
   */
  props[PROP_CURRENT_ITEM] = g_param_spec_int64 ("current-item", NULL, NULL, -1, G_MAXINT64, -1, readable);
  /**
   * CoprocPoolWorker:cpu-time:
   *
   * The processor time that the process has used, in microseconds.
   *
   * Since: 1.0
   */
  props[PROP_CPU_TIME] = g_param_spec_int64 ("cpu-time", NULL, NULL, 0, G_MAXINT64, 0, readable);
  /**
   * CoprocPoolWorker:rss:
   *
   * The resident memory of the process, in bytes.
   *
   * Since: 1.0
   */
  props[PROP_RSS] = g_param_spec_uint64 ("rss", NULL, NULL, 0, G_MAXUINT64, 0, readable);
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
coproc_pool_worker_init (CoprocPoolWorker *self)
{
  self->told.current_item = -1;
}
