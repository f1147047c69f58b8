/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Frames over two pipes (or any two descriptors that can be polled), each a GIOChannel.
 *
 * SIGPIPE: a write to a pipe that nobody reads would raise it. Blocking the signal around each write
 * costs two system calls, so the writer keeps a read end of its own outgoing pipe instead, and a peer
 * that has closed its end is noticed by the end of the incoming stream, or by probe(). Where no such
 * read end can be had (a socket, no /proc) the signal is blocked.
 */
#include "wire/coproc-pipe-transport-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coproc-config.h"
#include "coproc-error.h"
#include "wire/coproc-unix-private.h"

#define LARGE_PAYLOAD (16 * 1024)       /* bytes from which a payload is referenced, not copied */
#define BULK_PIPE_SIZE (1024 * 1024)    /* bytes asked for a pipe that carries bulk: a hint only */

/* --- writing --- */

/* Room for @size more bytes, where they are written from, or where they are read. */
static inline guint8 *
get_room (CoprocPipeTransport *self, gsize size)
{
  guint8 *room = NULL;

  if (self->reserve != NULL && self->outbox.size == 0)
    room = self->reserve (self, size);
  return room != NULL ? room : coproc_outbox_append (&self->outbox, size);
}

static inline void
append_frame (CoprocPipeTransport *self, const CoprocFrame *frame, guint32 type)
{
  const gboolean by_reference = frame->variant != NULL && frame->size >= LARGE_PAYLOAD;
  const gsize padding = coproc_frame_padded (frame->size) - frame->size;
  CoprocFrameHeader header = {
    .length = (guint32) (COPROC_FRAME_HEADER_SIZE + frame->size),
    .version = COPROC_WIRE_VERSION,
    .kind = frame->kind,
    .flags = frame->flags,
    .channel = frame->channel,
    .type = type,
    .serial = frame->serial,
    .reply_serial = frame->reply_serial,
    .priority = frame->priority,
  };
  guint8 *out;

  out = get_room (self, COPROC_FRAME_HEADER_SIZE + (by_reference ? 0 : coproc_frame_padded (frame->size)));
  coproc_frame_header_write (&header, out);
  out += COPROC_FRAME_HEADER_SIZE;

  if (by_reference)
    {
      coproc_outbox_append_variant (&self->outbox, frame->variant, frame->data, frame->size);
      out = coproc_outbox_append (&self->outbox, padding);
    }
  else if (frame->size > 0)
    {
      memcpy (out, frame->data, frame->size);
      out += frame->size;
    }
  if (padding > 0)
    memset (out, 0, padding);
  self->link.n_unsent = self->outbox.size;
}

gboolean
coproc_pipe_transport_declare_type (CoprocTransportLink *link, const GVariantType *type, GError **error)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;
  CoprocFrame declaration = { .kind = COPROC_FRAME_TYPE };
  gboolean is_new;
  guint32 number;

  if (!coproc_type_writer_lookup (self->types, type, &number, &is_new))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
                   "Payloads of more than %d types were sent to one peer", COPROC_MAX_TYPES);
      return FALSE;
    }
  if (is_new)
    {
      declaration.data = type;
      declaration.size = strlen ((const char *) type);
      append_frame (self, &declaration, number);
    }
  return TRUE;
}

void
coproc_pipe_transport_queue (CoprocTransportLink *link, const CoprocFrame *frame)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;
  guint32 type = 0;
  gboolean is_new;

  if (frame->type != NULL && frame->type != COPROC_RAW_TYPE)
    (void) coproc_type_writer_lookup (self->types, frame->type, &type, &is_new);
  append_frame (self, frame, type);

#if HAVE_PIPE_RESIZE
  if (G_UNLIKELY (link->n_unsent > 2 * LARGE_PAYLOAD && !self->enlarged))
    {
      self->enlarged = TRUE;
      (void) fcntl (self->out_fd, F_SETPIPE_SZ, BULK_PIPE_SIZE);
    }
#endif
}

GIOStatus
coproc_pipe_transport_write (CoprocPipeTransport  *self,
                             gconstpointer         data,
                             gsize                 size,
                             gsize                *n_written,
                             GError              **error)
{
  static const struct timespec at_once = { 0, 0 };
  sigset_t sigpipe, old, pending;
  GIOStatus status;
  gboolean was_pending;

  if (self->spare_reader >= 0)
    return g_io_channel_write_chars (self->out, data, (gssize) size, n_written, error);

  sigemptyset (&sigpipe);
  sigaddset (&sigpipe, SIGPIPE);
  sigpending (&pending);
  was_pending = sigismember (&pending, SIGPIPE) == 1;
  pthread_sigmask (SIG_BLOCK, &sigpipe, &old);

  status = g_io_channel_write_chars (self->out, data, (gssize) size, n_written, error);

  if (status == G_IO_STATUS_ERROR && !was_pending)
    while (sigtimedwait (&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
      ;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return status;
}

CoprocFlushResult
coproc_pipe_transport_flush (CoprocTransportLink *link, GError **error)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  while (self->outbox.size > 0)
    {
      gsize size, n_written = 0;
      gconstpointer data = coproc_outbox_peek (&self->outbox, &size);
      GIOStatus status;

      if (self->out == NULL)
        {
          g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_CLOSED, "The pipe is closed");
          return COPROC_FLUSH_FAILED;
        }
      status = self->write (self, data, size, &n_written, error);
      coproc_outbox_consume (&self->outbox, n_written, &link->spent);
      link->n_unsent = self->outbox.size;
      if (status == G_IO_STATUS_AGAIN)
        return COPROC_FLUSH_AGAIN;
      if (status != G_IO_STATUS_NORMAL)
        return COPROC_FLUSH_FAILED;
    }
  return COPROC_FLUSH_DONE;
}

