/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that other programs start, with descriptors of their own or over standard input and output.
 */
#include "worker-util.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC

typedef struct
{
  const char *name;
  const char *prefix[9];
  CoprocLauncherQuoting quoting;
} Row;

#define ARGV COPROC_LAUNCHER_QUOTING_ARGV
#define SHELL COPROC_LAUNCHER_QUOTING_SHELL

/* Each with and without descriptors. */
static const Row rows[] = {
  { "none", { NULL }, ARGV },
  { "env", { "env", "-u", "NOTHING" }, ARGV },
  { "nice", { "nice", "-n", "1" }, ARGV },
  { "setpriv", { "setpriv", "--no-new-privs" }, ARGV },
  { "bwrap", { "bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev" }, ARGV },
  { "bwrap-pid", { "bwrap", "--bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--new-session" }, ARGV },
  { "clear", { "env", "-i" }, ARGV },
  { "sh-exec", { "sh", "-c", "exec \"$@\"", "sh" }, ARGV },
  { "sh-fork", { "sh", "-c", "\"$@\"; exit $?", "sh" }, ARGV },
  { "sh-line", { "sh", "-c" }, SHELL },
};

/* What a shell prints before it does what it shall. */
static const Row noisy
    = { "noise", { "sh", "-c", "printf 'Last login: today\\n\\036cop\\n\\036coproc-1 begins\\n'; eval \"$0\"; exit $?" }, SHELL };

static CoprocLauncher *
new_launcher (const Row *row, gboolean passes_fds)
{
  return coproc_launcher_new (row->prefix, row->quoting, passes_fds, FALSE);
}

/* Skips the test where the launcher cannot be used. */
static gboolean
can_launch (const Row *row)
{
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_auto (GStrv) words = NULL;
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  if (row->prefix[0] == NULL)
    return TRUE;
  g_strv_builder_addv (argv, (const char **) row->prefix);
  g_strv_builder_add (argv, "true");
  words = g_strv_builder_end (argv);
  if (g_spawn_sync (NULL, words, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &output,
                    &status, &error)
      && g_spawn_check_wait_status (status, &error))
    return TRUE;

  g_test_skip_printf ("%s cannot be used: %s %s", row->prefix[0], error->message, output != NULL ? output : "");
  return FALSE;
}

static void
set_launcher (CoprocWorkerResource *worker, CoprocLauncher *launcher)
{
  g_object_set (worker, "launcher", launcher, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
}

static CoprocWorkerResource *
new_launched (const Row *row, gboolean passes_fds)
{
  g_autoptr (CoprocLauncher) launcher = new_launcher (row, passes_fds);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  set_launcher (worker, launcher);
  return worker;
}

/* --- the object --- */

static void
test_object (void)
{
  const char *prefix[] = { "ssh", "host", NULL };
  g_autoptr (CoprocLauncher) launcher = coproc_launcher_new (prefix, SHELL, FALSE, TRUE);
  g_autoptr (CoprocLauncher) bare = coproc_launcher_new (NULL, ARGV, TRUE, FALSE);
  g_autoptr (CoprocLauncher) got = NULL;
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  guint n_notified = 0;

  prefix[0] = "other";
  g_assert_cmpstr (coproc_launcher_get_argv_prefix (launcher)[0], ==, "ssh");
  g_assert_cmpuint (g_strv_length ((char **) coproc_launcher_get_argv_prefix (launcher)), ==, 2);
  g_assert_cmpint (coproc_launcher_get_quoting (launcher), ==, SHELL);
  g_assert_false (coproc_launcher_get_passes_fds (launcher));
  g_assert_true (coproc_launcher_get_kills_orphans (launcher));
  g_assert_null (coproc_launcher_get_argv_prefix (bare)[0]);
  g_assert_true (coproc_launcher_get_passes_fds (bare));

  g_signal_connect_swapped (worker, "notify::launcher", G_CALLBACK (g_atomic_int_inc), &n_notified);
  g_object_set (worker, "launcher", launcher, NULL);
  g_object_set (worker, "launcher", launcher, NULL);
  g_object_get (worker, "launcher", &got, NULL);
  g_assert_true (got == launcher);
  g_assert_cmpuint (n_notified, ==, 1);
  g_object_set (worker, "launcher", NULL, NULL);
  g_assert_cmpuint (n_notified, ==, 2);
  coproc_test_finalize (worker);
}

/* --- what a launcher is given --- */

/* A plugin's worker lives and ends as one that is started directly does. */
static void
check_plugin (const Row *row, gboolean passes_fds)
{
  g_autoptr (CoprocLauncher) launcher = new_launcher (row, passes_fds);
  g_autoptr (GError) error = NULL;
  CoprocWorkerResource *worker = new_worker ("clean");

  set_launcher (worker, launcher);
  start_worker (worker, NULL);
  assert_call (worker, "through a launcher");
  assert_stop (worker, 10 * SECOND);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  g_assert_null (coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  coproc_test_finalize (worker);
}

/* A command's arguments arrive as they are, and its connection is found. */
static void
check_command (const Row *row, gboolean passes_fds)
{
  g_autofree char *path = coproc_fault_path ("command-worker");
  const char *argv[] = { path, "two words", "it's", "\"quoted\"", "$(touch /tmp/never)", "`id`", "line\nbreak",
                         "Grün € \xf0\x9f\x90\xa7", "", "\\", "*", "-n", "--", "~", "a;b|c&d>e", "!!", "=", "x=y",
                         "\t trailing ", NULL };
  g_autoptr (CoprocLauncher) launcher = new_launcher (row, passes_fds);
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (argv);
  g_autoptr (GVariant) told = NULL;
  g_autofree const char **words = NULL;
  g_autoptr (GError) error = NULL;
  gsize n;

  set_launcher (worker, launcher);
  start_worker (worker, one_argument ("code", g_variant_new_int32 (7)));
  told = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), "argv", NULL, &error);
  g_assert_no_error (error);
  words = g_variant_get_strv (told, &n);
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (argv) - 2);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpstr (words[i], ==, argv[i + 1]);
  assert_call (worker, "a command");
  assert_stop (worker, 10 * SECOND);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 7);
  coproc_test_finalize (worker);
}

