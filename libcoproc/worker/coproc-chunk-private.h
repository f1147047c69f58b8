/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Several payloads, or several results, in one message: for tasks that take less time than a message. Pure functions
 * over bytes that are hostile until checked, but for chunks within one process, which are not copied.
 */
#pragma once

#include "messenger/coproc-message.h"

G_BEGIN_DECLS

/* Requests on this channel to a worker that says "chunks" in its greeting are chunks of inputs, and are answered
 * with chunks of as many results. */
#define COPROC_CHUNK_CHANNEL "coproc-chunk"
#define COPROC_CHUNK_FEATURE "chunks"

/* One of the two is set. */
typedef struct
{
  GVariant *value;         /* (owned) */
  GError *error;           /* (owned) */
} CoprocChunkItem;

void      coproc_chunk_item_clear (CoprocChunkItem *item);
/* Whether @payload may travel in a chunk, as it may alone. FALSE with error set */
gboolean  coproc_chunk_can_hold (GVariant *payload, GError **error);
/* (transfer full): an `ay` that holds the @n items. */
GVariant *coproc_chunk_pack   (const CoprocChunkItem *items, guint n);
/* How many items a chunk says that it has, if it has room for that many. 0: it is none */
guint     coproc_chunk_count  (GVariant *chunk);
/* Fills @items, which must be as many as the chunk has. FALSE with error set: it is malformed, all are empty. */
gboolean  coproc_chunk_unpack (GVariant *chunk, CoprocChunkItem *items, guint n, GError **error);

/* (transfer full): an `ay` that has the @n items themselves, and takes them out of @items. */
GVariant *coproc_chunk_share  (CoprocChunkItem *items, guint n);
/* (transfer none) (nullable) the items of such a chunk that came from this process, to be used by who received it: what
 * is left in their places goes with the chunk. NULL: it is another one */
CoprocChunkItem *coproc_chunk_get_shared (GVariant *chunk, guint *n);

G_END_DECLS
