/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Requests: what this side awaits from the peer, and what it owes to it.
 */
#include "coproc-error-private.h"
#include "messenger/coproc-op-private.h"
#include "messenger/coproc-wait-private.h"

/* --- calls: awaited --- */

static void
add_done_locked (CoprocDoneCalls *self, CoprocCall *call)
{
  if (self->first == NULL)
    self->first = call;
  else
    self->last->next_done = call;
  self->last = call;
}

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
  if (call->done_calls != NULL)
    add_done_locked (call->done_calls, call);
}

gboolean
coproc_endpoint_abandon_locked (CoprocEndpoint *self, guint64 serial, CoprocChannel *channel)
{
  if (!coproc_pending_abandon (self->pending, serial))
    return FALSE;
  channel->settled++;
  return TRUE;
}

void
coproc_endpoint_lose_request_locked (CoprocEndpoint        *self,
                                     CoprocPendingRequest  *request,
                                     const GError          *reason)
{
  const gboolean untouched = coproc_endpoint_is_untouched_locked (self, request, reason);

  if (request->call != NULL)
    {
      GError *error = g_error_copy (reason);

      if (untouched)
        error->code = COPROC_ERROR_NOT_STARTED;
      coproc_endpoint_complete_call_locked (self, request->call, request->channel, NULL, error);
    }
  else
    {
      request->channel->settled++;
      if (untouched)
        request->channel->lost_untouched = TRUE;
      else
        request->channel->lost = TRUE;
    }
}

gboolean
coproc_endpoint_take_loss_locked (CoprocEndpoint *self, CoprocChannel *channel, GError **error)
{
  GError *reason;

  if (!channel->lost && !channel->lost_untouched)
    return FALSE;

  reason = g_error_copy (self->end_error);
  if (channel->lost)
    channel->lost = FALSE;
  else
    {
      channel->lost_untouched = FALSE;
      reason->code = COPROC_ERROR_NOT_STARTED;
    }
  g_propagate_error (error, reason);
  return TRUE;
}

gboolean
coproc_endpoint_is_owed (CoprocEndpoint *self, guint64 *n_messages)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);

  g_mutex_lock (&self->read_lock);
  *n_messages = self->last_peer_serial;
  g_mutex_unlock (&self->read_lock);

  locker = g_mutex_locker_new (&self->lock);
  return coproc_pending_get_size (self->pending) > 0 && !self->stalled;
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
  CoprocWait wait;

  coproc_wait_begin (&wait, self, deadline, cancellable);
  while (!call->done && coproc_wait_step (&wait, &failure))
    ;
  if (!call->done)
    {
      given_up = coproc_endpoint_get_channel_locked (self, name);
      coproc_endpoint_abandon_locked (self, serial, given_up);
    }
  coproc_wait_end (&wait);

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

/* --- replies: owed --- */

/* Adds the cancellables of the requests that are being worked on. (lock) */
static void
find_owed_locked (CoprocChannel *channel, GPtrArray *cancellables)
{
  for (GList *l = channel->unanswered.head; l != NULL; l = l->next)
    {
      CoprocInvocation *invocation = l->data;

      if (invocation->cancellable != NULL)
        g_ptr_array_add (cancellables, g_object_ref (invocation->cancellable));
    }
}

void
coproc_endpoint_cancel_owed (CoprocEndpoint *self)
{
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer channel;

  g_mutex_lock (&self->lock);
  find_owed_locked (self->default_channel, cancellables);
  g_hash_table_iter_init (&iter, self->channels);
  while (g_hash_table_iter_next (&iter, NULL, &channel))
    find_owed_locked (channel, cancellables);
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < cancellables->len; i++)
    g_cancellable_cancel (g_ptr_array_index (cancellables, i));
}

GCancellable *
coproc_endpoint_dup_cancellable (CoprocEndpoint *self, CoprocInvocation *invocation)
{
  g_autoptr (GCancellable) cancellable = NULL;
  gboolean is_over;

  g_mutex_lock (&self->lock);
  if (invocation->cancellable == NULL)
    invocation->cancellable = g_cancellable_new ();
  cancellable = g_object_ref (invocation->cancellable);
  is_over = coproc_endpoint_is_over_locked (self);
  g_mutex_unlock (&self->lock);

  if (is_over)
    g_cancellable_cancel (cancellable);
  return g_steal_pointer (&cancellable);
}

void
coproc_endpoint_owe_reply_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request)
{
  coproc_endpoint_note_taken_locked (self, request->serial);
  request->invocation = coproc_invocation_new (channel, request, 2);
  request->invocation->owner = self;
  g_queue_push_tail_link (&channel->unanswered, &request->invocation->link);
}

CoprocInvocation *
coproc_endpoint_take_invocation_locked (CoprocEndpoint  *self,
                                        CoprocMessage   *request,
                                        const char      *name,
                                        GError         **error)
{
  CoprocInvocation *invocation;

  if (request != NULL)
    invocation = request->invocation;
  else
    invocation = g_queue_peek_head (&coproc_endpoint_get_channel_locked (self, name)->unanswered);
  if (invocation == NULL || invocation->owner != self || invocation->answered)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                           request != NULL ? "The message is no unanswered request of this messenger"
                                           : "No request of this channel awaits a reply");
      return NULL;
    }
  invocation->answered = TRUE;
  g_queue_unlink (&invocation->channel->unanswered, &invocation->link);
  return invocation; /* with the reference that the channel had */
}

void
coproc_endpoint_return_invocation_locked (CoprocEndpoint *self, CoprocInvocation *invocation)
{
  invocation->answered = FALSE;
  g_queue_push_head_link (&invocation->channel->unanswered, &invocation->link);
}

/* --- requests that were cancelled before they were taken up --- */

void
coproc_endpoint_refuse_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request)
{
  CoprocInvocation *invocation = coproc_invocation_new (channel, request, 1);

  g_queue_push_tail_link (&self->refused, &invocation->link);
}

static CoprocInvocation *
pop_refused (CoprocEndpoint *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  GList *link = g_queue_pop_head_link (&self->refused);

  return link != NULL ? link->data : NULL;
}

void
coproc_endpoint_send_refusals (CoprocEndpoint *self)
{
  g_autoptr (GError) reason = g_error_new_literal (COPROC_ERROR, COPROC_ERROR_NOT_STARTED,
                                                   "The request was withdrawn before it was begun");
  g_autoptr (GVariant) report = coproc_error_to_variant (reason);
  CoprocInvocation *invocation;

  while ((invocation = pop_refused (self)) != NULL)
    {
      CoprocOutgoing outgoing = {
        .kind = COPROC_FRAME_ERROR_REPLY,
        .channel = invocation->channel->name,
        .payload = report,
        .priority = invocation->priority,
        .reply_serial = invocation->serial,
      };
      g_autoptr (GError) error = NULL;
      gboolean later;

      later = coproc_endpoint_check (self, &outgoing, 1, NULL)
              && !coproc_endpoint_send (self, &outgoing, 1, 0, NULL, &error)
              && g_error_matches (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK);
      if (later)
        {
          g_mutex_lock (&self->lock);
          g_queue_push_head_link (&self->refused, &invocation->link);
          g_mutex_unlock (&self->lock);
          return;
        }
      coproc_invocation_unref (invocation);
    }
}
