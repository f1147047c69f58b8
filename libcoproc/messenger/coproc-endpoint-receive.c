/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Receiving in the caller's thread. The thread reads the link itself, so that a message costs no
 * wake-up of another thread. Of several threads that wait, one polls the link and hands over what
 * is for the others.
 */
#include "messenger/coproc-endpoint-private.h"

#include <sched.h>

#include "coproc-config.h"
#include "coproc-error-private.h"

#if HAVE_EPOLL_CREATE1
#include <sys/epoll.h>
#endif

/* Times that what was in vain is left out, at most. */
#define MAX_SPIN_SKIP 1023
#define MAX_LOOK_SKIP 63
#define LINGER_TIME 3 /* µs */

/* --- waiting --- */

/* One blocking call: on the stack. */
typedef struct
{
  CoprocEndpoint *endpoint;
  gint64 deadline;          /* monotonic µs, -1: none, 0: it must not wait */
  GCancellable *cancellable;
  gulong cancel_id;
  CoprocBlocked *blocked;   /* (nullable) set for receives: specials are raised in it */
} Wait;

static void
wait_cancelled (GCancellable *cancellable, gpointer data)
{
  CoprocEndpoint *endpoint = data;

  g_mutex_lock (&endpoint->lock);
  coproc_endpoint_wake_locked (endpoint);
  g_mutex_unlock (&endpoint->lock);
}

/* Returns with the lock held. */
static void
wait_begin (Wait *wait, CoprocEndpoint *endpoint, gint64 deadline, GCancellable *cancellable)
{
  *wait = (Wait) { .endpoint = endpoint, .deadline = deadline, .cancellable = cancellable };
  if (cancellable != NULL)
    wait->cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (wait_cancelled), endpoint, NULL);
  g_mutex_lock (&endpoint->lock);
  coproc_endpoint_enter_sync_locked (endpoint);
}

/* Gives the lock back. */
static void
wait_end (Wait *wait)
{
  const gboolean over = wait->endpoint->state == COPROC_ENDPOINT_ENDED && !wait->endpoint->input_shut
                        && wait->endpoint->transport != NULL;

  coproc_endpoint_leave_sync_locked (wait->endpoint);
  g_mutex_unlock (&wait->endpoint->lock);
  if (wait->cancel_id != 0)
    g_cancellable_disconnect (wait->cancellable, wait->cancel_id);
  if (over)
    coproc_endpoint_tidy (wait->endpoint);
}

/* Whether to try this time what is left out after it was in vain. */
static gboolean
is_worth_trying (CoprocTrial *self)
{
  if (self->n_skip == 0)
    return TRUE;
  self->n_skip--;
  return FALSE;
}

/* The next ones are left out when it was in vain, twice as many each time. */
static void
note_outcome (CoprocTrial *self, gboolean paid, guint max_skip)
{
  self->penalty = paid ? 0 : MIN (2 * self->penalty + 1, max_skip);
  self->n_skip = self->penalty;
}

/* Lets a peer that sends one message after the other get ahead: to read them one by one slows both. Returns: how
 * many frames came. */
static gsize
linger (CoprocEndpoint *self)
{
  const gint64 start = g_get_monotonic_time ();

  do
    sched_yield ();
  while (g_get_monotonic_time () - start < LINGER_TIME);
  return coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
}

/* Looks at the link for a short while before the thread sleeps: a message that comes meanwhile costs
 * no wake-up, neither here nor at the sender. Before a look the processor is offered to others, so that
 * a peer on the same core can answer; only where messages are often there already the first look comes
 * first. Returns: whether something came. The poller's, without a lock. */
