/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Frames between two ends in one process, in crates that go back and forth: for each direction
 *
 *   writer ── backlog ──▶ the lane's crate, bounded ──▶ taken ── reader
 *      ▲                                                           │
 *      └────────────────── `room`, when asked for ◀────────────────┘
 *
 * The reader takes the whole crate and leaves its empty one: a frame costs no allocation, and under the lock, which both
 * sides want, little more than a copy of itself. On a GAsyncQueue of references each frame is memory that one thread
 * takes and the other gives back, and a queue of crates is one more place that both cores want: half the rate.
 *
 * A payload is what the sender gave, a GVariant or its GBytes: it was checked when it was sent, and is
 * neither copied nor checked again. Bytes that have no GVariant are copied once, since they are the sender's.
 */
#include "wire/coproc-transport-private.h"

#include <string.h>

#include "coproc-error.h"
#include "wire/coproc-crate-private.h"
#include "wire/coproc-unix-private.h"

#define N_SLABS 8 /* that a writer fills again when they are free */

/* One direction. */
typedef struct
{
  gatomicrefcount ref_count;
  GMutex lock;               /* guards what follows */
  CoprocCrate crate;
  gboolean wants_room;       /* the writer has a backlog, and is to be told of room */
  gboolean has_told_room;    /* `room` is readable */
  gboolean writer_gone;
  gboolean reader_gone;
  int has_input;             /* there may be something to read, the end included; also read as an atomic, without the lock */
  guint pollers;             /* CoprocPoller: who relies on `arrived` */
  gboolean is_signalled;     /* `arrived` is readable */
  CoprocWakeup arrived;      /* readable while there is something to read and somebody relies on it */
  CoprocWakeup room;         /* readable when there is room again */
} Lane;

typedef struct
{
  CoprocTransportLink link;

  Lane *in;                  /* (owned) immutable */
  Lane *out;                 /* (owned) immutable */

  /* (owner's read lock) */
  CoprocCrate taken;         /* out of `in`; the frame returned last is still in its memory */
  CoprocSlab *held;          /* (nullable) (owned) what that one's payload lies in. Its GVariant is the receiver's: what
                                an application gave is not dropped under a lock */

  /* (owner's write lock) */
  CoprocCrate backlog;       /* what is beyond the capacity */
  CoprocSlab *slabs[N_SLABS]; /* (nullable) (owned) */
  guint slab;                /* the one that is being filled */
  gsize slab_used;           /* bytes of it */
} CoprocMemoryTransport;

/* --- lanes --- */

