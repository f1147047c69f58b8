/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The sending methods of CoprocMessenger.
 */
#include <math.h>

#include "coproc-error-private.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

static gboolean
send_one (CoprocMessenger *self, CoprocOutgoing *outgoing, GError **error)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);

  return coproc_endpoint_check (endpoint, outgoing, 1, error)
         && coproc_endpoint_send (endpoint, outgoing, 1, COPROC_SEND_TIMEOUT, NULL, error);
}

static gboolean
send_payload (CoprocMessenger   *self,
              CoprocFrameKind    kind,
              GVariant          *payload,
              const char        *channel,
              GError           **error)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (payload);
  CoprocOutgoing outgoing = { .kind = kind, .channel = channel, .payload = owned };

  return coproc_messenger_find_priority (self, owned, &outgoing.priority, error)
         && send_one (self, &outgoing, error);
}

/**
 * coproc_messenger_send_norequest:
 * @self: a messenger
 * @payload: the payload; a floating one is consumed
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Sends a message that expects no reply.
 *
 * When it returns %TRUE the peer can receive the message. When it fails nothing has been sent.
 *
 * Errors: %COPROC_ERROR_INVALID_PAYLOAD, %COPROC_ERROR_INVALID_PRIORITY, %COPROC_ERROR_TOO_LARGE,
 * %COPROC_ERROR_LIMIT (too many channels, types or unanswered requests), %COPROC_ERROR_TIMED_OUT and
 * %COPROC_ERROR_WOULD_BLOCK (see [property@Coproc.Messenger:send-timeout]), %COPROC_ERROR_HANDLER,
 * %COPROC_ERROR_CLOSED, %COPROC_ERROR_WORKER_DIED.
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_norequest (CoprocMessenger  *self,
                                 GVariant         *payload,
                                 const char       *channel,
                                 GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return send_payload (self, COPROC_FRAME_NOREQUEST, payload, channel, error);
}

/**
 * coproc_messenger_send_request:
 * @self: a messenger
 * @payload: the payload; a floating one is consumed
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Sends a request; its reply will come on the same channel.
 *
 * [method@Coproc.Messenger.receive_remaining] collects the replies.
 *
 * Errors: as [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_request (CoprocMessenger  *self,
                               GVariant         *payload,
                               const char       *channel,
                               GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return send_payload (self, COPROC_FRAME_REQUEST, payload, channel, error);
}

static gboolean
prepare_requests (CoprocMessenger  *self,
                  CoprocOutgoing   *outgoing,
                  GVariant        **payloads,
                  gsize             n,
                  const char       *channel,
                  GError          **error)
{
  for (gsize i = 0; i < n; i++)
    {
      outgoing[i].kind = COPROC_FRAME_REQUEST;
      outgoing[i].channel = channel;
      outgoing[i].payload = payloads[i];
      if (!coproc_messenger_find_priority (self, payloads[i], &outgoing[i].priority, error))
        {
          g_prefix_error (error, "Payload %" G_GSIZE_FORMAT ": ", i);
          return FALSE;
        }
    }
  return n == 0 || coproc_endpoint_check (coproc_messenger_get_endpoint (self), outgoing, n, error);
}

/**
 * coproc_messenger_send_request_multiple:
 * @self: a messenger
 * @payloads: (array length=n_payloads): the payloads; floating ones are consumed
 * @n_payloads: how many there are
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Sends many requests with few system calls.
 *
 * All payloads are checked before the first is sent.
 *
 * Errors: as [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_request_multiple (CoprocMessenger  *self,
                                        GVariant        **payloads,
                                        gsize             n_payloads,
                                        const char       *channel,
                                        GError          **error)
{
  g_autofree CoprocOutgoing *outgoing = NULL;
  CoprocEndpoint *endpoint;
  gboolean sent;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (payloads != NULL || n_payloads == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  endpoint = coproc_messenger_get_endpoint (self);
  outgoing = g_new0 (CoprocOutgoing, n_payloads);
  for (gsize i = 0; i < n_payloads; i++)
    g_variant_ref_sink (payloads[i]);

  sent = prepare_requests (self, outgoing, payloads, n_payloads, channel, error)
         && coproc_endpoint_send (endpoint, outgoing, n_payloads, COPROC_SEND_TIMEOUT, NULL, error);

  for (gsize i = 0; i < n_payloads; i++)
    g_variant_unref (payloads[i]);
  return sent;
}

/* Answers @request, or the oldest unanswered request of @channel. A failed send leaves it unanswered. */
static gboolean
answer (CoprocMessenger  *self,
        CoprocMessage    *request,
        const char       *channel,
        CoprocFrameKind   kind,
        GVariant         *payload,
        double            priority,
        GError          **error)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  CoprocOutgoing outgoing = { .kind = kind, .payload = payload, .priority = priority };
  CoprocInvocation *invocation;
  gboolean sent;

  g_mutex_lock (&endpoint->lock);
  invocation = coproc_endpoint_take_invocation_locked (endpoint, request, channel, error);
  g_mutex_unlock (&endpoint->lock);
  if (invocation == NULL)
    return FALSE;

  outgoing.channel = invocation->channel;
  outgoing.reply_serial = invocation->serial;
  if (priority == INFINITY)
    outgoing.priority = invocation->priority;
  sent = send_one (self, &outgoing, error);
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
  g_autoptr (GVariant) owned = g_variant_ref_sink (payload);
  double priority;

  return coproc_messenger_find_priority (self, owned, &priority, error)
         && answer (self, request, channel, COPROC_FRAME_REPLY, owned, priority, error);
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
  g_autoptr (GVariant) payload = NULL;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (request != NULL, FALSE);
  g_return_val_if_fail (report != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  payload = coproc_error_to_variant (report);
  return answer (self, request, NULL, COPROC_FRAME_ERROR_REPLY, payload, INFINITY, error);
}