/* A read end of the pipe behind @fd, -1 when it is no pipe or there is no /proc. */
static int
open_spare_reader (int fd)
{
  char path[32];
  struct stat info;

  if (fstat (fd, &info) != 0 || !S_ISFIFO (info.st_mode))
    return -1;
  g_snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  return open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

gboolean
coproc_pipe_transport_is_deaf (CoprocPipeTransport *self)
{
  struct pollfd pollfd = { .fd = self->out_fd };

  if (self->out == NULL || self->spare_reader < 0)
    return FALSE;

  coproc_clear_fd (&self->spare_reader);
  if (poll (&pollfd, 1, 0) > 0 && (pollfd.revents & POLLERR) != 0)
    return TRUE;
  self->spare_reader = open_spare_reader (self->out_fd);
  return FALSE;
}

static gboolean
coproc_pipe_transport_probe (CoprocTransportLink *link, gboolean *unread)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;
  int n_unread = 0;

  /* Who reads what we write is there: no need to look closer. */
  *unread = self->out != NULL && self->spare_reader >= 0
            && (ioctl (self->out_fd, FIONREAD, &n_unread) != 0 || n_unread > 0);
  return *unread && coproc_pipe_transport_is_deaf (self);
}

/* --- reading --- */

void
coproc_pipe_transport_get_cut (CoprocTransportLink *link, GError **error)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;
  gsize n_received, n_announced;

  if (coproc_decoder_get_partial (self->decoder, &n_received, &n_announced))
    {
      if (n_announced > 0)
        g_set_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                     "message cut after %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes",
                     n_received, n_announced);
      else
        g_set_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                     "message cut after %" G_GSIZE_FORMAT " bytes of its header", n_received);
    }
}

GIOStatus
coproc_pipe_transport_read (CoprocPipeTransport  *self,
                            gpointer              data,
                            gsize                 size,
                            gsize                *n_read,
                            GError              **error)
{
  return g_io_channel_read_chars (self->in, data, size, n_read, error);
}

/* From here on the pipe has other bytes than frames. Returns: FALSE with error set when that was not agreed on */
static gboolean
move_input (CoprocPipeTransport *self, GError **error)
{
  if (self->move_input != NULL)
    {
      coproc_decoder_drop_rest (self->decoder);
      return self->move_input (self, error);
    }
  g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL,
                       "A frame of the peer is refused: there is no shared memory");
  return FALSE;
}

CoprocReceiveResult
coproc_pipe_transport_receive (CoprocTransportLink  *link,
                               gsize                *budget,
                               CoprocFrame          *frame,
                               GError              **error)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  for (;;)
    {
      gpointer space;
      gsize size, n_read = 0;

      switch (coproc_decoder_next (self->decoder, frame, error))
        {
        case COPROC_DECODE_FRAME:
          if (G_UNLIKELY (frame->kind == COPROC_FRAME_SHARED))
            {
              if (!move_input (self, error))
                return COPROC_RECEIVE_FAILED;
              continue;
            }
          if (frame->variant != NULL)
            g_variant_ref (frame->variant);
          return COPROC_RECEIVE_FRAME;
        case COPROC_DECODE_FAILED:
          return COPROC_RECEIVE_FAILED;
        case COPROC_DECODE_MORE:
        default:
          break;
        }

      if (self->ended)
        {
          coproc_pipe_transport_get_cut (link, error);
          return COPROC_RECEIVE_END;
        }
      if (*budget == 0)
        return COPROC_RECEIVE_AGAIN;

      space = coproc_decoder_get_space (self->decoder, &size, error);
      if (space == NULL)
        return COPROC_RECEIVE_FAILED;

      switch (self->read (self, space, size, &n_read, error))
        {
        case G_IO_STATUS_NORMAL:
          coproc_decoder_add (self->decoder, n_read);
          link->n_received += n_read;
          /* a short read has seen the bottom of the pipe, though not its end */
          if (*budget != COPROC_RECEIVE_ALL)
            *budget = n_read < size ? 0 : *budget - MIN (n_read, *budget);
          break;
        case G_IO_STATUS_EOF:
          self->ended = TRUE;
          break;
        case G_IO_STATUS_AGAIN:
          *budget = 0;
          return COPROC_RECEIVE_AGAIN;
        case G_IO_STATUS_ERROR:
        default:
          return COPROC_RECEIVE_FAILED;
        }
    }
}

