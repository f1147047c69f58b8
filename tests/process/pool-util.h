/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Pools of the plugin `tasks`, as the tests of pools use them.
 */
#pragma once

#include "coproc-fault.h"

#include <glib/gstdio.h>
#include <string.h>

#define SECOND G_USEC_PER_SEC

static inline CoprocWorkerPool *
new_pool_of (const char *entry_point, guint n_workers)
{
  g_autofree char *path = coproc_fault_path ("plugins/tasks.so");
  CoprocWorkerPool *pool = coproc_worker_pool_new (path, entry_point, n_workers);

  g_object_set (coproc_worker_pool_get_model (pool), "mode", coproc_test_get_mode (), NULL);
  return pool;
}

static inline CoprocWorkerPool *
new_pool (guint n_workers)
{
  return new_pool_of ("run", n_workers);
}

static inline void
start_pool (CoprocWorkerPool *pool)
{
  g_autoptr (GError) error = NULL;
  gboolean started = coproc_worker_pool_start (pool, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (started);
}

static inline CoprocWorkerPool *
new_started_pool (guint n_workers)
{
  CoprocWorkerPool *pool = new_pool (n_workers);

  start_pool (pool);
  return pool;
}

static inline void
stop_pool (CoprocWorkerPool *pool)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (coproc_worker_pool_stop (pool, 10 * SECOND, &error));
  g_assert_no_error (error);
  coproc_test_finalize (pool);
}

static inline guint64
get_figure (gpointer object, const char *name)
{
  guint64 value;

  g_object_get (object, name, &value, NULL);
  return value;
}

static inline CoprocWorkerState
get_pool_state (CoprocWorkerPool *pool)
{
  CoprocWorkerState state;

  g_object_get (pool, "state", &state, NULL);
  return state;
}

/* What the task `run` is told: pairs of a key and a GVariant, then NULL. */
static inline GVariant *
orders (gint32 value, ...)
{
  GVariantDict dict;
  const char *key;
  va_list args;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "value", "i", value);
  va_start (args, value);
  while ((key = va_arg (args, const char *)) != NULL)
    g_variant_dict_insert_value (&dict, key, va_arg (args, GVariant *));
  va_end (args);
  return g_variant_dict_end (&dict);
}

/* The numbers from @first on. (transfer full), freed by free_payloads() */
static inline GVariant **
numbers (gint32 first, gsize n)
{
  GVariant **inputs = g_new0 (GVariant *, n + 1);

  for (gsize i = 0; i < n; i++)
    inputs[i] = g_variant_ref_sink (g_variant_new_int32 (first + (gint32) i));
  return inputs;
}

static inline void
free_payloads (GVariant **payloads)
{
  for (gsize i = 0; payloads[i] != NULL; i++)
    g_variant_unref (payloads[i]);
  g_free (payloads);
}

/* The squares of the numbers from @first on. */
static inline void
assert_map (CoprocWorkerPool *pool, gint32 first, gsize n, guint chunk_size)
{
  GVariant **inputs = numbers (first, n);
  g_autoptr (GError) error = NULL;
  gsize n_results = 12345;
  GVariant **results = coproc_worker_pool_map (pool, inputs, n, chunk_size, NULL, &n_results, &error);

  g_assert_no_error (error);
  g_assert_nonnull (results);
  g_assert_cmpuint (n_results, ==, n);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpint (g_variant_get_int32 (results[i]), ==, (first + (gint32) i) * (first + (gint32) i));
  g_assert_null (results[n]);
  free_payloads (results);
  free_payloads (inputs);
}

static inline void
submit (CoprocWorkerPool *pool, GVariant *payload, double priority, gint64 timeout_us, GCancellable *cancellable,
        CoprocTestResult *result)
{
  coproc_worker_pool_submit_async (pool, payload, priority, timeout_us, cancellable, coproc_test_result_store,
                                   result);
}

static inline GVariant *
finish_submit (CoprocWorkerPool *pool, CoprocTestResult *result, GError **error)
{
  GVariant *value = coproc_worker_pool_submit_finish (pool, coproc_test_result_wait (result), error);

  coproc_test_result_clear (result);
  return value;
}
