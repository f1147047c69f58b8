/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The worker's side of the meeting of a worker and its host.
 *
 * A worker must not outlive its host, even when all that its code does is to compute. Two things
 * tell of the host's death, both watched by the background thread: the connection that ends without
 * a goodbye, and the host's process itself, for a host that died when the connection was not being
 * read or that said goodbye to a worker that does not listen. Where the protocol is on standard input and
 * output the host may be on another machine: there it is its silence that tells.
 */
#include "coproc-config.h"

#include "worker/coproc-worker-connect-private.h"
#include "worker/coproc-worker-connect.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-limits-private.h"
#include "wire/coproc-unix-private.h"
#include "worker/coproc-offspring-private.h"
#include "worker/coproc-rlimits-private.h"

#define FIRST_FREE_FD 10 /* out of the way of what a program, or the C library, opens and prints to */
#define ORPHAN_EXIT_CODE 1
#define SILENCE_US (30 * G_USEC_PER_SEC) /* before the host has said how long it may be silent */
#define ORPHAN_GRACE_US (G_USEC_PER_SEC / 2) /* for the last work of a worker whose host is gone */
#define PARENT_POLL_MS 100                   /* where there is no pidfd */

/* Returns: FALSE when @text is not the number of an open descriptor, or -1 */
static gboolean
parse_fd (const char *text, int *fd)
{
  gint64 number;

  if (!g_ascii_string_to_signed (text, 10, -1, G_MAXINT, &number, NULL))
    return FALSE;
  *fd = (int) number;

  return *fd < 0 || fcntl (*fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* Where the protocol was, what is read is empty and what is printed joins standard error. */
static gboolean
take_stdio (CoprocWorkerFds *fds, GError **error)
{
  int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  fds->on_stdio = TRUE;
  fds->in = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  fds->out = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  if (null_fd >= 0)
    dup2 (null_fd, STDIN_FILENO);
  if (dup2 (STDERR_FILENO, STDOUT_FILENO) < 0)
    dup2 (null_fd, STDOUT_FILENO);
  coproc_clear_fd (&null_fd);
  if (fds->in >= 0 && fds->out >= 0)
    return coproc_stdio_write_preamble (fds->out, error);

  g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                       "There is no host: standard input or output is closed");
  return FALSE;
}

gboolean
coproc_worker_take_fds (CoprocWorkerFds *fds, GError **error)
{
  g_autofree char *value = g_strdup (g_getenv (COPROC_WORKER_FDS_VARIABLE));
  g_auto (GStrv) parts = NULL;
  guint n = 0;

  *fds = (CoprocWorkerFds) COPROC_WORKER_FDS_INIT;
  g_unsetenv (COPROC_WORKER_FDS_VARIABLE);
  if (g_strcmp0 (value, COPROC_WORKER_FDS_STDIO) == 0)
    return take_stdio (fds, error);
  if (value != NULL)
    parts = g_strsplit (value, ",", -1);
  if (parts != NULL)
    n = g_strv_length (parts);
  if ((n == 2 || n == 3) && parse_fd (parts[0], &fds->in) && parse_fd (parts[1], &fds->out)
      && (n == 2 || parse_fd (parts[2], &fds->memory)))
    return TRUE;

  g_set_error (error, COPROC_ERROR, COPROC_ERROR_FAILED,
               "There is no host: " COPROC_WORKER_FDS_VARIABLE " is %s%s%s", value != NULL ? "'" : "",
               value != NULL ? value : "not set",
               value != NULL ? "', not two or three open descriptors" : "");
  return FALSE;
}

/* --- the host's death --- */

static char own_mark[COPROC_MAX_MARK + 1]; /* immutable once there is a watch */

/* What this process has started ends with it, or with its host, which may not be there to see to it. Nothing is
 * tidied up: other threads run plugin code and may hold any lock. */
G_NORETURN static void
die (void)
{
  coproc_offspring_kill (own_mark);
  _exit (ORPHAN_EXIT_CODE);
}

/* Any thread. */
static void
on_connection_ended (const GError *error, gpointer user_data)
{
  die ();
}

/* Background thread. */
static void
on_silence (gpointer user_data)
{
  die ();
}

/* Speaks often enough for a host that takes silence for death, and takes the host's for that where there is no
 * other sign. */
static void
keep_heartbeat (CoprocMessenger *messenger, gint64 limit_us, gboolean on_stdio)
{
  coproc_messenger_set_heartbeat (messenger, limit_us / COPROC_BEATS, limit_us, COPROC_HEART_TELLS,
                                  on_stdio ? on_silence : NULL, NULL, NULL);
}

static gboolean
on_orphan_grace_over (gpointer user_data)
{
  die ();
}

/* The host's process is gone. Background thread. */
static void
host_gone (GMainContext *io)
{
  g_source_unref (coproc_io_add_timeout (io, ORPHAN_GRACE_US, on_orphan_grace_over, NULL, NULL));
}

static gboolean
on_host_pidfd (int fd, GIOCondition condition, gpointer user_data)
{
  host_gone (user_data);
  coproc_clear_fd (&fd);

  return G_SOURCE_REMOVE;
}

static pid_t host_pid; /* immutable once there is a watch */

static gboolean
on_parent_poll (gpointer user_data)
{
  if (getppid () == host_pid)
    return G_SOURCE_CONTINUE;
  host_gone (user_data);

  return G_SOURCE_REMOVE;
}

/* Uses the background thread for as long as the process lives. */
static gboolean
watch_host (GError **error)
{
  GMainContext *io = coproc_io_ref (error);
  g_autoptr (GSource) source = NULL;
  int pidfd = -1;

  if (io == NULL)
    return FALSE;
  host_pid = getppid ();

#ifdef HAVE_PIDFD_OPEN
  pidfd = (int) syscall (SYS_pidfd_open, host_pid, 0);
#endif
  if (pidfd >= 0)
    {
      source = g_unix_fd_source_new (pidfd, G_IO_IN);
      g_source_set_callback (source, G_SOURCE_FUNC (on_host_pidfd), io, NULL);
    }
  else
    {
      source = g_timeout_source_new (PARENT_POLL_MS);
      g_source_set_callback (source, on_parent_poll, io, NULL);
    }
  g_source_set_static_name (source, "coproc host");
  g_source_attach (source, io);

  /* It may have died, and the number be another's, before the watch was there. */
  if (getppid () != host_pid)
    die ();

  return TRUE;
}

/* --- meeting and leaving --- */

static gboolean
get_arguments (GVariant *hello, GVariant **arguments, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (hello, "arguments", NULL);

  if (value != NULL && !g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                   "A worker's arguments are of type 'a{sv}', not '%s'",
                   g_variant_get_type_string (value));
      return FALSE;
    }
  *arguments = g_steal_pointer (&value);

  return TRUE;
}

