/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A host that forks while workers live (fault B4): the child has copies of everything, and owns nothing.
 */
#include "worker-util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC

/* A child runs its checks, says that it has, and then does nothing. */
typedef struct
{
  GPid pid;
  int fd;
} Child;

/* In the child: that is no test program any more, so that a failure is its exit. */
#define CHECK(condition)                                                                           \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (!(condition))                                                                              \
      {                                                                                            \
        g_printerr ("%s: %s does not hold in the child\n", G_STRLOC, #condition);                  \
        _exit (1);                                                                                 \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

static Child
fork_child (void (*func) (gpointer), gpointer data)
{
  Child child;
  int fds[2];
  char c;

  g_assert_no_errno (pipe (fds));
  child.pid = fork ();
  if (child.pid == 0)
    {
      close (fds[0]);
      func (data);
      CHECK (write (fds[1], "x", 1) == 1);
      alarm (60);
      for (;;)
        pause ();
    }
  close (fds[1]);
  child.fd = fds[0];
  g_assert_cmpint (read (child.fd, &c, 1), ==, 1); /* its checks have held */
  return child;
}

static void
end_child (Child *child)
{
  g_assert_no_errno (kill (child->pid, SIGKILL));
  while (waitpid (child->pid, NULL, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  close (child->fd);
}

static gboolean
is_foreign (GError *error)
{
  const gboolean is = error != NULL && g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSED)
                      && strstr (error->message, "forked") != NULL;

  g_clear_error (&error);
  return is;
}

/* --- what the child sees --- */

static void
check_messenger (CoprocMessenger *messenger)
{
  g_autoptr (GVariant) payload = g_variant_ref_sink (g_variant_new_string ("x"));
  GError *error = NULL;

  CHECK (coproc_messenger_get_closed (messenger));
  CHECK (!coproc_messenger_send_norequest (messenger, payload, NULL, &error) && is_foreign (error));
  error = NULL;
  CHECK (coproc_messenger_call (messenger, payload, NULL, -1, NULL, &error) == NULL && is_foreign (error));
  error = NULL;
  CHECK (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error) == NULL && is_foreign (error));
  error = NULL;
  CHECK (!coproc_messenger_send_close_request (messenger, &error) && is_foreign (error));
  coproc_messenger_close (messenger);
}

/* Its copy of a worker is that of one that has ended; it may have workers of its own. */
static void
use_worker (gpointer data)
{
  CoprocWorkerResource *worker = data;
  g_autofree char *path = coproc_fault_path ("plugins/hostile.so");
  CoprocWorkerResource *own = coproc_worker_resource_new (path, "hostile");
  GError *error = NULL;

  CHECK (!coproc_worker_resource_is_alive (worker));
  CHECK (coproc_worker_resource_get_pid (worker) == 0);
  check_messenger (coproc_worker_resource_get_messenger (worker));
  CHECK (!coproc_worker_resource_terminate (worker, &error));
  CHECK (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE));
  g_clear_error (&error);
  CHECK (coproc_worker_resource_stop (worker, 0, &error));
  CHECK (coproc_worker_resource_join (worker, 0, NULL, &error));
  g_object_unref (worker);

  CHECK (coproc_worker_resource_start (own, NULL, NULL, &error));
  CHECK (coproc_worker_resource_get_pid (own) > 0);
  coproc_fault_ping (own);
  CHECK (coproc_worker_resource_stop (own, 10 * SECOND, &error));
  g_object_unref (own);
}

static void
do_nothing (gpointer data)
{
}

static void
exit_cleanly (gpointer data)
{
  g_object_unref (data);
  exit (0);
}

/* --- the host --- */

static void
test_uses (gconstpointer data)
{
  const gboolean on_thread = GPOINTER_TO_INT (data);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  Child child;

  g_test_summary ("The child is told, and can start workers of its own; the host's goes on");

  if (on_thread)
    g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  child = fork_child (use_worker, worker);
  coproc_fault_ping (worker);
  end_child (&child);
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
}

/* A death is seen although the child, which has all descriptors, lives. */
static void
test_death (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr (GError) error = NULL;
  gint64 start;
  Child child;
  GPid pid;

  coproc_fault_start (worker, NULL);
  pid = coproc_worker_resource_get_pid (worker);
  child = fork_child (do_nothing, NULL);
  start = g_get_monotonic_time ();
  g_assert_no_errno (kill (pid, SIGKILL));
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  coproc_fault_assert_died (error, pid, "signal KILL");
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (SECOND));
  coproc_fault_release (worker);
  end_child (&child);
}

