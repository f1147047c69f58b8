/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What is in a message. Received bytes lie in the memory of the message or of a slab, and become a GVariant or a
 * GBytes only when somebody wants one.
 */
#include "coproc-message-private.h"

static void
message_release_slab (gpointer data)
{
  coproc_slab_unref (data);
}

/* Says who keeps the raw bytes of @self alive: (transfer full) @owner, to be given to @notify. */
static void
message_hold_data (CoprocMessage *self, gpointer *owner, GDestroyNotify *notify)
{
  if (self->slab != NULL)
    {
      *owner = coproc_slab_ref (self->slab);
      *notify = message_release_slab;
    }
  else
    {
      g_atomic_int_inc (&self->block->n_holders);
      *owner = self->block;
      *notify = coproc_message_block_release;
    }
}

/* Puts @value (transfer full) into an empty cache. Returns: what the cache has now, which is another
 * thread's if that was faster. */
static gpointer
message_fill_cache (gpointer *cache, gpointer value, GDestroyNotify unref)
{
  if (!g_atomic_pointer_compare_and_exchange (cache, NULL, value))
    unref (value);
  return g_atomic_pointer_get (cache);
}

/* Fills and returns the cache of a payload's bytes; only for an `ay`. */
static GBytes *
message_ensure_bytes (CoprocMessage *self)
{
  GBytes *bytes = g_atomic_pointer_get (&self->bytes);
  gpointer owner;
  GDestroyNotify notify;

  if (bytes != NULL)
    return bytes;

  if (self->data == NULL)
    bytes = g_variant_get_data_as_bytes (self->variant);
  else
    {
      message_hold_data (self, &owner, &notify);
      bytes = g_bytes_new_with_free_func (self->data, self->size, notify, owner);
    }
  return message_fill_cache ((gpointer *) &self->bytes, bytes, (GDestroyNotify) g_bytes_unref);
}

/**
 * coproc_message_get_payload:
 * @self: a message
 *
 * Gets the payload.
 *
 * Returns: (transfer none): the payload
 *
 * Since: 1.0
 */
GVariant *
coproc_message_get_payload (CoprocMessage *self)
{
  GVariant *variant;

  g_return_val_if_fail (self != NULL, NULL);

  variant = g_atomic_pointer_get (&self->variant);
  if (variant != NULL)
    return variant;

  variant = g_variant_ref_sink (g_variant_new_from_bytes (COPROC_RAW_TYPE, message_ensure_bytes (self), TRUE));
  return message_fill_cache ((gpointer *) &self->variant, variant,
                             (GDestroyNotify) g_variant_unref);
}

/* The receive calls that give a payload drop its message at once: nothing is gained by a cache. */
GVariant *
coproc_message_dup_payload (CoprocMessage *self)
{
  GVariant *variant = g_atomic_pointer_get (&self->variant);
  gpointer owner;
  GDestroyNotify notify;

  if (variant != NULL)
    return g_variant_ref (variant);
  if (g_atomic_pointer_get (&self->bytes) != NULL)
    return g_variant_ref (coproc_message_get_payload (self));

  message_hold_data (self, &owner, &notify);
  return g_variant_ref_sink (g_variant_new_from_data (COPROC_RAW_TYPE, self->data, self->size, TRUE, notify, owner));
}

GVariant *
coproc_message_take_payload (CoprocMessage *self)
{
  g_autoptr (CoprocMessage) owned = self;

  return owned != NULL ? coproc_message_dup_payload (owned) : NULL;
}

/**
 * coproc_message_get_bytes:
 * @self: a message
 *
 * Gets the bytes of a payload of type `ay`, without a copy.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL when the payload has another type
 *
 * Since: 1.0
 */
GBytes *
coproc_message_get_bytes (CoprocMessage *self)
{
  GVariant *variant;

  g_return_val_if_fail (self != NULL, NULL);

  variant = g_atomic_pointer_get (&self->variant);
  if (variant != NULL && !g_variant_is_of_type (variant, COPROC_RAW_TYPE))
    return NULL;

  return message_ensure_bytes (self);
}

/**
 * coproc_message_get_data:
 * @self: a message
 * @length: (out): return location for the number of bytes
 *
 * Gets the bytes of a payload of type `ay`, as [method@Coproc.Message.get_bytes] does, without even an
 * object around them.
 *
 * They are valid as long as the message is.
 *
 * Returns: (array length=length) (element-type guint8) (transfer none) (nullable): the bytes, %NULL when
 *   there are none or the payload has another type
 *
 * Since: 1.0
 */
const guint8 *
coproc_message_get_data (CoprocMessage *self, gsize *length)
{
  GVariant *variant;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (length != NULL, NULL);

  *length = 0;
  if (self->size == 0)
    return NULL;
  if (self->data != NULL)
    {
      *length = self->size;
      return self->data;
    }

  variant = g_atomic_pointer_get (&self->variant);
  if (!g_variant_is_of_type (variant, COPROC_RAW_TYPE))
    return NULL;
  *length = self->size;
  return g_variant_get_data (variant);
}
