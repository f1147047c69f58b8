/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Bytes on their way out: encoded frames back to back, large payloads by reference.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Either bytes of its own, or a reference to those of a payload. */
typedef struct
{
  GVariant *variant;   /* (nullable) (owned) */
  guint8 *data;
  gsize capacity;      /* bytes that fit */
  gsize end;           /* bytes filled */
  gsize begin;         /* bytes consumed */
} CoprocOutboxChunk;

/* A queue of bytes; its owner's lock guards it. */
typedef struct
{
  GQueue chunks;           /* of CoprocOutboxChunk; the head is being written */
  CoprocOutboxChunk *tail; /* (nullable) the last of them, which is being filled */
  gsize size;              /* bytes in all of them */
} CoprocOutbox;

void          coproc_outbox_init           (CoprocOutbox *self);
/* @spent: where a payload goes that is no longer needed */
void          coproc_outbox_clear          (CoprocOutbox *self, GPtrArray **spent);
/* Lets append() have @size bytes. */
void          coproc_outbox_make_room      (CoprocOutbox *self, gsize size);
/* @data belongs to @variant, which is referenced until the bytes are written. */
void          coproc_outbox_append_variant (CoprocOutbox *self, GVariant *variant, gconstpointer data, gsize size);
void          coproc_outbox_consume        (CoprocOutbox *self, gsize size, GPtrArray **spent);

/* Room for @size more bytes, which count as queued; the caller fills them at once. */
static inline guint8 *
coproc_outbox_append (CoprocOutbox *self, gsize size)
{
  guint8 *room;

  if (G_UNLIKELY (self->tail == NULL || self->tail->capacity - self->tail->end < size))
    coproc_outbox_make_room (self, size);
  room = self->tail->data + self->tail->end;
  self->tail->end += size;
  self->size += size;
  return room;
}

/* The next bytes to write, back to back; only when there are any. */
static inline gconstpointer
coproc_outbox_peek (const CoprocOutbox *self, gsize *size)
{
  const CoprocOutboxChunk *chunk = self->chunks.head->data;

  *size = chunk->end - chunk->begin;
  return chunk->data + chunk->begin;
}

G_END_DECLS
