/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Limits of the system: those that a worker is given, and those that the host runs into (faults B12, B13, B14).
 */
#include "worker-util.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY 65534
#define MIB (G_GUINT64_CONSTANT (1) << 20)

static CoprocWorkerResource *
new_limited (const char *name, guint64 value)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{st}"));
  g_variant_builder_add (&builder, "{st}", name, value);
  g_object_set (worker, "rlimits", g_variant_builder_end (&builder), NULL);
  return worker;
}

/* What the worker dies of when it is told to @instruction. */
static void
assert_dies (CoprocWorkerResource *worker, const char *instruction, const char *cause, const char *last_words)
{
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  GPid pid;

  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  pid = coproc_worker_resource_get_pid (worker);
  messenger = coproc_worker_resource_get_messenger (worker);
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_string (instruction), "do",
                                        60 * G_USEC_PER_SEC, NULL, &error));
  coproc_fault_assert_died (error, pid, cause);
  g_assert_nonnull (strstr (error->message, last_words));
  coproc_fault_release (worker);
}

/* --- what a worker is given --- */

static void
test_property (void)
{
  CoprocWorkerResource *worker = new_limited ("cpu", 7);
  g_autoptr (GVariant) rlimits = NULL;
  guint n_notified = 0;

  g_signal_connect_swapped (worker, "notify::rlimits", G_CALLBACK (g_atomic_int_inc), &n_notified);
  g_object_get (worker, "rlimits", &rlimits, NULL);
  g_object_set (worker, "rlimits", rlimits, NULL);
  g_assert_cmpuint (n_notified, ==, 0);
  g_object_set (worker, "rlimits", NULL, NULL);
  g_assert_cmpuint (n_notified, ==, 1);
  coproc_test_finalize (worker);
}

static void
test_applied (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr (GVariant) limits = NULL;
  g_autoptr (GError) error = NULL;
  guint64 core, cpu, nofile;

  g_test_summary ("They hold for the worker's own process");

  g_object_set (worker, "rlimits", g_variant_new_parsed ("{'core': uint64 0, 'cpu': 1000, 'nofile': 100}"), NULL);
  coproc_fault_start (worker, NULL);
  limits = coproc_messenger_call (coproc_worker_resource_get_messenger (worker), g_variant_new_string ("limits"),
                                  "do", 60 * G_USEC_PER_SEC, NULL, &error);
  g_assert_no_error (error);
  g_variant_get (limits, "(ttt)", &core, &cpu, &nofile);
  g_assert_cmpuint (core, ==, 0);
  g_assert_cmpuint (cpu, ==, 1000);
  g_assert_cmpuint (nofile, ==, 100);
  coproc_fault_release (worker);
}

static void
test_refused (void)
{
  CoprocWorkerResource *unknown = new_limited ("stack", 1), *large = new_limited ("nofile", G_MAXUINT64 / 2);
  g_autoptr (GError) error = NULL;

  g_assert_false (coproc_fault_try_start (unknown, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "'stack'"));
  g_assert_cmpint (get_state (unknown), ==, COPROC_WORKER_STATE_NEW);
  g_clear_error (&error);
  coproc_test_finalize (unknown);

  /* more than the kernel gives to anybody */
  g_assert_false (coproc_fault_try_start (large, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT);
  g_assert_nonnull (strstr (error->message, "'nofile'"));
  g_clear_error (&error);
  g_object_set (large, "rlimits", NULL, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  g_object_set (large, "rlimits", g_variant_new_parsed ("{'cpu': uint64 1}"), NULL);
  g_assert_false (coproc_fault_try_start (large, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  coproc_test_finalize (large);
}

/* A command is limited as soon as it takes up its connection. */
static void
test_command (void)
{
  g_autofree char *path = coproc_fault_path ("command-worker");
  const char *argv[] = { path, NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (argv);
  g_autoptr (GError) error = NULL;

  g_object_set (worker, "rlimits", g_variant_new_parsed ("{'nofile': uint64 64}"), NULL);
  start_worker (worker, NULL);
  assert_call (worker, "limited");
  assert_stop (worker, 10 * G_USEC_PER_SEC);
  g_object_set (worker, "rlimits", g_variant_new_parsed ("{'nofile': %t}", G_MAXUINT64 / 2), "stderr-mode",
                COPROC_STDERR_MODE_CAPTURE, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT);
  coproc_test_finalize (worker);
}

/* --- B13, B14 --- */

static void
test_memory (void)
{
#ifdef COPROC_FAULT_NEEDS_ADDRESS_SPACE
  g_test_skip ("a sanitizer needs more address space than any limit leaves");
#else
  g_test_summary ("B13: g_malloc() ends a process that gets no memory, and says so");
  assert_dies (new_limited ("as", 512 * MIB), "alloc 0x40000000", "signal TRAP", "failed to allocate");
#endif
}

static void
test_cpu (void)
{
  assert_dies (new_limited ("cpu", 1), "busy", "signal XCPU, its CPU time was used up", "");
}

static void
test_killed (void)
{
  g_test_summary ("B14: what the kernel's killer does looks like this");
  assert_dies (coproc_fault_new_hostile (), "kill 9", "signal KILL, killed (possibly out of memory)", "");
}

static void
test_forced (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr (GError) error = NULL;
  GPid pid;

  g_test_summary ("B28: a SIGKILL that is the host's own is told as such");

  coproc_fault_start (worker, "ignore_term; ignore_close");
  pid = coproc_worker_resource_get_pid (worker);
  assert_stop (worker, G_USEC_PER_SEC / 20);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "signal KILL, forced by the host");
  g_assert_null (strstr (error->message, "memory"));
  coproc_test_finalize (worker);
}

/* --- B12 --- */

static gboolean
serve_once (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  g_autoptr (GVariant) request = coproc_messenger_receive_blocking (messenger, NULL, NULL, error);

  return request != NULL && coproc_messenger_send_reply (messenger, request, NULL, error);
}

static void
test_no_threads (void)
{
  CoprocWorkerResource *worker;
  g_autoptr (GError) error = NULL;
  struct rlimit limit, none;

  g_test_summary ("B12: where there can be no more threads, a worker that is one is an error");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 60 * G_USEC_PER_SEC, 0);
      g_test_trap_assert_passed ();
      return;
    }

  /* root has no such limit */
  if (getuid () == 0)
    g_assert_no_errno (setuid (NOBODY));
  g_assert_no_errno (getrlimit (RLIMIT_NPROC, &limit));
  none = limit;
  none.rlim_cur = 0;
  g_assert_no_errno (setrlimit (RLIMIT_NPROC, &none));
  worker = coproc_worker_resource_new_for_function (serve_once, NULL, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  g_clear_error (&error);

  g_assert_no_errno (setrlimit (RLIMIT_NPROC, &limit));
  start_worker (worker, NULL);
  assert_call (worker, "now");
  assert_stop (worker, 10 * G_USEC_PER_SEC);
  coproc_test_finalize (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/fault-limits/property", test_property);
  coproc_test_add ("/coproc/fault-limits/applied", test_applied);
  coproc_test_add ("/coproc/fault-limits/refused", test_refused);
  coproc_test_add ("/coproc/fault-limits/command", test_command);
  coproc_test_add ("/coproc/fault-limits/B12/threads", test_no_threads);
  coproc_test_add ("/coproc/fault-limits/B13/memory", test_memory);
  coproc_test_add ("/coproc/fault-limits/B14/killed", test_killed);
  coproc_test_add ("/coproc/fault-limits/B28/forced", test_forced);
  coproc_test_add ("/coproc/fault-limits/cpu", test_cpu);
  return g_test_run ();
}
