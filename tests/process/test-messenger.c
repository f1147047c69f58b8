/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A pair from its opening to its close: order, payloads, channels and properties, as two ends in
 * one thread see them without waiting.
 */
#include "messenger-pair.h"

#include <math.h>

static void
test_pair (void)
{
  const GType types[] = { COPROC_TYPE_MESSENGER, COPROC_TYPE_MULTI_MESSENGER,
                          COPROC_TYPE_PRIORITY_MESSENGER };
  const gboolean by_priority[] = { TRUE, FALSE, TRUE };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      gboolean worker_value, host_value;

      open_pair (types[i]);
      g_assert_true (G_OBJECT_TYPE (worker) == types[i]);
      g_assert_true (G_OBJECT_TYPE (host) == types[i]);
      g_object_get (worker, "by-priority", &worker_value, NULL);
      g_object_get (host, "by-priority", &host_value, NULL);
      g_assert_cmpint (worker_value, ==, by_priority[i]);
      g_assert_cmpint (host_value, ==, by_priority[i]);
      g_assert_false (coproc_messenger_get_closed (host));
      g_assert_false (coproc_messenger_get_close_requested (host));

      send_text (host, "to the worker", NULL);
      send_text (worker, "to the host", "news");
      assert_receive (worker, NULL, "to the worker");
      assert_receive (host, "news", "to the host");
      close_pair ();
    }
}

static void
test_visible_on_return (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_nothing (worker, "a"); /* takes the greeting in */
  g_assert_false (coproc_messenger_pipe_poll (worker));
  for (guint i = 1; i <= 200; i++)
    {
      send_text (host, "now", "a");
      if (i % 2 == 0)
        {
          g_assert_true (coproc_messenger_pipe_poll (worker));
          g_assert_cmpint (coproc_messenger_available (worker, "a", NULL), ==, i);
          g_assert_cmpuint (coproc_messenger_queue_size (worker, "a"), ==, i);
        }
    }
  g_assert_cmpint (coproc_messenger_available (worker, "b", NULL), ==, 0);
  close_pair ();
}

static void
test_order_multi (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text_at (host, "1", "x", 5);
  send_text_at (host, "2", "x", -INFINITY);
  send_text (host, "3", "x");
  send_text (host, "other", NULL);
  assert_receive (worker, "x", "1");
  assert_receive (worker, "x", "2");
  assert_receive (worker, "x", "3");
  assert_receive (worker, NULL, "other");
  close_pair ();
}

static void
test_order_priority (void)
{
  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  send_text (host, "absent", "x");
  send_text_at (host, "infinite", "x", INFINITY);
  send_text_at (host, "5", "x", 5);
  send_text_at (host, "first", "x", -INFINITY);
  send_text_at (host, "zero", "x", 0.0);
  send_text_at (host, "minus zero", "x", -0.0);
  send_text_at (host, "5 again", "x", 5);
  send_text_at (host, "other channel", "y", -1);
  assert_receive (worker, "x", "first");
  assert_receive (worker, "x", "zero");
  assert_receive (worker, "x", "minus zero");
  assert_receive (worker, "x", "5");
  assert_receive (worker, "x", "5 again");
  assert_receive (worker, "x", "absent");
  assert_receive (worker, "x", "infinite");
  assert_receive (worker, "y", "other channel");
  close_pair ();
}

static void
test_default_priority (void)
{
  const struct
  {
    const char *payload;
    double priority;
  } rows[] = {
    { "{'priority': <2.5>}", 2.5 },
    { "{'priority': <-3>}", -3 },
    { "{'priority': <byte 7>}", 7 },
    { "{'priority': <uint32 4294967295>}", 4294967295.0 },
    { "{'priority': <int64 -5>}", -5 },
    { "{'priority': <uint64 6>}", 6 },
    { "{'priority': <int16 -8>}", -8 },
    { "{'priority': <uint16 9>}", 9 },
    { "{'priority': <'high'>}", INFINITY },
    { "{'other': <1>}", INFINITY },
    { "@a{sv} {}", INFINITY },
    { "{'priority': 1}", INFINITY },
    { "'text'", INFINITY },
  };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(CoprocMessage) message = NULL;

      assert_send (coproc_messenger_send_norequest (host, g_variant_new_parsed (rows[i].payload),
                                                    NULL, err));
      message = receive_message (worker, NULL);
      g_test_message ("%s", rows[i].payload);
      g_assert_cmpfloat (coproc_message_get_priority (message), ==, rows[i].priority);
    }
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY,
                coproc_messenger_send_norequest (
                  host, g_variant_new_parsed ("{'priority': <%d>}", NAN), NULL, err));
  close_pair ();
}

