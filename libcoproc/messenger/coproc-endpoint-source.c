/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The background thread's part of an endpoint: it writes what did not fit, reads when no thread reads
 * for itself, and notices the end.
 *
 * Threads that receive read the link themselves, and waking the background thread for each message
 * as well would cost more than the message. So the first such receive parks the background's
 * reading; a timer looks now and then whether threads still receive, and when none has for a while
 * the background reads again. A parked input is not even watched for its hang-up: whoever writes to a
 * pipe that is polled pays for it with each write.
 */
#include "messenger/coproc-endpoint-private.h"

#include "coproc-config.h"
#include "wire/coproc-io-private.h"

#define REARM_DELAY (20 * 1000)         /* µs without a receive after which the background reads again */
#define PROBE_DELAY (250 * 1000)        /* µs after a write when to see whether the peer reads */
#define MAX_PROBE_DELAY (4 * G_USEC_PER_SEC)

typedef struct
{
  GSource source;
  CoprocEndpoint *endpoint; /* (owned) */
} EndpointSource;

/* --- under the lock, from any thread --- */

/* What to poll the input for: -1 for nothing at all, 0 for its hang-up alone. A thread that receives sees
 * the end by itself, except where it does not wait at the fd. */
static int
get_wanted_events_locked (CoprocEndpoint *self)
{
  gboolean reads = self->state == COPROC_ENDPOINT_OPEN && !self->parked_input && !self->stalled;

  if (!self->watch_input
      || (self->parked_input && self->state == COPROC_ENDPOINT_OPEN && self->transport->ops->wake == NULL))
    return -1;
  /* Two ends that close with output left let each other finish: what comes in is dropped. */
  if (self->state == COPROC_ENDPOINT_CLOSING)
    reads = self->want_output;
  return reads ? G_IO_IN : 0;
}

static gboolean
has_backlog_locked (CoprocEndpoint *self)
{
  return self->backlog && get_wanted_events_locked (self) == G_IO_IN;
}

void
coproc_endpoint_source_update_timer_locked (CoprocEndpoint *self)
{
  const gint64 times[] = { self->rearm_at, self->probe_at, self->heart.next };
  gint64 next = -1;

  if (self->source == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (times); i++)
    if (times[i] != 0 && (next < 0 || times[i] < next))
      next = times[i];
  g_source_set_ready_time (self->source, has_backlog_locked (self) ? 0 : next);
}

void
coproc_endpoint_source_update_locked (CoprocEndpoint *self)
{
  if (self->source == NULL)
    return;

  if (get_wanted_events_locked (self) != self->input_events || self->want_output != self->polls_output)
    g_main_context_wakeup (self->io);
  if (has_backlog_locked (self))
    coproc_endpoint_source_update_timer_locked (self);
}

static void
start_timer_locked (CoprocEndpoint *self)
{
  if (self->rearm_at != 0 || self->source == NULL)
    return;
  self->rearm_at = g_get_monotonic_time () + REARM_DELAY;
  coproc_endpoint_source_update_timer_locked (self);
}

void
coproc_endpoint_enter_sync_locked (CoprocEndpoint *self)
{
  self->sync_used = TRUE;
  if (self->parked_input || self->n_async > 0 || self->source == NULL)
    return;
#if !HAVE_EPOLL_CREATE1
  if (self->watch_fd >= 0)
    return;
#endif
  self->parked_input = TRUE;
  coproc_endpoint_source_update_locked (self);
}

void
coproc_endpoint_leave_sync_locked (CoprocEndpoint *self)
{
  if (self->parked_input && self->n_blocked == 0)
    start_timer_locked (self);
}

void
coproc_endpoint_unpark_locked (CoprocEndpoint *self)
{
  if (!self->parked_input)
    return;
  self->parked_input = FALSE;
  coproc_endpoint_source_update_locked (self);
}

void
coproc_endpoint_source_expect_probe_locked (CoprocEndpoint *self)
{
  if (self->probe_at != 0 || self->source == NULL)
    return;
  g_atomic_int_set (&self->probe_expected, TRUE);
  self->probe_delay = PROBE_DELAY;
  self->probe_at = g_get_monotonic_time () + PROBE_DELAY;
  coproc_endpoint_source_update_timer_locked (self);
}

/* --- in the background thread --- */

static void
handle_rearm (CoprocEndpoint *self, gint64 now)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->rearm_at == 0 || now < self->rearm_at)
    return;

  /* a thread that waits sets the timer when it leaves */
  self->rearm_at = self->n_blocked == 0 && self->sync_used ? now + REARM_DELAY : 0;
  if (self->n_blocked == 0 && !self->sync_used)
    coproc_endpoint_unpark_locked (self);
  self->sync_used = FALSE;
}

