/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that die: of what, when, and how the host gets to know (faults A25, A26, B1, B18, B31).
 */
#include "coproc-fault.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define PATIENCE_US (30 * G_USEC_PER_SEC) /* a call that nobody fails shall not hang the test */

typedef struct
{
  const char *instruction;
  const char *text;        /* what the error must say of it */
  int exit_status;         /* -1: a signal */
  int term_signal;
  gboolean plugins_doing;  /* a death while loading is the plugin's fault */
} Cause;

static const Cause causes[] = {
  { "kill 9", "signal KILL", -1, SIGKILL, FALSE },
  { "kill 15", "signal TERM", -1, SIGTERM, FALSE },
  { "segv", "signal SEGV", -1, SIGSEGV, TRUE },
  { "abort", "signal ABRT", -1, SIGABRT, TRUE },
  { "exit 3", "exit code 3", 3, 0, TRUE },
};

/* The worker under test, with what it has told. */
typedef struct
{
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger;
  const Cause *cause;
  GPid pid;
  guint n_exited;
} Patient;

static void
on_exited (CoprocWorkerResource *worker, int status, int signum, gpointer user_data)
{
  Patient *patient = user_data;

  g_assert_cmpint (status, ==, patient->cause->exit_status);
  g_assert_cmpint (signum, ==, patient->cause->term_signal);
  patient->n_exited++;
}

static gboolean
patient_try_start (Patient *self, const Cause *cause, const char *instruction, GError **error)
{
  self->cause = cause;
  self->n_exited = 0;
  self->worker = coproc_fault_new_hostile ();
  g_signal_connect (self->worker, "exited", G_CALLBACK (on_exited), self);
  if (!coproc_fault_try_start (self->worker, instruction, error))
    return FALSE;
  self->messenger = coproc_worker_resource_get_messenger (self->worker);
  g_object_get (self->messenger, "peer-pid", &self->pid, NULL);
  return TRUE;
}

static void
patient_start (Patient *self, const Cause *cause, const char *instruction)
{
  g_autoptr(GError) error = NULL;

  patient_try_start (self, cause, instruction, &error);
  g_assert_no_error (error);
}

/* Its death is told by everything that tells of it. */
static void
patient_bury (Patient *self)
{
  CoprocWorkerState state;

  coproc_test_until (self->n_exited > 0);
  g_assert_cmpuint (self->n_exited, ==, 1);
  g_object_get (self->worker, "state", &state, NULL);
  g_assert_cmpint (state, ==, COPROC_WORKER_STATE_EXITED);
  g_assert_false (coproc_worker_resource_is_alive (self->worker));
  g_assert_cmpint (coproc_worker_resource_get_exit_status (self->worker), ==, self->cause->exit_status);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (self->worker), ==, self->cause->term_signal);
  g_assert_true (coproc_fault_is_gone (self->pid));
  g_assert_true (coproc_messenger_get_closed (self->messenger));
  g_assert_cmpuint (coproc_messenger_remaining (self->messenger, NULL), ==, 0);
  coproc_fault_release (self->worker);
}

/* The error of a receive, in either way. */
static GError *
receive_error (CoprocMessenger *messenger, gboolean async)
{
  CoprocTestResult result = { 0 };
  GError *error = NULL;

  if (!async)
    return coproc_fault_receive_error (messenger);

  coproc_messenger_receive_async (messenger, NULL, NULL, coproc_test_result_store, &result);
  g_assert_null (coproc_messenger_receive_finish (messenger, coproc_test_result_wait (&result), &error));
  coproc_test_result_clear (&result);
  return error;
}

/* The error of a call on the channel "do", in either way. */
static GError *
call_error (CoprocMessenger *messenger, const char *instruction, gboolean async)
{
  CoprocTestResult result = { 0 };
  GVariant *payload = g_variant_new_string (instruction);
  GError *error = NULL;

  if (!async)
    {
      g_assert_null (coproc_messenger_call (messenger, payload, "do", PATIENCE_US, NULL, &error));
      return error;
    }
  coproc_messenger_call_async (messenger, payload, "do", PATIENCE_US, NULL, coproc_test_result_store, &result);
  g_assert_null (coproc_messenger_call_finish (messenger, coproc_test_result_wait (&result), &error));
  coproc_test_result_clear (&result);
  return error;
}

/* --- B1: the phases --- */

