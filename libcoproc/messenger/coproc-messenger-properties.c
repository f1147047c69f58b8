/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

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

static void
coproc_messenger_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  CoprocMessenger *self = COPROC_MESSENGER (object);
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);

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
  CoprocMessenger *self = COPROC_MESSENGER (object);
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  g_auto (GValue) old = G_VALUE_INIT;
  CoprocLimits limits;

  if (id == PROP_BY_PRIORITY)
    {
      coproc_messenger_set_discipline (self, g_value_get_boolean (value));
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
                                                      COPROC_MAX_PAYLOAD_SIZE, COPROC_DEFAULT_MAX_MESSAGE_SIZE,
                                                      flags);
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

void
coproc_messenger_install_properties (GObjectClass *object_class)
{
  object_class->get_property = coproc_messenger_get_property;
  object_class->set_property = coproc_messenger_set_property;

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
