/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The exchanges of bench-pipe with messengers at both ends of the two pipes.
 *
 *   bench-coproc [--scale X] [MEASUREMENT...]
 *
 * prints one line "MEASUREMENT VALUE" each, in the units of bench-pipe. The peer is this program
 * again, spawned before there is a thread, so that each end is pinned whole.
 */
#include <coproc.h>
#include <spawn.h>

#include "bench-util.h"

#define BENCH_ROUND 50000  /* requests in one call: less than may be unanswered */
#define BENCH_QUEUE 100000 /* messages queued on the priority channel */

typedef struct
{
  const char *name;
  bool same_core;
  int pipe_size; /* 0: as the system gives it */
  long count;
  double (*host) (CoprocMessenger *messenger, long count);
  void (*peer) (CoprocMessenger *messenger, long count);
} Measurement;

static void
check (gboolean ok, GError *error)
{
  if (!ok)
    {
      fprintf (stderr, "bench-coproc: %s\n", error != NULL ? error->message : "no error set");
      exit (1);
    }
}

static void
touch_payload (GVariant *payload)
{
  bench_touch (g_variant_get_data (payload), g_variant_get_size (payload));
}

static GVariant *
new_payload (gsize size)
{
  gpointer data = g_malloc0 (size);

  return g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE,
                                                      g_free, data));
}

static void
send_small (CoprocMessenger *messenger)
{
  static const guint8 message[BENCH_SMALL];
  GError *error = NULL;
  gboolean ok = coproc_messenger_send_bytes (messenger, message, sizeof message, NULL, &error);

  check (ok, error);
}

/* --- receivers, in the forms that the interface has --- */

static void
drain_blocking (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) payload
          = coproc_messenger_receive_blocking (messenger, NULL, NULL, &error);

      check (payload != NULL, error);
      touch_payload (payload);
    }
}

static void
drain_message (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, NULL, -1, NULL, &error);

      check (message != NULL, error);
      touch_payload (coproc_message_get_payload (message));
    }
}

static void
drain_available (CoprocMessenger *messenger, long count)
{
  while (count > 0)
    {
      GError *error = NULL;
      GVariant **payloads;
      gsize n_payloads = 0;

      check (coproc_messenger_await_available (messenger, -1, NULL, &error), error);
      payloads = coproc_messenger_receive_available (messenger, NULL, &n_payloads, &error);
      check (payloads != NULL, error);
      for (gsize i = 0; i < n_payloads; i++)
        {
          touch_payload (payloads[i]);
          g_variant_unref (payloads[i]);
        }
      g_free (payloads);
      count -= (long) n_payloads;
    }
}

/* --- round trips --- */

static double
ping_pong_host (CoprocMessenger *messenger, long count)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      send_small (messenger);
      drain_blocking (messenger, 1);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

static void
ping_pong_peer (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      drain_blocking (messenger, 1);
      send_small (messenger);
    }
}

/* The same with waits that sleep at once, as a plain read() does. */
static double
sleeping_host (CoprocMessenger *messenger, long count)
{
  g_object_set (messenger, "spin-time", 0, NULL);
  return ping_pong_host (messenger, count);
}

static void
sleeping_peer (CoprocMessenger *messenger, long count)
{
  g_object_set (messenger, "spin-time", 0, NULL);
  ping_pong_peer (messenger, count);
}

static double
call_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_SMALL);
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) answer
          = coproc_messenger_call (messenger, payload, NULL, -1, NULL, &error);

      check (answer != NULL, error);
      touch_payload (answer);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

static void
echo_peer (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, NULL, -1, NULL, &error);
      GVariant *payload;

      check (message != NULL, error);
      payload = coproc_message_get_payload (message);
      touch_payload (payload);
      check (coproc_messenger_reply (messenger, message, payload, &error), error);
    }
}

/* --- one way: the peer tells when it has got everything --- */

static double
await_done (CoprocMessenger *messenger, double start, double amount)
{
  drain_blocking (messenger, 1);
  return amount / (bench_now () - start);
}

static double
send_bytes_host (CoprocMessenger *messenger, long count)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    send_small (messenger);
  return await_done (messenger, start, (double) count);
}

static double
norequest_host (CoprocMessenger *messenger, GVariant *payload, long count)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;

      check (coproc_messenger_send_norequest (messenger, payload, NULL, &error), error);
    }
  return await_done (messenger, start, (double) count);
}

static double
send_variant_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_SMALL);

  return norequest_host (messenger, payload, count);
}

static double
large_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_LARGE);

  return norequest_host (messenger, payload, count) * BENCH_LARGE / (1 << 20);
}

static void
blocking_peer (CoprocMessenger *messenger, long count)
{
  drain_blocking (messenger, count);
  send_small (messenger);
}

static void
message_peer (CoprocMessenger *messenger, long count)
{
  drain_message (messenger, count);
  send_small (messenger);
}

