/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What may be sent: names and payloads, and what is within the limits of both sides.
 */
#include "messenger/coproc-endpoint-private.h"

#include <string.h>

#include "coproc-error.h"

/* Payloads from this size on look at the link first for limits that the peer has lowered. */
#define CAREFUL_SIZE 256

/* Says which of several payloads is meant. */
static void
prefix_index (GError **error, gsize index, gsize n)
{
  if (n > 1)
    g_prefix_error (error, "Payload %" G_GSIZE_FORMAT ": ", index);
}

gboolean
coproc_endpoint_check_name (const char *name, GError **error)
{
  gsize length;

  if (name == NULL)
    return TRUE;
  length = strlen (name);
  if (length > 0 && length <= COPROC_MAX_NAME_LENGTH && g_utf8_validate (name, (gssize) length, NULL))
    return TRUE;

  g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
               "A channel's name must be 1 to %d bytes of valid text", COPROC_MAX_NAME_LENGTH);
  return FALSE;
}

gboolean
coproc_endpoint_check_payload (CoprocOutgoing *outgoing, GError **error)
{
  outgoing->type = COPROC_RAW_TYPE;
  if (outgoing->payload == NULL)
    return TRUE;

  if (!coproc_type_is_raw (g_variant_get_type_string (outgoing->payload))) /* any bytes are an ay */
    {
      if (!coproc_variant_check (outgoing->payload, error))
        return FALSE;
      outgoing->type = g_variant_get_type (outgoing->payload);
    }
  outgoing->data = g_variant_get_data (outgoing->payload);
  outgoing->size = g_variant_get_size (outgoing->payload);
  return TRUE;
}

void
coproc_endpoint_expect_size (CoprocEndpoint *self, gsize size)
{
  if (size >= CAREFUL_SIZE)
    coproc_endpoint_look (self);
}

gboolean
coproc_endpoint_check (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, GError **error)
{
  gsize size = 0;

  if (!coproc_endpoint_check_name (outgoing->channel, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      if (!coproc_endpoint_check_payload (&outgoing[i], error))
        {
          prefix_index (error, i, n);
          return FALSE;
        }
      size = MAX (size, outgoing[i].size);
    }
  coproc_endpoint_expect_size (self, size);
  return TRUE;
}

void
coproc_endpoint_update_sending_locked (CoprocEndpoint *self)
{
  const CoprocLimits *own = &self->limits, *peer = &self->peer_limits;
  guint64 raw = MIN (own->max_message_size, peer->max_message_size);
  guint64 variant = MIN (own->max_variant_size, peer->max_variant_size);

  g_atomic_pointer_set (&self->max_raw, (gsize) MIN (raw, COPROC_MAX_PAYLOAD_SIZE));
  g_atomic_pointer_set (&self->max_variant, (gsize) MIN (variant, COPROC_MAX_PAYLOAD_SIZE));
  g_atomic_int_set (&self->may_send, coproc_endpoint_is_open_locked (self));
}

static gboolean
check_size (CoprocEndpoint *self, const CoprocOutgoing *outgoing, GError **error)
{
  const gboolean raw = outgoing->type == COPROC_RAW_TYPE;
  const gsize limit = raw ? (gsize) g_atomic_pointer_get (&self->max_raw)
                          : (gsize) g_atomic_pointer_get (&self->max_variant);

  if (G_LIKELY (outgoing->size <= limit))
    return TRUE;
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE,
               "The payload has %" G_GSIZE_FORMAT " bytes; at most %" G_GSIZE_FORMAT
               " may be sent as %s",
               outgoing->size, limit, raw ? "bytes" : "a GVariant");
  return FALSE;
}

gboolean
coproc_endpoint_check_sizes (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gsize n, GError **error)
{
  if (G_UNLIKELY (!g_atomic_int_get (&self->may_send)))
    return !coproc_endpoint_is_over (self, error);

  for (gsize i = 0; i < n; i++)
    if (G_UNLIKELY (!check_size (self, &outgoing[i], error)))
      {
        prefix_index (error, i, n);
        return FALSE;
      }
  return TRUE;
}

gboolean
coproc_endpoint_check_requests_locked (CoprocEndpoint *self, gsize n, GError **error)
{
  if (G_UNLIKELY (!coproc_endpoint_is_open_locked (self)))
    {
      g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
      return FALSE;
    }
  if (coproc_pending_get_size (self->pending) + n <= COPROC_MAX_PENDING_REQUESTS)
    return TRUE;
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
               "More than %d requests would be unanswered", COPROC_MAX_PENDING_REQUESTS);
  return FALSE;
}

gboolean
coproc_endpoint_check_limits (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gsize n, GError **error)
{
  gboolean ok = coproc_endpoint_check_sizes (self, outgoing, n, error);

  if (ok && outgoing->kind == COPROC_FRAME_REQUEST)
    {
      g_mutex_lock (&self->lock);
      ok = coproc_endpoint_check_requests_locked (self, n, error);
      g_mutex_unlock (&self->lock);
    }
  return ok;
}
