/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Sending: written at once by the caller as far as the link takes it, the rest by the background
 * thread. Past the high-water mark a sender waits; the background thread reads meanwhile, so that
 * two ends that only send cannot block each other.
 */
#include "messenger/coproc-endpoint-private.h"

#include <string.h>
#include <unistd.h>

#include "coproc-error-private.h"

/* Payloads from this size on look at the link first for limits that the peer has lowered. */
#define CAREFUL_SIZE 256
/* So much is encoded before it is written: what a pipe holds. */
#define WRITE_SIZE (64 * 1024)

static gboolean
check_channel (const char *name, GError **error)
{
  gsize length;

  if (name == NULL)
    return TRUE;
  length = strlen (name);
  if (length > 0 && length <= COPROC_MAX_NAME_LENGTH && g_utf8_validate (name, (gssize) length, NULL))
    return TRUE;

  g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
               "A channel's name must be 1 to %d bytes of valid text", COPROC_MAX_NAME_LENGTH);
  return FALSE;
}

static gboolean
check_size (CoprocEndpoint *self, gboolean raw, gsize size, GError **error)
{
  guint64 limit;

  if (size >= CAREFUL_SIZE)
    coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);

  g_mutex_lock (&self->lock);
  limit = raw ? MIN (self->limits.max_message_size, self->peer_limits.max_message_size)
              : MIN (self->limits.max_variant_size, self->peer_limits.max_variant_size);
  g_mutex_unlock (&self->lock);
  limit = MIN (limit, COPROC_MAX_PAYLOAD_SIZE);

  if (size <= limit)
    return TRUE;
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE,
               "The payload has %" G_GSIZE_FORMAT " bytes; at most %" G_GUINT64_FORMAT
               " may be sent as %s",
               size, limit, raw ? "bytes" : "a GVariant");
  return FALSE;
}

gboolean
coproc_endpoint_check (CoprocEndpoint *self, CoprocOutgoing *outgoing, GError **error)
{
  gboolean raw = TRUE;

  if (!check_channel (outgoing->channel, error))
    return FALSE;
  if (outgoing->payload != NULL)
    {
      raw = strcmp (g_variant_get_type_string (outgoing->payload), "ay") == 0;
      if (!raw && !coproc_variant_check (outgoing->payload, error)) /* any bytes are an ay */
        return FALSE;
      outgoing->data = g_variant_get_data (outgoing->payload);
      outgoing->size = g_variant_get_size (outgoing->payload);
    }
  outgoing->type = raw ? COPROC_RAW_TYPE : g_variant_get_type (outgoing->payload);
  return check_size (self, raw, outgoing->size, error);
}

/* --- one message: the write lock is held --- */

static gboolean
register_message (CoprocEndpoint  *self,
                  CoprocOutgoing  *outgoing,
                  CoprocChannel  **channel,
                  GError         **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->state != COPROC_ENDPOINT_OPEN)
    {
      g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
      return FALSE;
    }
  *channel = coproc_endpoint_get_channel_locked (self, outgoing->channel);
  if ((*channel)->out_number == 0 && outgoing->channel != NULL
      && self->n_out_channels >= MIN (self->limits.max_channels, self->peer_limits.max_channels))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "More than %u channels",
                   self->n_out_channels);
      return FALSE;
    }

  outgoing->serial = ++self->last_serial;
  if (outgoing->kind == COPROC_FRAME_REQUEST)
    {
      if (coproc_pending_get_size (self->pending) >= COPROC_MAX_PENDING_REQUESTS)
        {
          g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "%d requests are unanswered already",
                       COPROC_MAX_PENDING_REQUESTS);
          return FALSE;
        }
      coproc_pending_add (self->pending, outgoing->serial, *channel, outgoing->priority,
                          outgoing->call);
      (*channel)->requests_sent++;
    }
  (*channel)->messages_sent++;
  coproc_endpoint_source_expect_probe_locked (self);
  return TRUE;
}

