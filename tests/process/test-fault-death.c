/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that die: of what, when, and how the host gets to know (faults A25, A26, B18, B31; B1 is in
 * test-fault-matrix.c).
 */
#include "fault-patient.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const Cause crash = { "segv", "signal SEGV", -1, SIGSEGV, TRUE };
static const Cause leaving = { "exit 3", "exit code 3", 3, 0, TRUE };

/* --- messages before a death --- */

/* Everything sent before is delivered; each lost request is told once, then the end. */
static void
test_last_words (gconstpointer data)
{
  g_autoptr(GError) error = NULL;
  guint n_received = 0;
  Patient patient;

  patient_start (&patient, &crash, NULL);
  for (guint i = 0; i < 100; i++)
    coproc_messenger_send_request (patient.messenger, g_variant_new_string (i < 99 ? "reply 100" : "segv"), "do", NULL);
  coproc_test_until (!coproc_worker_resource_is_alive (patient.worker));
  for (;;)
    {
      g_autoptr(GVariant) payload
        = coproc_messenger_receive_remaining (patient.messenger, "do", NULL, &error);

      if (payload == NULL)
        break;
      n_received++;
    }
  if (coproc_fault_is_shimmed ())
    g_assert_cmpuint (n_received, <=, 99); /* the rest was still with the worker */
  else
    g_assert_cmpuint (n_received, ==, 99);
  coproc_fault_assert_died (error, patient.pid, "signal SEGV");
  patient_bury (&patient);
}

/* --- A25 --- */

typedef struct
{
  const char *instruction;
  gboolean ends;           /* by itself, or by losing its connection */
} Escape;

static const Escape escapes[] = {
  { "mask; fork-escape; pause", FALSE },
  { "handle; fork-sleep; pause", FALSE },
  { "closefrom 10; pause", TRUE },
  { "closefrom 3; pause", TRUE },
  { "closefrom 0; pause", TRUE },
  { "daemonise", TRUE },
  { "setsid; fork-sleep; exit 3", TRUE },
  { "exec-escape; exec-escape; kill 9", TRUE },
  { "exec-escape; pause", FALSE },
};

/* Whatever a worker does to be out of reach: its end is seen, and nothing of it stays. */
static void
test_escape (gconstpointer data)
{
  const Escape *escape = data;
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  coproc_fault_start (worker, NULL);
  coproc_fault_order (worker, escape->instruction);
  if (escape->ends)
    coproc_test_until (!coproc_worker_resource_is_alive (worker));
  coproc_fault_release (worker);
  coproc_test_until (coproc_fault_count_offspring (getpid ()) == 0);
}

/* --- A26 --- */

/* A grandchild has inherited all that the worker had, and lives. */
static void
test_grandchild (gconstpointer data)
{
  const char *instruction = data;
  g_autoptr(GVariant) grandchild = NULL;
  g_autoptr(GError) error = NULL;
  GPid pid;
  Patient patient;
  gint64 start;

  patient_start (&patient, &leaving, NULL);
  coproc_fault_order (patient.worker, instruction);
  grandchild = coproc_messenger_receive_blocking (patient.messenger, "grandchild", NULL, &error);
  g_assert_no_error (error);
  pid = g_variant_get_int32 (grandchild);
  start = g_get_monotonic_time ();
  error = patient_call_error (&patient, "exit 3");
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC * (coproc_test_is_slow () ? 20 : 1));
  coproc_fault_assert_died (error, patient.pid, "exit code 3");
  patient_bury (&patient);

  /* It went with the worker, wherever it had gone. */
  coproc_test_until (coproc_fault_is_gone (pid));
}

/* The same with half a reply written: what is cut is told although the connection does not end. */
static void
test_grandchild_cut (gconstpointer data)
{
  g_autoptr(GVariant) grandchild = NULL;
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, &leaving, NULL);
  coproc_fault_order (patient.worker, "fork-escape");
  grandchild = coproc_messenger_receive_blocking (patient.messenger, "grandchild", NULL, &error);
  g_assert_no_error (error);
  error = patient_call_error (&patient, "cut 5000; exit 3");
  coproc_fault_assert_died (error, patient.pid, "exit code 3");
  g_assert_nonnull (strstr (error->message, "cut after 2540 of 5040 bytes"));
  patient_bury (&patient);
  coproc_test_until (coproc_fault_is_gone (g_variant_get_int32 (grandchild)));
}

/* --- B18 --- */

/* An end in the middle of a call that looks like success. */
static void
test_quiet_exit (gconstpointer data)
{
  const Cause cause = { data, "exit code 0", 0, 0, FALSE };
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, &cause, NULL);
  error = patient_call_error (&patient, cause.instruction);
  coproc_fault_assert_died (error, patient.pid, cause.text);
  patient_bury (&patient);
}

