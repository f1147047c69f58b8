/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Each exchange is made twice, first to warm up. No count is agreed upon: the first byte of a message says whether it
 * is the last one. Then the other side sends the processor time that it took.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#define LAST 1          /* the first byte of the last message */
#define END 1           /* the first byte of a control message: there is no other exchange */
#define TIME_LIMIT 60   /* seconds after which a measurement that hangs is ended */
#define SAMPLES 100000  /* kept of the round trips */

typedef enum
{
  ONE_EACH,  /* each side has a core */
  SAME_CORE, /* both have one core */
  BUSY,      /* both have both cores; something else keeps the second one busy */
  CROWDED,   /* ... and the first one */
} Place;

typedef enum
{
  ROUND_TRIP,
  ONE_WAY,
  IN_FLIGHT,
} Kind;

typedef struct
{
  const char *name;
  Kind kind;
  Place place;
  size_t size;
} Exchange;

static const Exchange exchanges[] = {
  { "round-trip-same-core", ROUND_TRIP, SAME_CORE, 64 },
  { "round-trip-64-b", ROUND_TRIP, ONE_EACH, 64 },
  { "round-trip-4-kib", ROUND_TRIP, ONE_EACH, 4 << 10 },
  { "round-trip-64-kib", ROUND_TRIP, ONE_EACH, 64 << 10 },
  { "round-trip-1-mib", ROUND_TRIP, ONE_EACH, 1 << 20 },
  { "round-trip-16-mib", ROUND_TRIP, ONE_EACH, 16 << 20 },
  { "round-trip-busy", ROUND_TRIP, BUSY, 64 },
  { "round-trip-both-busy", ROUND_TRIP, CROWDED, 64 },
  { "one-way-64-b", ONE_WAY, ONE_EACH, 64 },
  { "one-way-4-kib", ONE_WAY, ONE_EACH, 4 << 10 },
  { "one-way-64-kib", ONE_WAY, ONE_EACH, 64 << 10 },
  { "one-way-1-mib", ONE_WAY, ONE_EACH, 1 << 20 },
  { "one-way-16-mib", ONE_WAY, ONE_EACH, 16 << 20 },
  { "in-flight", IN_FLIGHT, ONE_EACH, 64 },
};

/* Of this process: what is being measured. Set before there are two sides. */
static const BenchPeer *peer;
static const Exchange *exchange;
static cpu_set_t allowed;
static double seconds = 0.2;

/* One that ends with this one, and in time. */
static pid_t
fork_process (void)
{
  pid_t pid = fork ();

  if (pid < 0)
    bench_die ("fork");
  if (pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      alarm (TIME_LIMIT);
    }
  return pid;
}

/* Whether each side has its place. */
static bool
is_pinned (void)
{
  return exchange->place == ONE_EACH || exchange->place == SAME_CORE;
}

static void
pin (bool host)
{
  if (is_pinned ())
    bench_pin (&allowed, host || exchange->place == SAME_CORE ? 0 : 1);
}

/* Reads a payload, as far as this peer's are. */
static void
touch (const void *message)
{
  bench_touch (message, peer->touched > 0 && peer->touched < exchange->size ? peer->touched : exchange->size);
}

/* --- the other side --- */

/* Returns: the processor time that it took, where that is not the host's, too */
static double
serve_exchange (void *end)
{
  const bool with_replies = exchange->kind == IN_FLIGHT && peer->reply != NULL;
  const double cpu = bench_cpu_time ();
  bool last;

  do
    {
      const uint8_t *message = peer->receive (end, exchange->size);

      touch (message);
      last = message[0] == LAST;
      if (with_replies)
        peer->reply (end, message, exchange->size);
      else if (exchange->kind != ONE_WAY)
        peer->send (end, message, exchange->size);
    }
  while (!last);
  return peer->thread ? 0 : bench_cpu_time () - cpu;
}

void
bench_serve (void *end)
{
  uint8_t control[BENCH_CONTROL];
  double cpu;

  for (;;)
    {
      memcpy (control, peer->receive (end, sizeof control), sizeof control);
      peer->send (end, control, sizeof control);
      if (control[0] == END)
        return;
      cpu = serve_exchange (end);
      memcpy (control, &cpu, sizeof cpu);
      peer->send (end, control, sizeof control);
    }
}

static void *
serve_in_thread (void *data)
{
  pin (false);
  bench_serve (peer->open (false));
  return NULL;
}

