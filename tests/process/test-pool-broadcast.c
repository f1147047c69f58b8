/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What is told to every worker of a pool.
 */
#include "pool-util.h"

#include <signal.h>

/* What the workers say of themselves. */
static GVariant *
ask (const char *want)
{
  return orders (7, "want", g_variant_new_string (want), NULL);
}

/* The next reply, a number. */
static gint32
next_number (CoprocMapOperation *operation)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = coproc_map_operation_next (operation, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (reply);
  return g_variant_get_int32 (reply);
}

static void
assert_end (CoprocMapOperation *operation)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
  g_assert_no_error (error);
}

/* One worker after the other, of @n that are processes. (transfer full) */
static GHashTable *
get_pids (CoprocWorkerPool *pool, guint n)
{
  g_autoptr (CoprocMapOperation) operation = coproc_worker_pool_broadcast (pool, ask ("pid"));
  GHashTable *pids = g_hash_table_new (NULL, NULL);

  g_assert_cmpuint (get_figure (operation, "n-total"), ==, n);
  for (guint i = 0; i < n; i++)
    g_hash_table_add (pids, GINT_TO_POINTER (next_number (operation)));
  assert_end (operation);
  g_assert_cmpuint (g_hash_table_size (pids), ==, coproc_test_in_threads () ? 1 : n);
  return pids;
}

static void
test_all (void)
{
  CoprocWorkerPool *pool = new_started_pool (4);
  g_autoptr (GHashTable) pids = get_pids (pool, 4);
  GListModel *workers = coproc_worker_pool_get_workers (pool);

  g_test_summary ("Every worker answers, once");

  coproc_test_until (g_list_model_get_n_items (workers) == 4);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (CoprocPoolWorker) worker = g_list_model_get_item (workers, i);
      int pid;

      g_object_get (worker, "pid", &pid, NULL);
      g_assert_true (coproc_test_in_threads () || g_hash_table_contains (pids, GINT_TO_POINTER (pid)));
      g_assert_cmpuint (get_figure (worker, "tasks-done"), ==, 1);
    }
  stop_pool (pool);
}

static void
test_async (void)
{
  CoprocWorkerPool *pool = new_started_pool (3);
  g_autoptr (CoprocMapOperation) operation = coproc_worker_pool_broadcast (pool, g_variant_new_int32 (5));
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GVariant) reply = NULL;

      coproc_map_operation_next_async (operation, NULL, coproc_test_result_store, &result);
      reply = coproc_map_operation_next_finish (operation, coproc_test_result_wait (&result), NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (reply), ==, 25);
      coproc_test_result_clear (&result);
    }
  coproc_map_operation_next_async (operation, NULL, coproc_test_result_store, &result);
  g_assert_null (coproc_map_operation_next_finish (operation, coproc_test_result_wait (&result), NULL, &error));
  g_assert_no_error (error);
  coproc_test_result_clear (&result);
  g_clear_object (&operation);
  stop_pool (pool);
}

static void
test_first (void)
{
  CoprocWorkerPool *pool = new_started_pool (1);
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *log = g_build_filename (dir, "log", NULL), *go = g_build_filename (dir, "go", NULL);
  g_autofree char *begun = NULL;
  g_autoptr (CoprocMapOperation) operation = NULL;
  CoprocTestResult results[4] = { { 0 } };
  g_autoptr (GError) error = NULL;

  g_test_summary ("A broadcast goes before the tasks that are not begun");

  submit (pool, orders (0, "log", g_variant_new_string (log), "wait", g_variant_new_string (go), NULL), 0, -1, NULL,
          &results[0]);
  coproc_test_until (g_file_test (log, G_FILE_TEST_EXISTS));
  for (gint32 i = 1; i < 4; i++)
    submit (pool, orders (i, "log", g_variant_new_string (log), NULL), -1, -1, NULL, &results[i]);
  operation = coproc_worker_pool_broadcast (pool, orders (9, "log", g_variant_new_string (log), NULL));
  g_assert_true (g_file_set_contents (go, "", 0, NULL));
  g_assert_cmpint (next_number (operation), ==, 81);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    {
      g_variant_unref (finish_submit (pool, &results[i], &error));
      g_assert_no_error (error);
    }
  g_assert_true (g_file_get_contents (log, &begun, NULL, NULL));
  g_assert_cmpstr (begun, ==, "0\n9\n1\n2\n3\n");
  g_assert_no_errno (g_remove (log));
  g_assert_no_errno (g_remove (go));
  g_assert_no_errno (g_rmdir (dir));
  g_clear_object (&operation);
  stop_pool (pool);
}

