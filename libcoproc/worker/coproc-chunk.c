/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A chunk is its number of items (8 bytes) and the items one after the other: 4 bytes for the size of the payload,
 * 2 for that of its type string, 2 of flags, the type string and the payload, each of which begins at a multiple of 8
 * bytes and ends with at least one zero byte.
 *
 * A chunk that stays in its process is an array of references. Only the bytes at their first place are one: they say where
 * that is.
 */
#include "coproc-chunk-private.h"

#include <string.h>

#include "coproc-error-private.h"
#include "wire/coproc-frame-private.h"
#include "wire/coproc-limits-private.h"

#define HEADER_SIZE 8
#define MIN_ITEM_SIZE (HEADER_SIZE + 16)
#define FLAG_ERROR 1u

typedef struct
{
  guint32 size;
  guint16 type_length;
  guint16 flags;
} ItemHeader;

G_STATIC_ASSERT (sizeof (ItemHeader) == HEADER_SIZE);

typedef struct
{
  gconstpointer place;     /* its own */
  gsize n;
  CoprocChunkItem items[];
} SharedChunk;

void
coproc_chunk_item_clear (CoprocChunkItem *item)
{
  g_clear_pointer (&item->value, g_variant_unref);
  g_clear_error (&item->error);
}

gboolean
coproc_chunk_can_hold (GVariant *payload, GError **error)
{
  static const CoprocLimits limits = COPROC_DEFAULT_LIMITS;
  const gboolean raw = g_variant_is_of_type (payload, G_VARIANT_TYPE_BYTESTRING);

  if (!raw && !coproc_variant_check (payload, error))
    return FALSE;
  if (g_variant_get_size (payload) <= (raw ? limits.max_message_size : limits.max_variant_size))
    return TRUE;
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE, "The result has %" G_GSIZE_FORMAT " bytes",
               g_variant_get_size (payload));
  return FALSE;
}

/* @size with the zeros after it. */
static gsize
padded (gsize size)
{
  return (size + 8) & ~(gsize) 7;
}

GVariant *
coproc_chunk_pack (const CoprocChunkItem *items, guint n)
{
  const guint64 count = n;
  gsize size = HEADER_SIZE;
  g_autofree GVariant **payloads = g_new (GVariant *, n);
  guint8 *data, *at;

  for (guint i = 0; i < n; i++)
    {
      payloads[i] = items[i].error != NULL ? coproc_error_to_variant (items[i].error) : g_variant_ref (items[i].value);
      size += HEADER_SIZE + padded (strlen (g_variant_get_type_string (payloads[i])))
              + padded (g_variant_get_size (payloads[i]));
    }
  data = at = g_malloc (size);
  memcpy (at, &count, sizeof count);
  at += HEADER_SIZE;
  for (guint i = 0; i < n; i++)
    {
      const char *type = g_variant_get_type_string (payloads[i]);
      const ItemHeader header = {
        .size = (guint32) g_variant_get_size (payloads[i]),
        .type_length = (guint16) strlen (type),
        .flags = items[i].error != NULL ? FLAG_ERROR : 0,
      };

      memcpy (at, &header, sizeof header);
      at += sizeof header;
      memset (at + padded (header.type_length) - 8, 0, 8);
      memcpy (at, type, header.type_length);
      at += padded (header.type_length);
      memset (at + padded (header.size) - 8, 0, 8);
      if (header.size > 0)
        g_variant_store (payloads[i], at);
      at += padded (header.size);
      g_variant_unref (payloads[i]);
    }
  return g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data));
}

guint
coproc_chunk_count (GVariant *chunk)
{
  const gsize size = g_variant_get_size (chunk);
  guint64 count;

  if (!g_variant_is_of_type (chunk, G_VARIANT_TYPE_BYTESTRING) || size < HEADER_SIZE)
    return 0;
  memcpy (&count, g_variant_get_data (chunk), sizeof count);
  return count <= (size - HEADER_SIZE) / MIN_ITEM_SIZE ? (guint) count : 0;
}