static pid_t
fork_other_side (void)
{
  pid_t pid = fork_process ();

  if (pid > 0)
    return pid;
  pin (false);
  bench_serve (peer->open (false));
  _exit (0);
}

/* --- the host --- */

typedef struct
{
  void *end;
  uint8_t *message; /* not the last one */
  uint8_t *last;
} Host;

typedef struct
{
  double value; /* in the unit of the measurement */
  double cpu;   /* µs a message, of both sides */
} Result;

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

/* How many messages pass between two looks at the clock. */
static long
get_batch (long most)
{
  const long batch = (long) ((64 << 10) / exchange->size);

  return batch < 1 ? 1 : batch > most ? most : batch;
}

static void
take (Host *host)
{
  touch (peer->receive (host->end, exchange->size));
}

static void
bounce (Host *host, const uint8_t *message)
{
  peer->send (host->end, message, exchange->size);
  take (host);
}

/* The median of short batches; beside something busy the mean, since what stands in the way is what is measured. */
static double
measure_round_trip (Host *host, double length, long *n)
{
  static double samples[SAMPLES];
  const long batch = get_batch (16);
  const double begin = bench_now ();
  double now = begin;
  size_t n_samples = 0;

  do
    {
      const double before = now;

      for (long i = 0; i < batch; i++)
        bounce (host, host->message);
      *n += batch;
      now = bench_now ();
      samples[n_samples++] = (now - before) * 1e6 / (double) batch;
    }
  while (now - begin < length && n_samples < SAMPLES);
  bounce (host, host->last);
  if (!is_pinned ())
    return (now - begin) * 1e6 / (double) *n;
  qsort (samples, n_samples, sizeof *samples, compare);
  return samples[n_samples / 2];
}

static void
send_for_a_while (Host *host, double until, long *n)
{
  const long batch = get_batch (1024);

  do
    {
      for (long i = 0; i < batch; i++)
        peer->send (host->end, host->message, exchange->size);
      *n += batch;
    }
  while (bench_now () < until);
  peer->send (host->end, host->last, exchange->size);
  *n += 1;
}

static void
send_request (Host *host, const uint8_t *message)
{
  (peer->request != NULL ? peer->request : peer->send) (host->end, message, exchange->size);
}

static void
keep_in_flight (Host *host, double until, long *n)
{
  const long batch = get_batch (1024), window = peer->window > 0 ? peer->window : BENCH_WINDOW;

  for (long i = 0; i < window - 1; i++)
    send_request (host, host->message);
  do
    for (long i = 0; i < batch; i++)
      {
        send_request (host, host->message);
        take (host);
        *n += 1;
      }
  while (bench_now () < until);
  send_request (host, host->last);
  for (long i = 0; i < window; i++)
    take (host);
  *n += window;
}

/* For @length seconds, and what was begun then. */
static Result
measure (Host *host, double length)
{
  uint8_t control[BENCH_CONTROL] = { 0 };
  Result result = { 0 };
  double cpu, begin, other_cpu;
  long n = 0;

  peer->send (host->end, control, sizeof control);
  peer->receive (host->end, sizeof control);
  cpu = bench_cpu_time ();
  begin = bench_now ();
  if (exchange->kind == ROUND_TRIP)
    result.value = measure_round_trip (host, length, &n);
  else if (exchange->kind == ONE_WAY)
    send_for_a_while (host, begin + length, &n);
  else
    keep_in_flight (host, begin + length, &n);
  memcpy (&other_cpu, peer->receive (host->end, sizeof control), sizeof other_cpu);
  if (exchange->kind != ROUND_TRIP)
    result.value = (double) n / (bench_now () - begin);
  result.cpu = (bench_cpu_time () - cpu + other_cpu) * 1e6 / (double) n;
  return result;
}

static void
measure_warm (Host *host)
{
  const uint8_t control[BENCH_CONTROL] = { END };
  Result result;

  measure (host, seconds / 2);
  result = measure (host, seconds);
  printf ("%s %s %.6g\n", peer->name, exchange->name, result.value);
  printf ("%s %s-cpu %.6g\n", peer->name, exchange->name, result.cpu);
  fflush (stdout);
  peer->send (host->end, control, sizeof control);
  if (peer->start != NULL)
    peer->receive (host->end, sizeof control);
}

static pid_t
start_busy (int core)
{
  pid_t pid = fork_process ();

  if (pid > 0)
    return pid;
  bench_pin (&allowed, core);
  for (volatile unsigned long i = 0;; i++)
    ;
}

