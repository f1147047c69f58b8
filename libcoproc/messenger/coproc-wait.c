/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Of several threads that wait at an endpoint one polls the link, and hands over what is for the
 * others: a message costs no wake-up of another thread.
 */
#include "messenger/coproc-wait-private.h"

#include <sched.h>

#include "coproc-error.h"
#include "coproc-interrupt-private.h"

/* Times that what was in vain is left out, at most. */
#define MAX_SPIN_SKIP 1023
#define MAX_LOOK_SKIP 63
#define LINGER_TIME 3 /* µs */
#define MAX_GAZE 100  /* looks without a system call: a few µs */
#define MAX_OFFER 100 /* µs that an offer of the processor takes unless others have work for it */
#define ABSTINENCE 16 /* times as long as it took is then done without */

static void
wait_cancelled (GCancellable *cancellable, gpointer data)
{
  CoprocEndpoint *endpoint = data;

  g_mutex_lock (&endpoint->lock);
  coproc_endpoint_wake_locked (endpoint);
  g_mutex_unlock (&endpoint->lock);
}

void
coproc_wait_begin (CoprocWait *wait, CoprocEndpoint *endpoint, gint64 deadline, GCancellable *cancellable)
{
  *wait = (CoprocWait) { .endpoint = endpoint, .deadline = deadline, .cancellable = cancellable };
  if (cancellable != NULL)
    wait->cancel_id = g_cancellable_connect (cancellable, G_CALLBACK (wait_cancelled), endpoint, NULL);
  g_mutex_lock (&endpoint->lock);
  coproc_endpoint_enter_sync_locked (endpoint);
}

