/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include <math.h>

#include "coproc-error-private.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"
#include "messenger/coproc-op-private.h"

static gboolean
send_payload (CoprocMessenger   *self,
              CoprocFrameKind    kind,
              GVariant          *payload,
              const char        *channel,
              GError           **error)
{
  g_autoptr (GVariant) owned G_GNUC_UNUSED = coproc_messenger_sink_payload (payload);
  CoprocOutgoing outgoing = { .kind = kind, .channel = channel, .payload = payload };

  return coproc_messenger_find_priority (self, payload, &outgoing.priority, error)
         && coproc_endpoint_send_one (coproc_messenger_get_endpoint (self), &outgoing, error);
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

void
coproc_messenger_drop_all (CoprocOutgoing *outgoing, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (G_UNLIKELY (outgoing[i].owned))
      g_variant_unref (outgoing[i].payload);
  g_free (outgoing);
}

CoprocOutgoing *
coproc_messenger_prepare_all (CoprocMessenger  *self,
                              CoprocFrameKind   kind,
                              GVariant        **payloads,
                              gsize             n,
                              const char       *channel,
                              GError          **error)
{
  const gboolean own_priorities = coproc_messenger_has_own_priorities (self);
  CoprocOutgoing *outgoing = g_new (CoprocOutgoing, n);
  gboolean ok = coproc_endpoint_check_name (channel, error);
  gsize size = 0, n_prepared = 0;

  /* all of one before the next, while it is in the cache */
  for (; ok && n_prepared < n; n_prepared++)
    {
      CoprocOutgoing *item = &outgoing[n_prepared];

      *item = (CoprocOutgoing) {
        .kind = kind,
        .channel = channel,
        .payload = payloads[n_prepared],
        .priority = INFINITY,
        .owned = coproc_messenger_sink_payload (payloads[n_prepared]) != NULL,
      };
      ok = coproc_endpoint_check_payload (item, error)
           && ((item->type == COPROC_RAW_TYPE && !own_priorities) /* bytes say nothing of it */
               || coproc_messenger_find_priority (self, item->payload, &item->priority, error));
      if (!ok)
        g_prefix_error (error, "Payload %" G_GSIZE_FORMAT ": ", n_prepared);
      size = MAX (size, item->size);
    }
  if (ok)
    {
      coproc_endpoint_expect_size (coproc_messenger_get_endpoint (self), size);
      return outgoing;
    }

  for (gsize i = n_prepared; i < n; i++)
    g_variant_unref (g_variant_ref_sink (payloads[i]));
  coproc_messenger_drop_all (outgoing, n_prepared);
  return NULL;
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
  CoprocOutgoing *outgoing;
  gboolean sent;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (payloads != NULL || n_payloads == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (n_payloads == 0)
    return TRUE;
  outgoing = coproc_messenger_prepare_all (self, COPROC_FRAME_REQUEST, payloads, n_payloads, channel, error);
  if (outgoing == NULL)
    return FALSE;

  sent = coproc_endpoint_send (coproc_messenger_get_endpoint (self), outgoing, n_payloads, COPROC_SEND_TIMEOUT, NULL,
                               error);
  coproc_messenger_drop_all (outgoing, n_payloads);
  return sent;
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
  return coproc_endpoint_send_one (coproc_messenger_get_endpoint (self), &outgoing, error);
}

static CoprocFrameKind
frame_kind (CoprocMessageKind kind)
{
  switch (kind)
    {
    case COPROC_MESSAGE_KIND_REQUEST:
      return COPROC_FRAME_REQUEST;
    case COPROC_MESSAGE_KIND_REPLY:
      return COPROC_FRAME_REPLY;
    case COPROC_MESSAGE_KIND_NOREQUEST:
    default:
      return COPROC_FRAME_NOREQUEST;
    }
}

/**
 * coproc_messenger_send_bytes_full:
 * @self: a messenger
 * @data: (array length=length): the bytes
 * @length: how many there are
 * @channel: (nullable): the channel, or %NULL for the default one
 * @kind: as what to send them; for %COPROC_MESSAGE_KIND_REPLY they answer the oldest unanswered request of
 *   the channel
 * @priority: the priority, lower goes first; INFINITY for the last, and for a reply that of its request
 * @serial: (out) (optional): return location for the number under which they were sent, 0 for a reply
 * @error: return location for an error
 *
 * Sends bytes as any kind of message, with a priority; they arrive as a payload of type `ay`.
 *
 * Errors: as [method@Coproc.Messenger.send_norequest] and [method@Coproc.Messenger.send_reply].
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_send_bytes_full (CoprocMessenger    *self,
                                  const guint8       *data,
                                  gsize               length,
                                  const char         *channel,
                                  CoprocMessageKind   kind,
                                  double              priority,
                                  guint64            *serial,
                                  GError            **error)
{
  CoprocOutgoing outgoing = { .kind = frame_kind (kind), .channel = channel, .priority = priority };

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (data != NULL || length == 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (serial != NULL)
    *serial = 0;
  outgoing.data = data;
  outgoing.size = length;
  if (!coproc_messenger_check_priority (priority, error))
    return FALSE;
  if (kind == COPROC_MESSAGE_KIND_REPLY)
    return coproc_messenger_answer (self, NULL, &outgoing, error);
  if (!coproc_endpoint_send_one (coproc_messenger_get_endpoint (self), &outgoing, error))
    return FALSE;
  if (serial != NULL)
    *serial = outgoing.serial;
  return TRUE;
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
  outgoing->kind = frame_kind (kind);
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
    return coproc_messenger_answer (self, NULL, &outgoing, error);
  if (!coproc_endpoint_send_one (coproc_messenger_get_endpoint (self), &outgoing, error))
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
  coproc_op_send (op, &outgoing, failure);
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
