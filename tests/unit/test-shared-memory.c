/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Memory between a host and its worker: what is made, and what is refused.
 */
#include "wire/coproc-shared-memory-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire/coproc-unix-private.h"

/* What one writes the other reads; the descriptor is not needed any more. */
static void
test_shared (void)
{
  g_autoptr (CoprocSharedMemory) mine = NULL;
  g_autoptr (CoprocSharedMemory) other = NULL;
  g_autoptr (GError) error = NULL;
  int fd = -1;

  mine = coproc_shared_memory_new (COPROC_STATUS_PAGE_SIZE + 1, &fd, &error);
  if (mine == NULL)
    {
      g_test_skip (error->message);
      return;
    }
  g_assert_cmpuint (mine->size, >=, COPROC_STATUS_PAGE_SIZE + 1);
  g_assert_cmpuint (mine->size % (gsize) sysconf (_SC_PAGESIZE), ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  for (gsize i = 0; i < mine->size; i++)
    g_assert_cmpuint (mine->data[i], ==, 0);

  other = coproc_shared_memory_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
  g_assert_cmpuint (other->size, ==, mine->size);
  g_assert_true (other->data != mine->data);
  mine->data[mine->size - 1] = 42;
  g_assert_cmpuint (other->data[other->size - 1], ==, 42);
}

/* Nobody who has it can change its size, which would make an access here fault. */
static void
test_sealed (void)
{
  g_autoptr (CoprocSharedMemory) memory = NULL;
  int fd = -1;

  memory = coproc_shared_memory_new (COPROC_STATUS_PAGE_SIZE, &fd, NULL);
  if (memory == NULL)
    {
      g_test_skip ("no memfd here");
      return;
    }
  g_assert_cmpint (ftruncate (fd, 0), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
  g_assert_cmpint (ftruncate (fd, (off_t) memory->size * 2), ==, -1);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE), ==, -1);
  coproc_clear_fd (&fd);
}

static int
make_memfd (gsize size, int seals)
{
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
assert_refused (int fd)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_shared_memory_open (fd, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (error->domain, ==, G_IO_ERROR);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

static void
test_refused (void)
{
  int fds[2];

  assert_refused (make_memfd (8192, 0));
  assert_refused (make_memfd (8192, F_SEAL_GROW));
  assert_refused (make_memfd (8192, F_SEAL_SHRINK));
  assert_refused (make_memfd (0, F_SEAL_SHRINK | F_SEAL_GROW));
  assert_refused (make_memfd (COPROC_STATUS_PAGE_SIZE - 1, F_SEAL_SHRINK | F_SEAL_GROW));
  assert_refused (make_memfd (8192, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
  assert_refused (open ("/dev/null", O_RDWR | O_CLOEXEC));
  assert_refused (open ("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  g_assert_true (coproc_unix_pipe (fds, NULL));
  assert_refused (fds[0]);
  assert_refused (fds[1]);
}

/* What is as large as it may be is no reason to be killed. */
static void
test_file_limit (void)
{
  struct rlimit old, tight = { 0 };
  g_autoptr (GError) error = NULL;
  int fd = -1;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  tight.rlim_max = old.rlim_max;
  tight.rlim_cur = 4096;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &tight), ==, 0);
  g_assert_null (coproc_shared_memory_new (1 << 20, &fd, &error));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);
  g_assert_nonnull (error);
  g_assert_cmpint (fd, ==, -1);
}

static void
test_local (void)
{
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);
  g_autoptr (CoprocSharedMemory) again = coproc_shared_memory_ref (memory);

  g_assert_false (again->is_shared);
  memset (again->data, 1, again->size);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/shared-memory/shared", test_shared);
  g_test_add_func ("/coproc/shared-memory/sealed", test_sealed);
  g_test_add_func ("/coproc/shared-memory/refused", test_refused);
  g_test_add_func ("/coproc/shared-memory/file-limit", test_file_limit);
  g_test_add_func ("/coproc/shared-memory/local", test_local);
  return g_test_run ();
}
