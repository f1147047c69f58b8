/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Sending: written at once by the caller as far as the link takes it, the rest by the background
 * thread. Past the high-water mark a sender waits; the background thread reads meanwhile, so that
 * two ends that only send cannot block each other.
 */
#include "messenger/coproc-endpoint-private.h"

#include <string.h>

#include "coproc-error.h"
#include "coproc-interrupt-private.h"
#include "messenger/coproc-op-private.h"

/* So many messages are registered at once: about what a pipe holds of small ones. */
#define BATCH_SIZE 512

/* --- messages: the write lock is held --- */

/* Finds the channel of @outgoing. NULL with error set: there are too many. */
static CoprocChannel *
find_channel (CoprocEndpoint *self, const char *name, GError **error)
{
  CoprocChannel *channel = self->last_target;
  guint max_channels;

  if (name == NULL)
    return self->default_channel;
  if (channel != NULL && strcmp (channel->name, name) == 0)
    return channel;

  g_mutex_lock (&self->lock);
  channel = coproc_endpoint_get_channel_locked (self, name);
  max_channels = MIN (self->limits.max_channels, self->peer_limits.max_channels);
  g_mutex_unlock (&self->lock);
  if (channel->out_number == 0 && self->n_out_channels >= max_channels)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "More than %u channels",
                   self->n_out_channels);
      return NULL;
    }
  self->last_target = channel;
  return channel;
}

