/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Fuzz target of the ring transport: one end of shared memory whose other end is hostile. The input is
 * what the peer does, step by step, to rings, arenas and pipe, and when this end reads and writes; beside it a
 * thread of the peer scribbles over the shared memory all the time (unless FUZZ_RING_QUIET is set, which makes a
 * finding repeatable).
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "wire/coproc-shared-layout-private.h"
#include "wire/coproc-transport-private.h"
#include "wire/coproc-unix-private.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

#define N_KEPT 8

/* The input, from which all decisions are taken. */
typedef struct
{
  const guint8 *data;
  gsize left;
} Input;

typedef struct
{
  CoprocTransportLink *link; /* this end: the host */
  guint8 *memory;            /* the peer's mapping */
  int in_fd;                 /* the peer's ends of the pipes */
  int out_fd;
  guint32 n_written;         /* what the peer has written in order */
  CoprocSlab *kept[N_KEPT];
  guint n_frames;
} Bench;

static guint8 *volatile scribbled; /* (nullable) the memory that the thread writes to */
static GMutex scribble_lock;

static guint8
take_byte (Input *input)
{
  if (input->left == 0)
    return 0;
  input->left--;
  return *input->data++;
}

static guint32
take_number (Input *input)
{
  guint32 number = 0;

  for (guint i = 0; i < 4; i++)
    number = number << 8 | take_byte (input);
  return number;
}

/* The hostile thread: indices and flags more often than contents. */
static gpointer
scribble (gpointer data)
{
  guint32 seed = 1;

  for (;;)
    {
      g_mutex_lock (&scribble_lock);
      for (guint i = 0; i < 64 && scribbled != NULL; i++)
        {
          _Atomic guint32 *words = (gpointer) scribbled;
          gsize offset;

          seed = seed * 1664525 + 1013904223;
          if (seed >> 30 == 0)
            offset = COPROC_SHARED_RING_TO_HOST + (seed >> 8) % COPROC_RING_SIZE;
          else
            offset = (seed >> 29 & 1 ? COPROC_SHARED_RING_TO_HOST : COPROC_SHARED_RING_TO_WORKER)
                     + (seed >> 8) % 4 * 64;
          if (seed >> 24 & 1)
            atomic_fetch_add_explicit (&words[offset / 4], (seed >> 8 & 0xff) - 64, memory_order_relaxed);
          else
            atomic_store_explicit (&words[offset / 4], seed, memory_order_relaxed);
        }
      g_mutex_unlock (&scribble_lock);
      g_thread_yield ();
    }
  return NULL;
}

static void
set_scribbled (guint8 *memory)
{
  static gsize started = 0;

  if (g_getenv ("FUZZ_RING_QUIET") != NULL)
    return;
  if (g_once_init_enter (&started))
    {
      g_thread_unref (g_thread_new ("hostile", scribble, NULL));
      g_once_init_leave (&started, 1);
    }
  g_mutex_lock (&scribble_lock);
  scribbled = memory;
  g_mutex_unlock (&scribble_lock);
}

/* --- the peer --- */

static CoprocRingControl *
get_control (Bench *bench, gsize ring)
{
  return (gpointer) (bench->memory + ring);
}

static void
put_stream (Bench *bench, gconstpointer data, gsize size)
{
  guint8 *ring = bench->memory + COPROC_SHARED_RING_TO_HOST + COPROC_RING_CONTROL_SIZE;

  for (gsize i = 0; i < size; i++)
    ring[(bench->n_written + i) % COPROC_RING_SIZE] = ((const guint8 *) data)[i];
  bench->n_written += (guint32) size;
  atomic_store (&get_control (bench, COPROC_SHARED_RING_TO_HOST)->n_written, bench->n_written);
}

static void
put_frame (Bench *bench, Input *input)
{
  const guint8 flags = take_byte (input);
  CoprocFrameHeader header = { .version = COPROC_WIRE_VERSION, .kind = take_byte (input) % 20, .flags = flags };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE + COPROC_LOAN_SIZE];
  CoprocLoan loan = { .offset = take_number (input), .size = take_number (input), .block = take_byte (input) };

  loan.offset <<= flags >> 4;
  header.serial = bench->n_frames + 1;
  header.length = sizeof bytes;
  coproc_frame_header_write (&header, bytes);
  coproc_loan_write (&loan, bytes + COPROC_FRAME_HEADER_SIZE);
  put_stream (bench, bytes, sizeof bytes);
}

/* --- this end --- */

/* Takes in what there is; it must come to an end. FALSE: the connection is over. */
static gboolean
receive_all (Bench *bench)
{
  gsize budget = COPROC_RECEIVE_BUDGET;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      CoprocFrame frame = { 0 };
      volatile guint8 sum G_GNUC_UNUSED = 0;
      CoprocSlab **kept;

      switch (bench->link->ops->receive (bench->link, &budget, &frame, &error))
        {
        case COPROC_RECEIVE_FRAME:
          for (gsize i = 0; i < frame.size; i += 1 + frame.size / 64)
            sum += ((const guint8 *) frame.data)[i];
          kept = &bench->kept[bench->n_frames++ % N_KEPT];
          g_clear_pointer (kept, coproc_slab_unref);
          if (frame.slab != NULL)
            *kept = coproc_slab_ref (frame.slab);
          g_clear_pointer (&frame.variant, g_variant_unref);
          break;
        case COPROC_RECEIVE_AGAIN:
        case COPROC_RECEIVE_LATER:
          return TRUE;
        case COPROC_RECEIVE_END:
        case COPROC_RECEIVE_FAILED:
        default:
          return FALSE;
        }
    }
}

