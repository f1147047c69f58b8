/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The life of a worker. The cases w1 to w14, some of them in test-worker-end.c, are the defects of
 * the model that must not come back.
 */
#include "worker-util.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC

static void
on_state (CoprocWorkerResource *worker, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
test_lifecycle (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");
  CoprocMessenger *first, *second;
  Exited exited = { 0 };
  guint n_states = 0;

  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &exited);
  g_signal_connect (worker, "notify::state", G_CALLBACK (on_state), &n_states);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_NEW);
  g_assert_null (coproc_worker_resource_get_messenger (worker));
  g_assert_cmpint (coproc_worker_resource_get_pid (worker), ==, 0);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, -1);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, 0);

  start_worker (worker, NULL);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_RUNNING);
  g_assert_true (coproc_worker_resource_is_alive (worker));
  g_assert_true ((coproc_worker_resource_get_pid (worker) == 0) == coproc_test_in_threads ());
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, -1);
  assert_call (worker, "hello");
  first = g_object_ref (coproc_worker_resource_get_messenger (worker));
  assert_stop (worker, 10 * SECOND);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_EXITED);
  g_assert_cmpint (coproc_worker_resource_get_pid (worker), ==, 0);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, 0);
  coproc_test_until (exited.n == 1 && n_states >= 3);
  g_assert_cmpint (exited.status, ==, 0);
  g_assert_true (exited.thread == g_thread_self ());

  start_worker (worker, NULL);
  second = coproc_worker_resource_get_messenger (worker);
  g_assert_true (first != second);
  g_assert_cmpuint (coproc_messenger_requests_sent (second, NULL), ==, 0);
  assert_call (worker, "again");
  assert_stop (worker, 10 * SECOND);
  coproc_test_until (exited.n == 2);
  g_object_unref (first);
  coproc_test_finalize (worker);
}

static void
test_w1_clean_up (void)
{
  g_autofree char *dir = g_dir_make_tmp ("coproc-worker-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "left-behind", NULL);

  g_test_summary ("A worker that is stopped gets to clean up");

  for (guint i = 0; i < 20; i++)
    {
      CoprocWorkerResource *worker = new_worker ("clean");
      g_autofree char *text = NULL;

      start_worker (worker, one_argument ("path", g_variant_new_string (path)));
      assert_stop (worker, 10 * SECOND);
      g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
      g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
      g_assert_cmpstr (text, ==, "clean");
      g_assert_no_errno (g_remove (path));
      coproc_test_finalize (worker);
    }
  g_assert_no_errno (g_rmdir (dir));
}

static void
test_w2_stop_waits (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");

  g_test_summary ("When stop() or terminate() returns the worker is gone and can be started again");

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (GError) error = NULL;
      GPid pid;

      start_worker (worker, NULL);
      pid = coproc_worker_resource_get_pid (worker);
      g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE);
      g_clear_error (&error);
      if (i % 2 == 0)
        assert_stop (worker, 10 * SECOND);
      else
        g_assert_true (coproc_worker_resource_terminate (worker, &error));
      g_assert_no_error (error);
      g_assert_true (pid == 0 || coproc_fault_is_gone (pid));
    }
  coproc_test_finalize (worker);
}

static void
test_w3_join_keeps_replies (void)
{
  CoprocWorkerResource *worker = new_started ("last-words");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) bulk = NULL;

  g_test_summary ("What a worker says before it ends is there after the join");

  for (guint i = 0; i < 5; i++)
    g_assert_true (coproc_messenger_send_request (messenger, g_variant_new_uint32 (i), NULL, NULL));
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (GVariant) reply
          = coproc_messenger_receive_remaining (messenger, NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (reply), ==, i);
    }
  g_assert_cmpuint (coproc_messenger_remaining (messenger, NULL), ==, 0);
  bulk = coproc_messenger_receive_blocking (messenger, "bulk", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_size (bulk), ==, 1 << 20);
  g_assert_null (coproc_messenger_receive_blocking (messenger, "bulk", NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  coproc_test_finalize (worker);
}

static void
test_w3_join_keeps_errors (void)
{
  CoprocWorkerResource *worker = new_started ("fail");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A join does not raise what waits to be raised, and does not lose it");

  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 1);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_clear_error (&error);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  coproc_test_finalize (worker);
}

