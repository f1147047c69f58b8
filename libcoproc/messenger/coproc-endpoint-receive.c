/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Receiving: what leaves the queues.
 */
#include "coproc-error-private.h"
#include "messenger/coproc-wait-private.h"

/* --- taking messages --- */

/* The bookkeeping of @n messages of @n_bytes in all that have left @channel's queue. */
static void
messages_left_locked (CoprocEndpoint *self, CoprocChannel *channel, guint n, gsize n_bytes)
{
  self->n_queued -= n;
  self->queued_bytes -= n_bytes;
  if (channel->n_queued == 0 && channel->ready)
    {
      g_queue_unlink (channel->claimed ? &self->claimed : &self->ready, &channel->ready_link);
      channel->ready = FALSE;
    }
  if (self->stalled && self->n_queued < self->limits.max_queued_messages
      && self->queued_bytes < self->limits.max_queued_bytes)
    {
      self->stalled = FALSE;
      coproc_endpoint_source_update_locked (self);
    }
}

static void
count_received_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *message)
{
  channel->messages_received++;
  if (coproc_message_is_reply (message))
    {
      channel->replies_received++;
      channel->settled++;
    }
  else if (message->kind == COPROC_FRAME_REQUEST)
    coproc_endpoint_owe_reply_locked (self, channel, message);
}

/* The next message of @channel, which is a request, is not wanted any more. */
static void
refuse_next_locked (CoprocEndpoint *self, CoprocChannel *channel)
{
  g_autoptr (CoprocMessage) request = coproc_channel_pop (channel);

  messages_left_locked (self, channel, 1, request->size);
  coproc_endpoint_refuse_locked (self, channel, request);
}

void
coproc_endpoint_give_back_locked (CoprocEndpoint *self, CoprocChannel *channel)
{
  CoprocMessage *message;

  while ((message = coproc_channel_peek (channel)) != NULL && message->kind == COPROC_FRAME_REQUEST)
    refuse_next_locked (self, channel);
}

/* The message that is next on @channel, past requests that the peer has withdrawn: (nullable) */
static CoprocMessage *
peek_locked (CoprocEndpoint *self, CoprocChannel *channel)
{
  CoprocMessage *message;

  while ((message = coproc_channel_peek (channel)) != NULL && self->withdrawn != NULL
         && message->kind == COPROC_FRAME_REQUEST
         && g_hash_table_remove (self->withdrawn, &message->serial))
    refuse_next_locked (self, channel);
  return message;
}

static gboolean
take_locked (CoprocEndpoint  *self,
             CoprocChannel   *channel,
             gboolean         reply_only,
             CoprocMessage  **message,
             GError         **error)
{
  CoprocMessage *next;

  if (G_UNLIKELY (self->withdrawn != NULL) && !reply_only)
    peek_locked (self, channel);
  next = reply_only ? coproc_channel_pop_reply (channel) : coproc_channel_pop (channel);
  if (next == NULL)
    return FALSE;
  messages_left_locked (self, channel, 1, next->size);

  count_received_locked (self, channel, next);
  if (next->kind == COPROC_FRAME_ERROR_REPLY)
    {
      g_propagate_error (error, coproc_error_from_variant (next->variant));
      g_clear_pointer (&next, coproc_message_unref);
    }
  *message = next;
  return TRUE;
}

gboolean
coproc_endpoint_pop_locked (CoprocEndpoint  *self,
                            CoprocChannel   *channel,
                            CoprocMessage  **message,
                            GError         **error)
{
  return take_locked (self, channel, FALSE, message, error);
}

static gboolean
take_any_locked (CoprocEndpoint *self, CoprocMessage **message, GError **error)
{
  while (self->ready.length > 0)
    {
      CoprocChannel *channel = self->ready.head->data;

      /* each channel in its turn */
      g_queue_unlink (&self->ready, &channel->ready_link);
      g_queue_push_tail_link (&self->ready, &channel->ready_link);
      if (take_locked (self, channel, FALSE, message, error))
        return TRUE;
    }
  return FALSE;
}

gboolean
coproc_endpoint_take_special_locked (CoprocEndpoint *self, CoprocBlocked *blocked, GError **error)
{
  GError *special = blocked != NULL ? g_steal_pointer (&blocked->special) : NULL;

  if (special == NULL)
    special = g_queue_pop_head (&self->specials);
  if (special == NULL)
    return FALSE;
  g_propagate_error (error, special);
  return TRUE;
}

