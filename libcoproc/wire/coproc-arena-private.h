/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Shared blocks for large payloads: one side, the owner of a direction's arena, takes blocks and lends
 * them to the other, which says when it has done with them.
 * The layout is documented in introspection/pages/wire-format.md.
 *
 * All that the owner allocates by is in its own memory. What the peer writes to the shared part can
 * make it lose sight of a block that it has lent, or have its contents written over: nothing else.
 */
#pragma once

#include "wire/coproc-frame-private.h"
#include "wire/coproc-shared-memory-private.h"

G_BEGIN_DECLS

#define COPROC_ARENA_MIN_PAYLOAD (64 * 1024) /* bytes from which a payload is worth a block */
#define COPROC_ARENA_UNIT (64 * 1024)        /* bytes of the smallest block */
#define COPROC_ARENA_ORDERS 15               /* sizes of blocks: a unit, twice as much, … all */
#define COPROC_ARENA_UNITS (1u << (COPROC_ARENA_ORDERS - 1))
#define COPROC_ARENA_SIZE ((gsize) COPROC_ARENA_UNITS * COPROC_ARENA_UNIT) /* bytes of address space */
#define COPROC_ARENA_CONTROL_SIZE (4096 + COPROC_ARENA_UNITS * sizeof (guint32))

typedef struct _CoprocArena CoprocArena;

/* One side's view of a direction's arena: @control and @blocks, all zero at first, are in @memory, which it
 * references. Atomically reference-counted; any thread. */
CoprocArena *coproc_arena_new       (CoprocSharedMemory *memory, gpointer control, guint8 *blocks);
CoprocArena *coproc_arena_ref       (CoprocArena *self);
void         coproc_arena_unref     (CoprocArena *self);

/* --- the owner --- */

/* Where no block is left each of the two waits at most @patience µs for a return, unless there was none since that was in
 * vain. */

/* Memory to be filled and then lent. NULL: none is left. */
GBytes      *coproc_arena_alloc     (CoprocArena *self, gsize size, gint64 patience);
/* Such memory with a copy of @data in it, to be lent and then released; with @patience waits for a moment if that may spare
 * the copy cold memory. NULL also when @data lies in a block. */
gpointer     coproc_arena_copy      (CoprocArena *self, gconstpointer data, gsize size, gint64 patience);
void         coproc_arena_release   (CoprocArena *self, gpointer copy);
/* Lends @data, which is copied into a block unless it lies in one. FALSE: there is no block left. */
gboolean     coproc_arena_lend      (CoprocArena *self, gconstpointer data, gsize size, CoprocLoan *loan);

/* --- the other side --- */

/* What @loan names, to be given back with the last reference. NULL: it is not within the arena. */
CoprocSlab  *coproc_arena_borrow    (CoprocArena *self, const CoprocLoan *loan);

/* For tests: bytes of the blocks that are in use, as the owner knows. */
gsize        coproc_arena_get_used  (CoprocArena *self);

G_END_DECLS