/* While the plugin is loaded: the start fails. */
static void
die_loading (const Cause *cause, gboolean async)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  const int code = cause->plugins_doing ? COPROC_ERROR_PLUGIN_REFUSED : COPROC_ERROR_WORKER_DIED;
  CoprocTestResult result = { 0 };
  g_autoptr(GError) error = NULL;

  g_setenv ("HOSTILE_LOAD", cause->instruction, TRUE);
  if (async)
    {
      coproc_worker_resource_start_async (worker, NULL, NULL, coproc_test_result_store, &result);
      coproc_worker_resource_start_finish (worker, coproc_test_result_wait (&result), &error);
      coproc_test_result_clear (&result);
    }
  else
    coproc_worker_resource_start (worker, NULL, NULL, &error);
  g_unsetenv ("HOSTILE_LOAD");
  g_assert_error (error, COPROC_ERROR, code);
  g_assert_nonnull (strstr (error->message, cause->text));
  g_assert_false (coproc_worker_resource_is_alive (worker));

  /* It can be tried again. */
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
}

/* As soon as the entry point runs: the start has succeeded. */
static void
die_at_once (const Cause *cause, gboolean async)
{
  const int code = cause->plugins_doing ? COPROC_ERROR_PLUGIN_REFUSED : COPROC_ERROR_WORKER_DIED;
  g_autoptr(GError) error = NULL;
  Patient patient;

  /* A greeting that the system refused to take at once may still be unwritten at the death. */
  if (!patient_try_start (&patient, cause, cause->instruction, &error))
    {
      g_assert_true (coproc_fault_is_shimmed ());
      g_assert_error (error, COPROC_ERROR, code);
      g_assert_nonnull (strstr (error->message, cause->text));
      coproc_fault_release (patient.worker);
      return;
    }
  error = receive_error (patient.messenger, async);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  patient_bury (&patient);
}

/* While nothing is asked of it. */
static void
die_idle (const Cause *cause, gboolean async)
{
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, cause, NULL);
  coproc_fault_ping (patient.worker);
  if (cause->term_signal == SIGKILL || cause->term_signal == SIGTERM)
    kill (patient.pid, cause->term_signal);
  else
    coproc_fault_order (patient.worker, cause->instruction);
  error = receive_error (patient.messenger, async);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "running"));
  patient_bury (&patient);
}

/* With a request taken up and others queued behind it: each fails with an error of its own. */
static void
die_in_call (const Cause *cause, gboolean async)
{
  g_autofree char *instruction = g_strdup_printf ("say 42; %s", cause->instruction);
  CoprocTestResult results[3] = { { 0 } };
  g_autoptr(GError) error = NULL;
  GError *errors[3] = { NULL };
  Patient patient;

  patient_start (&patient, cause, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    coproc_messenger_call_async (patient.messenger, g_variant_new_string (i == 0 ? instruction : "pause"),
                                 "do", -1, NULL, coproc_test_result_store, &results[i]);
  error = call_error (patient.messenger, "pause", async);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "hostile says 42"));
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    {
      coproc_messenger_call_finish (patient.messenger, coproc_test_result_wait (&results[i]), &errors[i]);
      coproc_fault_assert_died (errors[i], patient.pid, cause->text);
      coproc_test_result_clear (&results[i]);
    }
  g_assert_true (errors[0] != errors[1] && errors[1] != errors[2]);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    g_error_free (errors[i]);
  patient_bury (&patient);
}

/* With half a reply written: it is cut, and the error says so. */
static void
die_in_reply (const Cause *cause, gboolean async)
{
  g_autofree char *instruction = g_strdup_printf ("cut 5000; %s", cause->instruction);
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, cause, NULL);
  coproc_fault_ping (patient.worker); /* nothing of the library's is still to be written */
  error = call_error (patient.messenger, instruction, async);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "cut after 2540 of 5040 bytes"));
  patient_bury (&patient);
}

typedef struct
{
  const char *name;
  void (*run) (const Cause *cause, gboolean async);
} Phase;

static const Phase phases[] = {
  { "load", die_loading },       { "init", die_at_once },    { "idle", die_idle },
  { "mid-call", die_in_call },   { "mid-reply", die_in_reply },
};

static void
test_matrix (gconstpointer data)
{
  const guint index = GPOINTER_TO_UINT (data);

  phases[index / 2 / G_N_ELEMENTS (causes)].run (&causes[index / 2 % G_N_ELEMENTS (causes)], index % 2);
}

