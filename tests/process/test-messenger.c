/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Order, counters, requests and replies: what two ends in one thread can see without waiting.
 */
#include "messenger-util.h"

#include <math.h>

static CoprocMessenger *worker, *host;

static void
open_pair (GType type)
{
  coproc_test_new_pair (type, &worker, &host);
}

static void
close_pair (void)
{
  coproc_test_finalize_pair (g_steal_pointer (&worker), g_steal_pointer (&host));
}

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
assert_counters (CoprocMessenger *self,
                 const char      *channel,
                 guint64          requests_sent,
                 guint64          replies_received,
                 guint64          messages_sent,
                 guint64          messages_received,
                 guint64          remaining)
{
  g_assert_cmpuint (coproc_messenger_requests_sent (self, channel), ==, requests_sent);
  g_assert_cmpuint (coproc_messenger_replies_received (self, channel), ==, replies_received);
  g_assert_cmpuint (coproc_messenger_messages_sent (self, channel), ==, messages_sent);
  g_assert_cmpuint (coproc_messenger_messages_received (self, channel), ==, messages_received);
  g_assert_cmpuint (coproc_messenger_remaining (self, channel), ==, remaining);
}

static void
test_counters (void)
{
  GVariant *many[3];

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_counters (host, "x", 0, 0, 0, 0, 0);
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = text ("q");
  assert_send (coproc_messenger_send_request_multiple (host, many, 3, "x", err));
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  send_text (host, "n", "x");
  assert_counters (host, "x", 4, 0, 5, 0, 4);
  assert_counters (host, "y", 0, 0, 0, 0, 0);
  assert_counters (host, NULL, 0, 0, 0, 0, 0);
  assert_counters (worker, "x", 0, 0, 0, 0, 0);

  answer (worker, "x", "r1");
  answer (worker, "x", "r2");
  send_text (worker, "progress", "x");
  assert_counters (worker, "x", 0, 0, 3, 2, 0);

  /* a reply counts when it is popped, not when it arrives */
  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, 3);
  assert_counters (host, "x", 4, 0, 5, 0, 4);
  assert_receive (host, "x", "r1");
  assert_counters (host, "x", 4, 1, 5, 1, 3);
  assert_receive (host, "x", "r2");
  assert_receive (host, "x", "progress");
  assert_counters (host, "x", 4, 2, 5, 3, 2);
  g_assert_cmpuint (coproc_messenger_queue_size (worker, "x"), ==, 3);
  close_pair ();
}

