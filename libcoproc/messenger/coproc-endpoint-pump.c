/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * From the link into the queues: what every frame of the peer does here. Whoever holds the read lock
 * decodes a batch without the endpoint's lock and hands it over under it.
 */
#include "messenger/coproc-endpoint-private.h"

#include <string.h>
#include <unistd.h>

#include "coproc-error-private.h"

#define BATCH_SIZE 64      /* messages handed over at once */
#define WITHDRAWN_SCAN 256 /* unanswered requests looked at, from either end, for one that is cancelled */

/* One pass over the input. Its owner holds the read lock. */
typedef struct
{
  CoprocMessage *messages[BATCH_SIZE]; /* (owned) */
  CoprocChannel *channels[BATCH_SIZE];
  guint n;
  gsize n_frames;          /* in all batches of the pass */
  gsize budget;            /* bytes that may still be read */
  guint n_acks;            /* settings of the peer to acknowledge when no lock is held */
  gboolean emptied;        /* the link has nothing more for now */
  gboolean ended;
  CoprocEnd end;
  GError *error;           /* (nullable) (owned) why it ended */
  GPtrArray *cancelled;    /* (nullable) (owned) cancellables to cancel when no lock is held */
} Batch;

static void
batch_break (Batch *batch, GError *error)
{
  batch->ended = TRUE;
  batch->end = COPROC_END_BROKEN;
  g_clear_error (&batch->error);
  batch->error = error;
}

G_GNUC_PRINTF (3, 4)
static void
batch_refuse (Batch *batch, CoprocError code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  batch_break (batch, g_error_new_valist (COPROC_ERROR, (int) code, format, args));
  va_end (args);
}

/* --- messages --- */

void
coproc_endpoint_set_ready_locked (CoprocEndpoint *self, CoprocChannel *channel)
{
  if (channel->ready)
    return;

  channel->ready = TRUE;
  channel->ready_link.data = channel;
  g_queue_push_tail_link (channel->claimed ? &self->claimed : &self->ready, &channel->ready_link);
  if (channel->claimed)
    coproc_endpoint_wake_signals_locked (self);
  else if (channel->watched)
    {
      g_ptr_array_add (self->hot, channel);
      channel->witness = NULL;
      coproc_endpoint_signal_watch_locked (self);
    }
}

/* Takes @message. */
static void
queue_message (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *message)
{
  self->n_queued++;
  self->queued_bytes += message->size;
  coproc_channel_push (channel, message);

  if (channel->receivers.length > 0)
    {
      CoprocMessage *next = NULL;
      GError *error = NULL;

      if (coproc_endpoint_pop_locked (self, channel, &next, &error))
        coproc_op_complete_locked (g_queue_peek_head (&channel->receivers), next, error);
    }
  else
    coproc_endpoint_set_ready_locked (self, channel);
}

static void
settle_with (CoprocEndpoint *self, Batch *batch, CoprocChannel *channel, CoprocMessage *message)
{
  CoprocPendingRequest request;

  switch (coproc_pending_take (self->pending, message->reply_serial, &request))
    {
    case COPROC_PENDING_ABANDONED:
      break;

    case COPROC_PENDING_FOUND:
      if (request.channel != channel)
        {
          batch_refuse (batch, COPROC_ERROR_PROTOCOL,
                        "The reply to request %" G_GUINT64_FORMAT " came on another channel",
                        message->reply_serial);
          coproc_endpoint_lose_request_locked (self, &request, batch->error);
          break;
        }
      if (request.call == NULL)
        {
          queue_message (self, request.channel, message);
          return;
        }
      if (message->kind == COPROC_FRAME_ERROR_REPLY)
        coproc_endpoint_complete_call_locked (self, request.call, request.channel, NULL,
                                              coproc_error_from_variant (message->variant));
      else
        coproc_endpoint_complete_call_locked (self, request.call, request.channel,
                                              coproc_message_ref (message), NULL);
      break;

    case COPROC_PENDING_UNKNOWN:
    default:
      batch_refuse (batch, COPROC_ERROR_PROTOCOL,
                    "A reply to request %" G_GUINT64_FORMAT ", which is not pending",
                    message->reply_serial);
      break;
    }
  coproc_message_unref (message);
}

