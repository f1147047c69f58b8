/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * nng: two pair sockets on an abstract Unix socket.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

typedef struct
{
  nng_socket socket;
  void *data; /* of the latest message */
  size_t size;
} End;

static char address[64];

static void
check (int result, const char *what)
{
  if (result == 0)
    return;
  fprintf (stderr, "%s: %s\n", what, nng_strerror (result));
  exit (1);
}

static void
prepare (size_t size)
{
  snprintf (address, sizeof address, "abstract://coproc-bench-%d", (int) getpid ());
}

static void *
open_end (bool host)
{
  End *self = calloc (1, sizeof *self);
  int result;

  check (nng_pair0_open (&self->socket), "nng_pair0_open");
  check (nng_socket_set_size (self->socket, NNG_OPT_RECVMAXSZ, 0), "NNG_OPT_RECVMAXSZ");
  if (host)
    check (nng_listen (self->socket, address, NULL, 0), "nng_listen");
  else
    {
      while ((result = nng_dial (self->socket, address, NULL, 0)) == NNG_ECONNREFUSED) /* the host is on its way */
        sched_yield ();
      check (result, "nng_dial");
    }
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  check (nng_send (((End *) end)->socket, (void *) data, size, 0), "nng_send");
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;

  if (self->data != NULL)
    nng_free (self->data, self->size);
  check (nng_recv (self->socket, &self->data, &self->size, NNG_FLAG_ALLOC), "nng_recv");
  return self->data;
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "nng", .prepare = prepare, .open = open_end, .send = send_one, .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