/* Whether a receive is done: with *message, with *error, or with neither. */
static gboolean
take_wanted_locked (CoprocEndpoint  *self,
                    CoprocWant       want,
                    CoprocChannel   *channel,
                    CoprocMessage  **message,
                    GError         **error)
{
  switch (want)
    {
    case COPROC_WANT_CHANNEL:
      return take_locked (self, channel, FALSE, message, error);
    case COPROC_WANT_REMAINING:
      if (take_locked (self, channel, TRUE, message, error))
        return TRUE;
      if (channel->settled < channel->requests_sent)
        return FALSE;
      coproc_endpoint_take_loss_locked (self, channel, error);
      return TRUE;
    case COPROC_WANT_ANY:
      return take_any_locked (self, message, error);
    case COPROC_WANT_PEEK:
    default:
      return self->ready.length > 0;
    }
}

CoprocChannel *
coproc_endpoint_find_channel_locked (CoprocEndpoint *self, const char *name, GError **error)
{
  CoprocChannel *channel;

  channel = name != NULL ? g_hash_table_lookup (self->channels, name) : self->default_channel;
  if (channel == NULL && (*name == '\0' || !g_utf8_validate (name, -1, NULL)))
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                           "A channel's name must be valid text, and not empty");
      return NULL;
    }
  if (channel == NULL)
    channel = coproc_endpoint_get_channel_locked (self, name);
  if (channel->claimed)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                   "Channel %s is listened to: its messages are signals", name != NULL ? name : "(default)");
      return NULL;
    }
  return channel;
}

/* Counts what this process may have learned of a send by: its own sends to peers that are, or may
 * be, in this process, and what has come in. Atomic. */
static int news;

/* How long a link that was seen empty is taken to be so: about 10 µs. A processor's own clock, whose rate need not be
 * known for that, is cheaper to read than the system's. */
#if defined(__x86_64__)
#define EMPTY_TICKS 25000
#define get_ticks() ((guint64) __builtin_ia32_rdtsc ())
#else
#define EMPTY_TICKS 10
#define get_ticks() ((guint64) g_get_monotonic_time ())
#endif

void
coproc_endpoint_note_send (CoprocEndpoint *self)
{
  if (!g_atomic_int_get (&self->peer_is_remote))
    g_atomic_int_inc (&news);
}

void
coproc_endpoint_note_arrival (CoprocEndpoint *self)
{
  g_atomic_int_inc (&news);
  g_atomic_int_inc (&self->own_news);
}

/* To look at an empty link may cost a system call, as much as all else that a receive does. So a link
 * that was empty a moment ago is not looked at again, unless this
 * process has sent something since, or something has come in elsewhere: word of a send that has
 * returned in another process takes longer on any other way. */
void
coproc_endpoint_look_locked (CoprocEndpoint *self, gboolean in_turn)
{
  const int n_news = g_atomic_int_get (&news) - g_atomic_int_get (&self->own_news);
  const guint64 now = get_ticks ();

  if (in_turn && n_news == self->emptied_news && now - self->emptied_at < EMPTY_TICKS)
    return;

  if (!in_turn || self->backlog || self->transport == NULL || self->transport->ops->has_input (self->transport))
    {
      g_mutex_unlock (&self->lock);
      coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);
      g_mutex_lock (&self->lock);
    }
  self->emptied_at = now;
  self->emptied_news = n_news;
}

void
coproc_endpoint_look (CoprocEndpoint *self)
{
  g_mutex_lock (&self->lock);
  coproc_endpoint_look_locked (self, TRUE);
  g_mutex_unlock (&self->lock);
}

/* Waits until @wait's receive is done: with *message, with *error, or with neither. (lock) */
static void
receive_locked (CoprocWait      *wait,
                CoprocWant       want,
                CoprocChannel   *channel,
                CoprocMessage  **message,
                GError         **error)
{
  CoprocEndpoint *self = wait->endpoint;
  const gboolean anything_queued = (channel != NULL ? channel->n_queued : self->ready.length) > 0;

  /* What is in the link may be more urgent than what is queued. With nothing queued it is cheaper
   * to wait first: that reads too. */
  if (wait->deadline == 0 || anything_queued || want == COPROC_WANT_REMAINING)
    coproc_endpoint_look_locked (self, anything_queued);

  while (!coproc_endpoint_take_special_locked (self, wait->blocked, error)
         && !take_wanted_locked (self, want, channel, message, error))
    {
      if (coproc_endpoint_is_over_locked (self))
        {
          g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
          break;
        }
      if (!coproc_wait_step (wait, error))
        {
          coproc_endpoint_watch_any_locked (self);
          break;
        }
    }
}

/* --- receiving --- */

/* Adds what is queued on @channel to @messages until it has @max of them, and stops before an error
 * reply. */
