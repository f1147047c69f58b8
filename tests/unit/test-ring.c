/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-ring-private.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SIZE COPROC_RING_SIZE

typedef struct
{
  guint8 *area;
  CoprocRingControl *control;
  CoprocRingWriter writer;
  CoprocRingReader reader;
} Ring;

/* Of just the size, so that a sanitizer sees what is beyond. */
static void
ring_open (Ring *ring)
{
  ring->area = aligned_alloc (64, COPROC_RING_AREA_SIZE);
  memset (ring->area, 0, COPROC_RING_AREA_SIZE);
  ring->control = (gpointer) ring->area;
  coproc_ring_writer_init (&ring->writer, ring->area);
  coproc_ring_reader_init (&ring->reader, ring->area);
}

static void
ring_close (Ring *ring)
{
  free (ring->area);
}

static guint8
byte_at (guint64 position)
{
  return (guint8) (position * 0x9e3779b97f4a7c15u >> 56);
}

/* Writes and reads in all sizes, around the end of the ring many times. */
static void
test_stream (void)
{
  g_autofree guint8 *in = g_malloc (2 * SIZE);
  g_autofree guint8 *out = g_malloc (2 * SIZE);
  guint64 n_written = 0, n_read = 0;
  guint32 seed = 1, mark;
  Ring ring;

  ring_open (&ring);
  for (guint turn = 0; turn < 2000; turn++)
    {
      gsize size, room = SIZE - (gsize) (n_written - n_read);
      gssize n;

      seed = seed * 1664525 + 1013904223;
      size = (seed >> 8) % (turn % 7 == 0 ? 2 * SIZE : 3000);
      for (gsize i = 0; i < size; i++)
        in[i] = byte_at (n_written + i);
      mark = coproc_ring_reader_get_mark (&ring.reader);
      n = coproc_ring_writer_write (&ring.writer, in, size);
      g_assert_cmpint (n, ==, MIN (size, room));
      g_assert_cmpint (coproc_ring_reader_get_mark (&ring.reader) != mark, ==, n > 0);
      n_written += (gsize) n;
      g_assert_cmpint (coproc_ring_reader_is_empty (&ring.reader), ==, n_written == n_read);
      g_assert_cmpint (coproc_ring_writer_is_unread (&ring.writer), ==, n_written != n_read);

      seed = seed * 1664525 + 1013904223;
      size = (seed >> 8) % (turn % 5 == 0 ? 2 * SIZE : 3000);
      n = coproc_ring_reader_read (&ring.reader, out, size);
      g_assert_cmpint (n, ==, MIN (size, n_written - n_read));
      for (gssize i = 0; i < n; i++)
        g_assert_cmpuint (out[i], ==, byte_at (n_read + (gsize) i));
      n_read += (gsize) n;
    }
  ring_close (&ring);
}

/* The indices count bytes modulo 2^32. */
static void
test_wrap (void)
{
  g_autofree guint8 *block = g_malloc0 (SIZE);
  Ring ring;

  ring_open (&ring);
  for (guint64 n = 0; n < G_MAXUINT32 + (guint64) 4 * SIZE; n += SIZE - 1)
    {
      block[0] = byte_at (n);
      g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, SIZE - 1), ==, SIZE - 1);
      block[0] = 0;
      g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, SIZE), ==, SIZE - 1);
      g_assert_cmpuint (block[0], ==, byte_at (n));
    }
  ring_close (&ring);
}

static void
test_full (void)
{
  g_autofree guint8 *block = g_malloc0 (SIZE);
  Ring ring;

  ring_open (&ring);
  g_assert_false (coproc_ring_writer_sleep (&ring.writer)); /* there is room */
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, SIZE), ==, SIZE);
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, 1), ==, 0);
  g_assert_true (coproc_ring_writer_sleep (&ring.writer));

  /* it is woken when half of it is free, and once */
  g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, SIZE / 2 - 1), ==, SIZE / 2 - 1);
  g_assert_false (coproc_ring_reader_take_sleeper (&ring.reader));
  g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, 1), ==, 1);
  g_assert_true (coproc_ring_reader_take_sleeper (&ring.reader));
  g_assert_false (coproc_ring_reader_take_sleeper (&ring.reader));
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, SIZE), ==, SIZE / 2);
  ring_close (&ring);
}

