/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-fault.h"

#include <malloc.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_US (G_USEC_PER_SEC / 5)
#define PEER_IN_FD 3
#define PEER_OUT_FD 4

char *
coproc_fault_path (const char *name)
{
  return g_test_build_filename (G_TEST_BUILT, "helpers", name, NULL);
}

/* --- workers --- */

CoprocWorkerResource *
coproc_fault_new_hostile (void)
{
  g_autofree char *path = coproc_fault_path ("plugins/hostile.so");
  CoprocWorkerResource *worker = coproc_worker_resource_new (path, "hostile");

  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, "grace-period", (gint64) GRACE_US, "transport",
                coproc_test_get_transport (), "mode", coproc_test_get_mode (), NULL);
  return worker;
}

gboolean
coproc_fault_try_start (CoprocWorkerResource *worker, const char *instruction, GError **error)
{
  GVariantDict arguments;

  g_variant_dict_init (&arguments, NULL);
  if (instruction != NULL)
    g_variant_dict_insert (&arguments, "do", "s", instruction);
  return coproc_worker_resource_start (worker, g_variant_dict_end (&arguments), NULL, error);
}

void
coproc_fault_start (CoprocWorkerResource *worker, const char *instruction)
{
  g_autoptr(GError) error = NULL;
  gboolean started = coproc_fault_try_start (worker, instruction, &error);

  g_assert_no_error (error);
  g_assert_true (started);
}

void
coproc_fault_order (CoprocWorkerResource *worker, const char *instruction)
{
  g_autoptr(GError) error = NULL;

  coproc_messenger_send_norequest (coproc_worker_resource_get_messenger (worker),
                                   g_variant_new_string (instruction), "do", &error);
  g_assert_no_error (error);
}

void
coproc_fault_ping (CoprocWorkerResource *worker)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) answer
    = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                             g_variant_new_int32 (7), "ping", 60 * G_USEC_PER_SEC, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (answer);
  g_assert_cmpint (g_variant_get_int32 (answer), ==, 7);
}

void
coproc_fault_release (CoprocWorkerResource *worker)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (coproc_worker_resource_stop (worker, GRACE_US, &error));
  g_assert_no_error (error);
  g_assert_false (coproc_worker_resource_is_alive (worker));
  coproc_test_finalize (worker);
}

void
coproc_fault_await_end (CoprocWorkerResource *worker, guint ms)
{
  coproc_test_until_ms (ms + 1000, !coproc_worker_resource_is_alive (worker));
}

void
coproc_fault_assert_died (const GError *error, GPid pid, const char *cause)
{
  g_autofree char *number = g_strdup_printf ("%d", (int) pid);

  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_true (error->domain == COPROC_ERROR);
  g_assert_true (error->code == COPROC_ERROR_WORKER_DIED || error->code == COPROC_ERROR_NOT_STARTED);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_nonnull (strstr (error->message, number));
  g_assert_nonnull (strstr (error->message, cause));
}

GError *
coproc_fault_receive_error (CoprocMessenger *messenger)
{
  GError *error = NULL;

  for (;;)
    {
      g_autoptr(GVariant) payload
        = coproc_messenger_receive_blocking (messenger, NULL, NULL, &error);

      g_assert_true ((payload == NULL) == (error != NULL));
      if (payload == NULL)
        break;
    }
  g_test_message ("%s", error->message);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  return error;
}

/* --- raw peers --- */

static GPid
spawn_rawpeer (int in_fd, int out_fd, const char *script)
{
  g_autofree char *path = coproc_fault_path ("rawpeer");
  g_auto(GStrv) envp = g_environ_setenv (g_get_environ (), "RAWPEER_SCRIPT", script, TRUE);
  const char *argv[] = { path, "3", "4", NULL };
  posix_spawn_file_actions_t actions;
  GPid pid;

  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, in_fd, PEER_IN_FD);
  posix_spawn_file_actions_adddup2 (&actions, out_fd, PEER_OUT_FD);
  g_assert_cmpint (posix_spawn (&pid, path, &actions, NULL, (char **) argv, envp), ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  return pid;
}