static void
unregister_message (CoprocEndpoint *self, CoprocOutgoing *outgoing, CoprocChannel *channel)
{
  g_mutex_lock (&self->lock);
  if (outgoing->kind == COPROC_FRAME_REQUEST)
    {
      coproc_pending_retract (self->pending, outgoing->serial);
      channel->requests_sent--;
    }
  channel->messages_sent--;
  g_mutex_unlock (&self->lock);
}

static void
declare_channel (CoprocEndpoint *self, CoprocChannel *channel)
{
  CoprocFrame frame = { .kind = COPROC_FRAME_CHANNEL };

  if (channel->name == NULL || channel->out_number != 0)
    return;
  channel->out_number = ++self->n_out_channels;
  frame.channel = channel->out_number;
  frame.data = channel->name;
  frame.size = g_ref_string_length (channel->name);
  self->transport->ops->queue (self->transport, &frame, NULL);
}

static gboolean
queue_message (CoprocEndpoint *self, CoprocOutgoing *outgoing, CoprocChannel **channel, GError **error)
{
  CoprocFrame frame = {
    .kind = outgoing->kind,
    .reply_serial = outgoing->reply_serial,
    .priority = outgoing->priority,
    .type = outgoing->kind == COPROC_FRAME_ERROR_REPLY ? NULL : outgoing->type,
    .data = outgoing->data,
    .size = outgoing->size,
    .variant = outgoing->payload,
  };

  if (!register_message (self, outgoing, channel, error))
    return FALSE;

  declare_channel (self, *channel);
  frame.channel = (*channel)->out_number;
  frame.serial = outgoing->serial;
  if (self->transport->ops->queue (self->transport, &frame, error))
    return TRUE;
  unregister_message (self, outgoing, *channel);
  return FALSE;
}

/* Writes what the link takes. TRUE: the peer will never read again. */
static gboolean
flush_output (CoprocEndpoint *self)
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
  return self->high_water_mark == 0
         || self->transport->ops->get_queued (self->transport) < self->high_water_mark;
}

static gboolean
is_over (CoprocEndpoint *self, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->state == COPROC_ENDPOINT_OPEN)
    return FALSE;
  g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
  return TRUE;
}

static void
sender_cancelled (GCancellable *cancellable, gpointer data)
{
  CoprocEndpoint *endpoint = data;

  g_mutex_lock (&endpoint->write_lock);
  g_cond_broadcast (&endpoint->room);
  g_mutex_unlock (&endpoint->write_lock);
}

/* While a thread waits for room, the background reads, so that the peer can write. */
static void
count_waiting_sender (CoprocEndpoint *self, int change)
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

  if (has_room (self))
    return TRUE;
  if (timeout_us == COPROC_SEND_TIMEOUT)
    timeout_us = self->send_timeout;
  if (timeout_us == 0)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK,
                           "The output is at its high-water mark");
      return FALSE;
    }

  deadline = timeout_us < 0 ? -1 : g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);
  count_waiting_sender (self, +1);
  while (in_time && !has_room (self) && !is_over (self, error)
         && !g_cancellable_set_error_if_cancelled (cancellable, error))
    {
      if (deadline < 0)
        g_cond_wait (&self->room, &self->write_lock);
      else
        in_time = g_cond_wait_until (&self->room, &self->write_lock, deadline);
    }
  count_waiting_sender (self, -1);

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

static gboolean
send_locked (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gboolean *deaf, GError **error)
{
  const CoprocTransportOps *ops = self->transport->ops;
  gsize n_flushed = ops->get_queued (self->transport); /* what was left by the last flush */
  CoprocChannel *channel;
  gsize i = 0;

  while (i < n && queue_message (self, &outgoing[i], &channel, error))
    {
      i++;
      if (i < n && ops->get_queued (self->transport) < n_flushed + WRITE_SIZE)
        continue;
      if (flush_output (self))
        *deaf = TRUE;
      n_flushed = ops->get_queued (self->transport);
    }
  if (i > 0 && i < n && flush_output (self))
    *deaf = TRUE;
  return i == n;
}

/* All or none: what can be foreseen to fail half-way is refused before the first. */
static gboolean
check_pending (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (n < 2 || outgoing->kind != COPROC_FRAME_REQUEST)
    return TRUE;
  locker = g_mutex_locker_new (&self->lock);
  if (coproc_pending_get_size (self->pending) + n <= COPROC_MAX_PENDING_REQUESTS)
    return TRUE;
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
               "More than %d requests would be unanswered", COPROC_MAX_PENDING_REQUESTS);
  return FALSE;
}

