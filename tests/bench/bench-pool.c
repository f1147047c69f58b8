/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * How fast a pool of two workers is: tasks that take nothing, 10 µs, 1 ms or now this and now that, with payloads of
 * 64 bytes and 64 KiB, and the same in threads. Prints lines of a name and a figure.
 *
 *   bench-pool [--scale X] [--plugin PATH] [--only NAME]
 */
#include <coproc.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define N_WORKERS 2
#define SMALL 64
#define LARGE (64 << 10)

typedef struct
{
  const char *name;
  CoprocWorkerMode mode;
  guint n;
  gsize size;
  guint chunk_size;
  gint64 us;               /* of a task; -1: nine of ten take 10 µs, the tenth 1 ms */
} Case;

static const Case cases[] = {
  { "empty-automatic", COPROC_WORKER_MODE_PROCESS, 500000, SMALL, 0, 0 },
  { "empty-chunk-1", COPROC_WORKER_MODE_PROCESS, 200000, SMALL, 1, 0 },
  { "empty-chunk-100", COPROC_WORKER_MODE_PROCESS, 500000, SMALL, 100, 0 },
  { "empty-64-kib", COPROC_WORKER_MODE_PROCESS, 10000, LARGE, 0, 0 },
  { "10-us", COPROC_WORKER_MODE_PROCESS, 40000, SMALL, 0, 10 },
  { "1-ms", COPROC_WORKER_MODE_PROCESS, 1000, SMALL, 0, 1000 },
  { "1-ms-64-kib", COPROC_WORKER_MODE_PROCESS, 1000, LARGE, 0, 1000 },
  { "mixed", COPROC_WORKER_MODE_PROCESS, 10000, SMALL, 0, -1 },
  { "threads-empty-automatic", COPROC_WORKER_MODE_THREAD, 500000, SMALL, 0, 0 },
  { "threads-empty-chunk-1", COPROC_WORKER_MODE_THREAD, 200000, SMALL, 1, 0 },
  { "threads-1-ms", COPROC_WORKER_MODE_THREAD, 1000, SMALL, 0, 1000 },
};

static gint64
task_time (const Case *self, guint i)
{
  if (self->us >= 0)
    return self->us;
  return i % 10 == 3 ? 1000 : 10;
}

static double
get_cpu_time (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static GVariant **
make_inputs (const Case *self, guint n)
{
  GVariant **inputs = g_new (GVariant *, n);

  for (guint i = 0; i < n; i++)
    {
      guint8 *data = g_malloc0 (self->size);
      gint64 us = task_time (self, i);

      memcpy (data, &us, sizeof us);
      inputs[i] = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, self->size, TRUE,
                                                               g_free, data));
    }
  return inputs;
}

static void
must (gboolean success, GError *error)
{
  if (success)
    return;
  fprintf (stderr, "%s\n", error->message);
  exit (1);
}

/* Returns: the seconds that it took */
static double
run_map (CoprocWorkerPool *pool, GVariant **inputs, guint n, guint chunk_size)
{
  GError *error = NULL;
  gint64 begin = g_get_monotonic_time ();
  GVariant **results;
  gsize n_results;

  results = coproc_worker_pool_map (pool, inputs, n, chunk_size, NULL, &n_results, &error);
  must (results != NULL, error);
  begin = g_get_monotonic_time () - begin;
  for (guint i = 0; i < n; i++)
    g_variant_unref (results[i]);
  g_free (results);
  return (double) begin / 1e6;
}

static void
run_case (const Case *self, const char *plugin, double scale)
{
  const guint n = MAX (16, (guint) (self->n * scale));
  CoprocWorkerPool *pool = coproc_worker_pool_new (plugin, "spin", N_WORKERS);
  GVariant **inputs = make_inputs (self, n);
  GError *error = NULL;
  double seconds, cpu, busy = 0;

  g_object_set (coproc_worker_pool_get_model (pool), "mode", self->mode, NULL);
  must (coproc_worker_pool_start (pool, NULL, NULL, &error), error);
  run_map (pool, inputs, MAX (n / 10, 8), self->chunk_size); /* warms up */
  cpu = get_cpu_time ();
  seconds = run_map (pool, inputs, n, self->chunk_size);
  cpu = get_cpu_time () - cpu;
  for (guint i = 0; i < n; i++)
    busy += (double) task_time (self, i) / 1e6;
  printf ("%s %.0f\n", self->name, n / seconds);
  if (self->mode == COPROC_WORKER_MODE_PROCESS)
    printf ("%s-host-us %.3f\n", self->name, cpu * 1e6 / n);
  if (busy > 0)
    printf ("%s-efficiency %.3f\n", self->name, busy / (N_WORKERS * seconds));
  fflush (stdout);

  coproc_worker_pool_stop (pool, G_USEC_PER_SEC, NULL);
  g_object_unref (pool);
  for (guint i = 0; i < n; i++)
    g_variant_unref (inputs[i]);
  g_free (inputs);
}

int
main (int argc, char *argv[])
{
  g_autofree char *plugin = NULL;
  const char *only = NULL;
  double scale = 1;

  if (g_getenv ("G_TEST_BUILDDIR") != NULL)
    plugin = g_build_filename (g_getenv ("G_TEST_BUILDDIR"), "helpers/plugins/tasks.so", NULL);
  for (int i = 1; i + 1 < argc; i += 2)
    {
      if (strcmp (argv[i], "--scale") == 0)
        scale = g_ascii_strtod (argv[i + 1], NULL);
      else if (strcmp (argv[i], "--only") == 0)
        only = argv[i + 1];
      else
        {
          g_free (plugin);
          plugin = g_strdup (argv[i + 1]);
        }
    }
  if (plugin == NULL)
    {
      fprintf (stderr, "usage: bench-pool --plugin .../tests/helpers/plugins/tasks.so [--scale X] [--only NAME]\n");
      return 2;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    if (only == NULL || strcmp (only, cases[i].name) == 0)
      run_case (&cases[i], plugin, scale);
  return 0;
}
