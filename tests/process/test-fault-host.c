/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The host's side: its death, many threads that spawn, and what it does with signals (faults B3, B5,
 * B6, B7, B8, B19).
 */
#include "coproc-fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_WORKERS 8

/* --- B3 --- */

/* Runs fault-host in a group of its own. Returns: its pid; *pids: those of its workers */
static GPid
run_host (const char *end, const char *const *launcher, GPid *pids)
{
  g_autofree char *path = coproc_fault_path ("fault-host");
  g_autofree char *plugin = coproc_fault_path ("plugins/hostile.so");
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new ();
  g_auto(GStrv) argv = NULL;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  g_autoptr(GString) line = g_string_new (NULL);
  g_auto(GStrv) numbers = NULL;
  int fds[2];
  GPid host;
  char c;

  g_strv_builder_add_many (builder, path, plugin, G_STRINGIFY (N_WORKERS), end, NULL);
  g_strv_builder_addv (builder, (const char **) launcher);
  argv = g_strv_builder_end (builder);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, fds[1], STDOUT_FILENO);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETPGROUP);
  g_assert_cmpint (posix_spawn (&host, path, &actions, &attributes, argv, environ), ==, 0);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  close (fds[1]);
  while (read (fds[0], &c, 1) == 1 && c != '\n')
    g_string_append_c (line, c);
  close (fds[0]);
  numbers = g_strsplit (g_strstrip (line->str), " ", -1);
  g_assert_cmpuint (g_strv_length (numbers), ==, N_WORKERS);
  for (guint i = 0; i < N_WORKERS; i++)
    pids[i] = (GPid) g_ascii_strtoll (numbers[i], NULL, 10);
  return host;
}

static guint
count_alive (const GPid *pids)
{
  guint n = 0;

  for (guint i = 0; i < N_WORKERS; i++)
    n += !coproc_fault_is_gone (pids[i]);
  return n;
}

/* However the host ends, its workers are gone within a second, also those that are busy, and also
 * where the connection does not end because somebody else holds it. */
static void
check_host (const char *end, const char *const *launcher)
{
  GPid pids[N_WORKERS], host;
  gint64 start;

  /* The orphans become ours, to be reaped. */
  g_assert_cmpint (prctl (PR_SET_CHILD_SUBREAPER, 1), ==, 0);
  host = run_host (end, launcher, pids);
  if (strcmp (end, "exec") != 0 && strcmp (end, "stop") != 0)
    coproc_test_until (coproc_fault_is_gone (host));
  start = g_get_monotonic_time ();
  coproc_test_until_ms (1000, count_alive (pids) == 0 && coproc_fault_count_offspring (host) == 0);
  g_test_message ("gone after %" G_GINT64_FORMAT " µs", g_get_monotonic_time () - start);
  kill (-host, SIGKILL);
  while (waitpid (-1, NULL, 0) > 0 || errno == EINTR)
    ;
  g_assert_cmpint (prctl (PR_SET_CHILD_SUBREAPER, 0), ==, 0);
}

static void
test_host_ends (gconstpointer data)
{
  static const char *const directly[] = { NULL }, *const on_stdio[] = { "stdio", NULL };
  const char *end = data;

  check_host (end, strcmp (end, "stop") == 0 ? on_stdio : directly);
}

/* The same with a program between the two. */
static void
test_host_launches (gconstpointer data)
{
  const char *const *launcher = data;

  if (strcmp (launcher[1], "bwrap") == 0 && system ("bwrap --bind / / --unshare-pid true 2>/dev/null") != 0)
    {
      g_test_skip ("bwrap is not installed, or may not be used");
      return;
    }
  check_host ("kill", launcher);
}

/* --- B5 --- */

typedef struct
{
  guint n_spawns;
  guint n_fds; /* what a worker has that was started alone */
} Spawner;

static guint
spawn_and_count (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr(GVariant) fds = NULL;
  g_autoptr(GError) error = NULL;
  guint n_fds;

  coproc_fault_start (worker, NULL);
  fds = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                               g_variant_new_string ("fds"), "do", -1, NULL, &error);
  g_assert_no_error (error);
  n_fds = (guint) g_variant_n_children (fds);
  if (g_test_verbose ())
    {
      g_autofree char *text = g_variant_print (fds, FALSE);

      g_test_message ("%s", text);
    }
  g_assert_true (coproc_worker_resource_stop (worker, 10 * G_USEC_PER_SEC, &error));
  g_assert_no_error (error);
  g_object_unref (worker);
  return n_fds;
}

