/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Every limit of a connection one below, at and one above its value, and both directions full.
 */
#include "messenger-pair.h"

static gboolean
send_bytes (CoprocMessenger *self, gsize size, const char *channel, GError **error)
{
  g_autofree guint8 *data = g_malloc0 (MAX (size, 1));

  return coproc_messenger_send_bytes (self, data, size, channel, error);
}

static gboolean
send_string (CoprocMessenger *self, gsize size, const char *channel, GError **error)
{
  return coproc_messenger_send_norequest (
    self, g_variant_new_take_string (g_strnfill (size - 1, 's')), channel, error);
}

/* What the worker's end accepts, the host's learns with the next bytes that it reads. */
static void
tell_limits (void)
{
  send_text (worker, "the limits came before", "limits");
  assert_receive (host, "limits", "the limits came before");
}

static void
assert_received_size (CoprocMessenger *self, const char *channel, gsize size)
{
  g_autoptr(GVariant) payload = coproc_messenger_receive_blocking (self, channel, NULL, NULL);

  g_assert_nonnull (payload);
  g_assert_cmpuint (g_variant_get_size (payload), ==, size);
}

static void
test_message_size (gconstpointer data)
{
  gsize limit = GPOINTER_TO_SIZE (data);

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-message-size", (guint64) limit, NULL);
  tell_limits ();
  assert_send (send_bytes (host, limit - 1, "x", err));
  assert_send (send_bytes (host, limit, "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TOO_LARGE, send_bytes (host, limit + 1, "x", err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "x"), ==, 2);
  assert_received_size (worker, "x", limit - 1);
  assert_received_size (worker, "x", limit);
  assert_nothing (worker, "x");
  close_pair ();
}

static void
test_variant_size (gconstpointer data)
{
  gsize limit = GPOINTER_TO_SIZE (data);

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-variant-size", (guint64) limit, NULL);
  tell_limits ();
  assert_send (send_string (host, limit - 1, "x", err));
  assert_send (send_string (host, limit, "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TOO_LARGE, send_string (host, limit + 1, "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TOO_LARGE,
                coproc_messenger_call (host, g_variant_new_take_string (g_strnfill (limit, 's')), "x",
                                       -1, NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  assert_send (send_bytes (host, limit + 1, "x", err)); /* the other limit is for it */
  assert_received_size (worker, "x", limit - 1);
  assert_received_size (worker, "x", limit);
  assert_received_size (worker, "x", limit + 1);
  close_pair ();
}

/* A limit is one for both directions: what this side would refuse it does not send either. */
static void
test_own_limit (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (host, "max-message-size", G_GUINT64_CONSTANT (10), NULL);
  assert_send (send_bytes (host, 10, "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TOO_LARGE, send_bytes (host, 11, "x", err));
  assert_received_size (worker, "x", 10);
  close_pair ();
}

static void
test_channels (void)
{
  const guint limit = 5;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-channels", limit, NULL);
  tell_limits ();
  for (guint i = 0; i < limit; i++)
    {
      g_autofree char *channel = g_strdup_printf ("%u", i);

      send_text (host, "m", channel);
    }
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_send_norequest (host, text ("m"), "one too many", err));
  send_text (host, "the default one does not count", NULL);
  send_text (host, "again", "0");
  assert_receive (worker, "0", "m");
  assert_receive (worker, "0", "again");
  assert_receive (worker, "4", "m");
  close_pair ();
}

static void
test_default_channels (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < 1024; i++)
    {
      g_autofree char *channel = g_strdup_printf ("%u", i);

      send_text (host, "m", channel);
    }
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_send_norequest (host, text ("m"), "1024", err));
  assert_receive (worker, "1023", "m");
  close_pair ();
}

#define N_TYPES 1100 /* more than 1024, which one side may declare */

/* More types than there may be, some of them only late in a call that sends many: nothing is sent. */
static void
test_types (void)
{
  GVariant *payloads[N_TYPES];

  if (g_strcmp0 (g_getenv ("COPROC_TEST_LINK"), "memory") == 0)
    {
      g_test_skip ("types are not declared in memory");
      return;
    }
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < N_TYPES; i++)
    {
      GVariant *bits[11];

      for (guint bit = 0; bit < G_N_ELEMENTS (bits); bit++)
        bits[bit] = (i >> bit & 1) != 0 ? g_variant_new_boolean (TRUE) : g_variant_new_byte (1);
      payloads[i] = g_variant_new_tuple (bits, G_N_ELEMENTS (bits));
    }
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_send_request_multiple (host, payloads, N_TYPES, "x", err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "x"), ==, 0);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  close_pair ();
}

static void
test_pending_requests (void)
{
  const guint limit = 65536;
  GVariant *two[2];

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < limit - 1; i++)
    assert_send (coproc_messenger_send_request (host, g_variant_new_uint32 (i), "x", err));
  two[0] = text ("1");
  two[1] = text ("2");
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT, /* both or none */
                coproc_messenger_send_request_multiple (host, two, 2, "x", err));
  g_assert_cmpuint (coproc_messenger_requests_sent (host, "x"), ==, limit - 1);
  assert_send (coproc_messenger_send_request (host, text ("q"), "y", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_send_request (host, text ("q"), "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_call (host, text ("q"), "x", -1, NULL, err));
  send_text (host, "no request", "x");

  answer (worker, "x", "r");
  assert_receive (host, "x", "r");
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  close_pair ();
}

/* Reading stops at the limit and goes on below it. */
static void
test_queued_messages (void)
{
  const guint limit = 100;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-messages", limit, NULL);
  for (guint i = 0; i < limit - 1; i++)
    send_text (host, "m", "x");
  g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, limit - 1);
  send_text (host, "m", "x");
  g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, limit);
  send_text (host, "m", "x");
  g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, limit);
  g_assert_true (coproc_messenger_pipe_poll (worker));
  assert_receive (worker, "x", "m");
  g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, limit);
  g_assert_cmpuint (coproc_messenger_queue_size (worker, "x"), ==, limit);
  close_pair ();
}

