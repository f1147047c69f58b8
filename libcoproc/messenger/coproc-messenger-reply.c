/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include <math.h>

#include "coproc-error-private.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

/* Takes out what is owed for @requests, whose answers @outgoing are. All or none; those of several channels are
 * refused. */
static gboolean
take_invocations_locked (CoprocEndpoint     *self,
                         CoprocMessage     **requests,
                         CoprocOutgoing     *outgoing,
                         CoprocInvocation  **invocations,
                         gsize               n,
                         GError            **error)
{
  gboolean ok = TRUE;
  gsize n_taken = 0;

  while (ok && n_taken < n)
    {
      CoprocInvocation *invocation = coproc_endpoint_take_invocation_locked (
          self, requests != NULL ? requests[n_taken] : NULL, outgoing[n_taken].channel, error);

      ok = invocation != NULL;
      if (!ok)
        break;
      invocations[n_taken] = invocation;
      outgoing[n_taken].channel = invocation->channel->name;
      outgoing[n_taken].reply_serial = invocation->serial;
      if (outgoing[n_taken].priority == INFINITY)
        outgoing[n_taken].priority = invocation->priority;
      n_taken++;
      ok = invocation->channel == invocations[0]->channel;
      if (!ok)
        g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                             "The requests are of more than one channel");
    }
  while (!ok && n_taken > 0)
    coproc_endpoint_return_invocation_locked (self, invocations[--n_taken]);
  return ok;
}

/* Answers @requests, or with NULL the oldest of outgoing's channel; what is sent is checked. */
static gboolean
answer (CoprocMessenger    *self,
        CoprocMessage     **requests,
        CoprocOutgoing     *outgoing,
        CoprocInvocation  **invocations,
        gsize               n,
        GError            **error)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  gboolean taken, sent;

  g_mutex_lock (&endpoint->lock);
  taken = take_invocations_locked (endpoint, requests, outgoing, invocations, n, error);
  g_mutex_unlock (&endpoint->lock);
  if (!taken)
    return FALSE;

  sent = coproc_endpoint_send (endpoint, outgoing, n, COPROC_SEND_TIMEOUT, NULL, error);
  if (!sent)
    {
      /* the last first, so that they stand in their old order again */
      g_mutex_lock (&endpoint->lock);
      for (gsize i = n; i > 0; i--)
        coproc_endpoint_return_invocation_locked (endpoint, invocations[i - 1]);
      g_mutex_unlock (&endpoint->lock);
    }
  else
    for (gsize i = 0; i < n; i++)
      coproc_invocation_unref (invocations[i]);
  return sent;
}

gboolean
coproc_messenger_answer (CoprocMessenger  *self,
                         CoprocMessage    *request,
                         CoprocOutgoing   *outgoing,
                         GError          **error)
{
  CoprocInvocation *invocation;

  return coproc_endpoint_check (coproc_messenger_get_endpoint (self), outgoing, 1, error)
         && answer (self, request != NULL ? &request : NULL, outgoing, &invocation, 1, error);
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
 * coproc_messenger_reply_multiple:
 * @self: a messenger
 * @requests: (array length=n_requests): requests that this messenger has received, all on one channel
 * @n_requests: how many there are
 * @payloads: (array length=n_payloads): the answer to each; floating ones are consumed
 * @n_payloads: how many there are: as many
 * @error: return location for an error
 *
 * Answers many requests with few system calls, as [method@Coproc.Messenger.receive_messages] takes them.
 *
 * All are checked before the first is answered. Unless its payload gives a priority, a reply has that of
 * its request.
 *
 * Errors: %COPROC_ERROR_FAILED when one of @requests is no unanswered request of this messenger, or they are
 * of several channels, else as [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_reply_multiple (CoprocMessenger  *self,
                                 CoprocMessage   **requests,
                                 gsize             n_requests,
                                 GVariant        **payloads,
                                 gsize             n_payloads,
                                 GError          **error)
{
  g_autofree CoprocInvocation **invocations = NULL;
  CoprocOutgoing *outgoing;
  gboolean sent;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (n_requests == n_payloads, FALSE);
  g_return_val_if_fail ((requests != NULL && payloads != NULL) || n_requests == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (n_requests == 0)
    return TRUE;
  outgoing = coproc_messenger_prepare_all (self, COPROC_FRAME_REPLY, payloads, n_payloads, NULL, error);
  if (outgoing == NULL)
    return FALSE;

  invocations = g_new (CoprocInvocation *, n_requests);
  sent = answer (self, requests, outgoing, invocations, n_requests, error);
  coproc_messenger_drop_all (outgoing, n_payloads);
  return sent;
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