static void
test_beside_map (void)
{
  CoprocWorkerPool *pool = new_started_pool (3);
  GVariant **inputs = numbers (0, 2000);

  g_test_summary ("Broadcasts and a map have nothing to do with each other");

  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (CoprocMapOperation) map = coproc_worker_pool_map_ordered (pool, inputs, 2000, round % 2);
      g_autoptr (CoprocMapOperation) broadcast = coproc_worker_pool_broadcast (pool, g_variant_new_int32 (-3));

      for (gint32 i = 0; i < 3; i++)
        g_assert_cmpint (next_number (broadcast), ==, 9);
      assert_end (broadcast);
      for (gint32 i = 0; i < 2000; i++)
        g_assert_cmpint (next_number (map), ==, i * i);
      assert_end (map);
    }
  free_payloads (inputs);
  stop_pool (pool);
}

static void
test_errors (void)
{
  CoprocWorkerPool *pool = new_pool (3);
  g_autoptr (CoprocMapOperation) operation = coproc_worker_pool_broadcast (pool, g_variant_new_int32 (1));
  g_autofree char *large = g_strnfill (2 << 20, 'x');
  g_autoptr (GError) error = NULL;

  g_test_summary ("Each worker has an error of its own; a pool that does not run is the operation's");

  g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  g_clear_error (&error);
  assert_end (operation);
  g_clear_object (&operation);

  start_pool (pool);
  operation = coproc_worker_pool_broadcast (pool, orders (0, "fail", g_variant_new_string ("no"), NULL));
  for (guint i = 0; i < 3; i++)
    {
      g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      g_assert_true (g_str_has_prefix (error->message, "In worker "));
      g_assert_true (g_str_has_suffix (error->message, ": no"));
      g_clear_error (&error);
    }
  assert_end (operation);
  g_assert_cmpuint (get_figure (operation, "n-failed"), ==, 3);
  g_clear_object (&operation);

  operation = coproc_worker_pool_broadcast (pool, g_variant_new_string (large));
  for (guint i = 0; i < 3; i++)
    {
      g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
      g_clear_error (&error);
    }
  assert_end (operation);
  g_clear_object (&operation);
  stop_pool (pool);
}

/* --- workers that come and go meanwhile --- */

static void
test_death (gconstpointer data)
{
  CoprocWorkerPool *pool = new_started_pool (3);

  g_test_summary ("The successor of a worker that dies before it has answered answers in its place");

  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (GHashTable) before = get_pids (pool, 3);
      g_autoptr (GList) pids = g_hash_table_get_keys (before);
      g_autoptr (CoprocMapOperation) operation = NULL;
      guint n_old = 0;

      for (guint i = 0; i <= round % 3; i++)
        {
          GPid victim = GPOINTER_TO_INT (g_list_nth_data (pids, i));

          /* Stopped, it has the message and does not answer. */
          g_assert_no_errno (kill (victim, round < 5 ? SIGSTOP : SIGKILL));
        }
      operation = coproc_worker_pool_broadcast (pool, ask ("pid"));
      g_assert_cmpuint (get_figure (operation, "n-total"), ==, 3);
      for (guint i = 0; i <= round % 3; i++)
        kill (GPOINTER_TO_INT (g_list_nth_data (pids, i)), SIGKILL);
      for (guint i = 0; i < 3; i++)
        n_old += g_hash_table_contains (before, GINT_TO_POINTER (next_number (operation)));
      g_assert_cmpuint (n_old, ==, 2 - round % 3);
      assert_end (operation);
    }
  stop_pool (pool);
}

static void
test_deadly (gconstpointer data)
{
  CoprocWorkerPool *pool = new_pool (2);
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *log = g_build_filename (dir, "log", NULL), *begun = NULL;
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A broadcast that kills whoever gets it is given up after three workers");

  start_pool (pool);
  operation = coproc_worker_pool_broadcast (
      pool, orders (1, "log", g_variant_new_string (log), "die", g_variant_new_int32 (SIGKILL), NULL));
  for (guint i = 0; i < 2; i++)
    {
      g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
      g_assert_true (g_str_has_prefix (error->message, "In worker "));
      g_clear_error (&error);
    }
  assert_end (operation);
  g_assert_true (g_file_get_contents (log, &begun, NULL, NULL));
  g_assert_cmpstr (begun, ==, "1\n1\n1\n1\n1\n1\n");
  assert_map (pool, 0, 10, 0);
  g_assert_no_errno (g_remove (log));
  g_assert_no_errno (g_rmdir (dir));
  g_clear_object (&operation);
  stop_pool (pool);
}

