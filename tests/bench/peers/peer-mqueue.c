/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * POSIX message queues, one in each direction, within the limits that the system gives to everybody: ten messages
 * of 8 KiB, so that fewer are in flight, too.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <mqueue.h>

typedef struct
{
  mqd_t in;
  mqd_t out;
  char *data;
} End;

static mqd_t there, back;
static size_t message_size;

static long
read_limit (const char *path)
{
  FILE *file = fopen (path, "r");
  long limit = 0;

  if (file == NULL || fscanf (file, "%ld", &limit) != 1)
    bench_die (path);
  fclose (file);
  return limit;
}

/* Both sides inherit it; the name is gone at once. */
static mqd_t
new_queue (const char *direction)
{
  struct mq_attr attributes = {
    .mq_maxmsg = read_limit ("/proc/sys/fs/mqueue/msg_max"),
    .mq_msgsize = (long) message_size,
  };
  char name[64];
  mqd_t queue;

  snprintf (name, sizeof name, "/coproc-bench-%d-%s", (int) getpid (), direction);
  queue = mq_open (name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  if (queue == (mqd_t) -1)
    bench_die ("mq_open");
  mq_unlink (name);
  return queue;
}

static void
prepare (size_t size)
{
  message_size = size;
  there = new_queue ("there");
  back = new_queue ("back");
}

static void *
open_end (bool host)
{
  End *self = malloc (sizeof *self);

  self->in = host ? back : there;
  self->out = host ? there : back;
  self->data = malloc (message_size);
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  if (mq_send (((End *) end)->out, data, size, 0) < 0)
    bench_die ("mq_send");
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;

  if (mq_receive (self->in, self->data, message_size, NULL) != (ssize_t) size)
    bench_die ("mq_receive");
  return self->data;
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "mqueue", .prepare = prepare, .open = open_end, .send = send_one, .receive = receive,
      .window = read_limit ("/proc/sys/fs/mqueue/msg_max"),
      .largest = (size_t) read_limit ("/proc/sys/fs/mqueue/msgsize_max") },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
