/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker's surroundings, its tasks, its asynchronous calls and its bad ends.
 */
#include "worker-util.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC

/* --- surroundings --- */

static void
test_arguments (void)
{
  const char *environment[] = { "LIFECYCLE=set", NULL };
  CoprocWorkerResource *worker = new_worker ("arguments");
  g_autoptr (GVariant) sent
      = g_variant_ref_sink (one_argument ("number", g_variant_new_int64 (-7)));
  g_autoptr (GVariant) received = NULL;
  g_autoptr (GVariant) surroundings = NULL;
  g_autoptr (GError) error = NULL;
  const char *cwd, *variable;

  g_object_set (worker, "environment", environment, "working-directory", "/", NULL);
  start_worker (worker, sent);
  received = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL,
                                                NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_equal (received, sent));
  surroundings = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker),
                                                    "surroundings", NULL, &error);
  g_assert_no_error (error);
  g_variant_get (surroundings, "(&s&s)", &cwd, &variable);
  g_assert_cmpstr (cwd, ==, "/");
  g_assert_cmpstr (variable, ==, "set");
  assert_stop (worker, 10 * SECOND);

  start_worker (worker, NULL);
  await_message (worker, "none");
  assert_stop (worker, 10 * SECOND);
  coproc_test_finalize (worker);
}

static void
test_discipline (void)
{
  GType types[]
      = { COPROC_TYPE_MULTI_MESSENGER, COPROC_TYPE_PRIORITY_MESSENGER, COPROC_TYPE_MESSENGER };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      CoprocWorkerResource *worker = new_worker ("clean");

      g_object_set (worker, "messenger-type", types[i], NULL);
      start_worker (worker, NULL);
      g_assert_true (G_OBJECT_TYPE (coproc_worker_resource_get_messenger (worker)) == types[i]);
      assert_call (worker, "typed");
      assert_stop (worker, 10 * SECOND);
      coproc_test_finalize (worker);
    }
}

/* --- tasks --- */

static void
test_task (void)
{
  CoprocWorkerResource *worker = new_started ("answer");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("fail"), "a", 60 * SECOND,
                                        NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("nothing"), "b",
                                        60 * SECOND, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER);
  g_clear_error (&error);
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_int32 (1), NULL, 60 * SECOND, NULL,
                                        &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
  g_clear_error (&error);

  /* A task hears that nobody waits any more, or it would not answer the next one. */
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("wait"), NULL, SECOND / 10,
                                        NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_clear_error (&error);
  assert_call (worker, "next");

  /* What fails without being a request is told to whoever receives. */
  g_assert_true (
      coproc_messenger_send_norequest (messenger, g_variant_new_string ("fail"), NULL, &error));
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_stop (worker, 10 * SECOND);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  coproc_test_finalize (worker);
}

static void
test_task_finishes (void)
{
  CoprocWorkerResource *worker = new_started ("answer");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  g_autoptr (GError) error = NULL;
  guint n = 0;

  g_test_summary ("A task that is asked to end first answers what was asked before");

  for (guint i = 0; i < 200; i++)
    g_assert_true (
        coproc_messenger_send_request (messenger, g_variant_new_string ("x"), NULL, NULL));
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
  g_assert_no_error (error);
  while (TRUE)
    {
      g_autoptr (GVariant) reply
          = coproc_messenger_receive_remaining (messenger, NULL, NULL, &error);

      g_assert_no_error (error);
      if (reply == NULL)
        break;
      n++;
    }
  g_assert_cmpuint (n, ==, 200);
  coproc_test_finalize (worker);
}

static void
test_silent_failure (void)
{
  CoprocWorkerResource *worker = new_started ("fail-silently");
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker),
                                                    NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER);
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, NULL));
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 1);
  coproc_test_finalize (worker);
}

/* --- asynchronous calls --- */