static void
test_w4_join_after_end (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");
  g_autoptr (GError) error = NULL;

  g_test_summary ("A worker that has ended can be joined, also one that is just ending");

  g_assert_false (coproc_worker_resource_join (worker, -1, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  g_clear_error (&error);

  for (guint i = 0; i < 20; i++)
    {
      CoprocMessenger *messenger;

      start_worker (worker, NULL);
      messenger = coproc_worker_resource_get_messenger (worker);
      g_assert_true (coproc_messenger_send_close_request (messenger, NULL));
      if (i % 2 == 0)
        coproc_test_until (!coproc_worker_resource_is_alive (worker));
      g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (coproc_worker_resource_join (worker, 0, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
    }
  coproc_test_finalize (worker);
}

/* The pipes that a process has open, as the links in /proc say. */
static GHashTable *
list_pipes (GPid pid)
{
  GHashTable *pipes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", (int) pid);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *link = g_build_filename (path, name, NULL);
      g_autofree char *target = g_file_read_link (link, NULL);

      if (target != NULL && g_str_has_prefix (target, "pipe:"))
        g_hash_table_add (pipes, g_steal_pointer (&target));
    }
  return pipes;
}

static void
test_w9_no_inheritance (void)
{
  CoprocWorkerResource *workers[3];
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  int fds[2];


  g_test_summary ("A worker has its own pipes and nothing else of the host or of another worker");

  g_assert_no_errno (pipe (fds)); /* inheritable, as careless programs have them */
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    workers[i] = new_started ("clean");
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    {
      g_autoptr (GHashTable) pipes = list_pipes (coproc_worker_resource_get_pid (workers[i]));
      GHashTableIter iter;
      gpointer key;

      g_assert_cmpuint (g_hash_table_size (pipes), ==, 3); /* in, out, stderr */
      g_hash_table_iter_init (&iter, pipes);
      while (g_hash_table_iter_next (&iter, &key, NULL))
        g_assert_true (g_hash_table_add (seen, g_strdup (key)));
    }
  for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
    {
      assert_stop (workers[i], 10 * SECOND);
      coproc_test_finalize (workers[i]);
    }
  close (fds[0]);
  close (fds[1]);
}

static gpointer
start_many (gpointer data)
{
  for (guint i = 0; i < 15; i++)
    {
      CoprocWorkerResource *worker = new_started ("clean");

      assert_call (worker, "from a thread");
      assert_stop (worker, 20 * SECOND);
      g_object_unref (worker);
    }
  return NULL;
}

static void
test_w10_threads (void)
{
  GThread *threads[4];

  g_test_summary ("Workers are started by many threads at once; no lock of the host is theirs");

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("starter", start_many, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_w11_start_fails (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *large = g_malloc0 ((1 << 20) + 1);


  g_test_summary (
      "Arguments that cannot be are start()'s error, and the worker can be started after it");

  g_assert_false (coproc_worker_resource_start (worker, g_variant_new_string ("no"), NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
  g_clear_error (&error);
  g_assert_false (coproc_worker_resource_start (
      worker,
      one_argument ("large",
                    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, large, (1 << 20) + 1, 1)),
      NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
  g_clear_error (&error);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_NEW);

  g_object_set (worker, "working-directory", "/nowhere/at all", NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, "/nowhere/at all"));
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_FAILED);

  g_object_set (worker, "working-directory", NULL, NULL);
  start_worker (worker, NULL);
  assert_call (worker, "after all");
  assert_stop (worker, 10 * SECOND);
  coproc_test_finalize (worker);
}

static void
test_w14_start_cost (void)
{
  gint64 best = G_MAXINT64;

  g_test_summary ("From the start to the first reply it takes less than the model's 9.3 ms");

  for (guint i = 0; i < 20; i++)
    {
      CoprocWorkerResource *worker = new_worker ("clean");
      const gint64 begun = g_get_monotonic_time ();

      start_worker (worker, NULL);
      assert_call (worker, "started");
      best = MIN (best, g_get_monotonic_time () - begun);
      assert_stop (worker, 10 * SECOND);
      coproc_test_finalize (worker);
    }
  g_assert_cmpint (best, <, coproc_fault_limit (9300));
}

/* Sends @size bytes there and back as the first message; *reply_size is 0 when it is refused. */
static void
echo_bytes (gsize max, gsize size, gsize *reply_size, GError **error)
{
  CoprocWorkerResource *worker = new_worker ("clean");
  g_autofree char *data = g_malloc0 (size);
  g_autoptr (GVariant) reply = NULL;

  *reply_size = 0;
  if (max > 0)
    g_object_set (worker, "max-message-size", (guint64) max, NULL);
  start_worker (worker, NULL);
  reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                 g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1), NULL,
                                 60 * G_USEC_PER_SEC, NULL, error);
  if (reply != NULL)
    *reply_size = g_variant_get_size (reply);
  assert_stop (worker, 10 * SECOND);
  coproc_test_finalize (worker);
}

static void
test_max_message_size (void)
{
  const gsize limit = 16u << 20, wider = 20u << 20;
  GError *error = NULL;
  gsize size;

  g_test_summary ("Both ends take what the worker was told to take, from the first message on");

  echo_bytes (0, limit, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, limit);
  echo_bytes (0, limit + 1, &size, &error);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
  g_clear_error (&error);
  echo_bytes (wider, wider - 1, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, wider - 1);
  echo_bytes (wider, wider, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, wider);
  echo_bytes (wider, wider + 1, &size, &error);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
  g_clear_error (&error);
}

static const Scenario scenarios[] = {
  { "/coproc/worker/lifecycle", test_lifecycle },
  { "/coproc/worker/max-message-size", test_max_message_size },
  { "/coproc/worker/w1-clean-up", test_w1_clean_up },
  { "/coproc/worker/w2-stop-waits", test_w2_stop_waits },
  { "/coproc/worker/w3-join-keeps-replies", test_w3_join_keeps_replies },
  { "/coproc/worker/w3-join-keeps-errors", test_w3_join_keeps_errors },
  { "/coproc/worker/w4-join-after-end", test_w4_join_after_end },
  { "/coproc/worker/w9-no-inheritance", test_w9_no_inheritance, TRUE },
  { "/coproc/worker/w10-threads", test_w10_threads },
  { "/coproc/worker/w11-start-fails", test_w11_start_fails, TRUE },
  { "/coproc/worker/w14-start-cost", test_w14_start_cost },
};

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  add_scenarios (scenarios, G_N_ELEMENTS (scenarios));
  return g_test_run ();
}