static gboolean
refuse (const char *problem, GError **error)
{
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL, "A chunk is malformed: %s", problem);
  return FALSE;
}

/* Reads the item at *offset. */
static gboolean
unpack_item (GBytes *bytes, gsize *offset, CoprocChunkItem *item, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  const char *type, *problem;
  g_autoptr (GBytes) payload = NULL;
  ItemHeader header;
  guint depth;
  gboolean has_variant;

  if (size - *offset < HEADER_SIZE)
    return refuse ("it is cut", error);
  memcpy (&header, data + *offset, sizeof header);
  *offset += sizeof header;
  if (padded (header.type_length) + padded (header.size) > size - *offset)
    return refuse ("it is cut", error);

  type = (const char *) data + *offset;
  *offset += padded (header.type_length);
  problem = coproc_type_check (type, header.type_length, &depth, &has_variant);
  if (problem != NULL)
    return refuse (problem, error);
  if (type[header.type_length] != '\0' || data[*offset + header.size] != 0)
    return refuse ("a zero is missing", error);

  payload = g_bytes_new_from_bytes (bytes, *offset, header.size);
  *offset += padded (header.size);
  if (strcmp (type, "ay") == 0)
    item->value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, payload, TRUE));
  else
    item->value = coproc_payload_check (G_VARIANT_TYPE (type), depth, has_variant, payload);
  if (item->value == NULL)
    return refuse ("a payload is not in normal form", error);
  if ((header.flags & FLAG_ERROR) == 0)
    return TRUE;

  if (!g_variant_is_of_type (item->value, COPROC_ERROR_VARIANT_TYPE))
    return refuse ("an error is none", error);
  item->error = coproc_error_from_variant (item->value);
  g_clear_pointer (&item->value, g_variant_unref);
  return TRUE;
}

gboolean
coproc_chunk_unpack (GVariant *chunk, CoprocChunkItem *items, guint n, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  gsize offset = HEADER_SIZE;
  gboolean ok = TRUE;

  memset (items, 0, n * sizeof *items);
  if (coproc_chunk_count (chunk) != n)
    return refuse ("another number of items was expected", error);
  bytes = g_variant_get_data_as_bytes (chunk);
  if (((guintptr) g_bytes_get_data (bytes, NULL) & 7) != 0)
    {
      g_autoptr (GBytes) unaligned = g_steal_pointer (&bytes);

      bytes = g_bytes_new (g_bytes_get_data (unaligned, NULL), g_bytes_get_size (unaligned));
    }
  for (guint i = 0; i < n && ok; i++)
    ok = unpack_item (bytes, &offset, &items[i], error);
  if (!ok)
    for (guint i = 0; i < n; i++)
      coproc_chunk_item_clear (&items[i]);
  return ok;
}

/* --- within a process --- */

static void
shared_chunk_free (gpointer data)
{
  SharedChunk *self = data;

  for (gsize i = 0; i < self->n; i++)
    coproc_chunk_item_clear (&self->items[i]);
  g_free (self);
}

GVariant *
coproc_chunk_share (CoprocChunkItem *items, guint n)
{
  const gsize size = sizeof (SharedChunk) + n * sizeof *items;
  SharedChunk *self = g_malloc (size);

  self->place = self;
  self->n = n;
  memcpy (self->items, items, n * sizeof *items);
  memset (items, 0, n * sizeof *items);
  return g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, self, size, TRUE, shared_chunk_free, self));
}

CoprocChunkItem *
coproc_chunk_get_shared (GVariant *chunk, guint *n)
{
  SharedChunk *self;

  if (!g_variant_is_of_type (chunk, G_VARIANT_TYPE_BYTESTRING) || g_variant_get_size (chunk) < sizeof *self)
    return NULL;
  self = (gpointer) g_variant_get_data (chunk);
  if (self->place != self)
    return NULL;
  *n = (guint) self->n;
  return self->items;
}
