/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The frames that are no messages: how they are sent, and what those of the peer do here.
 */
#include <string.h>
#include <unistd.h>

#include "coproc-error-private.h"
#include "messenger/coproc-wait-private.h"

#define WITHDRAWN_SCAN 256 /* unanswered requests looked at, from either end, for one that is cancelled */

/* --- sending --- */

gboolean
coproc_endpoint_send_control (CoprocEndpoint *self, const CoprocFrame *frame, GError **error)
{
  gboolean sent, deaf = FALSE;

  g_mutex_lock (&self->write_lock);
  sent = !coproc_endpoint_is_over (self, error);
  if (sent)
    {
      self->transport->ops->queue (self->transport, frame);
      deaf = coproc_endpoint_write_locked (self);
    }
  coproc_endpoint_unlock_output (self);
  coproc_endpoint_note_send (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
  return sent;
}

gboolean
coproc_endpoint_send_error (CoprocEndpoint *self, GVariant *report, GError **error)
{
  CoprocOutgoing outgoing = { .kind = COPROC_FRAME_ERROR, .payload = report };
  CoprocFrame frame = { .kind = COPROC_FRAME_ERROR };

  if (!coproc_endpoint_check (self, &outgoing, 1, error) || !coproc_endpoint_check_limits (self, &outgoing, 1, error))
    return FALSE;
  frame.data = outgoing.data;
  frame.size = outgoing.size;
  frame.variant = report;
  return coproc_endpoint_send_control (self, &frame, error);
}

void
coproc_endpoint_send_cancel (CoprocEndpoint *self, CoprocChannel *channel, guint64 serial)
{
  CoprocFrame frame = { .kind = COPROC_FRAME_CANCEL, .reply_serial = serial };

  g_mutex_lock (&self->write_lock);
  frame.channel = channel->out_number;
  g_mutex_unlock (&self->write_lock);

  coproc_endpoint_send_control (self, &frame, NULL); /* a connection that is over needs none */
}

static void
add_limits (GVariantDict *fields, const CoprocLimits *limits)
{
  g_variant_dict_insert (fields, "max-message-size", "t", limits->max_message_size);
  g_variant_dict_insert (fields, "max-variant-size", "t", limits->max_variant_size);
  g_variant_dict_insert (fields, "max-channels", "u", limits->max_channels);
}

static gboolean
send_fields (CoprocEndpoint *self, CoprocFrameKind kind, GVariantDict *dict, GError **error)
{
  g_autoptr (GVariant) fields = g_variant_ref_sink (g_variant_dict_end (dict));
  const CoprocFrame frame = {
    .kind = kind,
    .data = g_variant_get_data (fields),
    .size = g_variant_get_size (fields),
    .variant = fields,
  };

  return coproc_endpoint_send_control (self, &frame, error);
}

/* Once both have greeted, the output moves to the memory that they share, if they do. */
static void
share_output (CoprocEndpoint *self)
{
  gboolean deaf = FALSE;
  guint64 size;

  g_mutex_lock (&self->write_lock);
  g_mutex_lock (&self->lock);
  size = self->peer_shared_size;
  g_mutex_unlock (&self->lock);
  if (size > 0 && self->hello_sent && !self->output_shut && self->transport->ops->share != NULL)
    {
      self->transport->ops->share (self->transport, (gsize) size);
      deaf = coproc_endpoint_write_locked (self);
    }
  coproc_endpoint_unlock_output (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

gboolean
coproc_endpoint_send_hello (CoprocEndpoint *self, GVariant *extra, GError **error)
{
  GVariantDict fields;
  CoprocLimits limits;
  gboolean accepts;

  g_mutex_lock (&self->lock);
  limits = self->limits;
  accepts = self->accepted != NULL;
  g_mutex_unlock (&self->lock);

  g_variant_dict_init (&fields, extra);
  if (accepts)
    g_variant_dict_insert (&fields, "accepts", "b", TRUE);
  g_variant_dict_insert (&fields, "version", "u", COPROC_WIRE_VERSION);
  g_variant_dict_insert (&fields, "pid", "u", (guint32) getpid ());
  if (self->transport->shared_size > 0)
    g_variant_dict_insert (&fields, "shared-memory", "t", (guint64) self->transport->shared_size);
  add_limits (&fields, &limits);
  if (!send_fields (self, COPROC_FRAME_HELLO, &fields, error))
    return FALSE;

  g_mutex_lock (&self->write_lock);
  self->hello_sent = TRUE;
  g_mutex_unlock (&self->write_lock);
  share_output (self);
  return TRUE;
}

/* What @self may meet until the peer has acknowledged @limits. */
static CoprocLimits
get_wider_limits (const CoprocLimits *a, const CoprocLimits *b)
{
  CoprocLimits wider = *b;

  wider.max_message_size = MAX (a->max_message_size, b->max_message_size);
  wider.max_variant_size = MAX (a->max_variant_size, b->max_variant_size);
  return wider;
}

void
coproc_endpoint_set_limits (CoprocEndpoint *self, const CoprocLimits *limits)
{
  GVariantDict fields;
  CoprocLimits wider;
  gboolean announce;

  g_mutex_lock (&self->write_lock);
  announce = self->hello_sent;
  g_mutex_unlock (&self->write_lock);

  g_mutex_lock (&self->read_lock);
  g_mutex_lock (&self->lock);
  wider = get_wider_limits (&self->limits, limits);
  self->limits = *limits;
  coproc_endpoint_update_sending_locked (self);
  self->n_unacked += announce;
  if (self->stalled)
    {
      self->stalled = FALSE;
      coproc_endpoint_source_update_locked (self);
    }
  g_mutex_unlock (&self->lock);
  if (self->transport != NULL && !self->input_done)
    self->transport->ops->set_limits (self->transport, announce ? &wider : limits);
  g_mutex_unlock (&self->read_lock);
  if (!announce)
    return;

  g_variant_dict_init (&fields, NULL);
  add_limits (&fields, limits);
  send_fields (self, COPROC_FRAME_SETTINGS, &fields, NULL);
}

/* --- the greeting --- */

GVariant *
coproc_endpoint_await_hello (CoprocEndpoint  *self,
                             gint64           timeout_us,
                             GCancellable    *cancellable,
                             GError         **error)
{
  GVariant *hello = NULL;
  GError *special = NULL;
  CoprocWait wait;

  coproc_wait_begin (&wait, self, timeout_us == 0 ? 1 : coproc_wait_get_deadline (timeout_us), cancellable);
  while (self->peer_hello == NULL)
    {
      if (coproc_endpoint_take_special_locked (self, NULL, &special))
        {
          g_propagate_error (error, special);
          break;
        }
      if (coproc_endpoint_is_over_locked (self))
        {
          g_propagate_error (error, coproc_endpoint_copy_end_error_locked (self));
          break;
        }
      if (!coproc_wait_step (&wait, error))
        break;
    }
  if (self->peer_hello != NULL)
    hello = g_variant_ref (self->peer_hello);
  coproc_wait_end (&wait);
  return hello;
}

/* --- receiving: the read lock is held --- */

static void
read_limits (GVariant *fields, CoprocLimits *limits)
{
  g_variant_lookup (fields, "max-message-size", "t", &limits->max_message_size);
  g_variant_lookup (fields, "max-variant-size", "t", &limits->max_variant_size);
  g_variant_lookup (fields, "max-channels", "u", &limits->max_channels);
}

static gboolean
handle_hello (CoprocEndpoint *self, const CoprocFrame *frame, GError **error)
{
  guint32 version = 0, pid = 0;

  g_variant_lookup (frame->variant, "version", "u", &version);
  g_variant_lookup (frame->variant, "pid", "u", &pid);

  if (self->got_hello)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL, "The peer greets twice");
      return FALSE;
    }
  if (version != COPROC_WIRE_VERSION)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL,
                   "The peer speaks version %u of the protocol, not %d", version, COPROC_WIRE_VERSION);
      return FALSE;
    }

  self->got_hello = TRUE;
  g_atomic_int_set (&self->peer_is_remote, pid != (guint32) getpid ());
  g_mutex_lock (&self->lock);
  read_limits (frame->variant, &self->peer_limits);
  g_variant_lookup (frame->variant, "shared-memory", "t", &self->peer_shared_size);
  coproc_endpoint_update_sending_locked (self);
  self->peer_pid = (int) pid;
  g_variant_lookup (frame->variant, "accepts", "b", &self->peer_accepts);
  self->peer_hello = g_variant_ref (frame->variant);
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static void
handle_settings (CoprocEndpoint *self, const CoprocFrame *frame)
{
  g_mutex_lock (&self->lock);
  read_limits (frame->variant, &self->peer_limits);
  coproc_endpoint_update_sending_locked (self);
  g_mutex_unlock (&self->lock);
}

