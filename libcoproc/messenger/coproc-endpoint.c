/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The life of a connection.
 *
 *   NEW ── connect ──▶ OPEN ── goodbye, end of the stream, broken protocol ──▶ ENDED
 *                       │ └── the same, with an end function ──▶ ENDING ── settle ──▶ ENDED
 *                       └──── close() ──▶ CLOSING ── all written, or the peer gone ──▶ ENDED
 */
#include "messenger/coproc-endpoint-private.h"

#include "coproc-error.h"

static const CoprocLimits default_limits = COPROC_DEFAULT_LIMITS;

static void
coproc_event_free (gpointer data)
{
  CoprocEvent *event = data;

  g_clear_error (&event->error);
  g_free (event);
}

CoprocEndpoint *
coproc_endpoint_new (gboolean by_priority)
{
  CoprocEndpoint *self = g_new0 (CoprocEndpoint, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->by_priority = by_priority;
  self->context = g_main_context_ref_thread_default ();
  g_weak_ref_init (&self->messenger, NULL);
  self->wakeup = self->notify = (CoprocWakeup) COPROC_WAKEUP_INIT;
  g_mutex_init (&self->write_lock);
  g_mutex_init (&self->read_lock);
  g_mutex_init (&self->lock);
  g_cond_init (&self->room);
  g_cond_init (&self->arrived);
  self->high_water_mark = COPROC_DEFAULT_HIGH_WATER_MARK;
  self->send_timeout = 30 * G_USEC_PER_SEC;
  self->limits = self->peer_limits = default_limits;
  self->spin_time = 20;
  self->watch_fd = -1;
  self->channels = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify) coproc_channel_free);
  self->default_channel = coproc_channel_new (NULL, by_priority);
  self->pending = coproc_pending_new ();
  self->in_channels = g_ptr_array_new ();
  g_ptr_array_add (self->in_channels, self->default_channel);
  coproc_endpoint_guard (self);
  self->hot = g_ptr_array_new ();
  return self;
}

CoprocEndpoint *
coproc_endpoint_ref (CoprocEndpoint *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_endpoint_unref (CoprocEndpoint *self)
{
  GList *link;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->source == NULL && self->io == NULL);
  coproc_endpoint_unguard (self);
  if (self->transport != NULL)
    self->transport->ops->free (self->transport);
  coproc_wakeup_close (&self->wakeup);
  if (self->watch_fd != self->notify.read_fd)
    coproc_clear_fd (&self->watch_fd);
  coproc_wakeup_close (&self->notify);
  g_ptr_array_unref (self->hot);
  g_ptr_array_unref (self->in_channels);
  coproc_message_pool_clear (&self->message_pool);
  coproc_pending_free (self->pending);
  g_hash_table_unref (self->channels);
  coproc_channel_free (self->default_channel);
  g_clear_pointer (&self->status, coproc_shared_memory_unref);
  g_clear_pointer (&self->accepted, g_array_unref);
  g_clear_pointer (&self->withdrawn, g_hash_table_unref);
  while ((link = g_queue_pop_head_link (&self->refused)) != NULL)
    coproc_invocation_unref (link->data);
  g_clear_pointer (&self->peer_hello, g_variant_unref);
  g_queue_clear_full (&self->specials, (GDestroyNotify) g_error_free);
  g_queue_clear_full (&self->events, coproc_event_free);
  g_clear_error (&self->end_error);
  g_clear_error (&self->explanation);
  g_free (self->cut);
  g_clear_pointer (&self->signal_source, g_source_unref);
  if (self->end_notify != NULL)
    self->end_notify (self->end_data);
  if (self->heart.notify != NULL)
    self->heart.notify (self->heart.data);
  g_weak_ref_clear (&self->messenger);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->write_lock);
  g_mutex_clear (&self->read_lock);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->room);
  g_cond_clear (&self->arrived);
  g_free (self);
}

void
coproc_endpoint_set_context (CoprocEndpoint *self, GMainContext *context)
{
  g_assert (self->state == COPROC_ENDPOINT_NEW);

  g_main_context_unref (self->context);
  self->context = g_main_context_ref (context);
}

