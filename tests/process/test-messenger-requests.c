/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Requests and replies: what is counted, owed, kept in its place and settled.
 */
#include "messenger-pair.h"

#include <math.h>

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

/* Many answers in one call: all or none. */
static void
test_reply_multiple (void)
{
  CoprocMessage *requests[3], *twice[2];
  gsize n = 0;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < 3; i++)
    assert_send (coproc_messenger_send_request (host, text ("q"), i < 2 ? "x" : "y", err));
  for (guint i = 0; i < 3; i++)
    requests[i] = receive_message (worker, i < 2 ? "x" : "y");

  /* of two channels, one of them twice, one too large: nothing is sent, all remain unanswered */
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply_multiple (worker, requests, 3,
                                                 (GVariant *[]){ text ("a"), text ("b"), text ("c") }, 3, err));
  twice[0] = twice[1] = requests[0];
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply_multiple (worker, twice, 2,
                                                 (GVariant *[]){ text ("a"), text ("b") }, 2, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY,
                coproc_messenger_reply_multiple (
                    worker, requests, 2,
                    (GVariant *[]){ text ("a"), g_variant_new_parsed ("{'priority': <@d nan>}") }, 2, err));
  g_assert_cmpuint (coproc_messenger_messages_sent (worker, "x"), ==, 0);
  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, 0);

  assert_send (coproc_messenger_reply_multiple (worker, requests, 2, (GVariant *[]){ text ("a"), text ("b") },
                                                2, err));
  assert_send (coproc_messenger_reply_multiple (worker, NULL, 0, NULL, 0, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_reply (worker, requests[1], text ("again"), err));
  assert_send (coproc_messenger_reply (worker, requests[2], text ("c"), err));
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply = coproc_messenger_receive_remaining (host, i < 2 ? "x" : "y", NULL, &error);

      g_assert_no_error (error);
      assert_text (reply, (const char *[]){ "a", "b", "c" }[i]);
      coproc_message_unref (requests[i]);
    }
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);

  /* more than are written at once */
  for (guint i = 0; i < 2000; i++)
    assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  for (gsize n_answered = 0; n_answered < 2000; n_answered += n)
    {
      g_autofree CoprocMessage **some = coproc_messenger_receive_messages (worker, "x", 0, -1, NULL, &n, NULL);
      g_autofree GVariant **payloads = g_new (GVariant *, n);

      for (gsize i = 0; i < n; i++)
        payloads[i] = g_variant_new_uint64 (coproc_message_get_serial (some[i]));
      assert_send (coproc_messenger_reply_multiple (worker, some, n, payloads, n, err));
      for (gsize i = 0; i < n; i++)
        coproc_message_unref (some[i]);
    }
  for (guint i = 0; i < 2000; i++)
    {
      g_autoptr(CoprocMessage) reply = receive_message (host, "x");

      g_assert_cmpuint (g_variant_get_uint64 (coproc_message_get_payload (reply)), ==,
                        coproc_message_get_reply_serial (reply));
    }
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
send_bytes_full (CoprocMessenger   *self,
                 const char        *bytes,
                 CoprocMessageKind  kind,
                 double             priority,
                 guint64           *serial)
{
  assert_send (coproc_messenger_send_bytes_full (self, (const guint8 *) bytes, strlen (bytes), "x", kind,
                                                 priority, serial, err));
}

static void
assert_next_bytes (CoprocMessage *message, const char *bytes, CoprocMessageKind kind)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (coproc_message_get_bytes (message), &size);

  g_assert_cmpmem (data, size, bytes, strlen (bytes));
  g_assert_cmpint (coproc_message_get_kind (message), ==, kind);
}

static void
test_bytes_of_any_kind (void)
{
  const char *const expected[] = { "first", "second", "last" };
  guint64 serials[2];

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  send_bytes_full (host, "last", COPROC_MESSAGE_KIND_NOREQUEST, INFINITY, NULL);
  send_bytes_full (host, "second", COPROC_MESSAGE_KIND_REQUEST, 2, &serials[1]);
  send_bytes_full (host, "first", COPROC_MESSAGE_KIND_REQUEST, -1.5, &serials[0]);
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY,
                coproc_messenger_send_bytes_full (host, (const guint8 *) "x", 1, "x",
                                                  COPROC_MESSAGE_KIND_NOREQUEST, NAN, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_send_bytes_full (worker, (const guint8 *) "x", 1, "x",
                                                  COPROC_MESSAGE_KIND_REPLY, 0, NULL, err));

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autoptr (CoprocMessage) message = receive_message (worker, "x");

      assert_next_bytes (message, expected[i],
                         i < 2 ? COPROC_MESSAGE_KIND_REQUEST : COPROC_MESSAGE_KIND_NOREQUEST);
    }

  /* the priority of a reply is that of its request, or its own */
  send_bytes_full (worker, "to first", COPROC_MESSAGE_KIND_REPLY, INFINITY, NULL);
  send_bytes_full (worker, "to second", COPROC_MESSAGE_KIND_REPLY, -7, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (serials); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (CoprocMessage) reply = coproc_messenger_receive_reply (host, "x", 0, NULL, &error);

      g_assert_no_error (error);
      assert_next_bytes (reply, i == 0 ? "to second" : "to first", COPROC_MESSAGE_KIND_REPLY);
      g_assert_cmpuint (coproc_message_get_reply_serial (reply), ==, serials[1 - i]);
    }
  close_pair ();
}

static void
test_receive_reply (void)
{
  g_autoptr (GError) error = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_assert_null (coproc_messenger_receive_reply (host, "x", -1, NULL, &error));
  g_assert_no_error (error);

  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  send_text (worker, "progress", "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_reply (host, "x", 0, NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_reply (host, "x", 1000, NULL, err));
  answer (worker, "x", "r");
  {
    g_autoptr (CoprocMessage) reply = coproc_messenger_receive_reply (host, "x", -1, NULL, &error);

    g_assert_no_error (error);
    assert_text (coproc_message_get_payload (reply), "r");
  }
  g_assert_null (coproc_messenger_receive_reply (host, "x", -1, NULL, &error));
  g_assert_no_error (error);
  assert_receive (host, "x", "progress");
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/counters", test_counters);
  coproc_test_add ("/coproc/messenger/send-request-multiple", test_send_request_multiple);
  coproc_test_add ("/coproc/messenger/replies-are-owed", test_replies_are_owed);
  coproc_test_add ("/coproc/messenger/reply-priority", test_reply_priority);
  coproc_test_add ("/coproc/messenger/reply-multiple", test_reply_multiple);
  coproc_test_add ("/coproc/messenger/error-reply-keeps-place", test_error_reply_keeps_place);
  coproc_test_add ("/coproc/messenger/call-times-out", test_call_times_out);
  coproc_test_add ("/coproc/messenger/close-settles", test_close_settles);
  coproc_test_add ("/coproc/messenger/bytes-of-any-kind", test_bytes_of_any_kind);
  coproc_test_add ("/coproc/messenger/receive-reply", test_receive_reply);

  return g_test_run ();
}
