/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The peer of bench-coproc: the same exchanges on two bare pipes, in plain C.
 *
 *   bench-pipe [--scale X] [MEASUREMENT...]
 *
 * prints one line "MEASUREMENT VALUE" each: microseconds for the round trips, MiB/s for the large
 * messages, messages per second for the rest.
 */
#include "bench-util.h"

#include <poll.h>
#include <pthread.h>

typedef struct
{
  int in;
  int out;
} End;

typedef struct
{
  const char *name;
  bool same_core;
  bool watched;  /* each process has a second thread that polls its input */
  int pipe_size; /* 0: as the system gives it */
  long count;
  double (*host) (End *end, long count);
  void (*peer) (End *end, long count);
} Measurement;

/* --- ping-pong: one message at a time, there and back --- */

static double
round_trip_host (End *end, long count)
{
  uint8_t message[BENCH_SMALL] = { 0 };
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      bench_write (end->out, message, sizeof message);
      bench_read (end->in, message, sizeof message);
      bench_touch (message, sizeof message);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

static void
round_trip_peer (End *end, long count)
{
  uint8_t message[BENCH_SMALL];

  for (long i = 0; i < count; i++)
    {
      bench_read (end->in, message, sizeof message);
      bench_touch (message, sizeof message);
      bench_write (end->out, message, sizeof message);
    }
}

/* The same with a read that is tried until it succeeds: both cores stay awake. */
static void
read_spinning (int fd, void *data, size_t size)
{
  uint8_t *next = data;

  while (size > 0)
    {
      ssize_t n = read (fd, next, size);

      if (n > 0)
        {
          next += n;
          size -= (size_t) n;
        }
      else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        bench_die ("read");
    }
}

static double
spinning_host (End *end, long count)
{
  uint8_t message[BENCH_SMALL] = { 0 };
  double start = bench_now ();

  fcntl (end->in, F_SETFL, O_NONBLOCK);
  for (long i = 0; i < count; i++)
    {
      bench_write (end->out, message, sizeof message);
      read_spinning (end->in, message, sizeof message);
      bench_touch (message, sizeof message);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

static void
spinning_peer (End *end, long count)
{
  uint8_t message[BENCH_SMALL];

  fcntl (end->in, F_SETFL, O_NONBLOCK);
  for (long i = 0; i < count; i++)
    {
      read_spinning (end->in, message, sizeof message);
      bench_touch (message, sizeof message);
      bench_write (end->out, message, sizeof message);
    }
}

/* --- one way: the peer tells when it has got everything --- */

static double
await_done (End *end, double start, double amount)
{
  uint8_t done;

  bench_read (end->in, &done, 1);
  return amount / (bench_now () - start);
}

static double
one_way_host (End *end, long count)
{
  uint8_t message[BENCH_SMALL] = { 0 };
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    bench_write (end->out, message, sizeof message);
  return await_done (end, start, (double) count);
}

static double
batched_host (End *end, long count)
{
  static uint8_t batch[BENCH_READ];
  const uint8_t message[BENCH_SMALL] = { 0 };
  size_t filled = 0;
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      memcpy (batch + filled, message, sizeof message);
      filled += sizeof message;
      if (filled == sizeof batch || i == count - 1)
        {
          bench_write (end->out, batch, filled);
          filled = 0;
        }
    }
  return await_done (end, start, (double) count);
}

static void
one_way_peer (End *end, long count)
{
  static uint8_t buffer[BENCH_READ];
  size_t left = (size_t) count * BENCH_SMALL;
  uint8_t done = 1;

  while (left > 0)
    {
      size_t n = bench_read_some (end->in, buffer, sizeof buffer);

      bench_touch (buffer, n);
      left -= n;
    }
  bench_write (end->out, &done, 1);
}

static double
large_host (End *end, long count)
{
  static uint8_t message[BENCH_LARGE];
  double start;

  memset (message, 1, sizeof message);
  start = bench_now ();
  for (long i = 0; i < count; i++)
    bench_write (end->out, message, sizeof message);
  return await_done (end, start, (double) count * BENCH_LARGE / (1 << 20));
}

static void
large_peer (End *end, long count)
{
  static uint8_t message[BENCH_LARGE];
  uint8_t done = 1;

  for (long i = 0; i < count; i++)
    {
      bench_read (end->in, message, sizeof message);
      bench_touch (message, sizeof message);
    }
  bench_write (end->out, &done, 1);
}

/* --- a window of requests in flight: each side writes one message at a time and reads what is
 * there --- */

static double
in_flight_host (End *end, long count)
{
  static uint8_t buffer[BENCH_READ];
  uint8_t message[BENCH_SMALL] = { 0 };
  size_t left = (size_t) count * BENCH_SMALL;
  size_t answered = 0;
  long sent = 0;
  double start = bench_now ();

  for (; sent < BENCH_WINDOW && sent < count; sent++)
    bench_write (end->out, message, sizeof message);
  while (left > 0)
    {
      size_t n = bench_read_some (end->in, buffer, sizeof buffer);

      bench_touch (buffer, n);
      left -= n;
      for (answered += n; answered >= BENCH_SMALL; answered -= BENCH_SMALL)
        if (sent < count)
          {
            bench_write (end->out, message, sizeof message);
            sent++;
          }
    }
  return (double) count / (bench_now () - start);
}

static void
in_flight_peer (End *end, long count)
{
  static uint8_t buffer[BENCH_READ];
  size_t left = (size_t) count * BENCH_SMALL;
  size_t unanswered = 0;

  while (left > 0)
    {
      size_t n = bench_read_some (end->in, buffer, sizeof buffer);

      bench_touch (buffer, n);
      left -= n;
      for (unanswered += n; unanswered >= BENCH_SMALL; unanswered -= BENCH_SMALL)
        bench_write (end->out, buffer, BENCH_SMALL);
    }
}

/* --- what a thread beside costs --- */

static void *
watch_input (void *data)
{
  struct pollfd pollfd = { .fd = *(int *) data };

  poll (&pollfd, 1, -1);
  return NULL;
}

/* A second thread, which polls the input for its end: with it the kernel locks the table of descriptors
 * for each read and write, and looks for whom to wake. */
static void
start_watch (const End *end)
{
  pthread_t thread;

  errno = pthread_create (&thread, NULL, watch_input, (void *) &end->in);
  if (errno != 0)
    bench_die ("pthread_create");
  pthread_detach (thread);
}

/* Those with a thread beside come last: the host keeps traces of it. */
static const Measurement measurements[] = {
  { "round-trip-same-core", true, false, 0, 60000, round_trip_host, round_trip_peer },
  { "round-trip-two-cores", false, false, 0, 12000, round_trip_host, round_trip_peer },
  { "round-trip-two-cores-spinning", false, false, 0, 100000, spinning_host, spinning_peer },
  { "one-way", false, false, 0, 1500000, one_way_host, one_way_peer },
  { "one-way-batched", false, false, 0, 20000000, batched_host, one_way_peer },
  { "in-flight", false, false, 0, 1000000, in_flight_host, in_flight_peer },
  { "large", false, false, BENCH_LARGE, 1024, large_host, large_peer },
  { "round-trip-same-core-watched", true, true, 0, 60000, round_trip_host, round_trip_peer },
  { "one-way-watched", false, true, 0, 1500000, one_way_host, one_way_peer },
  { "in-flight-watched", false, true, 0, 1000000, in_flight_host, in_flight_peer },
};

static double
run (const Measurement *m, double scale, const cpu_set_t *allowed)
{
  int there[2], back[2];
  long count = (long) ((double) m->count * scale) + 1;
  double value;
  pid_t pid;
  End end;

  if (pipe2 (there, O_CLOEXEC) < 0 || pipe2 (back, O_CLOEXEC) < 0)
    bench_die ("pipe2");
  bench_resize_pipe (there[1], m->pipe_size);
  bench_resize_pipe (back[1], m->pipe_size);
  pid = fork ();
  if (pid < 0)
    bench_die ("fork");
  if (pid == 0)
    {
      close (there[1]);
      close (back[0]);
      bench_pin (allowed, m->same_core ? 0 : 1);
      end = (End){ there[0], back[1] };
      if (m->watched)
        start_watch (&end);
      m->peer (&end, count);
      _exit (0);
    }
  close (there[0]);
  close (back[1]);
  bench_pin (allowed, 0);
  end = (End){ back[0], there[1] };
  if (m->watched)
    start_watch (&end);
  value = m->host (&end, count);
  close (end.in);
  close (end.out);
  bench_reap (pid);
  return value;
}

int
main (int argc, char **argv)
{
  cpu_set_t allowed;
  double scale = 1;
  int first = 1;

  if (sched_getaffinity (0, sizeof allowed, &allowed) < 0)
    bench_die ("sched_getaffinity");
  if (argc > 2 && strcmp (argv[1], "--scale") == 0)
    {
      scale = atof (argv[2]);
      first = 3;
    }
  for (size_t i = 0; i < sizeof measurements / sizeof *measurements; i++)
    {
      bool wanted = first == argc;

      for (int j = first; j < argc; j++)
        wanted = wanted || strcmp (argv[j], measurements[i].name) == 0;
      if (wanted)
        {
          printf ("%s %.6g\n", measurements[i].name, run (&measurements[i], scale, &allowed));
          fflush (stdout);
        }
    }
  return 0;
}
