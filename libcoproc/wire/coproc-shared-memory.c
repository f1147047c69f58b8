/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Memory by memfd. Its size is sealed at once: a peer that could cut it would make every access here a
 * SIGBUS.
 */
#include "coproc-config.h"

#include "wire/coproc-shared-memory-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/coproc-shared-layout-private.h"
#include "wire/coproc-unix-private.h"

/* No block is larger: what a peer claims is not mapped unseen. */
#define MAX_SIZE (G_GUINT64_CONSTANT (4) << 30)

static gboolean
set_error_from_errno (GError **error, const char *what, int errsv)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errsv), "%s: %s", what, g_strerror (errsv));
  return FALSE;
}

static gsize
round_to_pages (gsize size)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);

  return (size + page - 1) / page * page;
}

#if HAVE_MEMFD_CREATE

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* A process that grows a file beyond this limit is sent a SIGXFSZ, which ends it. */
static gboolean
is_within_file_limit (gsize size)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY
         || size <= limit.rlim_cur;
}

static CoprocSharedMemory *
map (int fd, gsize size, GError **error)
{
  g_autoptr (CoprocSharedMemory) self = g_new0 (CoprocSharedMemory, 1);
  void *data = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int errsv = errno;

  g_atomic_ref_count_init (&self->ref_count);
  self->is_shared = TRUE;
  if (data == MAP_FAILED)
    {
      set_error_from_errno (error, "Cannot map shared memory", errsv);
      return NULL;
    }
  self->data = data;
  self->size = size;
  return g_steal_pointer (&self);
}

static int
open_memfd (gsize size, GError **error)
{
  int fd = memfd_create ("coproc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  int errsv = 0;

  if (fd < 0)
    errsv = errno;
  else if (!is_within_file_limit (size))
    errsv = EFBIG;
  else if (ftruncate (fd, (off_t) size) != 0 || fcntl (fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_SEAL) != 0)
    errsv = errno;
  if (errsv == 0)
    return fd;

  coproc_clear_fd (&fd);
  set_error_from_errno (error, "Cannot make shared memory", errsv);
  return -1;
}

CoprocSharedMemory *
coproc_shared_memory_new (gsize size, int *fd, GError **error)
{
  const gsize rounded = round_to_pages (size);
  CoprocSharedMemory *self;

  *fd = open_memfd (rounded, error);
  if (*fd < 0)
    return NULL;
  self = map (*fd, rounded, error);
  if (self == NULL)
    coproc_clear_fd (fd);
  return self;
}

static gboolean
is_address_space_limited (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/* What is not a memfd has no seals: fcntl() fails. */
static gboolean
check_memfd (int fd, gsize *size, GError **error)
{
  const int seals = fcntl (fd, F_GET_SEALS);
  struct stat info;

  if (seals < 0 || fstat (fd, &info) != 0)
    return set_error_from_errno (error, "Not shared memory", errno);
  if ((seals & SIZE_SEALS) != SIZE_SEALS || !S_ISREG (info.st_mode))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           "Shared memory whose size may change is refused");
      return FALSE;
    }
  if (info.st_size < (off_t) COPROC_STATUS_PAGE_SIZE || (guint64) info.st_size > MAX_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "Shared memory of %" G_GINT64_FORMAT " bytes is refused", (gint64) info.st_size);
      return FALSE;
    }
  *size = (gsize) info.st_size;
  return TRUE;
}

CoprocSharedMemory *
coproc_shared_memory_open (int fd, GError **error)
{
  CoprocSharedMemory *self = NULL;
  gsize size;

  if (check_memfd (fd, &size, error))
    {
      /* Where address space is short the first part does: it is needed for other things. */
      if (size <= COPROC_SHARED_RINGS_END || !is_address_space_limited ())
        self = map (fd, size, size > COPROC_SHARED_RINGS_END ? NULL : error);
      if (self == NULL && size > COPROC_SHARED_RINGS_END)
        self = map (fd, COPROC_SHARED_RINGS_END, error);
    }
  coproc_clear_fd (&fd);
  return self;
}

#else

CoprocSharedMemory *
coproc_shared_memory_new (gsize size, int *fd, GError **error)
{
  *fd = -1;
  set_error_from_errno (error, "Cannot make shared memory", ENOSYS);
  return NULL;
}

CoprocSharedMemory *
coproc_shared_memory_open (int fd, GError **error)
{
  coproc_clear_fd (&fd);
  set_error_from_errno (error, "Not shared memory", ENOSYS);
  return NULL;
}

#endif

CoprocSharedMemory *
coproc_shared_memory_new_local (gsize size)
{
  CoprocSharedMemory *self = g_new0 (CoprocSharedMemory, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->size = size;
  self->data = g_malloc0 (self->size);
  return self;
}

CoprocSharedMemory *
coproc_shared_memory_ref (CoprocSharedMemory *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_shared_memory_unref (CoprocSharedMemory *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  if (!self->is_shared)
    g_free (self->data);
  else if (self->data != NULL)
    munmap (self->data, self->size);
  g_free (self);
}
