/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The memory that a host and its worker share: one block a worker, made by the host and handed over
 * by number. It begins with the status page; what follows is the transport's.
 *
 * The peer may write to it at any time: what is read here is copied out before it is checked.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Where a block has what. */
#define COPROC_STATUS_PAGE_SIZE 4096u

/* A block whose size never changes, for whoever has it mapped. Atomically reference-counted. */
typedef struct
{
  gatomicrefcount ref_count;
  guint8 *data;        /* immutable; at the start of a page */
  gsize size;          /* immutable; whole pages */
  gboolean is_shared;  /* immutable; FALSE: ordinary memory of this process */
} CoprocSharedMemory;

/* A new block of at least @size bytes, all 0. *fd is its descriptor, close-on-exec, the caller's to hand
 * over and close. NULL with a G_IO_ERROR where the system has no such memory. */
CoprocSharedMemory *coproc_shared_memory_new     (gsize size, int *fd, GError **error);
/* The block of another process, or as much of it as there is address space for: takes @fd, also when it fails. Whatever it is, its size must be sealed, so that
 * no access can fault. */
CoprocSharedMemory *coproc_shared_memory_open    (int fd, GError **error);
/* For two ends in one process. Never fails. */
CoprocSharedMemory *coproc_shared_memory_new_local (gsize size);
CoprocSharedMemory *coproc_shared_memory_ref     (CoprocSharedMemory *self);
void                coproc_shared_memory_unref   (CoprocSharedMemory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocSharedMemory, coproc_shared_memory_unref)

/* Tells the processor that nothing but a change of memory is waited for. */
static inline void
coproc_shared_memory_relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile ("yield");
#endif
}

G_END_DECLS
