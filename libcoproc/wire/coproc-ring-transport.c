/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Frames through shared memory, beside two pipes.
 *
 * Each direction begins in its pipe. Its writer moves it to the ring with a SHARED frame, after which
 * the pipe carries bytes without a meaning: the doorbell, rung only for a reader that polls the pipe. A thread
 * that waits for nothing but input waits for the ring itself. The end of the pipe remains the end of the stream.
 *
 * A writer whose ring is full fills the pipe as well, so that it can be polled for room; the reader
 * empties the pipe when half of the ring is free.
 */
#include "wire/coproc-pipe-transport-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "coproc-config.h"
#include "coproc-error.h"
#include "coproc-interrupt-private.h"
#include "wire/coproc-shared-layout-private.h"

#define BELL_SIZE 4096        /* bytes read, or written to fill a pipe, at a time */
#define MAX_BELLS 256         /* such reads at once: more than any pipe holds */
#define PATIENCE (10 * 1000)  /* µs that the peer may not be running */
#define STREAM_BYTES_PER_US 1024
#define MAX_FULL 64           /* times that a full ring is met before the pipe is looked at again */

typedef struct
{
  CoprocPipeTransport pipe;
  CoprocSharedMemory *memory; /* (owned) immutable */
  CoprocArena *lends;         /* (nullable) (owned) immutable: for large payloads that go out */
  CoprocArena *borrows;       /* (nullable) (owned) immutable: for those that come in */
  gboolean copies;            /* immutable: what comes in is copied out of the arena */
  int may_lend;               /* (atomic) the peer has mapped the arenas, too */

  /* (owner's read lock) */
  CoprocRingReader in;
  int in_moved;               /* (written under the lock, read as an atomic) the input is in the ring */
  int pollers;                /* (atomic) CoprocPoller: who must be told when something comes */
  int expects_bell;           /* (atomic) the writer may have been asked to ring */
  gsize *budget;              /* of the pass */
  gboolean at_bottom;         /* the latest read has got all that was there */

  /* (owner's write lock) */
  CoprocRingWriter out;
  gboolean out_moved;         /* the output goes to the ring once `n_before` is written */
  gsize n_before;             /* bytes of the outbox that still go to the pipe */
  gboolean shrunk;            /* the pipe is as small as it can be */
  guint n_full;               /* times that the ring was full since the pipe was filled */
} CoprocRingTransport;

static GIOStatus
set_broken (GError **error)
{
  g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL,
                       "The peer has broken the ring in shared memory");
  return G_IO_STATUS_ERROR;
}

/* --- writing --- */

static gboolean
is_writable (int fd)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLOUT };

  return poll (&pollfd, 1, 0) > 0 && (pollfd.revents & POLLOUT) != 0;
}

/* Makes the pipe one that cannot be written to until the reader has emptied it. */
static GIOStatus
fill_pipe (CoprocRingTransport *self, GError **error)
{
  static const guint8 bells[BELL_SIZE];
  GIOStatus status = G_IO_STATUS_NORMAL;
  gsize n_written;

#if HAVE_PIPE_RESIZE
  if (!self->shrunk)
    self->shrunk = fcntl (self->pipe.out_fd, F_SETPIPE_SZ, BELL_SIZE) >= 0 || errno != EBUSY;
#endif
  for (gsize size = 1; status == G_IO_STATUS_NORMAL && is_writable (self->pipe.out_fd); size = BELL_SIZE)
    status = coproc_pipe_transport_write (&self->pipe, bells, size, &n_written, error);
  return status == G_IO_STATUS_AGAIN ? G_IO_STATUS_NORMAL : status;
}

/* A full pipe has enough for its reader to see. */
static GIOStatus
ring_bell (CoprocRingTransport *self, GError **error)
{
  static const guint8 bell;
  gsize n_written;
  GIOStatus status = coproc_pipe_transport_write (&self->pipe, &bell, 1, &n_written, error);

  return status == G_IO_STATUS_AGAIN ? G_IO_STATUS_NORMAL : status;
}

