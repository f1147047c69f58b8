/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Prints lines "POOL CASE VALUE": tasks each second; CASE-host-cpu, the µs of processor time that a task takes in
 * the host's process; CASE-p99, the µs from handing a task in to its result that 99 of 100 stay below
 * while eight tasks are with the pool.
 */
#include "bench-pool.h"

#include "bench-util.h"

#define IN_FLIGHT 8
#define MOST 1000000          /* tasks in one map */
#define MOST_BYTES (256 << 20) /* of their inputs together */

typedef struct
{
  const char *name;
  gsize size;
  gint64 us; /* of a task; -1: nine of ten take 10 µs, the tenth 1 ms */
} Case;

static const Case cases[] = {
  { "empty-64-b", 64, 0 },
  { "empty-64-kib", 64 << 10, 0 },
  { "10-us-64-b", 64, 10 },
  { "10-us-64-kib", 64 << 10, 10 },
  { "1-ms-64-b", 64, 1000 },
  { "1-ms-64-kib", 64 << 10, 1000 },
  { "mixed-64-b", 64, -1 },
  { "mixed-64-kib", 64 << 10, -1 },
};

static double seconds = 0.5;

void
bench_pool_spin (GVariant *input)
{
  const gint64 begin = g_get_monotonic_time ();
  gint64 us;

  memcpy (&us, g_variant_get_data (input), sizeof us);
  while (us > 0 && g_get_monotonic_time () - begin < us)
    ;
}

static GVariant *
new_input (const Case *self, gsize i)
{
  guint8 *data = g_malloc0 (self->size);
  const gint64 us = self->us >= 0 ? self->us : i % 10 == 3 ? 1000 : 10;

  memcpy (data, &us, sizeof us);
  return g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, self->size, TRUE, g_free, data));
}

/* Returns: the seconds that it took; the host's processor time in @cpu */
static double
time_map (const BenchPool *pool, gpointer data, const Case *self, gsize n, double *cpu)
{
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_full ((guint) n, (GDestroyNotify) g_variant_unref);
  double taken;

  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (inputs, new_input (self, i));
  *cpu = bench_cpu_time ();
  taken = bench_now ();
  pool->map (data, (GVariant **) inputs->pdata, n);
  taken = bench_now () - taken;
  *cpu = bench_cpu_time () - *cpu;
  return taken;
}

/* As many tasks as take about the time that was asked for. */
static void
measure_map (const BenchPool *pool, gpointer data, const Case *self)
{
  double cpu, taken;
  gsize n = 64;

  do
    {
      n *= 4;
      taken = time_map (pool, data, self, n, &cpu);
    }
  while (taken < seconds / 10 && n * 4 <= MOST && n * 4 * self->size <= MOST_BYTES);
  n = (gsize) CLAMP ((double) n * seconds / taken, 16, (double) MIN (MOST, MOST_BYTES / self->size));
  taken = time_map (pool, data, self, n, &cpu);
  printf ("%s %s %.6g\n", pool->name, self->name, (double) n / taken);
  printf ("%s %s-host-cpu %.6g\n", pool->name, self->name, cpu * 1e6 / (double) n);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return x < y ? -1 : x > y;
}

static void
measure_latency (const BenchPool *pool, gpointer data, const Case *self)
{
  g_autoptr (GArray) latencies = g_array_new (FALSE, FALSE, sizeof (double));
  const double end = bench_now () + seconds;
  double begun[IN_FLIGHT];
  gsize n_sent = 0, n_running = 0;

  do
    {
      gsize number = n_running;

      if (n_running == IN_FLIGHT)
        {
          double latency;

          number = pool->await (data);
          latency = bench_now () - begun[number];
          g_array_append_val (latencies, latency);
          n_running--;
        }
      if (bench_now () < end)
        {
          g_autoptr (GVariant) input = new_input (self, n_sent++);

          begun[number] = bench_now ();
          pool->submit (data, input, number);
          n_running++;
        }
      else
        while (n_running > 0)
          {
            pool->await (data);
            n_running--;
          }
    }
  while (n_running > 0);
  g_array_sort (latencies, compare);
  if (latencies->len > 0)
    printf ("%s %s-p99 %.6g\n", pool->name, self->name,
            g_array_index (latencies, double, latencies->len * 99 / 100) * 1e6);
}

static void
run_case (const BenchPool *pool, const Case *self, const char *plugin)
{
  gpointer data = pool->open (plugin);

  measure_map (pool, data, self);
  measure_latency (pool, data, self);
  fflush (stdout);
  pool->close (data);
}

int
bench_pool_main (int argc, char **argv, const BenchPool *pools, gsize n_pools)
{
  g_autofree char *plugin = NULL;
  const char *only = NULL;
  int next = 1;

  if (g_getenv ("G_TEST_BUILDDIR") != NULL)
    plugin = g_build_filename (g_getenv ("G_TEST_BUILDDIR"), "helpers/plugins/tasks.so", NULL);
  for (; next + 1 < argc && g_str_has_prefix (argv[next], "--"); next += 2)
    if (strcmp (argv[next], "--seconds") == 0)
      seconds = g_ascii_strtod (argv[next + 1], NULL);
    else if (strcmp (argv[next], "--pool") == 0)
      only = argv[next + 1];
    else if (strcmp (argv[next], "--plugin") == 0)
      {
        g_free (plugin);
        plugin = g_strdup (argv[next + 1]);
      }
  for (gsize i = 0; i < n_pools; i++)
    for (gsize j = 0; j < G_N_ELEMENTS (cases); j++)
      if ((only == NULL || strcmp (only, pools[i].name) == 0)
          && (next == argc || g_strv_contains ((const char *const *) argv + next, cases[j].name)))
        run_case (&pools[i], &cases[j], plugin);
  return 0;
}