static void
batch_hand_over (CoprocEndpoint *self, Batch *batch)
{
  if (batch->n == 0)
    return;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < batch->n; i++)
    {
      CoprocMessage *message = batch->messages[i];

      if (self->state == COPROC_ENDPOINT_CLOSING)
        coproc_message_unref (message);
      else if (message->reply_serial != 0)
        settle_with (self, batch, batch->channels[i], message);
      else
        queue_message (self, batch->channels[i], message);
    }
  batch->n = 0;
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

static CoprocChannel *
batch_find_channel (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  if (frame->channel < self->in_channels->len)
    return g_ptr_array_index (self->in_channels, frame->channel);

  batch_refuse (batch, COPROC_ERROR_PROTOCOL, "Channel %u was never opened", frame->channel);
  return NULL;
}

static void
batch_add_message (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  CoprocChannel *channel = batch_find_channel (self, batch, frame);

  if (channel == NULL)
    return;
  if (!self->got_hello)
    {
      batch_refuse (batch, COPROC_ERROR_PROTOCOL, "A message came before the greeting");
      return;
    }
  if (frame->serial <= self->last_peer_serial)
    {
      batch_refuse (batch, COPROC_ERROR_PROTOCOL,
                    "Serial %" G_GUINT64_FORMAT " came after %" G_GUINT64_FORMAT, frame->serial,
                    self->last_peer_serial);
      return;
    }
  self->last_peer_serial = frame->serial;
  batch->messages[batch->n] = coproc_message_new_from_frame (frame, channel->name);
  batch->channels[batch->n] = channel;
  batch->n++;
}

/* --- the other frames --- */

static void
read_limits (GVariant *fields, CoprocLimits *limits)
{
  g_variant_lookup (fields, "max-message-size", "t", &limits->max_message_size);
  g_variant_lookup (fields, "max-variant-size", "t", &limits->max_variant_size);
  g_variant_lookup (fields, "max-channels", "u", &limits->max_channels);
}

static void
handle_hello (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  guint32 version = 0, pid = 0;

  g_variant_lookup (frame->variant, "version", "u", &version);
  g_variant_lookup (frame->variant, "pid", "u", &pid);

  if (self->got_hello)
    batch_refuse (batch, COPROC_ERROR_PROTOCOL, "The peer greets twice");
  else if (version != COPROC_WIRE_VERSION)
    batch_refuse (batch, COPROC_ERROR_PROTOCOL, "The peer speaks version %u of the protocol, not %d",
                  version, COPROC_WIRE_VERSION);
  if (batch->ended)
    return;

  self->got_hello = TRUE;
  g_atomic_int_set (&self->peer_is_remote, pid != (guint32) getpid ());
  g_mutex_lock (&self->lock);
  read_limits (frame->variant, &self->peer_limits);
  self->peer_pid = (int) pid;
  self->peer_hello = g_variant_ref (frame->variant);
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

static void
handle_settings (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  g_mutex_lock (&self->lock);
  read_limits (frame->variant, &self->peer_limits);
  g_mutex_unlock (&self->lock);
  batch->n_acks++;
}

/* From here on the peer knows the limits of this side: they count as they are. */
static void
handle_settings_ack (CoprocEndpoint *self, Batch *batch)
{
  g_mutex_lock (&self->lock);
  if (self->n_unacked == 0)
    batch_refuse (batch, COPROC_ERROR_PROTOCOL, "Settings were acknowledged that were not sent");
  else if (--self->n_unacked == 0)
    self->transport->ops->set_limits (self->transport, &self->limits);
  g_mutex_unlock (&self->lock);
}

static void
handle_channel (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  g_autofree char *name = g_strndup (frame->data, frame->size);

  if (frame->channel != self->in_channels->len)
    {
      batch_refuse (batch, COPROC_ERROR_PROTOCOL, "Channel %u was opened out of turn", frame->channel);
      return;
    }
  g_mutex_lock (&self->lock);
  if (frame->channel > self->limits.max_channels)
    batch_refuse (batch, COPROC_ERROR_LIMIT, "The peer opened more than %u channels",
                  self->limits.max_channels);
  else
    g_ptr_array_add (self->in_channels, coproc_endpoint_get_channel_locked (self, name));
  g_mutex_unlock (&self->lock);
}

/* A special message: fails whoever waits in a receive, or else the next one. */
static void
handle_special (CoprocEndpoint *self, GError *error)
{
  const gboolean close = g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED);
  gboolean raised = FALSE;

  g_mutex_lock (&self->lock);
  for (GList *l = self->blocked.head; l != NULL; l = l->next)
    {
      CoprocBlocked *blocked = l->data;

      if (blocked->special == NULL)
        {
          blocked->special = g_error_copy (error);
          raised = TRUE;
        }
    }
  if (coproc_endpoint_fail_receivers_locked (self, error))
    raised = TRUE;
  if (!raised)
    g_queue_push_tail (&self->specials, g_error_copy (error));

  if (close)
    {
      self->close_requested = TRUE;
      coproc_endpoint_tell_locked (self, COPROC_EVENT_CLOSE_REQUESTED, NULL);
    }
  else
    coproc_endpoint_tell_locked (self, COPROC_EVENT_ERROR, g_error_copy (error));
  if (!raised)
    coproc_endpoint_signal_watch_locked (self);
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
  g_error_free (error);
}

