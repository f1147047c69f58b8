/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What is told in the messenger's own context: events, and the messages of claimed channels.
 */
#include "messenger/coproc-endpoint-private.h"

#include "coproc-source-private.h"

static gboolean
emit_signals (gpointer user_data)
{
  g_source_set_ready_time (g_main_current_source (), -1);
  coproc_messenger_emit_signals (user_data);
  return G_SOURCE_CONTINUE;
}

void
coproc_endpoint_wake_signals_locked (CoprocEndpoint *self)
{
  if (self->muted)
    return;
  if (self->signal_source == NULL)
    {
      self->signal_source = coproc_source_new ("coproc signals", emit_signals, coproc_endpoint_ref (self),
                                               (GDestroyNotify) coproc_endpoint_unref);
      g_source_attach (self->signal_source, self->context);
    }
  g_source_set_ready_time (self->signal_source, 0);
}

void
coproc_endpoint_tell_locked (CoprocEndpoint *self, CoprocEventKind kind, GError *error)
{
  CoprocEvent *event;

  if (self->muted || (kind == COPROC_EVENT_ERROR && self->events.length >= COPROC_MAX_EVENTS))
    {
      g_clear_error (&error);
      return;
    }
  event = g_new (CoprocEvent, 1);
  event->kind = kind;
  event->error = error;
  g_queue_push_tail (&self->events, event);
  coproc_endpoint_wake_signals_locked (self);
}

gboolean
coproc_endpoint_next_signal (CoprocEndpoint *self, CoprocEvent *event, CoprocMessage **message)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  CoprocEvent *next = g_queue_peek_head (&self->events);
  GError *error = NULL;

  event->error = NULL;
  *message = NULL;

  /* The close is told when everything else has been. */
  if (next != NULL && (next->kind != COPROC_EVENT_CLOSED || self->claimed.length == 0))
    {
      *event = *next;
      g_free (g_queue_pop_head (&self->events));
      return TRUE;
    }
  while (self->claimed.length > 0)
    {
      if (!coproc_endpoint_pop_locked (self, g_queue_peek_head (&self->claimed), message, &error))
        continue;
      if (error != NULL)
        {
          event->kind = COPROC_EVENT_ERROR;
          event->error = error;
        }
      return TRUE;
    }
  return FALSE;
}

void
coproc_endpoint_mute (CoprocEndpoint *self)
{
  GSource *source;

  g_mutex_lock (&self->lock);
  self->muted = TRUE;
  source = g_steal_pointer (&self->signal_source);
  g_mutex_unlock (&self->lock);

  if (source != NULL)
    {
      g_source_destroy (source);
      g_source_unref (source);
    }
}

void
coproc_endpoint_listen (CoprocEndpoint *self, const char *name, gboolean claim)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  CoprocChannel *channel = coproc_endpoint_get_channel_locked (self, name);

  if (channel->claimed == claim)
    return;

  if (channel->ready)
    g_queue_unlink (channel->claimed ? &self->claimed : &self->ready, &channel->ready_link);
  channel->ready = FALSE;
  channel->claimed = claim;
  if (channel->n_queued > 0)
    coproc_endpoint_set_ready_locked (self, channel);

  if (claim)
    {
      self->n_async++;
      coproc_endpoint_unpark_locked (self);
    }
  else
    self->n_async--;
}
