/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The receiving methods of CoprocMessenger, its calls, counters and end.
 */
#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

/* (transfer full) for (transfer full) */
static GVariant *
take_payload (CoprocMessage *message)
{
  g_autoptr (CoprocMessage) owned = message;

  return owned != NULL ? coproc_message_dup_payload (owned) : NULL;
}

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

  return take_payload (
      coproc_endpoint_try_receive (coproc_messenger_get_endpoint (self), channel, error));
}

/**
 * coproc_messenger_get_fd:
 * @self: a messenger
 *
 * Gets a descriptor to poll for input in a loop that is no [struct@GLib.MainLoop].
 *
 * Once [method@Coproc.Messenger.try_receive] has returned %NULL for a channel, the descriptor is
 * readable when it may be worth trying again. There is one per messenger: when it is readable, try
 * every channel that you wait for. It belongs to the messenger; do not read from it.
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

/**
 * coproc_messenger_receive_blocking:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits for the next message of a channel.
 *
 * Errors: the errors and close requests that the peer has sent; the error that a request was answered
 * with; %COPROC_ERROR_LIMIT when other channels hold too much; %COPROC_ERROR_CLOSED,
 * %COPROC_ERROR_WORKER_DIED or the cause of the end once the channel is empty; %COPROC_ERROR_FAILED on
 * a channel that is listened to; %COPROC_ERROR_INVALID_PAYLOAD for a name that is no channel;
 * %G_IO_ERROR_CANCELLED.
 *
 * Returns: (transfer full): the payload
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_receive_blocking (CoprocMessenger  *self,
                                   const char       *channel,
                                   GCancellable     *cancellable,
                                   GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return take_payload (coproc_endpoint_receive (coproc_messenger_get_endpoint (self),
                                                COPROC_WANT_CHANNEL, channel, -1, cancellable, error));
}

/**
 * coproc_messenger_receive_remaining:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits for the next reply on a channel while requests are outstanding on it.
 *
 * Messages that are no replies stay queued. When the connection ends with requests outstanding, the
 * replies that had come are returned first; then this fails once with the cause of the end.
 *
 * ```c
 * while ((reply = coproc_messenger_receive_remaining (messenger, NULL, NULL, &error)) != NULL)
 *   use (reply);
 * ```
 *
 * Errors: as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full) (nullable): the payload; %NULL without @error when no request is outstanding
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_receive_remaining (CoprocMessenger  *self,
                                    const char       *channel,
                                    GCancellable     *cancellable,
                                    GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return take_payload (coproc_endpoint_receive (coproc_messenger_get_endpoint (self),
                                                COPROC_WANT_REMAINING, channel, -1, cancellable,
                                                error));
}

/**
 * coproc_messenger_receive_any:
 * @self: a messenger
 * @timeout_us: how long to wait, in microseconds; -1 for ever, 0 not at all
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits for the next message of any channel that is not listened to; channels take turns.
 *
 * Errors: %COPROC_ERROR_TIMED_OUT, else as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full): the message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_messenger_receive_any (CoprocMessenger  *self,
                              gint64            timeout_us,
                              GCancellable     *cancellable,
                              GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_endpoint_receive (coproc_messenger_get_endpoint (self), COPROC_WANT_ANY, NULL,
                                  timeout_us, cancellable, error);
}

/**
 * coproc_messenger_receive_message:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @timeout_us: how long to wait, in microseconds; -1 for ever, 0 not at all
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits for the next message of a channel.
 *
 * Errors: %COPROC_ERROR_TIMED_OUT, else as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full): the message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_messenger_receive_message (CoprocMessenger  *self,
                                  const char       *channel,
                                  gint64            timeout_us,
                                  GCancellable     *cancellable,
                                  GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_endpoint_receive (coproc_messenger_get_endpoint (self), COPROC_WANT_CHANNEL, channel,
                                  timeout_us, cancellable, error);
}

/**
 * coproc_messenger_await_available:
 * @self: a messenger
 * @timeout_us: how long to wait, in microseconds; -1 for ever, 0 not at all
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits until a message is queued on some channel that is not listened to; one that is there counts.
 *
 * Errors: as [method@Coproc.Messenger.receive_any].
 *
 * Returns: %TRUE when a message is there
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_await_available (CoprocMessenger  *self,
                                  gint64            timeout_us,
                                  GCancellable     *cancellable,
                                  GError          **error)
{
  GError *failure = NULL;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  coproc_endpoint_receive (coproc_messenger_get_endpoint (self), COPROC_WANT_PEEK, NULL, timeout_us,
                           cancellable, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

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
  return take_payload (coproc_endpoint_await_call (endpoint, &call, channel, outgoing.serial, deadline,
                                                   cancellable, error));
}

/* --- asynchronous --- */

