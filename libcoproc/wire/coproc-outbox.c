/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-outbox-private.h"

#include "wire/coproc-transport-private.h"

#define CHUNK_SIZE (64 * 1024 - 64) /* bytes of a chunk that frames share */

static void
drop_head (CoprocOutbox *self, GPtrArray **spent)
{
  CoprocOutboxChunk *chunk = g_queue_pop_head (&self->chunks);

  if (chunk == self->tail)
    self->tail = NULL;
  if (chunk->variant != NULL)
    coproc_transport_spend (spent, chunk->variant);
  else
    g_free (chunk->data);
  g_free (chunk);
}

void
coproc_outbox_init (CoprocOutbox *self)
{
  g_queue_init (&self->chunks);
  self->tail = NULL;
  self->size = 0;
}

void
coproc_outbox_clear (CoprocOutbox *self, GPtrArray **spent)
{
  while (self->chunks.length > 0)
    drop_head (self, spent);
  self->size = 0;
}

static CoprocOutboxChunk *
add_chunk (CoprocOutbox *self)
{
  self->tail = g_new0 (CoprocOutboxChunk, 1);
  g_queue_push_tail (&self->chunks, self->tail);
  return self->tail;
}

void
coproc_outbox_make_room (CoprocOutbox *self, gsize size)
{
  CoprocOutboxChunk *chunk = add_chunk (self);

  chunk->capacity = MAX (size, CHUNK_SIZE);
  chunk->data = g_malloc (chunk->capacity);
}

void
coproc_outbox_append_variant (CoprocOutbox *self, GVariant *variant, gconstpointer data, gsize size)
{
  CoprocOutboxChunk *chunk = add_chunk (self);

  chunk->variant = g_variant_ref (variant);
  chunk->data = (guint8 *) data;
  chunk->end = chunk->capacity = size;
  self->size += size;
}

void
coproc_outbox_consume (CoprocOutbox *self, gsize size, GPtrArray **spent)
{
  CoprocOutboxChunk *chunk = self->chunks.head->data;

  chunk->begin += size;
  self->size -= size;
  if (chunk->begin < chunk->end)
    return;

  /* A lone chunk of the usual size is kept: its memory is warm for the next frame. */
  if (self->size == 0 && chunk->variant == NULL && chunk->capacity == CHUNK_SIZE)
    chunk->begin = chunk->end = 0;
  else
    drop_head (self, spent);
}