/* The entry point returns with a request unanswered, or is left by a jump: that is a goodbye, not a death. */
static void
test_return (gconstpointer data)
{
  const Cause cause = { data, "", strcmp (data, "fail") == 0 ? 1 : 0, 0, FALSE };
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, &cause, NULL);
  error = patient_call_error (&patient, cause.instruction);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  coproc_fault_await_end (patient.worker, 1000);
  g_clear_error (&error);
  error = coproc_fault_receive_error (patient.messenger);
  if (strcmp (data, "fail") != 0)
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  else
    g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  coproc_fault_release (patient.worker);
}

/* --- how a death is seen --- */

static guint
count_pidfds (void)
{
  g_autoptr(GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      n += target != NULL && strstr (target, "pidfd") != NULL;
    }
  return n;
}

/* By its pidfd, or, in the run of these tests that says so, without one. */
static void
test_watch (gconstpointer data)
{
  const gboolean without = g_strcmp0 (g_getenv ("COPROC_TEST_PIDFD"), "0") == 0;
  const int pidfd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  const gboolean has_pidfds = pidfd >= 0;
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  if (has_pidfds)
    close (pidfd);
  if (without)
    g_assert_false (has_pidfds);
  coproc_fault_start (worker, NULL);
  g_assert_cmpuint (count_pidfds (), ==, has_pidfds ? 1 : 0);
  coproc_fault_release (worker);
}

/* --- B31 --- */

static guint
count_mappings (void)
{
  g_autofree char *maps = NULL;
  guint n = 0;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  for (const char *c = maps; *c != '\0'; c++)
    n += *c == '\n';
  return n;
}

/* A thousand deaths, or ten, leave nothing: descriptors, threads and zombies are counted around every test. */
static void
test_cycles (gconstpointer data)
{
  const guint n_cycles = coproc_test_scale_long (1000, 10000);
  const guint n_warm = n_cycles / 5;
  guint64 rss = 0;
  guint n_mappings = 0, n_fds = 0;

  for (guint i = 0; i < n_cycles; i++)
    {
      CoprocWorkerResource *worker = coproc_fault_new_hostile ();
      g_autoptr(GError) error = NULL;
      GPid pid;

      coproc_fault_start (worker, NULL);
      pid = coproc_worker_resource_get_pid (worker);
      kill (pid, SIGKILL);
      error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
      coproc_fault_assert_died (error, pid, "signal KILL");
      coproc_fault_release (worker);
      if (i == n_warm)
        {
          rss = coproc_fault_get_rss ();
          n_mappings = count_mappings ();
          n_fds = coproc_test_count_fds ();
        }
    }
  g_assert_cmpuint (coproc_test_count_fds (), <=, n_fds + 2);
  g_assert_cmpuint (count_mappings (), <=, n_mappings + 8);
  coproc_fault_assert_rss (rss, 1024);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add_for_processes ("/coproc/fault-death/last-words", NULL, test_last_words);
  for (guint i = 0; i < G_N_ELEMENTS (escapes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/fault-death/A25/%s", escapes[i].instruction);

      coproc_test_add_for_processes (g_strdelimit (path, "; ", '-'), &escapes[i], test_escape);
    }
  coproc_test_add_for_processes ("/coproc/fault-death/A26/grandchild", "fork-sleep", test_grandchild);
  coproc_test_add_for_processes ("/coproc/fault-death/A26/escaped-grandchild", "fork-escape", test_grandchild);
  coproc_test_add_for_processes ("/coproc/fault-death/A26/grandchild-cut", NULL, test_grandchild_cut);
  coproc_test_add_for_processes ("/coproc/fault-death/B18/exit", "exit 0", test_quiet_exit);
  coproc_test_add_for_processes ("/coproc/fault-death/B18/_exit", "_exit 0", test_quiet_exit);
  coproc_test_add_for_processes ("/coproc/fault-death/B18/quick_exit", "quick_exit 0", test_quiet_exit);
  coproc_test_add_for_processes ("/coproc/fault-death/B18/pthread_exit", "pthread_exit", test_quiet_exit);
  coproc_test_add_data ("/coproc/fault-death/B18/return", "return", test_return);
  /* What the frames held that it jumps over is lost: in a thread, to the host. */
  coproc_test_add_for_processes ("/coproc/fault-death/B18/longjmp", "longjmp", test_return);
  coproc_test_add_data ("/coproc/fault-death/B18/fail", "fail", test_return);
  coproc_test_add_for_processes ("/coproc/fault-death/watch", NULL, test_watch);
  coproc_test_add_for_processes ("/coproc/fault-death/B31/cycles", NULL, test_cycles);
  return g_test_run ();
}