static Lane *
lane_new (GError **error)
{
  Lane *self = g_new0 (Lane, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->arrived = self->room = (CoprocWakeup) COPROC_WAKEUP_INIT;
  if (coproc_wakeup_open (&self->arrived, error) && coproc_wakeup_open (&self->room, error))
    return self;

  coproc_wakeup_close (&self->arrived);
  g_mutex_clear (&self->lock);
  g_free (self);
  return NULL;
}

static Lane *
lane_ref (Lane *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
lane_unref (Lane *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_wakeup_close (&self->arrived);
  coproc_wakeup_close (&self->room);
  coproc_crate_clear (&self->crate, NULL);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
lane_signal_unlocked (Lane *self)
{
  if (self->pollers != 0 && !self->is_signalled)
    {
      self->is_signalled = TRUE;
      coproc_wakeup_signal (&self->arrived);
    }
  g_atomic_int_set (&self->has_input, TRUE); /* last: a reader that sees it wants the lock at once */
}

/* Nothing is there any more. */
static void
lane_quieten_unlocked (Lane *self)
{
  g_atomic_int_set (&self->has_input, FALSE);
  if (!self->is_signalled)
    return;
  self->is_signalled = FALSE;
  coproc_wakeup_clear (&self->arrived);
}

static void
lane_tell_room_unlocked (Lane *self)
{
  if (!self->wants_room)
    return;
  self->wants_room = FALSE;
  self->has_told_room = TRUE;
  coproc_wakeup_signal (&self->room);
}

/* --- writing --- */

static gboolean
coproc_memory_transport_declare_type (CoprocTransportLink *link, const GVariantType *type, GError **error)
{
  return TRUE; /* a payload brings its own */
}

/* A slab of COPROC_SLAB_SIZE with room for @size: (nullable). One that nobody else has is filled again: memory that one
 * thread takes and the other one frees costs more than what it is for. */
static CoprocSlab *
get_slab (CoprocMemoryTransport *self, gsize size)
{
  if (self->slabs[self->slab] != NULL && COPROC_SLAB_SIZE - self->slab_used >= size)
    return self->slabs[self->slab];

  for (guint i = 0; i < N_SLABS; i++)
    if (self->slabs[i] != NULL && !coproc_slab_is_shared (self->slabs[i]))
      {
        self->slab = i;
        self->slab_used = 0;
        return self->slabs[i];
      }
  self->slab = (self->slab + 1) % N_SLABS;
  self->slab_used = 0;
  g_clear_pointer (&self->slabs[self->slab], coproc_slab_unref);
  return self->slabs[self->slab] = coproc_slab_new (COPROC_SLAB_SIZE);
}

/* Copies the payload of @frame into a slab, if there is one. */
static void
copy_to_slab (CoprocMemoryTransport *self, CoprocFrame *frame)
{
  CoprocSlab *slab;
  guint8 *place;

  if (frame->size > COPROC_SLAB_SIZE)
    {
      slab = frame->slab = coproc_slab_new (frame->size);
      place = slab != NULL ? slab->data : NULL;
    }
  else if ((slab = get_slab (self, frame->size)) != NULL)
    {
      frame->slab = coproc_slab_ref (slab);
      place = slab->data + self->slab_used;
      self->slab_used += (frame->size + 15) & ~(gsize) 15;
    }
  if (slab != NULL)
    frame->data = memcpy (place, frame->data, frame->size);
}

static void
coproc_memory_transport_queue (CoprocTransportLink *link, const CoprocFrame *frame)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  CoprocFrame copy = *frame;

  copy.slab = NULL;
  if (copy.variant != NULL)
    g_variant_ref (copy.variant);
  else if (copy.size > COPROC_SLAB_COPY_SIZE)
    copy_to_slab (self, &copy);
  coproc_crate_add (&self->backlog, &copy);
  link->n_unsent = self->backlog.size + self->backlog.n_referenced;
}

/* Moves what the lane has room for. (lane's lock) */
static void
move_backlog (CoprocMemoryTransport *self)
{
  CoprocCrate *to = &self->out->crate;
  CoprocFrame frame;

  if (coproc_crate_is_empty (to) && coproc_crate_has_room (&self->backlog))
    {
      coproc_crate_swap (to, &self->backlog);
      return;
    }
  while (!coproc_crate_is_empty (&self->backlog) && coproc_crate_has_room (to))
    {
      coproc_crate_take (&self->backlog, &frame);
      coproc_crate_add (to, &frame);
    }
  if (coproc_crate_is_empty (&self->backlog) && self->backlog.capacity > 2 * COPROC_CRATE_CAPACITY)
    coproc_crate_clear (&self->backlog, NULL);
}

static CoprocFlushResult
coproc_memory_transport_flush (CoprocTransportLink *link, GError **error)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  Lane *out = self->out;
  CoprocFlushResult result = COPROC_FLUSH_DONE;

  g_mutex_lock (&out->lock);
  out->wants_room = FALSE;
  if (out->has_told_room)
    {
      out->has_told_room = FALSE;
      coproc_wakeup_clear (&out->room);
    }
  if (!coproc_crate_is_empty (&self->backlog) && (out->reader_gone || out->writer_gone))
    result = COPROC_FLUSH_FAILED;
  else if (!coproc_crate_is_empty (&self->backlog))
    {
      move_backlog (self);
      out->wants_room = !coproc_crate_is_empty (&self->backlog);
      result = out->wants_room ? COPROC_FLUSH_AGAIN : COPROC_FLUSH_DONE;
      lane_signal_unlocked (out);
    }
  g_mutex_unlock (&out->lock);
  link->n_unsent = self->backlog.size + self->backlog.n_referenced;

  if (result == COPROC_FLUSH_FAILED)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_CLOSED, "The other end is closed");
  return result;
}

static gboolean
coproc_memory_transport_probe (CoprocTransportLink *link, gboolean *unread)
{
  Lane *out = ((CoprocMemoryTransport *) link)->out;
  gboolean gone;

  g_mutex_lock (&out->lock);
  gone = out->reader_gone;
  *unread = !coproc_crate_is_empty (&out->crate);
  g_mutex_unlock (&out->lock);
  return gone;
}

static void
coproc_memory_transport_shut_output (CoprocTransportLink *link)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;

  coproc_crate_clear (&self->backlog, &link->spent);
  link->n_unsent = 0;
  g_mutex_lock (&self->out->lock);
  self->out->writer_gone = TRUE;
  lane_signal_unlocked (self->out);
  g_mutex_unlock (&self->out->lock);
}

/* --- reading --- */

/* Takes what there is, or says why there is nothing. */
static void
take_crate (CoprocMemoryTransport *self, gboolean *ended)
{
  Lane *in = self->in;

  g_mutex_lock (&in->lock);
  if (!coproc_crate_is_empty (&in->crate))
    {
      coproc_crate_swap (&in->crate, &self->taken);
      lane_tell_room_unlocked (in);
    }
  else if (in->writer_gone)
    *ended = TRUE;
  else
    lane_quieten_unlocked (in);
  g_mutex_unlock (&in->lock);
}

static CoprocReceiveResult
coproc_memory_transport_receive (CoprocTransportLink  *link,
                                 gsize                *budget,
                                 CoprocFrame          *frame,
                                 GError              **error)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  gboolean ended = FALSE;

  g_clear_pointer (&self->held, coproc_slab_unref);
  if (*budget == 0)
    return g_atomic_int_get (&self->in->has_input) ? COPROC_RECEIVE_LATER : COPROC_RECEIVE_AGAIN;

  if (coproc_crate_is_empty (&self->taken))
    take_crate (self, &ended);
  if (!coproc_crate_is_empty (&self->taken))
    {
      coproc_crate_take (&self->taken, frame);
      self->held = frame->slab;
      if (*budget != COPROC_RECEIVE_ALL)
        *budget -= MIN (*budget, coproc_crate_get_weight (frame));
      return COPROC_RECEIVE_FRAME;
    }
  if (ended)
    return COPROC_RECEIVE_END;
  *budget = 0;
  return COPROC_RECEIVE_AGAIN;
}

