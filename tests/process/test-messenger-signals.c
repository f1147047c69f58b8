/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Signals, and subclasses.
 */
#include "messenger-pair.h"

#include <math.h>
#include <string.h>

/* --- signals --- */

typedef struct
{
  GThread *thread;
  guint n_errors;
  guint n_close_requests;
  guint n_closed;
  guint n_notified;
  GError *closed_error;
  GString *messages;
} Log;

static void
on_message (CoprocMessenger *self, CoprocMessage *message, Log *log)
{
  g_assert_true (g_thread_self () == log->thread);
  g_string_append_printf (log->messages, "%s ",
                          g_variant_get_string (coproc_message_get_payload (message), NULL));
}

static void
on_error_received (CoprocMessenger *self, GError *error, Log *log)
{
  g_assert_true (g_thread_self () == log->thread);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  log->n_errors++;
}

static void
on_close_requested (CoprocMessenger *self, Log *log)
{
  g_assert_true (g_thread_self () == log->thread);
  log->n_close_requests++;
}

static void
on_closed (CoprocMessenger *self, GError *error, Log *log)
{
  g_assert_true (g_thread_self () == log->thread);
  log->n_closed++;
  log->closed_error = error != NULL ? g_error_copy (error) : NULL;
}

static void
on_notify (CoprocMessenger *self, GParamSpec *pspec, Log *log)
{
  g_assert_true (g_thread_self () == log->thread);
  log->n_notified++;
}

static void
open_logged (Log *log)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  log->thread = g_thread_self ();
  log->messages = g_string_new (NULL);
  g_signal_connect (host, "error-received", G_CALLBACK (on_error_received), log);
  g_signal_connect (host, "close-requested", G_CALLBACK (on_close_requested), log);
  g_signal_connect (host, "closed", G_CALLBACK (on_closed), log);
  g_signal_connect (host, "notify::closed", G_CALLBACK (on_notify), log);
  g_signal_connect (host, "notify::close-requested", G_CALLBACK (on_notify), log);
}

static void
close_logged (Log *log)
{
  close_pair ();
  g_string_free (log->messages, TRUE);
  g_clear_error (&log->closed_error);
}

static gpointer
send_from_thread (gpointer data)
{
  send_report (worker, G_IO_ERROR_BUSY);
  assert_send (coproc_messenger_send_close_request (worker, err));
  send_text (worker, "1", "claimed");
  send_text (worker, "2", "claimed");
  send_text (worker, "mine", "free");
  coproc_messenger_close (worker);
  return NULL;
}