gboolean
coproc_endpoint_send (CoprocEndpoint  *self,
                      CoprocOutgoing  *outgoing,
                      gsize            n,
                      gint64           timeout_us,
                      GCancellable    *cancellable,
                      GError         **error)
{
  gboolean sent, deaf = FALSE;
  gulong cancel_id = 0;
  GError *failure = NULL;

  if (self->transport == NULL || n == 0)
    return n == 0 || !is_over (self, error);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (cancellable != NULL)
    cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (sender_cancelled), self, NULL);

  g_mutex_lock (&self->write_lock);
  sent = wait_for_room (self, timeout_us, cancellable, &failure)
         && check_pending (self, outgoing, n, &failure)
         && send_locked (self, outgoing, n, &deaf, &failure);
  g_mutex_unlock (&self->write_lock);
  coproc_endpoint_note_send (self);

  if (cancel_id != 0)
    g_cancellable_disconnect (cancellable, cancel_id);
  if (deaf)
    coproc_endpoint_peer_deaf (self);
  if (!sent)
    g_propagate_error (error, failure);
  return sent;
}

/* --- asynchronous sends --- */

/* The write lock is held. Sends @op's message, or fails it. A call may be over as soon as it is
 * written: it is not touched after that. */
static void
send_op_locked (CoprocEndpoint *self, CoprocOp *op, gboolean *deaf)
{
  const gboolean is_call = op->kind == COPROC_OP_CALL;
  CoprocChannel *channel = NULL;
  GError *error = NULL;
  gboolean sent;

  g_mutex_lock (&self->lock);
  coproc_op_place_locked (op, is_call ? &self->calling : NULL);
  g_mutex_unlock (&self->lock);

  sent = queue_message (self, &op->outgoing, &channel, &error);
  if (sent && flush_output (self))
    *deaf = TRUE;
  if (sent && is_call)
    return;

  g_mutex_lock (&self->lock);
  coproc_op_complete_locked (op, NULL, error);
  g_mutex_unlock (&self->lock);
}