/* After a write. */
static GIOStatus
wake_reader (CoprocRingTransport *self, GError **error)
{
  return coproc_ring_writer_take_sleeper (&self->out) ? ring_bell (self, error) : G_IO_STATUS_NORMAL;
}

static GIOStatus
write_bytes (CoprocPipeTransport *pipe, gconstpointer data, gsize size, gsize *n_written, GError **error)
{
  CoprocRingTransport *self = (CoprocRingTransport *) pipe;
  GIOStatus status;
  gssize n;

  if (!self->out_moved)
    return coproc_pipe_transport_write (pipe, data, size, n_written, error);
  if (G_UNLIKELY (self->n_before > 0))
    {
      status = coproc_pipe_transport_write (pipe, data, MIN (size, self->n_before), n_written, error);
      self->n_before -= *n_written;
      return status;
    }

  *n_written = 0;
  n = coproc_ring_writer_write (&self->out, data, size);
  if (G_UNLIKELY (n == 0 && size > 0))
    {
      /* Who has said that it sleeps has filled the pipe, too; that it was emptied for another reason is rare. */
      if (coproc_ring_writer_sleeps (&self->out) && ++self->n_full < MAX_FULL)
        return G_IO_STATUS_AGAIN;
      self->n_full = 0;
      status = fill_pipe (self, error);
      if (status != G_IO_STATUS_NORMAL)
        return status;
      if (coproc_ring_writer_sleep (&self->out))
        return G_IO_STATUS_AGAIN;
      n = coproc_ring_writer_write (&self->out, data, size);
      if (n == 0) /* an index that goes back */
        return set_broken (error);
    }
  if (G_UNLIKELY (n < 0))
    return set_broken (error);
  *n_written = (gsize) n;
  return wake_reader (self, error);
}

static guint8 *
reserve (CoprocPipeTransport *pipe, gsize size)
{
  CoprocRingTransport *self = (CoprocRingTransport *) pipe;

  if (!self->out_moved || self->n_before > 0 || pipe->out == NULL)
    return NULL;
  return coproc_ring_writer_reserve (&self->out, size);
}

static CoprocFlushResult
coproc_ring_transport_flush (CoprocTransportLink *link, GError **error)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;

  /* what is in the outbox comes behind what was reserved */
  if (self->pipe.out != NULL && coproc_ring_writer_publish (&self->out)
      && wake_reader (self, error) != G_IO_STATUS_NORMAL)
    return COPROC_FLUSH_FAILED;
  return coproc_pipe_transport_flush (link, error);
}

static void
coproc_ring_transport_share (CoprocTransportLink *link, gsize size)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  const CoprocFrame frame = { .kind = COPROC_FRAME_SHARED };

  if (self->out_moved || self->pipe.out == NULL || size < COPROC_SHARED_RINGS_END)
    return;
  coproc_pipe_transport_queue (link, &frame);
  self->n_before = link->n_unsent;
  self->out_moved = TRUE;
  g_atomic_int_set (&self->may_lend, self->lends != NULL && size >= COPROC_SHARED_END);
  self->pipe.enlarged = TRUE; /* it is large enough for bells */
}

/* µs to wait for a block before @size bytes go by the stream behind @n_ahead others: as long as that would take, with its
 * copies and new memory at both ends. What is sent afterwards has to wait for them, even if it is in a block. */
static gint64
get_patience (gsize size, gsize n_ahead)
{
  return PATIENCE + (gint64) ((size + n_ahead) / STREAM_BYTES_PER_US);
}

/* Whether so much goes by way of the arena, if it is an `ay`. */
static gboolean
can_lend (CoprocRingTransport *self, gsize size)
{
  return size >= COPROC_ARENA_MIN_PAYLOAD && g_atomic_int_get (&self->may_lend);
}

/* A large `ay` goes by way of the arena, while there is room. */
static void
coproc_ring_transport_queue (CoprocTransportLink *link, const CoprocFrame *frame)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  guint8 name[COPROC_LOAN_SIZE];
  CoprocFrame lent;
  CoprocLoan loan;

  if (!can_lend (self, frame->size) || frame->type != COPROC_RAW_TYPE
      || !coproc_arena_lend (self->lends, frame->data, frame->size, &loan))
    {
      coproc_pipe_transport_queue (link, frame);
      return;
    }
  coproc_loan_write (&loan, name);
  lent = *frame;
  lent.flags |= COPROC_FRAME_FLAG_LENT;
  lent.data = name;
  lent.size = sizeof name;
  lent.variant = NULL;
  coproc_pipe_transport_queue (link, &lent);
}

