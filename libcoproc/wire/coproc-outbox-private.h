/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Bytes on their way out: encoded frames back to back, large payloads by reference.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A queue of bytes; its owner's lock guards it. */
typedef struct
{
  GQueue chunks;  /* of CoprocChunk; the head is being written, the tail is being filled */
  gsize size;     /* bytes in all of them */
} CoprocOutbox;

void          coproc_outbox_init           (CoprocOutbox *self);
/* @spent: where a payload goes that is no longer needed */
void          coproc_outbox_clear          (CoprocOutbox *self, GPtrArray **spent);
/* Room for @size more bytes, which count as queued; the caller fills them at once. */
guint8       *coproc_outbox_append         (CoprocOutbox *self, gsize size);
/* @data belongs to @variant, which is referenced until the bytes are written. */
void          coproc_outbox_append_variant (CoprocOutbox *self, GVariant *variant, gconstpointer data, gsize size);
/* The next bytes to write, back to back: NULL when there are none. */
gconstpointer coproc_outbox_peek           (CoprocOutbox *self, gsize *size);
void          coproc_outbox_consume        (CoprocOutbox *self, gsize size, GPtrArray **spent);

G_END_DECLS