static CoprocInvocation *
find_invocation_locked (CoprocChannel *channel, guint64 serial)
{
  guint n = 0;

  for (GList *l = channel->unanswered.head; l != NULL && n < WITHDRAWN_SCAN; l = l->next, n++)
    if (((CoprocInvocation *) l->data)->serial == serial)
      return l->data;

  n = 0;
  for (GList *l = channel->unanswered.tail; l != NULL && n < WITHDRAWN_SCAN; l = l->prev, n++)
    if (((CoprocInvocation *) l->data)->serial == serial)
      return l->data;
  return NULL;
}

/* The peer no longer awaits a reply: a request still queued is dropped when its turn comes, one that is
 * being worked on is told through its cancellable. */
static void
handle_cancel (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  CoprocChannel *channel = batch_find_channel (self, batch, frame);
  CoprocInvocation *invocation;

  if (channel == NULL)
    return;
  g_mutex_lock (&self->lock);
  invocation = find_invocation_locked (channel, frame->reply_serial);
  if (invocation != NULL)
    {
      if (invocation->cancellable == NULL)
        invocation->cancellable = g_cancellable_new ();
      if (batch->cancelled == NULL)
        batch->cancelled = g_ptr_array_new_with_free_func (g_object_unref);
      g_ptr_array_add (batch->cancelled, g_object_ref (invocation->cancellable));
    }
  else if (channel->n_queued > 0)
    {
      if (self->withdrawn == NULL)
        self->withdrawn = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
      if (g_hash_table_size (self->withdrawn) < COPROC_MAX_PENDING_REQUESTS)
        g_hash_table_add (self->withdrawn, g_memdup2 (&frame->reply_serial, sizeof (guint64)));
    }
  g_mutex_unlock (&self->lock);
}

static void
handle_control (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  batch_hand_over (self, batch);
  if (batch->ended)
    return;

  switch ((CoprocFrameKind) frame->kind)
    {
    case COPROC_FRAME_HELLO:
      handle_hello (self, batch, frame);
      break;
    case COPROC_FRAME_SETTINGS:
      handle_settings (self, batch, frame);
      break;
    case COPROC_FRAME_SETTINGS_ACK:
      handle_settings_ack (self, batch);
      break;
    case COPROC_FRAME_CHANNEL:
      handle_channel (self, batch, frame);
      break;
    case COPROC_FRAME_ERROR:
      handle_special (self, coproc_error_from_variant (frame->variant));
      break;
    case COPROC_FRAME_CLOSE_REQUEST:
      handle_special (self, g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED,
                                                 "The peer asks this side to close"));
      break;
    case COPROC_FRAME_CANCEL:
      handle_cancel (self, batch, frame);
      break;
    case COPROC_FRAME_GOODBYE:
      batch->ended = TRUE;
      batch->end = COPROC_END_GOODBYE;
      break;
    case COPROC_FRAME_TYPE:
    case COPROC_FRAME_NOREQUEST:
    case COPROC_FRAME_REQUEST:
    case COPROC_FRAME_REPLY:
    case COPROC_FRAME_ERROR_REPLY:
    default:
      g_assert_not_reached ();
    }
}

/* --- the pass --- */