static void
handle_probe (CoprocEndpoint *self, gint64 now)
{
  gboolean due, unread = FALSE, deaf;
  gint64 delay;

  g_mutex_lock (&self->lock);
  due = self->probe_at != 0 && now >= self->probe_at;
  delay = self->probe_delay;
  if (due)
    {
      self->probe_at = 0;
      g_atomic_int_set (&self->probe_expected, FALSE); /* what is written from now on wants another one */
    }
  g_mutex_unlock (&self->lock);
  if (!due)
    return;

  g_mutex_lock (&self->write_lock);
  deaf = self->transport->ops->probe (self->transport, &unread);
  g_mutex_unlock (&self->write_lock);

  g_mutex_lock (&self->lock);
  if (unread && !deaf && self->source != NULL)
    {
      g_atomic_int_set (&self->probe_expected, TRUE);
      self->probe_delay = MIN (2 * delay, MAX_PROBE_DELAY);
      self->probe_at = now + self->probe_delay;
    }
  g_mutex_unlock (&self->lock);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

/* Those who wait asynchronously get the same error as those who wait in a thread. */
static void
fail_beyond_limit (CoprocEndpoint *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (coproc_endpoint_check_limit_locked (self, &error))
    return;
  coproc_endpoint_fail_receivers_locked (self, error);
  coproc_endpoint_fail_calls_locked (self, error);
}

static void
handle_input (CoprocEndpoint *self, GIOCondition condition)
{
  gboolean waiting, closing;

  g_mutex_lock (&self->lock);
  waiting = self->n_async > 0;
  closing = self->state == COPROC_ENDPOINT_CLOSING;
  g_mutex_unlock (&self->lock);

  if (closing || (condition & (G_IO_HUP | G_IO_ERR | G_IO_NVAL)) != 0)
    coproc_endpoint_pump (self, COPROC_PUMP_ALL);
  else
    {
      coproc_endpoint_pump (self, waiting ? COPROC_PUMP_WAITING : COPROC_PUMP_NORMAL);
      if (waiting)
        fail_beyond_limit (self);
    }
}

/* GLib lets only the context's own thread change what a source polls. Returns: FALSE: there is something to read
 * already */
static gboolean
apply_events_locked (CoprocEndpoint *self)
{
  const CoprocTransportOps *ops = self->transport->ops;
  const int events = get_wanted_events_locked (self);

  if (events < 0 && self->input_tag != NULL)
    g_source_remove_unix_fd (self->source, g_steal_pointer (&self->input_tag));
  else if (events >= 0 && self->input_tag == NULL)
    self->input_tag = g_source_add_unix_fd (self->source, ops->get_input_fd (self->transport),
                                            (GIOCondition) events);
  else if (events >= 0 && events != self->input_events)
    g_source_modify_unix_fd (self->source, self->input_tag, (GIOCondition) events);
  self->input_events = events;

  if (!self->want_output && self->output_tag != NULL)
    g_source_remove_unix_fd (self->source, g_steal_pointer (&self->output_tag));
  else if (self->want_output && self->output_tag == NULL)
    self->output_tag = g_source_add_unix_fd (self->source, ops->get_output_fd (self->transport),
                                             self->transport->output_condition);
  self->polls_output = self->want_output;
  return coproc_transport_set_poller (self->transport, COPROC_POLLER_BACKGROUND, events == G_IO_IN);
}

static gboolean
endpoint_source_prepare (GSource *source, int *timeout)
{
  CoprocEndpoint *self = ((EndpointSource *) source)->endpoint;

  g_mutex_lock (&self->lock);
  if (self->source == source) /* it is not being detached */
    self->has_unseen_input = !apply_events_locked (self);
  g_mutex_unlock (&self->lock);

  *timeout = -1;
  return self->has_unseen_input;
}

static gboolean
endpoint_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  CoprocEndpoint *self = coproc_endpoint_ref (((EndpointSource *) source)->endpoint);
  const gint64 now = g_source_get_time (source);
  GIOCondition input = 0, output = 0;

  if (self->input_tag != NULL)
    input = g_source_query_unix_fd (source, self->input_tag);
  if (self->output_tag != NULL)
    output = g_source_query_unix_fd (source, self->output_tag);
  g_mutex_lock (&self->lock);
  if (has_backlog_locked (self) || self->has_unseen_input)
    input |= G_IO_IN;
  g_mutex_unlock (&self->lock);

  if (output != 0)
    coproc_endpoint_write_on (self);
  if (input != 0)
    handle_input (self, input);
  handle_rearm (self, now);
  handle_probe (self, now);
  coproc_endpoint_watch_heart (self, now);

  g_mutex_lock (&self->lock);
  coproc_endpoint_source_update_timer_locked (self);
  g_mutex_unlock (&self->lock);
  coproc_endpoint_unref (self);
  return G_SOURCE_CONTINUE;
}

static void
endpoint_source_finalize (GSource *source)
{
  coproc_endpoint_unref (((EndpointSource *) source)->endpoint);
}

static GSourceFuncs endpoint_source_funcs = {
  .prepare = endpoint_source_prepare,
  .dispatch = endpoint_source_dispatch,
  .finalize = endpoint_source_finalize,
};

/* --- life --- */

gboolean
coproc_endpoint_source_attach (CoprocEndpoint *self, GError **error)
{
  g_autoptr (GMainContext) context = NULL;
  GSource *source;

  self->io = coproc_io_ref (error);
  if (self->io == NULL)
    return FALSE;

  source = g_source_new (&endpoint_source_funcs, sizeof (EndpointSource));
  g_source_set_static_name (source, "coproc endpoint");
  ((EndpointSource *) source)->endpoint = coproc_endpoint_ref (self);

  /* The peer may be gone already, and the background thread's last user with it, before this returns. */
  context = g_main_context_ref (self->io);

  g_mutex_lock (&self->lock);
  self->source = source;
  self->watch_input = TRUE;
  self->input_events = -1;
  g_mutex_unlock (&self->lock);
  g_source_attach (source, context);
  return TRUE;
}

void
coproc_endpoint_source_detach (CoprocEndpoint *self)
{
  GMainContext *context;
  GSource *source;

  g_mutex_lock (&self->lock);
  source = g_steal_pointer (&self->source);
  context = g_steal_pointer (&self->io);
  g_mutex_unlock (&self->lock);

  if (source != NULL)
    {
      g_source_destroy (source);
      g_source_unref (source);
    }
  if (context != NULL)
    coproc_io_unref ();
}