static void
add_matrix (void)
{
  for (guint i = 0; i < 2 * G_N_ELEMENTS (causes) * G_N_ELEMENTS (phases); i++)
    {
      g_autofree char *path
        = g_strdup_printf ("/coproc/fault-death/B1/%s/%s/%s",
                           phases[i / 2 / G_N_ELEMENTS (causes)].name,
                           causes[i / 2 % G_N_ELEMENTS (causes)].instruction, i % 2 ? "async" : "sync");

      coproc_test_add_data (path, GUINT_TO_POINTER (i), test_matrix);
    }
}

/* --- messages before a death --- */

/* Everything sent before is delivered; each lost request is told once, then the end. */
static void
test_last_words (void)
{
  g_autoptr(GError) error = NULL;
  guint n_received = 0;
  Patient patient;

  patient_start (&patient, &causes[2], NULL);
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

  patient_start (&patient, &causes[4], NULL);
  coproc_fault_order (patient.worker, instruction);
  grandchild = coproc_messenger_receive_blocking (patient.messenger, "grandchild", NULL, &error);
  g_assert_no_error (error);
  pid = g_variant_get_int32 (grandchild);
  start = g_get_monotonic_time ();
  error = call_error (patient.messenger, "exit 3", FALSE);
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC * (coproc_test_is_slow () ? 20 : 1));
  coproc_fault_assert_died (error, patient.pid, "exit code 3");
  patient_bury (&patient);

  /* It went with the worker, wherever it had gone. */
  coproc_test_until (coproc_fault_is_gone (pid));
}

/* The same with half a reply written: what is cut is told although the connection does not end. */
static void
test_grandchild_cut (void)
{
  g_autoptr(GVariant) grandchild = NULL;
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, &causes[4], NULL);
  coproc_fault_order (patient.worker, "fork-escape");
  grandchild = coproc_messenger_receive_blocking (patient.messenger, "grandchild", NULL, &error);
  g_assert_no_error (error);
  error = call_error (patient.messenger, "cut 5000; exit 3", FALSE);
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
  error = call_error (patient.messenger, cause.instruction, FALSE);
  coproc_fault_assert_died (error, patient.pid, cause.text);
  patient_bury (&patient);
}

/* The entry point returns with a request unanswered: that is a goodbye, not a death. */
static void
test_return (gconstpointer data)
{
  const Cause cause = { data, "", strcmp (data, "return") == 0 ? 0 : 1, 0, FALSE };
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, &cause, NULL);
  error = call_error (patient.messenger, cause.instruction, FALSE);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  coproc_fault_await_end (patient.worker, 1000);
  g_clear_error (&error);
  error = coproc_fault_receive_error (patient.messenger);
  if (strcmp (data, "return") == 0)
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
test_watch (void)
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
test_cycles (void)
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
  add_matrix ();
  coproc_test_add ("/coproc/fault-death/last-words", test_last_words);
  for (guint i = 0; i < G_N_ELEMENTS (escapes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/fault-death/A25/%s", escapes[i].instruction);

      coproc_test_add_data (g_strdelimit (path, "; ", '-'), &escapes[i], test_escape);
    }
  coproc_test_add_data ("/coproc/fault-death/A26/grandchild", "fork-sleep", test_grandchild);
  coproc_test_add_data ("/coproc/fault-death/A26/escaped-grandchild", "fork-escape", test_grandchild);
  coproc_test_add ("/coproc/fault-death/A26/grandchild-cut", test_grandchild_cut);
  coproc_test_add_data ("/coproc/fault-death/B18/exit", "exit 0", test_quiet_exit);
  coproc_test_add_data ("/coproc/fault-death/B18/_exit", "_exit 0", test_quiet_exit);
  coproc_test_add_data ("/coproc/fault-death/B18/quick_exit", "quick_exit 0", test_quiet_exit);
  coproc_test_add_data ("/coproc/fault-death/B18/pthread_exit", "pthread_exit", test_quiet_exit);
  coproc_test_add_data ("/coproc/fault-death/B18/return", "return", test_return);
  coproc_test_add_data ("/coproc/fault-death/B18/fail", "fail", test_return);
  coproc_test_add ("/coproc/fault-death/watch", test_watch);
  coproc_test_add ("/coproc/fault-death/B31/cycles", test_cycles);
  return g_test_run ();
}