/* Counts requests as sent, which the peer may answer as soon as they are. */
static gboolean
register_requests (CoprocEndpoint *self, CoprocChannel *channel, CoprocOutgoing *outgoing, gsize n, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  guint64 serial = self->last_serial;

  if (!coproc_endpoint_check_requests_locked (self, n, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      CoprocCall *call = outgoing[i].call;

      coproc_pending_add (self->pending, ++serial, channel, call);
      if (G_UNLIKELY (call != NULL && call->op != NULL))
        {
          call->op->outgoing.serial = serial;
          coproc_op_place_locked (call->op, &self->calling);
        }
    }
  channel->requests_sent += n;
  return TRUE;
}

static void
declare_channel (CoprocEndpoint *self, CoprocChannel *channel)
{
  CoprocFrame frame = { .kind = COPROC_FRAME_CHANNEL };

  if (G_LIKELY (channel->name == NULL || channel->out_number != 0))
    return;
  channel->out_number = ++self->n_out_channels;
  frame.channel = channel->out_number;
  frame.data = channel->name;
  frame.size = g_ref_string_length (channel->name);
  self->transport->ops->queue (self->transport, &frame);
}

static gboolean
declare_types (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gsize n, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (outgoing[i].type != COPROC_RAW_TYPE && outgoing[i].kind != COPROC_FRAME_ERROR_REPLY
        && !self->transport->ops->declare_type (self->transport, outgoing[i].type, error))
      return FALSE;
  return TRUE;
}

/* Sends @n messages of one kind on one channel, whose types are declared: registers and encodes them and writes what the link
 * takes. FALSE with error set: none was sent. *deaf: the peer will never read again. */
static gboolean
send_batch (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gboolean *deaf, GError **error)
{
  const gboolean is_error = outgoing->kind == COPROC_FRAME_ERROR_REPLY;
  void (*queue) (CoprocTransportLink *, const CoprocFrame *) = self->transport->ops->queue;
  guint64 serial = self->last_serial;
  CoprocChannel *channel;
  CoprocFrame frame;

  if (!coproc_endpoint_check_sizes (self, outgoing, n, error)
      || (channel = find_channel (self, outgoing->channel, error)) == NULL
      || (outgoing->kind == COPROC_FRAME_REQUEST
          && !register_requests (self, channel, outgoing, n, error)))
    return FALSE;

  declare_channel (self, channel);
  frame.kind = outgoing->kind;
  frame.flags = 0;
  frame.channel = channel->out_number;
  frame.slab = NULL;
  for (gsize i = 0; i < n; i++)
    {
      outgoing[i].serial = frame.serial = ++serial;
      frame.reply_serial = outgoing[i].reply_serial;
      frame.priority = outgoing[i].priority;
      frame.type = is_error ? NULL : outgoing[i].type;
      frame.data = outgoing[i].data;
      frame.size = outgoing[i].size;
      frame.variant = outgoing[i].payload;
      queue (self->transport, &frame);
    }
  self->last_serial = serial;
  channel->messages_sent += n;

  if (coproc_endpoint_write_locked (self))
    *deaf = TRUE;
  if (G_UNLIKELY (!g_atomic_int_get (&self->probe_expected)))
    {
      g_mutex_lock (&self->lock);
      coproc_endpoint_source_expect_probe_locked (self);
      g_mutex_unlock (&self->lock);
    }
  return TRUE;
}

void
coproc_endpoint_unlock_output (CoprocEndpoint *self)
{
  GPtrArray *spent = self->transport != NULL ? g_steal_pointer (&self->transport->spent) : NULL;

  g_mutex_unlock (&self->write_lock);
  if (spent != NULL)
    g_ptr_array_unref (spent);
}

gboolean
coproc_endpoint_write_locked (CoprocEndpoint *self)
{
  const CoprocFlushResult result = self->transport->ops->flush (self->transport, NULL);

  if (result == COPROC_FLUSH_AGAIN)
    {
      g_mutex_lock (&self->lock);
      if (!self->want_output)
        {
          self->want_output = TRUE;
          coproc_endpoint_source_update_locked (self);
        }
      g_mutex_unlock (&self->lock);
    }
  return result == COPROC_FLUSH_FAILED;
}

/* --- room --- */

static gboolean
has_room (CoprocEndpoint *self)
{
  return self->high_water_mark == 0 || self->transport->n_unsent < self->high_water_mark;
}

static void
sender_cancelled (GCancellable *cancellable, gpointer data)
{
  CoprocEndpoint *endpoint = data;

  g_mutex_lock (&endpoint->write_lock);
  g_cond_broadcast (&endpoint->room);
  g_mutex_unlock (&endpoint->write_lock);
}

void
coproc_endpoint_count_sender (CoprocEndpoint *self, int change)
{
  g_mutex_lock (&self->lock);
  self->n_async += (guint) change;
  if (change > 0)
    coproc_endpoint_unpark_locked (self);
  g_mutex_unlock (&self->lock);
}

/* The write lock is held, and given up while waiting. */
static gboolean
wait_for_room (CoprocEndpoint *self, gint64 timeout_us, GCancellable *cancellable, GError **error)
{
  gint64 deadline;
  gboolean in_time = TRUE;

  if (timeout_us == COPROC_SEND_TIMEOUT)
    timeout_us = self->send_timeout;
  if (timeout_us == 0)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK,
                           "The output is at its high-water mark");
      return FALSE;
    }

  deadline = timeout_us < 0 ? -1 : g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);
  coproc_endpoint_count_sender (self, +1);
  while (in_time && !has_room (self) && !coproc_endpoint_is_over (self, error)
         && !g_cancellable_set_error_if_cancelled (cancellable, error) && !coproc_interrupt_take (error))
    in_time = coproc_interrupt_wait (&self->room, &self->write_lock, deadline);
  coproc_endpoint_count_sender (self, -1);

  if (has_room (self))
    {
      if (error != NULL)
        g_clear_error (error);
      return TRUE;
    }
  if (!in_time)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                         "The output stayed at its high-water mark: the peer does not read");
  return FALSE;
}

/* All or none, as far as it can be foreseen: a type too many is found before the first is sent. */
static gboolean
send_locked (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gboolean *deaf, GError **error)
{
  if (!declare_types (self, outgoing, n, error)
      || (n > BATCH_SIZE && !coproc_endpoint_check_limits (self, outgoing, n, error)))
    return FALSE;
  for (gsize i = 0; i < n; i += BATCH_SIZE)
    if (!send_batch (self, outgoing + i, MIN (n - i, BATCH_SIZE), deaf, error))
      return FALSE;
  return TRUE;
}

