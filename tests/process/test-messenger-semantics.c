/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The known defects M1 to M18 of the Python package that the library takes after: each by its number.
 * Those that show under load are in test-messenger-load.c.
 */
#include "messenger-pair.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>

/* A host whose peer's bytes pass through this program, which can cut them anywhere. */
typedef struct
{
  int from_worker;
  int to_host;
} Tap;

static void
open_tap (Tap *tap)
{
  int to_worker[2], from_worker[2], to_host[2];
  g_autoptr(GError) error = NULL;

  g_assert_true (g_unix_open_pipe (to_worker, FD_CLOEXEC, &error));
  g_assert_true (g_unix_open_pipe (from_worker, FD_CLOEXEC, &error));
  g_assert_true (g_unix_open_pipe (to_host, FD_CLOEXEC, &error));
  worker = coproc_messenger_new_for_fds (COPROC_TYPE_MULTI_MESSENGER, to_worker[0], from_worker[1],
                                         &error);
  g_assert_no_error (error);
  host = coproc_messenger_new_for_fds (COPROC_TYPE_MULTI_MESSENGER, to_host[0], to_worker[1], &error);
  g_assert_no_error (error);
  tap->from_worker = from_worker[0];
  tap->to_host = to_host[1];
}

/* Passes on all that the worker has written but for the last @n_held bytes, which are lost. */
static void
pass_on (Tap *tap, gsize n_held)
{
  guint8 buffer[65536];
  gssize n = read (tap->from_worker, buffer, sizeof buffer);

  g_assert_cmpint (n, >, n_held);
  g_assert_cmpint (write (tap->to_host, buffer, n - n_held), ==, n - n_held);
}

/* To the host, the worker has died now. */
static void
cut (Tap *tap)
{
  close (tap->to_host);
  close (tap->from_worker);
}

static void
test_m1 (void)
{
  Tap tap;

  open_tap (&tap);
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  answer (worker, "x", "r1");
  send_text (worker, "1", "y");
  send_text (worker, "2", "y");
  pass_on (&tap, 0);
  cut (&tap);

  assert_receive (host, "y", "1");
  assert_receive (host, "y", "2");
  assert_receive (host, "x", "r1");
  assert_fails (COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                coproc_messenger_receive_blocking (host, "x", NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                coproc_messenger_receive_blocking (host, "y", NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  g_assert_true (coproc_messenger_get_closed (host));
  close_pair ();

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (worker, "1", "y");
  send_text (worker, "2", "y");
  coproc_test_finalize (g_steal_pointer (&worker));
  assert_receive (host, "y", "1");
  assert_receive (host, "y", "2");
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_blocking (host, "y", NULL, err));
  coproc_test_finalize (g_steal_pointer (&host));
}

static void
test_m2 (void)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_BUSY, "busy");
  gsize n = 0;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (worker, "a", "x");
  assert_send (coproc_messenger_send_error (worker, report, err));
  send_text (worker, "b", "x");
  assert_send (coproc_messenger_send_close_request (worker, err));
  send_text (worker, "c", "x");

  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY,
                coproc_messenger_receive_available (host, "x", &n, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED,
                coproc_messenger_receive_blocking (host, "x", NULL, err));
  g_assert_cmpuint (coproc_messenger_messages_received (host, "x"), ==, 0);
  assert_receive (host, "x", "a");
  assert_receive (host, "x", "b");
  assert_receive (host, "x", "c");
  close_pair ();
}

static void
test_m3 (void)
{
  g_autoptr(GVariant) payload = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (host, "queued", "x");
  g_assert_cmpint (coproc_messenger_available (worker, "x", NULL), ==, 1);
  assert_send (coproc_messenger_await_available (worker, -1, NULL, err));
  assert_send (coproc_messenger_await_available (worker, -1, NULL, err));
  payload = coproc_messenger_try_receive (worker, "x", NULL);
  assert_text (payload, "queued");
  close_pair ();
}

static void
test_m4 (void)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
  g_autoptr(GVariant) reply = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED, /* a reply to nothing is not even sent */
                coproc_messenger_send_reply (worker, text ("r"), "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_request (host, text ("q"), "", err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);

  for (guint i = 0; i < 3; i++)
    assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  send_text (worker, "progress", "x");
  answer (worker, "x", "r1");
  {
    g_autoptr(CoprocMessage) request = receive_message (worker, "x");

    assert_send (coproc_messenger_reply_error (worker, request, report, err));
  }

  reply = coproc_messenger_receive_remaining (host, "x", NULL, NULL); /* not the progress */
  assert_text (reply, "r1");
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 2);
  assert_receive (host, "x", "progress"); /* which settles nothing */
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 2);
  assert_fails (G_IO_ERROR, G_IO_ERROR_FAILED,
                coproc_messenger_receive_remaining (host, "x", NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 1);
  coproc_messenger_close (worker);
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                coproc_messenger_receive_remaining (host, "x", NULL, err));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  close_pair ();
}

