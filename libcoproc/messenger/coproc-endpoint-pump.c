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
#include "messenger/coproc-op-private.h"

#define BATCH_SIZE 64      /* messages handed over at once */

/* Messages that came one behind the other and go to a queue together: all of them replies or none. */
typedef struct
{
  CoprocChannel *channel;
  CoprocChain chain;       /* (owned) */
  guint n;
  gsize n_bytes;
  gboolean replies;
} Run;

/* One pass over the input. Its owner holds the read lock. */
typedef struct
{
  Run runs[BATCH_SIZE];
  guint n_runs;
  guint n;                 /* messages in them */
  gsize n_frames;          /* in all batches of the pass */
  gsize budget;            /* bytes that may still be read */
  gboolean emptied;        /* the link has nothing more for now */
  gboolean ended;
  CoprocEnd end;
  GError *error;           /* (nullable) (owned) why it ended */
  CoprocAftermath after;
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

/* Moves @run to its channel's queue. */
static void
queue_run (CoprocEndpoint *self, const Run *run)
{
  CoprocChannel *channel = run->channel;

  if (run->n == 0)
    return;
  self->n_queued += run->n;
  self->queued_bytes += run->n_bytes;
  coproc_channel_push (channel, &run->chain, run->n);
  if (self->watch_any)
    coproc_endpoint_signal_watch_locked (self);

  while (channel->receivers.length > 0)
    {
      CoprocMessage *next = NULL;
      GError *error = NULL;

      if (!coproc_endpoint_pop_locked (self, channel, &next, &error))
        return;
      coproc_op_complete_locked (g_queue_peek_head (&channel->receivers), next, error);
    }
  if (channel->n_queued > 0)
    coproc_endpoint_set_ready_locked (self, channel);
}

static inline void
run_add (Run *run, CoprocMessage *message)
{
  coproc_chain_append (&run->chain, message);
  run->n++;
  run->n_bytes += message->size;
}

/* Whether the reply @message goes to the queue of @channel. Takes it if not. */
static gboolean
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
        return TRUE;
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
  return FALSE;
}

/* Leaves in @run what is to be queued. */
static void
settle_run (CoprocEndpoint *self, Batch *batch, Run *run)
{
  CoprocMessage *message = run->chain.first, *next;

  *run = (Run) { .channel = run->channel };
  for (; message != NULL; message = next)
    {
      next = message->next;
      if (settle_with (self, batch, run->channel, message))
        run_add (run, message);
    }
}

static void
batch_hand_over (CoprocEndpoint *self, Batch *batch)
{
  if (batch->n == 0)
    return;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < batch->n_runs; i++)
    {
      Run *run = &batch->runs[i];

      if (self->state == COPROC_ENDPOINT_CLOSING)
        {
          coproc_chain_free (run->chain.first);
          continue;
        }
      if (run->replies)
        settle_run (self, batch, run);
      queue_run (self, run);
    }
  batch->n = batch->n_runs = 0;
  batch->after.refuses |= self->refused.length > 0; /* an asynchronous receive has met a request that was cancelled */
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

CoprocChannel *
coproc_endpoint_get_in_channel (CoprocEndpoint *self, guint32 number, GError **error)
{
  if (number < self->in_channels->len)
    return g_ptr_array_index (self->in_channels, number);

  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL, "Channel %u was never opened", number);
  return NULL;
}

static void
batch_add_message (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  const gboolean is_reply = frame->reply_serial != 0;
  Run *run = batch->n_runs > 0 ? &batch->runs[batch->n_runs - 1] : NULL;
  GError *error = NULL;
  CoprocChannel *channel = coproc_endpoint_get_in_channel (self, frame->channel, &error);

  if (channel == NULL)
    {
      batch_break (batch, error);
      return;
    }
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
  if (run == NULL || run->channel != channel || run->replies != is_reply)
    {
      run = &batch->runs[batch->n_runs++];
      *run = (Run) { .channel = channel, .replies = is_reply };
    }
  run_add (run, coproc_message_new_from_frame (&self->message_pool, frame, channel->name));
  batch->n++;
}

static void
batch_add_control (CoprocEndpoint *self, Batch *batch, const CoprocFrame *frame)
{
  GError *error = NULL;

  batch_hand_over (self, batch);
  if (batch->ended)
    return;

  if (frame->kind == COPROC_FRAME_GOODBYE)
    {
      batch->ended = TRUE;
      batch->end = COPROC_END_GOODBYE;
    }
  else if (!coproc_endpoint_handle_control (self, frame, &batch->after, &error))
    batch_break (batch, error);
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
      CoprocFrame frame;

      switch (self->transport->ops->receive (self->transport, &batch->budget, &frame, &batch->error))
        {
        case COPROC_RECEIVE_FRAME:
          batch->n_frames++;
          if (frame.kind >= COPROC_FRAME_NOREQUEST && frame.kind <= COPROC_FRAME_ERROR_REPLY)
            batch_add_message (self, batch, &frame);
          else
            batch_add_control (self, batch, &frame);
          g_clear_pointer (&frame.variant, g_variant_unref); /* a message has its own reference */
          n_bytes -= MIN (n_bytes, frame.size);
          break;
        case COPROC_RECEIVE_AGAIN:
          batch->emptied = TRUE;
          return FALSE;
        case COPROC_RECEIVE_LATER:
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
  if (backlog)
    coproc_endpoint_signal_watch_locked (self);
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

  batch.n = batch.n_runs = 0;
  batch.ended = batch.emptied = FALSE;
  batch.budget = mode == COPROC_PUMP_ALL ? COPROC_RECEIVE_ALL : COPROC_RECEIVE_BUDGET;
  batch.error = NULL;
  batch.n_frames = 0;
  batch.after = (CoprocAftermath) { 0 };

  g_mutex_lock (&self->read_lock);
  while (more && !self->input_done)
    {
      more = fill_batch (self, &batch, mode);
      batch_hand_over (self, &batch);
      self->input_done = ended = batch.ended;
    }
  self->n_frames += batch.n_frames;
  if (ended)
    end_func = coproc_endpoint_end_stream (self, batch.end, batch.error);
  note_backlog (self, !self->input_done && !batch.emptied);
  g_mutex_unlock (&self->read_lock);

  if (batch.n_frames > 0)
    coproc_endpoint_note_arrival (self);
  coproc_endpoint_settle_aftermath (self, &batch.after);
  if (ended)
    coproc_endpoint_stream_ended (self, end_func,
                                  batch.end == COPROC_END_BROKEN ? batch.error : NULL);
  g_clear_error (&batch.error);
  return batch.n_frames + ended;
}
