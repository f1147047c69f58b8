/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Boost.Interprocess: a message_queue in each direction.
 */
#include "bench-harness.h"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <cstdlib>
#include <string>
#include <unistd.h>

using namespace boost::interprocess;

struct End
{
  message_queue *in;
  message_queue *out;
  char *data;
};

static message_queue *there, *back;
static size_t message_size;

/* Both sides inherit the mapping; the name is gone at once. */
static message_queue *
new_queue (const char *direction)
{
  const std::string name = "coproc-bench-" + std::to_string (getpid ()) + direction;
  const size_t length = message_size >= (1 << 20) ? 4 : 64;
  message_queue *queue = new message_queue (create_only, name.c_str (), length, message_size);

  message_queue::remove (name.c_str ());
  return queue;
}

static void
prepare (size_t size)
{
  message_size = size;
  there = new_queue ("-there");
  back = new_queue ("-back");
}

static void *
open_end (bool host)
{
  return new End{ host ? back : there, host ? there : back, static_cast<char *> (malloc (message_size)) };
}

static void
send_one (void *end, const void *data, size_t size)
{
  static_cast<End *> (end)->out->send (data, size, 0);
}

static const void *
receive (void *end, size_t)
{
  End *self = static_cast<End *> (end);
  message_queue::size_type received;
  unsigned priority;

  self->in->receive (self->data, message_size, received, priority);
  return self->data;
}

int
main (int argc, char **argv)
{
  BenchPeer peer = {};

  peer.name = "boost";
  peer.prepare = prepare;
  peer.open = open_end;
  peer.send = send_one;
  peer.receive = receive;
  return bench_main (argc, argv, &peer, 1);
}
