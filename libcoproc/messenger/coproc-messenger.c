/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-messenger.h"

#include <math.h>
#include <string.h>

#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger-private.h"
#include "messenger/coproc-op-private.h"

/**
 * CoprocMessenger:
 *
 * One end of a connection on which messages travel on named channels.
 *
 * A message is a [struct@GLib.Variant], with a channel (a name, or %NULL for the default channel) and a
 * priority. It is sent as it is ([method@Coproc.Messenger.send_norequest]), as a request that expects
 * one reply ([method@Coproc.Messenger.send_request], [method@Coproc.Messenger.call]) or as the reply to
 * one ([method@Coproc.Messenger.reply], [method@Coproc.Messenger.send_reply]). Each channel has a queue
 * of its own at the receiver: in order of priority (lower first, then first-in-first-out) or, with
 * [property@Coproc.Messenger:by-priority] %FALSE, in order of arrival.
 *
 * When a send returns %TRUE the peer can receive the message at once, without any main loop. What the
 * link does not take is written by a background thread; past
 * [property@Coproc.Messenger:high-water-mark] a send waits.
 *
 * Errors and close requests that the peer sends ([method@Coproc.Messenger.send_error],
 * [method@Coproc.Messenger.send_close_request]) bypass the queues: a receive call fails with them, and
 * nothing that is queued is lost.
 *
 * ```c
 * g_autoptr (CoprocMessenger) a = NULL, b = NULL;
 * g_autoptr (GVariant) text = NULL;
 *
 * coproc_messenger_new_pair (COPROC_TYPE_PRIORITY_MESSENGER, &a, &b, NULL);
 * coproc_messenger_send_norequest (a, g_variant_new_string ("hello"), "news", NULL);
 * text = coproc_messenger_receive_blocking (b, "news", NULL, NULL);
 * g_print ("%s\n", g_variant_get_string (text, NULL));
 * ```
 *
 * ```python
 * _, a, b = Coproc.Messenger.new_pair(Coproc.PriorityMessenger)
 * a.send_norequest(GLib.Variant('s', 'hello'), 'news')
 * print(b.receive_blocking('news', None).unpack())
 * ```
 *
 * Call [method@Coproc.Messenger.close] when done; dropping the last reference does it too. Operations
 * that are pending then end with %COPROC_ERROR_CLOSED.
 *
 * Threads: every method may be called from any thread. Signals are emitted in the thread-default
 * [struct@GLib.MainContext] of the thread that made the messenger; asynchronous calls complete in that
 * of the thread that began them. They do not keep it: if its last reference goes while a call is pending, the
 * call ends with %COPROC_ERROR_CLOSED, in the thread that let the context go.
 *
 * Since: 1.0
 */

typedef struct
{
  gboolean by_priority;      /* immutable after construction */
  gboolean fixed;            /* by a subclass: the property may not change it */
  CoprocEndpoint *endpoint;  /* immutable after construction */
} CoprocMessengerPrivate;