void
coproc_endpoint_send_op (CoprocEndpoint *self, CoprocOp *op)
{
  gboolean deaf = FALSE, over;
  GError *error = NULL;

  g_mutex_lock (&self->write_lock);
  over = is_over (self, &error);
  if (over)
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
  g_mutex_unlock (&self->write_lock);
  coproc_endpoint_note_send (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

/* The next parked send that may go, or that can only fail now. */
static CoprocOp *
take_parked (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->parked.length == 0 || (self->state == COPROC_ENDPOINT_OPEN && !has_room (self)))
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
      deaf = flush_output (self);
      written = self->transport->ops->get_queued (self->transport) == 0;
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
  g_mutex_unlock (&self->write_lock);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
  else if (written)
    coproc_endpoint_tidy (self);
}

/* --- control frames --- */

gboolean
coproc_endpoint_send_control (CoprocEndpoint *self, const CoprocFrame *frame, GError **error)
{
  gboolean sent, deaf = FALSE;

  g_mutex_lock (&self->write_lock);
  sent = !is_over (self, error) && self->transport->ops->queue (self->transport, frame, error);
  if (sent)
    deaf = flush_output (self);
  g_mutex_unlock (&self->write_lock);
  coproc_endpoint_note_send (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
  return sent;
}

void
coproc_endpoint_send_cancel (CoprocEndpoint *self, CoprocChannel *channel, guint64 serial)
{
  CoprocFrame frame = { .kind = COPROC_FRAME_CANCEL, .reply_serial = serial };

  g_mutex_lock (&self->write_lock);
  frame.channel = channel->out_number;
  g_mutex_unlock (&self->write_lock);

  coproc_endpoint_send_control (self, &frame, NULL); /* a connection that is over needs none */
}

static void
add_limits (GVariantDict *fields, const CoprocLimits *limits)
{
  g_variant_dict_insert (fields, "max-message-size", "t", limits->max_message_size);
  g_variant_dict_insert (fields, "max-variant-size", "t", limits->max_variant_size);
  g_variant_dict_insert (fields, "max-channels", "u", limits->max_channels);
}

static gboolean
send_fields (CoprocEndpoint *self, CoprocFrameKind kind, GVariantDict *dict, GError **error)
{
  g_autoptr (GVariant) fields = g_variant_ref_sink (g_variant_dict_end (dict));
  const CoprocFrame frame = {
    .kind = kind,
    .data = g_variant_get_data (fields),
    .size = g_variant_get_size (fields),
  };

  return coproc_endpoint_send_control (self, &frame, error);
}

gboolean
coproc_endpoint_send_hello (CoprocEndpoint *self, GVariant *extra, GError **error)
{
  GVariantDict fields;
  CoprocLimits limits;

  g_mutex_lock (&self->lock);
  limits = self->limits;
  g_mutex_unlock (&self->lock);

  g_variant_dict_init (&fields, extra);
  g_variant_dict_insert (&fields, "version", "u", COPROC_WIRE_VERSION);
  g_variant_dict_insert (&fields, "pid", "u", (guint32) getpid ());
  add_limits (&fields, &limits);
  if (!send_fields (self, COPROC_FRAME_HELLO, &fields, error))
    return FALSE;

  g_mutex_lock (&self->write_lock);
  self->hello_sent = TRUE;
  g_mutex_unlock (&self->write_lock);
  return TRUE;
}

/* What @self may meet until the peer has acknowledged @limits. */
static CoprocLimits
get_wider_limits (const CoprocLimits *a, const CoprocLimits *b)
{
  CoprocLimits wider = *b;

  wider.max_message_size = MAX (a->max_message_size, b->max_message_size);
  wider.max_variant_size = MAX (a->max_variant_size, b->max_variant_size);
  return wider;
}

void
coproc_endpoint_set_limits (CoprocEndpoint *self, const CoprocLimits *limits)
{
  GVariantDict fields;
  CoprocLimits wider;
  gboolean announce;

  g_mutex_lock (&self->write_lock);
  announce = self->hello_sent;
  g_mutex_unlock (&self->write_lock);

  g_mutex_lock (&self->read_lock);
  g_mutex_lock (&self->lock);
  wider = get_wider_limits (&self->limits, limits);
  self->limits = *limits;
  self->n_unacked += announce;
  if (self->stalled)
    {
      self->stalled = FALSE;
      coproc_endpoint_source_update_locked (self);
    }
  g_mutex_unlock (&self->lock);
  if (self->transport != NULL && !self->input_done)
    self->transport->ops->set_limits (self->transport, announce ? &wider : limits);
  g_mutex_unlock (&self->read_lock);
  if (!announce)
    return;

  g_variant_dict_init (&fields, NULL);
  add_limits (&fields, limits);
  send_fields (self, COPROC_FRAME_SETTINGS, &fields, NULL);
}

/* --- replies --- */

CoprocInvocation *
coproc_endpoint_take_invocation_locked (CoprocEndpoint  *self,
                                        CoprocMessage   *request,
                                        const char      *name,
                                        GError         **error)
{
  CoprocChannel *channel = coproc_endpoint_get_channel_locked (self, request != NULL ? request->channel : name);
  CoprocInvocation *invocation;

  invocation = request != NULL ? request->invocation : g_queue_peek_head (&channel->unanswered);
  if (invocation == NULL || invocation->owner != self || invocation->answered)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                           request != NULL ? "The message is no unanswered request of this messenger"
                                           : "No request of this channel awaits a reply");
      return NULL;
    }
  invocation->answered = TRUE;
  g_queue_unlink (&channel->unanswered, &invocation->link);
  return invocation; /* with the reference that the channel had */
}

void
coproc_endpoint_return_invocation_locked (CoprocEndpoint *self, CoprocInvocation *invocation)
{
  CoprocChannel *channel = coproc_endpoint_get_channel_locked (self, invocation->channel);

  invocation->answered = FALSE;
  g_queue_push_head_link (&channel->unanswered, &invocation->link);
}
