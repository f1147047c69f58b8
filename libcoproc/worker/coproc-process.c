/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One child process.
 *
 *   alive ── pidfd readable, or waitid() says so ──▶ zombie ── group killed, reaped ──▶ offspring killed ──▶ ended
 *
 * The pid is this process's own until it is reaped, so that signals and the group's death cannot
 * hit a stranger; `lock` keeps a signal from crossing the reaping. SIGCHLD is left to the application:
 * no handler is set, and it may even be ignored.
 */
#include "coproc-config.h"

#include "worker/coproc-process-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/coproc-fork-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-unix-private.h"
#include "worker/coproc-offspring-private.h"

#define POLL_INTERVAL_MS 10 /* how often a process is looked at where there is no pidfd */

struct _CoprocProcess
{
  gatomicrefcount ref_count;
  GPid pid;                    /* immutable */
  char *mark;                  /* immutable (nullable) of its offspring, which is killed after it */
  int pidfd;                   /* immutable once watched; -1: there is none */
  CoprocProcessExited exited;  /* immutable once watched */
  gpointer user_data;

  CoprocForkGuard guard;       /* thread-safe by itself */

  GMutex lock;
  CoprocExit status;           /* (mutex lock) */
};

/* What is known of a signal beside its name. */
static const char *
get_signal_reason (int signum)
{
  switch (signum)
    {
    case SIGKILL:
      return ", killed (possibly out of memory)";
    case SIGXCPU:
      return ", its CPU time was used up";
    case SIGXFSZ:
      return ", a file had become too large";
    case SIGSYS:
      return ", a system call is not allowed";
    default:
      return "";
    }
}

static char *
describe_signal (int signum, const char *reason)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
  const char *name = sigabbrev_np (signum);
#else
  const char *name = signum == SIGKILL ? "KILL" : NULL;
#endif

  if (name != NULL)
    return g_strdup_printf ("signal %s%s", name, reason);
  return g_strdup_printf ("signal %d%s", signum, reason);
}

char *
coproc_exit_describe (const CoprocExit *status, gboolean forced)
{
  switch (status->kind)
    {
    case COPROC_EXIT_CODE:
      return g_strdup_printf ("exit code %d", status->value);
    case COPROC_EXIT_SIGNAL:
      return describe_signal (status->value, forced && status->value == SIGKILL
                                                 ? ", forced by the host"
                                                 : get_signal_reason (status->value));
    case COPROC_EXIT_UNKNOWN:
      return g_strdup ("unknown exit status");
    case COPROC_EXIT_NOT_YET:
      return g_strdup ("still running");
    default:
      g_assert_not_reached ();
    }
}

/* A child of this process has no such child: it must not signal it. */
static void
coproc_process_disown (gpointer object)
{
  CoprocProcess *self = object;

  self->status.kind = COPROC_EXIT_UNKNOWN;
}

CoprocProcess *
coproc_process_new (GPid pid, const char *mark)
{
  CoprocProcess *self = g_new0 (CoprocProcess, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->pid = pid;
  self->mark = g_strdup (mark);
  self->pidfd = -1;
  coproc_fork_guard_add (&self->guard, COPROC_FORK_PART, &self->lock, coproc_process_disown, self);

  return self;
}

CoprocProcess *
coproc_process_ref (CoprocProcess *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_process_unref (CoprocProcess *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  coproc_clear_fd (&self->pidfd);
  g_mutex_clear (&self->lock);
  g_free (self->mark);
  g_free (self);
}

GPid
coproc_process_get_pid (CoprocProcess *self)
{
  return self->pid;
}

CoprocExit
coproc_process_get_exit (CoprocProcess *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->status;
}

/* What is left of the group when nobody can say any more whose the pid is: a group keeps its number
 * from being given to a process, so that one without a leader is still the worker's. */
static void
kill_leaderless_group (GPid pid)
{
  if (getpgid (pid) < 0 && errno == ESRCH)
    kill (-pid, SIGKILL);
}

/* Whether the process has ended; if so it is reaped and *status filled. (lock) */
static gboolean
reap_locked (CoprocProcess *self, CoprocExit *status)
{
  siginfo_t info;
  int result, wait_status;

  memset (&info, 0, sizeof info);
  do
    result = waitid (P_PID, (id_t) self->pid, &info, WEXITED | WNOHANG | WNOWAIT);
  while (result < 0 && errno == EINTR);

  if (result == 0 && info.si_pid == 0)
    return FALSE;

  status->kind = COPROC_EXIT_UNKNOWN;
  status->value = -1;
  if (result == 0)
    {
      /* The zombie still holds the number of the group. */
      if (self->mark != NULL)
        kill (-self->pid, SIGKILL);
      do
        result = waitpid (self->pid, &wait_status, WNOHANG);
      while (result < 0 && errno == EINTR);
      if (result == self->pid && WIFEXITED (wait_status))
        *status = (CoprocExit) { COPROC_EXIT_CODE, WEXITSTATUS (wait_status) };
      else if (result == self->pid && WIFSIGNALED (wait_status))
        *status = (CoprocExit) { COPROC_EXIT_SIGNAL, WTERMSIG (wait_status) };
    }
  else if (self->mark != NULL)
    {
      kill_leaderless_group (self->pid);
    }

  return TRUE;
}

/* Looks whether the process has ended, and tells if so. Background thread. */
static gboolean
check_exit (CoprocProcess *self)
{
  gboolean ended;

  g_mutex_lock (&self->lock);
  ended = reap_locked (self, &self->status);
  g_mutex_unlock (&self->lock);

  if (ended && self->mark != NULL)
    coproc_offspring_kill (self->mark);
  if (ended)
    self->exited (self, self->user_data);

  return ended ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static gboolean
on_pidfd (int fd, GIOCondition condition, gpointer user_data)
{
  return check_exit (user_data);
}

static gboolean
on_poll (gpointer user_data)
{
  return check_exit (user_data);
}

void
coproc_process_watch (CoprocProcess       *self,
                      GMainContext        *io,
                      gboolean             use_pidfd,
                      CoprocProcessExited  func,
                      gpointer             user_data)
{
  /* The end may be told, and the background thread's last user gone with it, before this returns: the
   * context must not go while this thread has a reference to one of its sources. */
  g_autoptr (GMainContext) context G_GNUC_UNUSED = g_main_context_ref (io);
  g_autoptr (GSource) source = NULL;

  self->exited = func;
  self->user_data = user_data;
#ifdef HAVE_PIDFD_OPEN
  if (use_pidfd)
    self->pidfd = (int) syscall (SYS_pidfd_open, self->pid, 0);
#endif

  if (self->pidfd >= 0)
    {
      source = g_unix_fd_source_new (self->pidfd, G_IO_IN);
      g_source_set_callback (source, G_SOURCE_FUNC (on_pidfd), coproc_process_ref (self),
                             (GDestroyNotify) coproc_process_unref);
    }
  else
    {
      source = g_timeout_source_new (POLL_INTERVAL_MS);
      g_source_set_callback (source, on_poll, coproc_process_ref (self),
                             (GDestroyNotify) coproc_process_unref);
    }
  g_source_set_static_name (source, "coproc process");
  g_source_attach (source, io);
}

void
coproc_process_signal (CoprocProcess *self, int signum)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->status.kind != COPROC_EXIT_NOT_YET)
    return;
#if defined(HAVE_PIDFD_OPEN) && defined(SYS_pidfd_send_signal)
  if (self->pidfd >= 0)
    {
      syscall (SYS_pidfd_send_signal, self->pidfd, signum, NULL, 0);
      return;
    }
#endif
  kill (self->pid, signum);
}