/* From here on the peer knows the limits of this side: they count as they are. */
static gboolean
handle_settings_ack (CoprocEndpoint *self, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->n_unacked == 0)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL,
                           "Settings were acknowledged that were not sent");
      return FALSE;
    }
  if (--self->n_unacked == 0)
    self->transport->ops->set_limits (self->transport, &self->limits);
  return TRUE;
}

static gboolean
handle_channel (CoprocEndpoint *self, const CoprocFrame *frame, GError **error)
{
  g_autofree char *name = g_strndup (frame->data, frame->size);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (frame->channel != self->in_channels->len)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL, "Channel %u was opened out of turn",
                   frame->channel);
      return FALSE;
    }
  locker = g_mutex_locker_new (&self->lock);
  if (frame->channel > self->limits.max_channels)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "The peer opened more than %u channels",
                   self->limits.max_channels);
      return FALSE;
    }
  g_ptr_array_add (self->in_channels, coproc_endpoint_get_channel_locked (self, name));
  return TRUE;
}

/* A special message: fails whoever waits in a receive, or else the next one. */
static void
handle_special (CoprocEndpoint *self, GError *error)
{
  const gboolean close = g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED);
  gboolean raised = FALSE;

  g_mutex_lock (&self->lock);
  for (GList *l = self->blocked.head; l != NULL; l = l->next)
    {
      CoprocBlocked *blocked = l->data;

      if (blocked->special == NULL)
        {
          blocked->special = g_error_copy (error);
          raised = TRUE;
        }
    }
  if (coproc_endpoint_fail_receivers_locked (self, error))
    raised = TRUE;
  if (!raised)
    g_queue_push_tail (&self->specials, g_error_copy (error));

  if (close)
    {
      self->close_requested = TRUE;
      coproc_endpoint_tell_locked (self, COPROC_EVENT_CLOSE_REQUESTED, NULL);
    }
  else
    coproc_endpoint_tell_locked (self, COPROC_EVENT_ERROR, g_error_copy (error));
  if (!raised)
    coproc_endpoint_signal_watch_locked (self);
  coproc_endpoint_wake_locked (self);
  g_mutex_unlock (&self->lock);
  g_error_free (error);
}

