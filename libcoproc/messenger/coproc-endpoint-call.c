/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Requests: what this side awaits from the peer, and what it owes to it.
 */
#include "coproc-error.h"
#include "messenger/coproc-wait-private.h"

/* --- calls: awaited --- */

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

void
coproc_endpoint_lose_request_locked (CoprocEndpoint        *self,
                                     CoprocPendingRequest  *request,
                                     const GError          *reason)
{
  const gboolean untouched = coproc_endpoint_is_untouched_locked (self, request->serial, reason);

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

void
coproc_endpoint_owe_reply_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request)
{
  coproc_endpoint_note_taken_locked (self, request->serial);
  request->invocation = coproc_invocation_new (request);
  request->invocation->owner = self;
  g_queue_push_tail_link (&channel->unanswered, &request->invocation->link);
  coproc_invocation_ref (request->invocation);
}

CoprocInvocation *
coproc_endpoint_take_invocation_locked (CoprocEndpoint  *self,
                                        CoprocMessage   *request,
                                        const char      *name,
                                        GError         **error)
{
  CoprocChannel *channel = coproc_endpoint_get_channel_locked (self, request != NULL ? request->channel : name);
  CoprocInvocation *invocation;

  invocation = request != NULL ? request->invocation : g_queue_peek_head (&channel->unanswered);
  if (invocation == NULL || invocation->owner != self || invocation->answered)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                           request != NULL ? "The message is no unanswered request of this messenger"
                                           : "No request of this channel awaits a reply");
      return NULL;
    }
  invocation->answered = TRUE;
  g_queue_unlink (&channel->unanswered, &invocation->link);
  return invocation; /* with the reference that the channel had */
}

void
coproc_endpoint_return_invocation_locked (CoprocEndpoint *self, CoprocInvocation *invocation)
{
  CoprocChannel *channel = coproc_endpoint_get_channel_locked (self, invocation->channel);

  invocation->answered = FALSE;
  g_queue_push_head_link (&channel->unanswered, &invocation->link);
}
