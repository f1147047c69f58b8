/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A stream of bytes through shared memory: one writer, one reader, no system calls.
 * The layout is documented in introspection/pages/wire-format.md.
 *
 * The peer may write anything anywhere in the shared memory at any time. So each side keeps its own
 * index to itself and checks the other's against it whenever it takes it in: what the peer does
 * wrong shows as an error, or as wrong bytes, which the decoder judges from a copy.
 */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define COPROC_RING_SIZE (256 * 1024)    /* bytes that a direction holds; a power of two */
#define COPROC_RING_CONTROL_SIZE 4096    /* bytes in front of them */
/* Bytes of shared memory that a direction takes. */
#define COPROC_RING_AREA_SIZE (COPROC_RING_CONTROL_SIZE + COPROC_RING_SIZE)

/* How a reader sleeps. */
#define COPROC_RING_HEARS_BELL (1u << 0) /* it must be told by other means */
#define COPROC_RING_WAITS (1u << 1)      /* in the kernel, for a change of this very word */

/* In shared memory, at the beginning of a direction's area. Each side writes to cache lines of its own. */
typedef struct
{
  _Alignas (64) _Atomic guint32 n_written; /* bytes ever, modulo 2^32: the writer's */
  _Alignas (64) _Atomic guint32 n_read;    /* bytes ever, modulo 2^32: the reader's */
  _Alignas (64) _Atomic guint32 reader_sleeps; /* how: set by the reader, cleared by who wakes it or by itself */
  _Alignas (64) _Atomic guint32 writer_sleeps; /* set by the writer, cleared by who wakes it or by itself */
} CoprocRingControl;

/* The writer's end. */
typedef struct
{
  CoprocRingControl *control; /* shared */
  guint8 *bytes;              /* shared */
  guint32 n_written;          /* ours, never read back */
  guint32 n_published;        /* of them, those that the reader has been told of */
  guint32 n_read;             /* as last seen, checked */
} CoprocRingWriter;

/* The reader's end. */
typedef struct
{
  CoprocRingControl *control; /* shared */
  const guint8 *bytes;        /* shared */
  _Atomic guint32 n_read;     /* ours, never read back; atomic for coproc_ring_reader_is_empty() */
  guint32 n_written;          /* as last seen, checked */
} CoprocRingReader;

/* @area: COPROC_RING_AREA_SIZE bytes, aligned to a cache line, all zero before the first use. */
void     coproc_ring_writer_init     (CoprocRingWriter *self, gpointer area);
void     coproc_ring_reader_init     (CoprocRingReader *self, gpointer area);

/* Writes as much of @data as there is room for. Returns: how much; -1: the reader has broken the ring */
gssize   coproc_ring_writer_write    (CoprocRingWriter *self, gconstpointer data, gsize size);
/* Room for @size bytes, which the caller fills and then publishes, with all that it has been given before. NULL:
 * there is not so much in one piece. */
guint8  *coproc_ring_writer_reserve  (CoprocRingWriter *self, gsize size);
/* Tells the reader of what is written. Returns: FALSE: it knows already */
gboolean coproc_ring_writer_publish  (CoprocRingWriter *self);
/* Wakes a reader that waits. Returns: whether it hears a bell, which is true once each time: it must be rung then. After a
 * write. */
gboolean coproc_ring_writer_take_sleeper (CoprocRingWriter *self);
/* From now on the reader wakes this side when there is room. Returns: FALSE: there is some already */
gboolean coproc_ring_writer_sleep    (CoprocRingWriter *self);
/* Whether nobody has woken this side since. */
gboolean coproc_ring_writer_sleeps   (CoprocRingWriter *self);
/* Whether the reader has still something to read. */
gboolean coproc_ring_writer_is_unread (CoprocRingWriter *self);

/* Reads up to @size bytes. Returns: how many; -1: the writer has broken the ring */
gssize   coproc_ring_reader_read     (CoprocRingReader *self, gpointer out, gsize size);
/* Whether the writer sleeps although half of the ring is free, which is true once each time: it must
 * be woken then. After a read. */
gboolean coproc_ring_reader_take_sleeper (CoprocRingReader *self);
/* From now on the writer rings the bell when it writes. Returns: FALSE: there is something already. Any thread. */
gboolean coproc_ring_reader_sleep    (CoprocRingReader *self);
/* The opposite. Returns: whether the writer has seen it, and has rung the bell or will do so. */
gboolean coproc_ring_reader_wake     (CoprocRingReader *self);
/* Waits until the writer has written, *@stop is not 0, or the monotonic @deadline (µs, -1: none) has come; or for less.
 * One thread at a time. Returns: 0; EINTR: a signal has come; ENOSYS: this system has no such wait */
int      coproc_ring_reader_wait     (CoprocRingReader *self, const int *stop, gint64 deadline);
/* Ends such a wait, whatever the writer does, when *@stop has been set. */
void     coproc_ring_reader_interrupt (const int *stop);
/* Any thread. */
gboolean coproc_ring_reader_is_empty (CoprocRingReader *self);
/* Any thread. Returns: a number that changes when the writer writes; what the peer says, not checked */
guint32  coproc_ring_reader_get_mark (CoprocRingReader *self);

G_END_DECLS
