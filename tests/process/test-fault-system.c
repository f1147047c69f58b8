/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A system that gives little: small pipes, no descriptors, no helper (faults B10, B11, B16).
 */
#include "coproc-fault.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define NOBODY 65534
#define N_QUOTA_PIPES 80 /* of a mebibyte: more than the 64 that a user may have */

/* --- B10 --- */

/* Echoes one large payload and many small ones. */
static void
echo_all (CoprocMessenger *messenger)
{
  const guint n_small = coproc_test_scale (10000);
  g_autofree guint8 *block = g_malloc0 (MIB);
  g_autoptr(GVariant) large = NULL;
  g_autoptr(GVariant) echo = NULL;
  g_autoptr(GError) error = NULL;
  guint64 sum = 0;
  GVariant *reply;

  for (gsize i = 0; i < MIB; i++)
    block[i] = (guint8) (i * 31 >> 3);
  large = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, block, MIB, 1));
  echo = coproc_messenger_call (messenger, large, "large", -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_equal (large, echo));

  for (guint i = 0; i < n_small; i++)
    {
      coproc_messenger_send_request (messenger, g_variant_new_uint32 (i), "small", &error);
      g_assert_no_error (error);
    }
  while ((reply = coproc_messenger_receive_remaining (messenger, "small", NULL, &error)) != NULL)
    {
      sum += g_variant_get_uint32 (reply);
      g_variant_unref (reply);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (sum, ==, (guint64) n_small * (n_small - 1) / 2);
}

static gpointer
echo_thread (gpointer data)
{
  CoprocMessenger *messenger = data;

  for (;;)
    {
      g_autoptr(CoprocMessage) message = coproc_messenger_receive_any (messenger, -1, NULL, NULL);

      if (message == NULL)
        return NULL;
      coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), NULL);
    }
}

static void
open_small_pipe (int fds[2], int size)
{
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (fds[1], F_SETPIPE_SZ, size), >=, 0);
}

/* Over pipes of a given size. */
static void
test_pipe_size (gconstpointer data)
{
  const int size = GPOINTER_TO_INT (data);
  CoprocMessenger *host, *peer;
  g_autoptr(GError) error = NULL;
  int there[2], back[2];
  GThread *thread;

  open_small_pipe (there, size);
  open_small_pipe (back, size);
  host = coproc_messenger_new_for_fds (COPROC_TYPE_MULTI_MESSENGER, back[0], there[1], &error);
  g_assert_no_error (error);
  peer = coproc_messenger_new_for_fds (COPROC_TYPE_MULTI_MESSENGER, there[0], back[1], &error);
  g_assert_no_error (error);
  thread = g_thread_new ("echo", echo_thread, peer);
  echo_all (host);
  coproc_messenger_close (host);
  g_thread_join (thread);
  coproc_test_finalize_pair (peer, host);
}

/* In a process of its own, as a user whose quota of pipe memory is used up. */
static void
test_quota_subprocess (void)
{
  int fds[2];
  CoprocWorkerResource *worker;
  g_autofree char *plugin = coproc_fault_path ("plugins/hostile.so");

  if (getuid () == 0)
    g_assert_true (setgid (NOBODY) == 0 && setuid (NOBODY) == 0);
  if (g_access (plugin, R_OK) != 0)
    {
      g_print ("out of reach\n");
      return;
    }
  for (guint i = 0; i < N_QUOTA_PIPES; i++)
    {
      g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
      fcntl (fds[1], F_SETPIPE_SZ, MIB);
    }
  g_assert_cmpint (fcntl (fds[1], F_GETPIPE_SZ), <=, 8192);
  worker = coproc_fault_new_hostile ();
  coproc_fault_start (worker, NULL);
  echo_all (coproc_worker_resource_get_messenger (worker));
  coproc_fault_release (worker);
  g_print ("echoed\n");
}

/* Whether anybody may read what is under @path, and go there. */
static gboolean
is_open_to_all (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  GStatBuf info;

  if (g_stat (path, &info) != 0 || (info.st_mode & 0005) != 0005)
    return FALSE;
  return strcmp (parent, path) == 0 || is_open_to_all (parent);
}

static void
test_quota (void)
{
  g_autofree char *plugin = coproc_fault_path ("plugins/hostile.so");
  g_autofree char *canonical = g_canonicalize_filename (plugin, NULL);

  if (getuid () == 0 && !is_open_to_all (canonical))
    {
      g_test_skip ("The build directory is out of reach for the user nobody");
      return;
    }

  g_test_trap_subprocess ("/coproc/fault-system/B10/quota/subprocess", 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*echoed*");
}

/* --- B11 --- */

/* With no descriptor left a start fails; who works goes on working; afterwards all is as before. */
static void
test_no_descriptors (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocWorkerResource *other = coproc_fault_new_hostile ();
  g_autoptr(GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr(GError) error = NULL;
  struct rlimit old, limit;
  int fd;

  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &old), ==, 0);
  limit = old;
  limit.rlim_cur = MIN (limit.rlim_cur, 256);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  while ((fd = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    g_array_append_val (fds, fd);
  g_assert_cmpint (errno, ==, EMFILE);

  /* Also when a few are left, but not enough. */
  for (guint i = 0; i < 12 && error == NULL; i++)
    {
      gboolean started = coproc_worker_resource_start (other, NULL, NULL, &error);

      if (i == 0)
        {
          g_assert_false (started);
          g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
          g_assert_nonnull (strstr (error->message, g_strerror (EMFILE)));
        }
      if (started)
        break;
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
      g_clear_error (&error);
      coproc_fault_ping (worker);
      close (g_array_index (fds, int, fds->len - 1));
      g_array_set_size (fds, fds->len - 1);
    }

  for (guint i = 0; i < fds->len; i++)
    close (g_array_index (fds, int, i));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &old), ==, 0);
  if (!coproc_worker_resource_is_alive (other))
    coproc_fault_start (other, NULL);
  coproc_fault_ping (other);
  coproc_fault_ping (worker);
  coproc_fault_release (other);
  coproc_fault_release (worker);
}

