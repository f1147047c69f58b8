/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Bare pipes, without a frame, since sizes are known. One write() a message, and as it reads whatever is
 * there, many a read(); the same with a read() that is tried until it succeeds (both cores stay awake), with a second
 * thread in each process that polls the pipe for its end, and with many messages a write().
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <poll.h>
#include <pthread.h>

typedef struct
{
  int in;
  int out;
  uint8_t *data;   /* what was read: from begin to end, of which [begin, begin + taken) is the message */
  size_t size;
  size_t begin;
  size_t end;
  uint8_t *batch;  /* what is to be written together, or NULL */
  size_t n_batch;
} End;

static int there[2], back[2];
static size_t message_size;

static void
make_pipes (size_t size)
{
  if (pipe (there) < 0 || pipe (back) < 0)
    bench_die ("pipe");
  message_size = size;
}

static void
make_large_pipes (size_t size)
{
  make_pipes (size);
  bench_resize_pipe (there[1], BENCH_LARGE);
  bench_resize_pipe (back[1], BENCH_LARGE);
}

static void *
open_end (bool host)
{
  End *self = calloc (1, sizeof *self);

  self->in = host ? back[0] : there[0];
  self->out = host ? there[1] : back[1];
  self->size = message_size + BENCH_READ;
  self->data = malloc (self->size);
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  End *self = end;

  bench_write (self->out, data, size);
}

static size_t
read_some (int fd, void *data, size_t size)
{
  for (;;)
    {
      const ssize_t n = read (fd, data, size);

      if (n > 0)
        return (size_t) n;
      if (n == 0 || (errno != EAGAIN && errno != EINTR))
        bench_die ("read");
    }
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;

  if (self->begin == self->end)
    self->begin = self->end = 0;
  else if (self->end - self->begin < size)
    {
      memmove (self->data, self->data + self->begin, self->end - self->begin);
      self->end -= self->begin;
      self->begin = 0;
    }
  while (self->end - self->begin < size)
    {
      const size_t missing = size - (self->end - self->begin);

      self->end += read_some (self->in, self->data + self->end, missing < BENCH_READ ? BENCH_READ : missing);
    }
  self->begin += size;
  return self->data + self->begin - size;
}

/* --- a read() that is tried again and again --- */

static void *
open_spinning (bool host)
{
  End *self = open_end (host);

  fcntl (self->in, F_SETFL, O_NONBLOCK);
  return self;
}

/* --- a thread beside: with it the kernel locks the table of descriptors for each read and write, and looks
 * for whom to wake --- */

static void *
watch_input (void *data)
{
  struct pollfd pollfd = { .fd = *(int *) data };

  poll (&pollfd, 1, -1);
  return NULL;
}

static void *
open_watched (bool host)
{
  End *self = open_end (host);
  pthread_t thread;

  errno = pthread_create (&thread, NULL, watch_input, &self->in);
  if (errno != 0)
    bench_die ("pthread_create");
  pthread_detach (thread);
  return self;
}

/* --- many messages a write(): written when there are enough, and before this side waits --- */

static void *
open_batched (bool host)
{
  End *self = open_end (host);

  self->batch = malloc (BENCH_READ);
  return self;
}

static void
flush (End *self)
{
  bench_write (self->out, self->batch, self->n_batch);
  self->n_batch = 0;
}

static void
send_batched (void *end, const void *data, size_t size)
{
  End *self = end;

  if (self->n_batch + size > BENCH_READ)
    flush (self);
  if (size >= BENCH_READ)
    {
      bench_write (self->out, data, size);
      return;
    }
  memcpy (self->batch + self->n_batch, data, size);
  self->n_batch += size;
}

static const void *
receive_batched (void *end, size_t size)
{
  End *self = end;

  if (self->end - self->begin < size)
    flush (self);
  return receive (end, size);
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "pipe", .prepare = make_pipes, .open = open_end, .send = send_one, .receive = receive },
    { .name = "pipe-spinning", .prepare = make_pipes, .open = open_spinning, .send = send_one, .receive = receive },
    { .name = "pipe-watched", .prepare = make_pipes, .open = open_watched, .send = send_one, .receive = receive },
    { .name = "pipe-batched", .prepare = make_large_pipes, .open = open_batched, .send = send_batched,
      .receive = receive_batched },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