gboolean
coproc_endpoint_send (CoprocEndpoint  *self,
                      CoprocOutgoing  *outgoing,
                      gsize            n,
                      gint64           timeout_us,
                      GCancellable    *cancellable,
                      GError         **error)
{
  gboolean sent, copied, deaf = FALSE;
  gulong cancel_id = 0;
  GError *failure = NULL;

  if (self->transport == NULL || n == 0)
    return n == 0 || !coproc_endpoint_is_over (self, error);
  if (cancellable != NULL)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (sender_cancelled), self, NULL);
    }

  copied = coproc_endpoint_copy_payloads (self, outgoing, n, timeout_us);
  g_mutex_lock (&self->write_lock);
  sent = (has_room (self)
          || (coproc_endpoint_check_limits (self, outgoing, n, &failure)
              && wait_for_room (self, timeout_us, cancellable, &failure)))
         && send_locked (self, outgoing, n, &deaf, &failure);
  coproc_endpoint_unlock_output (self);
  if (copied)
    coproc_endpoint_release_copies (self, outgoing, n);
  coproc_endpoint_note_send (self);

  if (cancel_id != 0)
    g_cancellable_disconnect (cancellable, cancel_id);
  if (deaf)
    coproc_endpoint_peer_deaf (self);
  if (!sent)
    g_propagate_error (error, failure);
  return sent;
}

gboolean
coproc_endpoint_send_one (CoprocEndpoint *self, CoprocOutgoing *outgoing, GError **error)
{
  return coproc_endpoint_check (self, outgoing, 1, error)
         && coproc_endpoint_send (self, outgoing, 1, COPROC_SEND_TIMEOUT, NULL, error);
}

/* --- asynchronous sends --- */

/* The write lock is held. Sends @op's message, or fails it. A call may be over, and freed, as soon as it is
 * registered: by the end of the connection. */
static void
send_op_locked (CoprocEndpoint *self, CoprocOp *op, gboolean *deaf)
{
  const gboolean is_call = op->kind == COPROC_OP_CALL;
  CoprocOutgoing outgoing = op->outgoing;
  GError *error = NULL;

  coproc_transport_spend (&self->transport->spent, g_variant_ref (outgoing.payload));
  if (send_locked (self, &outgoing, 1, deaf, &error) && is_call)
    return;

  g_mutex_lock (&self->lock);
  coproc_op_complete_locked (op, NULL, error);
  g_mutex_unlock (&self->lock);
}

void
coproc_endpoint_send_op (CoprocEndpoint *self, CoprocOp *op)
{
  gboolean deaf = FALSE;
  GError *error = NULL;

  g_mutex_lock (&self->write_lock);
  if (!coproc_endpoint_check_limits (self, &op->outgoing, 1, &error))
    {
      g_mutex_lock (&self->lock);
      coproc_op_complete_locked (op, NULL, error);
      g_mutex_unlock (&self->lock);
    }
  else if (self->parked.length == 0 && has_room (self))
    send_op_locked (self, op, &deaf);
  else
    {
      g_mutex_lock (&self->lock);
      coproc_op_place_locked (op, &self->parked);
      g_mutex_unlock (&self->lock);
    }
  coproc_endpoint_unlock_output (self);
  coproc_endpoint_note_send (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

/* The next parked send that may go, or that can only fail now. */
static CoprocOp *
take_parked (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->parked.length == 0 || (coproc_endpoint_is_open_locked (self) && !has_room (self)))
    return NULL;
  return self->parked.head->data;
}

void
coproc_endpoint_write_on (CoprocEndpoint *self)
{
  gboolean deaf = FALSE, written = FALSE;
  CoprocOp *op;

  g_mutex_lock (&self->write_lock);
  if (!self->output_shut)
    {
      deaf = coproc_endpoint_write_locked (self);
      written = self->transport->n_unsent == 0;
    }
  g_mutex_lock (&self->lock);
  if (written && self->want_output)
    {
      self->want_output = FALSE;
      coproc_endpoint_source_update_locked (self);
    }
  written = written && self->state == COPROC_ENDPOINT_CLOSING;
  g_mutex_unlock (&self->lock);

  while ((op = take_parked (self)) != NULL)
    send_op_locked (self, op, &deaf);

  if (written && !self->output_shut)
    {
      self->output_shut = TRUE;
      self->transport->ops->shut_output (self->transport);
    }
  if (has_room (self) || self->output_shut)
    g_cond_broadcast (&self->room);
  coproc_endpoint_unlock_output (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
  else if (written)
    coproc_endpoint_tidy (self);
}