static void
test_signals (void)
{
  Log log = { 0 };

  open_logged (&log);
  g_signal_connect (host, "message::claimed", G_CALLBACK (on_message), &log);
  coproc_messenger_listen (host, "claimed");
  g_thread_join (g_thread_new ("sender", send_from_thread, NULL));
  g_assert_cmpuint (log.n_errors, ==, 0);
  coproc_test_until (log.n_closed > 0);
  g_assert_cmpuint (log.n_errors, ==, 1);
  g_assert_cmpuint (log.n_close_requests, ==, 1);
  g_assert_cmpuint (log.n_closed, ==, 1);
  g_assert_null (log.closed_error);
  g_assert_cmpuint (log.n_notified, ==, 2);
  g_assert_cmpstr (log.messages->str, ==, "1 2 ");

  /* signals take nothing away from the receives */
  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY, coproc_messenger_try_receive (host, "free", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED,
                coproc_messenger_try_receive (host, "free", err));
  assert_receive (host, "free", "mine");
  coproc_messenger_close (host);
  for (guint i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (log.n_closed, ==, 1);
  close_logged (&log);
}

static void
test_listen (void)
{
  Log log = { 0 };
  CoprocTestResult result = { 0 };
  gsize n;

  open_logged (&log);
  g_signal_connect (host, "message::x", G_CALLBACK (on_message), &log);
  send_text (worker, "before", "x");
  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, 1);
  coproc_messenger_listen (host, "x");
  coproc_messenger_listen (host, "x");
  coproc_test_until (log.messages->len > 0);

  /* its replies too, but not those of call() */
  assert_send (coproc_messenger_send_request (host, text ("q"), "x", err));
  answer (worker, "x", "reply");
  coproc_messenger_call_async (host, text ("q"), "x", -1, NULL, coproc_test_result_store, &result);
  answer (worker, "x", "of call");
  {
    g_autoptr(GVariant) reply =
      coproc_messenger_call_finish (host, coproc_test_result_wait (&result), NULL);

    assert_text (reply, "of call");
  }
  coproc_test_result_clear (&result);
  coproc_test_until (coproc_messenger_remaining (host, "x") == 0);
  coproc_test_until (strstr (log.messages->str, "reply") != NULL);
  g_assert_cmpstr (log.messages->str, ==, "before reply ");

  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_receive_blocking (host, "x", NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED, coproc_messenger_try_receive (host, "x", err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_FAILED,
                coproc_messenger_receive_available (host, "x", &n, err));

  coproc_messenger_unlisten (host, "x");
  coproc_messenger_unlisten (host, "x");
  send_text (worker, "after", "x");
  assert_receive (host, "x", "after");
  g_assert_cmpstr (log.messages->str, ==, "before reply ");
  close_logged (&log);
}

/* The default channel's messages have no detail: only a handler of the plain signal gets them. */
static void
test_listen_default (void)
{
  Log plain = { 0 }, detailed = { 0 };

  open_logged (&plain);
  detailed.thread = g_thread_self ();
  detailed.messages = g_string_new (NULL);
  g_signal_connect (host, "message", G_CALLBACK (on_message), &plain);
  g_signal_connect (host, "message::x", G_CALLBACK (on_message), &detailed);
  coproc_messenger_listen (host, NULL);
  coproc_messenger_listen (host, "x");
  send_text (worker, "default", NULL);
  coproc_test_until (plain.messages->len > 0);
  send_text (worker, "x", "x");
  coproc_test_until (detailed.messages->len > 0);
  g_assert_cmpstr (plain.messages->str, ==, "default x ");
  g_assert_cmpstr (detailed.messages->str, ==, "x ");
  g_string_free (detailed.messages, TRUE);
  close_logged (&plain);
}

/* The context is that of construction, whatever thread receives. */
static void
test_captured_context (void)
{
  g_autoptr(GMainContext) context = g_main_context_new ();
  Log log = { 0 };

  g_main_context_push_thread_default (context);
  open_logged (&log);
  g_main_context_pop_thread_default (context);
  g_signal_connect (host, "message::x", G_CALLBACK (on_message), &log);
  coproc_messenger_listen (host, "x");
  send_text (worker, "m", "x");
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (log.messages->len, ==, 0);
  while (log.messages->len == 0)
    g_main_context_iteration (context, TRUE);
  coproc_messenger_close (host);
  while (log.n_closed == 0)
    g_main_context_iteration (context, TRUE);
  close_logged (&log);
}

static void
close_on_message (CoprocMessenger *self, CoprocMessage *message, Log *log)
{
  on_message (self, message, log);
  coproc_messenger_close (self);
}

static void
drop_on_message (CoprocMessenger *self, CoprocMessage *message, Log *log)
{
  on_message (self, message, log);
  g_clear_object (&host);
}

static void
test_close_in_handler (void)
{
  Log log = { 0 };

  open_logged (&log);
  g_signal_connect (host, "message::x", G_CALLBACK (close_on_message), &log);
  coproc_messenger_listen (host, "x");
  send_text (worker, "1", "x");
  coproc_test_until (log.n_closed == 1);
  close_logged (&log);
}

static void
test_unref_in_handler (void)
{
  Log log = { 0 };

  open_logged (&log);
  g_signal_connect (host, "message::x", G_CALLBACK (drop_on_message), &log);
  coproc_messenger_listen (host, "x");
  send_text (worker, "1", "x");
  send_text (worker, "2", "x");
  coproc_test_until (host == NULL);
  g_assert_true (g_str_has_prefix (log.messages->str, "1 "));
  coproc_test_finalize (g_steal_pointer (&worker));
  g_string_free (log.messages, TRUE);
  g_clear_error (&log.closed_error);
}

/* --- subclasses --- */

#define TEST_TYPE_MESSENGER (test_messenger_get_type ())
G_DECLARE_FINAL_TYPE (TestMessenger, test_messenger, TEST, MESSENGER, CoprocMessenger)

struct _TestMessenger
{
  CoprocMessenger parent_instance;
};

G_DEFINE_FINAL_TYPE (TestMessenger, test_messenger, COPROC_TYPE_MESSENGER)

/* A payload that is a double is its own priority; "silent" fails without a reason, "loud" with one. */
static gboolean
test_messenger_get_priority (CoprocMessenger *self, GVariant *payload, double *priority, GError **error)
{
  g_assert_false (g_variant_is_floating (payload));
  if (g_variant_is_of_type (payload, G_VARIANT_TYPE_DOUBLE))
    {
      *priority = g_variant_get_double (payload);
      return TRUE;
    }
  if (g_variant_is_of_type (payload, G_VARIANT_TYPE_STRING)
      && g_str_equal (g_variant_get_string (payload, NULL), "silent"))
    return FALSE;
  if (g_variant_is_of_type (payload, G_VARIANT_TYPE_STRING)
      && g_str_equal (g_variant_get_string (payload, NULL), "loud"))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_IO, "loud");
      return FALSE;
    }
  /* it may use the messenger: no lock is held */
  coproc_messenger_messages_sent (self, NULL);
  coproc_messenger_available (self, NULL, NULL);
  return COPROC_MESSENGER_CLASS (test_messenger_parent_class)
    ->get_priority (self, payload, priority, error);
}

