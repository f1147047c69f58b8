/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Asynchronous operations. A pending one does not keep its messenger alive: when the messenger is
 * dropped they end with CLOSED. So the GTask, which would, is made when the operation is done, in
 * the caller's context; cancellation and time are sources on that same context.
 */
#include "messenger/coproc-endpoint-private.h"

#include "coproc-error.h"
#include "wire/coproc-io-private.h"

/* --- delivery: in the caller's context --- */

static void
clear_source (GSource **source)
{
  GSource *old = g_steal_pointer (source);

  if (old == NULL)
    return;
  g_source_destroy (old);
  g_source_unref (old);
}

/* In its context, or before it was begun. */
static void
coproc_op_free (CoprocOp *op)
{
  clear_source (&op->cancel_source);
  clear_source (&op->timeout_source);
  clear_source (&op->deliver_source);
  g_clear_object (&op->source_object);
  g_clear_object (&op->cancellable);
  g_clear_pointer (&op->message, coproc_message_unref);
  g_clear_error (&op->error);
  g_clear_pointer (&op->outgoing.payload, g_variant_unref);
  g_free (op->channel_name);
  g_main_context_unref (op->context);
  coproc_endpoint_unref (op->endpoint);
  g_free (op);
}

static GTask *
new_task (CoprocOp *op, GObject *source_object)
{
  g_autoptr (GMainContext) current = g_main_context_ref_thread_default ();
  GTask *task;

  if (current != op->context)
    g_main_context_push_thread_default (op->context);
  task = g_task_new (source_object, NULL, op->callback, op->user_data);
  if (current != op->context)
    g_main_context_pop_thread_default (op->context);

  g_task_set_source_tag (task, op->tag);
  return task;
}

static gboolean
deliver (gpointer user_data)
{
  CoprocOp *op = user_data;
  CoprocEndpoint *self = op->endpoint;
  g_autoptr (GObject) messenger = g_weak_ref_get (&self->messenger);
  g_autoptr (GTask) task = NULL;
  GObject *adopted;

  g_mutex_lock (&self->lock);
  adopted = op->source_object;
  if (messenger == NULL && adopted == NULL)
    {
      /* It is being disposed of in another thread, which adopts the operation. */
      g_mutex_unlock (&self->lock);
      return G_SOURCE_REMOVE;
    }
  coproc_op_place_locked (op, NULL);
  g_mutex_unlock (&self->lock);

  if (self->accepted != NULL)
    coproc_endpoint_tell_accepted (self);
  task = new_task (op, adopted != NULL ? adopted : messenger);
  if (op->error != NULL)
    g_task_return_error (task, g_steal_pointer (&op->error));
  else if (op->kind == COPROC_OP_SEND)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_pointer (task, g_steal_pointer (&op->message),
                           (GDestroyNotify) coproc_message_unref);
  coproc_op_free (op);
  return G_SOURCE_REMOVE;
}