static void
test_m5 (void)
{
  guint64 serials[3];
  const char *expected[] = { "r3", "r2", "r1" };

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  for (guint i = 0; i < 3; i++)
    serials[i] = send_request_text (host, "q", "x", 3.0 - i);
  answer (worker, "x", "r3");
  answer (worker, "x", "r2");
  answer (worker, "x", "r1");
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr(CoprocMessage) reply = receive_message (host, "x");

      assert_text (coproc_message_get_payload (reply), expected[i]);
      g_assert_cmpuint (coproc_message_get_reply_serial (reply), ==, serials[2 - i]);
    }
  close_pair ();
}

static void
test_m6 (void)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "for this one only");
  CoprocTestResult result = { 0 };
  g_autoptr(CoprocMessage) request = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  coproc_messenger_call_async (host, text ("q"), "x", -1, NULL, coproc_test_result_store, &result);
  request = receive_message (worker, "x");
  assert_send (coproc_messenger_reply_error (worker, request, report, err));
  send_text (worker, "for all", "x");
  assert_receive (host, "x", "for all"); /* other receives are not disturbed */
  assert_fails (G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                coproc_messenger_call_finish (host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  assert_nothing (host, "x");
  close_pair ();
}

static void
test_m7 (void)
{
  g_autoptr(GError) known = g_error_new (G_CONVERT_ERROR, G_CONVERT_ERROR_NO_CONVERSION, "known");
  g_autoptr(GError) invalid = g_error_new_literal (G_IO_ERROR, 12345, "not \xff UTF-8");
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) none = NULL;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_send (coproc_messenger_send_error (worker, known, err));
  assert_send (coproc_messenger_send_error (worker, invalid, err));
  assert_fails (G_CONVERT_ERROR, G_CONVERT_ERROR_NO_CONVERSION,
                coproc_messenger_receive_blocking (host, "x", NULL, err));
  none = coproc_messenger_receive_blocking (host, "x", NULL, &error);
  g_assert_null (none);
  g_assert_error (error, G_IO_ERROR, 12345);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_nonnull (strstr (error->message, "UTF-8"));
  close_pair ();
}

/* An error whose domain is not known here: only a program with other domains can send one, so the bytes
 * of a domain's name are changed on their way. */
static void
test_m7_unknown_domain (void)
{
  GQuark domain = g_quark_from_static_string ("test-domain-known");
  g_autoptr(GError) report = g_error_new (domain, 42, "strange");
  g_autoptr(GError) error = NULL;
  guint8 buffer[4096];
  gssize n;
  char *name;
  Tap tap;

  open_tap (&tap);
  assert_send (coproc_messenger_send_error (worker, report, err));
  n = read (tap.from_worker, buffer, sizeof buffer);
  name = memmem (buffer, n, "test-domain-known", 17);
  g_assert_nonnull (name);
  memcpy (name + 12, "other", 5);
  g_assert_cmpint (write (tap.to_host, buffer, n), ==, n);

  g_assert_null (coproc_messenger_receive_blocking (host, "x", NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_REMOTE);
  g_assert_cmpstr (error->message, ==, "test-domain-other:42: strange");
  g_assert_cmpuint (g_quark_try_string ("test-domain-other"), ==, 0);
  cut (&tap);
  close_pair ();
}

/* No error of a worker, whatever its domain and code, does more to the host than to be returned. */
static void
test_m8 (void)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (int code = -1; code <= 260; code++)
    {
      g_autoptr(GError) report = g_error_new (G_SPAWN_ERROR, code, "%d", code);

      assert_send (coproc_messenger_send_error (worker, report, err));
      assert_fails (G_SPAWN_ERROR, code, coproc_messenger_try_receive (host, "x", err));
    }
  send_text (worker, "alive", NULL);
  assert_receive (host, NULL, "alive");
  close_pair ();
}

static void
test_m13 (void)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text ("x"), "x", NAN);

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY,
                coproc_messenger_send_message (host, message, COPROC_MESSAGE_KIND_REQUEST, NULL, err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "x"), ==, 0);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  send_text_at (host, "fine", "x", -INFINITY);
  assert_receive (worker, "x", "fine");
  close_pair ();
}

static void
test_m14 (void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) none = NULL;
  Tap tap;

  open_tap (&tap);
  send_text (worker, "whole", "x");
  send_text (worker, "half of this is lost", "x");
  pass_on (&tap, 24);

  /* half a message is none, and nobody waits for the rest of it unasked */
  assert_receive (host, "x", "whole");
  assert_nothing (host, "x");
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                coproc_messenger_receive_message (host, "x", 1000, NULL, err));
  cut (&tap);
  none = coproc_messenger_receive_blocking (host, "x", NULL, &error);
  g_assert_null (none);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_test_message ("%s", error->message);
  close_pair ();
}