/* A worker takes what its host would take. */
static void
take_limit (CoprocMessenger *messenger, GVariant *hello)
{
  guint64 own, max;

  g_object_get (messenger, "max-message-size", &own, NULL);
  if (g_variant_lookup (hello, "max-message-size", "t", &max) && max > own)
    g_object_set (messenger, "max-message-size", MIN (max, COPROC_MAX_PAYLOAD_SIZE), NULL);
}

/* What the greeting asks of this process. */
static gboolean
heed_greeting (CoprocMessenger *messenger, GVariant *hello, gboolean on_stdio, GError **error)
{
  g_autoptr (GVariant) rlimits = g_variant_lookup_value (hello, "rlimits", COPROC_RLIMITS_TYPE);
  guint64 heartbeat_us = 0;

  g_variant_lookup (hello, "heartbeat", "t", &heartbeat_us);
  keep_heartbeat (messenger, (gint64) MIN (heartbeat_us, G_MAXINT64 / 2), on_stdio);

  return rlimits == NULL || coproc_rlimits_apply (rlimits, error);
}

gboolean
coproc_worker_await_greeting (CoprocMessenger        *messenger,
                              const CoprocWorkerFds  *fds,
                              GVariant              **arguments,
                              GError                **error)
{
  g_autoptr (GVariant) hello = coproc_messenger_await_hello (messenger, -1, NULL, error);
  g_autoptr (GError) local_error = NULL;

  *arguments = NULL;
  if (hello == NULL)
    return FALSE;
  take_limit (messenger, hello);
  if ((fds == NULL || heed_greeting (messenger, hello, fds->on_stdio, &local_error))
      && get_arguments (hello, arguments, &local_error))
    return TRUE;

  coproc_worker_leave_host (messenger, local_error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

CoprocMessenger *
coproc_worker_meet_host (GType messenger_type, GVariant **arguments, GError **error)
{
  g_autoptr (CoprocMessenger) messenger = NULL;
  g_autoptr (CoprocSharedMemory) memory = NULL;
  const char *mark = g_getenv (COPROC_MARK_VARIABLE);
  CoprocWorkerFds fds;

  if (mark != NULL && strlen (mark) <= COPROC_MAX_MARK)
    strcpy (own_mark, mark);
  if (!coproc_worker_take_fds (&fds, error) || (!fds.on_stdio && !watch_host (error)))
    return NULL;
  if (fds.memory >= 0 && (memory = coproc_shared_memory_open (fds.memory, error)) == NULL)
    return NULL;
  messenger = coproc_messenger_new_unannounced (messenger_type, NULL, fds.in, fds.out, memory, COPROC_SHARE_AS_WORKER, error);
  if (messenger == NULL)
    return NULL;
  coproc_messenger_set_end_func (messenger, on_connection_ended, NULL, NULL);
  if (fds.on_stdio)
    keep_heartbeat (messenger, SILENCE_US, TRUE);

  if (!coproc_worker_await_greeting (messenger, &fds, arguments, error))
    return NULL;
  return g_steal_pointer (&messenger);
}

void
coproc_worker_leave_host (CoprocMessenger *messenger, const GError *report)
{
  /* Where the host cannot be told any more there is nobody else to tell. */
  if (report != NULL)
    coproc_messenger_send_error (messenger, report, NULL);
  coproc_messenger_close (messenger);
  coproc_messenger_flush (messenger, -1, NULL);
}

/**
 * coproc_worker_connect:
 * @messenger_type: [class@Coproc.Messenger] or a subclass
 * @arguments: (out) (optional) (nullable) (transfer full): return location for the arguments of the start, of
 *   type `a{sv}`
 * @error: return location for an error
 *
 * Takes up the connection to the host that has started this program as a worker.
 *
 * From now on this process ends when its host does. Call it once, before other threads or children are
 * started, and [method@Coproc.Messenger.close] the messenger at the end: only then has the worker ended
 * properly, and its last messages are still written while it exits. A receive call tells of the host's
 * wish that it ends with %COPROC_ERROR_CLOSE_REQUESTED.
 *
 * ```python
 * messenger, arguments = Coproc.worker_connect(Coproc.PriorityMessenger)
 * ```
 *
 * Errors: %COPROC_ERROR_FAILED when the program was not started by a host, or has called this before;
 * %COPROC_ERROR_CLOSED or %COPROC_ERROR_WORKER_DIED when the host is gone.
 *
 * Returns: (transfer full): the messenger
 *
 * Since: 1.0
 */
CoprocMessenger *
coproc_worker_connect (GType messenger_type, GVariant **arguments, GError **error)
{
  g_autoptr (CoprocMessenger) messenger = NULL;
  g_autoptr (GVariant) given = NULL;

  g_return_val_if_fail (g_type_is_a (messenger_type, COPROC_TYPE_MESSENGER), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (arguments != NULL)
    *arguments = NULL;
  messenger = coproc_worker_meet_host (messenger_type, &given, error);
  if (messenger == NULL || !coproc_messenger_send_hello (messenger, NULL, error))
    return NULL;

  coproc_messenger_flush_at_exit (messenger);
  if (arguments != NULL)
    *arguments = g_steal_pointer (&given);
  return g_steal_pointer (&messenger);
}
