/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the start of a worker costs in a small host, and in one with 512 MiB resident; beside it what
 * fork and exec of an empty program costs.
 *
 *   bench-spawn [--scale X]
 *
 * prints one line "MEASUREMENT VALUE" each, in milliseconds (median of 40).
 */
#include <coproc.h>

#include "bench-util.h"

#define BENCH_SPAWNS 40
#define BENCH_RESIDENT (512u << 20)

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

/* From start() to the first reply. */
static double
time_worker (void)
{
  g_autoptr (CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GError) error = NULL;
  double start = bench_now ();
  double taken;

  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "bench-spawn: %s\n", error->message);
      exit (1);
    }
  answer = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                  g_variant_new_int32 (1), NULL, -1, NULL, &error);
  taken = (bench_now () - start) * 1e3;
  if (answer == NULL)
    {
      fprintf (stderr, "bench-spawn: %s\n", error->message);
      exit (1);
    }
  coproc_worker_resource_stop (worker, G_USEC_PER_SEC, NULL);
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

  if (argc > 2 && strcmp (argv[1], "--scale") == 0)
    n = MAX (3, (int) (BENCH_SPAWNS * g_ascii_strtod (argv[2], NULL)));
  time_worker ();
  measure ("spawn-small", time_worker, n);
  measure ("fork-small", time_fork, n);
  resident = g_malloc (BENCH_RESIDENT);
  memset (resident, 1, BENCH_RESIDENT);
  measure ("spawn-512-mib", time_worker, n);
  measure ("fork-512-mib", time_fork, n);
  return 0;
}
