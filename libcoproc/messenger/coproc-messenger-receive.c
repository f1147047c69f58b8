/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"
#include "messenger/coproc-op-private.h"

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

  return coproc_message_take_payload (coproc_endpoint_receive (coproc_messenger_get_endpoint (self),
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
 * replies that had come are returned first; then this fails once with the cause of the end, and once with
 * %COPROC_ERROR_NOT_STARTED if there are requests that a dead worker had not taken up (only the latter, when
 * it had taken up none).
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

  return coproc_message_take_payload (coproc_endpoint_receive (coproc_messenger_get_endpoint (self),
                                                COPROC_WANT_REMAINING, channel, -1, cancellable,
                                                error));
}

/**
 * coproc_messenger_receive_reply:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @timeout_us: how long to wait, in microseconds; -1 for ever, 0 not at all
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Waits for the next reply on a channel while requests are outstanding on it, as
 * [method@Coproc.Messenger.receive_remaining] does, and tells which request it answers.
 *
 * Errors: %COPROC_ERROR_TIMED_OUT, else as [method@Coproc.Messenger.receive_blocking].
 *
 * Returns: (transfer full) (nullable): the message; %NULL without @error when no request is outstanding
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_messenger_receive_reply (CoprocMessenger  *self,
                                const char       *channel,
                                gint64            timeout_us,
                                GCancellable     *cancellable,
                                GError          **error)
{
  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return coproc_endpoint_receive (coproc_messenger_get_endpoint (self), COPROC_WANT_REMAINING, channel,
                                  timeout_us, cancellable, error);
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
 * coproc_messenger_receive_messages:
 * @self: a messenger
 * @channel: (nullable): the channel, or %NULL for the default one
 * @max_messages: the most to take; 0 for all that are queued
 * @timeout_us: how long to wait for the first, in microseconds; -1 for ever, 0 not at all
 * @cancellable: (nullable): a cancellable
 * @n_messages: (out): return location for their number
 * @error: return location for an error
 *
 * Waits for the next message of a channel and takes what is queued behind it, too.
 *
 * Where messages come fast this costs much less than a call for each of them, and of bytes no
 * [struct@GLib.Variant] is made (see [method@Coproc.Message.get_data]). It stops before the error
 * reply to a request, which the next receive raises.
 *
 * ```c
 * g_autofree CoprocMessage **messages = NULL;
 * gsize n;
 *
 * messages = coproc_messenger_receive_messages (messenger, NULL, 0, -1, NULL, &n, &error);
 * for (gsize i = 0; i < n; i++)
 *   {
 *     use (messages[i]);
 *     coproc_message_unref (messages[i]);
 *   }
 * ```
 *
 * Errors: as [method@Coproc.Messenger.receive_message].
 *
 * Returns: (array length=n_messages) (transfer full): the messages, at least one, and a %NULL behind
 *   them; %NULL with @error set
 *
 * Since: 1.0
 */
CoprocMessage **
coproc_messenger_receive_messages (CoprocMessenger  *self,
                                   const char       *channel,
                                   gsize             max_messages,
                                   gint64            timeout_us,
                                   GCancellable     *cancellable,
                                   gsize            *n_messages,
                                   GError          **error)
{
  g_autoptr (GPtrArray) messages = NULL;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (n_messages != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  *n_messages = 0;
  messages = coproc_endpoint_receive_messages (coproc_messenger_get_endpoint (self), channel,
                                               max_messages == 0 ? G_MAXSIZE : max_messages,
                                               timeout_us, cancellable, error);
  if (messages == NULL)
    return NULL;
  *n_messages = messages->len;
  g_ptr_array_add (messages, NULL);
  return (CoprocMessage **) g_ptr_array_steal (messages, NULL);
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

  return coproc_message_take_payload (finish_message (self, result, error));
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