/* The message's own channel, kind and numbers are told; a message can be sent again. */
static void
test_message (void)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text ("m"), "x", 1.5);
  guint64 serial = 0, second = 0;
  g_autoptr(CoprocMessage) first = NULL;
  g_autoptr(CoprocMessage) again = NULL;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  assert_send (coproc_messenger_send_message (host, message, COPROC_MESSAGE_KIND_NOREQUEST, &serial,
                                              err));
  assert_send (coproc_messenger_send_message (host, message, COPROC_MESSAGE_KIND_REQUEST, &second,
                                              err));
  g_assert_cmpuint (second, >, serial);

  first = receive_message (worker, "x");
  g_assert_cmpint (coproc_message_get_kind (first), ==, COPROC_MESSAGE_KIND_NOREQUEST);
  g_assert_cmpstr (coproc_message_get_channel (first), ==, "x");
  g_assert_cmpfloat (coproc_message_get_priority (first), ==, 1.5);
  g_assert_cmpuint (coproc_message_get_serial (first), ==, serial);
  g_assert_cmpuint (coproc_message_get_reply_serial (first), ==, 0);
  again = receive_message (worker, "x");
  g_assert_cmpint (coproc_message_get_kind (again), ==, COPROC_MESSAGE_KIND_REQUEST);
  g_assert_cmpuint (coproc_message_get_serial (again), ==, second);
  g_assert_cmpint (coproc_message_get_kind (message), ==, COPROC_MESSAGE_KIND_NOREQUEST);
  close_pair ();
}

static void
test_bytes (void)
{
  const gsize sizes[] = { 0, 1, 63, 1024, 1025, 65536, 1 << 20 };
  g_autofree guint8 *data = g_malloc (1 << 20);

  for (guint i = 0; i < 1 << 20; i++)
    data[i] = (guint8) (i * 7);

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr(CoprocMessage) message = NULL;
      GBytes *bytes;

      assert_send (coproc_messenger_send_bytes (host, data, sizes[i], "raw", err));
      message = receive_message (worker, "raw");
      bytes = coproc_message_get_bytes (message);
      g_assert_nonnull (bytes);
      g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, sizes[i]);
      g_assert_cmpint (coproc_message_get_kind (message), ==, COPROC_MESSAGE_KIND_NOREQUEST);
    }
  assert_send (coproc_messenger_send_bytes (host, NULL, 0, "raw", err));
  g_assert_cmpint (coproc_messenger_available (worker, "raw", NULL), ==, 1);
  close_pair ();
}

/* Whatever the type, the value arrives; `h` as a number, without a descriptor. */
static void
test_types (void)
{
  const char *values[] = {
    "true", "byte 255", "int16 -3", "uint16 3", "-7", "uint32 7", "int64 -9", "uint64 9", "1.5",
    "'text'", "''", "objectpath '/a/b'", "signature 'a{sv}'", "<<('deep', 1)>>", "@mi nothing",
    "just 5", "()", "(1, 'a', [2.5])", "{'k': <[1, 2]>}", "@as []", "['x', 'y']", "@aay [b'a', b'']",
    "handle 3", "{uint32 1: 'one'}", "[(1, true), (2, false)]", "b'bytes'", "@ay []",
  };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr(GVariant) sent = g_variant_ref_sink (g_variant_new_parsed (values[i]));
      g_autoptr(GVariant) received = NULL;

      assert_send (coproc_messenger_send_norequest (host, sent, NULL, err));
      received = coproc_messenger_receive_blocking (worker, NULL, NULL, NULL);
      g_assert_cmpvariant (received, sent);
    }
  close_pair ();
}