gboolean
coproc_endpoint_connect (CoprocEndpoint *self, CoprocTransportLink *transport, GError **error)
{
  g_assert (self->state == COPROC_ENDPOINT_NEW);

  if (!coproc_wakeup_open (&self->wakeup, error))
    {
      transport->ops->free (transport);
      return FALSE;
    }
  self->transport = transport;
  transport->ops->set_limits (transport, &self->limits);
  self->state = COPROC_ENDPOINT_OPEN;
  coproc_endpoint_update_sending_locked (self); /* nobody else has it yet */

  if (coproc_endpoint_source_attach (self, error))
    return TRUE;
  coproc_endpoint_close (self);
  return FALSE;
}

gboolean
coproc_endpoint_is_over_locked (CoprocEndpoint *self)
{
  return self->state == COPROC_ENDPOINT_NEW || self->state == COPROC_ENDPOINT_CLOSING
         || self->state == COPROC_ENDPOINT_ENDED;
}

GError *
coproc_endpoint_copy_end_error_locked (CoprocEndpoint *self)
{
  if (self->disowned)
    return g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED,
                                "The connection belongs to the process that has forked this one");
  if (self->explanation != NULL && self->state == COPROC_ENDPOINT_ENDED)
    return g_error_copy (self->explanation);
  if (self->end_error != NULL)
    return g_error_copy (self->end_error);
  return g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED, "The messenger is not connected");
}

/* What is sent while the verdict on the end is awaited counts as sent just before it. */
gboolean
coproc_endpoint_is_open_locked (CoprocEndpoint *self)
{
  return self->state == COPROC_ENDPOINT_OPEN || self->state == COPROC_ENDPOINT_ENDING;
}

gboolean
coproc_endpoint_is_over (CoprocEndpoint *self, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (coproc_endpoint_is_open_locked (self))
    return FALSE;
  g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
  return TRUE;
}

CoprocChannel *
coproc_endpoint_get_channel_locked (CoprocEndpoint *self, const char *name)
{
  CoprocChannel *channel;

  if (name == NULL)
    return self->default_channel;

  channel = g_hash_table_lookup (self->channels, name);
  if (channel == NULL)
    {
      channel = coproc_channel_new (name, self->by_priority);
      g_hash_table_insert (self->channels, channel->name, channel);
    }
  return channel;
}

void
coproc_endpoint_wake_locked (CoprocEndpoint *self)
{
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->arrived);
  if (self->poller != NULL && self->poller != g_thread_self () && !self->woken)
    {
      g_atomic_int_set (&self->woken, TRUE);
      coproc_wakeup_signal (&self->wakeup);
      if (self->transport->ops->wake != NULL)
        self->transport->ops->wake (self->transport, &self->woken);
    }
}

/* --- the end --- */

/* Nothing more comes in: settles and fails everything that waits for the peer. */
static void
end_locked (CoprocEndpoint *self, CoprocEndpointState state, const GError *reason, gboolean clean)
{
  g_autoptr (GArray) requests = coproc_pending_steal_all (self->pending);

  if (self->state == COPROC_ENDPOINT_ENDING)
    self->peer_is_deaf = TRUE; /* a peer that has ended reads no more */
  self->state = state;
  coproc_endpoint_update_sending_locked (self);
  g_clear_error (&self->end_error);
  self->end_error = g_error_copy (reason);
  self->watch_input = self->watch_input && state == COPROC_ENDPOINT_CLOSING;

  for (guint i = 0; i < requests->len; i++)
    coproc_endpoint_lose_request_locked (self, &g_array_index (requests, CoprocPendingRequest, i),
                                         reason);
  coproc_endpoint_fail_receivers_locked (self, reason);
  coproc_endpoint_watch_ended_locked (self);
  coproc_endpoint_tell_locked (self, COPROC_EVENT_CLOSED, clean ? NULL : g_error_copy (reason));
  coproc_endpoint_source_update_locked (self);
  coproc_endpoint_wake_locked (self);
}