static gboolean
spin (CoprocEndpoint *self, guint spin_time, gint64 deadline)
{
  gint64 start, now;
  gsize n_frames = 0;

  if (spin_time == 0 || !is_worth_trying (&self->spinning))
    return FALSE;

  if (is_worth_trying (&self->lingering))
    {
      n_frames = linger (self);
      note_outcome (&self->lingering, n_frames > 1, MAX_SPIN_SKIP);
    }
  else if (is_worth_trying (&self->looking))
    {
      n_frames = coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
      note_outcome (&self->looking, n_frames > 0, MAX_LOOK_SKIP);
    }

  start = now = g_get_monotonic_time ();
  while (n_frames == 0 && now - start < spin_time && (deadline < 0 || now < deadline)
         && !g_atomic_int_get (&self->woken))
    {
      sched_yield ();
      n_frames = coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
      now = n_frames > 0 ? now : g_get_monotonic_time ();
    }
  note_outcome (&self->spinning, n_frames > 0, MAX_SPIN_SKIP);
  return n_frames > 0;
}

static void
wait_for_input (CoprocEndpoint *self, gint64 deadline)
{
  const guint spin_time = self->spin_time;
  const gboolean backlog = self->backlog;
  gboolean was_woken;

  self->poller = g_thread_self ();
  g_mutex_unlock (&self->lock);

  if (backlog || !spin (self, spin_time, deadline))
    {
      if (!backlog)
        self->transport->ops->wait (self->transport, self->wakeup.read_fd, deadline);
      coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
    }

  g_mutex_lock (&self->lock);
  self->poller = NULL;
  was_woken = self->woken;
  g_atomic_int_set (&self->woken, FALSE);
  if (was_woken)
    coproc_wakeup_clear (&self->wakeup);
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->arrived); /* another one polls now */
}

gboolean
coproc_endpoint_check_limit_locked (CoprocEndpoint *self, GError **error)
{
  if (self->n_queued < 2 * (guint64) self->limits.max_queued_messages
      && self->queued_bytes < 2 * self->limits.max_queued_bytes)
    return TRUE;

  g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
                       "The inbound queues are full of other messages");
  return FALSE;
}

/* Waits until something may have changed. FALSE with error set when it must not wait any more. */
static gboolean
wait_step (Wait *wait, GError **error)
{
  CoprocEndpoint *self = wait->endpoint;

  if (g_cancellable_set_error_if_cancelled (wait->cancellable, error))
    return FALSE;
  if (wait->deadline >= 0 && (wait->deadline == 0 || g_get_monotonic_time () >= wait->deadline))
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "Nothing came in time");
      return FALSE;
    }
  if (!coproc_endpoint_check_limit_locked (self, error))
    return FALSE;

  self->n_blocked++;
  if (wait->blocked != NULL)
    g_queue_push_tail_link (&self->blocked, &wait->blocked->link);

  if (self->poller == NULL && self->watch_input && !coproc_endpoint_is_over_locked (self))
    wait_for_input (self, wait->deadline);
  else
    {
      self->n_waiting++;
      if (wait->deadline < 0)
        g_cond_wait (&self->arrived, &self->lock);
      else
        g_cond_wait_until (&self->arrived, &self->lock, wait->deadline);
      self->n_waiting--;
    }

  if (wait->blocked != NULL)
    g_queue_unlink (&self->blocked, &wait->blocked->link);
  self->n_blocked--;
  return TRUE;
}

static gint64
deadline_of (gint64 timeout_us)
{
  if (timeout_us <= 0)
    return timeout_us < 0 ? -1 : 0;
  return g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);
}

/* --- taking messages --- */

static gboolean
is_withdrawn_locked (CoprocEndpoint *self, CoprocMessage *message)
{
  return self->withdrawn != NULL && message->kind == COPROC_FRAME_REQUEST
         && g_hash_table_remove (self->withdrawn, &message->serial);
}

static void
owe_reply_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request)
{
  request->invocation = coproc_invocation_new (request);
  request->invocation->owner = self;
  g_queue_push_tail_link (&channel->unanswered, &request->invocation->link);
  coproc_invocation_ref (request->invocation);
}