static void
receive_async (CoprocMessenger      *self,
               const char           *channel,
               gint64                timeout_us,
               GCancellable         *cancellable,
               GAsyncReadyCallback   callback,
               gpointer              user_data,
               gpointer              tag)
{
  coproc_op_receive (coproc_op_new (coproc_messenger_get_endpoint (self), COPROC_OP_RECEIVE, timeout_us,
                                    cancellable, callback, user_data, tag),
                     channel);
}

/**
 * coproc_messenger_receive_async:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called with the result, in this thread's default context
 * @user_data: passed to @callback
 *
 * Waits for the next message of a channel without blocking.
 *
 * Several that wait on one channel are served in the order of their calls.
 *
 * Since: 1.0
 */
void
coproc_messenger_receive_async (CoprocMessenger      *self,
                                const char           *channel,
                                GCancellable         *cancellable,
                                GAsyncReadyCallback   callback,
                                gpointer              user_data)
{
  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  receive_async (self, channel, -1, cancellable, callback, user_data, coproc_messenger_receive_async);
}

static CoprocMessage *
finish_message (CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * coproc_messenger_receive_finish:
 * @self: a messenger
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.Messenger.receive_async].
 *
 * Errors: as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full): the payload
 *
 * Since: 1.0
 */
GVariant *
coproc_messenger_receive_finish (CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return take_payload (finish_message (self, result, error));
}

/**
 * coproc_messenger_receive_message_async:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @timeout_us: how long to wait, in microseconds; -1 for ever
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called with the result, in this thread's default context
 * @user_data: passed to @callback
 *
 * Waits for the next message of a channel without blocking.
 *
 * Since: 1.0
 */
void
coproc_messenger_receive_message_async (CoprocMessenger      *self,
                                        const char           *channel,
                                        gint64                timeout_us,
                                        GCancellable         *cancellable,
                                        GAsyncReadyCallback   callback,
                                        gpointer              user_data)
{
  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  receive_async (self, channel, timeout_us, cancellable, callback, user_data,
                 coproc_messenger_receive_message_async);
}

/**
 * coproc_messenger_receive_message_finish:
 * @self: a messenger
 * @result: the result given to the callback
 * @error: return location for an error
 *
 * Ends [method@Coproc.Messenger.receive_message_async].
 *
 * Errors: as [method@Coproc.Messenger.receive_message].
 *
 * Returns: (transfer full): the message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_messenger_receive_message_finish (CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return finish_message (self, result, error);
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

  return take_payload (finish_message (self, result, error));
}

/**
 * coproc_messenger_listen:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Claims a channel: all its messages, replies included, become [signal@Coproc.Messenger::message].
 *
 * Receive calls on it fail with %COPROC_ERROR_FAILED. Replies to calls are not affected.
 *
 * Since: 1.0
 */
void
coproc_messenger_listen (CoprocMessenger *self, const char *channel)
{
  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (channel == NULL || *channel != '\0');

  coproc_endpoint_listen (coproc_messenger_get_endpoint (self), channel, TRUE);
}

/**
 * coproc_messenger_unlisten:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Gives a channel back: its messages are queued again.
 *
 * Since: 1.0
 */
void
coproc_messenger_unlisten (CoprocMessenger *self, const char *channel)
{
  g_return_if_fail (COPROC_IS_MESSENGER (self));
  g_return_if_fail (channel == NULL || *channel != '\0');

  coproc_endpoint_listen (coproc_messenger_get_endpoint (self), channel, FALSE);
}

