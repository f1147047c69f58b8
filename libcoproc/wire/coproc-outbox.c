/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-outbox-private.h"

#include "wire/coproc-transport-private.h"

#define CHUNK_SIZE (64 * 1024 - 64) /* bytes of a chunk that frames share */

/* Either bytes of its own, or a reference to those of a payload. */
typedef struct
{
  GVariant *variant;   /* (nullable) (owned) */
  guint8 *data;
  gsize capacity;      /* bytes that fit */
  gsize end;           /* bytes filled */
  gsize begin;         /* bytes consumed */
} CoprocChunk;

static void
drop_head (CoprocOutbox *self, GPtrArray **spent)
{
  CoprocChunk *chunk = g_queue_pop_head (&self->chunks);

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
  self->size = 0;
}

void
coproc_outbox_clear (CoprocOutbox *self, GPtrArray **spent)
{
  while (self->chunks.length > 0)
    drop_head (self, spent);
  self->size = 0;
}

guint8 *
coproc_outbox_append (CoprocOutbox *self, gsize size)
{
  CoprocChunk *chunk = g_queue_peek_tail (&self->chunks);
  guint8 *room;

  if (chunk == NULL || chunk->capacity - chunk->end < size)
    {
      chunk = g_new0 (CoprocChunk, 1);
      chunk->capacity = MAX (size, CHUNK_SIZE);
      chunk->data = g_malloc (chunk->capacity);
      g_queue_push_tail (&self->chunks, chunk);
    }
  room = chunk->data + chunk->end;
  chunk->end += size;
  self->size += size;
  return room;
}

void
coproc_outbox_append_variant (CoprocOutbox *self, GVariant *variant, gconstpointer data, gsize size)
{
  CoprocChunk *chunk = g_new0 (CoprocChunk, 1);

  chunk->variant = g_variant_ref (variant);
  chunk->data = (guint8 *) data;
  chunk->end = chunk->capacity = size;
  g_queue_push_tail (&self->chunks, chunk);
  self->size += size;
}

gconstpointer
coproc_outbox_peek (CoprocOutbox *self, gsize *size)
{
  CoprocChunk *chunk = g_queue_peek_head (&self->chunks);

  if (self->size == 0)
    return NULL;
  *size = chunk->end - chunk->begin;
  return chunk->data + chunk->begin;
}

void
coproc_outbox_consume (CoprocOutbox *self, gsize size, GPtrArray **spent)
{
  CoprocChunk *chunk = g_queue_peek_head (&self->chunks);

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
