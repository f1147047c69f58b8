/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-messenger.h"

#include <math.h>
#include <string.h>

#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger-private.h"

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
 * of the thread that began them.
 *
 * Since: 1.0
 */

typedef struct
{
  gboolean by_priority;      /* immutable after construction */
  gboolean fixed;            /* by a subclass: the property may not change it */
  CoprocEndpoint *endpoint;  /* immutable after construction */
} CoprocMessengerPrivate;

typedef enum
{
  PROP_BY_PRIORITY = 1,
  PROP_HIGH_WATER_MARK,
  PROP_SEND_TIMEOUT,
  PROP_MAX_MESSAGE_SIZE,
  PROP_MAX_VARIANT_SIZE,
  PROP_MAX_QUEUED_BYTES,
  PROP_MAX_QUEUED_MESSAGES,
  PROP_MAX_CHANNELS,
  PROP_SPIN_TIME,
  PROP_PEER_PID,
  PROP_CLOSE_REQUESTED,
  PROP_CLOSED,
} CoprocMessengerProperty;

static GParamSpec *props[PROP_CLOSED + 1];

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

  *priority = INFINITY;
  if (klass->get_priority == coproc_messenger_real_get_priority
      && strcmp (g_variant_get_type_string (payload), "a{sv}") != 0)
    return TRUE;
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
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CLOSE_REQUESTED]);
      g_signal_emit (self, signals[SIGNAL_CLOSE_REQUESTED], 0);
      break;
    case COPROC_EVENT_CLOSED:
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CLOSED]);
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
coproc_messenger_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  CoprocMessenger *self = COPROC_MESSENGER (object);
  CoprocEndpoint *endpoint = get_private (self)->endpoint;

  /* the two of the write side first: its lock goes before the other */
  if (id == PROP_HIGH_WATER_MARK || id == PROP_SEND_TIMEOUT)
    {
      g_autoptr (GMutexLocker) write_locker G_GNUC_UNUSED = g_mutex_locker_new (&endpoint->write_lock);

      if (id == PROP_HIGH_WATER_MARK)
        g_value_set_uint64 (value, endpoint->high_water_mark);
      else
        g_value_set_int64 (value, endpoint->send_timeout);
      return;
    }

  g_mutex_lock (&endpoint->lock);
  switch ((CoprocMessengerProperty) id)
    {
    case PROP_BY_PRIORITY:
      g_value_set_boolean (value, endpoint->by_priority);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, endpoint->limits.max_message_size);
      break;
    case PROP_MAX_VARIANT_SIZE:
      g_value_set_uint64 (value, endpoint->limits.max_variant_size);
      break;
    case PROP_MAX_QUEUED_BYTES:
      g_value_set_uint64 (value, endpoint->limits.max_queued_bytes);
      break;
    case PROP_MAX_QUEUED_MESSAGES:
      g_value_set_uint (value, endpoint->limits.max_queued_messages);
      break;
    case PROP_MAX_CHANNELS:
      g_value_set_uint (value, endpoint->limits.max_channels);
      break;
    case PROP_SPIN_TIME:
      g_value_set_uint (value, endpoint->spin_time);
      break;
    case PROP_PEER_PID:
      g_value_set_int (value, endpoint->peer_pid);
      break;
    case PROP_CLOSE_REQUESTED:
      g_value_set_boolean (value, endpoint->close_requested);
      break;
    case PROP_CLOSED:
      g_value_set_boolean (value, coproc_endpoint_is_over_locked (endpoint));
      break;
    case PROP_HIGH_WATER_MARK:
    case PROP_SEND_TIMEOUT:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
  g_mutex_unlock (&endpoint->lock);
}

/* Returns: whether @id is one of the limits; *limits is changed then */
static gboolean
set_limit (CoprocLimits *limits, guint id, const GValue *value)
{
  switch ((CoprocMessengerProperty) id)
    {
    case PROP_MAX_MESSAGE_SIZE:
      limits->max_message_size = g_value_get_uint64 (value);
      return TRUE;
    case PROP_MAX_VARIANT_SIZE:
      limits->max_variant_size = g_value_get_uint64 (value);
      return TRUE;
    case PROP_MAX_QUEUED_BYTES:
      limits->max_queued_bytes = g_value_get_uint64 (value);
      return TRUE;
    case PROP_MAX_QUEUED_MESSAGES:
      limits->max_queued_messages = g_value_get_uint (value);
      return TRUE;
    case PROP_MAX_CHANNELS:
      limits->max_channels = g_value_get_uint (value);
      return TRUE;
    case PROP_BY_PRIORITY:
    case PROP_HIGH_WATER_MARK:
    case PROP_SEND_TIMEOUT:
    case PROP_SPIN_TIME:
    case PROP_PEER_PID:
    case PROP_CLOSE_REQUESTED:
    case PROP_CLOSED:
    default:
      return FALSE;
    }
}