static void
test_channel_names (void)
{
  g_autofree char *longest = g_strnfill (1024, 'n');
  g_autofree char *too_long = g_strnfill (1025, 'n');

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (host, "long", longest);
  assert_receive (worker, longest, "long");
  send_text (host, "strange", " /ä\n\"");
  assert_receive (worker, " /ä\n\"", "strange");

  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_norequest (host, text ("x"), "", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_norequest (host, text ("x"), too_long, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_norequest (host, text ("x"), "\xff", err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, ""), ==, 0);
  send_text (host, "still fine", NULL);
  assert_receive (worker, NULL, "still fine");
  close_pair ();
}

static void
test_close (void)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "no");
  gboolean closed = FALSE;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (worker, "queued", "x");
  send_text (host, "flushed", "x");
  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, 1);
  coproc_messenger_close (host);
  coproc_messenger_close (host);
  g_assert_true (coproc_messenger_get_closed (host));
  g_object_get (host, "closed", &closed, NULL);
  g_assert_true (closed);

  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_send_norequest (host, text ("x"), "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_call (host, text ("x"), "x", -1, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_send_error (host, report, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_send_close_request (host, err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "x"), ==, 1);

  assert_receive (worker, "x", "flushed");
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_blocking (worker, "x", NULL, err));
  g_assert_true (coproc_messenger_get_closed (worker));
  coproc_messenger_close (worker);
  close_pair ();
}

static void
test_dispose_twice (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (host, "x", NULL);
  g_object_run_dispose (G_OBJECT (host));
  g_object_run_dispose (G_OBJECT (host));
  assert_receive (worker, NULL, "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_blocking (worker, NULL, NULL, err));
  close_pair ();
}

static void
test_unconnected (void)
{
  CoprocMessenger *lonely = g_object_new (COPROC_TYPE_MESSENGER, NULL);

  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_send_norequest (lonely, text ("x"), NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_blocking (lonely, NULL, NULL, err));
  g_assert_cmpuint (coproc_messenger_messages_sent (lonely, NULL), ==, 0);
  g_assert_false (coproc_messenger_pipe_poll (lonely));
  coproc_messenger_close (lonely);
  coproc_test_finalize (lonely);
}

static void
test_properties (void)
{
  gint64 send_timeout;
  guint64 high_water_mark, message_size, variant_size, queued_bytes;
  guint queued_messages, channels, spin;
  int pid;

  open_pair (COPROC_TYPE_MESSENGER);
  g_object_get (host, "send-timeout", &send_timeout, "high-water-mark", &high_water_mark,
                "max-message-size", &message_size, "max-variant-size", &variant_size,
                "max-queued-bytes", &queued_bytes, "max-queued-messages", &queued_messages,
                "max-channels", &channels, "spin-time", &spin, NULL);
  g_assert_cmpint (send_timeout, ==, 30 * G_USEC_PER_SEC);
  g_assert_cmpuint (high_water_mark, ==, 64 << 20);
  g_assert_cmpuint (message_size, ==, 16 << 20);
  g_assert_cmpuint (variant_size, ==, 1 << 20);
  g_assert_cmpuint (queued_bytes, ==, 64 << 20);
  g_assert_cmpuint (queued_messages, ==, 65536);
  g_assert_cmpuint (channels, ==, 1024);
  g_assert_cmpuint (spin, ==, 20);

  g_object_set (host, "send-timeout", (gint64) -1, "high-water-mark", G_GUINT64_CONSTANT (5),
                "max-queued-messages", 7u, "spin-time", 0u, NULL);
  g_object_get (host, "send-timeout", &send_timeout, "high-water-mark", &high_water_mark,
                "max-queued-messages", &queued_messages, "spin-time", &spin, NULL);
  g_assert_cmpint (send_timeout, ==, -1);
  g_assert_cmpuint (high_water_mark, ==, 5);
  g_assert_cmpuint (queued_messages, ==, 7);
  g_assert_cmpuint (spin, ==, 0);

  send_text (worker, "hello", NULL);
  assert_receive (host, NULL, "hello");
  g_object_get (host, "peer-pid", &pid, NULL);
  g_assert_cmpint (pid, ==, getpid ());
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/pair", test_pair);
  coproc_test_add ("/coproc/messenger/visible-on-return", test_visible_on_return);
  coproc_test_add ("/coproc/messenger/order-multi", test_order_multi);
  coproc_test_add ("/coproc/messenger/order-priority", test_order_priority);
  coproc_test_add ("/coproc/messenger/default-priority", test_default_priority);
  coproc_test_add ("/coproc/messenger/message", test_message);
  coproc_test_add ("/coproc/messenger/bytes", test_bytes);
  coproc_test_add ("/coproc/messenger/types", test_types);
  coproc_test_add ("/coproc/messenger/channel-names", test_channel_names);
  coproc_test_add ("/coproc/messenger/close", test_close);
  coproc_test_add ("/coproc/messenger/dispose-twice", test_dispose_twice);
  coproc_test_add ("/coproc/messenger/unconnected", test_unconnected);
  coproc_test_add ("/coproc/messenger/properties", test_properties);

  return g_test_run ();
}
