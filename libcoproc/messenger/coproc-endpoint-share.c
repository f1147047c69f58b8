/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Payloads in memory that the peer shares. To copy a large one, and to wait for a place, takes long: it is done without
 * a lock, before the message has its turn.
 */
#include "messenger/coproc-endpoint-private.h"
#include "wire/coproc-arena-private.h"

GBytes *
coproc_endpoint_alloc (CoprocEndpoint *self, gsize size)
{
  gsize n_ahead;

  if (self->transport == NULL || self->transport->ops->alloc == NULL)
    return NULL;
  g_mutex_lock (&self->write_lock);
  n_ahead = self->transport->n_unsent;
  g_mutex_unlock (&self->write_lock);
  return self->transport->ops->alloc (self->transport, size, n_ahead);
}

static gpointer
copy_payload (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gint64 timeout_us)
{
  if (timeout_us == COPROC_SEND_TIMEOUT)
    {
      g_mutex_lock (&self->write_lock);
      timeout_us = self->send_timeout;
      g_mutex_unlock (&self->write_lock);
    }
  return self->transport->ops->copy (self->transport, outgoing->data, outgoing->size, timeout_us);
}

gboolean
coproc_endpoint_copy_payloads (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gint64 timeout_us)
{
  gboolean copied = FALSE;

  if (self->transport->ops->copy == NULL)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      outgoing[i].copy = NULL;
      if (G_LIKELY (outgoing[i].size < COPROC_ARENA_MIN_PAYLOAD) || outgoing[i].type != COPROC_RAW_TYPE
          || (outgoing[i].copy = copy_payload (self, &outgoing[i], timeout_us)) == NULL)
        continue;
      outgoing[i].data = outgoing[i].copy;
      copied = TRUE;
    }
  return copied;
}

void
coproc_endpoint_release_copies (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (outgoing[i].copy != NULL)
      self->transport->ops->release (self->transport, outgoing[i].copy);
}
