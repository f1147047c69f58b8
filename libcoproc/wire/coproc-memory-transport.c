/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Frames between two ends in one process: by reference, on a GAsyncQueue for each direction.
 *
 *   writer ── queue ──▶ GAsyncQueue, bounded ──▶ reader
 *      ▲ backlog, behind it                        │
 *      └──────────── `room`, when asked for ◀──────┘
 *
 * A payload is what the sender gave, a GVariant or its GBytes: it was checked when it was sent, and is
 * neither copied nor checked again.
 */
#include "wire/coproc-transport-private.h"

#include <string.h>

#include "coproc-error.h"
#include "wire/coproc-unix-private.h"

#define CAPACITY (256 * 1024)     /* bytes that a direction holds; a larger frame alone fits */
/* Bytes that a frame takes beside its payload: itself, a GVariant, its place in a queue, and what the allocator adds to
 * each. */
#define PARCEL_OVERHEAD (sizeof (Parcel) + 128)
#define MAX_TAKEN 64              /* parcels that a reader takes at once */

/* A frame that owns what it points to: the bytes of what has no GVariant follow it. */
typedef struct
{
  CoprocFrame frame;
  gsize size;                /* bytes that it counts for */
} Parcel;

/* One direction. */
typedef struct
{
  gatomicrefcount ref_count;
  GAsyncQueue *parcels;      /* its lock guards what follows */
  gsize n_bytes;             /* of the parcels */
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
  Parcel *current;           /* (nullable) (owned) (owner's read lock) the one returned last, without its
                                payload: what an application gave is not dropped under a lock */
  Parcel *taken[MAX_TAKEN];  /* (owned) (owner's read lock) taken out of `in`, to be returned next: */
  guint next_taken;          /* ... from here */
  guint n_taken;             /* ... up to here */
  GQueue backlog;            /* (owner's write lock) Parcel: beyond the capacity */
} CoprocMemoryTransport;

static void
parcel_free (gpointer data)
{
  Parcel *self = data;

  g_clear_pointer (&self->frame.variant, g_variant_unref);
  g_free (self);
}

static Parcel *
parcel_new (const CoprocFrame *frame)
{
  Parcel *self = g_malloc (sizeof (Parcel) + (frame->variant == NULL ? frame->size : 0));

  self->frame = *frame;
  self->size = frame->size + PARCEL_OVERHEAD;
  if (frame->variant != NULL)
    g_variant_ref (frame->variant);
  else if (frame->size > 0)
    self->frame.data = memcpy (self + 1, frame->data, frame->size);
  return self;
}

static Lane *
lane_new (GError **error)
{
  Lane *self = g_new0 (Lane, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->parcels = g_async_queue_new_full (parcel_free);
  self->arrived = self->room = (CoprocWakeup) COPROC_WAKEUP_INIT;
  if (coproc_wakeup_open (&self->arrived, error) && coproc_wakeup_open (&self->room, error))
    return self;

  coproc_wakeup_close (&self->arrived);
  g_async_queue_unref (self->parcels);
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
  g_async_queue_unref (self->parcels);
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

static void
coproc_memory_transport_queue (CoprocTransportLink *link, const CoprocFrame *frame)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  Parcel *parcel = parcel_new (frame);

  link->n_unsent += parcel->size;
  g_queue_push_tail (&self->backlog, parcel);
}

static CoprocFlushResult
coproc_memory_transport_flush (CoprocTransportLink *link, GError **error)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  Lane *out = self->out;
  CoprocFlushResult result = COPROC_FLUSH_DONE;
  Parcel *parcel;

  g_async_queue_lock (out->parcels);
  out->wants_room = FALSE;
  if (out->has_told_room)
    {
      out->has_told_room = FALSE;
      coproc_wakeup_clear (&out->room);
    }
  while (result == COPROC_FLUSH_DONE && (parcel = g_queue_peek_head (&self->backlog)) != NULL)
    {
      if (out->reader_gone || out->writer_gone)
        result = COPROC_FLUSH_FAILED;
      else if (out->n_bytes >= CAPACITY)
        {
          out->wants_room = TRUE;
          result = COPROC_FLUSH_AGAIN;
        }
      else
        {
          out->n_bytes += parcel->size;
          link->n_unsent -= parcel->size;
          g_async_queue_push_unlocked (out->parcels, g_queue_pop_head (&self->backlog));
          lane_signal_unlocked (out);
        }
    }
  g_async_queue_unlock (out->parcels);

  if (result == COPROC_FLUSH_FAILED)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_CLOSED, "The other end is closed");
  return result;
}

