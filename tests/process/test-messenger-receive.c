/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The ways to receive: all that is there, from any channel, until a time or a cancellation, and by
 * polling a file descriptor.
 */
#include "messenger-pair.h"

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

/* Takes @max messages of channel `x` at most, which must be those of @texts. */
static void
assert_receive_messages (gsize max, const char *const *texts)
{
  g_autoptr(GError) error = NULL;
  g_autofree CoprocMessage **messages = NULL;
  gsize n = 99;

  messages = coproc_messenger_receive_messages (worker, "x", max, -1, NULL, &n, &error);
  g_assert_no_error (error);
  g_assert_nonnull (messages);
  g_assert_cmpuint (n, ==, g_strv_length ((char **) texts));
  g_assert_null (messages[n]);
  for (gsize i = 0; i < n; i++)
    {
      assert_text (coproc_message_get_payload (messages[i]), texts[i]);
      g_assert_cmpstr (coproc_message_get_channel (messages[i]), ==, "x");
      coproc_message_unref (messages[i]);
    }
}

static gpointer
send_soon (gpointer data)
{
  /* the other thread may wait already or not: both are good */
  send_text (host, data, "x");
  return NULL;
}

static void
test_receive_messages (void)
{
  gsize n = 99;
  GThread *sender;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_messages (worker, "x", 0, 0, NULL, &n, err));
  g_assert_cmpuint (n, ==, 0);

  send_text_at (host, "2", "x", 2);
  send_text_at (host, "3", "x", 3);
  send_text_at (host, "1", "x", 1);
  send_text (host, "other", "y");
  assert_receive_messages (2, (const char *[]){ "1", "2", NULL });
  assert_receive_messages (2, (const char *[]){ "3", NULL });
  g_assert_cmpuint (coproc_messenger_messages_received (worker, "x"), ==, 3);
  assert_receive (worker, "y", "other");

  sender = g_thread_new ("sender", send_soon, (gpointer) "late");
  assert_receive_messages (0, (const char *[]){ "late", NULL });
  g_thread_join (sender);
  close_pair ();
}

/* It ends before the error reply, and raises one that comes first. */
static void
test_receive_messages_error (void)
{
  g_autoptr(GError) report = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_EXISTS, "it is there");
  gsize n = 99;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(CoprocMessage) request = NULL;

      g_assert_true (coproc_messenger_send_request (worker, g_variant_new_string ("?"), "x", &error));
      request = coproc_messenger_receive_message (host, "x", -1, NULL, &error);
      g_assert_no_error (error);
      if (i == 1)
        g_assert_true (coproc_messenger_reply_error (host, request, report, &error));
      else
        g_assert_true (coproc_messenger_reply (host, request, g_variant_new_string ("!"), &error));
      g_assert_no_error (error);
    }
  assert_receive_messages (0, (const char *[]){ "!", NULL });
  assert_fails (G_IO_ERROR, G_IO_ERROR_EXISTS,
                coproc_messenger_receive_messages (worker, "x", 0, -1, NULL, &n, err));
  g_assert_cmpuint (n, ==, 0);
  assert_receive_messages (0, (const char *[]){ "!", NULL });
  g_assert_cmpuint (coproc_messenger_remaining (worker, "x"), ==, 0);

  coproc_messenger_close (host);
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_messages (worker, "x", 0, -1, NULL, &n, err));
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
  g_autoptr(CoprocMessage) message = NULL;
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

  /* Messages are taken in the same way as payloads. */
  g_assert_null (coproc_messenger_try_receive_message (worker, "x", NULL));
  send_request_text (host, "whole", "x", 2);
  g_assert_cmpint (g_poll (&poll_fd, 1, 10000), ==, 1);
  message = coproc_messenger_try_receive_message (worker, "x", NULL);
  assert_text (coproc_message_get_payload (message), "whole");
  g_assert_cmpint (coproc_message_get_kind (message), ==, COPROC_MESSAGE_KIND_REQUEST);

  g_assert_null (coproc_messenger_try_receive (worker, "x", NULL));
  coproc_messenger_close (host);
  g_assert_cmpint (g_poll (&poll_fd, 1, 10000), ==, 1);
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_try_receive (worker, "x", err));
  close_pair ();
}

/* A receive call that has timed out is enough, too, whoever reads the message in. */
static void
test_fd_after_timeout (void)
{
  GPollFD poll_fd;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  poll_fd = (GPollFD) { .fd = coproc_messenger_get_fd (worker), .events = G_IO_IN };
  assert_send (coproc_messenger_send_request (worker, text ("q"), "r", err));

  for (guint i = 0; i < 6; i++)
    {
      const gint64 timeout = i % 2;

      assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                    coproc_messenger_receive_message (worker, "x", timeout, NULL, err));
      if (i > 2)
        assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                      coproc_messenger_receive_reply (worker, "r", timeout, NULL, err));
      g_assert_cmpint (g_poll (&poll_fd, 1, 60), ==, 0); /* from now on the background thread reads */
      send_text (host, "wake", "x");
      coproc_test_until (coproc_messenger_queue_size (worker, "x") > 0);
      g_assert_cmpint (g_poll (&poll_fd, 1, 0), ==, 1);
      assert_receive (worker, "x", "wake");
    }
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/receive-available", test_receive_available);
  coproc_test_add ("/coproc/messenger/receive-messages", test_receive_messages);
  coproc_test_add ("/coproc/messenger/receive-messages-error", test_receive_messages_error);
  coproc_test_add ("/coproc/messenger/receive-any", test_receive_any);
  coproc_test_add ("/coproc/messenger/timeouts", test_timeouts);
  coproc_test_add ("/coproc/messenger/cancelled", test_cancelled);
  coproc_test_add ("/coproc/messenger/fd", test_fd);
  coproc_test_add ("/coproc/messenger/fd-after-timeout", test_fd_after_timeout);

  return g_test_run ();
}