static void
coproc_messenger_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  CoprocMessengerPrivate *priv = get_private (COPROC_MESSENGER (object));
  CoprocEndpoint *endpoint = priv->endpoint;
  g_auto (GValue) old = G_VALUE_INIT;
  CoprocLimits limits;

  if (id == PROP_BY_PRIORITY)
    {
      if (!priv->fixed)
        priv->by_priority = g_value_get_boolean (value);
      return;
    }

  g_value_init (&old, pspec->value_type);
  coproc_messenger_get_property (object, id, &old, pspec);
  if (g_param_values_cmp (pspec, value, &old) == 0)
    return;

  g_mutex_lock (&endpoint->lock);
  limits = endpoint->limits;
  g_mutex_unlock (&endpoint->lock);

  if (set_limit (&limits, id, value))
    coproc_endpoint_set_limits (endpoint, &limits);
  else
    {
      g_autoptr (GMutexLocker) write_locker G_GNUC_UNUSED = g_mutex_locker_new (&endpoint->write_lock);

      if (id == PROP_HIGH_WATER_MARK)
        endpoint->high_water_mark = g_value_get_uint64 (value);
      else if (id == PROP_SEND_TIMEOUT)
        endpoint->send_timeout = g_value_get_int64 (value);
      else
        {
          g_mutex_lock (&endpoint->lock);
          endpoint->spin_time = g_value_get_uint (value);
          g_mutex_unlock (&endpoint->lock);
        }
      g_cond_broadcast (&endpoint->room);
    }
  g_object_notify_by_pspec (object, pspec);
}

