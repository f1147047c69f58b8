/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Receiving without waiting.
 */
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

/**
 * coproc_messenger_available:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Takes in what has arrived and counts what is queued on a channel.
 *
 * Errors: the errors and close requests that the peer has sent; %COPROC_ERROR_CLOSED,
 * %COPROC_ERROR_WORKER_DIED or the cause of the end once the channel is empty; %COPROC_ERROR_FAILED on
 * a channel that is listened to; %COPROC_ERROR_INVALID_PAYLOAD for a name that is no channel.
 *
 * Returns: the number of messages, or -1 with @error set
 *
 * Since: 1.0
 */
gssize
coproc_messenger_available (CoprocMessenger *self, const char *channel, GError **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), -1);
  g_return_val_if_fail (error == NULL || *error == NULL, -1);

  return coproc_endpoint_available (coproc_messenger_get_endpoint (self), channel, error);
}

/**
 * coproc_messenger_receive_available:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @n_payloads: (out): return location for their number
 * @error: return location for an error
 *
 * Takes everything that is queued on a channel, without waiting.
 *
 * It stops before the error reply to a request, which the next receive raises.
 *
 * Errors: as [method@Coproc.Messenger.available].
 *
 * Returns: (array length=n_payloads) (transfer full): the payloads, and a %NULL behind them; %NULL
 *   with @error set
 *
 * Since: 1.0
 */
GVariant **
coproc_messenger_receive_available (CoprocMessenger  *self,
                                    const char       *channel,
                                    gsize            *n_payloads,
                                    GError          **error)
{
  g_autoptr (GPtrArray) messages = NULL;
  GVariant **payloads;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (n_payloads != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  *n_payloads = 0;
  messages = coproc_endpoint_receive_available (coproc_messenger_get_endpoint (self), channel, error);
  if (messages == NULL)
    return NULL;

  payloads = g_new (GVariant *, messages->len + 1);
  for (guint i = 0; i < messages->len; i++)
    payloads[i] = coproc_message_dup_payload (g_ptr_array_index (messages, i));
  payloads[messages->len] = NULL;
  *n_payloads = messages->len;
  return payloads;
}

/**
 * coproc_messenger_try_receive:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Takes the next message of a channel if there is one; it never waits.
 *
 * Errors: as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full) (nullable): the payload; %NULL without @error when nothing is there
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_try_receive (CoprocMessenger *self, const char *channel, GError **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_message_take_payload (
      coproc_endpoint_try_receive (coproc_messenger_get_endpoint (self), channel, error));
}

/**
 * coproc_messenger_try_receive_message:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Takes the next message of a channel if there is one, as [method@Coproc.Messenger.try_receive] takes its
 * payload; it never waits.
 *
 * Errors: as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full) (nullable): the message; %NULL without @error when nothing is there
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_messenger_try_receive_message (CoprocMessenger *self, const char *channel, GError **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_endpoint_try_receive (coproc_messenger_get_endpoint (self), channel, error);
}

/**
 * coproc_messenger_get_fd:
 * @self: a messenger
 *
 * Gets a descriptor to poll for input in a loop that is no [struct@GLib.MainLoop].
 *
 * Once [method@Coproc.Messenger.try_receive] has returned %NULL for a channel, or a receive call has
 * timed out, the descriptor is readable when it may be worth trying again. There is one per messenger:
 * when it is readable, try every channel that you wait for. It belongs to the messenger; do not read
 * from it.
 *
 * Returns: the descriptor, or -1 when there is none left in this process
 *
 * Since: 1.0
 */
int
coproc_messenger_get_fd (CoprocMessenger *self)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), -1);

  return coproc_endpoint_get_fd (coproc_messenger_get_endpoint (self));
}
