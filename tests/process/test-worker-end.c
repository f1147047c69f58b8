/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The ways in which a worker ends. The cases w5 to w13 are defects of the model that must not come
 * back; the others are in test-worker.c.
 */
#include "worker-util.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SECOND G_USEC_PER_SEC

static void
test_w5_exited (void)
{
  static const struct
  {
    const char *key;
    int value;
    const char *text;
  } ends[] = {
    { "code", 3, "exit code 3" },       { "code", 0, "exit code 0" },
    { "signal", SIGSEGV, "signal SEGV" }, { "signal", SIGABRT, "signal ABRT" },
    { "signal", SIGKILL, "signal KILL, killed (possibly out of memory)" },
  };

  g_test_summary ("A death is told: by the failed call, with the last words, and by a signal");

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      CoprocWorkerResource *worker = new_worker ("die");
      gboolean by_signal = g_str_equal (ends[i].key, "signal");
      g_autofree char *pid = NULL;
      g_autoptr (GError) error = NULL;
      Exited exited = { 0 };

      g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
      g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &exited);
      start_worker (worker, one_argument (ends[i].key, g_variant_new_int32 (ends[i].value)));
      pid = g_strdup_printf ("Worker %d ", (int) coproc_worker_resource_get_pid (worker));
      g_assert_null (coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                            g_variant_new_string ("die"), NULL, 60 * SECOND, NULL,
                                            &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
      g_assert_nonnull (strstr (error->message, pid));
      g_assert_nonnull (strstr (error->message, ends[i].text));
      g_assert_nonnull (strstr (error->message, "while running"));
      g_assert_nonnull (strstr (error->message, "these are the last words"));
      coproc_test_until (exited.n == 1);
      g_assert_cmpint (exited.status, ==, by_signal ? -1 : ends[i].value);
      g_assert_cmpint (exited.signum, ==, by_signal ? ends[i].value : 0);
      g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, exited.status);
      g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, exited.signum);
      coproc_test_finalize (worker);
    }
}

static void
test_w6_host_death (void)
{
  static const char *const ends[] = { "kill", "exit" };
  g_autofree char *host = coproc_fault_path ("fault-host");
  g_autofree char *plugin = coproc_fault_path ("plugins/hostile.so");

  g_test_summary ("No worker outlives its host, busy or not");

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      char *argv[] = { host, plugin, (char *) "4", (char *) ends[i], NULL };
      g_autofree char *output = NULL;
      g_auto (GStrv) pids = NULL;
      g_autoptr (GError) error = NULL;

      g_spawn_sync (NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL, NULL,
                    &error);
      g_assert_no_error (error);
      pids = g_strsplit (g_strstrip (output), " ", -1);
      g_assert_cmpuint (g_strv_length (pids), ==, 4);
      for (guint j = 0; j < 4; j++)
        coproc_test_until_ms (2000, coproc_fault_is_gone (atoi (pids[j])));
    }
}

static void
test_w7_drop (void)
{
  CoprocWorkerResource *worker = new_started ("clean");
  CoprocWorkerResource *stubborn = new_started ("stubborn");
  GPid pid = coproc_worker_resource_get_pid (worker);
  GPid stubborn_pid = coproc_worker_resource_get_pid (stubborn);
  CoprocMessenger *messenger = g_object_ref (coproc_worker_resource_get_messenger (worker));
  g_autoptr (GError) error = NULL;
  gint64 before;

  g_test_summary ("Dropping the last reference ends the worker, without waiting for it");

  await_message (stubborn, "ready");
  before = g_get_monotonic_time ();
  coproc_test_finalize (stubborn);
  coproc_test_finalize (worker);
  if (!coproc_test_is_slow ())
    g_assert_cmpint (g_get_monotonic_time () - before, <, 150000);
  coproc_test_until (coproc_fault_is_gone (pid));
  coproc_test_until (coproc_fault_is_gone (stubborn_pid));

  /* A messenger that somebody keeps is closed. */
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  g_object_unref (messenger);
}

static void
test_w8_escalates (void)
{
  CoprocWorkerResource *worker = new_worker ("stubborn");
  g_autoptr (GError) error = NULL;
  gint64 before, took;

  g_test_summary ("A worker that ignores the close request and SIGTERM is killed");

  start_worker (worker, NULL);
  await_message (worker, "ready");
  before = g_get_monotonic_time ();
  assert_stop (worker, 150000);
  took = g_get_monotonic_time () - before;
  g_assert_cmpint (took, >=, 300000);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);

  start_worker (worker, NULL);
  await_message (worker, "ready");
  g_assert_true (coproc_worker_resource_terminate (worker, &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
  g_assert_false (coproc_worker_resource_terminate (worker, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE);
  coproc_test_finalize (worker);
}

/* From the outside, where there is one. */
static void
send_signal (CoprocWorkerResource *worker, int signum)
{
  if (!coproc_test_in_threads ())
    kill (coproc_worker_resource_get_pid (worker), signum);
}

static void
test_w12_teardown (void)
{
  CoprocWorkerResource *worker = new_worker ("clean");

  g_test_summary ("Ending a worker never fails, whatever has become of it");

  assert_stop (worker, 0);
  start_worker (worker, NULL);
  send_signal (worker, SIGKILL);
  assert_stop (worker, 10 * SECOND);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, coproc_test_in_threads () ? 0 : SIGKILL);
  assert_stop (worker, 10 * SECOND);

  start_worker (worker, NULL);
  g_object_run_dispose (G_OBJECT (worker));
  g_object_run_dispose (G_OBJECT (worker));
  assert_stop (worker, 0);
  coproc_test_finalize (worker);
}

static void
test_w13_close_is_normal (void)
{
  CoprocWorkerResource *worker = new_started ("clean");
  CoprocWorkerResource *task = new_started ("answer");

  g_test_summary ("A close request is a normal end, for workers and tasks; Ctrl-C is none");

  send_signal (worker, SIGINT);
  send_signal (task, SIGINT);
  assert_call (worker, "still here");
  assert_call (task, "still here");
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, NULL));
  g_assert_true (coproc_worker_resource_join (task, 60 * SECOND, NULL, NULL));
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (task), ==, 0);
  coproc_test_finalize (worker);
  coproc_test_finalize (task);
}

