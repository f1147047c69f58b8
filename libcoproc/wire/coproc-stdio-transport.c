/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Frames over the standard input and output of a program that others have started: a shell, or a
 * wrapper, may have printed something first. A preamble tells where the frames begin; what comes
 * before it is skipped.
 */
#include "wire/coproc-pipe-transport-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "coproc-error.h"

/* Its first byte comes only once in it, so that a search never goes back. A terminal in between, which would
 * change the frames, changes the end of the line as well, and is noticed. */
static const guint8 preamble[] = "\x1e" "coproc-1 begins\r\n\0\xff\x7f";

#define PREAMBLE_SIZE (sizeof preamble - 1)
#define MAX_NOISE (64 * 1024)

typedef struct
{
  CoprocPipeTransport pipe;

  /* (owner's read lock) */
  gsize n_matched;          /* bytes of the preamble that have come */
  gsize n_noise;            /* bytes that were none of it */
} CoprocStdioTransport;

/* Returns: how many of the bytes come before the first frame */
static gsize
skip_noise (CoprocStdioTransport *self, const guint8 *data, gsize size)
{
  gsize i = 0;

  for (; i < size && self->n_matched < PREAMBLE_SIZE && self->n_noise <= MAX_NOISE; i++)
    {
      if (data[i] == preamble[self->n_matched])
        {
          self->n_matched++;
          continue;
        }
      self->n_noise += self->n_matched + (data[i] != preamble[0]);
      self->n_matched = data[i] == preamble[0];
    }

  return i;
}

static GIOStatus
read_preamble (CoprocPipeTransport *pipe, gpointer data, gsize size, gsize *n_read, GError **error)
{
  CoprocStdioTransport *self = (CoprocStdioTransport *) pipe;
  GIOStatus status;
  gsize n_skipped;

  do
    {
      status = coproc_pipe_transport_read (pipe, data, size, n_read, error);
      if (status != G_IO_STATUS_NORMAL)
        return status;

      n_skipped = skip_noise (self, data, *n_read);
      if (self->n_noise > MAX_NOISE)
        {
          g_set_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL,
                       "The first %d bytes of the peer's output are not the library's", MAX_NOISE);
          *n_read = 0;
          return G_IO_STATUS_ERROR;
        }
      *n_read -= n_skipped;
    }
  while (*n_read == 0 && self->n_matched < PREAMBLE_SIZE);

  memmove (data, (guint8 *) data + n_skipped, *n_read);
  pipe->read = coproc_pipe_transport_read;
  return G_IO_STATUS_NORMAL;
}

CoprocTransportLink *
coproc_stdio_transport_new (int in_fd, int out_fd, GError **error)
{
  CoprocStdioTransport *self = g_new0 (CoprocStdioTransport, 1);

  if (!coproc_pipe_transport_init (&self->pipe, in_fd, out_fd, error))
    {
      g_free (self);
      return NULL;
    }
  self->pipe.read = read_preamble;

  return &self->pipe.link;
}

gboolean
coproc_stdio_write_preamble (int fd, GError **error)
{
  gsize done = 0;

  while (done < PREAMBLE_SIZE)
    {
      gssize n = write (fd, preamble + done, PREAMBLE_SIZE - done);
      int errsv = errno;

      if (n < 0 && errsv == EINTR)
        continue;
      if (n < 0)
        {
          g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errsv),
                       "The standard output cannot be written: %s", g_strerror (errsv));
          return FALSE;
        }
      done += (gsize) n;
    }

  return TRUE;
}
