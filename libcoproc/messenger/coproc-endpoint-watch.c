/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The descriptor of coproc_messenger_get_fd(), and the receive that goes with it.
 */
#include "messenger/coproc-wait-private.h"

#include "coproc-config.h"

#if HAVE_EPOLL_CREATE1
#include <sys/epoll.h>
#endif

void
coproc_endpoint_signal_watch_locked (CoprocEndpoint *self)
{
  if (self->watch_fd < 0 || self->notified)
    return;
  self->notified = TRUE;
  self->watch_any = FALSE;
  coproc_wakeup_signal (&self->notify);
}

/* Makes the descriptor quiet when there is no reason left. */
static void
quieten_watch_locked (CoprocEndpoint *self)
{
  if (!self->notified || self->hot->len > 0 || self->specials.length > 0 || self->backlog
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

void
coproc_endpoint_watch_any_locked (CoprocEndpoint *self)
{
  if (self->watch_fd < 0)
    return;
  quieten_watch_locked (self);
  self->watch_any = !self->notified;
}

CoprocMessage *
coproc_endpoint_try_receive (CoprocEndpoint *self, const char *name, GError **error)
{
  CoprocMessage *message = NULL;
  GError *failure = NULL;
  CoprocChannel *channel;
  CoprocWait wait;

  coproc_wait_begin (&wait, self, 0, NULL);
  coproc_endpoint_look_locked (self, FALSE);
  channel = coproc_endpoint_find_channel_locked (self, name, &failure);
  if (channel != NULL)
    {
      const gboolean special = coproc_endpoint_take_special_locked (self, NULL, &failure);

      g_ptr_array_remove_fast (self->hot, channel);
      if (!special && !coproc_endpoint_pop_locked (self, channel, &message, &failure))
        {
          if (coproc_endpoint_is_over_locked (self))
            failure = coproc_endpoint_copy_end_error_locked (self);
          else if (self->watch_fd >= 0)
            watch_locked (self, channel);
        }
      quieten_watch_locked (self);
    }
  coproc_wait_end (&wait);

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
  coproc_transport_set_poller (self->transport, COPROC_POLLER_WATCH, FALSE);
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
      {
        (void) epoll_ctl (fd, EPOLL_CTL_ADD, self->transport->ops->get_input_fd (self->transport), &event);
        coproc_transport_set_poller (self->transport, COPROC_POLLER_WATCH, TRUE);
      }
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