static CoprocInvocation *
find_invocation_locked (CoprocChannel *channel, guint64 serial)
{
  guint n = 0;

  for (GList *l = channel->unanswered.head; l != NULL && n < WITHDRAWN_SCAN; l = l->next, n++)
    if (((CoprocInvocation *) l->data)->serial == serial)
      return l->data;

  n = 0;
  for (GList *l = channel->unanswered.tail; l != NULL && n < WITHDRAWN_SCAN; l = l->prev, n++)
    if (((CoprocInvocation *) l->data)->serial == serial)
      return l->data;
  return NULL;
}

/* The peer no longer awaits a reply: a request still queued is dropped when its turn comes, one that is
 * being worked on is told through its cancellable. Or it wants back what is queued. */
static gboolean
handle_cancel (CoprocEndpoint *self, const CoprocFrame *frame, CoprocAftermath *after, GError **error)
{
  CoprocChannel *channel = coproc_endpoint_get_in_channel (self, frame->channel, error);
  CoprocInvocation *invocation;

  if (channel == NULL)
    return FALSE;
  g_mutex_lock (&self->lock);
  if (frame->reply_serial == 0)
    {
      coproc_endpoint_give_back_locked (self, channel);
      after->refuses = TRUE;
    }
  else if ((invocation = find_invocation_locked (channel, frame->reply_serial)) != NULL)
    {
      if (invocation->cancellable == NULL)
        invocation->cancellable = g_cancellable_new ();
      if (after->cancelled == NULL)
        after->cancelled = g_ptr_array_new_with_free_func (g_object_unref);
      g_ptr_array_add (after->cancelled, g_object_ref (invocation->cancellable));
    }
  else if (channel->n_queued > 0)
    {
      if (self->withdrawn == NULL)
        self->withdrawn = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
      if (g_hash_table_size (self->withdrawn) < COPROC_MAX_PENDING_REQUESTS)
        g_hash_table_add (self->withdrawn, g_memdup2 (&frame->reply_serial, sizeof (guint64)));
    }
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* One that is not pending was given up, or is answered already: a worker's claim does no harm. */
static void
handle_accepted (CoprocEndpoint *self, const CoprocFrame *frame)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  coproc_pending_accept (self->pending, frame->reply_serial);
}

