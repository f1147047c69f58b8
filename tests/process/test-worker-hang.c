/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that hang, in either way (faults A23, F8), and hosts for which time is not what it seems (B24, B25).
 */
#include "worker-util.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC
#define LIMIT_US (coproc_test_is_slow () ? 3 * SECOND : coproc_test_can_measure_memory () ? SECOND / 2 : SECOND)

static CoprocWorkerResource *
start_watched (const char *property)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  if (property != NULL)
    g_object_set (worker, property, LIMIT_US, NULL);
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  return worker;
}

static void
assert_killed (CoprocWorkerResource *worker, const GError *error, const char *why)
{
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, why));
  coproc_test_until (!coproc_worker_resource_is_alive (worker));
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
}

static void
test_properties (void)
{
  g_autoptr (CoprocWorkerResource) worker = new_worker ("clean");
  gint64 ping = 0, hang = 0;

  g_object_get (worker, "ping-timeout", &ping, "hang-timeout", &hang, NULL);
  g_assert_cmpint (ping, ==, -1);
  g_assert_cmpint (hang, ==, -1);
  g_object_set (worker, "ping-timeout", SECOND, "hang-timeout", 2 * SECOND, NULL);
  g_object_get (worker, "ping-timeout", &ping, "hang-timeout", &hang, NULL);
  g_assert_cmpint (ping, ==, SECOND);
  g_assert_cmpint (hang, ==, 2 * SECOND);
}

/* The deadline of a call ends the call; the worker lives on, and its late answer goes nowhere. */
static void
test_deadline (void)
{
  CoprocWorkerResource *worker = start_watched (NULL);
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  g_autoptr (GError) error = NULL;
  const gint64 start = g_get_monotonic_time ();

  kill (coproc_worker_resource_get_pid (worker), SIGSTOP);
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_int32 (1), "late", SECOND / 10, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, SECOND / 10);
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (SECOND));
  kill (coproc_worker_resource_get_pid (worker), SIGCONT);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
}

/* A process that is stopped does not answer the pings. */
static void
test_stopped (void)
{
  CoprocWorkerResource *worker = start_watched ("ping-timeout");
  g_autoptr (GError) error = NULL;

  kill (coproc_worker_resource_get_pid (worker), SIGSTOP);
  g_assert_null (coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL, NULL, &error));
  assert_killed (worker, error, "it was silent");
  coproc_fault_release (worker);
}

/* Code that is busy is none of the ping's business: the library answers. */
static void
test_busy (void)
{
  CoprocWorkerResource *worker = start_watched ("ping-timeout");
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;
  const gint64 end = g_get_monotonic_time () + 2 * LIMIT_US;

  coproc_messenger_call_async (coproc_worker_resource_get_messenger (worker), g_variant_new_string ("busy"), "do", -1,
                               NULL, coproc_test_result_store, &result);
  while (g_get_monotonic_time () < end)
    coproc_test_turn (G_MAXINT64, "");
  g_assert_cmpuint (result.n_calls, ==, 0);
  g_assert_true (coproc_worker_resource_is_alive (worker));
  g_assert_true (coproc_worker_resource_stop (worker, 0, &error));
  g_assert_no_error (error);
  coproc_test_result_wait (&result);
  coproc_test_result_clear (&result);
  coproc_fault_release (worker);
}

/* A worker that cannot read any more, since its queues are full, says by itself that it lives. */
static void
test_full (void)
{
  CoprocWorkerResource *worker = start_watched ("ping-timeout");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  gpointer zeros = g_malloc0 (1 << 20);
  g_autoptr (GVariant) block = NULL;
  g_autoptr (GError) error = NULL;
  gint64 end;

  block = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, 1 << 20, TRUE, g_free, zeros));
  g_object_set (messenger, "send-timeout", (gint64) 0, "high-water-mark", (guint64) 4 << 20, NULL);
  coproc_fault_order (worker, "busy");
  while (coproc_messenger_send_norequest (messenger, block, "fill", &error))
    ;
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK);
  for (end = g_get_monotonic_time () + 2 * LIMIT_US; g_get_monotonic_time () < end;)
    coproc_test_turn (G_MAXINT64, "");
  g_assert_true (coproc_worker_resource_is_alive (worker));
  kill (coproc_worker_resource_get_pid (worker), SIGSTOP);
  g_clear_error (&error);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  assert_killed (worker, error, "it was silent");
  coproc_fault_release (worker);
}