/**
 * coproc_messenger_send_bytes:
 * @self: a messenger
 * @data: (array length=length): the bytes
 * @length: how many there are
 * @channel: (nullable): the channel, or %NULL for the default one
 * @error: return location for an error
 *
 * Sends bytes as a message that expects no reply; they arrive as a payload of type `ay`.
 *
 * Errors: as [method@Coproc.Messenger.send_norequest].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_bytes (CoprocMessenger  *self,
                             const guint8     *data,
                             gsize             length,
                             const char       *channel,
                             GError          **error)
{
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_NOREQUEST, .channel = channel, .priority = INFINITY };

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  /* only a class that has its own idea of priorities needs to see the bytes as a payload */
  if (coproc_messenger_has_own_priorities (self))
    return send_payload (self, COPROC_FRAME_NOREQUEST,
                         g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, length, 1), channel,
                         error);

  outgoing.data = data;
  outgoing.size = length;
  return send_one (self, &outgoing, error);
}

/* Fills @outgoing, which borrows from @message and *payload. */
static gboolean
outgoing_from_message (CoprocMessenger    *self,
                       CoprocMessage      *message,
                       CoprocMessageKind   kind,
                       CoprocOutgoing     *outgoing,
                       GVariant          **payload,
                       GError            **error)
{
  outgoing->kind = kind == COPROC_MESSAGE_KIND_REQUEST ? COPROC_FRAME_REQUEST : COPROC_FRAME_NOREQUEST;
  outgoing->channel = coproc_message_get_channel (message);
  outgoing->payload = *payload = coproc_message_dup_payload (message);
  outgoing->priority = coproc_message_get_priority (message);
  if (message->explicit_priority)
    return coproc_messenger_check_priority (outgoing->priority, error);
  return coproc_messenger_find_priority (self, *payload, &outgoing->priority, error);
}

/**
 * coproc_messenger_send_message:
 * @self: a messenger
 * @message: the message
 * @kind: as what to send it; for %COPROC_MESSAGE_KIND_REPLY it answers the oldest unanswered request of
 *   its channel
 * @serial: (out) (optional): return location for the number under which it was sent
 * @error: return location for an error
 *
 * Sends a message on its channel with its priority.
 *
 * Errors: as [method@Coproc.Messenger.send_norequest] and [method@Coproc.Messenger.send_reply].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_message (CoprocMessenger    *self,
                               CoprocMessage      *message,
                               CoprocMessageKind   kind,
                               guint64            *serial,
                               GError            **error)
{
  g_autoptr (GVariant) payload = NULL;
  CoprocOutgoing outgoing = { 0 };

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (message != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (serial != NULL)
    *serial = 0;
  if (!outgoing_from_message (self, message, kind, &outgoing, &payload, error))
    return FALSE;
  if (kind == COPROC_MESSAGE_KIND_REPLY)
    return answer (self, NULL, outgoing.channel, COPROC_FRAME_REPLY, payload, outgoing.priority, error);
  if (!send_one (self, &outgoing, error))
    return FALSE;
  if (serial != NULL)
    *serial = outgoing.serial;
  return TRUE;
}

/**
 * coproc_messenger_send_error:
 * @self: a messenger
 * @report: the error
 * @error: return location for an error
 *
 * Sends an error that the peer's next receive call fails with, ahead of all queued messages.
 *
 * It arrives with its domain, code and message when the peer knows the domain, else as
 * %COPROC_ERROR_REMOTE.
 *
 * Errors: %COPROC_ERROR_CLOSED, %COPROC_ERROR_WORKER_DIED, %COPROC_ERROR_TOO_LARGE.
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_error (CoprocMessenger *self, const GError *report, GError **error)
{
  g_autoptr (GVariant) payload = NULL;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (report != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  payload = coproc_error_to_variant (report);
  return coproc_endpoint_send_error (coproc_messenger_get_endpoint (self), payload, error);
}

/**
 * coproc_messenger_send_close_request:
 * @self: a messenger
 * @error: return location for an error
 *
 * Asks the peer to close: its next receive call fails with %COPROC_ERROR_CLOSE_REQUESTED.
 *
 * Errors: %COPROC_ERROR_CLOSED, %COPROC_ERROR_WORKER_DIED.
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_close_request (CoprocMessenger *self, GError **error)
{
  const CoprocFrame frame = { .kind = COPROC_FRAME_CLOSE_REQUEST };

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return coproc_endpoint_send_control (coproc_messenger_get_endpoint (self), &frame, error);
}

/* --- asynchronous --- */