/* --- the signal and the waits --- */

typedef struct
{
  Exited exited;
  GCancellable *cancellable; /* (nullable) */
  CoprocTestResult result;
  guint n_exited;            /* when the call back came */
} End;

static void
on_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  End *self = user_data;

  self->n_exited = self->exited.n;
  coproc_test_result_store (source, result, &self->result);
}

static void
on_state (CoprocWorkerResource *worker, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

/* A worker that is to be killed, when all that has happened to it has been told. */
static CoprocWorkerResource *
new_told (End *end)
{
  CoprocWorkerResource *worker = new_worker ("stubborn");
  guint n_states = 0;

  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &end->exited);
  g_signal_connect (worker, "notify::state", G_CALLBACK (on_state), &n_states);
  start_worker (worker, NULL);
  await_message (worker, "ready");
  coproc_test_until (n_states == 2);
  g_signal_handlers_disconnect_by_data (worker, &n_states);

  return worker;
}

static void
test_exited_before_join (void)
{
  End end = { 0 };
  CoprocWorkerResource *worker = new_told (&end);
  g_autoptr (GError) error = NULL;

  coproc_worker_resource_join_async (worker, -1, NULL, on_end, &end);
  kill (coproc_worker_resource_get_pid (worker), SIGKILL);
  g_assert_true (
      coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&end.result), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (end.n_exited, ==, 1);
  coproc_test_result_clear (&end.result);
  coproc_test_finalize (worker);
}

static void
test_exited_before_stop (void)
{
  End end = { 0 };
  CoprocWorkerResource *worker = new_told (&end);
  g_autoptr (GError) error = NULL;

  coproc_worker_resource_stop_async (worker, 50000, NULL, on_end, &end);
  g_assert_true (
      coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&end.result), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (end.n_exited, ==, 1);
  g_assert_cmpint (end.exited.signum, ==, SIGKILL);
  coproc_test_result_clear (&end.result);
  coproc_test_finalize (worker);
}

static void
cancel_and_turn (CoprocWorkerResource *worker, int status, int signum, gpointer user_data)
{
  End *end = user_data;

  g_cancellable_cancel (end->cancellable);
  for (guint i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
}

static void
test_exited_cancels (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  End end = { .cancellable = cancellable };
  CoprocWorkerResource *worker = new_told (&end);
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait that is over is not cancelled by the handler that comes before it");

  g_signal_connect (worker, "exited", G_CALLBACK (cancel_and_turn), &end);
  coproc_worker_resource_stop_async (worker, 50000, cancellable, on_end, &end);
  g_assert_true (
      coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&end.result), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (end.n_exited, ==, 1);
  coproc_test_result_clear (&end.result);
  coproc_test_finalize (worker);
}

static void
test_exited_elsewhere (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  End end = { 0 };
  CoprocWorkerResource *worker;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait does not depend on the context in which the signal is emitted");

  g_main_context_push_thread_default (context);
  worker = new_started ("stubborn");
  g_main_context_pop_thread_default (context);
  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &end.exited);
  await_message (worker, "ready");
  coproc_worker_resource_stop_async (worker, 50000, NULL, on_end, &end);
  g_assert_true (
      coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&end.result), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (end.n_exited, ==, 0);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (end.exited.n, ==, 1);
  coproc_test_result_clear (&end.result);
  coproc_test_finalize (worker);
}

static const Scenario scenarios[] = {
  { "/coproc/worker/w5-exited", test_w5_exited, TRUE },
  { "/coproc/worker/w6-host-death", test_w6_host_death, TRUE },
  { "/coproc/worker/w7-drop", test_w7_drop, TRUE },
  { "/coproc/worker/w8-escalates", test_w8_escalates, TRUE },
  { "/coproc/worker/w12-teardown", test_w12_teardown },
  { "/coproc/worker/w13-close-is-normal", test_w13_close_is_normal },
  { "/coproc/worker/end/exited-before-join", test_exited_before_join, TRUE },
  { "/coproc/worker/end/exited-before-stop", test_exited_before_stop, TRUE },
  { "/coproc/worker/end/exited-cancels", test_exited_cancels, TRUE },
  { "/coproc/worker/end/exited-elsewhere", test_exited_elsewhere, TRUE },
};

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  add_scenarios (scenarios, G_N_ELEMENTS (scenarios));
  return g_test_run ();
}