static void
attach_delivery (CoprocOp *op)
{
  op->deliver_source = g_idle_source_new ();
  g_source_set_priority (op->deliver_source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (op->deliver_source, "coproc completion");
  g_source_set_callback (op->deliver_source, deliver, op, NULL);
  g_source_attach (op->deliver_source, op->context);
}

void
coproc_op_place_locked (CoprocOp *op, GQueue *place)
{
  if (op->place != NULL)
    g_queue_unlink (op->place, &op->link);
  op->place = place;
  if (place != NULL)
    g_queue_push_tail_link (place, &op->link);
}

void
coproc_op_complete_locked (CoprocOp *op, CoprocMessage *message, GError *error)
{
  CoprocEndpoint *self = op->endpoint;

  g_assert (!op->done);
  op->done = TRUE;
  coproc_op_place_locked (op, &self->delivering);

  if (op->kind != COPROC_OP_SEND)
    op->message = message;
  op->error = error;
  self->n_async--;
  attach_delivery (op);
}

void
coproc_op_adopt_all (CoprocEndpoint *self, GObject *messenger)
{
  guint n = 0;

  g_mutex_lock (&self->lock);
  for (GList *l = self->delivering.head; l != NULL; l = l->next)
    n += ((CoprocOp *) l->data)->source_object == NULL;
  g_mutex_unlock (&self->lock);

  /* References are taken without the lock: bindings are told of them. Nobody else takes operations
   * out meanwhile, since the messenger is no longer found. */
  for (guint i = 0; i < n; i++)
    g_object_ref (messenger);

  g_mutex_lock (&self->lock);
  for (GList *l = self->delivering.head; l != NULL && n > 0; l = l->next)
    {
      CoprocOp *op = l->data;

      if (op->source_object != NULL)
        continue;
      op->source_object = messenger;
      clear_source (&op->deliver_source);
      attach_delivery (op);
      n--;
    }
  g_mutex_unlock (&self->lock);

  for (; n > 0; n--)
    g_object_unref (messenger);
}

/* --- giving up: in the caller's context --- */

static void
give_up (CoprocOp *op, GError *error)
{
  CoprocEndpoint *self = op->endpoint;
  CoprocChannel *told = NULL;
  guint64 serial = 0;

  /* A parked send is between two owners while it is being sent. */
  g_mutex_lock (&self->write_lock);
  g_mutex_lock (&self->lock);
  if (!op->done)
    {
      if (op->place == &self->calling)
        {
          serial = op->outgoing.serial;
          told = coproc_endpoint_get_channel_locked (self, op->outgoing.channel);
          coproc_endpoint_abandon_locked (self, serial, told);
        }
      coproc_op_complete_locked (op, NULL, g_steal_pointer (&error));
    }
  g_mutex_unlock (&self->lock);
  g_mutex_unlock (&self->write_lock);

  if (told != NULL)
    coproc_endpoint_send_cancel (self, told, serial);
  g_clear_error (&error);
}

static gboolean
op_cancelled (GCancellable *cancellable, gpointer user_data)
{
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  give_up (user_data, error);
  return G_SOURCE_REMOVE;
}

static gboolean
op_timed_out (gpointer user_data)
{
  CoprocOp *op = user_data;

  /* This process may not have run for a while: what came in time counts. */
  if (op->kind != COPROC_OP_SEND)
    coproc_endpoint_pump (op->endpoint, COPROC_PUMP_NORMAL);
  give_up (op, g_error_new_literal (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                                           "Nothing came in time"));
  return G_SOURCE_REMOVE;
}

/* --- beginning --- */

CoprocOp *
coproc_op_new (CoprocEndpoint       *endpoint,
               CoprocOpKind          kind,
               gint64                timeout_us,
               GCancellable         *cancellable,
               GAsyncReadyCallback   callback,
               gpointer              user_data,
               gpointer              tag)
{
  CoprocOp *op = g_new0 (CoprocOp, 1);

  op->endpoint = coproc_endpoint_ref (endpoint);
  op->kind = kind;
  op->context = g_main_context_ref_thread_default ();
  op->callback = callback;
  op->user_data = user_data;
  op->tag = tag;
  op->link.data = op;
  op->call.op = op;
  if (cancellable != NULL)
    {
      op->cancellable = g_object_ref (cancellable);
      op->cancel_source = g_cancellable_source_new (cancellable);
      g_source_set_callback (op->cancel_source, G_SOURCE_FUNC (op_cancelled), op, NULL);
      g_source_attach (op->cancel_source, op->context);
      /* GLib does not wake the context when it is cancelled while the source is being attached. */
      if (g_cancellable_is_cancelled (cancellable))
        g_source_set_ready_time (op->cancel_source, 0);
    }
  if (timeout_us >= 0)
    op->timeout_source = coproc_io_add_timeout (op->context, timeout_us, op_timed_out, op, NULL);

  g_mutex_lock (&endpoint->lock);
  endpoint->n_async++;
  coproc_endpoint_unpark_locked (endpoint);
  g_mutex_unlock (&endpoint->lock);
  return op;
}

void
coproc_op_send (CoprocOp *op, const CoprocOutgoing *outgoing, GError *failure)
{
  CoprocEndpoint *self = op->endpoint;

  op->outgoing = *outgoing;
  op->outgoing.payload = g_variant_ref (outgoing->payload);
  op->channel_name = g_strdup (outgoing->channel);
  op->outgoing.channel = op->channel_name;
  op->outgoing.call = op->kind == COPROC_OP_CALL ? &op->call : NULL;

  if (failure == NULL)
    g_cancellable_set_error_if_cancelled (op->cancellable, &failure);
  if (failure == NULL)
    {
      coproc_endpoint_send_op (self, op);
      return;
    }
  g_mutex_lock (&self->lock);
  coproc_op_complete_locked (op, NULL, failure);
  g_mutex_unlock (&self->lock);
}

void
coproc_op_receive (CoprocOp *op, const char *name)
{
  CoprocEndpoint *self = op->endpoint;
  CoprocMessage *message = NULL;
  CoprocChannel *channel;
  GError *error = NULL;

  coproc_endpoint_pump (self, COPROC_PUMP_NORMAL);

  g_mutex_lock (&self->lock);
  channel = coproc_endpoint_get_channel_locked (self, name);
  if (channel->claimed)
    error = g_error_new (COPROC_ERROR, COPROC_ERROR_FAILED,
                         "The channel is listened to: its messages are signals");
  else if ((error = g_queue_pop_head (&self->specials)) == NULL
           && !coproc_endpoint_pop_locked (self, channel, &message, &error)
           && coproc_endpoint_is_over_locked (self))
    error = coproc_endpoint_copy_end_error_locked (self);

  if (message != NULL || error != NULL)
    coproc_op_complete_locked (op, message, error);
  else
    {
      coproc_op_place_locked (op, &channel->receivers);
    }
  g_mutex_unlock (&self->lock);
}

void
coproc_endpoint_fail_calls_locked (CoprocEndpoint *self, const GError *error)
{
  GList *link;

  while ((link = self->calling.head) != NULL)
    {
      CoprocOp *op = link->data;

      coproc_endpoint_abandon_locked (
          self, op->outgoing.serial, coproc_endpoint_get_channel_locked (self, op->outgoing.channel));
      coproc_op_complete_locked (op, NULL, g_error_copy (error));
    }
}

gboolean
coproc_endpoint_fail_receivers_locked (CoprocEndpoint *self, const GError *error)
{
  gboolean any = FALSE;
  GHashTableIter iter;
  gpointer channel;
  GList *link;

  if (self->n_async == 0)
    return FALSE;

  while ((link = self->default_channel->receivers.head) != NULL)
    {
      coproc_op_complete_locked (link->data, NULL, g_error_copy (error));
      any = TRUE;
    }
  g_hash_table_iter_init (&iter, self->channels);
  while (g_hash_table_iter_next (&iter, NULL, &channel))
    while ((link = ((CoprocChannel *) channel)->receivers.head) != NULL)
      {
        coproc_op_complete_locked (link->data, NULL, g_error_copy (error));
        any = TRUE;
      }
  return any;
}
