/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the start of a worker costs, of each kind, in a small host, and in one with 512 MiB resident;
 * beside it what fork and exec of an empty program costs. Then what a call to each kind costs.
 *
 *   bench-spawn [--scale X]
 *
 * prints one line "MEASUREMENT VALUE" each: milliseconds for the starts, microseconds for the calls
 * (medians of 40).
 */
#include <coproc.h>

#include "bench-util.h"

#define BENCH_SPAWNS 40
#define BENCH_RESIDENT (512u << 20)
#define BENCH_CALLS 1000        /* calls that are timed together */

static char *bench_command;     /* a program that is a worker, and echoes */

static int
compare (const void *a, const void *b)
{
  const double *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static double
median (double *values, int n)
{
  qsort (values, (size_t) n, sizeof *values, compare);
  return values[n / 2];
}

static CoprocWorkerResource *
new_process (void)
{
  return coproc_worker_resource_new ("echo", "echo");
}

static CoprocWorkerResource *
new_thread (void)
{
  CoprocWorkerResource *worker = new_process ();

  g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  return worker;
}

static CoprocWorkerResource *
new_command (void)
{
  const char *const argv[] = { bench_command, NULL };

  return coproc_worker_resource_new_for_command (argv);
}

static void
check (gboolean ok, const GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "bench-spawn: %s\n", error->message);
  exit (1);
}

static void
call (CoprocWorkerResource *worker)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer
      = coproc_messenger_call (coproc_worker_resource_get_messenger (worker), g_variant_new_int32 (1),
                               NULL, -1, NULL, &error);

  check (answer != NULL, error);
}

/* From start() to the first reply; then what a call takes, when *@call_time is wanted. */
static double
time_worker (CoprocWorkerResource *worker, double *call_time)
{
  g_autoptr (CoprocWorkerResource) owned G_GNUC_UNUSED = worker;
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  double taken;
  gboolean started = coproc_worker_resource_start (worker, NULL, NULL, &error);

  check (started, error);
  call (worker);
  taken = (bench_now () - start) * 1e3;

  if (call_time != NULL)
    {
      start = bench_now ();
      for (int i = 0; i < BENCH_CALLS; i++)
        call (worker);
      *call_time = (bench_now () - start) * 1e6 / BENCH_CALLS;
    }
  coproc_worker_resource_stop (worker, G_USEC_PER_SEC, NULL);
  return taken;
}

static double
time_process (void)
{
  return time_worker (new_process (), NULL);
}

static double
time_thread (void)
{
  return time_worker (new_thread (), NULL);
}

static double
time_command (void)
{
  return time_worker (new_command (), NULL);
}

static double
time_process_call (void)
{
  double taken;

  time_worker (new_process (), &taken);
  return taken;
}

static double
time_thread_call (void)
{
  double taken;

  time_worker (new_thread (), &taken);
  return taken;
}

static double
time_fork (void)
{
  double start = bench_now ();
  pid_t pid = fork ();

  if (pid < 0)
    bench_die ("fork");
  if (pid == 0)
    {
      execlp ("true", "true", (char *) NULL);
      _exit (127);
    }
  bench_reap (pid);
  return (bench_now () - start) * 1e3;
}

static void
measure (const char *name, double (*function) (void), int n)
{
  g_autofree double *values = g_new (double, n);

  for (int i = 0; i < n; i++)
    values[i] = function ();
  printf ("%s %.6g\n", name, median (values, n));
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  int n = BENCH_SPAWNS;
  g_autofree char *resident = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *directory = NULL;

  if (argc > 2 && strcmp (argv[1], "--scale") == 0)
    n = MAX (3, (int) (BENCH_SPAWNS * g_ascii_strtod (argv[2], NULL)));
  directory = g_path_get_dirname (self);
  bench_command = g_build_filename (directory, "..", "helpers", "command-worker", NULL);
  time_process ();
  measure ("spawn-small", time_process, n);
  measure ("spawn-command", time_command, n);
  measure ("spawn-thread", time_thread, n);
  measure ("call-process", time_process_call, n);
  measure ("call-thread", time_thread_call, n);
  measure ("fork-small", time_fork, n);
  resident = g_malloc (BENCH_RESIDENT);
  memset (resident, 1, BENCH_RESIDENT);
  measure ("spawn-512-mib", time_process, n);
  measure ("fork-512-mib", time_fork, n);
  return 0;
}
