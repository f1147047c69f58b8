/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The exchanges of bench-pipe with messengers at both ends of the two pipes.
 *
 *   bench-coproc [--shared-memory] [--scale X] [MEASUREMENT...]
 *
 * prints one line "MEASUREMENT VALUE" each, in the units of bench-pipe. The peer is this program
 * again, spawned before there is a thread, so that each end is pinned whole; with --shared-memory it is a
 * worker.
 */
#include "bench-exchange.h"

#include <spawn.h>

#define NO_PIPE (-1)

typedef struct
{
  const char *name;
  bool same_core;
  int pipe_size; /* 0: as the system gives it; NO_PIPE: for shared memory alone */
  long count;
  double (*host) (CoprocMessenger *messenger, long count);
  void (*peer) (CoprocMessenger *messenger, long count);
} Measurement;

static const Measurement measurements[] = {
  { "round-trip-same-core", true, 0, 60000, ping_pong_host, ping_pong_peer },
  { "round-trip-same-core-bytes", true, 0, 60000, bytes_ping_pong_host, bytes_ping_pong_peer },
  { "round-trip-two-cores", false, 0, 120000, ping_pong_host, ping_pong_peer },
  { "round-trip-two-cores-bytes", false, 0, 120000, bytes_ping_pong_host, bytes_ping_pong_peer },
  { "round-trip-same-core-sleeping", true, 0, 60000, sleeping_host, sleeping_peer },
  { "round-trip-two-cores-sleeping", false, 0, 12000, sleeping_host, sleeping_peer },
  { "call-same-core", true, 0, 60000, call_host, echo_peer },
  { "call-two-cores", false, 0, 12000, call_host, echo_peer },
  { "bytes-to-blocking", false, 0, 1500000, send_bytes_host, blocking_peer },
  { "bytes-to-bytes", false, 0, 1500000, send_bytes_host, bytes_peer },
  { "bytes-to-messages", false, 0, 1500000, send_bytes_host, messages_peer },
  { "bytes-to-available", false, 0, 1500000, send_bytes_host, available_peer },
  { "variant-to-blocking", false, 0, 1500000, send_variant_host, blocking_peer },
  { "variant-to-available", false, 0, 1500000, send_variant_host, available_peer },
  { "multiple-to-bytes", false, 0, 40, multiple_host, multiple_bytes_peer },
  { "multiple-to-messages", false, 0, 40, multiple_host, multiple_messages_peer },
  { "multiple-to-available", false, 0, 40, multiple_host, multiple_payload_peer },
  { "in-flight", false, 0, 1000000, in_flight_host, echo_peer },
  { "in-flight-bytes", false, 0, 1000000, in_flight_bytes_host, bytes_echo_peer },
  { "in-flight-batch", false, 0, 1000000, in_flight_batch_host, answer_peer },
  { "large", false, BENCH_LARGE, 1024, large_host, blocking_peer },
  { "large-64-kib", false, BENCH_LARGE, 16384, large_64_kib_host, blocking_peer },
  { "large-16-mib", false, BENCH_LARGE, 64, large_16_mib_host, blocking_peer },
  { "in-place-64-kib", false, NO_PIPE, 65536, in_place_64_kib_host, first_byte_peer },
  { "in-place-1-mib", false, NO_PIPE, 65536, in_place_1_mib_host, first_byte_peer },
  { "in-place-16-mib", false, NO_PIPE, 65536, in_place_16_mib_host, first_byte_peer },
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

  bench_check (messenger != NULL, error);
  return messenger;
}

/* bench-coproc --peer INDEX COUNT [IN_FD OUT_FD]: it was pinned by whoever spawned it. */
static int
peer_main (int n_arguments, char **arguments)
{
  const Measurement *m = &measurements[atoi (arguments[0])];
  GError *error = NULL;
  CoprocMessenger *messenger;

  if (n_arguments == 4)
    messenger = new_messenger (atoi (arguments[2]), atoi (arguments[3]));
  else
    messenger = coproc_worker_connect (COPROC_TYPE_PRIORITY_MESSENGER, NULL, &error);
  bench_check (messenger != NULL, error);

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

/* The same with a worker. */
static double
run_worker (int index, double scale, const cpu_set_t *allowed)
{
  const Measurement *m = &measurements[index];
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *number = g_strdup_printf ("%d", index);
  long count = get_count (m, scale);
  g_autofree char *count_text = g_strdup_printf ("%ld", count);
  const char *const argv[] = { program, "--peer", number, count_text, NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (argv);
  GError *error = NULL;
  double value;
  bool ok;

  g_object_set (worker, "transport", COPROC_TRANSPORT_SHARED_MEMORY, NULL);
  bench_pin (allowed, m->same_core ? 0 : 1);
  ok = coproc_worker_resource_start (worker, NULL, NULL, &error);
  bench_check (ok, error);
  bench_pin_all (allowed, 0); /* the library's thread, too, which there is by now */
  value = m->host (coproc_worker_resource_get_messenger (worker), count);
  ok = coproc_worker_resource_stop (worker, G_USEC_PER_SEC, &error);
  bench_check (ok, error);
  g_object_unref (worker);
  return value;
}

int
main (int argc, char **argv)
{
  cpu_set_t allowed;
  double scale = 1;
  double (*run_one) (int index, double scale, const cpu_set_t *allowed) = run;
  int first = 1;

  if ((argc == 4 || argc == 6) && strcmp (argv[1], "--peer") == 0)
    return peer_main (argc - 2, argv + 2);
  if (sched_getaffinity (0, sizeof allowed, &allowed) < 0)
    bench_die ("sched_getaffinity");
  if (argc > first && strcmp (argv[first], "--shared-memory") == 0)
    {
      run_one = run_worker;
      first++;
    }
  if (argc > first + 1 && strcmp (argv[first], "--scale") == 0)
    {
      scale = g_ascii_strtod (argv[first + 1], NULL);
      first += 2;
    }
  for (int i = 0; i < (int) G_N_ELEMENTS (measurements); i++)
    {
      bool wanted = first == argc && (measurements[i].pipe_size != NO_PIPE || run_one == run_worker);

      for (int j = first; j < argc; j++)
        wanted = wanted || strcmp (argv[j], measurements[i].name) == 0;
      if (wanted)
        {
          printf ("%s %.6g\n", measurements[i].name, run_one (i, scale, &allowed));
          fflush (stdout);
        }
    }
  return 0;
}