static void
test_send_request_multiple (void)
{
  GVariant *payloads[2000];
  g_autoptr(GError) error = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_send (coproc_messenger_send_request_multiple (host, NULL, 0, "x", err));
  for (guint i = 0; i < G_N_ELEMENTS (payloads); i++)
    payloads[i] = g_variant_new_uint32 (i);
  assert_send (coproc_messenger_send_request_multiple (host, payloads, G_N_ELEMENTS (payloads), "x",
                                                       err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, G_N_ELEMENTS (payloads));
  for (guint i = 0; i < G_N_ELEMENTS (payloads); i++)
    {
      g_autoptr(CoprocMessage) request = receive_message (worker, "x");
      g_autoptr(GVariant) reply = NULL;

      g_assert_cmpuint (g_variant_get_uint32 (coproc_message_get_payload (request)), ==, i);
      assert_send (coproc_messenger_reply (worker, request, g_variant_new_uint32 (i), err));
      reply = coproc_messenger_receive_remaining (host, "x", NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (reply), ==, i);
    }
  g_assert_null (coproc_messenger_receive_remaining (host, "x", NULL, &error));
  g_assert_no_error (error);
  close_pair ();
}

/* What is owed is owed once, by whoever popped the request, in either way of paying. */
static void
test_replies_are_owed (void)
{
  g_autoptr(CoprocMessage) first = NULL;
  g_autoptr(CoprocMessage) second = NULL;
  g_autoptr(CoprocMessage) plain = NULL;
  g_autoptr(CoprocMessage) foreign = coproc_message_new (text ("mine"));
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "no");

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_send (coproc_messenger_send_request (host, text ("1"), "x", err));
  assert_send (coproc_messenger_send_request (host, text ("2"), "x", err));
  assert_send (coproc_messenger_send_request (host, text ("3"), "x", err));
  send_text (host, "n", "x");

  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED, /* none is popped */
                coproc_messenger_send_reply (worker, text ("r"), "x", err));
  first = receive_message (worker, "x");
  second = receive_message (worker, "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_send_reply (worker, text ("r"), "y", err));
  assert_send (coproc_messenger_reply (worker, second, text ("r2"), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply (worker, second, text ("again"), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply_error (worker, second, report, err));
  assert_send (coproc_messenger_send_reply (worker, text ("r1"), "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply (worker, first, text ("again"), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_send_reply (worker, text ("r"), "x", err));

  assert_receive (worker, "x", "3"); /* by its payload only: send_reply() still can */
  assert_send (coproc_messenger_send_reply (worker, text ("r3"), "x", err));
  plain = receive_message (worker, "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply (worker, plain, text ("r"), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply (worker, foreign, text ("r"), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED, /* the other end's request */
                coproc_messenger_reply (host, first, text ("r"), err));

  assert_receive (host, "x", "r2");
  assert_receive (host, "x", "r1");
  assert_receive (host, "x", "r3");
  assert_nothing (host, "x");
  g_assert_cmpuint (coproc_messenger_messages_sent (worker, "x"), ==, 3);
  close_pair ();
}

/* A reply whose payload gives no priority has its request's. */
static void
test_reply_priority (void)
{
  g_autoptr(CoprocMessage) explicit_reply = NULL;
  g_autoptr(CoprocMessage) reply = NULL;
  g_autoptr(CoprocMessage) request = NULL;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  send_request_text (host, "low", "x", 9);
  send_request_text (host, "high", "x", -4);
  answer (worker, "x", "to high");
  request = receive_message (worker, "x");
  assert_send (coproc_messenger_reply (worker, request,
                                       g_variant_new_parsed ("{'priority': <-7>}"), err));
  explicit_reply = receive_message (host, "x");
  g_assert_cmpfloat (coproc_message_get_priority (explicit_reply), ==, -7);
  g_assert_cmpint (coproc_message_get_kind (explicit_reply), ==, COPROC_MESSAGE_KIND_REPLY);
  reply = receive_message (host, "x");
  g_assert_cmpfloat (coproc_message_get_priority (reply), ==, -4);
  close_pair ();
}

/* An error reply keeps its place in the queue and settles its request. */
static void
test_error_reply_keeps_place (void)
{
  g_autoptr(GError) report = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "no such thing");
  g_autoptr(GVariant) last = NULL;
  GVariant **some;
  gsize n = 0;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < 3; i++)
    assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  answer (worker, "x", "r1");
  {
    g_autoptr(CoprocMessage) request = receive_message (worker, "x");

    assert_send (coproc_messenger_reply_error (worker, request, report, err));
  }
  answer (worker, "x", "r3");

  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, 3);
  some = coproc_messenger_receive_available (host, "x", &n, NULL);
  g_assert_cmpuint (n, ==, 1);
  assert_text (some[0], "r1");
  g_assert_null (some[1]);
  g_variant_unref (some[0]);
  g_free (some);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 2);
  assert_fails (G_FILE_ERROR, G_FILE_ERROR_NOENT,
                coproc_messenger_receive_remaining (host, "x", NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 1);
  last = coproc_messenger_receive_remaining (host, "x", NULL, NULL);
  assert_text (last, "r3");
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  g_assert_null (coproc_messenger_receive_remaining (host, "x", NULL, NULL));
  close_pair ();
}

static void
test_receive_available (void)
{
  g_autoptr(GError) error = NULL;
  GVariant **some;
  gsize n = 99;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  some = coproc_messenger_receive_available (worker, "x", &n, &error);
  g_assert_no_error (error);
  g_assert_nonnull (some);
  g_assert_cmpuint (n, ==, 0);
  g_assert_null (some[0]);
  g_free (some);

  send_text_at (host, "2", "x", 2);
  send_text_at (host, "1", "x", 1);
  send_text (host, "other", "y");
  some = coproc_messenger_receive_available (worker, "x", &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 2);
  assert_text (some[0], "1");
  assert_text (some[1], "2");
  g_assert_null (some[2]);
  g_variant_unref (some[0]);
  g_variant_unref (some[1]);
  g_free (some);
  assert_receive (worker, "y", "other");
  close_pair ();
}

static void
test_receive_any (void)
{
  const char *channels[] = { "a", NULL, "b" };
  guint seen = 0;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_any (worker, 0, NULL, err));
  for (guint i = 0; i < G_N_ELEMENTS (channels); i++)
    {
      send_text (host, "1", channels[i]);
      send_text (host, "2", channels[i]);
    }
  for (guint i = 0; i < 2 * G_N_ELEMENTS (channels); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(CoprocMessage) message = coproc_messenger_receive_any (worker, -1, NULL, &error);
      const char *channel;

      g_assert_no_error (error);
      channel = coproc_message_get_channel (message);
      seen += channel == NULL ? 1 : channel[0] == 'a' ? 16 : 256;
    }
  g_assert_cmphex (seen, ==, 0x222);
  g_assert_cmpuint (coproc_messenger_messages_received (worker, "a"), ==, 2);
  close_pair ();
}

