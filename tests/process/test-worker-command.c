/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are programs. COPROC_TEST_COMMANDS names those of other languages, a command line each,
 * separated by `;`.
 */
#include "worker-util.h"

#include <string.h>
#include <sys/wait.h>

#define SECOND G_USEC_PER_SEC

static CoprocWorkerResource *
new_command (void)
{
  g_autofree char *path = coproc_fault_path ("command-worker");
  const char *const argv[] = { path, NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (argv);

  g_object_set (worker, "grace-period", G_GINT64_CONSTANT (200000), "transport", coproc_test_get_transport (), NULL);
  return worker;
}

static void
assert_exited (CoprocWorkerResource *worker, int status)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, status);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, 0);
}

static void
test_life (void)
{
  CoprocWorkerResource *worker = new_command ();

  for (int code = 0; code < 4; code += 3)
    {
      CoprocMessenger *messenger;
      g_autoptr (GError) error = NULL;
      int peer_pid;

      start_worker (worker, one_argument ("code", g_variant_new_int32 (code)));
      messenger = coproc_worker_resource_get_messenger (worker);
      g_object_get (messenger, "peer-pid", &peer_pid, NULL);
      g_assert_cmpint (peer_pid, ==, coproc_worker_resource_get_pid (worker));
      assert_call (worker, "a program");
      assert_exited (worker, code);
      /* it had said goodbye */
      g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
    }
  coproc_test_finalize (worker);
}

/* What was sent before close() is written while the process exits. */
static void
test_exit_flushes (void)
{
  const int n_bytes = 8 * 1024 * 1024;
  CoprocWorkerResource *worker = new_command ();
  CoprocMessenger *messenger;
  g_autoptr (CoprocMessage) bulk = NULL;
  g_autoptr (GError) error = NULL;

  start_worker (worker, one_argument ("bulk", g_variant_new_int32 (n_bytes)));
  messenger = coproc_worker_resource_get_messenger (worker);
  assert_exited (worker, 0);
  bulk = coproc_messenger_receive_message (messenger, "bulk", 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (coproc_message_get_bytes (bulk)), ==, n_bytes);
  coproc_test_finalize (worker);
}

/* An exit without a goodbye is a death, whatever its code. */
static void
test_silent_exit (void)
{
  CoprocWorkerResource *worker = new_command ();
  CoprocMessenger *messenger;
  g_autoptr (GError) error = NULL;

  start_worker (worker, one_argument ("silently", g_variant_new_boolean (TRUE)));
  messenger = coproc_worker_resource_get_messenger (worker);
  assert_exited (worker, 0);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "exit code 0"));
  g_assert_nonnull (strstr (error->message, "command-worker"));
  coproc_test_finalize (worker);
}

static void
test_start_fails (void)
{
  const char *const none[] = { "no-such-program-anywhere", NULL };
  const char *const quick[] = { "sh", "-c", "echo 'not today' >&2; exit 7", NULL };
  const char *const mute[] = { "sleep", "60", NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (none);
  g_autoptr (GError) error = NULL;

  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, none[0]));
  g_clear_error (&error);
  coproc_test_finalize (worker);

  worker = coproc_worker_resource_new_for_command (quick);
  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_assert_nonnull (strstr (error->message, "while starting: exit code 7"));
  g_assert_nonnull (strstr (error->message, "not today"));
  g_clear_error (&error);
  g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_clear_error (&error);
  coproc_test_finalize (worker);

  worker = coproc_worker_resource_new_for_command (mute);
  g_object_set (worker, "start-timeout", G_GINT64_CONSTANT (100000), NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_HANDSHAKE_TIMEOUT);
  coproc_test_finalize (worker);
}

/* The program, run by hand. */
static void
test_no_host (void)
{
  g_autofree char *path = coproc_fault_path ("command-worker");
  char *argv[] = { path, NULL };
  g_autofree char *said = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_assert_true (g_spawn_sync (NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &said, &status, &error));
  g_assert_no_error (error);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 2);
  g_assert_nonnull (strstr (said, "There is no host"));
}

static void
test_languages (void)
{
  const char *commands = g_getenv ("COPROC_TEST_COMMANDS");
  g_auto (GStrv) lines = g_strsplit (commands != NULL ? commands : "", ";", -1);

  if (commands == NULL)
    {
      g_test_skip ("there are no bindings in this build");
      return;
    }
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) argv = NULL;
      g_autoptr (GError) error = NULL;
      CoprocWorkerResource *worker;

      g_assert_true (g_shell_parse_argv (lines[i], NULL, &argv, &error));
      worker = coproc_worker_resource_new_for_command ((const char *const *) argv);
      start_worker (worker, one_argument ("code", g_variant_new_int32 (5)));
      assert_call (worker, "whoever you are");
      assert_exited (worker, 5);
      coproc_test_finalize (worker);
    }
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/worker-command/life", test_life);
  coproc_test_add ("/coproc/worker-command/exit-flushes", test_exit_flushes);
  coproc_test_add ("/coproc/worker-command/silent-exit", test_silent_exit);
  coproc_test_add ("/coproc/worker-command/start-fails", test_start_fails);
  coproc_test_add ("/coproc/worker-command/no-host", test_no_host);
  coproc_test_add ("/coproc/worker-command/languages", test_languages);
  return g_test_run ();
}
