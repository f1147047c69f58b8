/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * libzmq: two PAIR sockets on ipc://.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <zmq.h>

typedef struct
{
  void *socket;
  zmq_msg_t message;
} End;

static char address[64];

static void
prepare (size_t size)
{
  snprintf (address, sizeof address, "ipc://@coproc-bench-%d", (int) getpid ());
}

static void *
open_end (bool host)
{
  End *self = calloc (1, sizeof *self);

  self->socket = zmq_socket (zmq_ctx_new (), ZMQ_PAIR);
  if (self->socket == NULL || (host ? zmq_bind : zmq_connect) (self->socket, address) < 0)
    bench_die ("zmq_socket");
  zmq_msg_init (&self->message);
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  if (zmq_send (((End *) end)->socket, data, size, 0) < 0)
    bench_die ("zmq_send");
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;

  if (zmq_msg_recv (&self->message, self->socket, 0) != (int) size)
    bench_die ("zmq_msg_recv");
  return zmq_msg_data (&self->message);
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "libzmq", .prepare = prepare, .open = open_end, .send = send_one, .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
