/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A stream of bytes through shared memory.
 *
 * Who goes to sleep says so first and looks once more afterwards; who has written or read says so
 * first and looks for a sleeper afterwards. All four are sequentially consistent, so that one of the
 * two sees the other.
 */
#include "wire/coproc-ring-private.h"

#include <errno.h>
#include <string.h>

#include "coproc-config.h"

#if HAVE_FUTEX
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

#define MASK (COPROC_RING_SIZE - 1)

G_STATIC_ASSERT ((COPROC_RING_SIZE & MASK) == 0);
G_STATIC_ASSERT (sizeof (CoprocRingControl) <= COPROC_RING_CONTROL_SIZE);

/* Not those of this process alone: the writer has a mapping of its own. */
static void
wake_waiter (CoprocRingControl *control)
{
#if HAVE_FUTEX
  syscall (SYS_futex, &control->reader_sleeps, FUTEX_WAKE, 1, NULL, NULL, 0);
#endif
}

void
coproc_ring_writer_init (CoprocRingWriter *self, gpointer area)
{
  *self = (CoprocRingWriter) { .control = area, .bytes = (guint8 *) area + COPROC_RING_CONTROL_SIZE };
}

void
coproc_ring_reader_init (CoprocRingReader *self, gpointer area)
{
  self->control = area;
  self->bytes = (const guint8 *) area + COPROC_RING_CONTROL_SIZE;
  atomic_init (&self->n_read, 0);
  self->n_written = 0;
}

/* Takes in the reader's index. FALSE: it cannot be. */
static gboolean
look_at_reader (CoprocRingWriter *self, memory_order order)
{
  guint32 n_read = atomic_load_explicit (&self->control->n_read, order);

  if (self->n_written - n_read > COPROC_RING_SIZE)
    return FALSE;
  self->n_read = n_read;
  return TRUE;
}

/* How much room there is, for who wants @size. -1: the reader has broken the ring */
static gssize
find_room (CoprocRingWriter *self, gsize size)
{
  const guint32 room = COPROC_RING_SIZE - (self->n_written - self->n_read);

  if (room >= size)
    return room;
  if (!look_at_reader (self, memory_order_acquire))
    return -1;
  return COPROC_RING_SIZE - (self->n_written - self->n_read);
}

gssize
coproc_ring_writer_write (CoprocRingWriter *self, gconstpointer data, gsize size)
{
  const gssize room = find_room (self, size);
  guint32 at = self->n_written & MASK;
  guint32 n, first;

  if (room < 0)
    return -1;
  n = (guint32) MIN ((gsize) room, size);
  if (n == 0)
    return 0;
  first = MIN (n, COPROC_RING_SIZE - at);
  memcpy (self->bytes + at, data, first);
  memcpy (self->bytes, (const guint8 *) data + first, n - first);
  self->n_written += n;
  coproc_ring_writer_publish (self);
  return n;
}

guint8 *
coproc_ring_writer_reserve (CoprocRingWriter *self, gsize size)
{
  const guint32 at = self->n_written & MASK;

  if (size > COPROC_RING_SIZE - at || find_room (self, size) < (gssize) size)
    return NULL;
  self->n_written += (guint32) size;
  return self->bytes + at;
}

gboolean
coproc_ring_writer_publish (CoprocRingWriter *self)
{
  if (self->n_published == self->n_written)
    return FALSE;
  self->n_published = self->n_written;
  atomic_store (&self->control->n_written, self->n_written);
  return TRUE;
}

gboolean
coproc_ring_writer_take_sleeper (CoprocRingWriter *self)
{
  guint32 sleeps = atomic_load (&self->control->reader_sleeps);

  if (G_LIKELY (sleeps == 0))
    return FALSE;
  sleeps = atomic_exchange (&self->control->reader_sleeps, 0);
  if ((sleeps & COPROC_RING_WAITS) != 0)
    wake_waiter (self->control);
  return (sleeps & COPROC_RING_HEARS_BELL) != 0;
}

gboolean
coproc_ring_writer_sleep (CoprocRingWriter *self)
{
  atomic_store (&self->control->writer_sleeps, 1);
  /* An index that cannot be is found by the next write. */
  return look_at_reader (self, memory_order_seq_cst) && self->n_written - self->n_read == COPROC_RING_SIZE;
}