enum
{
  SIGNAL_MESSAGE,
  SIGNAL_ERROR_RECEIVED,
  SIGNAL_CLOSE_REQUESTED,
  SIGNAL_CLOSED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_TYPE_WITH_PRIVATE (CoprocMessenger, coproc_messenger, G_TYPE_OBJECT)

static CoprocMessengerPrivate *
get_private (CoprocMessenger *self)
{
  return coproc_messenger_get_instance_private (self);
}

CoprocEndpoint *
coproc_messenger_get_endpoint (CoprocMessenger *self)
{
  return get_private (self)->endpoint;
}

void
coproc_messenger_set_discipline (CoprocMessenger *self, gboolean by_priority)
{
  CoprocMessengerPrivate *priv = get_private (self);

  if (!priv->fixed)
    priv->by_priority = by_priority;
}

void
coproc_messenger_fix_discipline (CoprocMessenger *self, gboolean by_priority)
{
  CoprocMessengerPrivate *priv = get_private (self);

  priv->by_priority = by_priority;
  priv->fixed = TRUE;
}

/* --- priorities --- */

static gboolean
number_from_variant (GVariant *value, double *number)
{
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BYTE:
      *number = g_variant_get_byte (value);
      return TRUE;
    case G_VARIANT_CLASS_INT16:
      *number = g_variant_get_int16 (value);
      return TRUE;
    case G_VARIANT_CLASS_UINT16:
      *number = g_variant_get_uint16 (value);
      return TRUE;
    case G_VARIANT_CLASS_INT32:
      *number = g_variant_get_int32 (value);
      return TRUE;
    case G_VARIANT_CLASS_UINT32:
      *number = g_variant_get_uint32 (value);
      return TRUE;
    case G_VARIANT_CLASS_INT64:
      *number = (double) g_variant_get_int64 (value);
      return TRUE;
    case G_VARIANT_CLASS_UINT64:
      *number = (double) g_variant_get_uint64 (value);
      return TRUE;
    case G_VARIANT_CLASS_DOUBLE:
      *number = g_variant_get_double (value);
      return TRUE;
    case G_VARIANT_CLASS_BOOLEAN:
    case G_VARIANT_CLASS_HANDLE:
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
    case G_VARIANT_CLASS_SIGNATURE:
    case G_VARIANT_CLASS_VARIANT:
    case G_VARIANT_CLASS_MAYBE:
    case G_VARIANT_CLASS_ARRAY:
    case G_VARIANT_CLASS_TUPLE:
    case G_VARIANT_CLASS_DICT_ENTRY:
    default:
      return FALSE;
    }
}

static gboolean
coproc_messenger_real_get_priority (CoprocMessenger  *self,
                                    GVariant         *payload,
                                    double           *priority,
                                    GError          **error)
{
  g_autoptr (GVariant) value = NULL;

  *priority = INFINITY;
  if (g_variant_is_of_type (payload, G_VARIANT_TYPE_VARDICT))
    value = g_variant_lookup_value (payload, "priority", NULL);
  if (value != NULL)
    number_from_variant (value, priority);
  return TRUE;
}

gboolean
coproc_messenger_has_own_priorities (CoprocMessenger *self)
{
  return COPROC_MESSENGER_GET_CLASS (self)->get_priority != coproc_messenger_real_get_priority;
}

/* Asks the class, and trusts no answer that a binding could not help giving. */
gboolean
coproc_messenger_find_priority (CoprocMessenger *self, GVariant *payload, double *priority, GError **error)
{
  CoprocMessengerClass *klass = COPROC_MESSENGER_GET_CLASS (self);
  GError *failure = NULL;
  const char *type;

  *priority = INFINITY;
  if (klass->get_priority == coproc_messenger_real_get_priority)
    {
      type = g_variant_get_type_string (payload);
      if (type[0] != 'a' || type[1] != '{' || strcmp (type + 2, "sv}") != 0)
        return TRUE;
    }
  if (!klass->get_priority (self, payload, priority, &failure))
    {
      if (failure != NULL)
        g_propagate_error (error, failure);
      else
        g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_HANDLER,
                             "get_priority failed without saying why");
      return FALSE;
    }
  g_clear_error (&failure);
  return coproc_messenger_check_priority (*priority, error);
}

gboolean
coproc_messenger_check_priority (double priority, GError **error)
{
  if (!isnan (priority))
    return TRUE;
  g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY, "A priority must be a number");
  return FALSE;
}

/* --- signals --- */

static void
emit_event (CoprocMessenger *self, const CoprocEvent *event)
{
  switch (event->kind)
    {
    case COPROC_EVENT_ERROR:
      g_signal_emit (self, signals[SIGNAL_ERROR_RECEIVED], 0, event->error);
      break;
    case COPROC_EVENT_CLOSE_REQUESTED:
      g_object_notify (G_OBJECT (self), "close-requested");
      g_signal_emit (self, signals[SIGNAL_CLOSE_REQUESTED], 0);
      break;
    case COPROC_EVENT_CLOSED:
      g_object_notify (G_OBJECT (self), "closed");
      g_signal_emit (self, signals[SIGNAL_CLOSED], 0, event->error);
      break;
    default:
      g_assert_not_reached ();
    }
}