/* --- counters --- */

typedef struct
{
  guint64 requests_sent, settled, replies_received, messages_sent, messages_received;
  guint n_queued;
} Counters;

/* The counters of @name, all 0 when the channel was never used. */
static Counters
get_counters (CoprocMessenger *self, const char *name)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&endpoint->lock);
  const CoprocChannel *channel = name == NULL ? endpoint->default_channel
                                              : g_hash_table_lookup (endpoint->channels, name);
  Counters counters = { 0 };

  if (channel != NULL)
    {
      counters.requests_sent = channel->requests_sent;
      counters.settled = channel->settled;
      counters.replies_received = channel->replies_received;
      counters.messages_sent = channel->messages_sent;
      counters.messages_received = channel->messages_received;
      counters.n_queued = channel->n_queued;
    }
  return counters;
}

/**
 * coproc_messenger_remaining:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts the requests of a channel that are not settled: by their reply when it is received, an error,
 * a cancellation, a timeout or the end of the connection.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
coproc_messenger_remaining (CoprocMessenger *self, const char *channel)
{
  Counters counters;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  counters = get_counters (self, channel);
  return counters.requests_sent - counters.settled;
}

/**
 * coproc_messenger_requests_sent:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts the requests sent on a channel.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
coproc_messenger_requests_sent (CoprocMessenger *self, const char *channel)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  return get_counters (self, channel).requests_sent;
}

/**
 * coproc_messenger_replies_received:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts the replies received on a channel, error replies included.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
coproc_messenger_replies_received (CoprocMessenger *self, const char *channel)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  return get_counters (self, channel).replies_received;
}

/**
 * coproc_messenger_messages_sent:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts the messages of every kind sent on a channel.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
coproc_messenger_messages_sent (CoprocMessenger *self, const char *channel)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  return get_counters (self, channel).messages_sent;
}

/**
 * coproc_messenger_messages_received:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts the messages of every kind that were received (not merely queued) on a channel.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint64
coproc_messenger_messages_received (CoprocMessenger *self, const char *channel)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  return get_counters (self, channel).messages_received;
}

/**
 * coproc_messenger_queue_size:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 *
 * Counts what is queued on a channel, without taking in what has arrived since.
 *
 * Returns: the number of messages
 *
 * Since: 1.0
 */
guint64
coproc_messenger_queue_size (CoprocMessenger *self, const char *channel)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  return get_counters (self, channel).n_queued;
}

/**
 * coproc_messenger_pipe_poll:
 * @self: a messenger
 *
 * Tells whether something can be read without waiting: a message, a special message or the end.
 *
 * Returns: %TRUE when a receive would not wait
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_pipe_poll (CoprocMessenger *self)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);

  return coproc_endpoint_poll (coproc_messenger_get_endpoint (self));
}

/* --- the end --- */

/**
 * coproc_messenger_close:
 * @self: a messenger
 *
 * Closes this end.
 *
 * What was sent is still written, by the background thread, and then a goodbye. Everything that waits
 * fails with %COPROC_ERROR_CLOSED; what has arrived can still be received. Closing twice does nothing.
 *
 * Since: 1.0
 */
void
coproc_messenger_close (CoprocMessenger *self)
{
  g_return_if_fail (COPROC_IS_MESSENGER (self));

  coproc_endpoint_close (coproc_messenger_get_endpoint (self));
}

/**
 * coproc_messenger_get_closed: (get-property closed)
 * @self: a messenger
 *
 * Tells whether the connection is over.
 *
 * Returns: %TRUE when it is
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_get_closed (CoprocMessenger *self)
{
  gboolean closed;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), TRUE);

  g_object_get (self, "closed", &closed, NULL);
  return closed;
}

/**
 * coproc_messenger_get_close_requested: (get-property close-requested)
 * @self: a messenger
 *
 * Tells whether the peer has asked this side to close.
 *
 * Returns: %TRUE when it has
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_get_close_requested (CoprocMessenger *self)
{
  gboolean requested;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), FALSE);

  g_object_get (self, "close-requested", &requested, NULL);
  return requested;
}