static void
test_fewer (void)
{
  CoprocWorkerPool *pool = new_started_pool (4);
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *go = g_build_filename (dir, "go", NULL);
  g_autoptr (CoprocMapOperation) operation = NULL;

  g_test_summary ("Workers that are to leave answer first; where there are none nobody does");

  operation = coproc_worker_pool_broadcast (pool, orders (3, "wait", g_variant_new_string (go), NULL));
  g_object_set (pool, "n-workers", 1, NULL);
  g_assert_true (g_file_set_contents (go, "", 0, NULL));
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (next_number (operation), ==, 9);
  assert_end (operation);
  g_clear_object (&operation);
  coproc_test_until (g_list_model_get_n_items (coproc_worker_pool_get_workers (pool)) == 1);
  g_hash_table_unref (get_pids (pool, 1));

  g_object_set (pool, "idle-timeout", G_GINT64_CONSTANT (0), NULL);
  assert_map (pool, 0, 1, 0);
  coproc_test_until (g_list_model_get_n_items (coproc_worker_pool_get_workers (pool)) == 0);
  operation = coproc_worker_pool_broadcast (pool, g_variant_new_int32 (1));
  assert_end (operation);
  g_assert_cmpuint (get_figure (operation, "n-total"), ==, 0);
  g_assert_no_errno (g_remove (go));
  g_assert_no_errno (g_rmdir (dir));
  g_clear_object (&operation);
  stop_pool (pool);
}

static void
test_ended (void)
{
  g_test_summary ("A broadcast that is dropped, cancelled, or whose pool is stopped");

  for (guint how = 0; how < 3; how++)
    {
      CoprocWorkerPool *pool = new_started_pool (2);
      g_autoptr (CoprocMapOperation) operation
          = coproc_worker_pool_broadcast (pool, orders (1, "sleep", g_variant_new_int64 (60 * SECOND), NULL));
      g_autoptr (CoprocMapOperation) behind = coproc_worker_pool_broadcast (pool, g_variant_new_int32 (2));
      g_autoptr (GError) error = NULL;

      if (how == 0)
        coproc_test_finalize (g_steal_pointer (&operation));
      else if (how == 1)
        {
          coproc_map_operation_cancel (operation);
          g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          g_clear_error (&error);
          assert_end (operation);
        }
      else
        {
          g_assert_true (coproc_worker_pool_stop (pool, SECOND / 50, &error));
          for (guint i = 0; i < 2; i++)
            {
              g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
              g_assert_true (error->domain == COPROC_ERROR || error->code == G_IO_ERROR_CANCELLED);
              g_clear_error (&error);
            }
          assert_end (operation);
        }
      for (guint i = 0; i < 2 && how < 2; i++)
        g_assert_cmpint (next_number (behind), ==, 4);
      for (guint i = 0; i < 2 && how == 2; i++)
        {
          g_assert_null (coproc_map_operation_next (behind, NULL, NULL, &error));
          g_assert_true (error->domain == COPROC_ERROR);
          g_clear_error (&error);
        }
      assert_end (behind);
      g_clear_object (&operation);
      g_clear_object (&behind);
      stop_pool (pool);
    }
}

/* Kills the worker whose turn it is. */
static gpointer
kill_some (gpointer user_data)
{
  CoprocWorkerPool *pool = user_data;

  for (guint i = 0; i < 30; i++)
    {
      GVariant *input = g_variant_ref_sink (ask ("pid")), **pids;
      gsize n;

      pids = coproc_worker_pool_map (pool, &input, 1, 0, NULL, &n, NULL);
      g_variant_unref (input);
      if (pids == NULL)
        continue;
      kill (g_variant_get_int32 (pids[0]), SIGKILL);
      free_payloads (pids);
    }
  return NULL;
}

static void
test_chaos (gconstpointer data)
{
  CoprocWorkerPool *pool = new_started_pool (4);
  GThread *killer = g_thread_new ("killer", kill_some, pool);

  g_test_summary ("Whatever dies meanwhile, each broadcast has one answer for each worker");

  for (guint round = 0; round < 100; round++)
    g_hash_table_unref (get_pids (pool, 4));
  g_thread_join (killer);
  g_hash_table_unref (get_pids (pool, 4));
  stop_pool (pool);
}

int
main (int argc, char *argv[])
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/pool-broadcast/all", test_all);
  coproc_test_add ("/coproc/pool-broadcast/async", test_async);
  coproc_test_add ("/coproc/pool-broadcast/first", test_first);
  coproc_test_add ("/coproc/pool-broadcast/beside-map", test_beside_map);
  coproc_test_add ("/coproc/pool-broadcast/errors", test_errors);
  coproc_test_add ("/coproc/pool-broadcast/fewer", test_fewer);
  coproc_test_add ("/coproc/pool-broadcast/ended", test_ended);
  coproc_test_add_for_processes ("/coproc/pool-broadcast/death", NULL, test_death);
  coproc_test_add_for_processes ("/coproc/pool-broadcast/deadly", NULL, test_deadly);
  coproc_test_add_for_processes ("/coproc/pool-broadcast/chaos", NULL, test_chaos);

  return g_test_run ();
}