/* A pipe whose ends are above the numbers that they get in the peer. */
static void
open_pipe (int fds[2])
{
  int low[2];

  g_assert_cmpint (pipe2 (low, O_CLOEXEC), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      fds[i] = fcntl (low[i], F_DUPFD_CLOEXEC, PEER_OUT_FD + 1);
      g_assert_cmpint (fds[i], >=, 0);
      close (low[i]);
    }
}

static void
peer_open (CoprocFaultPeer *self, GType messenger_type, const char *script, gboolean late)
{
  g_autoptr(GError) error = NULL;
  int there[2], back[2];

  open_pipe (there);
  open_pipe (back);
  self->pid = spawn_rawpeer (there[0], back[1], script);
  close (there[0]);
  close (back[1]);
  if (late)
    coproc_test_until (coproc_fault_is_gone (self->pid));
  self->messenger = coproc_messenger_new_for_fds (messenger_type, back[0], there[1], &error);
  g_assert_no_error (error);
  g_assert_nonnull (self->messenger);
}

void
coproc_fault_peer_open (CoprocFaultPeer *self, GType messenger_type, const char *script)
{
  peer_open (self, messenger_type, script, FALSE);
}

void
coproc_fault_peer_open_late (CoprocFaultPeer *self, GType messenger_type, const char *script)
{
  peer_open (self, messenger_type, script, TRUE);
}

void
coproc_fault_peer_close (CoprocFaultPeer *self)
{
  int status;

  coproc_messenger_close (self->messenger);
  kill (self->pid, SIGKILL);
  while (waitpid (self->pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  coproc_test_finalize (self->messenger);
}

CoprocWorkerResource *
coproc_fault_new_raw (void)
{
  return coproc_fault_new_hostile ();
}

gboolean
coproc_fault_start_raw (CoprocWorkerResource *worker, const char *script, GError **error)
{
  g_autofree char *helper = g_strdup (g_getenv ("COPROC_WORKER_HOST"));
  g_autofree char *path = coproc_fault_path ("rawpeer");
  gboolean started;

  g_setenv ("COPROC_WORKER_HOST", path, TRUE);
  g_setenv ("RAWPEER_SCRIPT", script, TRUE);
  started = coproc_worker_resource_start (worker, NULL, NULL, error);
  g_unsetenv ("RAWPEER_SCRIPT");
  if (helper != NULL)
    g_setenv ("COPROC_WORKER_HOST", helper, TRUE);
  else
    g_unsetenv ("COPROC_WORKER_HOST");
  return started;
}

/* --- the process --- */

guint64
coproc_fault_get_rss (void)
{
  mallopt (M_PERTURB, 0); /* it would touch all memory that is asked for */
  return coproc_test_get_status ("VmRSS");
}

void
coproc_fault_assert_rss (guint64 start, guint64 extra)
{
  if (coproc_test_can_measure_memory ())
    g_assert_cmpuint (coproc_fault_get_rss (), <, start + extra);
}

gint64
coproc_fault_limit (gint64 us)
{
#if defined(__SANITIZE_ADDRESS__)
  return 10 * us;
#else
  return coproc_test_is_slow () ? 50 * us : us;
#endif
}

gboolean
coproc_fault_is_shimmed (void)
{
  return g_getenv ("COPROC_FAULT") != NULL;
}

guint
coproc_fault_count_offspring (GPid host)
{
  g_autofree char *mark = g_strdup_printf ("COPROC_WORKER_MARK=%d-", (int) host);
  g_autoptr(GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc", name, "environ", NULL);
      g_autofree char *environment = NULL;
      gsize size;

      if (g_ascii_isdigit (*name) && g_file_get_contents (path, &environment, &size, NULL)
          && memmem (environment, size, mark, strlen (mark)) != NULL)
        n++;
    }
  return n;
}

gboolean
coproc_fault_is_gone (GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *stat = NULL;
  const char *state;

  if (!g_file_get_contents (path, &stat, NULL, NULL))
    return TRUE;
  state = strrchr (stat, ')');
  return state != NULL && state[1] == ' ' && strchr ("ZX", state[2]) != NULL;
}