static void
check_row (const Row *row, gboolean passes_fds)
{
  if (!can_launch (row))
    return;
  check_plugin (row, passes_fds);
  check_command (row, passes_fds);
  coproc_test_until (coproc_fault_count_offspring (getpid ()) == 0);
}

static void
test_fds (gconstpointer data)
{
  check_row (data, TRUE);
}

static void
test_stdio (gconstpointer data)
{
  check_row (data, FALSE);
}

/* --- ends --- */

/* A worker with a child in its group, and one that has left it. */
static void
start_family (CoprocWorkerResource *worker)
{
  coproc_fault_start (worker, NULL);
  coproc_fault_order (worker, "fork-sleep; fork-escape");
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) pid G_GNUC_UNUSED = coproc_messenger_receive_blocking (
          coproc_worker_resource_get_messenger (worker), "grandchild", NULL, &error);

      g_assert_no_error (error);
    }
  g_assert_cmpuint (coproc_fault_count_offspring (getpid ()), >=, 3);
}

/* Of whatever it dies, nothing stays: SIGKILL for the process that the host has started. */
static void
check_killed (const Row *row, gboolean passes_fds)
{
  CoprocWorkerResource *worker = new_launched (row, passes_fds);
  g_autoptr (GError) error = NULL;
  GPid pid;

  start_family (worker);
  pid = coproc_worker_resource_get_pid (worker);
  g_assert_no_errno (kill (pid, SIGKILL));
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "signal KILL, killed (possibly out of memory)");
  coproc_test_until (coproc_fault_count_offspring (getpid ()) == 0);
  coproc_fault_release (worker);
}

/* B28: a worker that is stopped hears nothing of its end. */
static void
check_stopped (const Row *row, gboolean passes_fds)
{
  CoprocWorkerResource *worker = new_launched (row, passes_fds);
  g_autoptr (GError) error = NULL;
  gint64 start;

  start_family (worker);
  coproc_fault_order (worker, "kill 19");
  start = g_get_monotonic_time ();
  g_assert_true (coproc_worker_resource_stop (worker, SECOND / 10, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (45 * SECOND / 10));
  coproc_test_until (coproc_fault_count_offspring (getpid ()) == 0);
  coproc_test_finalize (worker);
}

static void
test_ends (gconstpointer data)
{
  const Row *row = data;

  if (!can_launch (row))
    return;
  for (guint passes_fds = 0; passes_fds < 2; passes_fds++)
    {
      check_killed (row, passes_fds == 1);
      check_stopped (row, passes_fds == 1);
    }
}

/* Ctrl-C is for the group of the host; the worker would not mind it either. */
static void
test_interrupt (void)
{
  CoprocWorkerResource *worker = new_launched (&rows[8], FALSE);
  GPid launcher_pid;
  int worker_pid;

  coproc_fault_start (worker, NULL);
  launcher_pid = coproc_worker_resource_get_pid (worker);
  g_object_get (coproc_worker_resource_get_messenger (worker), "peer-pid", &worker_pid, NULL);
  g_assert_cmpint (worker_pid, !=, launcher_pid);
  g_assert_cmpint (getpgid (launcher_pid), ==, launcher_pid);
  g_assert_cmpint (getpgid (worker_pid), ==, launcher_pid);
  g_assert_cmpint (getpgid (worker_pid), !=, getpgrp ());
  g_assert_no_errno (kill (worker_pid, SIGINT));
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
}

/* What a launcher sees to itself the host leaves alone. */
static void
test_kills_orphans (void)
{
  g_autoptr (CoprocLauncher) launcher = coproc_launcher_new (NULL, ARGV, TRUE, TRUE);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr (GVariant) child = NULL;
  g_autoptr (GError) error = NULL;

  set_launcher (worker, launcher);
  coproc_fault_start (worker, NULL);
  coproc_fault_order (worker, "fork-sleep");
  child = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), "grandchild", NULL, &error);
  g_assert_no_error (error);
  coproc_fault_release (worker);
  g_assert_false (coproc_fault_is_gone (g_variant_get_int32 (child)));
  g_assert_no_errno (kill (g_variant_get_int32 (child), SIGKILL));
  coproc_test_until (coproc_fault_count_offspring (getpid ()) == 0);
}