/* The bookkeeping of a message that has left @channel's queue. */
static void
message_left_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *message)
{
  self->n_queued--;
  self->queued_bytes -= message->size;
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

static gboolean
take_locked (CoprocEndpoint  *self,
             CoprocChannel   *channel,
             gboolean         reply_only,
             CoprocMessage  **message,
             GError         **error)
{
  CoprocMessage *next;

  for (;;)
    {
      next = reply_only ? coproc_channel_pop_reply (channel) : coproc_channel_pop (channel);
      if (next == NULL)
        return FALSE;
      message_left_locked (self, channel, next);
      if (!is_withdrawn_locked (self, next))
        break;
      coproc_message_unref (next);
    }

  channel->messages_received++;
  if (coproc_message_is_reply (next))
    {
      channel->replies_received++;
      channel->settled++;
    }
  else if (next->kind == COPROC_FRAME_REQUEST)
    owe_reply_locked (self, channel, next);

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

static gboolean
take_special_locked (CoprocEndpoint *self, CoprocBlocked *blocked, GError **error)
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
      if (channel->lost > 0)
        {
          channel->lost = 0;
          g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
        }
      return TRUE;
    case COPROC_WANT_ANY:
      return take_any_locked (self, message, error);
    case COPROC_WANT_PEEK:
    default:
      return self->ready.length > 0;
    }
}

static CoprocChannel *
find_channel_locked (CoprocEndpoint *self, const char *name, GError **error)
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

/* µs for which a link that was seen empty is taken to be so. */
#define EMPTY_TIME 10

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

/* Reads what is there, without waiting. (lock)
 *
 * To look at an empty link costs a system call, as much as all else that a receive does. So a link
 * that was empty a moment ago is not looked at again while there is something queued, unless this
 * process has sent something since, or something has come in elsewhere: word of a send that has
 * returned in another process takes longer on any other way. */
static void
pump_locked (CoprocEndpoint *self, gboolean anything_queued)
{
  const int n_news = g_atomic_int_get (&news) - g_atomic_int_get (&self->own_news);
  const gint64 now = g_get_monotonic_time ();

  if (anything_queued && n_news == self->emptied_news && now - self->emptied_at < EMPTY_TIME)
    return;

  g_mutex_unlock (&self->lock);
  coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);
  g_mutex_lock (&self->lock);
  self->emptied_at = now;
  self->emptied_news = n_news;
}

void
coproc_endpoint_look (CoprocEndpoint *self)
{
  g_mutex_lock (&self->lock);
  pump_locked (self, TRUE);
  g_mutex_unlock (&self->lock);
}

CoprocMessage *
coproc_endpoint_receive (CoprocEndpoint  *self,
                         CoprocWant       want,
                         const char      *name,
                         gint64           timeout_us,
                         GCancellable    *cancellable,
                         GError         **error)
{
  CoprocBlocked blocked = { .link = { .data = &blocked } };
  CoprocMessage *message = NULL;
  CoprocChannel *channel = NULL;
  const gboolean by_name = want == COPROC_WANT_CHANNEL || want == COPROC_WANT_REMAINING;
  gboolean anything_queued;
  Wait wait;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;

  wait_begin (&wait, self, deadline_of (timeout_us), cancellable);
  wait.blocked = &blocked;
  if (!by_name || (channel = find_channel_locked (self, name, error)) != NULL)
    {
      /* What is in the link may be more urgent than what is queued. With nothing queued it is cheaper
       * to wait first: that reads too. */
      anything_queued = (by_name ? channel->n_queued : self->ready.length) > 0;
      if (wait.deadline == 0 || anything_queued || want == COPROC_WANT_REMAINING)
        pump_locked (self, anything_queued);

      while (!take_special_locked (self, &blocked, error)
             && !take_wanted_locked (self, want, channel, &message, error))
        {
          if (coproc_endpoint_is_over_locked (self))
            {
              g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
              break;
            }
          if (!wait_step (&wait, error))
            break;
        }
    }
  if (blocked.special != NULL)
    g_queue_push_head (&self->specials, blocked.special);
  wait_end (&wait);
  return message;
}

