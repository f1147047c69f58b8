/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The limit: a bare ring of shared memory in each direction, for one sender and one receiver. Messages of one size in
 * a row of slots, copied once, read in place. Either a side that waits spins ("ring-spinning": both cores awake), or
 * it sleeps by futex ("ring-futex"). No frames, no queues, no end of file, no safety from the other side.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define RING_SIZE (256 << 10) /* stays in a core's cache */
#define LARGE (64 << 10)      /* bytes from which messages are written to what has left the other core's cache */
#define LARGE_RING (8 << 20)
#define SPINS 2000            /* before the core is offered to somebody else */

/* Written by one side; the other one sleeps on it. */
typedef struct
{
  _Alignas (64) _Atomic uint32_t count; /* of messages */
  _Alignas (64) _Atomic uint32_t sleeping; /* whether the other side sleeps on it */
} Counter;

typedef struct
{
  Counter sent;
  Counter received;
  _Alignas (64) uint8_t slots[];
} Ring;

typedef struct
{
  Ring *in;
  Ring *out;
  bool holds;        /* the slot of the latest message is still being read */
  uint32_t sent;     /* as it was when it was looked at: the other side's */
  uint32_t received; /* the same */
} End;

static Ring *there, *back;
static uint32_t n_slots; /* a power of two, as sizes are */
static size_t slot_size;
static bool sleeps;

static Ring *
make_ring (void)
{
  const size_t size = sizeof (Ring) + n_slots * slot_size;
  Ring *ring = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  if (ring == MAP_FAILED)
    bench_die ("mmap");
  return ring;
}

static void
prepare (size_t size)
{
  const size_t ring_size = size < LARGE ? RING_SIZE : LARGE_RING;

  slot_size = size;
  n_slots = size * 2 > ring_size ? 2 : (uint32_t) (ring_size / size);
  there = make_ring ();
  back = make_ring ();
}

static void *
open_end (bool host)
{
  End *self = calloc (1, sizeof *self);

  self->in = host ? back : there;
  self->out = host ? there : back;
  return self;
}

static void *
open_sleeping (bool host)
{
  sleeps = true;
  return open_end (host);
}

static void
futex (_Atomic uint32_t *word, int operation, uint32_t value)
{
  syscall (SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* Returns: the counter, when it is not @value any more */
static uint32_t
await_change (Counter *counter, uint32_t value)
{
  uint32_t now;

  for (unsigned i = 1; (now = atomic_load_explicit (&counter->count, memory_order_acquire)) == value; i++)
    if (sleeps)
      {
        atomic_store (&counter->sleeping, 1);
        if (atomic_load (&counter->count) == value)
          futex (&counter->count, FUTEX_WAIT, value);
        atomic_store (&counter->sleeping, 0);
      }
    else if (i % SPINS == 0)
      sched_yield ();
    else
#if defined __x86_64__ || defined __i386__
      __builtin_ia32_pause ();
#else
      atomic_signal_fence (memory_order_seq_cst);
#endif
  return now;
}

static void
advance (Counter *counter)
{
  const uint32_t next = atomic_load_explicit (&counter->count, memory_order_relaxed) + 1;

  if (!sleeps)
    {
      atomic_store_explicit (&counter->count, next, memory_order_release);
      return;
    }
  atomic_store (&counter->count, next);
  if (atomic_load (&counter->sleeping) != 0)
    futex (&counter->count, FUTEX_WAKE, INT_MAX);
}

static void
send_one (void *end, const void *data, size_t size)
{
  End *self = end;
  Ring *ring = self->out;
  const uint32_t sent = atomic_load_explicit (&ring->sent.count, memory_order_relaxed);

  if (sent - self->received == n_slots)
    self->received = await_change (&ring->received, self->received);
  memcpy (ring->slots + (sent & (n_slots - 1)) * slot_size, data, size);
  advance (&ring->sent);
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;
  Ring *ring = self->in;
  uint32_t received;

  if (self->holds)
    advance (&ring->received);
  self->holds = true;
  received = atomic_load_explicit (&ring->received.count, memory_order_relaxed);
  if (received == self->sent)
    self->sent = await_change (&ring->sent, received);
  return ring->slots + (received & (n_slots - 1)) * slot_size;
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "ring-spinning", .prepare = prepare, .open = open_end, .send = send_one, .receive = receive },
    { .name = "ring-futex", .prepare = prepare, .open = open_sleeping, .send = send_one, .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
