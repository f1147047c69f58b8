/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A task as GNU parallel runs it, a process each: pool-parallel-task MICROSECONDS is busy for that long.
 */
#include "bench-util.h"

int
main (int argc, char **argv)
{
  const double end = bench_now () + (argc > 1 ? atof (argv[1]) : 0) / 1e6;

  while (bench_now () < end)
    ;
  return 0;
}
