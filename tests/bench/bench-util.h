/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the benchmark programs share: a clock, pinning, whole reads and writes. Plain C.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BENCH_SMALL 64          /* bytes of a small message */
#define BENCH_LARGE (1 << 20)   /* bytes of a large one */
#define BENCH_WINDOW 64         /* requests in flight */
#define BENCH_READ (64 * 1024)  /* bytes asked for in one read of small messages */
#define BENCH_LINE 64           /* a receiver touches one byte in so many: every cache line */

static inline void __attribute__ ((noreturn))
bench_die (const char *what)
{
  fprintf (stderr, "%s: %s\n", what, strerror (errno));
  exit (1);
}

static inline double
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Returns: the seconds of processor time that this process has taken */
static inline double
bench_cpu_time (void)
{
  struct rusage usage;

  if (getrusage (RUSAGE_SELF, &usage) < 0)
    bench_die ("getrusage");
  return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Pins the calling process to the nth of the cores that it was started with; where there are
 * fewer, to the last one. */
static inline void
bench_pin (const cpu_set_t *allowed, int nth)
{
  cpu_set_t one;
  int last = -1;

  for (int cpu = 0; cpu < CPU_SETSIZE && nth >= 0; cpu++)
    if (CPU_ISSET (cpu, allowed))
      {
        last = cpu;
        nth--;
      }
  CPU_ZERO (&one);
  CPU_SET (last, &one);
  if (sched_setaffinity (0, sizeof one, &one) < 0)
    bench_die ("sched_setaffinity");
}

/* The same for every thread that this process has. */
static inline void
bench_pin_all (const cpu_set_t *allowed, int nth)
{
  DIR *tasks = opendir ("/proc/self/task");
  struct dirent *task;
  cpu_set_t one;

  bench_pin (allowed, nth);
  if (tasks == NULL || sched_getaffinity (0, sizeof one, &one) < 0)
    bench_die ("/proc/self/task");
  while ((task = readdir (tasks)) != NULL)
    if (task->d_name[0] != '.' && sched_setaffinity (atoi (task->d_name), sizeof one, &one) < 0 && errno != ESRCH)
      bench_die ("sched_setaffinity");
  closedir (tasks);
}

static inline void
bench_write (int fd, const void *data, size_t size)
{
  const uint8_t *next = data;

  while (size > 0)
    {
      ssize_t n = write (fd, next, size);

      if (n < 0 && errno != EINTR)
        bench_die ("write");
      if (n > 0)
        {
          next += n;
          size -= (size_t) n;
        }
    }
}

/* Reads at least one byte and at most @size. */
static inline size_t
bench_read_some (int fd, void *data, size_t size)
{
  for (;;)
    {
      ssize_t n = read (fd, data, size);

      if (n > 0)
        return (size_t) n;
      if (n == 0)
        {
          errno = EPIPE;
          bench_die ("read");
        }
      if (errno != EINTR)
        bench_die ("read");
    }
}

static inline void
bench_read (int fd, void *data, size_t size)
{
  uint8_t *next = data;

  while (size > 0)
    {
      size_t n = bench_read_some (fd, next, size);

      next += n;
      size -= n;
    }
}

/* What keeps the compiler from leaving the reading of a payload out. */
static inline void
bench_touch (const void *data, size_t size)
{
  const volatile uint8_t *bytes = data;

  for (size_t i = 0; i < size; i += BENCH_LINE)
    (void) bytes[i];
}

/* A request, as far as the system's quota for pipes allows it. */
static inline void
bench_resize_pipe (int fd, int size)
{
#ifdef F_SETPIPE_SZ
  if (size > 0 && fcntl (fd, F_SETPIPE_SZ, size) < 0)
    perror ("F_SETPIPE_SZ");
#endif
}

static inline void
bench_reap (pid_t pid)
{
  int status;

  while (waitpid (pid, &status, 0) < 0)
    if (errno != EINTR)
      bench_die ("waitpid");
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    {
      fprintf (stderr, "the peer ended with wait status %d\n", status);
      exit (1);
    }
}
