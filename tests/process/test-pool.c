/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Pools. The cases l1 to l9, some of them in test-pool-faults.c, are the defects of the model that must not
 * come back.
 */
#include "pool-util.h"

#include <signal.h>
#include <sys/resource.h>

/* --- life --- */

static void
test_lifecycle (void)
{
  CoprocWorkerPool *pool = new_pool (3);
  g_autoptr (GError) error = NULL;
  gsize n;

  g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_NEW);
  g_assert_null (coproc_worker_pool_map (pool, NULL, 0, 0, NULL, &n, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  g_clear_error (&error);
  g_assert_true (coproc_worker_pool_stop (pool, 0, &error));

  for (guint i = 0; i < 3; i++)
    {
      start_pool (pool);
      g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_RUNNING);
      g_assert_false (coproc_worker_pool_start (pool, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE);
      g_clear_error (&error);
      assert_map (pool, 0, 100, 0);
      g_assert_true (coproc_worker_pool_stop (pool, 10 * SECOND, &error));
      g_assert_no_error (error);
      g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_EXITED);
      g_assert_null (coproc_worker_pool_map (pool, NULL, 0, 0, NULL, &n, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
      g_clear_error (&error);
    }
  g_assert_cmpuint (get_figure (pool, "n-done"), ==, 300);
  g_assert_cmpuint (get_figure (pool, "n-pending"), ==, 0);
  coproc_test_finalize (pool);
}

static void
test_start_async (void)
{
  CoprocWorkerPool *pool = new_pool (2);
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;

  coproc_worker_pool_start_async (pool, NULL, NULL, coproc_test_result_store, &result);
  g_assert_true (coproc_worker_pool_start_finish (pool, coproc_test_result_wait (&result), &error));
  g_assert_no_error (error);
  coproc_test_result_clear (&result);
  assert_map (pool, 0, 10, 0);
  coproc_worker_pool_stop_async (pool, SECOND, NULL, coproc_test_result_store, &result);
  g_assert_true (coproc_worker_pool_stop_finish (pool, coproc_test_result_wait (&result), &error));
  g_assert_no_error (error);
  coproc_test_result_clear (&result);
  g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_EXITED);
  coproc_test_finalize (pool);
}

static void
test_start_fails (void)
{
  g_autoptr (CoprocWorkerPool) pool = new_pool_of ("nonesuch", 4);
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;

  g_test_summary ("What keeps a worker from starting is start()'s error, and nothing is left of it");

  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (coproc_worker_pool_start (pool, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_SYMBOL);
      g_clear_error (&error);
      g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_FAILED);
    }
  coproc_worker_pool_start_async (pool, NULL, NULL, coproc_test_result_store, &result);
  g_assert_false (coproc_worker_pool_start_finish (pool, coproc_test_result_wait (&result), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_SYMBOL);
  coproc_test_result_clear (&result);
}

static void
test_start_cancelled (void)
{
  g_autoptr (CoprocWorkerPool) pool = new_pool (2);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (coproc_worker_pool_start (pool, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  coproc_worker_pool_start_async (pool, NULL, cancellable, coproc_test_result_store, &result);
  g_assert_false (coproc_worker_pool_start_finish (pool, coproc_test_result_wait (&result), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  coproc_test_result_clear (&result);
}

static void
test_arguments (void)
{
  CoprocWorkerPool *pool = new_pool (2);
  GVariantDict dict;
  GVariant *inputs[8], **results;
  g_autoptr (GError) error = NULL;
  gsize n;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "argument", "i", 77);
  g_assert_true (coproc_worker_pool_start (pool, g_variant_dict_end (&dict), NULL, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    inputs[i] = orders (0, "want", g_variant_new_string ("argument"), NULL);
  results = coproc_worker_pool_map (pool, inputs, G_N_ELEMENTS (inputs), 1, NULL, &n, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (g_variant_get_int32 (results[i]), ==, 77);
  free_payloads (results);
  stop_pool (pool);
}

/* --- maps --- */

static void
test_l1_few_inputs (void)
{
  g_test_summary ("Any number of inputs, on any number of workers, in chunks of any size");

  for (guint n_workers = 1; n_workers <= 4; n_workers += 3)
    {
      CoprocWorkerPool *pool = new_started_pool (n_workers);

      for (guint chunk_size = 0; chunk_size <= 6; chunk_size += 3)
        for (gsize n = 0; n <= 11; n++)
          assert_map (pool, (gint32) n, n, chunk_size);
      assert_map (pool, 0, 10, 5);
      assert_map (pool, 0, 10, G_MAXUINT);
      stop_pool (pool);
    }
}

static void
test_many (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);

  assert_map (pool, 0, coproc_test_scale (20000), 0);
  assert_map (pool, 0, coproc_test_scale (20000), 1);
  stop_pool (pool);
}

static void
test_messages (void)
{
  CoprocWorkerPool *pool;
  CoprocMessage *inputs[64], **replies;
  g_autoptr (CoprocWorkerResource) model = coproc_worker_resource_new ("echo", "identity");
  g_autoptr (GError) error = NULL;
  gsize n;

  g_object_set (model, "mode", coproc_test_get_mode (), NULL);
  pool = coproc_worker_pool_new_for_model (model, 2);
  start_pool (pool);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    {
      g_autofree char *text = g_strnfill (i * 1000, 'x');

      inputs[i] = coproc_message_new_full (g_variant_new_string (text), i % 3 == 0 ? "other" : NULL, 0);
    }
  replies = coproc_worker_pool_map_messages (pool, inputs, G_N_ELEMENTS (inputs), 0, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (inputs));
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpuint (strlen (g_variant_get_string (coproc_message_get_payload (replies[i]), NULL)), ==, i * 1000);
      g_assert_cmpstr (coproc_message_get_channel (replies[i]), ==, i % 3 == 0 ? "other" : NULL);
      coproc_message_unref (replies[i]);
      coproc_message_unref (inputs[i]);
    }
  g_free (replies);
  stop_pool (pool);
}

static void
assert_all_of (CoprocMapOperation *operation, gint32 first, gsize n, gboolean ordered)
{
  g_autofree guint8 *seen = g_malloc0 (n + 1);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < n; i++)
    {
      gsize index = n;
      g_autoptr (GVariant) result = coproc_map_operation_next (operation, &index, NULL, &error);
      gint32 value = first + (gint32) index;

      g_assert_no_error (error);
      g_assert_cmpuint (index, <, n);
      g_assert_cmpint (seen[index]++, ==, 0);
      if (ordered)
        g_assert_cmpuint (index, ==, i);
      g_assert_cmpint (g_variant_get_int32 (result), ==, value * value);
    }
  for (guint i = 0; i < 2; i++)
    {
      g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
      g_assert_no_error (error);
    }
  g_assert_cmpuint (get_figure (operation, "n-total"), ==, n);
  g_assert_cmpuint (get_figure (operation, "n-done"), ==, n);
  g_assert_cmpuint (get_figure (operation, "n-failed"), ==, 0);
}

static void
test_operations (void)
{
  CoprocWorkerPool *pool = new_started_pool (3);

  for (gsize n = 0; n < 300; n = n * 3 + 1)
    {
      GVariant **inputs = numbers (5, n);
      CoprocMapOperation *ordered = coproc_worker_pool_map_ordered (pool, inputs, n, 0);
      CoprocMapOperation *unordered = coproc_worker_pool_map_unordered (pool, inputs, n, 2);

      assert_all_of (unordered, 5, n, FALSE);
      assert_all_of (ordered, 5, n, TRUE);
      coproc_test_finalize (ordered);
      coproc_test_finalize (unordered);
      free_payloads (inputs);
    }
  stop_pool (pool);
}

typedef struct
{
  gint32 next;
  gint32 n;
  gint32 n_taken;
  gint32 max_ahead;
  guint n_notified;
  GThread *thread;
} Generator;

static GVariant *
generate (gpointer user_data)
{
  Generator *self = user_data;

  g_assert_true (self->thread == g_thread_self ());
  if (self->next == self->n)
    return NULL;
  self->max_ahead = MAX (self->max_ahead, self->next - self->n_taken);
  return g_variant_new_int32 (self->next++);
}

static void
generator_done (gpointer user_data)
{
  ((Generator *) user_data)->n_notified++;
}

static void
test_lazy (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  Generator generator = { .n = (gint32) coproc_test_scale (5000), .thread = g_thread_self () };
  CoprocMapOperation *operation;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Inputs are made as they are needed, in the thread that wants results");

  g_object_set (pool, "max-pending", 50, NULL);
  for (guint ordered = 0; ordered < 2; ordered++)
    {
      generator.next = generator.n_taken = 0;
      operation = coproc_worker_pool_map_lazy (pool, generate, &generator, generator_done, ordered, 0);
      g_assert_cmpint (generator.next, ==, 0);
      for (; generator.n_taken < generator.n; generator.n_taken++)
        {
          g_autoptr (GVariant) result = coproc_map_operation_next (operation, NULL, NULL, &error);

          g_assert_no_error (error);
          g_assert_nonnull (result);
          if (ordered)
            g_assert_cmpint (g_variant_get_int32 (result), ==, generator.n_taken * generator.n_taken);
        }
      g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (generator.n_notified, ==, ordered + 1);
      coproc_test_finalize (operation);
    }
  g_assert_cmpint (generator.max_ahead, <=, 50);

  /* one that is dropped in the middle, and one that nobody ever asked for anything */
  generator.next = generator.n_taken = 0;
  operation = coproc_worker_pool_map_lazy (pool, generate, &generator, generator_done, FALSE, 0);
  g_variant_unref (coproc_map_operation_next (operation, NULL, NULL, NULL));
  coproc_test_finalize (operation);
  g_assert_cmpuint (generator.n_notified, ==, 3);
  operation = coproc_worker_pool_map_lazy (pool, generate, &generator, generator_done, FALSE, 0);
  coproc_test_finalize (operation);
  g_assert_cmpuint (generator.n_notified, ==, 4);
  assert_map (pool, 0, 100, 0);
  stop_pool (pool);
}

static void
test_next_async (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  GVariant **inputs = numbers (0, 40);
  CoprocMapOperation *operation = coproc_worker_pool_map_ordered (pool, inputs, 40, 0);
  CoprocTestResult result[2] = { { 0 } };
  g_autoptr (GError) error = NULL;

  for (gint32 i = 0; i < 40; i++)
    {
      g_autoptr (GVariant) value = NULL;
      gsize index;

      coproc_map_operation_next_async (operation, NULL, coproc_test_result_store, result);
      g_assert_cmpuint (result->n_calls, ==, 0);
      value = coproc_map_operation_next_finish (operation, coproc_test_result_wait (result), &index, &error);
      g_assert_no_error (error);
      g_assert_true (result->thread == g_thread_self ());
      g_assert_cmpuint (index, ==, i);
      g_assert_cmpint (g_variant_get_int32 (value), ==, i * i);
      coproc_test_result_clear (result);
    }
  for (guint i = 0; i < 2; i++)
    coproc_map_operation_next_async (operation, NULL, coproc_test_result_store, &result[i]);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_null (coproc_map_operation_next_finish (operation, coproc_test_result_wait (&result[i]), NULL, &error));
      g_assert_no_error (error);
      coproc_test_result_clear (&result[i]);
    }
  coproc_test_finalize (operation);
  free_payloads (inputs);
  stop_pool (pool);
}

static void
test_l2_abandoned (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);

  g_test_summary ("The late results of what was abandoned or has failed reach nobody");

  for (guint round = 0; round < 20; round++)
    {
      GVariant **inputs = numbers (1000, 50);
      CoprocMapOperation *operation = coproc_worker_pool_map_unordered (pool, inputs, 50, 0);
      GVariant *bad[8];
      g_autoptr (GError) error = NULL;
      gsize n;

      if (round % 2 == 0)
        g_variant_unref (coproc_map_operation_next (operation, NULL, NULL, &error));
      coproc_test_finalize (operation);
      assert_map (pool, (gint32) round, 20, 0);

      for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
        bad[i] = orders ((gint32) i, i == 3 ? "fail" : "sleep",
                         i == 3 ? g_variant_new_string ("no") : g_variant_new_int64 (200), NULL);
      g_assert_null (coproc_worker_pool_map (pool, bad, G_N_ELEMENTS (bad), 1, NULL, &n, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      assert_map (pool, 7, 5, 0);
      free_payloads (inputs);
    }
  stop_pool (pool);
}

static gint64
get_cpu_time (void)
{
  struct rusage usage;

  g_assert_cmpint (getrusage (RUSAGE_SELF, &usage), ==, 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND + usage.ru_utime.tv_usec
         + usage.ru_stime.tv_usec;
}

/* CPU time of the workers too, in µs. */
static gint64
get_cpu_time_of (GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/schedstat", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  return g_ascii_strtoll (text, NULL, 10) / 1000;
}

static void
test_l3_no_busy_waiting (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  GVariant *inputs[2], **results;
  g_autoptr (GError) error = NULL;
  gint32 pids[2];
  gint64 host, workers[2];
  gsize n;

  g_test_summary ("Neither a map that waits nor an idle pool uses the processor");

  if (coproc_test_is_slow ())
    {
      g_test_skip ("the processor time is that of something else here");
      stop_pool (pool);
      return;
    }
  for (guint i = 0; i < 2; i++)
    inputs[i] = orders (0, "sleep", g_variant_new_int64 (20000), "want", g_variant_new_string ("pid"), NULL);
  results = coproc_worker_pool_map (pool, inputs, 2, 1, NULL, &n, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    pids[i] = g_variant_get_int32 (results[i]);
  free_payloads (results);
  g_assert_true (coproc_test_in_threads () || pids[0] != pids[1]);

  /* a map that waits: the host's part is looked at alone; threads look at the time each millisecond */
  host = get_cpu_time ();
  for (guint i = 0; i < 2; i++)
    inputs[i] = orders (0, "sleep", g_variant_new_int64 (400000), NULL);
  results = coproc_worker_pool_map (pool, inputs, 2, 1, NULL, &n, &error);
  g_assert_no_error (error);
  free_payloads (results);
  g_assert_cmpint (get_cpu_time () - host, <, coproc_test_in_threads () ? 150000 : 20000);

  /* an idle pool */
  host = get_cpu_time ();
  for (guint i = 0; i < 2; i++)
    workers[i] = get_cpu_time_of (pids[i]);
  g_usleep (400000); /* the time in which nothing may happen */
  g_assert_cmpint (get_cpu_time () - host, <, 10000);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (get_cpu_time_of (pids[i]) - workers[i], <, 10000);
  stop_pool (pool);
}

static void
test_l4_back_to_back (void)
{
  CoprocWorkerPool *pool = new_pool (3);

  g_test_summary ("A pool that has ended has ended, and can be started again at once");

  for (guint i = 0; i < coproc_test_scale (40); i++)
    {
      g_autoptr (GError) error = NULL;

      start_pool (pool);
      assert_map (pool, 0, 7, 0);
      g_assert_true (coproc_worker_pool_stop (pool, 10 * SECOND, &error));
    }
  coproc_test_finalize (pool);
}

static void
test_l5_channels (void)
{
  g_test_summary ("A message's channel is passed on, and comes back with the reply");
  test_messages ();
}

static void
test_l7_only_replies_count (void)
{
  CoprocWorkerPool *pool = new_pool_of ("chatty", 2);

  g_test_summary ("Messages that are no replies complete no task");

  start_pool (pool);
  for (guint i = 0; i < 20; i++)
    assert_map (pool, 0, 6, 0);
  assert_map (pool, 0, coproc_test_scale (5000), 0);
  stop_pool (pool);
}

static void
test_l8_completion_order (void)
{
  CoprocWorkerPool *pool = new_started_pool (3);
  const gint64 sleeps[] = { 600000, 300000, 10000, 10000 };
  GVariant *inputs[G_N_ELEMENTS (sleeps)];
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;
  const gint32 wanted[] = { 2, 3, 1, 0 };
  gint64 begin = g_get_monotonic_time ();

  g_test_summary ("Unordered results come as they are done, to the last one");

  for (guint i = 0; i < G_N_ELEMENTS (sleeps); i++)
    inputs[i] = orders ((gint32) i, "sleep", g_variant_new_int64 (sleeps[i]), NULL);
  operation = coproc_worker_pool_map_unordered (pool, inputs, G_N_ELEMENTS (sleeps), 1);
  for (guint i = 0; i < G_N_ELEMENTS (sleeps); i++)
    {
      gsize index;
      g_autoptr (GVariant) result G_GNUC_UNUSED = coproc_map_operation_next (operation, &index, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint ((gint32) index, ==, wanted[i]);
      if (i == 2 && !coproc_test_is_slow ())
        g_assert_cmpint (g_get_monotonic_time () - begin, <, 550000);
    }
  g_clear_object (&operation);
  stop_pool (pool);
}

typedef struct
{
  GVariant **next;
  GVariant **end;
} Rest;

static GVariant *
take_next (gpointer user_data)
{
  Rest *rest = user_data;

  return rest->next == rest->end ? NULL : g_variant_ref (*rest->next++);
}

static void
test_l9_errors (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  GVariant *inputs[10];
  Rest rest = { inputs, inputs + G_N_ELEMENTS (inputs) };
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;
  gint64 last_index;
  guint n_errors = 0;
  gsize n;

  g_test_summary ("Each error names its input and its worker, and none is lost");

  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    inputs[i] = g_variant_ref_sink (i % 3 == 1 ? orders ((gint32) i, "fail", g_variant_new_string ("so it goes"), NULL)
                                               : g_variant_new_int32 ((gint32) i));
  operation = coproc_worker_pool_map_ordered (pool, inputs, G_N_ELEMENTS (inputs), 0);
  g_object_get (operation, "last-index", &last_index, NULL);
  g_assert_cmpint (last_index, ==, -1);
  for (gint32 i = 0; i < (gint32) G_N_ELEMENTS (inputs); i++)
    {
      gsize index = 99;
      g_autoptr (GVariant) result = coproc_map_operation_next (operation, &index, NULL, &error);

      g_assert_cmpuint (index, ==, i);
      g_object_get (operation, "last-index", &last_index, NULL);
      g_assert_cmpint (last_index, ==, i);
      if (i % 3 == 1)
        {
          g_autofree char *begin = g_strdup_printf ("Item %d (worker ", i);

          g_assert_null (result);
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
          g_assert_true (g_str_has_prefix (error->message, begin));
          g_assert_true (g_str_has_suffix (error->message, "so it goes"));
          g_clear_error (&error);
          n_errors++;
        }
      else
        {
          g_assert_no_error (error);
          g_assert_cmpint (g_variant_get_int32 (result), ==, i * i);
        }
    }
  g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (get_figure (operation, "n-failed"), ==, n_errors);
  g_assert_cmpuint (get_figure (operation, "n-done"), ==, G_N_ELEMENTS (inputs));

  g_clear_object (&operation);
  /* nothing runs before the first next() */
  operation = coproc_worker_pool_map_lazy (pool, take_next, &rest, NULL, TRUE, 0);
  g_object_set (operation, "stop-on-error", TRUE, NULL);
  while (error == NULL)
    {
      g_autoptr (GVariant) result = coproc_map_operation_next (operation, NULL, NULL, &error);

      g_assert_true ((result == NULL) == (error != NULL));
    }
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (coproc_map_operation_next (operation, NULL, NULL, &error));
  g_assert_no_error (error);

  g_assert_null (coproc_worker_pool_map (pool, inputs, G_N_ELEMENTS (inputs), 0, NULL, &n, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpuint (n, ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    g_variant_unref (inputs[i]);
  g_clear_object (&operation);
  stop_pool (pool);
}

/* --- tasks --- */

static void
test_submit (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  CoprocTestResult results[50] = { { 0 } };
  g_autoptr (GError) error = NULL;

  for (gint32 i = 0; i < (gint32) G_N_ELEMENTS (results); i++)
    submit (pool, i == 20 ? orders (i, "fail", g_variant_new_string ("no"), NULL) : g_variant_new_int32 (i), 0, -1,
            NULL, &results[i]);
  for (gint32 i = 0; i < (gint32) G_N_ELEMENTS (results); i++)
    {
      g_autoptr (GVariant) value = finish_submit (pool, &results[i], &error);

      if (i == 20)
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
          g_assert_cmpstr (error->message, ==, "no");
          g_clear_error (&error);
          continue;
        }
      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (value), ==, i * i);
      g_assert_true (results[i].thread == g_thread_self ());
    }
  stop_pool (pool);
}

static void
test_priorities (void)
{
  CoprocWorkerPool *pool = new_started_pool (1);
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *log = g_build_filename (dir, "log", NULL);
  g_autofree char *go = g_build_filename (dir, "go", NULL);
  g_autofree char *begun = NULL;
  const double priorities[] = { 3, 1, 2, 1, G_MAXDOUBLE, -1, 1 };
  CoprocTestResult results[G_N_ELEMENTS (priorities) + 1] = { { 0 } };
  g_autoptr (GError) error = NULL;

  g_test_summary ("Lower goes first, and what is equal in its order; what has begun goes on");

  submit (pool, orders (10, "log", g_variant_new_string (log), "wait", g_variant_new_string (go), NULL), 9, -1, NULL,
          &results[0]);
  coproc_test_until (g_file_test (log, G_FILE_TEST_EXISTS));
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    submit (pool, orders ((gint32) i, "log", g_variant_new_string (log), NULL), priorities[i], -1, NULL,
            &results[i + 1]);
  g_assert_true (g_file_set_contents (go, "", 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    {
      g_variant_unref (finish_submit (pool, &results[i], &error));
      g_assert_no_error (error);
    }
  g_assert_true (g_file_get_contents (log, &begun, NULL, NULL));
  g_assert_cmpstr (begun, ==, "10\n5\n1\n3\n6\n2\n0\n4\n");
  g_assert_no_errno (g_remove (log));
  g_assert_no_errno (g_remove (go));
  g_assert_no_errno (g_rmdir (dir));
  stop_pool (pool);
}

static GVariant *
padded_orders (gint32 value, const char *wait)
{
  static const guint8 padding[900 << 10];
  GVariant *pad = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, padding, sizeof padding, 1);

  return wait != NULL ? orders (value, "pad", pad, "wait", g_variant_new_string (wait), NULL)
                      : orders (value, "pad", pad, NULL);
}

static void
test_large (void)
{
  enum { N = 64, BEHIND = 4 };
  CoprocWorkerPool *pool = new_started_pool (2);
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *go = g_build_filename (dir, "go", NULL);
  GVariant *inputs[N];
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A worker gets few large inputs at a time, however fast it was: only these wait behind a slow one");

  assert_map (pool, 0, coproc_test_scale (20000), 1);
  for (gint32 i = 0; i < N; i++)
    inputs[i] = padded_orders (i, i == 0 ? go : NULL);
  operation = coproc_worker_pool_map_unordered (pool, inputs, N, 1);
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (GVariant) result = NULL;
      gsize index;

      if (i == N - 1 - BEHIND)
        g_assert_true (g_file_set_contents (go, "", 0, NULL));
      result = coproc_map_operation_next (operation, &index, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (result), ==, (gint32) (index * index));
    }
  g_assert_no_errno (g_remove (go));
  g_assert_no_errno (g_rmdir (dir));
  g_clear_object (&operation);
  stop_pool (pool);
}

/* A task that ends when the others have. */
static void
run_beside_slow (CoprocWorkerPool *pool, guint n, guint chunk_size)
{
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *go = g_build_filename (dir, "go", NULL), *log = g_build_filename (dir, "log", NULL);
  g_autofree GVariant **inputs = g_new (GVariant *, n);
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *begun = NULL;
  g_auto (GStrv) lines = NULL;
  guint n_ahead = chunk_size > 1 ? n - chunk_size : n - 1;

  for (guint i = 0; i < n; i++)
    inputs[i] = i == 0 ? orders (0, "log", g_variant_new_string (log), "wait", g_variant_new_string (go), NULL)
                       : orders ((gint32) i, "log", g_variant_new_string (log), NULL);
  operation = coproc_worker_pool_map_unordered (pool, inputs, n, chunk_size);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GVariant) result = NULL;
      gsize index;

      if (i == n_ahead)
        g_assert_true (g_file_set_contents (go, "", 0, NULL));
      result = coproc_map_operation_next (operation, &index, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (result), ==, (gint32) (index * index));
    }
  g_assert_true (g_file_get_contents (log, &begun, NULL, NULL));
  lines = g_strsplit (begun, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, n + 1);
  g_assert_no_errno (g_remove (go));
  g_assert_no_errno (g_remove (log));
  g_assert_no_errno (g_rmdir (dir));
}

static void
test_behind_slow (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);

  g_test_summary ("What lies behind a slow task, and is not begun, is done by who has nothing to do; all of it once");

  for (guint round = 0; round < 5; round++)
    {
      assert_map (pool, 0, coproc_test_scale (20000), 1); /* so fast that many go to a worker at once */
      run_beside_slow (pool, 400, 1);
      run_beside_slow (pool, 400, 7);
    }
  stop_pool (pool);
}

static void
test_submit_refused (void)
{
  CoprocWorkerPool *pool = new_pool (1);
  CoprocTestResult result = { 0 }, first = { 0 }, second = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *large = g_strnfill (2 << 20, 'x');
  g_autofree char *dir = g_dir_make_tmp ("coproc-pool-XXXXXX", NULL);
  g_autofree char *begun = g_build_filename (dir, "begun", NULL);
  g_autoptr (GVariant) value = NULL;

  submit (pool, g_variant_new_int32 (1), 0, -1, NULL, &result);
  g_assert_null (finish_submit (pool, &result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  g_clear_error (&error);
  start_pool (pool);
  submit (pool, g_variant_new_int32 (1), 0.0 / 0.0, -1, NULL, &result);
  g_assert_null (finish_submit (pool, &result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY);
  g_clear_error (&error);
  submit (pool, g_variant_new_string (large), 0, -1, NULL, &result);
  g_assert_null (finish_submit (pool, &result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
  g_clear_error (&error);

  g_object_set (pool, "max-pending", 1, NULL);
  submit (pool, orders (0, "log", g_variant_new_string (begun), "sleep", g_variant_new_int64 (60 * SECOND), NULL), 0,
          -1, cancellable, &first);
  coproc_test_until (g_file_test (begun, G_FILE_TEST_EXISTS));
  submit (pool, g_variant_new_int32 (2), 0, -1, NULL, &second);
  submit (pool, g_variant_new_int32 (3), 0, -1, NULL, &result);
  g_assert_null (finish_submit (pool, &result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  g_assert_null (finish_submit (pool, &first, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  value = finish_submit (pool, &second, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (value), ==, 4);
  g_assert_no_errno (g_remove (begun));
  g_assert_no_errno (g_rmdir (dir));
  stop_pool (pool);
}

/* --- threads --- */

static gpointer
map_in_thread (gpointer user_data)
{
  CoprocWorkerPool *pool = user_data;

  for (gint32 i = 0; i < 10; i++)
    assert_map (pool, 100 * i, 100, (guint) i % 3);
  return NULL;
}

static void
test_threads (void)
{
  CoprocWorkerPool *pool = new_started_pool (3);
  GThread *threads[4];
  GVariant **inputs = numbers (0, 200);
  g_autoptr (CoprocMapOperation) first = coproc_worker_pool_map_ordered (pool, inputs, 200, 0);
  g_autoptr (CoprocMapOperation) second = coproc_worker_pool_map_ordered (pool, inputs, 200, 0);

  g_test_summary ("Operations from several threads at once");

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("map", map_in_thread, pool);
  assert_all_of (second, 0, 200, TRUE);
  assert_all_of (first, 0, 200, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  free_payloads (inputs);
  g_clear_object (&first);
  g_clear_object (&second);
  stop_pool (pool);
}

static void
test_dropped_running (void)
{
  g_test_summary ("A pool that is dropped ends in the background");

  for (guint i = 0; i < 5; i++)
    coproc_test_finalize (new_started_pool (3));
}

static void
on_progress (CoprocWorkerPool *pool, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
test_progress (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  GVariant *inputs[200];
  g_autoptr (CoprocMapOperation) operation = NULL;
  gint64 begin = g_get_monotonic_time ();
  guint n_told = 0;

  g_test_summary ("Progress is told, and not too often");

  g_signal_connect (pool, "progress", G_CALLBACK (on_progress), &n_told);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    inputs[i] = orders ((gint32) i, "sleep", g_variant_new_int64 (2000), NULL);
  operation = coproc_worker_pool_map_unordered (pool, inputs, G_N_ELEMENTS (inputs), 1);
  coproc_test_until (get_figure (operation, "n-done") == G_N_ELEMENTS (inputs));
  coproc_test_until (n_told > 0 && g_get_monotonic_time () > begin + SECOND / 5);
  g_assert_cmpuint (n_told, >=, 2);
  g_assert_cmpuint (n_told, <=, (guint) ((g_get_monotonic_time () - begin) / (SECOND / 10)) + 2);
  g_assert_cmpuint (get_figure (pool, "n-done"), ==, G_N_ELEMENTS (inputs));
  g_clear_object (&operation);
  stop_pool (pool);
}

typedef struct
{
  guint n_told;
  guint64 n_done;      /* at each time, not fewer than before */
  gint64 told_at;
  guint n_hasty;       /* times that came too soon after the one before, the last one of all excepted */
  guint n_unknown;     /* times at which the end could not be foreseen */
} Progress;

static void
on_operation_progress (CoprocMapOperation *operation, gpointer user_data)
{
  Progress *self = user_data;
  const gint64 now = g_get_monotonic_time ();
  guint64 n_done, n_total;
  gint64 remaining;
  double rate;

  g_object_get (operation, "n-done", &n_done, "n-total", &n_total, "rate", &rate, "remaining-time", &remaining, NULL);
  g_assert_cmpuint (n_done, >=, self->n_done);
  g_assert_cmpuint (n_done, <=, n_total);
  g_assert_cmpfloat (rate, >=, 0);
  if (n_done == n_total)
    g_assert_cmpint (remaining, ==, 0);
  else
    {
      self->n_unknown += remaining < 0;
      self->n_hasty += self->n_told > 0 && now - self->told_at < SECOND / 20;
    }
  self->n_done = n_done;
  self->told_at = now;
  self->n_told++;
}

static void
test_operation_progress (void)
{
  enum { N = 300, TASK_US = 3000 };
  CoprocWorkerPool *pool = new_started_pool (2);
  GVariant *inputs[N];
  CoprocMapOperation *operation;
  Progress progress = { 0 };
  gint64 begin, elapsed;
  double rate, later;

  g_test_summary ("An operation tells how far it is, how fast it goes and when it will end");

  for (guint i = 0; i < N; i++)
    inputs[i] = orders ((gint32) i, "sleep", g_variant_new_int64 (TASK_US), NULL);
  begin = g_get_monotonic_time ();
  operation = coproc_worker_pool_map_ordered (pool, inputs, N, 1);
  g_signal_connect (operation, "progress", G_CALLBACK (on_operation_progress), &progress);
  coproc_test_until (progress.n_done > N / 2);
  g_object_get (operation, "rate", &rate, NULL);
  g_assert_cmpfloat (rate, >, 0);
  g_assert_cmpfloat (rate, <=, 2.1 * SECOND / TASK_US);
  coproc_test_until (progress.n_done == N);
  elapsed = g_get_monotonic_time () - begin;

  g_assert_cmpuint (progress.n_told, >=, 3);
  g_assert_cmpuint (progress.n_told, <=, (guint) (elapsed / (SECOND / 10)) + 3);
  g_assert_cmpuint (progress.n_hasty, <=, progress.n_told / 2); /* the context may come late, and once more in time */
  g_assert_cmpuint (progress.n_unknown, <=, 1);
  g_object_get (operation, "rate", &rate, NULL);
  g_assert_cmpfloat (rate, >=, N * (double) SECOND / elapsed / 10);
  g_assert_cmpfloat (rate, <=, 2.1 * SECOND / TASK_US);

  /* an operation that has ended stays as it is */
  assert_map (pool, 0, 1000, 0);
  g_object_get (operation, "rate", &later, NULL);
  g_assert_true (rate == later);
  coproc_test_finalize (operation);
  stop_pool (pool);
}

static void
test_lazy_progress (void)
{
  CoprocWorkerPool *pool = new_started_pool (2);
  Generator generator = { .n = 100, .thread = g_thread_self () };
  CoprocMapOperation *operation = coproc_worker_pool_map_lazy (pool, generate, &generator, NULL, TRUE, 0);
  Progress progress = { 0 };
  gint64 remaining;

  g_test_summary ("Nobody knows the end of a lazy map before its last input");

  g_object_set (pool, "max-pending", 10, NULL);
  g_signal_connect (operation, "progress", G_CALLBACK (on_operation_progress), &progress);
  g_object_get (operation, "remaining-time", &remaining, NULL);
  g_assert_cmpint (remaining, ==, -1);
  for (gint32 i = 0; i < generator.n; i++)
    {
      g_variant_unref (coproc_map_operation_next (operation, NULL, NULL, NULL));
      if (i == generator.n / 2)
        g_object_get (operation, "remaining-time", &remaining, NULL);
    }
  g_assert_cmpint (remaining, ==, -1);
  g_assert_null (coproc_map_operation_next (operation, NULL, NULL, NULL));
  g_object_get (operation, "remaining-time", &remaining, NULL);
  g_assert_cmpint (remaining, ==, 0);
  coproc_test_until (progress.n_done == 100);
  coproc_test_finalize (operation);
  stop_pool (pool);
}

static void
test_command (gconstpointer data)
{
  g_autofree char *path = coproc_fault_path ("command-worker");
  const char *const argv[] = { path, NULL };
  CoprocWorkerPool *pool = coproc_worker_pool_new_for_command (argv, 3);
  GListModel *workers = coproc_worker_pool_get_workers (pool);
  g_autoptr (CoprocPoolWorker) victim = NULL;
  int pid;

  g_test_summary ("The workers may be programs: no chunks, but all else");

  start_pool (pool);
  for (guint round = 0; round < 2; round++)
    {
      GVariant **inputs = numbers (0, 500);
      g_autoptr (CoprocMapOperation) operation = coproc_worker_pool_map_ordered (pool, inputs, 500, round * 7);
      g_autoptr (CoprocMapOperation) broadcast = coproc_worker_pool_broadcast (pool, g_variant_new_string ("all"));
      g_autoptr (GError) error = NULL;

      for (gint32 i = 0; i < 500; i++)
        {
          g_autoptr (GVariant) result = coproc_map_operation_next (operation, NULL, NULL, &error);

          g_assert_no_error (error);
          g_assert_cmpint (g_variant_get_int32 (result), ==, i); /* it gives back what it gets */
        }
      for (gint32 i = 0; i < 3; i++)
        {
          g_autoptr (GVariant) reply = coproc_map_operation_next (broadcast, NULL, NULL, &error);

          g_assert_no_error (error);
          g_assert_cmpstr (g_variant_get_string (reply, NULL), ==, "all");
        }
      free_payloads (inputs);

      if (round == 0)
        {
          coproc_test_until (g_list_model_get_n_items (workers) == 3);
          victim = g_list_model_get_item (workers, 1);
          g_object_get (victim, "pid", &pid, NULL);
          g_assert_no_errno (kill (pid, SIGKILL));
        }
    }
  stop_pool (pool);
}

static void
test_command_fails (gconstpointer data)
{
  static const char *const commands[][2] = { { "/nonexistent/program", NULL }, { "/bin/true", NULL } };

  g_test_summary ("A program that cannot be run, or does not connect, is start()'s error");

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      CoprocWorkerPool *pool = coproc_worker_pool_new_for_command (commands[i], 2);
      g_autoptr (GError) error = NULL;

      g_assert_false (coproc_worker_pool_start (pool, NULL, NULL, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, commands[i][0]));
      g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_FAILED);
      coproc_test_finalize (pool);
    }
}

static gboolean
square_forever (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  for (;;)
    {
      g_autoptr (GVariant) input = coproc_messenger_receive_blocking (messenger, NULL, NULL, error);
      gint32 value;

      if (input == NULL)
        return FALSE;
      g_atomic_int_inc ((int *) user_data);
      value = g_variant_get_int32 (input);
      if (!coproc_messenger_send_reply (messenger, g_variant_new_int32 (value * value), NULL, error))
        return FALSE;
    }
}

static void
test_function (void)
{
  int n_calls = 0;
  g_autoptr (CoprocWorkerResource) model
      = coproc_worker_resource_new_for_function (square_forever, &n_calls, NULL);
  CoprocWorkerPool *pool = coproc_worker_pool_new_for_model (model, 2);

  g_test_summary ("The workers may be threads that run a function of the application");

  start_pool (pool);
  assert_map (pool, 0, 1000, 0);
  stop_pool (pool);
  g_assert_cmpint (n_calls, ==, 1000);
}

static GVariant *
new_bytes (gsize size, gint64 n)
{
  guint8 *data = g_malloc0 (size);

  /* the task takes eight bytes for a time, which is none */
  memcpy (data + 8, &n, sizeof n);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

static void
test_by_reference (void)
{
  CoprocWorkerPool *pool = new_pool_of ("spin", 2);
  GVariant *inputs[200], **results;
  g_autoptr (GError) error = NULL;
  gsize n;

  g_test_summary ("Large inputs go in chunks, too; threads get, and give back, the very same");

  start_pool (pool);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    inputs[i] = g_variant_ref_sink (new_bytes (i % 7 == 0 ? 300000 : 65536, i));
  results = coproc_worker_pool_map (pool, inputs, G_N_ELEMENTS (inputs), 0, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (inputs));
  for (guint i = 0; i < n; i++)
    {
      g_assert_true (g_variant_equal (results[i], inputs[i]));
      if (coproc_test_in_threads ())
        g_assert_true (results[i] == inputs[i]);
      g_variant_unref (results[i]);
      g_variant_unref (inputs[i]);
    }
  g_free (results);
  stop_pool (pool);
}

int
main (int argc, char *argv[])
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/pool/lifecycle", test_lifecycle);
  coproc_test_add ("/coproc/pool/start-async", test_start_async);
  coproc_test_add ("/coproc/pool/start-fails", test_start_fails);
  coproc_test_add ("/coproc/pool/start-cancelled", test_start_cancelled);
  coproc_test_add ("/coproc/pool/arguments", test_arguments);
  coproc_test_add ("/coproc/pool/l1-few-inputs", test_l1_few_inputs);
  coproc_test_add ("/coproc/pool/many", test_many);
  coproc_test_add ("/coproc/pool/by-reference", test_by_reference);
  coproc_test_add ("/coproc/pool/operations", test_operations);
  coproc_test_add ("/coproc/pool/lazy", test_lazy);
  coproc_test_add ("/coproc/pool/next-async", test_next_async);
  coproc_test_add ("/coproc/pool/l2-abandoned", test_l2_abandoned);
  coproc_test_add ("/coproc/pool/l3-no-busy-waiting", test_l3_no_busy_waiting);
  coproc_test_add ("/coproc/pool/l4-back-to-back", test_l4_back_to_back);
  coproc_test_add ("/coproc/pool/l5-channels", test_l5_channels);
  coproc_test_add ("/coproc/pool/l7-only-replies-count", test_l7_only_replies_count);
  coproc_test_add ("/coproc/pool/l8-completion-order", test_l8_completion_order);
  coproc_test_add ("/coproc/pool/l9-errors", test_l9_errors);
  coproc_test_add ("/coproc/pool/submit", test_submit);
  coproc_test_add ("/coproc/pool/priorities", test_priorities);
  coproc_test_add ("/coproc/pool/large", test_large);
  coproc_test_add ("/coproc/pool/behind-slow", test_behind_slow);
  coproc_test_add ("/coproc/pool/submit-refused", test_submit_refused);
  coproc_test_add ("/coproc/pool/threads", test_threads);
  coproc_test_add ("/coproc/pool/dropped-running", test_dropped_running);
  coproc_test_add ("/coproc/pool/progress", test_progress);
  coproc_test_add ("/coproc/pool/operation-progress", test_operation_progress);
  coproc_test_add ("/coproc/pool/lazy-progress", test_lazy_progress);
  coproc_test_add ("/coproc/pool/function", test_function);
  coproc_test_add_for_processes ("/coproc/pool/command", NULL, test_command);
  coproc_test_add_for_processes ("/coproc/pool/command-fails", NULL, test_command_fails);

  return g_test_run ();
}