/* A payload is only ever data: what is not in normal form does not even travel. */
static void
test_m16 (void)
{
  static const guint8 bad_bool[] = { 2 };
  g_autoptr(GVariant) invalid = g_variant_ref_sink (
    g_variant_new_from_data (G_VARIANT_TYPE_BOOLEAN, bad_bool, 1, FALSE, NULL, NULL));
  GVariant *deep = g_variant_new_byte (1);

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_norequest (host, invalid, "x", err));
  for (guint i = 0; i < 65; i++)
    deep = g_variant_new_variant (deep);
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                coproc_messenger_send_norequest (host, deep, "x", err));
  send_text (host, "fine", "x");
  assert_receive (worker, "x", "fine");
  close_pair ();
}

/* Bytes that are no frames end the connection; what had come before them is still delivered. */
static void
test_m16_garbage (void)
{
  guint8 garbage[256];
  Tap tap;

  memset (garbage, 0xff, sizeof garbage);
  open_tap (&tap);
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  send_text (worker, "good", "x");
  pass_on (&tap, 0);
  g_assert_cmpint (write (tap.to_host, garbage, sizeof garbage), ==, sizeof garbage);
  assert_receive (host, "x", "good");
  {
    g_autoptr(GError) error = NULL;

    g_assert_null (coproc_messenger_receive_blocking (host, "x", NULL, &error));
    g_test_message ("%s", error->message);
    g_assert_true (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL)
                   || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE));
  }
  g_assert_true (coproc_messenger_get_closed (host));
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  cut (&tap);
  close_pair ();
}

/* However the other end came to be closed, it is CLOSED. */
static void
test_m17 (void)
{
  for (guint with_unread_data = 0; with_unread_data <= 1; with_unread_data++)
    {
      open_pair (COPROC_TYPE_MULTI_MESSENGER);
      if (with_unread_data)
        send_text (host, "never read", "x");
      coproc_messenger_close (worker);
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_receive_blocking (host, "x", NULL, err));
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_receive_any (host, -1, NULL, err));
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_await_available (host, -1, NULL, err));
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_send_norequest (host, text ("x"), "x", err));
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_call (host, text ("x"), "x", -1, NULL, err));
      /* The background may have taken in what came before the close: that stays readable. */
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_receive_blocking (worker, "y", NULL, err));
      {
        g_autoptr (GError) error = NULL;
        g_autoptr (GVariant) unread = coproc_messenger_receive_blocking (worker, "x", NULL, &error);

        if (unread != NULL)
          {
            g_assert_true (with_unread_data);
            g_assert_cmpstr (g_variant_get_string (unread, NULL), ==, "never read");
          }
        else
          g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
      }
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    coproc_messenger_receive_blocking (worker, "x", NULL, err));
      close_pair ();
    }
}

/* Errors are told by return only: nothing is printed, on either side. */
static void
test_m18 (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr(GError) report = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "quiet");

      open_pair (COPROC_TYPE_MULTI_MESSENGER);
      assert_send (coproc_messenger_send_error (worker, report, err));
      assert_fails (G_IO_ERROR, G_IO_ERROR_FAILED,
                    coproc_messenger_receive_blocking (host, "x", NULL, err));
      close_pair ();
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/m1-last-words", test_m1);
  coproc_test_add ("/coproc/messenger/m2-nothing-is-lost-by-an-error", test_m2);
  coproc_test_add ("/coproc/messenger/m3-no-lost-wake-up", test_m3);
  coproc_test_add ("/coproc/messenger/m4-remaining", test_m4);
  coproc_test_add ("/coproc/messenger/m5-correlation", test_m5);
  coproc_test_add ("/coproc/messenger/m6-errors-have-an-address", test_m6);
  coproc_test_add ("/coproc/messenger/m7-any-error-travels", test_m7);
  coproc_test_add ("/coproc/messenger/m7-unknown-domain", test_m7_unknown_domain);
  coproc_test_add ("/coproc/messenger/m8-an-error-is-only-returned", test_m8);
  coproc_test_add ("/coproc/messenger/m13-priority-is-checked-at-the-sender", test_m13);
  coproc_test_add ("/coproc/messenger/m14-partial-frame", test_m14);
  coproc_test_add ("/coproc/messenger/m16-payloads-are-data", test_m16);
  coproc_test_add ("/coproc/messenger/m16-garbage", test_m16_garbage);
  coproc_test_add ("/coproc/messenger/m17-one-kind-of-end", test_m17);
  coproc_test_add ("/coproc/messenger/m18-quiet", test_m18);

  return g_test_run ();
}
