/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

/* --- counters --- */

typedef struct
{
  guint64 requests_sent, settled, replies_received, messages_received;
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
  CoprocEndpoint *endpoint;
  const CoprocChannel *used;
  guint64 n;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), 0);

  endpoint = coproc_messenger_get_endpoint (self);
  g_mutex_lock (&endpoint->lock);
  used = channel != NULL ? g_hash_table_lookup (endpoint->channels, channel) : endpoint->default_channel;
  g_mutex_unlock (&endpoint->lock);

  g_mutex_lock (&endpoint->write_lock);
  n = used != NULL ? used->messages_sent : 0;
  g_mutex_unlock (&endpoint->write_lock);
  return n;
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