static void
test_timeouts (void)
{
  gint64 start;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (host, "elsewhere", "y");
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_message (worker, "x", 0, NULL, err));
  start = g_get_monotonic_time ();
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_message (worker, "x", 20000, NULL, err));
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 20000);
  assert_send (coproc_messenger_await_available (worker, 0, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_await_available (host, 0, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_await_available (host, 1000, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_any (host, 1000, NULL, err));
  assert_receive (worker, "y", "elsewhere");
  close_pair ();
}

/* A call that has timed out is settled. The worker does not get to see its request any more, and if it
 * had, the late reply is dropped and disturbs nobody. */
static void
test_call_times_out (void)
{
  CoprocTestResult result = { 0 };
  g_autoptr(CoprocMessage) request = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_call (host, text ("q"), "x", 10000, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_call (host, text ("q"), "x", 0, NULL, err));
  g_assert_cmpuint (coproc_messenger_requests_sent (host, "x"), ==, 2);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  send_text (host, "not a request", "x");
  assert_receive (worker, "x", "not a request");

  coproc_messenger_call_async (host, text ("q"), "x", 20000, NULL, coproc_test_result_store, &result);
  request = receive_message (worker, "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_call_finish (host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  assert_send (coproc_messenger_reply (worker, request, text ("late"), err));
  send_text (worker, "next", "x");
  assert_receive (host, "x", "next");
  g_assert_cmpuint (coproc_messenger_replies_received (host, "x"), ==, 0);
  close_pair ();
}

static void
test_cancelled (void)
{
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_cancellable_cancel (cancellable);
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_receive_blocking (worker, "x", cancellable, err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_receive_message (worker, "x", -1, cancellable, err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_receive_any (worker, -1, cancellable, err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_await_available (worker, -1, cancellable, err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_call (host, text ("q"), "x", -1, cancellable, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                coproc_messenger_receive_remaining (host, "x", cancellable, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 1);
  close_pair ();
}

/* try_receive() and get_fd() are enough to wait in any loop, for any number of channels. */
static void
test_fd (void)
{
  GPollFD poll_fd;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  poll_fd = (GPollFD) { .fd = coproc_messenger_get_fd (worker), .events = G_IO_IN };
  g_assert_cmpint (poll_fd.fd, >=, 0);
  g_assert_cmpint (coproc_messenger_get_fd (worker), ==, poll_fd.fd);

  for (guint i = 0; i < 10; i++)
    {
      const char *channel = i % 2 ? "x" : "y";
      g_autoptr(GVariant) payload = NULL;

      g_assert_null (coproc_messenger_try_receive (worker, "x", NULL));
      g_assert_null (coproc_messenger_try_receive (worker, "y", NULL));
      g_assert_cmpint (g_poll (&poll_fd, 1, 0), ==, 0);
      send_text (host, "wake", channel);
      g_assert_cmpint (g_poll (&poll_fd, 1, 10000), ==, 1);
      payload = coproc_messenger_try_receive (worker, channel, NULL);
      assert_text (payload, "wake");
    }

  g_assert_null (coproc_messenger_try_receive (worker, "x", NULL));
  coproc_messenger_close (host);
  g_assert_cmpint (g_poll (&poll_fd, 1, 10000), ==, 1);
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_try_receive (worker, "x", err));
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

/* What waits on a closing peer ends with CLOSED and settles. */
static void
test_close_settles (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  answer (worker, "x", "r1");
  coproc_messenger_close (worker);
  {
    g_autoptr(GVariant) first = coproc_messenger_receive_remaining (host, "x", NULL, NULL);

    assert_text (first, "r1");
  }
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_remaining (host, "x", NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
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
  coproc_test_add ("/coproc/messenger/counters", test_counters);
  coproc_test_add ("/coproc/messenger/send-request-multiple", test_send_request_multiple);
  coproc_test_add ("/coproc/messenger/replies-are-owed", test_replies_are_owed);
  coproc_test_add ("/coproc/messenger/reply-priority", test_reply_priority);
  coproc_test_add ("/coproc/messenger/error-reply-keeps-place", test_error_reply_keeps_place);
  coproc_test_add ("/coproc/messenger/receive-available", test_receive_available);
  coproc_test_add ("/coproc/messenger/receive-any", test_receive_any);
  coproc_test_add ("/coproc/messenger/timeouts", test_timeouts);
  coproc_test_add ("/coproc/messenger/call-times-out", test_call_times_out);
  coproc_test_add ("/coproc/messenger/cancelled", test_cancelled);
  coproc_test_add ("/coproc/messenger/fd", test_fd);
  coproc_test_add ("/coproc/messenger/close", test_close);
  coproc_test_add ("/coproc/messenger/close-settles", test_close_settles);
  coproc_test_add ("/coproc/messenger/dispose-twice", test_dispose_twice);
  coproc_test_add ("/coproc/messenger/unconnected", test_unconnected);
  coproc_test_add ("/coproc/messenger/properties", test_properties);

  return g_test_run ();
}
