/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"
#include "messenger/coproc-op-private.h"

/**
 * coproc_messenger_call:
 * @self: a messenger
 * @payload: the payload; a floating one is consumed
 * @channel: (nullable): the channel, or %NULL for the default one
 * @timeout_us: how long to wait, in microseconds; -1 for ever
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Sends a request and waits for its own reply, whatever else comes.
 *
 * When it is cancelled or times out the peer is told, and a late reply is dropped.
 *
 * Errors: the error that the request was answered with; %COPROC_ERROR_TIMED_OUT,
 * %G_IO_ERROR_CANCELLED, %COPROC_ERROR_LIMIT; %COPROC_ERROR_CLOSED, %COPROC_ERROR_WORKER_DIED or the
 * cause of the end; and those of [method@Coproc.Messenger.send_norequest].
 *
 * Returns: (transfer full): the reply's payload
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_call (CoprocMessenger  *self,
                       GVariant         *payload,
                       const char       *channel,
                       gint64            timeout_us,
                       GCancellable     *cancellable,
                       GError          **error)
{
  g_autoptr (GVariant) owned = NULL;
  CoprocCall call = { 0 };
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_REQUEST, .channel = channel, .call = &call };
  CoprocEndpoint *endpoint;
  gint64 deadline;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (payload != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  endpoint = coproc_messenger_get_endpoint (self);
  outgoing.payload = owned = g_variant_ref_sink (payload);
  deadline = timeout_us < 0 ? -1 : g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);

  if (!coproc_messenger_find_priority (self, owned, &outgoing.priority, error)
      || !coproc_endpoint_check (endpoint, &outgoing, 1, error)
      || !coproc_endpoint_send (endpoint, &outgoing, 1,
                                timeout_us < 0 ? COPROC_SEND_TIMEOUT : timeout_us, cancellable, error))
    return NULL;
  return coproc_message_take_payload (coproc_endpoint_await_call (endpoint, &call, channel, outgoing.serial,
                                                                  deadline, cancellable, error));
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
  coproc_op_send (op, &outgoing, failure);
}

/**
 * coproc_messenger_call_finish:
 * @self: a messenger
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.Messenger.call_async].
 *
 * Errors: as [method@Coproc.Messenger.call].
 *
 * Returns: (transfer full): the reply's payload
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_call_finish (CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_message_take_payload (g_task_propagate_pointer (G_TASK (result), error));
}
