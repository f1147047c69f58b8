/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * To be preloaded: makes the system calls on pipes as unhelpful as they may be. COPROC_FAULT is
 * "SEED,PERCENT": so often a read or write is short, is interrupted, or, where the descriptor is
 * non-blocking, would block; and a poll is interrupted. COPROC_TEST_PIPE is the size in bytes that
 * pipes have, whatever a program asks for. With COPROC_TEST_PIDFD=0 the system has no pidfds, and with
 * COPROC_TEST_MEMFD=ENOSYS (or EMFILE) it makes no memfds. With COPROC_TEST_CLOCK=1 the date is a day ahead, and a day
 * behind, in turn.
 *
 * What a pipe promises is kept, because programs that are about to die, and those that read what
 * they have left, rely on it: an empty pipe takes up to PIPE_BUF bytes at once, and the read of one
 * that nobody can write to any more does not block.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_IOV 1024 /* what the system takes */
#define DAY (24 * 60 * 60)

ssize_t shim_read (int fd, void *data, size_t size) __asm__ ("read");
ssize_t shim_write (int fd, const void *data, size_t size) __asm__ ("write");
ssize_t shim_readv (int fd, const struct iovec *parts, int n) __asm__ ("readv");
ssize_t shim_writev (int fd, const struct iovec *parts, int n) __asm__ ("writev");
int shim_poll (struct pollfd *fds, nfds_t n, int timeout) __asm__ ("poll");
int shim_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                const sigset_t *mask) __asm__ ("ppoll");
int shim_epoll_wait (int fd, struct epoll_event *events, int n, int timeout) __asm__ ("epoll_wait");
int shim_pipe2 (int fds[2], int flags) __asm__ ("pipe2");
int shim_memfd_create (const char *name, unsigned flags) __asm__ ("memfd_create");
int shim_clock_gettime (clockid_t clock, struct timespec *now) __asm__ ("clock_gettime");
int shim_gettimeofday (struct timeval *now, void *zone) __asm__ ("gettimeofday");
int shim_fcntl (int fd, int command, ...) __asm__ ("fcntl");
int shim_fcntl64 (int fd, int command, ...) __asm__ ("fcntl64");
long shim_syscall (long number, ...) __asm__ ("syscall");

typedef enum
{
  FAULT_NONE,
  FAULT_SHORT,
  FAULT_INTERRUPTED,
  FAULT_WOULD_BLOCK,
} Fault;

static atomic_uint_fast64_t state;
static unsigned percent;
static int pipe_size; /* 0: as it comes */
static int no_pidfds;
static int memfd_errno; /* 0: there are memfds */
static int date_jumps;
static atomic_uint n_dates;

