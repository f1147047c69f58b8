/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What goes from one thread to another at once: frames one behind the other, each followed by the bytes of a small payload
 * that has no GVariant.
 */
#pragma once

#include "wire/coproc-frame-private.h"

G_BEGIN_DECLS

#define COPROC_CRATE_CAPACITY (256 * 1024)    /* bytes from which it counts as full */
#define COPROC_CRATE_REFERENCED (64 << 20)    /* ... of payloads that it only refers to: as many as an arena lends */

/* All zero: empty. */
typedef struct
{
  guint8 *data;              /* (nullable) (owned) */
  gsize capacity;
  gsize begin;               /* of the first frame that is in it */
  gsize end;
  gsize size;                /* bytes that its frames count for */
  gsize n_referenced;        /* ... in payloads that it only refers to */
} CoprocCrate;

/* Bytes that @frame counts for in a crate. */
gsize    coproc_crate_get_weight (const CoprocFrame *frame);

static inline gboolean
coproc_crate_is_empty (const CoprocCrate *self)
{
  return self->begin == self->end;
}

static inline gboolean
coproc_crate_has_room (const CoprocCrate *self)
{
  return self->size < COPROC_CRATE_CAPACITY && self->n_referenced < COPROC_CRATE_REFERENCED;
}

static inline void
coproc_crate_swap (CoprocCrate *one, CoprocCrate *other)
{
  const CoprocCrate crate = *one;

  *one = *other;
  *other = crate;
}

/* Takes the references of @frame: its GVariant, and else its slab or a copy of its bytes. */
void     coproc_crate_add        (CoprocCrate *self, const CoprocFrame *frame);
/* Takes the first frame out, with its references; its data stays here until something is added. */
void     coproc_crate_take       (CoprocCrate *self, CoprocFrame *frame);
/* Empties it, and frees its memory. GVariants go to @spent, see coproc_transport_spend(); with NULL they are dropped. */
void     coproc_crate_clear      (CoprocCrate *self, GPtrArray **spent);

G_END_DECLS