/* Takes what @outgoing needs into @op, whose life is longer. */
static void
op_keep (CoprocOp *op, const CoprocOutgoing *outgoing, GVariant *payload)
{
  op->outgoing = *outgoing;
  op->outgoing.payload = g_variant_ref (payload);
  op->channel_name = g_strdup (outgoing->channel);
  op->outgoing.channel = op->channel_name;
  op->outgoing.call = op->kind == COPROC_OP_CALL ? &op->call : NULL;
}

/* Sends @op, or fails it with @failure (transfer full) or for being cancelled already. */
static void
op_begin (CoprocOp *op, GError *failure)
{
  CoprocEndpoint *endpoint = op->endpoint;

  if (failure == NULL)
    g_cancellable_set_error_if_cancelled (op->cancellable, &failure);
  if (failure == NULL)
    {
      coproc_endpoint_send_op (endpoint, op);
      return;
    }
  g_mutex_lock (&endpoint->lock);
  coproc_op_complete_locked (op, NULL, failure);
  g_mutex_unlock (&endpoint->lock);
}

/**
 * coproc_messenger_call_async:
 * @self: a messenger
 * @payload: the payload; a floating one is consumed
 * @channel: (nullable): the channel, or %NULL for the default one
 * @timeout_us: how long to wait, in microseconds; -1 for ever
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called with the result, in this thread's default context
 * @user_data: passed to @callback
 *
 * Sends a request and waits for its own reply without blocking.
 *
 * It never blocks: past [property@Coproc.Messenger:high-water-mark] the request waits its turn.
 *
 * Since: 1.0
 */
void
coproc_messenger_call_async (CoprocMessenger      *self,
                             GVariant             *payload,
                             const char           *channel,
                             gint64                timeout_us,
                             GCancellable         *cancellable,
                             GAsyncReadyCallback   callback,
                             gpointer              user_data)
{
  g_autoptr (GVariant) owned = NULL;
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_REQUEST, .channel = channel };
  CoprocEndpoint *endpoint;
  GError *failure = NULL;
  CoprocOp *op;

  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  endpoint = coproc_messenger_get_endpoint (self);
  outgoing.payload = owned = g_variant_ref_sink (payload);
  op = coproc_op_new (endpoint, COPROC_OP_CALL, timeout_us, cancellable, callback, user_data,
                      coproc_messenger_call_async);
  if (coproc_messenger_find_priority (self, owned, &outgoing.priority, &failure))
    coproc_endpoint_check (endpoint, &outgoing, 1, &failure);
  op_keep (op, &outgoing, owned);
  op_begin (op, failure);
}

/**
 * coproc_messenger_send_message_async:
 * @self: a messenger
 * @message: the message
 * @kind: %COPROC_MESSAGE_KIND_NOREQUEST or %COPROC_MESSAGE_KIND_REQUEST
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called with the result, in this thread's default context
 * @user_data: passed to @callback
 *
 * Sends a message without ever blocking.
 *
 * It is done when the message has been taken below [property@Coproc.Messenger:high-water-mark]; begun
 * beyond it, it waits its turn. One that is cancelled has not been sent.
 *
 * Since: 1.0
 */
void
coproc_messenger_send_message_async (CoprocMessenger      *self,
                                     CoprocMessage        *message,
                                     CoprocMessageKind     kind,
                                     GCancellable         *cancellable,
                                     GAsyncReadyCallback   callback,
                                     gpointer              user_data)
{
  g_autoptr (GVariant) payload = NULL;
  CoprocOutgoing outgoing = { 0 };
  CoprocEndpoint *endpoint;
  GError *failure = NULL;
  CoprocOp *op;

  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (message != NULL);
  g_return_if_fail (kind != COPROC_MESSAGE_KIND_REPLY);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  endpoint = coproc_messenger_get_endpoint (self);
  op = coproc_op_new (endpoint, COPROC_OP_SEND, -1, cancellable, callback, user_data,
                      coproc_messenger_send_message_async);
  if (outgoing_from_message (self, message, kind, &outgoing, &payload, &failure))
    coproc_endpoint_check (endpoint, &outgoing, 1, &failure);
  op_keep (op, &outgoing, payload);
  op_begin (op, failure);
}

/**
 * coproc_messenger_send_message_finish:
 * @self: a messenger
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.Messenger.send_message_async].
 *
 * Errors: as [method@Coproc.Messenger.send_norequest] without those of waiting, and
 * %G_IO_ERROR_CANCELLED.
 *
 * Returns: %TRUE when the message was sent
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_message_finish (CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
