/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-unix-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "coproc-config.h"

#if HAVE_EVENTFD
#include <sys/eventfd.h>
#endif

gboolean
coproc_unix_pipe (int fds[2], GError **error)
{
  return g_unix_open_pipe (fds, FD_CLOEXEC, error);
}

gboolean
coproc_unix_set_nonblock (int fd, GError **error)
{
  return g_unix_set_fd_nonblocking (fd, TRUE, error);
}

void
coproc_clear_fd (int *fd)
{
  int old = *fd;

  *fd = -1;
  if (old >= 0)
    g_close (old, NULL);
}

gboolean
coproc_wakeup_open (CoprocWakeup *self, GError **error)
{
#if HAVE_EVENTFD
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0)
    {
      int saved_errno = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
                   "Cannot make an eventfd: %s", g_strerror (saved_errno));
      return FALSE;
    }
  self->read_fd = self->write_fd = fd;
#else
  int fds[2];

  if (!coproc_unix_pipe (fds, error))
    return FALSE;
  g_unix_set_fd_nonblocking (fds[0], TRUE, NULL);
  g_unix_set_fd_nonblocking (fds[1], TRUE, NULL);
  self->read_fd = fds[0];
  self->write_fd = fds[1];
#endif
  return TRUE;
}

void
coproc_wakeup_close (CoprocWakeup *self)
{
  if (self->write_fd == self->read_fd)
    self->write_fd = -1;
  coproc_clear_fd (&self->write_fd);
  coproc_clear_fd (&self->read_fd);
}

void
coproc_wakeup_signal (CoprocWakeup *self)
{
  const guint64 one = 1;
  gssize n;

  /* EAGAIN: it is signalled already */
  do
    n = write (self->write_fd, &one, sizeof one);
  while (n < 0 && errno == EINTR);
}

void
coproc_wakeup_clear (CoprocWakeup *self)
{
  guint64 buffer[8];
  gssize n;

  do
    n = read (self->read_fd, buffer, sizeof buffer);
  while (n == sizeof buffer || (n < 0 && errno == EINTR));
}