CoprocEndFunc
coproc_endpoint_end_stream (CoprocEndpoint *self, CoprocEnd end, const GError *error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->watch_input = FALSE;
  if (end == COPROC_END_CUT && error != NULL && self->cut == NULL) /* settle() may have been first */
    self->cut = g_strdup (error->message);

  if (self->state == COPROC_ENDPOINT_CLOSING)
    self->peer_is_deaf = TRUE; /* a peer that has ended reads no more */
  if (self->state != COPROC_ENDPOINT_OPEN)
    return NULL;

  if (end == COPROC_END_GOODBYE)
    {
      reason = g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED,
                                    "The peer has closed the connection");
      end_locked (self, COPROC_ENDPOINT_ENDED, reason, TRUE);
      return NULL;
    }
  if (self->end_func != NULL)
    {
      self->state = COPROC_ENDPOINT_ENDING;
      coproc_endpoint_watch_ended_locked (self);
      coproc_endpoint_source_update_locked (self);
      return self->end_func;
    }

  if (end == COPROC_END_BROKEN)
    reason = g_error_copy (error);
  else
    reason = g_error_new (COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                          "The peer ended without a goodbye%s%s", self->cut != NULL ? ": " : "",
                          self->cut != NULL ? self->cut : "");
  end_locked (self, COPROC_ENDPOINT_ENDED, reason, FALSE);
  return NULL;
}

void
coproc_endpoint_stream_ended (CoprocEndpoint *self, CoprocEndFunc end_func, const GError *broken)
{
  coproc_endpoint_cancel_owed (self);
  if (end_func != NULL)
    end_func (broken, self->end_data);
  else
    coproc_endpoint_tidy (self);
}

gboolean
coproc_endpoint_settle (CoprocEndpoint *self, const GError *reason)
{
  g_autoptr (GError) full = NULL;
  g_autoptr (GError) cut = NULL;

  coproc_endpoint_pump (self, COPROC_PUMP_ALL);

  /* Somebody else may hold the connection open: its end has not been seen then. */
  g_mutex_lock (&self->read_lock);
  if (!self->input_done && self->transport != NULL)
    self->transport->ops->get_cut (self->transport, &cut);
  g_mutex_unlock (&self->read_lock);

  g_mutex_lock (&self->lock);
  if (cut != NULL && self->cut == NULL)
    self->cut = g_strdup (cut->message);
  if (self->state == COPROC_ENDPOINT_OPEN || self->state == COPROC_ENDPOINT_ENDING)
    {
      full = g_error_copy (reason);
      if (self->cut != NULL)
        g_prefix_error (&full, "%s: ", self->cut);
      end_locked (self, COPROC_ENDPOINT_ENDED, full, FALSE);
    }
  else if (self->state == COPROC_ENDPOINT_CLOSING)
    self->peer_is_deaf = TRUE;
  g_mutex_unlock (&self->lock);

  coproc_endpoint_tidy (self);
  return full != NULL;
}

void
coproc_endpoint_explain_end (CoprocEndpoint *self, const GError *reason)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_clear_error (&self->explanation);
  self->explanation = g_error_copy (reason);
}

void
coproc_endpoint_peer_deaf (CoprocEndpoint *self)
{
  g_autoptr (GError) cut = NULL;
  CoprocEndFunc end_func = NULL;

  /* Its last words first. */
  coproc_endpoint_pump (self, COPROC_PUMP_ALL);

  g_mutex_lock (&self->lock);
  if (self->state == COPROC_ENDPOINT_CLOSING)
    self->peer_is_deaf = TRUE;
  g_mutex_unlock (&self->lock);

  g_mutex_lock (&self->read_lock);
  if (!self->input_done)
    {
      /* A process that dies closes its ends one after the other: the end of the stream may not have come. */
      self->transport->ops->get_cut (self->transport, &cut);
      self->input_done = TRUE;
      end_func = coproc_endpoint_end_stream (self, COPROC_END_CUT, cut);
    }
  g_mutex_unlock (&self->read_lock);

  coproc_endpoint_stream_ended (self, end_func, NULL);
}