/* How many messages and bytes the queues still take. */
static void
get_room (CoprocEndpoint *self, CoprocPumpMode mode, guint *n_messages, guint64 *n_bytes)
{
  const guint factor = mode == COPROC_PUMP_WAITING ? 2 : 1;
  guint64 max_messages, max_bytes, n_held;

  if (mode == COPROC_PUMP_ALL)
    {
      *n_messages = G_MAXUINT;
      *n_bytes = G_MAXUINT64;
      return;
    }
  g_mutex_lock (&self->lock);
  max_messages = (guint64) self->limits.max_queued_messages * factor;
  max_bytes = self->limits.max_queued_bytes * factor;
  n_held = (guint64) self->n_queued + self->specials.length;
  *n_messages = (guint) (max_messages - MIN (max_messages, n_held));
  *n_bytes = max_bytes - MIN (max_bytes, self->queued_bytes);
  if ((*n_messages == 0 || *n_bytes == 0) && !self->stalled)
    {
      self->stalled = TRUE;
      coproc_endpoint_source_update_locked (self);
    }
  g_mutex_unlock (&self->lock);
}

/* Returns: FALSE when the pass is over */
static gboolean
fill_batch (CoprocEndpoint *self, Batch *batch, CoprocPumpMode mode)
{
  guint n_messages;
  guint64 n_bytes;

  get_room (self, mode, &n_messages, &n_bytes);

  while (!batch->ended && batch->n < MIN (BATCH_SIZE, n_messages) && n_bytes > 0)
    {
      CoprocFrame frame = { 0 };

      switch (self->transport->ops->receive (self->transport, &batch->budget, &frame, &batch->error))
        {
        case COPROC_RECEIVE_FRAME:
          batch->n_frames++;
          if (frame.kind >= COPROC_FRAME_NOREQUEST && frame.kind <= COPROC_FRAME_ERROR_REPLY)
            batch_add_message (self, batch, &frame);
          else
            handle_control (self, batch, &frame);
          n_bytes -= MIN (n_bytes, frame.size);
          break;
        case COPROC_RECEIVE_AGAIN:
          batch->emptied = TRUE;
          return FALSE;
        case COPROC_RECEIVE_END:
          batch->ended = TRUE;
          batch->end = COPROC_END_CUT;
          break;
        case COPROC_RECEIVE_FAILED:
        default:
          batch->ended = TRUE;
          batch->end = COPROC_END_BROKEN;
          break;
        }
    }
  return !batch->ended && batch->n > 0;
}

static void
note_backlog (CoprocEndpoint *self, gboolean backlog)
{
  if (self->backlog == backlog)
    return;
  g_mutex_lock (&self->lock);
  self->backlog = backlog;
  coproc_endpoint_source_update_locked (self);
  g_mutex_unlock (&self->lock);
}

gsize
coproc_endpoint_pump (CoprocEndpoint *self, CoprocPumpMode mode)
{
  Batch batch;
  CoprocEndFunc end_func = NULL;
  gboolean more = TRUE, ended = FALSE;

  if (self->transport == NULL)
    return 0;

  batch.n = 0;
  batch.ended = batch.emptied = FALSE;
  batch.budget = mode == COPROC_PUMP_ALL ? COPROC_RECEIVE_ALL : COPROC_RECEIVE_BUDGET;
  batch.error = NULL;
  batch.cancelled = NULL;
  batch.n_frames = 0;
  batch.n_acks = 0;

  g_mutex_lock (&self->read_lock);
  while (more && !self->input_done)
    {
      more = fill_batch (self, &batch, mode);
      batch_hand_over (self, &batch);
      self->input_done = ended = batch.ended;
    }
  if (ended)
    end_func = coproc_endpoint_end_stream (self, batch.end, batch.error);
  note_backlog (self, !self->input_done && !batch.emptied);
  g_mutex_unlock (&self->read_lock);

  if (batch.n_frames > 0)
    coproc_endpoint_note_arrival (self);
  for (; batch.n_acks > 0; batch.n_acks--)
    {
      const CoprocFrame ack = { .kind = COPROC_FRAME_SETTINGS_ACK };

      coproc_endpoint_send_control (self, &ack, NULL);
    }
  if (batch.cancelled != NULL)
    {
      for (guint i = 0; i < batch.cancelled->len; i++)
        g_cancellable_cancel (g_ptr_array_index (batch.cancelled, i));
      g_ptr_array_unref (batch.cancelled);
    }
  if (ended)
    coproc_endpoint_stream_ended (self, end_func,
                                  batch.end == COPROC_END_BROKEN ? batch.error : NULL);
  g_clear_error (&batch.error);
  return batch.n_frames + ended;
}