static void
install_limits (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * CoprocMessenger:max-message-size:
   *
   * The most bytes of a raw (`ay`) payload that this side accepts. The peer is told, and refuses to
   * send more with %COPROC_ERROR_TOO_LARGE; this side does not send more either.
   *
   * Since: 1.0
   */
  props[PROP_MAX_MESSAGE_SIZE] = g_param_spec_uint64 ("max-message-size", NULL, NULL, 1,
                                                      COPROC_MAX_PAYLOAD_SIZE, 16u << 20, flags);
  /**
   * CoprocMessenger:max-variant-size:
   *
   * The same for payloads of any other type, which must be checked byte by byte.
   *
   * Since: 1.0
   */
  props[PROP_MAX_VARIANT_SIZE] = g_param_spec_uint64 ("max-variant-size", NULL, NULL, 1,
                                                      COPROC_MAX_PAYLOAD_SIZE, 1u << 20, flags);
  /**
   * CoprocMessenger:max-queued-bytes:
   *
   * The bytes of payload in the inbound queues at which reading stops and the peer waits. While a
   * receive waits for a message, reading goes on up to twice this.
   *
   * Since: 1.0
   */
  props[PROP_MAX_QUEUED_BYTES] = g_param_spec_uint64 ("max-queued-bytes", NULL, NULL, 1, G_MAXINT64,
                                                      64u << 20, flags);
  /**
   * CoprocMessenger:max-queued-messages:
   *
   * The messages in the inbound queues at which reading stops and the peer waits. While a receive
   * waits for a message, reading goes on up to twice this.
   *
   * Since: 1.0
   */
  props[PROP_MAX_QUEUED_MESSAGES] = g_param_spec_uint ("max-queued-messages", NULL, NULL, 1,
                                                       G_MAXINT, 65536, flags);
  /**
   * CoprocMessenger:max-channels:
   *
   * How many named channels the peer may open, and this side opens at most.
   *
   * Since: 1.0
   */
  props[PROP_MAX_CHANNELS] = g_param_spec_uint ("max-channels", NULL, NULL, 1, 1u << 20, 1024, flags);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * CoprocMessenger:by-priority:
   *
   * Whether a channel delivers by priority, or first-in-first-out.
   *
   * Since: 1.0
   */
  props[PROP_BY_PRIORITY] = g_param_spec_boolean (
      "by-priority", NULL, NULL, TRUE,
      G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  /**
   * CoprocMessenger:high-water-mark:
   *
   * The bytes of unsent output at which a send waits; 0 for no limit.
   *
   * Since: 1.0
   */
  props[PROP_HIGH_WATER_MARK] = g_param_spec_uint64 ("high-water-mark", NULL, NULL, 0, G_MAXUINT64,
                                                     COPROC_DEFAULT_HIGH_WATER_MARK, flags);
  /**
   * CoprocMessenger:send-timeout:
   *
   * How long a send waits at the high-water mark, in microseconds: -1 for ever, 0 not at all
   * (%COPROC_ERROR_WOULD_BLOCK), else %COPROC_ERROR_TIMED_OUT after it.
   *
   * Since: 1.0
   */
  props[PROP_SEND_TIMEOUT] = g_param_spec_int64 ("send-timeout", NULL, NULL, -1, G_MAXINT64,
                                                 30 * G_USEC_PER_SEC, flags);
  /**
   * CoprocMessenger:spin-time:
   *
   * The longest time, in microseconds, that a receive looks at the link before it sleeps; 0 for
   * not at all. A message that comes meanwhile costs no wake-up. While that does not pay it is left
   * out.
   *
   * Since: 1.0
   */
  props[PROP_SPIN_TIME] = g_param_spec_uint ("spin-time", NULL, NULL, 0, G_USEC_PER_SEC, 20, flags);
  /**
   * CoprocMessenger:peer-pid:
   *
   * The process id that the peer has told, 0 before its greeting has been read.
   *
   * Since: 1.0
   */
  props[PROP_PEER_PID] = g_param_spec_int ("peer-pid", NULL, NULL, G_MININT, G_MAXINT, 0,
                                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * CoprocMessenger:close-requested: (getter get_close_requested)
   *
   * Whether the peer has asked this side to close. It stays so.
   *
   * Since: 1.0
   */
  props[PROP_CLOSE_REQUESTED] = g_param_spec_boolean ("close-requested", NULL, NULL, FALSE,
                                                      G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * CoprocMessenger:closed: (getter get_closed)
   *
   * Whether the connection is over. What had arrived before can still be received.
   *
   * Since: 1.0
   */
  props[PROP_CLOSED] = g_param_spec_boolean ("closed", NULL, NULL, FALSE,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  install_limits ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
coproc_messenger_class_init (CoprocMessengerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = coproc_messenger_constructed;
  object_class->dispose = coproc_messenger_dispose;
  object_class->finalize = coproc_messenger_finalize;
  object_class->get_property = coproc_messenger_get_property;
  object_class->set_property = coproc_messenger_set_property;
  klass->get_priority = coproc_messenger_real_get_priority;

  install_properties (object_class);

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

/* --- construction --- */

CoprocMessenger *
coproc_messenger_new_unannounced (GType messenger_type, int in_fd, int out_fd, GError **error)
{
  g_autoptr (CoprocMessenger) self = g_object_new (messenger_type, NULL);

  if (!coproc_endpoint_connect (get_private (self)->endpoint, in_fd, out_fd, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * coproc_messenger_new_for_fds:
 * @messenger_type: [class@Coproc.Messenger] or a subclass
 * @in_fd: a file descriptor to read from
 * @out_fd: a file descriptor to write to
 * @error: return location for an error
 *
 * Makes a messenger on two descriptors: pipes, or sockets.
 *
 * The messenger owns both from now on, also when this fails; it makes them non-blocking.
 *
 * Errors: those of the system, as %G_IO_ERROR or %G_IO_CHANNEL_ERROR.
 *
 * Returns: (transfer full): the messenger
 *
 * Since: 1.0
 */
CoprocMessenger *
coproc_messenger_new_for_fds (GType messenger_type, int in_fd, int out_fd, GError **error)
{
  g_autoptr (CoprocMessenger) self = NULL;

  g_return_val_if_fail (g_type_is_a (messenger_type, COPROC_TYPE_MESSENGER), NULL);
  g_return_val_if_fail (in_fd >= 0 && out_fd >= 0, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = coproc_messenger_new_unannounced (messenger_type, in_fd, out_fd, error);
  if (self != NULL)
    coproc_messenger_send_hello (self, NULL, NULL); /* a peer that is gone may have left messages */
  return g_steal_pointer (&self);
}

/**
 * coproc_messenger_new_pair:
 * @messenger_type: [class@Coproc.Messenger] or a subclass
 * @worker_end: (out) (transfer full): return location for one end
 * @host_end: (out) (transfer full): return location for the other end
 * @error: return location for an error
 *
 * Makes two messengers that are connected with each other.
 *
 * Errors: those of the system, as %G_IO_ERROR, %G_UNIX_ERROR or %G_IO_CHANNEL_ERROR.
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_new_pair (GType              messenger_type,
                           CoprocMessenger  **worker_end,
                           CoprocMessenger  **host_end,
                           GError           **error)
{
  g_autoptr (CoprocMessenger) worker = NULL;
  g_autoptr (CoprocMessenger) host = NULL;
  int to_worker[2], to_host[2];

  g_return_val_if_fail (g_type_is_a (messenger_type, COPROC_TYPE_MESSENGER), FALSE);
  g_return_val_if_fail (worker_end != NULL && host_end != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  *worker_end = *host_end = NULL;
  if (!coproc_unix_pipe (to_worker, error))
    return FALSE;
  if (!coproc_unix_pipe (to_host, error))
    {
      coproc_clear_fd (&to_worker[0]);
      coproc_clear_fd (&to_worker[1]);
      return FALSE;
    }

  worker = coproc_messenger_new_for_fds (messenger_type, to_worker[0], to_host[1], error);
  if (worker == NULL)
    {
      coproc_clear_fd (&to_host[0]);
      coproc_clear_fd (&to_worker[1]);
      return FALSE;
    }
  host = coproc_messenger_new_for_fds (messenger_type, to_host[0], to_worker[1], error);
  if (host == NULL)
    return FALSE;

  *worker_end = g_steal_pointer (&worker);
  *host_end = g_steal_pointer (&host);
  return TRUE;
}

/* --- for worker/ --- */

gboolean
coproc_messenger_send_hello (CoprocMessenger *self, GVariant *extra, GError **error)
{
  g_autoptr (GVariant) fields = extra != NULL ? g_variant_ref_sink (extra) : NULL;

  return coproc_endpoint_send_hello (get_private (self)->endpoint, fields, error);
}

GVariant *
coproc_messenger_await_hello (CoprocMessenger  *self,
                              gint64            timeout_us,
                              GCancellable     *cancellable,
                              GError          **error)
{
  return coproc_endpoint_await_hello (get_private (self)->endpoint, timeout_us, cancellable, error);
}

void
coproc_messenger_set_end_func (CoprocMessenger  *self,
                               CoprocEndFunc     func,
                               gpointer          user_data,
                               GDestroyNotify    notify)
{
  coproc_endpoint_set_end_func (get_private (self)->endpoint, func, user_data, notify);
}

gboolean
coproc_messenger_take_last_words (CoprocMessenger *self)
{
  CoprocEndpoint *endpoint = get_private (self)->endpoint;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  coproc_endpoint_pump (endpoint, COPROC_PUMP_ALL);

  locker = g_mutex_locker_new (&endpoint->lock);
  return endpoint->peer_hello != NULL;
}

void
coproc_messenger_settle (CoprocMessenger *self, const GError *reason)
{
  coproc_endpoint_settle (get_private (self)->endpoint, reason);
}

GCancellable *
coproc_messenger_dup_request_cancellable (CoprocMessenger *self, CoprocMessage *request)
{
  CoprocEndpoint *endpoint = get_private (self)->endpoint;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&endpoint->lock);
  CoprocInvocation *invocation = request->invocation;

  g_return_val_if_fail (invocation != NULL, NULL);

  if (invocation->cancellable == NULL)
    invocation->cancellable = g_cancellable_new ();
  return g_object_ref (invocation->cancellable);
}

gboolean
coproc_messenger_flush (CoprocMessenger *self, gint64 timeout_us, GError **error)
{
  return coproc_endpoint_flush (get_private (self)->endpoint, timeout_us, error);
}