static void
take_queued_locked (CoprocEndpoint *self, CoprocChannel *channel, gsize max, GPtrArray *messages)
{
  const guint n_wanted = (guint) MIN (max - messages->len, channel->n_queued);
  const guint first = messages->len;
  CoprocMessage **places;
  guint n = 0, n_popped;
  gsize n_bytes;

  g_ptr_array_set_size (messages, (int) (first + n_wanted));
  places = (CoprocMessage **) messages->pdata + first;
  while (n < n_wanted)
    {
      /* a request that is withdrawn is dropped before it can be taken */
      if (G_UNLIKELY (self->withdrawn != NULL))
        peek_locked (self, channel);
      n_popped = coproc_channel_pop_run (channel, places + n, self->withdrawn != NULL ? 1 : n_wanted - n);
      if (n_popped == 0)
        break;
      n_bytes = 0;
      for (guint i = n; i < n + n_popped; i++)
        {
          count_received_locked (self, channel, places[i]);
          n_bytes += places[i]->size;
        }
      messages_left_locked (self, channel, n_popped, n_bytes);
      n += n_popped;
    }
  messages->len = first + n; /* the places behind are empty */
}

static GPtrArray *
message_array_new (gsize n)
{
  return g_ptr_array_new_full ((guint) MIN (n, G_MAXUINT - 1) + 1, (GDestroyNotify) coproc_message_unref);
}

/* The next message, and with @more (nullable) an array of it and of what is queued behind it, at most @max. */
static CoprocMessage *
receive (CoprocEndpoint   *self,
         CoprocWant        want,
         const char       *name,
         gint64            timeout_us,
         GCancellable     *cancellable,
         gsize             max,
         GPtrArray       **more,
         GError          **error)
{
  CoprocBlocked blocked = { .link = { .data = &blocked } };
  CoprocMessage *message = NULL;
  CoprocChannel *channel = NULL;
  const gboolean by_name = want == COPROC_WANT_CHANNEL || want == COPROC_WANT_REMAINING;
  CoprocWait wait;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;

  coproc_wait_begin (&wait, self, coproc_wait_get_deadline (timeout_us), cancellable);
  wait.blocked = &blocked;
  if (!by_name || (channel = coproc_endpoint_find_channel_locked (self, name, error)) != NULL)
    receive_locked (&wait, want, channel, &message, error);
  if (message != NULL && more != NULL)
    {
      *more = message_array_new (MIN (max, 1 + (gsize) channel->n_queued));
      g_ptr_array_add (*more, message);
      take_queued_locked (self, channel, max, *more);
    }
  if (blocked.special != NULL)
    g_queue_push_head (&self->specials, blocked.special);
  coproc_wait_end (&wait);
  return message;
}

CoprocMessage *
coproc_endpoint_receive (CoprocEndpoint  *self,
                         CoprocWant       want,
                         const char      *name,
                         gint64           timeout_us,
                         GCancellable    *cancellable,
                         GError         **error)
{
  return receive (self, want, name, timeout_us, cancellable, 1, NULL, error);
}

GPtrArray *
coproc_endpoint_receive_messages (CoprocEndpoint  *self,
                                  const char      *name,
                                  gsize            max,
                                  gint64           timeout_us,
                                  GCancellable    *cancellable,
                                  GError         **error)
{
  GPtrArray *messages = NULL;

  receive (self, COPROC_WANT_CHANNEL, name, timeout_us, cancellable, max, &messages, error);
  return messages;
}

GPtrArray *
coproc_endpoint_receive_available (CoprocEndpoint *self, const char *name, GError **error)
{
  g_autoptr (GPtrArray) messages = NULL;
  CoprocMessage *first = NULL;
  GError *failure = NULL;
  CoprocChannel *channel;
  CoprocWait wait;

  coproc_wait_begin (&wait, self, 0, NULL);
  coproc_endpoint_look_locked (self, FALSE);
  channel = coproc_endpoint_find_channel_locked (self, name, &failure);
  if (channel != NULL && !coproc_endpoint_take_special_locked (self, NULL, &failure))
    {
      messages = message_array_new (channel->n_queued);
      if (take_locked (self, channel, FALSE, &first, &failure) && first != NULL)
        {
          g_ptr_array_add (messages, first);
          take_queued_locked (self, channel, G_MAXSIZE, messages);
        }
      else if (failure == NULL && coproc_endpoint_is_over_locked (self))
        failure = coproc_endpoint_copy_end_error_locked (self);
    }
  coproc_wait_end (&wait);

  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return NULL;
    }
  return g_steal_pointer (&messages);
}

gssize
coproc_endpoint_available (CoprocEndpoint *self, const char *name, GError **error)
{
  CoprocChannel *channel;
  gssize n = -1;
  CoprocWait wait;

  coproc_wait_begin (&wait, self, 0, NULL);
  coproc_endpoint_look_locked (self, FALSE);
  channel = coproc_endpoint_find_channel_locked (self, name, error);
  if (channel != NULL && !coproc_endpoint_take_special_locked (self, NULL, error))
    {
      if (channel->n_queued == 0 && coproc_endpoint_is_over_locked (self))
        g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
      else
        n = channel->n_queued;
    }
  coproc_wait_end (&wait);
  return n;
}