void
coproc_endpoint_tidy (CoprocEndpoint *self)
{
  gboolean over, shut_output, detach = FALSE;

  g_mutex_lock (&self->lock);
  over = coproc_endpoint_is_over_locked (self) && self->transport != NULL;
  shut_output = self->state == COPROC_ENDPOINT_ENDED || self->peer_is_deaf;
  g_mutex_unlock (&self->lock);
  if (!over)
    return;

  g_mutex_lock (&self->write_lock);
  if (shut_output && !self->output_shut)
    {
      self->output_shut = TRUE;
      self->output_lost = self->transport->n_unsent > 0;
      self->transport->ops->shut_output (self->transport);
    }
  shut_output = self->output_shut;
  g_cond_broadcast (&self->room);
  coproc_endpoint_unlock_output (self);

  coproc_endpoint_write_on (self); /* lets go of parked sends */
  if (!shut_output)
    return;

  /* The thread that polls the input, if there is one, comes by here when it has been woken. */
  g_mutex_lock (&self->read_lock);
  g_mutex_lock (&self->lock);
  self->state = COPROC_ENDPOINT_ENDED;
  self->watch_input = self->want_output = FALSE;
  self->input_done = TRUE;
  coproc_endpoint_source_update_locked (self);
  if (self->poller == NULL && !self->input_shut)
    {
      self->input_shut = TRUE;
      self->transport->ops->shut_input (self->transport);
    }
  detach = self->source != NULL;
  g_mutex_unlock (&self->lock);
  g_mutex_unlock (&self->read_lock);

  if (detach)
    coproc_endpoint_source_detach (self);
}

void
coproc_endpoint_close (CoprocEndpoint *self)
{
  g_autoptr (GError) reason = NULL;
  gboolean connected;

  g_mutex_lock (&self->lock);
  if (self->state == COPROC_ENDPOINT_CLOSING || self->state == COPROC_ENDPOINT_ENDED)
    {
      g_mutex_unlock (&self->lock);
      return;
    }
  connected = self->transport != NULL;
  reason = g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED, "The messenger is closed");
  end_locked (self, connected ? COPROC_ENDPOINT_CLOSING : COPROC_ENDPOINT_ENDED, reason, TRUE);
  g_mutex_unlock (&self->lock);
  if (!connected)
    return;

  g_mutex_lock (&self->write_lock);
  if (self->hello_sent && !self->output_shut)
    {
      const CoprocFrame goodbye = { .kind = COPROC_FRAME_GOODBYE };

      self->transport->ops->queue (self->transport, &goodbye);
    }
  g_cond_broadcast (&self->room); /* who waits to send has waited long enough */
  coproc_endpoint_unlock_output (self);

  coproc_endpoint_write_on (self);
}

gboolean
coproc_endpoint_flush (CoprocEndpoint *self, gint64 timeout_us, GError **error)
{
  const gint64 deadline = timeout_us < 0 ? -1 : g_get_monotonic_time () + timeout_us;
  gboolean in_time = TRUE, lost;

  g_mutex_lock (&self->write_lock);
  while (self->transport != NULL && !self->output_shut && in_time)
    {
      if (deadline < 0)
        g_cond_wait (&self->room, &self->write_lock);
      else
        in_time = g_cond_wait_until (&self->room, &self->write_lock, deadline);
    }
  lost = self->output_lost;
  g_mutex_unlock (&self->write_lock);

  if (!in_time)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                         "The output was not written in time");
  else if (lost)
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_CLOSED,
                         "The peer went before it had read everything");
  return in_time && !lost;
}

void
coproc_endpoint_set_end_func (CoprocEndpoint  *self,
                              CoprocEndFunc    func,
                              gpointer         data,
                              GDestroyNotify   notify)
{
  g_mutex_lock (&self->lock);
  self->end_func = func;
  self->end_data = data;
  self->end_notify = notify;
  g_mutex_unlock (&self->lock);
}