/* What is filled in place is seen when it is published, and is in one piece. */
static void
test_reserve (void)
{
  g_autofree guint8 *block = g_malloc0 (SIZE);
  guint8 *room;
  Ring ring;

  ring_open (&ring);
  g_assert_false (coproc_ring_writer_publish (&ring.writer));
  memset (coproc_ring_writer_reserve (&ring.writer, 3), 1, 3);
  memset (coproc_ring_writer_reserve (&ring.writer, 5), 2, 5);
  g_assert_true (coproc_ring_reader_is_empty (&ring.reader));
  g_assert_true (coproc_ring_writer_publish (&ring.writer));
  g_assert_false (coproc_ring_writer_publish (&ring.writer));
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, "x", 1), ==, 1);
  g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, SIZE), ==, 9);
  g_assert_cmpmem (block, 9, "\1\1\1\2\2\2\2\2x", 9);

  /* around the end there is room, but not in one piece */
  g_assert_nonnull (coproc_ring_writer_reserve (&ring.writer, SIZE - 9 - 4));
  g_assert_true (coproc_ring_writer_publish (&ring.writer));
  g_assert_null (coproc_ring_writer_reserve (&ring.writer, 5));
  room = coproc_ring_writer_reserve (&ring.writer, 4);
  g_assert_true (room == ring.area + COPROC_RING_AREA_SIZE - 4);
  g_assert_true (coproc_ring_writer_reserve (&ring.writer, 9) == ring.area + COPROC_RING_CONTROL_SIZE);
  g_assert_null (coproc_ring_writer_reserve (&ring.writer, 1));
  g_assert_true (coproc_ring_writer_publish (&ring.writer));
  g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, SIZE), ==, SIZE);

  atomic_store (&ring.control->n_read, 4711 + 2 * SIZE);
  g_assert_null (coproc_ring_writer_reserve (&ring.writer, SIZE / 2));
  ring_close (&ring);
}

static void
test_sleep (void)
{
  Ring ring;

  ring_open (&ring);
  g_assert_false (coproc_ring_writer_take_sleeper (&ring.writer));
  g_assert_true (coproc_ring_reader_sleep (&ring.reader));
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, "x", 1), ==, 1);
  g_assert_true (coproc_ring_writer_take_sleeper (&ring.writer));
  g_assert_false (coproc_ring_writer_take_sleeper (&ring.writer));
  g_assert_true (coproc_ring_reader_wake (&ring.reader)); /* it was woken */

  g_assert_false (coproc_ring_reader_sleep (&ring.reader)); /* there is something */
  g_assert_false (coproc_ring_reader_wake (&ring.reader));  /* by itself */
  g_assert_false (coproc_ring_writer_take_sleeper (&ring.writer));
  ring_close (&ring);
}

/* --- a thread that waits for the ring itself --- */

typedef struct
{
  Ring ring;
  int stop;        /* (atomic) */
  int ready;       /* (atomic) it is about to wait */
  pthread_t thread;
} Waiting;

static gpointer
wait_for_ring (gpointer data)
{
  Waiting *waiting = data;
  int result = 0;

  waiting->thread = pthread_self ();
  g_atomic_int_set (&waiting->ready, TRUE);
  while (coproc_ring_reader_is_empty (&waiting->ring.reader) && !g_atomic_int_get (&waiting->stop) && result == 0)
    result = coproc_ring_reader_wait (&waiting->ring.reader, &waiting->stop, -1);
  return GINT_TO_POINTER (result);
}

static GThread *
start_waiting (Waiting *waiting)
{
  GThread *thread = g_thread_new ("waits", wait_for_ring, waiting);

  while (!g_atomic_int_get (&waiting->ready)
         || (atomic_load (&waiting->ring.control->reader_sleeps) & COPROC_RING_WAITS) == 0)
    g_thread_yield ();
  return thread;
}

/* valgrind has no such wait, for one. @waiting is told to stop. */
static gboolean
can_wait (Waiting *waiting)
{
  const gboolean can = coproc_ring_reader_wait (&waiting->ring.reader, &waiting->stop, -1) != ENOSYS;

  if (!can)
    g_test_skip ("This system has no such wait");
  return can;
}

static void
do_nothing (int number)
{
}

