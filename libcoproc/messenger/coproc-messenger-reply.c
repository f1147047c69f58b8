/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include <math.h>

#include "coproc-error-private.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

gboolean
coproc_messenger_answer (CoprocMessenger  *self,
                         CoprocMessage    *request,
                         CoprocOutgoing   *outgoing,
                         GError          **error)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  CoprocInvocation *invocation;
  gboolean sent;

  g_mutex_lock (&endpoint->lock);
  invocation = coproc_endpoint_take_invocation_locked (endpoint, request, outgoing->channel, error);
  g_mutex_unlock (&endpoint->lock);
  if (invocation == NULL)
    return FALSE;

  outgoing->channel = invocation->channel;
  outgoing->reply_serial = invocation->serial;
  if (outgoing->priority == INFINITY)
    outgoing->priority = invocation->priority;
  sent = coproc_endpoint_send_one (endpoint, outgoing, error);
  if (!sent)
    {
      g_mutex_lock (&endpoint->lock);
      coproc_endpoint_return_invocation_locked (endpoint, invocation);
      g_mutex_unlock (&endpoint->lock);
    }
  else
    coproc_invocation_unref (invocation);
  return sent;
}

static gboolean
answer_payload (CoprocMessenger  *self,
                CoprocMessage    *request,
                const char       *channel,
                GVariant         *payload,
                GError          **error)
{
  g_autoptr (GVariant) owned G_GNUC_UNUSED = coproc_messenger_sink_payload (payload);
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_REPLY, .channel = channel, .payload = payload };

  return coproc_messenger_find_priority (self, payload, &outgoing.priority, error)
         && coproc_messenger_answer (self, request, &outgoing, error);
}

/**
 * coproc_messenger_send_reply:
 * @self: a messenger
 * @payload: the payload; a floating one is consumed
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Answers the oldest unanswered request that was received on the channel.
 *
 * Unless the payload gives a priority, the reply has that of its request.
 *
 * Errors: %COPROC_ERROR_FAILED when no request of the channel awaits a reply, else as
 * [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_reply (CoprocMessenger  *self,
                             GVariant         *payload,
                             const char       *channel,
                             GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return answer_payload (self, NULL, channel, payload, error);
}

/**
 * coproc_messenger_reply:
 * @self: a messenger
 * @request: a request that this messenger has received
 * @payload: the payload; a floating one is consumed
 * @error: return location for an error
 *
 * Answers a request, on its channel.
 *
 * Unless the payload gives a priority, the reply has that of its request.
 *
 * Errors: %COPROC_ERROR_FAILED when @request is no unanswered request of this messenger, else as
 * [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_reply (CoprocMessenger  *self,
                        CoprocMessage    *request,
                        GVariant         *payload,
                        GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (request != NULL, FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return answer_payload (self, request, NULL, payload, error);
}

/**
 * coproc_messenger_reply_error:
 * @self: a messenger
 * @request: a request that this messenger has received
 * @report: what went wrong
 * @error: return location for an error
 *
 * Answers a request with an error: the receive or call that reaches it fails with it.
 *
 * Errors: as [method@Coproc.Messenger.reply].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_reply_error (CoprocMessenger  *self,
                              CoprocMessage    *request,
                              const GError     *report,
                              GError          **error)
{
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_ERROR_REPLY, .priority = INFINITY };
  g_autoptr (GVariant) payload = NULL;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (request != NULL, FALSE);
  g_return_val_if_fail (report != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  outgoing.payload = payload = coproc_error_to_variant (report);
  return coproc_messenger_answer (self, request, &outgoing, error);
}