static void
coproc_memory_transport_get_cut (CoprocTransportLink *link, GError **error)
{
  /* A frame comes whole or not at all. */
}

static void
coproc_memory_transport_set_limits (CoprocTransportLink *link, const CoprocLimits *limits)
{
  /* The other end goes by what it has been told; it is the same code. */
}

/* What is left in the lane, hardly more than its capacity, is freed with it, when no lock is held. */
static void
coproc_memory_transport_shut_input (CoprocTransportLink *link)
{
  Lane *in = ((CoprocMemoryTransport *) link)->in;

  g_mutex_lock (&in->lock);
  in->reader_gone = TRUE;
  lane_tell_room_unlocked (in);
  g_mutex_unlock (&in->lock);
}

/* --- life --- */

static gboolean
coproc_memory_transport_set_poller (CoprocTransportLink *link, CoprocPoller poller, gboolean polls)
{
  Lane *in = ((CoprocMemoryTransport *) link)->in;
  gboolean is_empty;

  g_mutex_lock (&in->lock);
  in->pollers = polls ? in->pollers | poller : in->pollers & ~(guint) poller;
  is_empty = !g_atomic_int_get (&in->has_input);
  if (polls && !is_empty)
    lane_signal_unlocked (in);
  g_mutex_unlock (&in->lock);
  return is_empty || !polls;
}

static void
coproc_memory_transport_wait (CoprocTransportLink *link, const int *woken, int wake_fd, gint64 deadline)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;

  if (coproc_memory_transport_set_poller (link, COPROC_POLLER_WAIT, TRUE))
    coproc_transport_poll (self->in->arrived.read_fd, wake_fd, deadline);
  coproc_memory_transport_set_poller (link, COPROC_POLLER_WAIT, FALSE);
}

/* A reader that took the lock to look would often find it held by the writer, and sleep. */
static gboolean
coproc_memory_transport_has_input (CoprocTransportLink *link)
{
  return g_atomic_int_get (&((CoprocMemoryTransport *) link)->in->has_input);
}

static int
coproc_memory_transport_get_input_fd (CoprocTransportLink *link)
{
  return ((CoprocMemoryTransport *) link)->in->arrived.read_fd;
}

static int
coproc_memory_transport_get_output_fd (CoprocTransportLink *link)
{
  return ((CoprocMemoryTransport *) link)->out->room.read_fd;
}

static void
coproc_memory_transport_free (CoprocTransportLink *link)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;

  coproc_memory_transport_shut_output (link);
  coproc_memory_transport_shut_input (link);
  g_clear_pointer (&self->held, coproc_slab_unref);
  coproc_crate_clear (&self->taken, NULL);
  for (guint i = 0; i < N_SLABS; i++)
    g_clear_pointer (&self->slabs[i], coproc_slab_unref);
  lane_unref (self->in);
  lane_unref (self->out);
  g_clear_pointer (&link->spent, g_ptr_array_unref);
  g_free (self);
}

static const CoprocTransportOps memory_ops = {
  .declare_type = coproc_memory_transport_declare_type,
  .queue = coproc_memory_transport_queue,
  .flush = coproc_memory_transport_flush,
  .probe = coproc_memory_transport_probe,
  .shut_output = coproc_memory_transport_shut_output,
  .receive = coproc_memory_transport_receive,
  .get_cut = coproc_memory_transport_get_cut,
  .set_limits = coproc_memory_transport_set_limits,
  .shut_input = coproc_memory_transport_shut_input,
  .wait = coproc_memory_transport_wait,
  .has_input = coproc_memory_transport_has_input,
  .set_poller = coproc_memory_transport_set_poller,
  .get_input_fd = coproc_memory_transport_get_input_fd,
  .get_output_fd = coproc_memory_transport_get_output_fd,
  .free = coproc_memory_transport_free,
};

static CoprocTransportLink *
link_new (Lane *in, Lane *out)
{
  CoprocMemoryTransport *self = g_new0 (CoprocMemoryTransport, 1);

  self->link.ops = &memory_ops;
  self->link.output_condition = G_IO_IN;
  self->link.by_reference = TRUE;
  self->in = lane_ref (in);
  self->out = lane_ref (out);
  return &self->link;
}

gboolean
coproc_memory_transport_new_pair (CoprocTransportLink **one, CoprocTransportLink **other, GError **error)
{
  Lane *there = lane_new (error);
  Lane *back = there != NULL ? lane_new (error) : NULL;

  *one = *other = NULL;
  if (back != NULL)
    {
      *one = link_new (back, there);
      *other = link_new (there, back);
      lane_unref (back);
    }
  if (there != NULL)
    lane_unref (there);
  return *one != NULL;
}