GPtrArray *
coproc_endpoint_receive_available (CoprocEndpoint *self, const char *name, GError **error)
{
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func ((GDestroyNotify) coproc_message_unref);
  GError *failure = NULL;
  CoprocChannel *channel;
  CoprocMessage *message;
  Wait wait;

  wait_begin (&wait, self, 0, NULL);
  pump_locked (self, FALSE);
  channel = find_channel_locked (self, name, &failure);
  if (channel != NULL && !take_special_locked (self, NULL, &failure))
    {
      while ((message = coproc_channel_peek (channel)) != NULL
             && (messages->len == 0 || message->kind != COPROC_FRAME_ERROR_REPLY)
             && failure == NULL && take_locked (self, channel, FALSE, &message, &failure))
        if (message != NULL)
          g_ptr_array_add (messages, message);
      if (messages->len == 0 && failure == NULL && coproc_endpoint_is_over_locked (self))
        failure = coproc_endpoint_copy_end_error_locked (self);
    }
  wait_end (&wait);

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
  Wait wait;

  wait_begin (&wait, self, 0, NULL);
  pump_locked (self, FALSE);
  channel = find_channel_locked (self, name, error);
  if (channel != NULL && !take_special_locked (self, NULL, error))
    {
      if (channel->n_queued == 0 && coproc_endpoint_is_over_locked (self))
        g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
      else
        n = channel->n_queued;
    }
  wait_end (&wait);
  return n;
}

/* --- a descriptor to poll --- */

void
coproc_endpoint_signal_watch_locked (CoprocEndpoint *self)
{
  if (self->watch_fd < 0 || self->notified)
    return;
  self->notified = TRUE;
  coproc_wakeup_signal (&self->notify);
}

/* Makes the descriptor quiet when there is no reason left. */
static void
quieten_watch_locked (CoprocEndpoint *self)
{
  if (!self->notified || self->hot->len > 0 || self->specials.length > 0
      || coproc_endpoint_is_over_locked (self))
    return;
  self->notified = FALSE;
  coproc_wakeup_clear (&self->notify);
}

/* Found empty: a message for it makes the descriptor readable. A hot channel that nobody has tried
 * between two findings of the same other one is nobody's any more. */
static void
watch_locked (CoprocEndpoint *self, CoprocChannel *channel)
{
  channel->watched = TRUE;
  for (guint i = self->hot->len; i > 0; i--)
    {
      CoprocChannel *other = g_ptr_array_index (self->hot, i - 1);

      if (other->witness == channel)
        {
          other->watched = FALSE;
          g_ptr_array_remove_index_fast (self->hot, i - 1);
        }
      else if (other->witness == NULL)
        other->witness = channel;
    }
}

CoprocMessage *
coproc_endpoint_try_receive (CoprocEndpoint *self, const char *name, GError **error)
{
  CoprocMessage *message = NULL;
  GError *failure = NULL;
  CoprocChannel *channel;
  Wait wait;

  wait_begin (&wait, self, 0, NULL);
  pump_locked (self, FALSE);
  channel = find_channel_locked (self, name, &failure);
  if (channel != NULL)
    {
      const gboolean special = take_special_locked (self, NULL, &failure);

      g_ptr_array_remove_fast (self->hot, channel);
      if (!special && !take_locked (self, channel, FALSE, &message, &failure))
        {
          if (coproc_endpoint_is_over_locked (self))
            failure = coproc_endpoint_copy_end_error_locked (self);
          else if (self->watch_fd >= 0)
            watch_locked (self, channel);
        }
      quieten_watch_locked (self);
    }
  wait_end (&wait);

  if (failure != NULL)
    g_propagate_error (error, failure);
  return message;
}

void
coproc_endpoint_watch_ended_locked (CoprocEndpoint *self)
{
  if (self->watch_fd < 0)
    return;
#if HAVE_EPOLL_CREATE1
  (void) epoll_ctl (self->watch_fd, EPOLL_CTL_DEL,
                    self->transport->ops->get_input_fd (self->transport), NULL);
#endif
  if (coproc_endpoint_is_over_locked (self))
    coproc_endpoint_signal_watch_locked (self);
}

