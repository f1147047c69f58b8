/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-call-set-private.h"

#include "messenger/coproc-wait-private.h"

struct _CoprocCallSet
{
  CoprocEndpoint *endpoint; /* (owned) */
  GPtrArray *under_way;     /* CoprocSetCall; (endpoint's lock) for their `call` */
  CoprocDoneCalls done;     /* (endpoint's lock) */
  gboolean interrupted;     /* (endpoint's lock) */
};

CoprocCallSet *
coproc_call_set_new (CoprocMessenger *messenger)
{
  CoprocCallSet *self = g_new0 (CoprocCallSet, 1);

  self->endpoint = coproc_endpoint_ref (coproc_messenger_get_endpoint (messenger));
  self->under_way = g_ptr_array_new ();
  return self;
}

/* Takes a call that is done out of the list. */
static void
remove_call (CoprocCallSet *self, CoprocSetCall *call)
{
  CoprocSetCall *last;

  g_ptr_array_remove_index_fast (self->under_way, call->place);
  if (call->place < self->under_way->len)
    {
      last = g_ptr_array_index (self->under_way, call->place);
      last->place = call->place;
    }
}

static CoprocChannel *
channel_of_locked (CoprocCallSet *self, CoprocSetCall *call)
{
  return coproc_endpoint_get_channel_locked (self->endpoint, call->channel);
}

static void
send_cancel (CoprocCallSet *self, const char *name, guint64 serial)
{
  CoprocChannel *channel;

  g_mutex_lock (&self->endpoint->lock);
  channel = coproc_endpoint_get_channel_locked (self->endpoint, name);
  g_mutex_unlock (&self->endpoint->lock);
  coproc_endpoint_send_cancel (self->endpoint, channel, serial);
}

void
coproc_call_set_free (CoprocCallSet *self)
{
  g_mutex_lock (&self->endpoint->lock);
  for (guint i = 0; i < self->under_way->len; i++)
    {
      CoprocSetCall *call = g_ptr_array_index (self->under_way, i);

      if (!call->call.done)
        coproc_endpoint_abandon_locked (self->endpoint, call->serial, channel_of_locked (self, call));
    }
  g_mutex_unlock (&self->endpoint->lock);

  g_ptr_array_unref (self->under_way);
  coproc_endpoint_unref (self->endpoint);
  g_free (self);
}

gboolean
coproc_call_set_send (CoprocCallSet *self, CoprocSetCall **calls, guint n, GError **error)
{
  g_autofree CoprocOutgoing *outgoing = g_new0 (CoprocOutgoing, n);

  for (guint i = 0; i < n; i++)
    {
      calls[i]->call = (CoprocCall) { .done_calls = &self->done };
      outgoing[i] = (CoprocOutgoing) {
        .kind = COPROC_FRAME_REQUEST,
        .channel = calls[i]->channel,
        .payload = calls[i]->payload,
        .priority = calls[i]->priority,
        .call = &calls[i]->call,
      };
    }
  if (!coproc_endpoint_check (self->endpoint, outgoing, n, error)
      || !coproc_endpoint_send (self->endpoint, outgoing, n, -1, NULL, error))
    return FALSE;

  for (guint i = 0; i < n; i++)
    {
      calls[i]->serial = outgoing[i].serial;
      calls[i]->place = self->under_way->len;
      g_ptr_array_add (self->under_way, calls[i]);
    }
  return TRUE;
}

static gboolean
is_over_locked (CoprocCallSet *self)
{
  return coproc_endpoint_is_over_locked (self->endpoint);
}

static gboolean
has_others_locked (CoprocCallSet *self)
{
  return self->endpoint->ready.length > 0 || self->endpoint->specials.length > 0;
}

/* The wait for any of the calls: of the messenger's errors only those count that end it, which
 * settle the calls too. */
static void
wait_locked (CoprocCallSet *self, CoprocWait *wait)
{
  g_autoptr (GError) ignored = NULL;

  while (self->done.first == NULL && !self->interrupted && !is_over_locked (self)
         && !has_others_locked (self) && coproc_wait_step (wait, &ignored))
    ;
  self->interrupted = FALSE;
}

guint
coproc_call_set_collect (CoprocCallSet *self, gint64 deadline, CoprocSetCall **done, guint max)
{
  CoprocWait wait;
  guint n = 0;

  coproc_wait_begin (&wait, self->endpoint, deadline, NULL);
  wait_locked (self, &wait);
  while (n < max && self->done.first != NULL)
    {
      CoprocCall *call = self->done.first;

      self->done.first = call->next_done;
      done[n++] = (gpointer) ((guint8 *) call - G_STRUCT_OFFSET (CoprocSetCall, call));
    }
  coproc_wait_end (&wait);

  for (guint i = 0; i < n; i++)
    remove_call (self, done[i]);
  return n;
}

void
coproc_call_set_cancel (CoprocCallSet *self, CoprocSetCall *call)
{
  send_cancel (self, call->channel, call->serial);
}

void
coproc_call_set_ask_back (CoprocCallSet *self, const char *channel)
{
  send_cancel (self, channel, 0);
}

void
coproc_call_set_interrupt (CoprocCallSet *self)
{
  g_mutex_lock (&self->endpoint->lock);
  self->interrupted = TRUE;
  coproc_endpoint_wake_locked (self->endpoint);
  g_mutex_unlock (&self->endpoint->lock);
}

gboolean
coproc_call_set_is_over (CoprocCallSet *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->endpoint->lock);

  return is_over_locked (self);
}

gboolean
coproc_call_set_has_others (CoprocCallSet *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->endpoint->lock);

  return has_others_locked (self);
}

gboolean
coproc_call_set_peer_has (CoprocCallSet *self, const char *feature)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->endpoint->lock);
  gboolean has = FALSE;

  return self->endpoint->peer_hello != NULL && g_variant_lookup (self->endpoint->peer_hello, feature, "b", &has)
         && has;
}