static gpointer
spawn_many (gpointer data)
{
  const Spawner *spawner = data;

  for (guint i = 0; i < spawner->n_spawns; i++)
    g_assert_cmpuint (spawn_and_count (), ==, spawner->n_fds);
  return NULL;
}

/* Four threads spawn at once: no descriptor of one worker is seen in another. */
static void
test_spawn_threads (void)
{
  Spawner spawner = { coproc_test_scale_long (200, 1000), spawn_and_count () };
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("spawner", spawn_many, &spawner);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* --- B6 --- */

static gpointer
spawn_one (gpointer data)
{
  coproc_fault_start (data, NULL);
  return NULL;
}

/* The thread that starts a worker may end; the worker does not. */
static void
test_spawner_ends (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  const gint64 end = g_get_monotonic_time () + G_USEC_PER_SEC / 2;

  g_thread_join (g_thread_new ("spawner", spawn_one, worker));
  do
    coproc_fault_ping (worker);
  while (g_get_monotonic_time () < end);
  coproc_fault_release (worker);
}

/* --- B7 --- */

typedef enum
{
  SIGPIPE_DEFAULT,
  SIGPIPE_IGNORED,
  SIGPIPE_HANDLED,
  SIGPIPE_BLOCKED,
} SigpipeRow;

static volatile sig_atomic_t n_handled;

static void
handle_sigpipe (int signum)
{
  n_handled++;
}

/* The lines of /proc/self/status that tell what the process does with signals. */
static char *
get_signal_state (void)
{
  g_autofree char *status = NULL;
  g_auto(GStrv) lines = NULL;
  GString *state = g_string_new (NULL);

  g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  lines = g_strsplit (status, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "Sig") && !g_str_has_prefix (lines[i], "SigQ"))
      g_string_append_printf (state, "%s\n", lines[i]);
  return g_string_free (state, FALSE);
}

static void
send_until_error (CoprocMessenger *messenger)
{
  const guint8 block[4096] = { 0 };
  g_autoptr(GError) error = NULL;
  gint64 deadline = coproc_test_deadline (30000);

  g_object_set (messenger, "send-timeout", (gint64) 10000, NULL);
  while (error == NULL || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
    {
      g_clear_error (&error);
      coproc_messenger_send_bytes (messenger, block, sizeof block, NULL, &error);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  g_assert_true (error->domain == COPROC_ERROR);
}

/* A worker that reads no more, or is dead: no SIGPIPE, and what the application has set for it stays. */
static void
test_sigpipe (gconstpointer data)
{
  const SigpipeRow row = (SigpipeRow) GPOINTER_TO_INT (data);
  const char *const orders[] = { "close in; pause", "kill 9" };
  struct sigaction action = { .sa_handler = row == SIGPIPE_IGNORED   ? SIG_IGN
                                            : row == SIGPIPE_HANDLED ? handle_sigpipe
                                                                     : SIG_DFL };
  struct sigaction old_action;
  sigset_t sigpipe, old_mask, pending;

  n_handled = 0;
  sigemptyset (&sigpipe);
  sigaddset (&sigpipe, SIGPIPE);
  g_assert_cmpint (sigaction (SIGPIPE, &action, &old_action), ==, 0);
  g_assert_cmpint (pthread_sigmask (row == SIGPIPE_BLOCKED ? SIG_BLOCK : SIG_UNBLOCK, &sigpipe, &old_mask), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    {
      g_autofree char *before = get_signal_state ();
      g_autofree char *after = NULL;
      CoprocWorkerResource *worker = coproc_fault_new_hostile ();

      coproc_fault_start (worker, NULL);
      coproc_fault_order (worker, orders[i]);
      send_until_error (coproc_worker_resource_get_messenger (worker));
      coproc_fault_release (worker);
      after = get_signal_state ();
      g_assert_cmpstr (after, ==, before);
    }
  g_assert_cmpint (sigpending (&pending), ==, 0);
  g_assert_false (sigismember (&pending, SIGPIPE));
  g_assert_cmpint (n_handled, ==, 0);
  g_assert_cmpint (pthread_sigmask (SIG_SETMASK, &old_mask, NULL), ==, 0);
  g_assert_cmpint (sigaction (SIGPIPE, &old_action, NULL), ==, 0);
}

/* --- B19 --- */

/* Starts a worker of the same plugin and has it crash. */
static void
crash (CoprocWorkerMode mode)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr(GError) error = NULL;
  GPid pid;

  g_object_set (worker, "mode", mode, NULL);
  coproc_fault_start (worker, NULL);
  pid = coproc_worker_resource_get_pid (worker);
  coproc_fault_order (worker, "segv");
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "signal SEGV");
  coproc_fault_release (worker);
}

static void
test_crash (void)
{
  g_test_summary ("B19: the crash of a worker that is a thread is the host's, that of a process is not");

  if (g_test_subprocess ())
    {
      crash (COPROC_WORKER_MODE_THREAD);
      return;
    }
  crash (COPROC_WORKER_MODE_PROCESS);
  g_test_trap_subprocess (NULL, 60 * G_USEC_PER_SEC, 0);
  g_assert_false (g_test_trap_has_passed ());
  g_assert_false (g_test_trap_reached_timeout ());
}

/* --- B8 --- */

/* Kills, stops and joins workers while their status is not to be had, or may be taken by others. */
static void
use_workers (guint n)
{
  for (guint i = 0; i < n; i++)
    {
      CoprocWorkerResource *worker = coproc_fault_new_hostile ();
      CoprocMessenger *messenger;
      g_autoptr(GError) error = NULL;
      GPid pid;

      coproc_fault_start (worker, NULL);
      coproc_fault_ping (worker);
      messenger = coproc_worker_resource_get_messenger (worker);
      pid = coproc_worker_resource_get_pid (worker);
      if (i % 2 == 0)
        {
          g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("kill 9"), "do",
                                                20 * G_USEC_PER_SEC, NULL, &error));
          coproc_fault_assert_died (error, pid, "");
          g_assert_true (strstr (error->message, "signal KILL") != NULL
                         || strstr (error->message, "unknown") != NULL);
          g_clear_error (&error);
        }
      g_assert_true (coproc_worker_resource_join (worker, 20 * G_USEC_PER_SEC, NULL, &error));
      g_assert_no_error (error);
      coproc_fault_release (worker);
    }
}

