/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * GThreadPool, whose results come back on a GAsyncQueue.
 */
#include "bench-pool.h"

typedef struct
{
  GThreadPool *threads;
  GAsyncQueue *done;
} Pool;

typedef struct
{
  GVariant *input;
  gsize number;
} Task;

static void
run_task (gpointer data, gpointer user_data)
{
  Task *task = data;
  GAsyncQueue *done = user_data;

  bench_pool_spin (task->input);
  g_async_queue_push (done, task);
}

static gpointer
open_pool (const char *plugin)
{
  Pool *self = g_new (Pool, 1);

  self->done = g_async_queue_new ();
  self->threads = g_thread_pool_new (run_task, self->done, BENCH_POOL_WORKERS, TRUE, NULL);
  return self;
}

static void
submit (gpointer pool, GVariant *input, gsize number)
{
  Pool *self = pool;
  Task *task = g_new (Task, 1);

  task->input = g_variant_ref (input);
  task->number = number;
  g_thread_pool_push (self->threads, task, NULL);
}

static gsize
await (gpointer pool)
{
  Pool *self = pool;
  Task *task = g_async_queue_pop (self->done);
  const gsize number = task->number;

  g_variant_unref (task->input);
  g_free (task);
  return number;
}

static void
map (gpointer pool, GVariant **inputs, gsize n)
{
  for (gsize i = 0; i < n; i++)
    submit (pool, inputs[i], i);
  for (gsize i = 0; i < n; i++)
    await (pool);
}

static void
close_pool (gpointer pool)
{
  Pool *self = pool;

  g_thread_pool_free (self->threads, FALSE, TRUE);
  g_async_queue_unref (self->done);
  g_free (self);
}

int
main (int argc, char **argv)
{
  const BenchPool pools[] = { { "gthreadpool", open_pool, map, submit, await, close_pool } };

  return bench_pool_main (argc, argv, pools, G_N_ELEMENTS (pools));
}