void
coproc_messenger_emit_signals (CoprocEndpoint *endpoint)
{
  for (guint n = 0; n < 64; n++)
    {
      /* a handler may drop the last reference: nothing is told after that */
      g_autoptr (CoprocMessenger) self = g_weak_ref_get (&endpoint->messenger);
      CoprocEvent event;
      CoprocMessage *message;

      if (self == NULL || !coproc_endpoint_next_signal (endpoint, &event, &message))
        return;
      if (endpoint->accepted != NULL)
        coproc_endpoint_tell_accepted (endpoint);
      if (message != NULL)
        {
          const char *channel = coproc_message_get_channel (message);

          g_signal_emit (self, signals[SIGNAL_MESSAGE],
                         channel != NULL ? g_quark_from_string (channel) : 0, message);
          coproc_message_unref (message);
        }
      else
        emit_event (self, &event);
      g_clear_error (&event.error);
    }

  /* others of this context have their turn first */
  g_mutex_lock (&endpoint->lock);
  coproc_endpoint_wake_signals_locked (endpoint);
  g_mutex_unlock (&endpoint->lock);
}

/* --- GObject --- */

static void
coproc_messenger_constructed (GObject *object)
{
  CoprocMessengerPrivate *priv = get_private (COPROC_MESSENGER (object));

  priv->endpoint = coproc_endpoint_new (priv->by_priority);
  g_weak_ref_set (&priv->endpoint->messenger, object);
  G_OBJECT_CLASS (coproc_messenger_parent_class)->constructed (object);
}

static void
coproc_messenger_dispose (GObject *object)
{
  CoprocMessengerPrivate *priv = get_private (COPROC_MESSENGER (object));

  coproc_endpoint_mute (priv->endpoint);
  coproc_endpoint_close (priv->endpoint);
  coproc_op_adopt_all (priv->endpoint, object);
  G_OBJECT_CLASS (coproc_messenger_parent_class)->dispose (object);
}

static void
coproc_messenger_finalize (GObject *object)
{
  CoprocMessengerPrivate *priv = get_private (COPROC_MESSENGER (object));

  g_clear_pointer (&priv->endpoint, coproc_endpoint_unref);
  G_OBJECT_CLASS (coproc_messenger_parent_class)->finalize (object);
}

static void
coproc_messenger_class_init (CoprocMessengerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = coproc_messenger_constructed;
  object_class->dispose = coproc_messenger_dispose;
  object_class->finalize = coproc_messenger_finalize;
  klass->get_priority = coproc_messenger_real_get_priority;
  coproc_messenger_install_properties (object_class);

  /**
   * CoprocMessenger::message:
   * @self: the messenger
   * @message: the message
   *
   * A message has come on a channel claimed by [method@Coproc.Messenger.listen]. The detail is the
   * channel's name: `message::news`; the default channel has none.
   *
   * Since: 1.0
   */
  signals[SIGNAL_MESSAGE] = g_signal_new ("message", G_TYPE_FROM_CLASS (klass),
                                          G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, 0, NULL, NULL, NULL,
                                          G_TYPE_NONE, 1, COPROC_TYPE_MESSAGE);
  /**
   * CoprocMessenger::error-received:
   * @self: the messenger
   * @error: the error
   *
   * The peer has sent an error. A receive call fails with it too.
   *
   * Since: 1.0
   */
  signals[SIGNAL_ERROR_RECEIVED] = g_signal_new ("error-received", G_TYPE_FROM_CLASS (klass),
                                                 G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                                 1, G_TYPE_ERROR);
  /**
   * CoprocMessenger::close-requested:
   * @self: the messenger
   *
   * The peer asks this side to close. A receive call fails with %COPROC_ERROR_CLOSE_REQUESTED too.
   *
   * Since: 1.0
   */
  signals[SIGNAL_CLOSE_REQUESTED] = g_signal_new ("close-requested", G_TYPE_FROM_CLASS (klass),
                                                  G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                                  0);
  /**
   * CoprocMessenger::closed:
   * @self: the messenger
   * @error: (nullable): why, %NULL when either side has closed it properly
   *
   * The connection is over. It is the last signal.
   *
   * Since: 1.0
   */
  signals[SIGNAL_CLOSED] = g_signal_new ("closed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
coproc_messenger_init (CoprocMessenger *self)
{
  get_private (self)->by_priority = TRUE;
}

