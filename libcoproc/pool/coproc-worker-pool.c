/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The object: its making and its signals.
 */
#include "pool/coproc-worker-pool-private.h"

#include "worker/coproc-worker-resource-private.h"

/**
 * CoprocWorkerPool:
 *
 * Several workers of one kind that share tasks.
 *
 * A task is a request to a worker and its reply: the workers run a task of a plugin (`COPROC_TASK`), or
 * any entry point or program that answers each request it gets on the default channel. Every
 * worker has a short line of tasks, so that it never waits for its host, and takes the next ones as it
 * gets on: as many fast ones as keep it busy for about a millisecond, slow ones one by one. What is not begun goes to
 * another worker when that has nothing to do and a slow one is in its way.
 *
 * [method@Coproc.WorkerPool.map] gives a list of results for a list of inputs;
 * [method@Coproc.WorkerPool.map_unordered], [method@Coproc.WorkerPool.map_ordered] and
 * [method@Coproc.WorkerPool.map_lazy] give them one by one; [method@Coproc.WorkerPool.submit_async] runs one
 * task. All may be used at the same time, from any threads: what is more urgent goes first, and what is
 * equally urgent takes turns.
 *
 * A task runs once. When its worker dies it fails with %COPROC_ERROR_WORKER_DIED, and a new worker takes
 * the place of the dead one; only a task that the worker had not begun
 * ([property@Coproc.WorkerPool:retry-not-started]) and one that may be repeated
 * ([property@Coproc.WorkerPool:idempotent]) are given to another one.
 *
 * The workers are made like [method@Coproc.WorkerPool.get_model], whose properties say where they
 * run and with what.
 *
 * ```c
 * g_autoptr (CoprocWorkerPool) pool = coproc_worker_pool_new ("text", "count", 0);
 * GVariant **counts;
 * gsize n;
 *
 * if (!coproc_worker_pool_start (pool, NULL, NULL, &error))
 *   return FALSE;
 * counts = coproc_worker_pool_map (pool, inputs, n_inputs, 0, NULL, &n, &error);
 * coproc_worker_pool_stop (pool, G_USEC_PER_SEC, NULL);
 * ```
 *
 * ```python
 * pool = Coproc.WorkerPool.new('text', 'count', 0)
 * pool.start(None, None)
 * counts = pool.map([GLib.Variant('a{sv}', {'path': GLib.Variant('s', p)}) for p in paths], 0, None)
 * pool.stop(1_000_000)
 * ```
 *
 * Threads: every method may be called from any thread. Signals and property notifications are emitted in
 * the thread-default [struct@GLib.MainContext] of the thread that made the pool.
 *
 * Since: 1.0
 */
G_DEFINE_FINAL_TYPE (CoprocWorkerPool, coproc_worker_pool, G_TYPE_OBJECT)

/* --- GObject --- */

static void
coproc_worker_pool_constructed (GObject *object)
{
  CoprocWorkerPool *self = COPROC_WORKER_POOL (object);

  G_OBJECT_CLASS (coproc_worker_pool_parent_class)->constructed (object);
  if (self->model != NULL)
    self->core->model = self->model;
}

static void
coproc_worker_pool_dispose (GObject *object)
{
  CoprocWorkerPool *self = COPROC_WORKER_POOL (object);

  coproc_pool_events_mute (self->events);

  coproc_pool_core_stop (self->core, COPROC_DEFAULT_GRACE_US);

  g_mutex_lock (&self->core->model_lock);
  self->core->model = NULL;
  g_mutex_unlock (&self->core->model_lock);
  g_clear_object (&self->model);
  g_list_store_remove_all (self->workers);

  G_OBJECT_CLASS (coproc_worker_pool_parent_class)->dispose (object);
}

static void
coproc_worker_pool_finalize (GObject *object)
{
  CoprocWorkerPool *self = COPROC_WORKER_POOL (object);

  g_object_unref (self->workers);
  coproc_pool_core_unref (self->core);
  coproc_pool_events_unref (self->events);

  G_OBJECT_CLASS (coproc_worker_pool_parent_class)->finalize (object);
}

