/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Whether the peer lives, where the end of the stream does not tell: a process that is stopped, a
 * connection that goes through others.
 *
 * Any byte is a sign of life, so a peer that sends needs no pings to be heard. The background thread looks
 * at intervals; nothing is noted for each message.
 */
#include "messenger/coproc-endpoint-private.h"

static guint64
count_heard (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->read_lock);

  return self->n_frames + self->transport->n_received;
}

/* Who does not read hears nothing. (lock) */
static gboolean
can_hear_locked (CoprocEndpoint *self)
{
  return !self->stalled && self->watch_input;
}

/* Whether the peer has been silent for too long. (lock) */
static gboolean
is_silent_locked (CoprocEndpoint *self, guint64 n_heard, gint64 now)
{
  CoprocHeartbeat *heart = &self->heart;

  if (n_heard != heart->n_heard || (heart->heard_at != 0 && !can_hear_locked (self)))
    heart->heard_at = now;
  heart->n_heard = n_heard;

  return heart->heard_at != 0 && now - heart->heard_at >= heart->limit;
}

/* Begins a look. FALSE: it is not time. */
static gboolean
begin_look (CoprocEndpoint *self, gint64 now, CoprocHeartMode *mode)
{
  CoprocHeartbeat *heart = &self->heart;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (heart->next == 0 || now < heart->next)
    return FALSE;
  /* This process did not run: the peer may have spoken all the time. */
  if (now - heart->next > heart->interval && heart->heard_at != 0)
    heart->heard_at = now;
  heart->next = coproc_endpoint_is_open_locked (self) || self->state == COPROC_ENDPOINT_CLOSING
                    ? now + heart->interval
                    : 0;
  *mode = heart->mode;
  return heart->next != 0;
}

void
coproc_endpoint_watch_heart (CoprocEndpoint *self, gint64 now)
{
  CoprocSilenceFunc func = NULL;
  gpointer data = NULL;
  CoprocHeartMode mode;
  guint64 n_heard;

  if (!begin_look (self, now, &mode))
    return;

  coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);
  if (mode != COPROC_HEART_LISTENS)
    coproc_endpoint_beat (self, mode == COPROC_HEART_ASKS ? COPROC_FRAME_PING : COPROC_FRAME_PONG);
  n_heard = count_heard (self);

  g_mutex_lock (&self->lock);
  if (self->heart.next != 0 && is_silent_locked (self, n_heard, now) && self->heart.func != NULL)
    {
      self->heart.next = 0;
      func = self->heart.func;
      data = self->heart.data;
    }
  g_mutex_unlock (&self->lock);

  if (func != NULL)
    func (data);
}

/* What is still unread will wake the peer as well, and nothing must pile up for one that does not read. */
void
coproc_endpoint_beat (CoprocEndpoint *self, CoprocFrameKind kind)
{
  const CoprocFrame frame = { .kind = (guint8) kind };
  gboolean deaf = FALSE;

  g_mutex_lock (&self->write_lock);
  if (self->hello_sent && self->transport->n_unsent == 0 && !coproc_endpoint_is_over (self, NULL))
    {
      self->transport->ops->queue (self->transport, &frame);
      deaf = coproc_endpoint_write_locked (self);
    }
  coproc_endpoint_unlock_output (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

void
coproc_endpoint_set_heartbeat (CoprocEndpoint     *self,
                               gint64              interval_us,
                               gint64              limit_us,
                               CoprocHeartMode     mode,
                               CoprocSilenceFunc   func,
                               gpointer            data,
                               GDestroyNotify      notify)
{
  const gint64 now = g_get_monotonic_time ();
  const guint64 n_heard = count_heard (self);
  CoprocHeartbeat old;

  g_mutex_lock (&self->lock);
  old = self->heart;
  self->heart = (CoprocHeartbeat) {
    .interval = interval_us,
    .limit = limit_us,
    .mode = mode,
    .next = interval_us > 0 ? now + interval_us : 0,
    .heard_at = mode != COPROC_HEART_ASKS || n_heard > 0 ? now : 0,
    .n_heard = n_heard,
    .func = func,
    .data = data,
    .notify = notify,
  };
  coproc_endpoint_source_update_timer_locked (self);
  g_mutex_unlock (&self->lock);

  if (old.notify != NULL)
    old.notify (old.data);
}
