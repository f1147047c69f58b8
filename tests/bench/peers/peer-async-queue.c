/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * GAsyncQueue between two threads of one process: a GBytes for each message. Small ones are copied, large ones go by
 * reference.
 */
#include "bench-harness.h"

#include <glib.h>

#define COPIED 4096      /* bytes; what is larger is not copied */
#define MOST_QUEUED 4096 /* messages; looked at now and then */

typedef struct
{
  GAsyncQueue *in;
  GAsyncQueue *out;
  GBytes *latest;
  guint n_sent;
} End;

static GAsyncQueue *there, *back;

static void
prepare (size_t size)
{
  there = g_async_queue_new ();
  back = g_async_queue_new ();
}

static void *
open_end (bool host)
{
  End *self = g_new0 (End, 1);

  self->in = host ? back : there;
  self->out = host ? there : back;
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  End *self = end;

  if (++self->n_sent % 256 == 0)
    while (g_async_queue_length (self->out) > MOST_QUEUED)
      g_thread_yield ();
  g_async_queue_push (self->out, size <= COPIED ? g_bytes_new (data, size) : g_bytes_new_static (data, size));
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;

  g_clear_pointer (&self->latest, g_bytes_unref);
  self->latest = g_async_queue_pop (self->in);
  return g_bytes_get_data (self->latest, NULL);
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "gasyncqueue", .thread = true, .prepare = prepare, .open = open_end, .send = send_one,
      .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