/* --- B16 --- */

typedef struct
{
  const char *name;
  const char *content; /* NULL: there is no file */
  gsize size;
  int mode;
} Helper;

static const Helper helpers[] = {
  { "missing", NULL, 0, 0 },
  { "not-executable", "#!/bin/sh\n", 10, 0644 },
  { "text", "this is no program\n", 19, 0755 },
  { "wrong-architecture", "\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\002\0\363\0\001\0\0\0", 24, 0755 },
  { "truncated", "\177ELF", 4, 0755 },
  { "no-interpreter", "#!/nonexistent/interpreter\n", 27, 0755 },
  { "directory", "", 0, -1 },
};

/* The helper in @dir cannot be run: the error says which, and no process is left. */
static void
use_helper (const Helper *helper, const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "coproc-worker", NULL);
  g_autofree char *old = g_strdup (g_getenv ("COPROC_WORKER_HOST"));
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr(GError) error = NULL;

  if (helper->mode < 0)
    g_assert_cmpint (g_mkdir (path, 0755), ==, 0);
  else if (helper->content != NULL)
    {
      g_assert_true (g_file_set_contents (path, helper->content, (gssize) helper->size, NULL));
      g_assert_cmpint (g_chmod (path, helper->mode), ==, 0);
    }
  g_setenv ("COPROC_WORKER_HOST", path, TRUE);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_false (coproc_worker_resource_is_alive (worker));
  g_assert_cmpint (coproc_worker_resource_get_pid (worker), ==, 0);
  if (old != NULL)
    g_setenv ("COPROC_WORKER_HOST", old, TRUE);
  else
    g_unsetenv ("COPROC_WORKER_HOST");

  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
  g_remove (path);
}

static void
test_helper (gconstpointer data)
{
  g_autofree char *dir = NULL;

  if (coproc_test_is_valgrind ())
    {
      g_test_skip ("Under valgrind it is not told that a program cannot be run");
      return;
    }
  dir = g_dir_make_tmp ("coproc-XXXXXX", NULL);
  use_helper (data, dir);
  g_rmdir (dir);
}

/* Mounts something on @dir from which nothing can be run, for this process only. */
static gboolean
mount_noexec (const char *dir)
{
  return unshare (CLONE_NEWNS) == 0 && mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
         && mount ("none", dir, "tmpfs", MS_NOEXEC, NULL) == 0;
}

static gpointer
try_to_mount (gpointer dir)
{
  return GINT_TO_POINTER (mount_noexec (dir));
}

static void
test_noexec (void)
{
  const Helper helper = { "noexec", "#!/bin/sh\n", 10, 0755 };
  g_autofree char *dir = g_dir_make_tmp ("coproc-XXXXXX", NULL);

  if (g_test_subprocess ())
    {
      g_assert_true (mount_noexec (dir));
      use_helper (&helper, dir);
      g_assert_cmpint (umount (dir), ==, 0);
      g_rmdir (dir);
      return;
    }
  /* The mounts of a thread may be its own, and end with it. */
  if (coproc_test_is_valgrind () || !g_thread_join (g_thread_new ("mount", try_to_mount, dir)))
    g_test_skip ("Nothing can be mounted here");
  else
    {
      g_test_trap_subprocess (NULL, 60 * G_USEC_PER_SEC, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
    }
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add_data ("/coproc/fault-system/B10/pipe-4096", GINT_TO_POINTER (4096), test_pipe_size);
  coproc_test_add_data ("/coproc/fault-system/B10/pipe-8192", GINT_TO_POINTER (8192), test_pipe_size);
  coproc_test_add_data ("/coproc/fault-system/B10/pipe-1-mib", GINT_TO_POINTER (MIB), test_pipe_size);
  g_test_add_func ("/coproc/fault-system/B10/quota/subprocess", test_quota_subprocess);
  coproc_test_add ("/coproc/fault-system/B10/quota", test_quota);
  coproc_test_add ("/coproc/fault-system/B11/no-descriptors", test_no_descriptors);
  for (guint i = 0; i < G_N_ELEMENTS (helpers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/fault-system/B16/%s", helpers[i].name);

      coproc_test_add_data (path, &helpers[i], test_helper);
    }
  coproc_test_add ("/coproc/fault-system/B16/noexec", test_noexec);
  return g_test_run ();
}
