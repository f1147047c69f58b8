/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Memory that a transport reads into and whose slices become payloads.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define COPROC_SLAB_SIZE (64 * 1024) /* bytes of a slab that small frames share */
/* Payloads up to this size are copied by who keeps them, which is cheaper than a reference and does
 * not keep a whole slab alive; larger ones are slices of their slab. */
#define COPROC_SLAB_COPY_SIZE 1024

/* A block of memory with an atomic reference count, 16-byte aligned; the byte after its size may be
 * read and written, too. Who has the only reference may
 * write; bytes that were handed out in a slice are never written again. */
typedef struct _CoprocSlab CoprocSlab;

struct _CoprocSlab
{
  gatomicrefcount ref_count;
  gsize size;
  guint8 *data;
  void (*release) (CoprocSlab *self); /* (nullable) how it is freed when it is part of something else: memory
                                         that is shared with a peer, which may change it */
};

CoprocSlab *coproc_slab_new       (gsize size); /* NULL when there is no memory */
CoprocSlab *coproc_slab_ref       (CoprocSlab *self);
void        coproc_slab_unref     (CoprocSlab *self);
gboolean    coproc_slab_is_shared (CoprocSlab *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocSlab, coproc_slab_unref)

G_END_DECLS