static void
available_peer (CoprocMessenger *messenger, long count)
{
  drain_available (messenger, count);
  send_small (messenger);
}

/* --- many requests in one call; count is that of rounds; the answers come when the clock stands --- */

static double
multiple_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_SMALL);
  g_autofree GVariant **payloads = g_new (GVariant *, BENCH_ROUND);
  double taken = 0;

  for (gsize i = 0; i < BENCH_ROUND; i++)
    payloads[i] = payload;
  for (long round = 0; round < count; round++)
    {
      GError *error = NULL;
      double start = bench_now ();
      GVariant *item;

      check (coproc_messenger_send_request_multiple (messenger, payloads, BENCH_ROUND, "work",
                                                     &error),
             error);
      drain_blocking (messenger, 1);
      taken += bench_now () - start;
      send_small (messenger);
      while ((item = coproc_messenger_receive_remaining (messenger, "work", NULL, &error)) != NULL)
        g_variant_unref (item);
      check (error == NULL, error);
    }
  return (double) count * BENCH_ROUND / taken;
}

static void
multiple_peer (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) answer = new_payload (1);

  for (long round = 0; round < count; round++)
    {
      long left = BENCH_ROUND;
      GError *error = NULL;

      while (left > 0)
        {
          GVariant **payloads;
          gsize n_payloads = 0;

          check (coproc_messenger_await_available (messenger, -1, NULL, &error), error);
          payloads = coproc_messenger_receive_available (messenger, "work", &n_payloads, &error);
          check (payloads != NULL, error);
          for (gsize i = 0; i < n_payloads; i++)
            {
              touch_payload (payloads[i]);
              g_variant_unref (payloads[i]);
            }
          g_free (payloads);
          left -= (long) n_payloads;
        }
      send_small (messenger);
      drain_blocking (messenger, 1);
      for (long i = 0; i < BENCH_ROUND; i++)
        check (coproc_messenger_send_reply (messenger, answer, "work", &error), error);
    }
}

/* --- a window of requests in flight --- */

static void
send_request (CoprocMessenger *messenger, GVariant *payload)
{
  GError *error = NULL;

  check (coproc_messenger_send_request (messenger, payload, NULL, &error), error);
}

static double
in_flight_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_SMALL);
  long sent = 0;
  double start = bench_now ();

  for (; sent < BENCH_WINDOW && sent < count; sent++)
    send_request (messenger, payload);
  for (long answered = 0; answered < count; answered++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) answer
          = coproc_messenger_receive_remaining (messenger, NULL, NULL, &error);

      check (answer != NULL, error);
      touch_payload (answer);
      if (sent < count)
        {
          send_request (messenger, payload);
          sent++;
        }
    }
  return (double) count / (bench_now () - start);
}

/* --- priorities: the peer fills the queue, then the clock runs for the receives; count is that of
 * different priorities --- */

static double
priority_host (CoprocMessenger *messenger, long count)
{
  double start, taken;
  double last = -1;

  g_object_set (messenger, "max-queued-messages", (guint) BENCH_QUEUE + 1, NULL);
  send_small (messenger);
  while (coproc_messenger_available (messenger, "queue", NULL) < BENCH_QUEUE)
    sched_yield ();
  start = bench_now ();
  for (long i = 0; i < BENCH_QUEUE; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, "queue", 0, NULL, &error);

      check (message != NULL, error);
      if (coproc_message_get_priority (message) < last)
        {
          fprintf (stderr, "bench-coproc: a message came before a more urgent one\n");
          exit (1);
        }
      last = coproc_message_get_priority (message);
    }
  taken = bench_now () - start;
  return BENCH_QUEUE / taken;
}

static void
priority_peer (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = new_payload (BENCH_SMALL);
  guint64 state = 1;

  drain_blocking (messenger, 1);
  for (long i = 0; i < BENCH_QUEUE; i++)
    {
      g_autoptr (CoprocMessage) message = NULL;
      GError *error = NULL;

      /* Any odd step through a power of two gives each value once. */
      state = (state + 77951) & 0x1ffff;
      message = coproc_message_new_full (payload, "queue", (double) (state % (guint64) count));
      check (coproc_messenger_send_message (messenger, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                            &error),
             error);
    }
}

static const Measurement measurements[] = {
  { "round-trip-same-core", true, 0, 60000, ping_pong_host, ping_pong_peer },
  { "round-trip-two-cores", false, 0, 12000, ping_pong_host, ping_pong_peer },
  { "round-trip-same-core-sleeping", true, 0, 60000, sleeping_host, sleeping_peer },
  { "round-trip-two-cores-sleeping", false, 0, 12000, sleeping_host, sleeping_peer },
  { "call-same-core", true, 0, 60000, call_host, echo_peer },
  { "call-two-cores", false, 0, 12000, call_host, echo_peer },
  { "bytes-to-blocking", false, 0, 1500000, send_bytes_host, blocking_peer },
  { "bytes-to-message", false, 0, 1500000, send_bytes_host, message_peer },
  { "bytes-to-available", false, 0, 1500000, send_bytes_host, available_peer },
  { "variant-to-blocking", false, 0, 1500000, send_variant_host, blocking_peer },
  { "variant-to-available", false, 0, 1500000, send_variant_host, available_peer },
  { "multiple", false, 0, 40, multiple_host, multiple_peer },
  { "in-flight", false, 0, 1000000, in_flight_host, echo_peer },
  { "large", false, BENCH_LARGE, 1024, large_host, blocking_peer },
  { "priority-4", false, 0, 4, priority_host, priority_peer },
  { "priority-distinct", false, 0, 1 << 17, priority_host, priority_peer },
};