static void
test_async (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");
  CoprocTestResult start = { 0 }, again = { 0 }, join = { 0 }, stop = { 0 }, joined = { 0 };
  g_autoptr (GError) error = NULL;

  coproc_worker_resource_start_async (worker, NULL, NULL, coproc_test_result_store, &start);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_STARTING);
  coproc_worker_resource_start_async (worker, NULL, NULL, coproc_test_result_store, &again);
  g_assert_false (
      coproc_worker_resource_start_finish (worker, coproc_test_result_wait (&again), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE);
  g_clear_error (&error);
  g_assert_true (
      coproc_worker_resource_start_finish (worker, coproc_test_result_wait (&start), &error));
  g_assert_no_error (error);
  g_assert_true (start.thread == g_thread_self ());
  assert_call (worker, "async");

  coproc_worker_resource_join_async (worker, 60 * SECOND, NULL, coproc_test_result_store, &join);
  coproc_worker_resource_stop_async (worker, 10 * SECOND, NULL, coproc_test_result_store, &stop);
  g_assert_cmpuint (join.n_calls + stop.n_calls, ==, 0);
  g_assert_true (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&join), &error));
  g_assert_no_error (error);
  g_assert_true (
      coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&stop), &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  coproc_worker_resource_join_async (worker, 0, NULL, coproc_test_result_store, &joined);
  g_assert_true (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&joined), &error));
  g_assert_no_error (error);

  coproc_test_result_clear (&start);
  coproc_test_result_clear (&again);
  coproc_test_result_clear (&join);
  coproc_test_result_clear (&stop);
  coproc_test_result_clear (&joined);
  coproc_test_finalize (worker);
}

static void
test_async_ends (void)
{
  CoprocWorkerResource *worker = new_worker ("stubborn");
  CoprocTestResult timed = { 0 }, cancelled = { 0 }, never = { 0 }, stop = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait ends by its time or its cancellation, and the worker runs on");

  coproc_worker_resource_join_async (worker, -1, NULL, coproc_test_result_store, &never);
  g_assert_false (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&never), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  g_clear_error (&error);

  start_worker (worker, NULL);
  await_message (worker, "ready");
  g_assert_false (coproc_worker_resource_join (worker, 20000, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_RUNNING);
  coproc_worker_resource_join_async (worker, 20000, NULL, coproc_test_result_store, &timed);
  coproc_worker_resource_join_async (worker, -1, cancellable, coproc_test_result_store, &cancelled);
  g_assert_false (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&timed), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_cmpuint (cancelled.n_calls, ==, 0);
  g_cancellable_cancel (cancellable);
  g_assert_false (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&cancelled), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (coproc_worker_resource_join (worker, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_true (coproc_worker_resource_is_alive (worker));

  /* The wait keeps the worker, which is dropped in the middle of it. */
  coproc_worker_resource_stop_async (worker, 50000, NULL, coproc_test_result_store, &stop);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_STOPPING);
  g_object_unref (worker);
  g_assert_true (
      coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&stop), &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);

  coproc_test_result_clear (&timed);
  coproc_test_result_clear (&cancelled);
  coproc_test_result_clear (&never);
  coproc_test_result_clear (&stop);
}

/* --- starts that are broken off --- */

static void
test_start_cancelled (void)
{
  g_autofree char *path = coproc_fault_path ("plugins/ctor-hang.so");
  CoprocWorkerResource *worker = coproc_worker_resource_new (path, "broken");
  CoprocTestResult start = { 0 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  coproc_worker_resource_start_async (worker, NULL, cancellable, coproc_test_result_store, &start);
  coproc_test_until (coproc_worker_resource_get_pid (worker) != 0);
  g_cancellable_cancel (cancellable);
  g_assert_false (
      coproc_worker_resource_start_finish (worker, coproc_test_result_wait (&start), &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_FAILED);

  g_assert_false (coproc_worker_resource_start (worker, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  coproc_test_result_clear (&start);
  coproc_test_finalize (worker);
}

static void
test_start_stopped (void)
{
  g_autofree char *path = coproc_fault_path ("plugins/ctor-hang.so");
  CoprocWorkerResource *worker = coproc_worker_resource_new (path, "broken");
  CoprocTestResult start = { 0 };
  g_autoptr (GError) error = NULL;

  coproc_worker_resource_start_async (worker, NULL, NULL, coproc_test_result_store, &start);
  coproc_test_until (coproc_worker_resource_get_pid (worker) != 0);
  assert_stop (worker, 20000);
  g_assert_false (
      coproc_worker_resource_start_finish (worker, coproc_test_result_wait (&start), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_FAILED);
  coproc_test_result_clear (&start);
  coproc_test_finalize (worker);
}

/* --- bad ends --- */

static void
test_cut (void)
{
  CoprocWorkerResource *worker = new_started ("cut");
  g_autoptr (GError) error = NULL;

  g_test_summary ("A worker that closes its connection and lives on is ended");

  g_assert_null (coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker),
                                                    NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "signal TERM"));
  g_assert_nonnull (strstr (error->message, "closed its connection"));
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, NULL));
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGTERM);
  coproc_test_finalize (worker);
}

static void
test_garbage (void)
{
  CoprocWorkerResource *worker = new_worker ("garble");
  CoprocMessenger *messenger;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A worker that breaks the protocol is killed, and the reason is told");

  g_object_set (worker, "transport", COPROC_TRANSPORT_PIPE, NULL); /* it writes to the pipe */
  start_worker (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);

  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_true (error->domain == COPROC_ERROR);
  g_assert_true (error->code == COPROC_ERROR_PROTOCOL || error->code == COPROC_ERROR_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "killed"));
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, NULL));
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
  g_assert_true (coproc_messenger_get_closed (messenger));
  coproc_test_finalize (worker);
}