/* Code that keeps a request and says nothing; one that is not taken up counts as well. */
static void
test_stuck (gconstpointer data)
{
  CoprocWorkerResource *worker = start_watched ("hang-timeout");
  g_autoptr (GError) error = NULL;
  const gint64 start = g_get_monotonic_time ();

  g_assert_null (coproc_messenger_call (coproc_worker_resource_get_messenger (worker), g_variant_new_string (data), "do",
                                        60 * SECOND, NULL, &error));
  assert_killed (worker, error, "it kept a request and said nothing");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, LIMIT_US);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * LIMIT_US + coproc_fault_limit (SECOND));
  coproc_fault_release (worker);
}

/* Nobody owes anything, or something is said now and then: that is no hang. */
static void
test_not_stuck (void)
{
  CoprocWorkerResource *worker = start_watched ("hang-timeout");
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (worker);
  CoprocTestResult result = { 0 };
  const gint64 end = g_get_monotonic_time () + 2 * LIMIT_US;
  GVariant *reply;
  g_autoptr (GError) error = NULL;

  while (g_get_monotonic_time () < end)
    coproc_test_turn (G_MAXINT64, "");
  coproc_fault_ping (worker);

  coproc_messenger_call_async (messenger, g_variant_new_string ("mumble 12; reply 1"), "do", -1, NULL,
                               coproc_test_result_store, &result);
  reply = coproc_messenger_call_finish (messenger, coproc_test_result_wait (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (coproc_messenger_queue_size (messenger, "mumble"), ==, 12);
  g_variant_unref (reply);
  coproc_test_result_clear (&result);
  coproc_fault_release (worker);
}

/* The two ways, with a restart behind them: the application just goes on. */
static void
test_restarted (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  guint n_restarted = 0;

  g_object_set (worker, "restart-policy", COPROC_RESTART_POLICY_ON_FAILURE, "ping-timeout", LIMIT_US, "hang-timeout",
                LIMIT_US, NULL);
  g_signal_connect_swapped (worker, "restarted", G_CALLBACK (g_atomic_int_inc), &n_restarted);
  coproc_fault_start (worker, NULL);
  kill (coproc_worker_resource_get_pid (worker), SIGSTOP);
  coproc_test_until (n_restarted == 1);
  coproc_fault_ping (worker);
  coproc_messenger_send_request (coproc_worker_resource_get_messenger (worker), g_variant_new_string ("pause"), "do", NULL);
  coproc_test_until (n_restarted == 2);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
}

/* --- B25 --- */

/* Stops this process for so long; who continues it is a process of its own. */
static void
sleep_stopped (gint64 ms)
{
  g_autofree char *script = g_strdup_printf ("kill -STOP %d; sleep %d.%03d; kill -CONT %d", (int) getpid (),
                                             (int) (ms / 1000), (int) (ms % 1000), (int) getpid ());
  const char *argv[] = { "sh", "-c", script, NULL };
  const gint64 start = g_get_monotonic_time ();
  GPid pid;
  int status;

  g_assert_cmpint (posix_spawnp (&pid, "sh", NULL, NULL, (char **) argv, environ), ==, 0);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, ms * 1000);
}

typedef struct
{
  CoprocMessenger *messenger;
  gint64 timeout_us;
  GError *error;
} Caller;

static gpointer
call_in_thread (gpointer user_data)
{
  Caller *caller = user_data;
  g_autoptr (GVariant) reply = coproc_messenger_call (caller->messenger, g_variant_new_string ("mumble 3; reply 1"), "do",
                                                      caller->timeout_us, NULL, &caller->error);

  g_assert_true ((reply == NULL) == (caller->error != NULL));
  return NULL;
}

/* What was answered while the host did not run was answered in time, however late the host looks; nor does
 * it take its worker for one that hangs. */
static void
test_host_stopped (void)
{
  const gint64 ms = g_test_slow () ? 30000 : coproc_test_is_slow () ? 4500 : 1500;
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocTestResult result = { 0 };
  g_autoptr (GError) error = NULL;
  GVariant *reply;
  Caller caller;
  GThread *thread;

  g_object_set (worker, "ping-timeout", ms * 1000 / 2, "hang-timeout", ms * 1000 / 2, NULL);
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  caller = (Caller) { coproc_worker_resource_get_messenger (worker), ms * 1000 * 2 / 3, NULL };
  thread = g_thread_new ("caller", call_in_thread, &caller);
  coproc_messenger_call_async (caller.messenger, g_variant_new_string ("mumble 3; reply 1"), "do", caller.timeout_us, NULL,
                               coproc_test_result_store, &result);
  sleep_stopped (ms);

  g_thread_join (thread);
  g_assert_no_error (caller.error);
  reply = coproc_messenger_call_finish (caller.messenger, coproc_test_result_wait (&result), &error);
  g_assert_no_error (error);
  g_variant_unref (reply);
  coproc_test_result_clear (&result);
  coproc_fault_ping (worker);
  g_assert_true (coproc_worker_resource_is_alive (worker));
  coproc_fault_release (worker);
}

/* --- B24 --- */

/* Everything that takes time takes as long as it should, on a clock whose date jumps by days (where fault-shim sees to
 * that), and nothing that should last ends early. */
static void
test_clock (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr (GError) error = NULL;
  guint n_restarted = 0;
  gint64 start;
  struct timespec one, other;

  if (g_strcmp0 (g_getenv ("COPROC_TEST_CLOCK"), "1") == 0)
    {
      clock_gettime (CLOCK_REALTIME, &one);
      clock_gettime (CLOCK_REALTIME, &other);
      g_assert_cmpint (ABS (one.tv_sec - other.tv_sec), >, 86400);
    }

  g_object_set (worker, "restart-policy", COPROC_RESTART_POLICY_ON_FAILURE, "ping-timeout", 20 * SECOND, "hang-timeout",
                20 * SECOND, NULL);
  g_signal_connect_swapped (worker, "restarted", G_CALLBACK (g_atomic_int_inc), &n_restarted);
  coproc_fault_start (worker, NULL);
  for (guint i = 0; i < 2; i++)
    {
      start = g_get_monotonic_time ();
      g_assert_null (coproc_messenger_receive_message (coproc_worker_resource_get_messenger (worker), NULL, SECOND / 5,
                                                       NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
      g_clear_error (&error);
      g_assert_cmpint (g_get_monotonic_time () - start, >=, SECOND / 5);
      g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (SECOND));

      start = g_get_monotonic_time ();
      kill (coproc_worker_resource_get_pid (worker), SIGKILL);
      coproc_test_until (n_restarted == i + 1);
      g_assert_cmpint (g_get_monotonic_time () - start, >=, (SECOND / 10) << i);
      g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (2 * SECOND));
      coproc_fault_ping (worker);
    }

  kill (coproc_worker_resource_get_pid (worker), SIGSTOP);
  start = g_get_monotonic_time ();
  g_assert_true (coproc_worker_resource_stop (worker, SECOND / 10, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, SECOND / 5);
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (2 * SECOND));
  coproc_fault_release (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/worker-hang/properties", test_properties);
  coproc_test_add ("/coproc/worker-hang/A23/deadline", test_deadline);
  coproc_test_add ("/coproc/worker-hang/A23/stopped", test_stopped);
  coproc_test_add ("/coproc/worker-hang/A23/busy", test_busy);
  coproc_test_add ("/coproc/worker-hang/A23/full", test_full);
  coproc_test_add_data ("/coproc/worker-hang/A23/stuck/pause", "pause", test_stuck);
  coproc_test_add_data ("/coproc/worker-hang/A23/stuck/busy", "busy", test_stuck);
  coproc_test_add ("/coproc/worker-hang/A23/not-stuck", test_not_stuck);
  coproc_test_add ("/coproc/worker-hang/A23/restarted", test_restarted);
  coproc_test_add ("/coproc/worker-hang/B24", test_clock);
  coproc_test_add ("/coproc/worker-hang/B25", test_host_stopped);
  return g_test_run ();
}