static void
test_queued_bytes (void)
{
  const gsize limit = 100000;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-bytes", (guint64) limit, NULL);
  assert_send (send_bytes (host, limit - 1, "x", err));
  coproc_test_until (coproc_messenger_available (worker, "x", NULL) == 1);
  assert_send (send_bytes (host, 1, "x", err)); /* there is room for one byte */
  coproc_test_until (coproc_messenger_available (worker, "x", NULL) == 2);
  assert_send (send_bytes (host, 1, "x", err));
  for (guint i = 0; i < 20; i++)
    {
      g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, 2);
      coproc_test_turn (G_MAXINT64, "");
    }
  assert_received_size (worker, "x", limit - 1);
  coproc_test_until (coproc_messenger_available (worker, "x", NULL) == 2);
  close_pair ();
}

/* Whoever waits for one channel reads on up to twice the limit, then it is told; nothing is lost. */
static void
test_waiting_limit (void)
{
  const guint limit = 100;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-messages", limit, NULL);
  for (guint i = 0; i < 2 * limit - 1; i++)
    send_text (host, "flood", "b");
  send_text (host, "found", "a");
  assert_receive (worker, "a", "found");
  for (guint i = 0; i < 10; i++)
    send_text (host, "flood", "b");
  send_text (host, "behind the limit", "a");
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_receive_blocking (worker, "a", NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_LIMIT,
                coproc_messenger_call (worker, text ("q"), "a", -1, NULL, err));
  for (guint i = 0; i < 2 * limit - 1 + 10; i++)
    assert_receive (worker, "b", "flood");
  assert_receive (worker, "a", "behind the limit");
  close_pair ();
}

/* Sends 1 KiB messages until one is refused with @code. Returns: how many were not */
static guint
fill (CoprocMessenger *self, int code)
{
  g_autoptr(GError) error = NULL;
  guint n = 0;

  while (send_bytes (self, 1024, "fill", &error))
    n++;
  g_assert_error (error, COPROC_ERROR, code);
  g_assert_cmpuint (coproc_messenger_messages_sent (self, "fill"), >=, n);
  return n;
}

static void
test_high_water_mark (void)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text ("last"), "fill", 0);
  CoprocTestResult result = { 0 };
  guint n;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-messages", 10u, NULL);
  g_object_set (host, "high-water-mark", G_GUINT64_CONSTANT (100000), "send-timeout",
                (gint64) 50000, NULL);
  n = fill (host, COPROC_ERROR_TIMED_OUT);
  g_assert_cmpuint (n, >=, 97);
  g_object_set (host, "send-timeout", (gint64) 0, NULL);
  n += fill (host, COPROC_ERROR_WOULD_BLOCK);
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "fill"), ==, n);

  /* an asynchronous send waits, and a special message never does */
  coproc_messenger_send_message_async (host, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                       coproc_test_result_store, &result);
  assert_send (coproc_messenger_send_close_request (host, err));
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (result.n_calls, ==, 0);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr(GVariant) payload = NULL;

      while ((payload = coproc_messenger_receive_blocking (worker, "fill", NULL, NULL)) == NULL)
        g_assert_true (coproc_messenger_get_close_requested (worker));
      g_assert_cmpuint (g_variant_get_size (payload), ==, 1024);
    }
  assert_send (coproc_messenger_send_message_finish (host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  close_pair ();
}

/* 0 is no mark: a send never waits. */
static void
test_no_high_water_mark (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-messages", 1u, NULL);
  g_object_set (host, "high-water-mark", G_GUINT64_CONSTANT (0), "send-timeout", (gint64) 0, NULL);
  for (guint i = 0; i < 100; i++)
    assert_send (send_bytes (host, 1 << 20, "x", err));
  for (guint i = 0; i < 100; i++)
    assert_received_size (worker, "x", 1 << 20);
  close_pair ();
}

/* --- both directions full --- */

#define REQUEST_SIZE 4096
#define N_REQUESTS 65536 /* 256 MiB */

typedef struct
{
  CoprocMessenger *messenger;
  guint n_requests;
  guint n_sent;
  GError *error;
} Sender;

static gpointer
send_requests (gpointer data)
{
  Sender *self = data;
  g_autoptr(GBytes) bytes = g_bytes_new_take (g_malloc0 (REQUEST_SIZE), REQUEST_SIZE);

  while (self->n_sent < self->n_requests && self->error == NULL)
    {
      guint32 *number = (guint32 *) g_bytes_get_data (bytes, NULL);
      g_autoptr(CoprocMessage) message = NULL;

      *number = self->n_sent;
      message = coproc_message_new (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, number,
                                                               REQUEST_SIZE, 1));
      if (coproc_messenger_send_message (self->messenger, message, COPROC_MESSAGE_KIND_REQUEST, NULL,
                                         &self->error))
        self->n_sent++;
    }
  return NULL;
}