gboolean
coproc_ring_writer_sleeps (CoprocRingWriter *self)
{
  return atomic_load_explicit (&self->control->writer_sleeps, memory_order_relaxed) != 0;
}

gboolean
coproc_ring_writer_is_unread (CoprocRingWriter *self)
{
  return atomic_load_explicit (&self->control->n_read, memory_order_relaxed) != self->n_written;
}

gssize
coproc_ring_reader_read (CoprocRingReader *self, gpointer out, gsize size)
{
  guint32 n_read = atomic_load_explicit (&self->n_read, memory_order_relaxed);
  guint32 available = self->n_written - n_read;
  guint32 at = n_read & MASK;
  guint32 n, first;

  if (available < size)
    {
      guint32 n_written = atomic_load_explicit (&self->control->n_written, memory_order_acquire);

      available = n_written - n_read;
      if (available > COPROC_RING_SIZE)
        return -1;
      self->n_written = n_written;
    }

  n = (guint32) MIN (available, size);
  if (n == 0)
    return 0;
  first = MIN (n, COPROC_RING_SIZE - at);
  memcpy (out, self->bytes + at, first);
  memcpy ((guint8 *) out + first, self->bytes, n - first);
  n_read += n;
  atomic_store_explicit (&self->n_read, n_read, memory_order_relaxed);
  atomic_store (&self->control->n_read, n_read);
  return n;
}

gboolean
coproc_ring_reader_take_sleeper (CoprocRingReader *self)
{
  guint32 n_read = atomic_load_explicit (&self->n_read, memory_order_relaxed);

  return atomic_load (&self->control->writer_sleeps) != 0
         && atomic_load_explicit (&self->control->n_written, memory_order_relaxed) - n_read
                <= COPROC_RING_SIZE / 2
         && atomic_exchange (&self->control->writer_sleeps, 0) != 0;
}

/* The look after this side has said that it sleeps. */
static gboolean
is_empty_at_last (CoprocRingReader *self)
{
  return atomic_load (&self->control->n_written)
         == atomic_load_explicit (&self->n_read, memory_order_relaxed);
}

gboolean
coproc_ring_reader_sleep (CoprocRingReader *self)
{
  atomic_fetch_or (&self->control->reader_sleeps, COPROC_RING_HEARS_BELL);
  return is_empty_at_last (self);
}

gboolean
coproc_ring_reader_wake (CoprocRingReader *self)
{
  return (atomic_fetch_and (&self->control->reader_sleeps, ~COPROC_RING_HEARS_BELL) & COPROC_RING_HEARS_BELL) == 0;
}

/* If either word is another one by the time that the kernel looks at them, there is no need to wait. The writer may do
 * with the shared one what it likes: that this side wants to stop is told by a word of its own. */
int
coproc_ring_reader_wait (CoprocRingReader *self, const int *stop, gint64 deadline)
{
  int result = ENOSYS;

#if HAVE_FUTEX
  const struct timespec until = { deadline / G_USEC_PER_SEC, deadline % G_USEC_PER_SEC * 1000 };
  const guint32 sleeps = atomic_fetch_or (&self->control->reader_sleeps, COPROC_RING_WAITS) | COPROC_RING_WAITS;
  struct futex_waitv words[] = {
    { .uaddr = (guintptr) &self->control->reader_sleeps, .val = sleeps, .flags = FUTEX_32 },
    { .uaddr = (guintptr) stop, .val = 0, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
  };

  result = 0;
  if (is_empty_at_last (self)
      && syscall (SYS_futex_waitv, words, G_N_ELEMENTS (words), 0, deadline < 0 ? NULL : &until, CLOCK_MONOTONIC) < 0
      && errno != EAGAIN && errno != ETIMEDOUT)
    result = errno == EINTR ? EINTR : ENOSYS;
  atomic_fetch_and (&self->control->reader_sleeps, ~COPROC_RING_WAITS);
#endif
  return result;
}

void
coproc_ring_reader_interrupt (const int *stop)
{
#if HAVE_FUTEX
  syscall (SYS_futex, stop, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
#endif
}

gboolean
coproc_ring_reader_is_empty (CoprocRingReader *self)
{
  return atomic_load_explicit (&self->control->n_written, memory_order_acquire)
         == atomic_load_explicit (&self->n_read, memory_order_relaxed);
}

guint32
coproc_ring_reader_get_mark (CoprocRingReader *self)
{
  return atomic_load_explicit (&self->control->n_written, memory_order_relaxed);
}