void
coproc_wait_end (CoprocWait *wait)
{
  const gboolean refuses = wait->endpoint->refused.length > 0;
  const gboolean over = wait->endpoint->state == COPROC_ENDPOINT_ENDED && !wait->endpoint->input_shut
                        && wait->endpoint->transport != NULL;

  coproc_endpoint_leave_sync_locked (wait->endpoint);
  g_mutex_unlock (&wait->endpoint->lock);
  if (wait->cancel_id != 0)
    g_cancellable_disconnect (wait->cancellable, wait->cancel_id);
  if (refuses)
    coproc_endpoint_send_refusals (wait->endpoint);
  if (over)
    coproc_endpoint_tidy (wait->endpoint);
  if (wait->endpoint->accepted != NULL)
    coproc_endpoint_tell_accepted (wait->endpoint);
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

/* One look at the link. */
static gsize
look (CoprocEndpoint *self)
{
  if (!self->transport->ops->has_input (self->transport))
    return 0;
  return coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
}

/* Whether the peer, who was at @mark when something was there last, or 0, has sent nothing since: it waits, too. */
static gboolean
has_paused (CoprocEndpoint *self, guint32 *mark)
{
  const CoprocTransportOps *ops = self->transport->ops;
  const guint32 last = *mark;

  if (ops->get_mark == NULL || !ops->has_input (self->transport))
    return FALSE;
  *mark = ops->get_mark (self->transport);
  return *mark == last;
}

/* Offers the processor to others. @longest: µs that an offer has taken */
static void
offer_processor (gint64 *now, gint64 *longest)
{
  const gint64 before = *now;

  sched_yield ();
  *now = g_get_monotonic_time ();
  *longest = MAX (*longest, *now - before);
}

/* Who has work keeps an offered processor for a slice or more, with nothing here to preempt it, whereas who sleeps is run
 * soon after it is woken: the next offers are left out, so that little is lost by it in all. But where the peer had the
 * slice, and sent several messages in it, to wake for each would have cost more. */
static void
note_offers (CoprocEndpoint *self, gint64 now, gint64 longest, gsize n_frames)
{
  if (longest > MAX_OFFER && n_frames <= 1)
    self->crowded_until = now + ABSTINENCE * longest;
}

static gboolean
is_crowded (CoprocEndpoint *self)
{
  if (self->crowded_until == 0)
    return FALSE;
  if (g_get_monotonic_time () < self->crowded_until)
    return TRUE;
  self->crowded_until = 0;
  return FALSE;
}

/* Lets a peer that sends one message after the other get ahead: to read them one by one slows both. Returns: how
 * many frames came. */
static gsize
linger (CoprocEndpoint *self, gint64 *longest)
{
  const gint64 start = g_get_monotonic_time ();
  gint64 now = start;
  guint32 mark = 0;

  do
    offer_processor (&now, longest);
  while (!has_paused (self, &mark) && now - start < LINGER_TIME);
  return look (self);
}

/* Looks again and again without a system call, for a peer that answers from another core: where to look costs next
 * to nothing. Where it costs one, this is one look. Returns: how many frames came. */
static gsize
gaze (CoprocEndpoint *self)
{
  for (guint i = 0; i < MAX_GAZE; i++)
    {
      if (self->transport->ops->has_input (self->transport))
        return coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
      coproc_shared_memory_relax ();
    }
  return 0;
}

/* Looks at the link for a short while before the thread sleeps: a message that comes meanwhile costs
 * no wake-up, neither here nor at the sender. Before a look the processor is offered to others, so that
 * a peer on the same core can answer; only where messages are often there already the first look comes
 * first. Returns: whether something came. The poller's, without a lock. */
static gboolean
spin (CoprocEndpoint *self, guint spin_time, gint64 deadline)
{
  gint64 start, now, longest = 0;
  gsize n_frames = 0;

  if (spin_time == 0 || is_crowded (self) || !is_worth_trying (&self->spinning))
    return FALSE;

  if (is_worth_trying (&self->lingering))
    {
      n_frames = linger (self, &longest);
      note_outcome (&self->lingering, n_frames > 1, MAX_SPIN_SKIP);
    }
  else if (is_worth_trying (&self->looking))
    {
      n_frames = gaze (self);
      note_outcome (&self->looking, n_frames > 0, MAX_LOOK_SKIP);
    }

  start = now = g_get_monotonic_time ();
  while (n_frames == 0 && now - start < spin_time && (deadline < 0 || now < deadline)
         && !g_atomic_int_get (&self->woken))
    {
      offer_processor (&now, &longest);
      n_frames = look (self);
    }
  note_outcome (&self->spinning, n_frames > 0, MAX_SPIN_SKIP);
  note_offers (self, now, longest, n_frames);
  return n_frames > 0;
}

static void
sleep_until (CoprocEndpoint *self, gint64 deadline)
{
  const gint64 limit = coproc_interrupt_limit (deadline);

  self->transport->ops->wait (self->transport, &self->woken, self->wakeup.read_fd, limit);
  coproc_interrupt_ask_at_limit (limit, deadline);
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
        sleep_until (self, deadline);
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

gboolean
coproc_wait_step (CoprocWait *wait, GError **error)
{
  CoprocEndpoint *self = wait->endpoint;

  if (g_cancellable_set_error_if_cancelled (wait->cancellable, error))
    return FALSE;
  if (wait->deadline > 0 && !wait->is_late && g_get_monotonic_time () >= wait->deadline)
    {
      /* This process may not have run for a while: what came in time counts. */
      wait->is_late = TRUE;
      g_mutex_unlock (&self->lock);
      coproc_endpoint_pump (self, COPROC_PUMP_WAITING);
      g_mutex_lock (&self->lock);
      return TRUE;
    }
  if (wait->deadline == 0 || wait->is_late)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "Nothing came in time");
      return FALSE;
    }
  if (!coproc_endpoint_check_limit_locked (self, error))
    return FALSE;
  if (self->refused.length > 0)
    {
      g_mutex_unlock (&self->lock);
      coproc_endpoint_send_refusals (self);
      g_mutex_lock (&self->lock);
      return TRUE; /* something may have come meanwhile */
    }

  self->n_blocked++;
  if (wait->blocked != NULL)
    g_queue_push_tail_link (&self->blocked, &wait->blocked->link);

  if (self->poller == NULL && self->watch_input && !coproc_endpoint_is_over_locked (self))
    wait_for_input (self, wait->deadline);
  else
    {
      self->n_waiting++;
      coproc_interrupt_wait (&self->arrived, &self->lock, wait->deadline);
      self->n_waiting--;
    }

  if (wait->blocked != NULL)
    g_queue_unlink (&self->blocked, &wait->blocked->link);
  self->n_blocked--;
  return !coproc_interrupt_take (error);
}

gint64
coproc_wait_get_deadline (gint64 timeout_us)
{
  if (timeout_us <= 0)
    return timeout_us < 0 ? -1 : 0;
  return g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4);
}