static GBytes *
coproc_ring_transport_alloc (CoprocTransportLink *link, gsize size, gsize n_ahead)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;

  if (!can_lend (self, size))
    return NULL;
  /* nobody waits meanwhile, and a machine that has more to do takes several times as long */
  return coproc_arena_alloc (self->lends, size, 4 * get_patience (size, n_ahead));
}

static gpointer
coproc_ring_transport_copy (CoprocTransportLink *link, gconstpointer data, gsize size, gint64 timeout)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  gint64 patience = get_patience (size, 0);

  if (!can_lend (self, size))
    return NULL;
  if (timeout >= 0)
    patience = MIN (patience, timeout);
  return coproc_arena_copy (self->lends, data, size, patience);
}

static void
coproc_ring_transport_release (CoprocTransportLink *link, gpointer copy)
{
  coproc_arena_release (((CoprocRingTransport *) link)->lends, copy);
}

static gboolean
coproc_ring_transport_probe (CoprocTransportLink *link, gboolean *unread)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  int n_unread = 0;

  /* Who reads what we write is there: no need to look closer. */
  *unread = self->pipe.out != NULL && self->pipe.spare_reader >= 0
            && ((self->out_moved && coproc_ring_writer_is_unread (&self->out))
                || ioctl (self->pipe.out_fd, FIONREAD, &n_unread) != 0 || n_unread > 0);
  return *unread && coproc_pipe_transport_is_deaf (&self->pipe);
}

/* --- reading --- */

static gboolean
move_input (CoprocPipeTransport *pipe, GError **error)
{
  CoprocRingTransport *self = (CoprocRingTransport *) pipe;

  if (self->in_moved)
    {
      set_broken (error);
      return FALSE;
    }
  g_atomic_int_set (&self->in_moved, TRUE);
  return TRUE;
}

/* Takes out of the pipe what only was to be noticed. @all: also what made it full. */
static GIOStatus
read_bells (CoprocRingTransport *self, gboolean all, GError **error)
{
  guint8 bells[BELL_SIZE];
  GIOStatus status;
  gsize n_read;
  guint n = 0;

  do
    status = coproc_pipe_transport_read (&self->pipe, bells, sizeof bells, &n_read, error);
  while (all && status == G_IO_STATUS_NORMAL && ++n < MAX_BELLS);
  return status;
}

/* A pass that has found something does not ask the pipe: whoever polls it next will be told. */
static GIOStatus
read_bytes (CoprocPipeTransport *pipe, gpointer data, gsize size, gsize *n_read, GError **error)
{
  CoprocRingTransport *self = (CoprocRingTransport *) pipe;
  GIOStatus status = G_IO_STATUS_NORMAL;
  gssize n;

  if (!self->in_moved)
    return coproc_pipe_transport_read (pipe, data, size, n_read, error);
  if (*self->budget == 0)
    return G_IO_STATUS_AGAIN;

  n = coproc_ring_reader_read (&self->in, data, size);
  if (n == 0 && *self->budget < COPROC_RECEIVE_BUDGET)
    return G_IO_STATUS_AGAIN;
  if (n == 0)
    {
      status = read_bells (self, FALSE, error);
      if (status == G_IO_STATUS_ERROR)
        return status;
      /* What was written before the bell was rung, or before the end, is there by now. */
      n = coproc_ring_reader_read (&self->in, data, size);
      if (n == 0)
        return status == G_IO_STATUS_EOF ? G_IO_STATUS_EOF : G_IO_STATUS_AGAIN;
    }
  if (G_UNLIKELY (n < 0))
    return set_broken (error);
  *n_read = (gsize) n;
  self->at_bottom = *n_read < size;
  if (*self->budget != COPROC_RECEIVE_ALL)
    *self->budget -= MIN (*self->budget, *n_read);

  /* The end that is met here is met again. */
  if (coproc_ring_reader_take_sleeper (&self->in))
    status = read_bells (self, TRUE, error);
  else if (g_atomic_int_get (&self->expects_bell)
           && g_atomic_int_compare_and_exchange (&self->expects_bell, TRUE, FALSE)
           && coproc_ring_reader_wake (&self->in) && status == G_IO_STATUS_NORMAL)
    status = read_bells (self, FALSE, error);
  return status == G_IO_STATUS_ERROR ? status : G_IO_STATUS_NORMAL;
}