gboolean
coproc_endpoint_handle_control (CoprocEndpoint     *self,
                                const CoprocFrame  *frame,
                                CoprocAftermath    *after,
                                GError            **error)
{
  switch ((CoprocFrameKind) frame->kind)
    {
    case COPROC_FRAME_HELLO:
      after->greeted = TRUE;
      return handle_hello (self, frame, error);
    case COPROC_FRAME_SETTINGS:
      handle_settings (self, frame);
      after->n_acks++;
      return TRUE;
    case COPROC_FRAME_SETTINGS_ACK:
      return handle_settings_ack (self, error);
    case COPROC_FRAME_CHANNEL:
      return handle_channel (self, frame, error);
    case COPROC_FRAME_ERROR:
      handle_special (self, coproc_error_from_variant (frame->variant));
      return TRUE;
    case COPROC_FRAME_CLOSE_REQUEST:
      handle_special (self, g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED,
                                                 "The peer asks this side to close"));
      return TRUE;
    case COPROC_FRAME_CANCEL:
      return handle_cancel (self, frame, after, error);
    case COPROC_FRAME_ACCEPTED:
      handle_accepted (self, frame);
      return TRUE;
    case COPROC_FRAME_PING:
      after->pinged = TRUE;
      return TRUE;
    case COPROC_FRAME_PONG: /* that it has come is all that it says */
      return TRUE;
    case COPROC_FRAME_GOODBYE:
    case COPROC_FRAME_TYPE:
    case COPROC_FRAME_SHARED:
    case COPROC_FRAME_NOREQUEST:
    case COPROC_FRAME_REQUEST:
    case COPROC_FRAME_REPLY:
    case COPROC_FRAME_ERROR_REPLY:
    default:
      g_assert_not_reached ();
    }
}

void
coproc_endpoint_settle_aftermath (CoprocEndpoint *self, CoprocAftermath *after)
{
  const CoprocFrame ack = { .kind = COPROC_FRAME_SETTINGS_ACK };

  if (after->greeted)
    share_output (self);
  for (; after->n_acks > 0; after->n_acks--)
    coproc_endpoint_send_control (self, &ack, NULL);
  if (after->pinged)
    coproc_endpoint_beat (self, COPROC_FRAME_PONG);
  if (after->refuses)
    coproc_endpoint_send_refusals (self);
  if (after->cancelled == NULL)
    return;
  for (guint i = 0; i < after->cancelled->len; i++)
    g_cancellable_cancel (g_ptr_array_index (after->cancelled, i));
  g_clear_pointer (&after->cancelled, g_ptr_array_unref);
}