static void
end_process (pid_t pid)
{
  kill (pid, SIGKILL);
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

static uint8_t *
new_message (uint8_t first)
{
  uint8_t *message = aligned_alloc (4096, (exchange->size + 4095) & ~(size_t) 4095);

  if (message == NULL)
    bench_die ("aligned_alloc");
  memset (message, 2, exchange->size);
  message[0] = first;
  return message;
}

/* The host's process. */
static void
run (void)
{
  Host host = { NULL, new_message (0), new_message (LAST) };
  pid_t other = -1, busy[2] = { -1, -1 };
  pthread_t thread;

  if (!is_pinned ())
    busy[1] = start_busy (1);
  if (exchange->place == CROWDED)
    busy[0] = start_busy (0);
  if (peer->prepare != NULL)
    peer->prepare (exchange->size);
  if (peer->start != NULL)
    {
      const char *const argv[] = { "/proc/self/exe", "--serve", peer->name, exchange->name, NULL };

      pin (false);
      host.end = peer->start (argv);
    }
  else if (!peer->thread)
    other = fork_other_side ();
  else if ((errno = pthread_create (&thread, NULL, serve_in_thread, NULL)) != 0)
    bench_die ("pthread_create");
  if (peer->start != NULL && !peer->thread && is_pinned ())
    bench_pin_all (&allowed, 0); /* the peer's own threads, too */
  else
    pin (true);
  if (host.end == NULL)
    host.end = peer->open (true);
  measure_warm (&host);
  if (peer->start != NULL)
    peer->close (host.end);
  if (other > 0)
    end_process (other);
  for (int i = 0; i < 2; i++)
    if (busy[i] > 0)
      end_process (busy[i]);
  if (peer->finish != NULL)
    peer->finish ();
  _exit (0);
}

/* --- the program --- */

static const Exchange *
find_exchange (const char *name)
{
  for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
    if (strcmp (exchanges[i].name, name) == 0)
      return &exchanges[i];
  fprintf (stderr, "no measurement is named %s\n", name);
  exit (2);
}

static const BenchPeer *
find_peer (const BenchPeer *peers, size_t n_peers, const char *name)
{
  for (size_t i = 0; i < n_peers; i++)
    if (strcmp (peers[i].name, name) == 0)
      return &peers[i];
  fprintf (stderr, "no peer is named %s\n", name);
  exit (2);
}

/* Returns: whether it was measured */
static bool
run_in_process (void)
{
  int status;
  pid_t pid;

  if (peer->largest > 0 && exchange->size > peer->largest)
    return true;
  pid = fork_process ();
  if (pid == 0)
    run ();
  while (waitpid (pid, &status, 0) < 0)
    if (errno != EINTR)
      bench_die ("waitpid");
  if (status == 0)
    return true;
  fprintf (stderr, "%s %s: wait status %d\n", peer->name, exchange->name, status);
  return false;
}

static bool
run_peer (char **names, int n_names)
{
  bool good = true;

  if (n_names == 0)
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
      {
        exchange = &exchanges[i];
        good = run_in_process () && good;
      }
  for (int i = 0; i < n_names; i++)
    {
      exchange = find_exchange (names[i]);
      good = run_in_process () && good;
    }
  return good;
}

int
bench_main (int argc, char **argv, const BenchPeer *peers, size_t n_peers)
{
  const char *only = NULL;
  bool good = true;
  int next = 1;

  if (argc == 4 && strcmp (argv[1], "--serve") == 0)
    {
      void *end;

      peer = find_peer (peers, n_peers, argv[2]);
      exchange = find_exchange (argv[3]);
      alarm (TIME_LIMIT);
      end = peer->open (false);
      bench_serve (end);
      peer->close (end);
      return 0;
    }
  if (sched_getaffinity (0, sizeof allowed, &allowed) < 0)
    bench_die ("sched_getaffinity");
  for (; next + 1 < argc && strncmp (argv[next], "--", 2) == 0; next += 2)
    if (strcmp (argv[next], "--seconds") == 0)
      seconds = atof (argv[next + 1]);
    else if (strcmp (argv[next], "--peer") == 0)
      only = argv[next + 1];
  for (size_t i = 0; i < n_peers; i++)
    if (only == NULL || strcmp (peers[i].name, only) == 0)
      {
        peer = &peers[i];
        good = run_peer (argv + next, argc - next) && good;
      }
  return good ? 0 : 1;
}
