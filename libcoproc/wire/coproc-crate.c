/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-crate-private.h"

#include "wire/coproc-transport-private.h"

#define VARIANT_OVERHEAD 128 /* what a GVariant takes beside its payload, with what the allocator adds */

static gboolean
is_inline (const CoprocFrame *frame)
{
  return frame->variant == NULL && frame->slab == NULL;
}

/* Bytes of a crate that @frame takes. */
static gsize
get_space (const CoprocFrame *frame)
{
  return sizeof *frame + (is_inline (frame) ? (frame->size + 7) & ~(gsize) 7 : 0);
}

gsize
coproc_crate_get_weight (const CoprocFrame *frame)
{
  return get_space (frame) + (frame->variant != NULL ? VARIANT_OVERHEAD : frame->slab != NULL ? frame->size : 0);
}

static gsize
get_referenced (const CoprocFrame *frame)
{
  return frame->variant != NULL ? frame->size : 0;
}

static void
make_space (CoprocCrate *self, gsize space)
{
  /* What was taken makes space first. */
  if (self->begin > 0 && self->begin >= self->end - self->begin)
    {
      memmove (self->data, self->data + self->begin, self->end - self->begin);
      self->end -= self->begin;
      self->begin = 0;
    }
  if (self->capacity - self->end < space)
    {
      self->capacity = MAX (2 * self->capacity, self->end + MAX (space, 1024));
      self->data = g_realloc (self->data, self->capacity);
    }
}

void
coproc_crate_add (CoprocCrate *self, const CoprocFrame *frame)
{
  const gsize space = get_space (frame);
  guint8 *place;

  if (self->capacity - self->end < space)
    make_space (self, space);
  place = self->data + self->end;
  memcpy (place, frame, sizeof *frame);
  if (space > sizeof *frame)
    memcpy (place + sizeof *frame, frame->data, frame->size);
  self->end += space;
  self->size += coproc_crate_get_weight (frame);
  self->n_referenced += get_referenced (frame);
}

void
coproc_crate_take (CoprocCrate *self, CoprocFrame *frame)
{
  const guint8 *place = self->data + self->begin;

  memcpy (frame, place, sizeof *frame);
  if (is_inline (frame))
    frame->data = place + sizeof *frame;
  self->begin += get_space (frame);
  self->size -= coproc_crate_get_weight (frame);
  self->n_referenced -= get_referenced (frame);
  if (coproc_crate_is_empty (self))
    self->begin = self->end = 0;
}

void
coproc_crate_clear (CoprocCrate *self, GPtrArray **spent)
{
  CoprocFrame frame;

  while (!coproc_crate_is_empty (self))
    {
      coproc_crate_take (self, &frame);
      if (frame.slab != NULL)
        coproc_slab_unref (frame.slab);
      if (frame.variant != NULL && spent != NULL)
        coproc_transport_spend (spent, frame.variant);
      else if (frame.variant != NULL)
        g_variant_unref (frame.variant);
    }
  g_clear_pointer (&self->data, g_free);
  self->capacity = 0;
}