/* --- errors --- */

static void
assert_start_fails (CoprocWorkerResource *worker, CoprocError code, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, COPROC_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, text));
  coproc_test_finalize (worker);
}

static void
test_errors (void)
{
  const Row missing = { "", { "no-such-launcher" }, ARGV }, failing = { "", { "sh", "-c", "echo oh no >&2; exit 9" }, ARGV };
  const Row closing = { "", { "sh", "-c", "exec 1>&-; sleep 60" }, ARGV };
  const char *odd[] = { "/a=b/program", NULL }, *absent[] = { "no-such-program", NULL };
  g_autoptr (CoprocLauncher) bare = coproc_launcher_new (NULL, ARGV, FALSE, FALSE);
  CoprocWorkerResource *worker;

  assert_start_fails (new_launched (&missing, TRUE), COPROC_ERROR_SPAWN, "no program 'no-such-launcher'");
  assert_start_fails (new_launched (&failing, TRUE), COPROC_ERROR_PLUGIN_REFUSED, "oh no");
  assert_start_fails (new_launched (&failing, FALSE), COPROC_ERROR_PLUGIN_REFUSED, "exit code 9");
  assert_start_fails (new_launched (&closing, FALSE), COPROC_ERROR_WORKER_DIED, "");

  worker = coproc_worker_resource_new_for_command (odd);
  g_object_set (worker, "launcher", bare, NULL);
  assert_start_fails (worker, COPROC_ERROR_SPAWN, "'='");
  worker = coproc_worker_resource_new_for_command (absent);
  g_object_set (worker, "launcher", bare, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  assert_start_fails (worker, COPROC_ERROR_WORKER_DIED, "no-such-program");
  worker = new_worker ("clean");
  g_object_set (worker, "launcher", bare, "transport", COPROC_TRANSPORT_SHARED_MEMORY, NULL);
  assert_start_fails (worker, COPROC_ERROR_SPAWN, "passes descriptors");
  worker = new_worker ("clean");
  g_object_set (worker, "launcher", bare, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  assert_start_fails (worker, COPROC_ERROR_FAILED, "Only a process");
}

/* --- the protocol on standard input and output --- */

/* So many bytes come first. */
static CoprocWorkerResource *
new_behind (guint n_bytes)
{
  g_autofree char *script = g_strdup_printf ("head -c %u /dev/zero; exec \"$@\"", n_bytes);
  const Row row = { "", { "sh", "-c", script, "sh" }, ARGV };

  return new_launched (&row, FALSE);
}

static void
test_noise (void)
{
  CoprocWorkerResource *worker = new_behind (65536);
  g_autoptr (GError) error = NULL;

  g_test_summary ("64 KiB in front of the preamble are skipped, one byte more is too much");

  check_row (&noisy, FALSE);
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
  worker = new_behind (65537);
  g_assert_false (coproc_fault_try_start (worker, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  coproc_test_finalize (worker);
}

/* What the program prints later is no part of the protocol, and what it reads is empty. */
static void
test_prints (void)
{
  CoprocWorkerResource *worker = new_launched (&rows[0], FALSE);
  CoprocMessenger *messenger;
  g_autoptr (GVariant) fds = NULL;
  g_autofree const char **list = NULL;
  g_autoptr (GError) error = NULL;

  coproc_fault_start (worker, NULL);
  coproc_fault_order (worker, "spam stdout 300000; say 1");
  coproc_fault_ping (worker);
  messenger = coproc_worker_resource_get_messenger (worker);
  fds = coproc_messenger_call (messenger, g_variant_new_string ("fds"), "do", 60 * SECOND, NULL, &error);
  g_assert_no_error (error);
  list = g_variant_get_strv (fds, NULL);
  g_assert_true (g_strv_contains (list, "0=/dev/null"));
  coproc_fault_release (worker);
}

/* Where the tests are given a remote shell, such as by tests/long/ssh.sh, it is what others are. */
static void
test_remote (void)
{
  const char *line = g_getenv ("COPROC_TEST_REMOTE");
  g_auto (GStrv) words = line != NULL ? g_strsplit (line, " ", -1) : NULL;
  Row row = { "remote", { NULL }, SHELL };

  if (line == NULL)
    {
      g_test_skip ("COPROC_TEST_REMOTE is not set");
      return;
    }
  for (guint i = 0; words[i] != NULL; i++)
    {
      g_assert_cmpuint (i, <, G_N_ELEMENTS (row.prefix) - 1);
      row.prefix[i] = words[i];
    }
  check_row (&row, FALSE);
  check_killed (&row, FALSE);
  check_stopped (&row, FALSE);
}

/* A goodbye is the only proof of a clean end. */
static void
test_goodbye (void)
{
  CoprocWorkerResource *worker = new_launched (&rows[8], FALSE);
  g_autoptr (GError) error = NULL;
  GPid pid;

  coproc_fault_start (worker, NULL);
  pid = coproc_worker_resource_get_pid (worker);
  coproc_fault_order (worker, "exit 0");
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "exit code 0");
  coproc_fault_release (worker);
}

#define LIMIT_US (SECOND / 5)

/* One whose code never returns is not silent: its library speaks for it, also when so much has been sent that it does
 * not read any more. */
static void
test_busy (gconstpointer data)
{
  const guint n_messages = (guint) GPOINTER_TO_INT (data);
  CoprocWorkerResource *worker = new_launched (&rows[0], FALSE);
  const gint64 limit = MIN (coproc_fault_limit (LIMIT_US), 5 * LIMIT_US);
  gint64 end;

  g_object_set (worker, "heartbeat-timeout", limit, NULL);
  coproc_fault_start (worker, NULL);
  coproc_fault_order (worker, "busy");
  for (guint i = 0; i < n_messages; i++)
    g_assert_true (coproc_messenger_send_norequest (coproc_worker_resource_get_messenger (worker),
                                                    g_variant_new_uint32 (i), NULL, NULL));
  end = g_get_monotonic_time () + 4 * limit;
  while (g_get_monotonic_time () < end)
    {
      g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_RUNNING);
      coproc_test_turn (G_MAXINT64, "");
    }
  coproc_fault_release (worker);
}

static void
test_silent_worker (void)
{
  CoprocWorkerResource *worker = new_launched (&rows[0], FALSE);
  g_autoptr (GError) error = NULL;
  GPid pid;

  g_object_set (worker, "heartbeat-timeout", (gint64) LIMIT_US, NULL);
  coproc_fault_start (worker, NULL);
  pid = coproc_worker_resource_get_pid (worker);
  coproc_fault_order (worker, "kill 19");
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "silent for 0.2 s");
  coproc_fault_release (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/launcher/object", test_object);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i += coproc_test_is_slow () ? 4 : 1)
    {
      g_autofree char *fds = g_strconcat ("/coproc/launcher/fds/", rows[i].name, NULL);
      g_autofree char *stdio = g_strconcat ("/coproc/launcher/stdio/", rows[i].name, NULL);
      g_autofree char *ends = g_strconcat ("/coproc/launcher/A26-B28/", rows[i].name, NULL);

      coproc_test_add_data (fds, &rows[i], test_fds);
      coproc_test_add_data (stdio, &rows[i], test_stdio);
      coproc_test_add_data (ends, &rows[i], test_ends);
    }
  coproc_test_add ("/coproc/launcher/interrupt", test_interrupt);
  coproc_test_add ("/coproc/launcher/kills-orphans", test_kills_orphans);
  coproc_test_add ("/coproc/launcher/errors", test_errors);
  coproc_test_add ("/coproc/launcher/stdio/remote", test_remote);
  coproc_test_add ("/coproc/launcher/stdio/noise", test_noise);
  coproc_test_add ("/coproc/launcher/stdio/prints", test_prints);
  coproc_test_add ("/coproc/launcher/stdio/goodbye", test_goodbye);
  coproc_test_add_data ("/coproc/launcher/stdio/busy", GINT_TO_POINTER (0), test_busy);
  coproc_test_add_data ("/coproc/launcher/stdio/busy-and-full", GINT_TO_POINTER (80000), test_busy);
  coproc_test_add ("/coproc/launcher/stdio/silent", test_silent_worker);
  return g_test_run ();
}
