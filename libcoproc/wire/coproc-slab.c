/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Memory that a transport reads into and whose slices become payloads.
 */
#include "wire/coproc-slab-private.h"

#include <stdlib.h>

#define SLAB_ALIGNMENT 16
/* The bytes follow the structure in the same block, so that a slab is one allocation. */
#define SLAB_OFFSET ((sizeof (CoprocSlab) + SLAB_ALIGNMENT - 1) & ~(gsize) (SLAB_ALIGNMENT - 1))

/* A peer has a say in @size: this never aborts, and does not touch the bytes. */
CoprocSlab *
coproc_slab_new (gsize size)
{
  CoprocSlab *self;
  gpointer block = NULL;
  gsize total;

  if (!g_size_checked_add (&total, size, SLAB_OFFSET + 1)
      || posix_memalign (&block, SLAB_ALIGNMENT, total) != 0)
    return NULL;

  self = block;
  g_atomic_ref_count_init (&self->ref_count);
  self->size = size;
  self->release = NULL;
  self->data = (guint8 *) block + SLAB_OFFSET;
  return self;
}

CoprocSlab *
coproc_slab_ref (CoprocSlab *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_slab_unref (CoprocSlab *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->release != NULL)
    self->release (self);
  else
    free (self);
}

/* Who holds a reference and gets FALSE holds the only one: nobody else can take another. */
gboolean
coproc_slab_is_shared (CoprocSlab *self)
{
  return !g_atomic_ref_count_compare (&self->ref_count, 1);
}
