/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * libcoproc's own pool: workers that are processes, with chunks that it chooses and with chunks of one task, and
 * workers that are threads.
 */
#include "bench-pool.h"

#include <coproc.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct
{
  CoprocWorkerPool *pool;
  guint chunk_size;
  GQueue done; /* the numbers of tasks */
} Pool;

typedef struct
{
  Pool *pool;
  gsize number;
} Task;

static void
check (gboolean ok, GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "libcoproc: %s\n", error->message);
  exit (1);
}

static gpointer
open_pool (const char *plugin, CoprocWorkerMode mode, guint chunk_size)
{
  Pool *self = g_new0 (Pool, 1);
  GError *error = NULL;
  gboolean ok;

  self->pool = coproc_worker_pool_new (plugin, "spin", BENCH_POOL_WORKERS);
  self->chunk_size = chunk_size;
  g_object_set (coproc_worker_pool_get_model (self->pool), "mode", mode, NULL);
  ok = coproc_worker_pool_start (self->pool, NULL, NULL, &error);
  check (ok, error);
  return self;
}

static gpointer
open_processes (const char *plugin)
{
  return open_pool (plugin, COPROC_WORKER_MODE_PROCESS, 0);
}

static gpointer
open_processes_1 (const char *plugin)
{
  return open_pool (plugin, COPROC_WORKER_MODE_PROCESS, 1);
}

static gpointer
open_threads (const char *plugin)
{
  return open_pool (plugin, COPROC_WORKER_MODE_THREAD, 0);
}

static void
map (gpointer pool, GVariant **inputs, gsize n)
{
  Pool *self = pool;
  GError *error = NULL;
  gsize n_results;
  GVariant **results = coproc_worker_pool_map (self->pool, inputs, n, self->chunk_size, NULL, &n_results, &error);

  check (results != NULL, error);
  for (gsize i = 0; i < n; i++)
    g_variant_unref (results[i]);
  g_free (results);
}

static void
on_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Task *task = user_data;
  GError *error = NULL;
  GVariant *output = coproc_worker_pool_submit_finish (COPROC_WORKER_POOL (source), result, &error);

  check (output != NULL, error);
  g_variant_unref (output);
  g_queue_push_tail (&task->pool->done, GSIZE_TO_POINTER (task->number));
  g_free (task);
}

static void
submit (gpointer pool, GVariant *input, gsize number)
{
  Pool *self = pool;
  Task *task = g_new (Task, 1);

  task->pool = self;
  task->number = number;
  coproc_worker_pool_submit_async (self->pool, input, 0, -1, NULL, on_done, task);
}

static gsize
await (gpointer pool)
{
  Pool *self = pool;

  while (g_queue_is_empty (&self->done))
    g_main_context_iteration (NULL, TRUE);
  return GPOINTER_TO_SIZE (g_queue_pop_head (&self->done));
}

static void
close_pool (gpointer pool)
{
  Pool *self = pool;

  coproc_worker_pool_stop (self->pool, G_USEC_PER_SEC, NULL);
  g_object_unref (self->pool);
  g_free (self);
}

int
main (int argc, char **argv)
{
  const BenchPool pools[] = {
    { "libcoproc-pool", open_processes, map, submit, await, close_pool },
    { "libcoproc-pool-1", open_processes_1, map, submit, await, close_pool },
    { "libcoproc-pool-threads", open_threads, map, submit, await, close_pool },
  };

  return bench_pool_main (argc, argv, pools, G_N_ELEMENTS (pools));
}
