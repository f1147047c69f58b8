/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Asynchronous operations. A pending one keeps neither its messenger alive nor the caller's main
 * context: when either is gone it ends with CLOSED. So the GTask, which would keep both, is made
 * when the operation is done, and what lives on the context is one source, to which the operation
 * belongs: it is ready when the operation is done or its time is up, and when it goes away before
 * that, the context has.
 */
#include "messenger/coproc-op-private.h"

#include "coproc-error.h"
#include "coproc-source-private.h"

/* --- delivery: in the caller's context --- */

static void
coproc_op_free (CoprocOp *op)
{
  if (op->cancel_source != NULL)
    {
      g_source_destroy (op->cancel_source);
      g_source_unref (op->cancel_source);
    }
  g_source_unref (op->source);
  g_clear_object (&op->source_object);
  g_clear_object (&op->cancellable);
  g_clear_pointer (&op->message, coproc_message_unref);
  g_clear_error (&op->error);
  g_clear_pointer (&op->outgoing.payload, g_variant_unref);
  g_free (op->channel_name);
  coproc_endpoint_unref (op->endpoint);
  g_free (op);
}

static GTask *
new_task (CoprocOp *op, GObject *source_object, GMainContext *context)
{
  g_autoptr (GMainContext) current = g_main_context_ref_thread_default ();
  GTask *task;

  if (current != context)
    g_main_context_push_thread_default (context);
  task = g_task_new (source_object, NULL, op->callback, op->user_data);
  if (current != context)
    g_main_context_pop_thread_default (context);

  g_task_set_source_tag (task, op->tag);
  return task;
}

/* Calls back, in @context if that is being iterated, otherwise when it is. The operation is nowhere any more. */
static void
settle (CoprocOp *op, GObject *messenger, GMainContext *context)
{
  g_autoptr (GTask) task = NULL;

  op->settled = TRUE;
  if (op->endpoint->accepted != NULL)
    coproc_endpoint_tell_accepted (op->endpoint);
  task = new_task (op, messenger, context);
  if (op->error != NULL)
    g_task_return_error (task, g_steal_pointer (&op->error));
  else if (op->kind == COPROC_OP_SEND)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_pointer (task, g_steal_pointer (&op->message),
                           (GDestroyNotify) coproc_message_unref);
}

/* The context is gone, with nobody to iterate it: the callback runs here, where it was let go. */
static void
settle_here (CoprocOp *op, GObject *messenger)
{
  g_autoptr (GMainContext) context = g_main_context_new ();

  settle (op, messenger, context);
  while (g_main_context_iteration (context, FALSE))
    ;
}

/* The one that was done first among those with @context. (lock) Returns: (nullable) */
static CoprocOp *
find_done_locked (CoprocEndpoint *self, GMainContext *context)
{
  for (GList *l = self->delivering.head; l != NULL; l = l->next)
    if (((CoprocOp *) l->data)->context == context)
      return l->data;
  return NULL;
}

/* Each source that is ready delivers one operation, in the order in which they were done: it may be another's, and is
 * then ready still. */
static void
deliver (CoprocEndpoint *self, CoprocOp *op)
{
  g_autoptr (GObject) messenger = g_weak_ref_get (&self->messenger);
  g_autoptr (GSource) source = NULL;
  CoprocOp *first;

  g_mutex_lock (&self->lock);
  first = find_done_locked (self, op->context);
  if (messenger == NULL)
    g_set_object (&messenger, first->source_object);
  if (messenger == NULL)
    {
      /* It is being disposed of in another thread, which adopts the operations. */
      g_source_set_ready_time (op->source, -1);
      g_mutex_unlock (&self->lock);
      return;
    }
  coproc_op_place_locked (first, NULL);
  source = g_source_ref (first->source);
  g_source_set_ready_time (source, -1);
  g_mutex_unlock (&self->lock);

  settle (first, messenger, first->context);
  g_source_destroy (source);
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
  g_source_set_ready_time (op->source, 0);
}

void
coproc_op_adopt_all (CoprocEndpoint *self, GObject *messenger)
{
  GQueue stranded = G_QUEUE_INIT;
  GList *link;
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
  for (GList *l = self->delivering.head, *next; l != NULL && n > 0; l = next)
    {
      CoprocOp *op = l->data;

      next = l->next;
      if (op->source_object != NULL)
        continue;
      op->source_object = messenger;
      if (op->context != NULL)
        g_source_set_ready_time (op->source, 0);
      else
        coproc_op_place_locked (op, &stranded);
      n--;
    }
  g_mutex_unlock (&self->lock);

  for (; n > 0; n--)
    g_object_unref (messenger);
  while ((link = stranded.head) != NULL)
    {
      CoprocOp *op = link->data;

      coproc_op_place_locked (op, NULL);
      settle_here (op, messenger);
      coproc_op_free (op);
    }
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

/* What a pending operation comes to when its context does. Returns: FALSE: whoever disposes of the messenger at this
 * moment frees it */
static gboolean
lose_context (CoprocOp *op)
{
  CoprocEndpoint *self = op->endpoint;
  g_autoptr (GObject) messenger = g_weak_ref_get (&self->messenger);

  give_up (op, g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED, "The main context of the caller is gone"));
  g_mutex_lock (&self->lock);
  op->context = NULL;
  if (messenger == NULL)
    g_set_object (&messenger, op->source_object);
  if (messenger != NULL)
    coproc_op_place_locked (op, NULL);
  g_mutex_unlock (&self->lock);

  if (messenger == NULL)
    return FALSE;
  settle_here (op, messenger);
  return TRUE;
}

static gboolean
op_cancelled (GCancellable *cancellable, gpointer user_data)
{
  GError *error = NULL;

  g_cancellable_set_error_if_cancelled (cancellable, &error);
  give_up (user_data, error);
  return G_SOURCE_REMOVE;
}

static void
time_out (CoprocOp *op)
{
  /* This process may not have run for a while: what came in time counts. */
  if (op->kind != COPROC_OP_SEND)
    coproc_endpoint_pump (op->endpoint, COPROC_PUMP_NORMAL);
  give_up (op, g_error_new_literal (COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "Nothing came in time"));
}

/* --- the source --- */

/* Done, or out of time. */
static gboolean
source_ready (gpointer user_data)
{
  CoprocOp *op = user_data;
  CoprocEndpoint *endpoint = op->endpoint;
  gboolean done;

  g_mutex_lock (&endpoint->lock);
  done = op->done;
  g_mutex_unlock (&endpoint->lock);
  if (done)
    deliver (endpoint, op);
  else
    time_out (op);
  return G_SOURCE_CONTINUE;
}

/* The operation's last moment. */
static void
source_released (gpointer user_data)
{
  CoprocOp *op = user_data;

  if (!op->settled && !lose_context (op))
    return;
  coproc_op_free (op);
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
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  CoprocOp *op = g_new0 (CoprocOp, 1);

  op->endpoint = coproc_endpoint_ref (endpoint);
  op->kind = kind;
  op->context = context;
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
      g_source_attach (op->cancel_source, context);
      /* GLib does not wake the context when it is cancelled while the source is being attached. */
      if (g_cancellable_is_cancelled (cancellable))
        g_source_set_ready_time (op->cancel_source, 0);
    }
  op->source = coproc_source_new ("coproc operation", source_ready, op, source_released);
  /* a callback may iterate the context, and wait for another operation there */
  g_source_set_can_recurse (op->source, TRUE);
  if (timeout_us >= 0)
    g_source_set_ready_time (op->source, g_get_monotonic_time () + MIN (timeout_us, G_MAXINT64 / 4));
  g_source_attach (op->source, context);

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
