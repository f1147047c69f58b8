/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What one copy of a payload into warm memory costs, the limit of whatever copies it once: bench-memcpy [--seconds X]
 * prints "memcpy one-way-SIZE MESSAGES-PER-SECOND".
 */
#include "bench-util.h"

static void
measure (const char *name, size_t size, double seconds)
{
  uint8_t *from = malloc (size), *to = malloc (size);
  const long batch = size >= BENCH_LARGE ? 1 : 16;
  double begin, now;
  long n = 0;

  if (from == NULL || to == NULL)
    bench_die ("malloc");
  memset (from, 1, size);
  memset (to, 2, size);
  begin = bench_now ();
  do
    {
      for (long i = 0; i < batch; i++)
        {
          memcpy (to, from, size);
          __asm__ volatile ("" : : "r" (to) : "memory"); /* or the compiler leaves copies out */
        }
      n += batch;
      now = bench_now ();
    }
  while (now - begin < seconds);
  printf ("memcpy one-way-%s %.6g\n", name, (double) n / (now - begin));
  free (from);
  free (to);
}

int
main (int argc, char **argv)
{
  const double seconds = argc == 3 && strcmp (argv[1], "--seconds") == 0 ? atof (argv[2]) : 0.2;
  cpu_set_t allowed;

  if (sched_getaffinity (0, sizeof allowed, &allowed) < 0)
    bench_die ("sched_getaffinity");
  bench_pin (&allowed, 0);
  measure ("64-kib", 64 << 10, seconds);
  measure ("1-mib", 1 << 20, seconds);
  measure ("16-mib", 16 << 20, seconds);
  return 0;
}