static ssize_t (*real_readv) (int, const struct iovec *, int);
static ssize_t (*real_writev) (int, const struct iovec *, int);
static ssize_t (*real_read) (int, void *, size_t);
static ssize_t (*real_write) (int, const void *, size_t);
static int (*real_poll) (struct pollfd *, nfds_t, int);
static int (*real_ppoll) (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
static int (*real_epoll_wait) (int, struct epoll_event *, int, int);
static int (*real_pipe2) (int[2], int);
static int (*real_memfd_create) (const char *, unsigned);
static int (*real_clock_gettime) (clockid_t, struct timespec *);
static int (*real_fcntl) (int, int, ...);
static long (*real_syscall) (long, ...);

static void __attribute__ ((constructor))
shim_init (void)
{
  const char *setting = getenv ("COPROC_FAULT");
  const char *size = getenv ("COPROC_TEST_PIPE");
  const char *pidfd = getenv ("COPROC_TEST_PIDFD");
  const char *memfd = getenv ("COPROC_TEST_MEMFD");
  const char *clock = getenv ("COPROC_TEST_CLOCK");
  char *end = NULL;

  *(void **) &real_readv = dlsym (RTLD_NEXT, "readv");
  *(void **) &real_writev = dlsym (RTLD_NEXT, "writev");
  *(void **) &real_read = dlsym (RTLD_NEXT, "read");
  *(void **) &real_write = dlsym (RTLD_NEXT, "write");
  *(void **) &real_poll = dlsym (RTLD_NEXT, "poll");
  *(void **) &real_ppoll = dlsym (RTLD_NEXT, "ppoll");
  *(void **) &real_epoll_wait = dlsym (RTLD_NEXT, "epoll_wait");
  *(void **) &real_pipe2 = dlsym (RTLD_NEXT, "pipe2");
  *(void **) &real_memfd_create = dlsym (RTLD_NEXT, "memfd_create");
  *(void **) &real_fcntl = dlsym (RTLD_NEXT, "fcntl");
  if (size != NULL)
    pipe_size = atoi (size);
  no_pidfds = pidfd != NULL && strcmp (pidfd, "0") == 0;
  if (memfd != NULL)
    memfd_errno = strcmp (memfd, "EMFILE") == 0 ? EMFILE : ENOSYS;
  date_jumps = clock != NULL && strcmp (clock, "1") == 0;
  if (setting == NULL)
    return;
  atomic_store (&state, strtoull (setting, &end, 0) * 0x9e3779b97f4a7c15u + 1);
  if (end != NULL && *end == ',')
    percent = (unsigned) strtoul (end + 1, NULL, 0);
}

/* A number without pattern; one sequence for all threads. */
static uint64_t
draw (void)
{
  uint64_t value = atomic_fetch_add (&state, 0x9e3779b97f4a7c15u);

  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

static int
is_promised (int fd, Fault fault, size_t n_written)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  int n_queued = 1;

  if (n_written > 0)
    return fault != FAULT_INTERRUPTED && n_written <= PIPE_BUF
           && ioctl (fd, FIONREAD, &n_queued) == 0 && n_queued == 0;
  return fault == FAULT_WOULD_BLOCK && real_poll (&poll_fd, 1, 0) == 1
         && (poll_fd.revents & POLLHUP) != 0;
}

/* For a write of @n_written bytes; 0: a read. */
static Fault
choose (int fd, size_t n_written)
{
  struct stat info;
  int saved = errno;
  int flags;
  Fault fault = FAULT_NONE;

  if (percent > 0 && draw () % 100 < percent && fstat (fd, &info) == 0 && S_ISFIFO (info.st_mode))
    {
      flags = real_fcntl (fd, F_GETFL);
      fault = (Fault) (FAULT_SHORT + draw () % ((flags & O_NONBLOCK) != 0 ? 3 : 2));
      if (is_promised (fd, fault, n_written))
        fault = FAULT_NONE;
    }
  errno = saved;
  return fault;
}

/* What a faulty call returns, 0: it goes on, perhaps shortened. */
static ssize_t
fail_with (Fault fault)
{
  if (fault == FAULT_INTERRUPTED || fault == FAULT_WOULD_BLOCK)
    {
      errno = fault == FAULT_INTERRUPTED ? EINTR : EAGAIN;
      return -1;
    }
  return 0;
}

static size_t
shorten (Fault fault, size_t size)
{
  return fault == FAULT_SHORT && size > 1 ? 1 + draw () % (size - 1) : size;
}

ssize_t
shim_read (int fd, void *data, size_t size)
{
  Fault fault = choose (fd, 0);

  return fail_with (fault) < 0 ? -1 : real_read (fd, data, shorten (fault, size));
}

ssize_t
shim_write (int fd, const void *data, size_t size)
{
  Fault fault = choose (fd, size);

  return fail_with (fault) < 0 ? -1 : real_write (fd, data, shorten (fault, size));
}

static size_t
get_total (const struct iovec *parts, int n)
{
  size_t total = 0;

  for (int i = 0; i < n; i++)
    total += parts[i].iov_len;
  return total;
}

/* Copies @n parts to @out, cut in the middle of one. Returns: how many are left */
static int
shorten_parts (struct iovec *out, const struct iovec *parts, int n)
{
  size_t left = shorten (FAULT_SHORT, get_total (parts, n));
  int count = 0;

  while (count < n && left > 0)
    {
      out[count] = parts[count];
      if (out[count].iov_len > left)
        out[count].iov_len = left;
      left -= out[count].iov_len;
      count++;
    }
  return count;
}

ssize_t
shim_readv (int fd, const struct iovec *parts, int n)
{
  struct iovec some[MAX_IOV];
  Fault fault = choose (fd, 0);

  if (fail_with (fault) < 0)
    return -1;
  if (fault == FAULT_SHORT && n > 0 && n <= MAX_IOV)
    return real_readv (fd, some, shorten_parts (some, parts, n));
  return real_readv (fd, parts, n);
}

ssize_t
shim_writev (int fd, const struct iovec *parts, int n)
{
  struct iovec some[MAX_IOV];
  Fault fault = choose (fd, get_total (parts, n));

  if (fail_with (fault) < 0)
    return -1;
  if (fault == FAULT_SHORT && n > 0 && n <= MAX_IOV)
    return real_writev (fd, some, shorten_parts (some, parts, n));
  return real_writev (fd, parts, n);
}

/* Only calls that wait are interrupted. */
static int
interrupts (int timeout)
{
  if (percent == 0 || timeout == 0 || draw () % 100 >= percent)
    return 0;
  errno = EINTR;
  return 1;
}

int
shim_poll (struct pollfd *fds, nfds_t n, int timeout)
{
  return interrupts (timeout) ? -1 : real_poll (fds, n, timeout);
}

int
shim_ppoll (struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
  int waits = timeout == NULL || timeout->tv_sec != 0 || timeout->tv_nsec != 0;

  return interrupts (waits) ? -1 : real_ppoll (fds, n, timeout, mask);
}

int
shim_epoll_wait (int fd, struct epoll_event *events, int n, int timeout)
{
  return interrupts (timeout) ? -1 : real_epoll_wait (fd, events, n, timeout);
}

int
shim_pipe2 (int fds[2], int flags)
{
  int result = real_pipe2 (fds, flags);

  if (result == 0 && pipe_size > 0)
    real_fcntl (fds[1], F_SETPIPE_SZ, pipe_size);
  return result;
}

int
shim_memfd_create (const char *name, unsigned flags)
{
  if (memfd_errno == 0)
    return real_memfd_create (name, flags);
  errno = memfd_errno;
  return -1;
}

/* It may be called before anything else here has been set up. */
int
shim_clock_gettime (clockid_t clock, struct timespec *now)
{
  int result;

  if (real_clock_gettime == NULL)
    *(void **) &real_clock_gettime = dlsym (RTLD_NEXT, "clock_gettime");
  result = real_clock_gettime (clock, now);
  if (result == 0 && date_jumps && clock == CLOCK_REALTIME)
    now->tv_sec += atomic_fetch_add (&n_dates, 1) % 2 == 0 ? DAY : -DAY;
  return result;
}

int
shim_gettimeofday (struct timeval *now, void *zone)
{
  struct timespec time;
  int result = shim_clock_gettime (CLOCK_REALTIME, &time);

  now->tv_sec = time.tv_sec;
  now->tv_usec = time.tv_nsec / 1000;
  return result;
}

/* Every command takes a pointer, an int, or nothing: all pass as a pointer here. */
int
shim_fcntl (int fd, int command, ...)
{
  va_list args;
  void *argument;

  va_start (args, command);
  argument = va_arg (args, void *);
  va_end (args);
  if (command == F_SETPIPE_SZ && pipe_size > 0)
    {
      errno = EPERM;
      return -1;
    }
  return real_fcntl (fd, command, argument);
}

int
shim_fcntl64 (int fd, int command, ...)
{
  va_list args;
  void *argument;

  va_start (args, command);
  argument = va_arg (args, void *);
  va_end (args);
  return shim_fcntl (fd, command, argument);
}

/* No call takes more than six arguments, each a register. GLib calls this before anything else here
 * has been set up: its locks are futexes. */
long
shim_syscall (long number, ...)
{
  va_list args;
  long arguments[6];

  va_start (args, number);
  for (int i = 0; i < 6; i++)
    arguments[i] = va_arg (args, long);
  va_end (args);
  if (no_pidfds && number == SYS_pidfd_open)
    {
      errno = ENOSYS;
      return -1;
    }
  if (real_syscall == NULL)
    *(void **) &real_syscall = dlsym (RTLD_NEXT, "syscall");
  return real_syscall (number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                       arguments[5]);
}