static void
coproc_pipe_transport_wait (CoprocTransportLink *link, const int *woken, int wake_fd, gint64 deadline)
{
  coproc_transport_poll (((CoprocPipeTransport *) link)->in_fd, wake_fd, deadline);
}

static gboolean
coproc_pipe_transport_has_input (CoprocTransportLink *link)
{
  return TRUE; /* to ask costs as much as to read */
}

void
coproc_pipe_transport_set_limits (CoprocTransportLink *link, const CoprocLimits *limits)
{
  coproc_decoder_set_limits (((CoprocPipeTransport *) link)->decoder, limits);
}

/* --- life --- */

/* Once an end is shut its number may be another file's. */
int
coproc_pipe_transport_get_input_fd (CoprocTransportLink *link)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  return self->in != NULL ? self->in_fd : -1;
}

int
coproc_pipe_transport_get_output_fd (CoprocTransportLink *link)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  return self->out != NULL ? self->out_fd : -1;
}

void
coproc_pipe_transport_shut_output (CoprocTransportLink *link)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  g_clear_pointer (&self->out, g_io_channel_unref);
  coproc_clear_fd (&self->spare_reader);
  coproc_outbox_clear (&self->outbox, &link->spent);
  link->n_unsent = 0;
}

void
coproc_pipe_transport_shut_input (CoprocTransportLink *link)
{
  CoprocPipeTransport *self = (CoprocPipeTransport *) link;

  g_clear_pointer (&self->in, g_io_channel_unref);
  self->ended = TRUE;
}

void
coproc_pipe_transport_clear (CoprocPipeTransport *self)
{
  coproc_pipe_transport_shut_output (&self->link);
  coproc_pipe_transport_shut_input (&self->link);
  coproc_type_writer_free (self->types);
  coproc_decoder_free (self->decoder);
  g_clear_pointer (&self->link.spent, g_ptr_array_unref);
}

static void
coproc_pipe_transport_free (CoprocTransportLink *link)
{
  coproc_pipe_transport_clear ((CoprocPipeTransport *) link);
  g_free (link);
}

static const CoprocTransportOps pipe_ops = {
  .declare_type = coproc_pipe_transport_declare_type,
  .queue = coproc_pipe_transport_queue,
  .flush = coproc_pipe_transport_flush,
  .probe = coproc_pipe_transport_probe,
  .receive = coproc_pipe_transport_receive,
  .get_cut = coproc_pipe_transport_get_cut,
  .set_limits = coproc_pipe_transport_set_limits,
  .wait = coproc_pipe_transport_wait,
  .has_input = coproc_pipe_transport_has_input,
  .get_input_fd = coproc_pipe_transport_get_input_fd,
  .get_output_fd = coproc_pipe_transport_get_output_fd,
  .shut_output = coproc_pipe_transport_shut_output,
  .shut_input = coproc_pipe_transport_shut_input,
  .free = coproc_pipe_transport_free,
};

/* The one place that makes a GIOChannel: raw bytes, unbuffered, non-blocking, closing its fd. */
static GIOChannel *
open_channel (int fd, GError **error)
{
  g_autoptr (GIOChannel) channel = g_io_channel_unix_new (fd);

  g_io_channel_set_close_on_unref (channel, FALSE);
  if (g_io_channel_set_encoding (channel, NULL, error) != G_IO_STATUS_NORMAL)
    return NULL;
  g_io_channel_set_buffered (channel, FALSE);
  if (!coproc_unix_set_nonblock (fd, error))
    return NULL;
  return g_steal_pointer (&channel);
}

gboolean
coproc_pipe_transport_init (CoprocPipeTransport *self, int in_fd, int out_fd, GError **error)
{
  static const CoprocLimits limits = COPROC_DEFAULT_LIMITS;
  g_autoptr (GIOChannel) in = open_channel (in_fd, error);
  g_autoptr (GIOChannel) out = in != NULL ? open_channel (out_fd, error) : NULL;

  if (out == NULL)
    {
      g_prefix_error (error, "Cannot use the descriptors %d and %d: ", in_fd, out_fd);
      return FALSE;
    }

  self->link.ops = &pipe_ops;
  self->link.output_condition = G_IO_OUT;
  self->in_fd = in_fd;
  self->out_fd = out_fd;
  self->in = g_steal_pointer (&in);
  self->out = g_steal_pointer (&out);
  g_io_channel_set_close_on_unref (self->in, TRUE);
  g_io_channel_set_close_on_unref (self->out, TRUE);
  self->read = coproc_pipe_transport_read;
  self->write = coproc_pipe_transport_write;
  self->decoder = coproc_decoder_new (&limits);
  self->types = coproc_type_writer_new ();
  self->spare_reader = open_spare_reader (out_fd);
  coproc_outbox_init (&self->outbox);
  return TRUE;
}

CoprocTransportLink *
coproc_pipe_transport_new (int in_fd, int out_fd, GError **error)
{
  g_autofree CoprocPipeTransport *self = g_new0 (CoprocPipeTransport, 1);

  if (!coproc_pipe_transport_init (self, in_fd, out_fd, error))
    return NULL;
  return &g_steal_pointer (&self)->link;
}