static void
test_messenger_class_init (TestMessengerClass *klass)
{
  COPROC_MESSENGER_CLASS (klass)->get_priority = test_messenger_get_priority;
}

static void
test_messenger_init (TestMessenger *self)
{
}

static void
test_subclass (void)
{
  const double order[] = { -1, 1, 2, 3 };
  g_autoptr(CoprocMessage) explicit_one = coproc_message_new_full (g_variant_new_double (99), NULL, 2);
  gboolean by_priority;

  coproc_test_new_pair (TEST_TYPE_MESSENGER, &worker, &host);
  g_object_get (host, "by-priority", &by_priority, NULL);
  g_assert_true (by_priority);
  for (guint i = 0; i < 3; i++)
    assert_send (coproc_messenger_send_norequest (
      host, g_variant_new_double (i == 2 ? -1.0 : 3.0 - 2.0 * i), NULL, err));
  assert_send (coproc_messenger_send_message (host, explicit_one, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                              err));
  assert_send (coproc_messenger_send_norequest (host, text ("the default's"), NULL, err));

  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    {
      g_autoptr(CoprocMessage) message = receive_message (worker, NULL);

      g_assert_cmpfloat (coproc_message_get_priority (message), ==, order[i]);
    }
  assert_receive (worker, NULL, "the default's");

  assert_fails (COPROC_ERROR, COPROC_ERROR_HANDLER,
                coproc_messenger_send_norequest (host, text ("silent"), NULL, err));
  assert_fails (G_FILE_ERROR, G_FILE_ERROR_IO,
                coproc_messenger_send_request (host, text ("loud"), NULL, err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_INVALID_PRIORITY,
                coproc_messenger_send_norequest (host, g_variant_new_double (NAN), NULL, err));
  g_assert_cmpuint (coproc_messenger_messages_sent (host, NULL), ==, 5);
  g_assert_cmpuint (coproc_messenger_remaining (host, NULL), ==, 0);
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/signals/all", test_signals);
  coproc_test_add ("/coproc/messenger/signals/listen", test_listen);
  coproc_test_add ("/coproc/messenger/signals/listen-default", test_listen_default);
  coproc_test_add ("/coproc/messenger/signals/captured-context", test_captured_context);
  coproc_test_add ("/coproc/messenger/signals/close-in-handler", test_close_in_handler);
  coproc_test_add ("/coproc/messenger/signals/unref-in-handler", test_unref_in_handler);
  coproc_test_add ("/coproc/messenger/subclass", test_subclass);

  return g_test_run ();
}