/* It ends when something is written, when it is interrupted, by a signal, and in time; a bell is rung beside it. */
static void
test_wait (void)
{
  const struct sigaction action = { .sa_handler = do_nothing };
  Waiting waiting = { .stop = TRUE };
  GThread *thread;

  ring_open (&waiting.ring);
  if (!can_wait (&waiting))
    {
      ring_close (&waiting.ring);
      return;
    }
  waiting.stop = FALSE;
  g_assert_cmpint (coproc_ring_reader_wait (&waiting.ring.reader, &waiting.stop, g_get_monotonic_time () + 1000), ==, 0);
  g_assert_cmpint (coproc_ring_reader_wait (&waiting.ring.reader, &waiting.stop, 1), ==, 0); /* long ago */
  g_assert_cmpuint (waiting.ring.control->reader_sleeps, ==, 0);

  for (guint turn = 0; turn < 200; turn++)
    {
      const gboolean hears = turn % 2 != 0;
      guint8 byte;

      waiting.ready = FALSE;
      thread = start_waiting (&waiting);
      if (hears)
        g_assert_true (coproc_ring_reader_sleep (&waiting.ring.reader));
      g_assert_cmpint (coproc_ring_writer_write (&waiting.ring.writer, "x", 1), ==, 1);
      g_assert_cmpint (coproc_ring_writer_take_sleeper (&waiting.ring.writer), ==, hears);
      g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, 0);
      g_assert_cmpint (coproc_ring_reader_read (&waiting.ring.reader, &byte, 1), ==, 1);
    }

  waiting.ready = FALSE;
  thread = start_waiting (&waiting);
  g_atomic_int_set (&waiting.stop, TRUE);
  coproc_ring_reader_interrupt (&waiting.stop);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, 0);

  sigaction (SIGUSR1, &action, NULL);
  waiting.stop = waiting.ready = FALSE;
  thread = start_waiting (&waiting);
  /* one that comes before the thread is in the kernel is not seen there */
  while ((atomic_load (&waiting.ring.control->reader_sleeps) & COPROC_RING_WAITS) != 0)
    {
      pthread_kill (waiting.thread, SIGUSR1);
      g_thread_yield ();
    }
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, EINTR);
  ring_close (&waiting.ring);
}

/* A writer that clears the reader's mark, or puts it there, keeps nobody from being interrupted. */
static void
test_a20_wait (void)
{
  for (guint32 mark = 0; mark <= 4; mark++)
    {
      Waiting waiting = { .stop = TRUE };
      GThread *thread;

      ring_open (&waiting.ring);
      if (!can_wait (&waiting))
        {
          ring_close (&waiting.ring);
          return;
        }
      waiting.stop = FALSE;
      thread = start_waiting (&waiting);
      atomic_store (&waiting.ring.control->reader_sleeps, mark);
      g_atomic_int_set (&waiting.stop, TRUE);
      atomic_store (&waiting.ring.control->reader_sleeps, COPROC_RING_WAITS);
      coproc_ring_reader_interrupt (&waiting.stop);
      g_thread_join (thread);
      ring_close (&waiting.ring);
    }
}

/* --- two threads, each of which sleeps when it can do nothing --- */

#define N_BYTES (64 * 1024 * 1024)

typedef struct
{
  Ring ring;
  GMutex lock;
  GCond woken;
  gboolean wakes_reader; /* (lock) */
  gboolean wakes_writer; /* (lock) */
} Threads;

static void
wake (Threads *threads, gboolean *flag)
{
  g_mutex_lock (&threads->lock);
  *flag = TRUE;
  g_cond_broadcast (&threads->woken);
  g_mutex_unlock (&threads->lock);
}

/* A wake-up that never comes is the failure that is looked for. */
static void
sleep_until (Threads *threads, gboolean *flag)
{
  const gint64 deadline = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  g_mutex_lock (&threads->lock);
  while (!*flag)
    if (!g_cond_wait_until (&threads->woken, &threads->lock, deadline))
      g_error ("One side was not woken");
  *flag = FALSE;
  g_mutex_unlock (&threads->lock);
}