static int
open_watch_locked (CoprocEndpoint *self)
{
  if (!coproc_wakeup_open (&self->notify, NULL))
    return -1;
#if HAVE_EPOLL_CREATE1
  {
    struct epoll_event event = { .events = EPOLLIN };
    int fd = epoll_create1 (EPOLL_CLOEXEC);

    if (fd < 0)
      {
        coproc_wakeup_close (&self->notify);
        return -1;
      }
    (void) epoll_ctl (fd, EPOLL_CTL_ADD, self->notify.read_fd, &event);
    if (self->watch_input && !coproc_endpoint_is_over_locked (self))
      (void) epoll_ctl (fd, EPOLL_CTL_ADD, self->transport->ops->get_input_fd (self->transport), &event);
    return fd;
  }
#else
  return self->notify.read_fd;
#endif
}

int
coproc_endpoint_get_fd (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->watch_fd < 0)
    {
      self->watch_fd = open_watch_locked (self);
      /* who asks now may have tried before: let it try once more */
      coproc_endpoint_signal_watch_locked (self);
    }
  return self->watch_fd;
}

gboolean
coproc_endpoint_poll (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);

  locker = g_mutex_locker_new (&self->lock);
  return self->n_queued > 0 || self->specials.length > 0
         || (self->transport != NULL && coproc_endpoint_is_over_locked (self));
}

/* --- calls --- */

void
coproc_endpoint_complete_call_locked (CoprocEndpoint  *self,
                                      CoprocCall      *call,
                                      CoprocChannel   *channel,
                                      CoprocMessage   *reply,
                                      GError          *error)
{
  channel->settled++;
  if (reply != NULL || !coproc_endpoint_is_over_locked (self))
    {
      channel->messages_received++;
      channel->replies_received++;
    }
  call->done = TRUE;
  if (call->op != NULL)
    coproc_op_complete_locked (call->op, reply, error);
  else
    {
      call->reply = reply;
      call->error = error;
    }
}

gboolean
coproc_endpoint_abandon_locked (CoprocEndpoint *self, guint64 serial, CoprocChannel *channel)
{
  if (!coproc_pending_abandon (self->pending, serial))
    return FALSE;
  channel->settled++;
  return TRUE;
}

CoprocMessage *
coproc_endpoint_await_call (CoprocEndpoint  *self,
                            CoprocCall      *call,
                            const char      *name,
                            guint64          serial,
                            gint64           deadline,
                            GCancellable    *cancellable,
                            GError         **error)
{
  CoprocChannel *given_up = NULL;
  GError *failure = NULL;
  Wait wait;

  wait_begin (&wait, self, deadline, cancellable);
  while (!call->done && wait_step (&wait, &failure))
    ;
  if (!call->done)
    {
      given_up = coproc_endpoint_get_channel_locked (self, name);
      coproc_endpoint_abandon_locked (self, serial, given_up);
    }
  wait_end (&wait);

  if (given_up != NULL)
    coproc_endpoint_send_cancel (self, given_up, serial);
  if (call->done)
    g_clear_error (&failure);
  else
    call->error = failure;
  if (call->error != NULL)
    g_propagate_error (error, g_steal_pointer (&call->error));
  return g_steal_pointer (&call->reply);
}

GVariant *
coproc_endpoint_await_hello (CoprocEndpoint  *self,
                             gint64           timeout_us,
                             GCancellable    *cancellable,
                             GError         **error)
{
  GVariant *hello = NULL;
  GError *special = NULL;
  Wait wait;

  wait_begin (&wait, self, timeout_us == 0 ? 1 : deadline_of (timeout_us), cancellable);
  while (self->peer_hello == NULL)
    {
      if (take_special_locked (self, NULL, &special))
        {
          g_propagate_error (error, special);
          break;
        }
      if (coproc_endpoint_is_over_locked (self))
        {
          g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
          break;
        }
      if (!wait_step (&wait, error))
        break;
    }
  if (self->peer_hello != NULL)
    hello = g_variant_ref (self->peer_hello);
  wait_end (&wait);
  return hello;
}