static gboolean
coproc_memory_transport_probe (CoprocTransportLink *link, gboolean *unread)
{
  Lane *out = ((CoprocMemoryTransport *) link)->out;
  gboolean gone;

  g_async_queue_lock (out->parcels);
  gone = out->reader_gone;
  *unread = out->n_bytes > 0;
  g_async_queue_unlock (out->parcels);
  return gone;
}

static void
coproc_memory_transport_shut_output (CoprocTransportLink *link)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  Parcel *parcel;

  while ((parcel = g_queue_pop_head (&self->backlog)) != NULL)
    {
      if (parcel->frame.variant != NULL)
        coproc_transport_spend (&link->spent, g_steal_pointer (&parcel->frame.variant));
      parcel_free (parcel);
    }
  link->n_unsent = 0;
  g_async_queue_lock (self->out->parcels);
  self->out->writer_gone = TRUE;
  lane_signal_unlocked (self->out);
  g_async_queue_unlock (self->out->parcels);
}

/* --- reading --- */

/* Takes the next parcels, or says why there are none. */
static void
take_parcels (CoprocMemoryTransport *self, gboolean *ended)
{
  Lane *in = self->in;
  Parcel *parcel;

  self->next_taken = self->n_taken = 0;
  g_async_queue_lock (in->parcels);
  while (self->n_taken < MAX_TAKEN && (parcel = g_async_queue_try_pop_unlocked (in->parcels)) != NULL)
    {
      in->n_bytes -= parcel->size;
      self->taken[self->n_taken++] = parcel;
    }
  *ended = self->n_taken == 0 && in->writer_gone;
  if (self->n_taken == 0 && !in->writer_gone)
    lane_quieten_unlocked (in);
  if (in->n_bytes < CAPACITY / 2)
    lane_tell_room_unlocked (in);
  g_async_queue_unlock (in->parcels);
}

static CoprocReceiveResult
coproc_memory_transport_receive (CoprocTransportLink  *link,
                                 gsize                *budget,
                                 CoprocFrame          *frame,
                                 GError              **error)
{
  CoprocMemoryTransport *self = (CoprocMemoryTransport *) link;
  gboolean ended = FALSE;

  g_clear_pointer (&self->current, parcel_free);
  if (*budget == 0)
    return g_atomic_int_get (&self->in->has_input) ? COPROC_RECEIVE_LATER : COPROC_RECEIVE_AGAIN;

  if (self->next_taken == self->n_taken)
    take_parcels (self, &ended);
  if (self->next_taken < self->n_taken)
    {
      self->current = self->taken[self->next_taken++];
      *frame = self->current->frame;
      self->current->frame.variant = NULL;
      if (*budget != COPROC_RECEIVE_ALL)
        *budget -= MIN (*budget, self->current->size);
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

/* What is left in the lane, at most its capacity, is freed with it, when no lock is held. */
static void
coproc_memory_transport_shut_input (CoprocTransportLink *link)
{
  Lane *in = ((CoprocMemoryTransport *) link)->in;

  g_async_queue_lock (in->parcels);
  in->reader_gone = TRUE;
  lane_tell_room_unlocked (in);
  g_async_queue_unlock (in->parcels);
}

/* --- life --- */

static gboolean
coproc_memory_transport_set_poller (CoprocTransportLink *link, CoprocPoller poller, gboolean polls)
{
  Lane *in = ((CoprocMemoryTransport *) link)->in;
  gboolean is_empty;

  g_async_queue_lock (in->parcels);
  in->pollers = polls ? in->pollers | poller : in->pollers & ~(guint) poller;
  is_empty = !g_atomic_int_get (&in->has_input);
  if (polls && !is_empty)
    lane_signal_unlocked (in);
  g_async_queue_unlock (in->parcels);
  return is_empty;
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
  g_clear_pointer (&self->current, parcel_free);
  while (self->next_taken < self->n_taken)
    parcel_free (self->taken[self->next_taken++]);
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
  self->in = lane_ref (in);
  self->out = lane_ref (out);
  g_queue_init (&self->backlog);
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