/* Asks for the bell. FALSE: there is something already. Any thread. */
static gboolean
expect_bell (CoprocRingTransport *self)
{
  g_atomic_int_set (&self->expects_bell, TRUE);
  return coproc_ring_reader_sleep (&self->in);
}

static CoprocReceiveResult
coproc_ring_transport_receive (CoprocTransportLink *link, gsize *budget, CoprocFrame *frame, GError **error)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  CoprocReceiveResult result;
  gboolean is_empty;

  self->budget = budget;
  if (!self->in_moved)
    {
      result = coproc_pipe_transport_receive (link, budget, frame, error);
      if (result != COPROC_RECEIVE_AGAIN || !self->in_moved)
        return result;
      *budget = COPROC_RECEIVE_BUDGET; /* what comes now comes by another way */
    }

  do
    {
      /* a pass that has seen the bottom looks no further */
      const gboolean done = self->at_bottom && *budget < COPROC_RECEIVE_BUDGET;
      gsize all = done ? 0 : COPROC_RECEIVE_ALL;

      result = coproc_pipe_transport_receive (link, &all, frame, error);
      if (result != COPROC_RECEIVE_AGAIN)
        return result;
      self->at_bottom = FALSE;
      if (g_atomic_int_get (&self->pollers) != 0)
        is_empty = expect_bell (self);
      else
        is_empty = done || coproc_ring_reader_is_empty (&self->in);
    }
  while (!is_empty && *budget > 0);

  *budget = 0;
  return is_empty ? COPROC_RECEIVE_AGAIN : COPROC_RECEIVE_LATER;
}

static CoprocSlab *
borrow (gpointer user_data, const CoprocLoan *loan)
{
  CoprocRingTransport *self = user_data;
  CoprocSlab *borrowed = coproc_arena_borrow (self->borrows, loan);
  CoprocSlab *copy;

  if (!self->copies || borrowed == NULL)
    return borrowed;
  copy = coproc_slab_new (borrowed->size);
  if (copy != NULL)
    memcpy (copy->data, borrowed->data, borrowed->size);
  coproc_slab_unref (borrowed);
  return copy;
}

/* --- any thread --- */

static gboolean
coproc_ring_transport_set_poller (CoprocTransportLink *link, CoprocPoller poller, gboolean polls)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;

  if (!polls)
    {
      g_atomic_int_and ((guint *) &self->pollers, ~(guint) poller);
      return TRUE;
    }
  g_atomic_int_or ((guint *) &self->pollers, (guint) poller);
  return !g_atomic_int_get (&self->in_moved) || expect_bell (self);
}

static void
coproc_ring_transport_wait (CoprocTransportLink *link, const int *woken, int wake_fd, gint64 deadline)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;
  int result = g_atomic_int_get (&self->in_moved) ? coproc_ring_reader_wait (&self->in, woken, deadline) : ENOSYS;

  if (result == EINTR)
    coproc_interrupt_ask ();
  if (result != ENOSYS)
    return;
  if (coproc_ring_transport_set_poller (link, COPROC_POLLER_WAIT, TRUE))
    coproc_transport_poll (self->pipe.in_fd, wake_fd, deadline);
  coproc_ring_transport_set_poller (link, COPROC_POLLER_WAIT, FALSE);
}

static void
coproc_ring_transport_wake (CoprocTransportLink *link, const int *woken)
{
  coproc_ring_reader_interrupt (woken);
}

static gboolean
coproc_ring_transport_has_input (CoprocTransportLink *link)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;

  return !g_atomic_int_get (&self->in_moved) || !coproc_ring_reader_is_empty (&self->in);
}

