/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The processes that a worker has started, wherever they have gone.
 *
 * A process that has left its group and its session, and whose parents have ended, still has the
 * environment that it was started with. To look at that of every process takes some microseconds for
 * each; what a process cannot be seen to belong to the worker by, because it has changed its
 * environment, or is another user's, is not found.
 */
#include "coproc-config.h"

#include "worker/coproc-offspring-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_PASSES 16 /* who forks faster than that is for a sandbox to stop */

char *
coproc_offspring_new_mark (void)
{
  static int counter; /* atomic */
  const char *own = g_getenv (COPROC_MARK_VARIABLE);

  return g_strdup_printf ("%s%s%d-%d-%08x%08x", own != NULL ? own : "", own != NULL ? ":" : "", (int) getpid (),
                          g_atomic_int_add (&counter, 1), g_random_int (), g_random_int ());
}

#ifdef SYS_getdents64

/* As the kernel writes it; the C library's readdir() allocates. */
typedef struct
{
  guint64 inode;
  gint64 offset;
  guint16 length;
  guint8 type;
  char name[];
} Entry;

static gssize
read_some (int fd, char *data, gsize size)
{
  gssize n;

  do
    n = read (fd, data, size);
  while (n < 0 && errno == EINTR);

  return n;
}

/* Whether the process of that name, in the directory @proc_fd, has @mark in its environment. */
static gboolean
is_marked (int proc_fd, const char *name, const char *mark, gsize length)
{
  char path[64], buffer[8192 + COPROC_MAX_MARK];
  gsize n_kept = 0;
  gboolean found = FALSE;
  gssize n;
  int fd;

  g_strlcpy (path, name, sizeof path);
  g_strlcat (path, "/environ", sizeof path);
  fd = openat (proc_fd, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return FALSE;

  while (!found && (n = read_some (fd, buffer + n_kept, 8192)) > 0)
    {
      const gsize size = n_kept + (gsize) n;

      found = memmem (buffer, size, mark, length) != NULL;
      n_kept = MIN (size, length - 1);
      memmove (buffer, buffer + size - n_kept, n_kept);
    }
  close (fd);

  return found;
}

/* The number may be another process's by now: what is looked at again is the one that is killed. */
static gboolean
kill_marked (int proc_fd, const char *name, const char *mark, gsize length)
{
  const pid_t pid = (pid_t) strtol (name, NULL, 10);
  int pidfd = -1;

  if (pid <= 1 || pid == getpid () || !is_marked (proc_fd, name, mark, length))
    return FALSE;

#if defined(HAVE_PIDFD_OPEN) && defined(SYS_pidfd_send_signal)
  pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  if (pidfd >= 0)
    {
      const gboolean killed = is_marked (proc_fd, name, mark, length)
                              && syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;

      close (pidfd);
      return killed;
    }
#endif
  return kill (pid, SIGKILL) == 0;
}

/* Looks at one process at a time, lowest number first: one that is gone when its turn comes has started what it has
 * started before, which has a higher number and is met later. Returns: how many processes were killed */
static guint
kill_all_once (int proc_fd, const char *mark, gsize length)
{
  _Alignas (Entry) char buffer[sizeof (Entry) + NAME_MAX + 1];
  const Entry *entry = (gconstpointer) buffer;
  guint n_killed = 0;

  while (syscall (SYS_getdents64, proc_fd, buffer, sizeof buffer) > 0)
    {
      if (g_ascii_isdigit (entry->name[0]))
        n_killed += kill_marked (proc_fd, entry->name, mark, length);
      if (lseek (proc_fd, entry->offset, SEEK_SET) < 0)
        break;
    }

  return n_killed;
}

void
coproc_offspring_kill (const char *mark)
{
  const gsize length = strlen (mark);
  int proc_fd;

  if (length == 0 || length > COPROC_MAX_MARK)
    return;
  proc_fd = open ("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc_fd < 0)
    return;

  /* Until none is left that could have started another meanwhile. */
  for (guint i = 0; i < MAX_PASSES && kill_all_once (proc_fd, mark, length) > 0; i++)
    lseek (proc_fd, 0, SEEK_SET);
  close (proc_fd);
}

#else

void
coproc_offspring_kill (const char *mark)
{
}

#endif