static void
coproc_worker_pool_class_init (CoprocWorkerPoolClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = coproc_worker_pool_constructed;
  object_class->dispose = coproc_worker_pool_dispose;
  object_class->finalize = coproc_worker_pool_finalize;

  coproc_worker_pool_install_properties (object_class);

  /**
   * CoprocWorkerPool::progress:
   * @self: the pool
   *
   * Tasks have been done since this was emitted last; ten times a second at most.
   *
   * Since: 1.0
   */
  g_signal_new ("progress", COPROC_TYPE_WORKER_POOL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  /**
   * CoprocWorkerPool::worker-exited:
   * @self: the pool
   * @pid: its process, 0 if it was a thread
   * @status: its exit code, -1 when a signal ended it
   * @signum: the signal that ended it, 0 if none did
   *
   * A worker has ended, be it that it died or that it was no longer needed.
   *
   * Where the context is not iterated only the last 1024 are told of.
   *
   * Since: 1.0
   */
  g_signal_new ("worker-exited", COPROC_TYPE_WORKER_POOL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 3, G_TYPE_INT, G_TYPE_INT, G_TYPE_INT);
}

static void
coproc_worker_pool_init (CoprocWorkerPool *self)
{
  self->workers = g_list_store_new (COPROC_TYPE_POOL_WORKER);
  self->events = coproc_pool_events_new (G_OBJECT (self));
  self->core = coproc_pool_core_new (self->events);
  self->core->settings = (CoprocPoolSettings) {
    .idle_timeout = -1,
    .task_timeout = -1,
    .cancel_grace = -1,
    .retry_not_started = TRUE,
  };
}

/* --- making one --- */

/**
 * coproc_worker_pool_new: (constructor)
 * @plugin: the name of a plugin on the search path, or the absolute path of its file
 * @entry_point: the name of one of its entry points
 * @n_workers: how many workers, 0: one for each processor
 *
 * Makes a pool whose workers run an entry point of a plugin; it is not started yet.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new pool
 *
 * Since: 1.0
 */
CoprocWorkerPool *
coproc_worker_pool_new (const char *plugin, const char *entry_point, guint n_workers)
{
  g_autoptr (CoprocWorkerResource) model = NULL;

  g_return_val_if_fail (plugin != NULL, NULL);
  g_return_val_if_fail (entry_point != NULL, NULL);

  model = coproc_worker_resource_new (plugin, entry_point);
  return coproc_worker_pool_new_for_model (model, n_workers);
}

/**
 * coproc_worker_pool_new_for_command: (constructor)
 * @argv: (array zero-terminated=1): the program and its arguments
 * @n_workers: how many workers, 0: one for each processor
 *
 * Makes a pool whose workers are programs that call [func@Coproc.worker_connect]; it is not started yet.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new pool
 *
 * Since: 1.0
 */
CoprocWorkerPool *
coproc_worker_pool_new_for_command (const char *const *argv, guint n_workers)
{
  g_autoptr (CoprocWorkerResource) model = NULL;

  g_return_val_if_fail (argv != NULL && argv[0] != NULL, NULL);

  model = coproc_worker_resource_new_for_command (argv);
  return coproc_worker_pool_new_for_model (model, n_workers);
}

/**
 * coproc_worker_pool_new_for_model: (constructor)
 * @model: a worker, which is not started
 * @n_workers: how many workers, 0: one for each processor
 *
 * Makes a pool whose workers are like @model: they run the same code with the same properties. The pool
 * is not started yet.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new pool
 *
 * Since: 1.0
 */
CoprocWorkerPool *
coproc_worker_pool_new_for_model (CoprocWorkerResource *model, guint n_workers)
{
  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (model), NULL);

  return g_object_new (COPROC_TYPE_WORKER_POOL, "model", model, "n-workers", n_workers, NULL);
}

/**
 * coproc_worker_pool_get_model:
 * @self: a pool
 *
 * Gets the worker that the pool's workers are made like.
 *
 * It is never started itself. What its properties are set to holds for workers that are started from then on.
 *
 * Threads: any.
 *
 * Returns: (transfer none): the worker
 *
 * Since: 1.0
 */
CoprocWorkerResource *
coproc_worker_pool_get_model (CoprocWorkerPool *self)
{
  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);

  return self->model;
}

/**
 * coproc_worker_pool_get_workers:
 * @self: a pool
 *
 * Gets the list of the pool's workers, such as a list widget can show.
 *
 * It changes in the thread-default [struct@GLib.MainContext] of the thread that made the pool, and only while that
 * is iterated.
 *
 * Threads: the one of that context.
 *
 * Returns: (transfer none): a list of [class@Coproc.PoolWorker]
 *
 * Since: 1.0
 */
GListModel *
coproc_worker_pool_get_workers (CoprocWorkerPool *self)
{
  g_return_val_if_fail (COPROC_IS_WORKER_POOL (self), NULL);

  return G_LIST_MODEL (self->workers);
}

void
coproc_worker_pool_tell_driver (CoprocWorkerPool *self, CoprocPoolDriver *driver, gboolean there)
{
  if (there)
    {
      g_autoptr (CoprocPoolWorker) worker = coproc_pool_worker_new (driver);

      coproc_pool_worker_refresh (worker);
      g_list_store_append (self->workers, worker);
      return;
    }
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->workers)); i++)
    {
      g_autoptr (CoprocPoolWorker) worker = g_list_model_get_item (G_LIST_MODEL (self->workers), i);

      if (coproc_pool_worker_get_driver (worker) == driver)
        {
          coproc_pool_worker_refresh (worker);
          g_list_store_remove (self->workers, i);
          return;
        }
    }
}