/* What measures the queue's content must not be scaled. */
static long
get_count (const Measurement *m, double scale)
{
  return m->host == priority_host ? m->count : (long) ((double) m->count * scale) + 1;
}

static CoprocMessenger *
new_messenger (int in_fd, int out_fd)
{
  GError *error = NULL;
  CoprocMessenger *messenger
      = coproc_messenger_new_for_fds (COPROC_TYPE_PRIORITY_MESSENGER, in_fd, out_fd, &error);

  check (messenger != NULL, error);
  return messenger;
}

/* bench-coproc --peer INDEX COUNT IN_FD OUT_FD: it was pinned by whoever spawned it. */
static int
peer_main (char **arguments)
{
  const Measurement *m = &measurements[atoi (arguments[0])];
  CoprocMessenger *messenger = new_messenger (atoi (arguments[2]), atoi (arguments[3]));

  m->peer (messenger, atol (arguments[1]));
  /* The host says goodbye first: nothing of ours is lost then. */
  for (;;)
    {
      g_autoptr (GVariant) more = coproc_messenger_receive_blocking (messenger, NULL, NULL, NULL);

      if (more == NULL)
        break;
    }
  coproc_messenger_close (messenger);
  g_object_unref (messenger);
  return 0;
}

static pid_t
spawn_peer (int index, long count, int in_fd, int out_fd)
{
  char numbers[4][24];
  const char *arguments[] = { "bench-coproc", "--peer", numbers[0], numbers[1], numbers[2], numbers[3],
                        NULL };
  pid_t pid;
  int saved;

  g_snprintf (numbers[0], sizeof numbers[0], "%d", index);
  g_snprintf (numbers[1], sizeof numbers[1], "%ld", count);
  g_snprintf (numbers[2], sizeof numbers[2], "%d", in_fd);
  g_snprintf (numbers[3], sizeof numbers[3], "%d", out_fd);
  saved = posix_spawn (&pid, "/proc/self/exe", NULL, NULL, (char **) arguments, environ);
  if (saved != 0)
    {
      errno = saved;
      bench_die ("posix_spawn");
    }
  return pid;
}

/* The host is on the first core whenever a messenger, and with it the library's thread, is made. */
static double
run (int index, double scale, const cpu_set_t *allowed)
{
  const Measurement *m = &measurements[index];
  int there[2], back[2];
  long count = get_count (m, scale);
  CoprocMessenger *messenger;
  double value;
  pid_t pid;

  if (pipe2 (there, O_CLOEXEC) < 0 || pipe2 (back, O_CLOEXEC) < 0)
    bench_die ("pipe2");
  bench_resize_pipe (there[1], m->pipe_size);
  bench_resize_pipe (back[1], m->pipe_size);
  if (fcntl (there[0], F_SETFD, 0) < 0 || fcntl (back[1], F_SETFD, 0) < 0)
    bench_die ("fcntl");
  bench_pin (allowed, m->same_core ? 0 : 1);
  pid = spawn_peer (index, count, there[0], back[1]);
  bench_pin (allowed, 0);
  close (there[0]);
  close (back[1]);
  messenger = new_messenger (back[0], there[1]);
  value = m->host (messenger, count);
  coproc_messenger_close (messenger);
  g_object_unref (messenger);
  bench_reap (pid);
  return value;
}

int
main (int argc, char **argv)
{
  cpu_set_t allowed;
  double scale = 1;
  int first = 1;

  if (argc == 6 && strcmp (argv[1], "--peer") == 0)
    return peer_main (argv + 2);
  if (sched_getaffinity (0, sizeof allowed, &allowed) < 0)
    bench_die ("sched_getaffinity");
  if (argc > 2 && strcmp (argv[1], "--scale") == 0)
    {
      scale = g_ascii_strtod (argv[2], NULL);
      first = 3;
    }
  for (int i = 0; i < (int) G_N_ELEMENTS (measurements); i++)
    {
      bool wanted = first == argc;

      for (int j = first; j < argc; j++)
        wanted = wanted || strcmp (argv[j], measurements[i].name) == 0;
      if (wanted)
        {
          printf ("%s %.6g\n", measurements[i].name, run (i, scale, &allowed));
          fflush (stdout);
        }
    }
  return 0;
}