static void
send_from_both (Sender *senders, guint n_requests)
{
  GThread *threads[2];

  senders[0] = (Sender) { .messenger = worker, .n_requests = n_requests };
  senders[1] = (Sender) { .messenger = host, .n_requests = n_requests };
  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("sender", send_requests, &senders[i]);
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
}

static void
read_requests (CoprocMessenger *self, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(CoprocMessage) request = receive_message (self, NULL);
      gsize size;
      const guint32 *number = g_bytes_get_data (coproc_message_get_bytes (request), &size);

      g_assert_cmpuint (size, ==, REQUEST_SIZE);
      g_assert_cmpuint (*number, ==, i);
    }
}

static void
test_256_mib (void)
{
  Sender senders[2];
  guint n = coproc_test_scale (N_REQUESTS);

  g_test_summary ("Both ends send 256 MiB in requests of 4 KiB before either reads, limits raised");

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-bytes", G_GUINT64_CONSTANT (1) << 30, NULL);
  g_object_set (host, "max-queued-bytes", G_GUINT64_CONSTANT (1) << 30, NULL);
  send_from_both (senders, n);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_no_error (senders[i].error);
      g_assert_cmpuint (senders[i].n_sent, ==, n);
    }
  read_requests (worker, n);
  read_requests (host, n);
  close_pair ();
}

static void
test_256_mib_default (void)
{
  Sender senders[2];

  g_test_summary ("The same with the default limits: both ends time out, having lost nothing, and can "
                  "go on");

  if (coproc_test_is_slow ())
    {
      g_test_skip ("too much for this tool");
      return;
    }

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "send-timeout", (gint64) 200000, NULL);
  g_object_set (host, "send-timeout", (gint64) 200000, NULL);
  send_from_both (senders, N_REQUESTS);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_error (senders[i].error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
      g_clear_error (&senders[i].error);
      g_assert_cmpuint (senders[i].n_sent, <, N_REQUESTS);
      g_assert_cmpuint (senders[i].n_sent * (gsize) REQUEST_SIZE, >=, 64 << 20);
      g_assert_cmpuint (coproc_messenger_messages_sent (senders[i].messenger, NULL), ==,
                        senders[i].n_sent);
      g_assert_cmpuint (coproc_messenger_remaining (senders[i].messenger, NULL), ==,
                        senders[i].n_sent);
    }
  read_requests (host, senders[0].n_sent);
  read_requests (worker, senders[1].n_sent);
  send_text (host, "goes on", "x");
  assert_receive (worker, "x", "goes on");
  send_text (worker, "goes on", "x");
  assert_receive (host, "x", "goes on");
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add_data ("/coproc/messenger/limits/message-size/1000", GSIZE_TO_POINTER (1000),
                        test_message_size);
  coproc_test_add_data ("/coproc/messenger/limits/message-size/default",
                        GSIZE_TO_POINTER (16 << 20), test_message_size);
  coproc_test_add_data ("/coproc/messenger/limits/variant-size/1000", GSIZE_TO_POINTER (1000),
                        test_variant_size);
  coproc_test_add_data ("/coproc/messenger/limits/variant-size/default", GSIZE_TO_POINTER (1 << 20),
                        test_variant_size);
  coproc_test_add ("/coproc/messenger/limits/types", test_types);
  coproc_test_add ("/coproc/messenger/limits/own-limit", test_own_limit);
  coproc_test_add ("/coproc/messenger/limits/channels", test_channels);
  coproc_test_add ("/coproc/messenger/limits/channels-default", test_default_channels);
  coproc_test_add ("/coproc/messenger/limits/pending-requests", test_pending_requests);
  coproc_test_add ("/coproc/messenger/limits/queued-messages", test_queued_messages);
  coproc_test_add ("/coproc/messenger/limits/queued-bytes", test_queued_bytes);
  coproc_test_add ("/coproc/messenger/limits/waiting", test_waiting_limit);
  coproc_test_add ("/coproc/messenger/limits/high-water-mark", test_high_water_mark);
  coproc_test_add ("/coproc/messenger/limits/no-high-water-mark", test_no_high_water_mark);
  coproc_test_add ("/coproc/messenger/limits/256-mib", test_256_mib);
  coproc_test_add ("/coproc/messenger/limits/256-mib-default", test_256_mib_default);

  return g_test_run ();
}