static void
test_sigchld_ignored (void)
{
  struct sigaction action = { .sa_handler = SIG_IGN }, old_action;

  g_assert_cmpint (sigaction (SIGCHLD, &action, &old_action), ==, 0);
  use_workers (20);
  g_assert_cmpint (sigaction (SIGCHLD, NULL, &action), ==, 0);
  g_assert_true (action.sa_handler == SIG_IGN);
  g_assert_cmpint (sigaction (SIGCHLD, &old_action, NULL), ==, 0);
}

static gpointer
steal_statuses (gpointer data)
{
  int *stop = data;

  while (!g_atomic_int_get (stop))
    if (waitpid (-1, NULL, WNOHANG) <= 0)
      g_thread_yield ();
  return NULL;
}

static void
test_status_stolen (void)
{
  int stop = 0;
  GThread *thief = g_thread_new ("thief", steal_statuses, &stop);

  use_workers (20);
  g_atomic_int_set (&stop, 1);
  g_thread_join (thief);
}

static const char *const launchers[][8] = {
  { "fds", "sh", "-c", "\"$@\"; exit $?", "sh" },
  { "stdio", "sh", "-c", "\"$@\"; exit $?", "sh" },
  { "fds", "bwrap", "--bind", "/", "/", "--unshare-pid" },
  { "stdio", "bwrap", "--bind", "/", "/", "--unshare-pid" },
};

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add_data ("/coproc/fault-host/B3/kill", "kill", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/segv", "segv", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/exit", "exit", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/return", "return", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/exec", "exec", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/fork", "fork", test_host_ends);
  coproc_test_add_data ("/coproc/fault-host/B3/silent", "stop", test_host_ends);
  for (guint i = 0; i < G_N_ELEMENTS (launchers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/fault-host/B3/%s-%s", launchers[i][1], launchers[i][0]);

      coproc_test_add_data (path, launchers[i], test_host_launches);
    }
  coproc_test_add ("/coproc/fault-host/B5/threads", test_spawn_threads);
  coproc_test_add ("/coproc/fault-host/B6/spawner-ends", test_spawner_ends);
  coproc_test_add_data ("/coproc/fault-host/B7/default", GINT_TO_POINTER (SIGPIPE_DEFAULT), test_sigpipe);
  coproc_test_add_data ("/coproc/fault-host/B7/ignored", GINT_TO_POINTER (SIGPIPE_IGNORED), test_sigpipe);
  coproc_test_add_data ("/coproc/fault-host/B7/handled", GINT_TO_POINTER (SIGPIPE_HANDLED), test_sigpipe);
  coproc_test_add_data ("/coproc/fault-host/B7/blocked", GINT_TO_POINTER (SIGPIPE_BLOCKED), test_sigpipe);
  coproc_test_add ("/coproc/fault-host/B19/crash", test_crash);
  coproc_test_add ("/coproc/fault-host/B8/ignored", test_sigchld_ignored);
  coproc_test_add ("/coproc/fault-host/B8/stolen", test_status_stolen);
  return g_test_run ();
}