static void
test_grandchild (void)
{
  CoprocWorkerResource *worker = new_worker ("daemon");
  CoprocMessenger *messenger;
  g_autoptr (GVariant) pid = NULL;
  g_autoptr (GError) error = NULL;
  gint64 before = g_get_monotonic_time ();
  GPid worker_pid;

  g_test_summary ("A death is told although a grandchild holds the connection; it goes, too");

  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  start_worker (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  g_object_get (messenger, "peer-pid", &worker_pid, NULL); /* the worker's own is gone with its end */
  pid = coproc_messenger_receive_blocking (messenger, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  coproc_fault_assert_died (error, worker_pid, "exit code 3");
  if (!coproc_test_is_slow ())
    g_assert_cmpint (g_get_monotonic_time () - before, <, SECOND);
  coproc_test_until (coproc_fault_is_gone (g_variant_get_int32 (pid)));
  coproc_test_finalize (worker);
}

static void
test_sigchld_ignored (void)
{
  g_test_summary ("B8: where SIGCHLD is ignored the end is seen, and its status is unknown");

  if (g_test_subprocess ())
    {
      CoprocWorkerResource *worker;
      Exited exited = { 0 };

      signal (SIGCHLD, SIG_IGN);
      worker = new_started ("clean");
      g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &exited);
      assert_call (worker, "hello");
      assert_stop (worker, 10 * SECOND);
      g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, -1);
      g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, 0);
      coproc_test_until (exited.n == 1);
      g_assert_true (signal (SIGCHLD, SIG_DFL) == SIG_IGN);
      coproc_test_finalize (worker);
      return;
    }
  g_test_trap_subprocess (NULL, 60 * SECOND, 0);
  g_test_trap_assert_passed ();
}

static const Scenario scenarios[] = {
  { "/coproc/worker/arguments", test_arguments, TRUE },
  { "/coproc/worker/messenger-type", test_discipline },
  { "/coproc/worker/task/results", test_task },
  { "/coproc/worker/task/finishes", test_task_finishes },
  { "/coproc/worker/silent-failure", test_silent_failure },
  { "/coproc/worker/async/calls", test_async },
  { "/coproc/worker/async/ends", test_async_ends, TRUE },
  { "/coproc/worker/start/cancelled", test_start_cancelled, TRUE },
  { "/coproc/worker/start/stopped", test_start_stopped, TRUE },
  { "/coproc/worker/end/cut", test_cut, TRUE },
  { "/coproc/worker/end/garbage", test_garbage, TRUE },
  { "/coproc/worker/end/grandchild", test_grandchild, TRUE },
  { "/coproc/worker/end/sigchld-ignored", test_sigchld_ignored, TRUE },
};

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  add_scenarios (scenarios, G_N_ELEMENTS (scenarios));
  return g_test_run ();
}