static gboolean
send_one (Bench *bench, gsize size)
{
  g_autofree guint8 *data = g_malloc0 (size + 1);
  const CoprocFrame frame
      = { .kind = COPROC_FRAME_NOREQUEST, .serial = 1, .type = COPROC_RAW_TYPE, .data = data, .size = size };

  if (bench->link->n_unsent < 4 << 20)
    bench->link->ops->queue (bench->link, &frame);
  return bench->link->ops->flush (bench->link, NULL) != COPROC_FLUSH_FAILED;
}

static gboolean
run_step (Bench *bench, Input *input)
{
  guint8 bytes[256];
  gsize n;

  switch (take_byte (input) % 9)
    {
    case 0:
      n = take_byte (input);
      n = MIN (n, input->left);
      put_stream (bench, input->data, n);
      input->data += n;
      input->left -= n;
      return TRUE;
    case 1:
      put_frame (bench, input);
      return TRUE;
    case 2:
      atomic_store (&get_control (bench, COPROC_SHARED_RING_TO_HOST)->n_written, take_number (input));
      return TRUE;
    case 3:
      atomic_store (&get_control (bench, COPROC_SHARED_RING_TO_WORKER)->n_read, take_number (input));
      return TRUE;
    case 4:
      n = take_byte (input);
      atomic_store (&get_control (bench, COPROC_SHARED_RING_TO_WORKER)->reader_sleeps, (guint32) n);
      atomic_store (&get_control (bench, COPROC_SHARED_RING_TO_HOST)->writer_sleeps, (guint32) n);
      return TRUE;
    case 5:
      memset (bytes, 1, sizeof bytes);
      return write (bench->out_fd, bytes, 1 + take_byte (input)) >= 0 || TRUE;
    case 6:
      n = take_number (input) % COPROC_ARENA_CONTROL_SIZE / 4;
      ((guint32 *) (gpointer) (bench->memory + COPROC_SHARED_CONTROL_TO_WORKER))[n] = take_byte (input);
      return TRUE;
    case 7:
      return send_one (bench, (gsize) take_byte (input) << take_byte (input) % 11);
    case 8:
    default:
      if (take_byte (input) % 2 == 1)
        coproc_transport_set_poller (bench->link, COPROC_POLLER_BACKGROUND, take_byte (input) % 2);
      return receive_all (bench);
    }
}

/* Both directions are in the rings when it returns. FALSE: there is no such memory here. */
static gboolean
bench_open (Bench *bench, CoprocSharedMemory **mine, CoprocSharedMemory **peers)
{
  const CoprocFrameHeader header
      = { .length = COPROC_FRAME_HEADER_SIZE, .version = COPROC_WIRE_VERSION, .kind = COPROC_FRAME_SHARED };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];
  int memory_fd, there[2], back[2];

  *mine = coproc_shared_memory_new (COPROC_SHARED_END, &memory_fd, NULL);
  if (*mine == NULL)
    return FALSE;
  *peers = coproc_shared_memory_open (memory_fd, NULL);
  bench->memory = (*peers)->data;
  g_assert_true (coproc_unix_pipe (there, NULL) && coproc_unix_pipe (back, NULL));
  g_assert_true (coproc_unix_set_nonblock (back[1], NULL));
  bench->in_fd = there[0];
  bench->out_fd = back[1];
  bench->link = coproc_ring_transport_new (back[0], there[1], *mine, COPROC_SHARE_AS_HOST, NULL);
  coproc_frame_header_write (&header, bytes);
  g_assert_cmpint (write (back[1], bytes, sizeof bytes), ==, sizeof bytes);
  bench->link->ops->share (bench->link, COPROC_SHARED_END);
  return bench->link->ops->flush (bench->link, NULL) == COPROC_FLUSH_DONE && receive_all (bench);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Input input = { data, size };
  CoprocSharedMemory *mine = NULL, *peers = NULL;
  Bench bench = { 0 };

  if (!bench_open (&bench, &mine, &peers))
    return 0;
  set_scribbled (bench.memory);
  while (input.left > 0 && run_step (&bench, &input))
    ;
  receive_all (&bench);
  set_scribbled (NULL);

  for (guint i = 0; i < N_KEPT; i++)
    g_clear_pointer (&bench.kept[i], coproc_slab_unref);
  bench.link->ops->free (bench.link);
  coproc_clear_fd (&bench.in_fd);
  coproc_clear_fd (&bench.out_fd);
  coproc_shared_memory_unref (mine);
  coproc_shared_memory_unref (peers);
  return 0;
}