/* The end of a connection is seen by its peer although a child of the process that had it lives. */
static void
test_holds_nothing (void)
{
  struct pollfd end = { .events = POLLIN };
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  int in[2], out[2];
  char buffer[4096];
  gssize n = 1;
  Child child;

  g_assert_no_errno (pipe2 (in, O_CLOEXEC) | pipe2 (out, O_CLOEXEC));
  messenger = coproc_messenger_new_for_fds (COPROC_TYPE_MESSENGER, in[0], out[1], &error);
  g_assert_no_error (error);
  child = fork_child (do_nothing, NULL);
  coproc_test_finalize (messenger);
  end.fd = out[0];
  while (n > 0)
    {
      g_assert_cmpint (poll (&end, 1, 10000), ==, 1);
      n = read (out[0], buffer, sizeof buffer);
    }
  g_assert_cmpint (n, ==, 0);
  close (in[1]);
  close (out[0]);
  end_child (&child);
}

#define N_FILES 32

/* What is in @data are the numbers of descriptors, and each is still the same file. */
static void
check_files (gpointer data)
{
  const int *fds = data;
  struct stat first, other;

  CHECK (fstat (fds[0], &first) == 0);
  for (guint i = 1; i < N_FILES; i++)
    CHECK (fstat (fds[i], &other) == 0 && other.st_ino == first.st_ino && other.st_dev == first.st_dev);
}

/* The descriptors of a connection that has ended are other files' by the time of the fork. */
static void
test_ended (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  int fds[N_FILES];
  Child child;

  coproc_fault_start (worker, NULL);
  coproc_worker_resource_stop (worker, SECOND, NULL);
  for (guint i = 0; i < N_FILES; i++)
    g_assert_no_errno (fds[i] = open ("/dev/zero", O_RDONLY | O_CLOEXEC));
  child = fork_child (check_files, fds);
  end_child (&child);
  for (guint i = 0; i < N_FILES; i++)
    close (fds[i]);
  coproc_test_finalize (worker);
}

/* A child that ends as programs do, with all that it tidies up, ends nothing of the host's. */
static void
test_exit (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  coproc_fault_start (worker, NULL);
  for (guint i = 0; i < 20; i++)
    {
      pid_t pid = fork ();
      int status;

      if (pid == 0)
        exit_cleanly (worker);
      while (waitpid (pid, &status, 0) < 0)
        g_assert_cmpint (errno, ==, EINTR);
      coproc_fault_ping (worker);
    }
  coproc_fault_release (worker);
}

/* --- while other threads are in the middle of something --- */

typedef struct
{
  CoprocWorkerResource *worker;
  int stop;
} Traffic;

static gpointer
send_and_receive (gpointer data)
{
  Traffic *traffic = data;

  while (!g_atomic_int_get (&traffic->stop))
    {
      coproc_fault_ping (traffic->worker);
      g_assert_true (coproc_worker_resource_is_alive (traffic->worker));
    }
  return NULL;
}

static void
check_traffic (gpointer data)
{
  Traffic *traffic = data;

  CHECK (!coproc_worker_resource_is_alive (traffic->worker));
  check_messenger (coproc_worker_resource_get_messenger (traffic->worker));
}

static void
test_traffic (void)
{
  Traffic traffic = { coproc_fault_new_hostile (), 0 };
  GThread *threads[3];

  g_test_summary ("No lock is left held in the child");

  coproc_fault_start (traffic.worker, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("traffic", send_and_receive, &traffic);
  for (guint i = 0; i < coproc_test_scale (200); i++)
    {
      Child child = fork_child (check_traffic, &traffic);

      end_child (&child);
    }
  g_atomic_int_set (&traffic.stop, 1);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  coproc_fault_release (traffic.worker);
}

int
main (int argc, char **argv)
{
#ifdef __SANITIZE_THREAD__
  g_print ("1..0 # SKIP ThreadSanitizer follows no threads into a forked child\n");
  return 0;
#endif
  coproc_test_init (&argc, &argv);
  coproc_test_add_data ("/coproc/fault-fork/B4/process", GINT_TO_POINTER (FALSE), test_uses);
  coproc_test_add_data ("/coproc/fault-fork/B4/thread", GINT_TO_POINTER (TRUE), test_uses);
  coproc_test_add ("/coproc/fault-fork/B4/death", test_death);
  coproc_test_add ("/coproc/fault-fork/B4/holds-nothing", test_holds_nothing);
  coproc_test_add ("/coproc/fault-fork/B4/ended", test_ended);
  coproc_test_add ("/coproc/fault-fork/B4/exit", test_exit);
  coproc_test_add ("/coproc/fault-fork/B4/traffic", test_traffic);
  return g_test_run ();
}