static guint32
coproc_ring_transport_get_mark (CoprocTransportLink *link)
{
  return coproc_ring_reader_get_mark (&((CoprocRingTransport *) link)->in);
}

/* --- life --- */

static void
coproc_ring_transport_free (CoprocTransportLink *link)
{
  CoprocRingTransport *self = (CoprocRingTransport *) link;

  coproc_pipe_transport_clear (&self->pipe);
  g_clear_pointer (&self->lends, coproc_arena_unref);
  g_clear_pointer (&self->borrows, coproc_arena_unref);
  coproc_shared_memory_unref (self->memory);
  g_free (self);
}

static const CoprocTransportOps ring_ops = {
  .declare_type = coproc_pipe_transport_declare_type,
  .queue = coproc_ring_transport_queue,
  .alloc = coproc_ring_transport_alloc,
  .copy = coproc_ring_transport_copy,
  .release = coproc_ring_transport_release,
  .flush = coproc_ring_transport_flush,
  .probe = coproc_ring_transport_probe,
  .shut_output = coproc_pipe_transport_shut_output,
  .share = coproc_ring_transport_share,
  .receive = coproc_ring_transport_receive,
  .get_cut = coproc_pipe_transport_get_cut,
  .set_limits = coproc_pipe_transport_set_limits,
  .shut_input = coproc_pipe_transport_shut_input,
  .wait = coproc_ring_transport_wait,
  .wake = coproc_ring_transport_wake,
  .has_input = coproc_ring_transport_has_input,
  .get_mark = coproc_ring_transport_get_mark,
  .set_poller = coproc_ring_transport_set_poller,
  .get_input_fd = coproc_pipe_transport_get_input_fd,
  .get_output_fd = coproc_pipe_transport_get_output_fd,
  .free = coproc_ring_transport_free,
};

static void
open_arenas (CoprocRingTransport *self, gboolean is_worker)
{
  guint8 *data = self->memory->data;
  CoprocArena *to_worker = coproc_arena_new (self->memory, data + COPROC_SHARED_CONTROL_TO_WORKER,
                                             data + COPROC_SHARED_BLOCKS_TO_WORKER);
  CoprocArena *to_host = coproc_arena_new (self->memory, data + COPROC_SHARED_CONTROL_TO_HOST,
                                           data + COPROC_SHARED_BLOCKS_TO_HOST);

  self->lends = is_worker ? to_host : to_worker;
  self->borrows = is_worker ? to_worker : to_host;
  coproc_decoder_set_borrow_func (self->pipe.decoder, borrow, self);
}

CoprocTransportLink *
coproc_ring_transport_new (int                  in_fd,
                           int                  out_fd,
                           CoprocSharedMemory  *memory,
                           CoprocShareFlags     flags,
                           GError             **error)
{
  const gboolean is_worker = (flags & COPROC_SHARE_AS_WORKER) != 0;
  g_autofree CoprocRingTransport *self = g_new0 (CoprocRingTransport, 1);
  guint8 *to_worker = memory->data + COPROC_SHARED_RING_TO_WORKER;
  guint8 *to_host = memory->data + COPROC_SHARED_RING_TO_HOST;

  g_assert (memory->size >= COPROC_SHARED_RINGS_END);

  if (!coproc_pipe_transport_init (&self->pipe, in_fd, out_fd, error))
    return NULL;
  self->pipe.link.ops = &ring_ops;
  self->pipe.link.shared_size = memory->size;
  self->pipe.read = read_bytes;
  self->pipe.write = write_bytes;
  self->pipe.reserve = reserve;
  self->pipe.move_input = move_input;
  self->memory = coproc_shared_memory_ref (memory);
  self->copies = (flags & COPROC_SHARE_COPIES) != 0;
  coproc_ring_reader_init (&self->in, is_worker ? to_worker : to_host);
  coproc_ring_writer_init (&self->out, is_worker ? to_host : to_worker);
  if (memory->size >= COPROC_SHARED_END)
    open_arenas (self, is_worker);
  return &g_steal_pointer (&self)->pipe.link;
}