static gpointer
write_all (gpointer data)
{
  Threads *threads = data;
  guint8 block[5000];
  guint64 n_written = 0;
  guint32 seed = 7;

  while (n_written < N_BYTES)
    {
      gsize size;
      gssize n;

      seed = seed * 1664525 + 1013904223;
      size = MIN (1 + (seed >> 8) % sizeof block, N_BYTES - n_written);
      for (gsize i = 0; i < size; i++)
        block[i] = (guint8) (n_written + i);
      n = coproc_ring_writer_write (&threads->ring.writer, block, size);
      g_assert_cmpint (n, >=, 0);
      n_written += (gsize) n;
      if (n == 0 && coproc_ring_writer_sleep (&threads->ring.writer))
        sleep_until (threads, &threads->wakes_writer);
      else if (coproc_ring_writer_take_sleeper (&threads->ring.writer))
        wake (threads, &threads->wakes_reader);
    }
  return NULL;
}

static void
test_threads (void)
{
  g_autofree guint8 *block = g_malloc (SIZE);
  Threads threads = { 0 };
  guint64 n_read = 0;
  GThread *thread;

  ring_open (&threads.ring);
  g_mutex_init (&threads.lock);
  g_cond_init (&threads.woken);
  thread = g_thread_new ("writer", write_all, &threads);
  while (n_read < N_BYTES)
    {
      gssize n = coproc_ring_reader_read (&threads.ring.reader, block, 1 + n_read % SIZE);

      g_assert_cmpint (n, >=, 0);
      for (gssize i = 0; i < n; i++)
        if (block[i] != (guint8) (n_read + (gsize) i))
          g_error ("A byte is wrong");
      n_read += (gsize) n;
      if (coproc_ring_reader_take_sleeper (&threads.ring.reader))
        wake (&threads, &threads.wakes_writer);
      if (n > 0 || !coproc_ring_reader_sleep (&threads.ring.reader))
        continue;
      sleep_until (&threads, &threads.wakes_reader);
      coproc_ring_reader_wake (&threads.ring.reader);
    }
  g_thread_join (thread);
  g_mutex_clear (&threads.lock);
  g_cond_clear (&threads.woken);
  ring_close (&threads.ring);
}

/* --- A20: a peer that writes where it should not --- */

/* An index that cannot be is refused, by either side. */
static void
test_a20_indices (void)
{
  static const guint32 offsets[] = { SIZE + 1, 2 * SIZE, G_MAXINT32, (guint32) -1, (guint32) -SIZE };
  guint8 block[64] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      Ring ring;

      ring_open (&ring);
      g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, 64), ==, 64);
      g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, 32), ==, 32);
      atomic_store (&ring.control->n_written, 32 + offsets[i]);
      g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, 64), ==, -1);
      atomic_store (&ring.control->n_read, 64 - offsets[i]);
      ring.writer.n_read = 64 - SIZE; /* as when it is full: it has to look */
      g_assert_cmpint (coproc_ring_writer_write (&ring.writer, block, 64), ==, -1);
      g_assert_false (coproc_ring_writer_sleep (&ring.writer)); /* a broken ring is no reason to sleep */
      ring_close (&ring);
    }
}

/* Neither side goes by its own index in shared memory. */
static void
test_a20_own_index (void)
{
  guint8 block[8] = "1234567";
  Ring ring;

  ring_open (&ring);
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, "abc", 3), ==, 3);
  atomic_store (&ring.control->n_written, 77);
  atomic_store (&ring.control->n_read, 77);
  g_assert_cmpint (coproc_ring_writer_write (&ring.writer, "def", 3), ==, 3);
  g_assert_cmpint (coproc_ring_reader_read (&ring.reader, block, sizeof block), ==, 6);
  g_assert_cmpmem (block, 6, "abcdef", 6);
  ring_close (&ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/ring/stream", test_stream);
  g_test_add_func ("/coproc/ring/wrap", test_wrap);
  g_test_add_func ("/coproc/ring/full", test_full);
  g_test_add_func ("/coproc/ring/reserve", test_reserve);
  g_test_add_func ("/coproc/ring/sleep", test_sleep);
  g_test_add_func ("/coproc/ring/wait", test_wait);
  g_test_add_func ("/coproc/ring/threads", test_threads);
  g_test_add_func ("/coproc/ring/A20/indices", test_a20_indices);
  g_test_add_func ("/coproc/ring/A20/wait", test_a20_wait);
  g_test_add_func ("/coproc/ring/A20/own-index", test_a20_own_index);

  return g_test_run ();
}
