/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Special messages, signals, and subclasses.
 */
#include "messenger-util.h"

#include <math.h>
#include <string.h>

static CoprocMessenger *worker, *host;

static void
open_pair (void)
{
  coproc_test_new_pair (COPROC_TYPE_MULTI_MESSENGER, &worker, &host);
}

static void
close_pair (void)
{
  coproc_test_finalize_pair (g_steal_pointer (&worker), g_steal_pointer (&host));
}

static void
send_report (CoprocMessenger *self, int code)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, code, "report %d", code);

  assert_send (coproc_messenger_send_error (self, report, err));
}

/* --- special messages --- */

typedef enum
{
  AVAILABLE,
  TRY_RECEIVE,
  RECEIVE_AVAILABLE,
  RECEIVE_BLOCKING,
  RECEIVE_MESSAGE,
  RECEIVE_ANY,
  AWAIT_AVAILABLE,
  RECEIVE_REMAINING,
  N_RECEIVES,
} Receive;

static const char *receive_names[] = { "available",        "try-receive",     "receive-available",
                                       "receive-blocking", "receive-message", "receive-any",
                                       "await-available",  "receive-remaining" };

/* A receive that must fail. */
static void
fail_to_receive (Receive receive, const char *channel, GError **error)
{
  gsize n;

  switch (receive)
    {
    case AVAILABLE:
      g_assert_cmpint (coproc_messenger_available (host, channel, error), ==, -1);
      break;
    case TRY_RECEIVE:
      g_assert_null (coproc_messenger_try_receive (host, channel, error));
      break;
    case RECEIVE_AVAILABLE:
      g_assert_null (coproc_messenger_receive_available (host, channel, &n, error));
      break;
    case RECEIVE_BLOCKING:
      g_assert_null (coproc_messenger_receive_blocking (host, channel, NULL, error));
      break;
    case RECEIVE_MESSAGE:
      g_assert_null (coproc_messenger_receive_message (host, channel, -1, NULL, error));
      break;
    case RECEIVE_ANY:
      g_assert_null (coproc_messenger_receive_any (host, -1, NULL, error));
      break;
    case AWAIT_AVAILABLE:
      g_assert_false (coproc_messenger_await_available (host, -1, NULL, error));
      break;
    case RECEIVE_REMAINING:
      g_assert_null (coproc_messenger_receive_remaining (host, channel, NULL, error));
      break;
    case N_RECEIVES:
    default:
      g_assert_not_reached ();
    }
}

/* The next receive of any kind on any channel gets it, once; what is queued stays. */
static void
test_next_receive (gconstpointer data)
{
  Receive receive = GPOINTER_TO_UINT (data);
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) close_error = NULL;

  open_pair ();
  assert_send (coproc_messenger_send_request (host, text ("q"), "other", err));
  send_text (worker, "queued", "x");
  send_text (worker, "queued", "other");
  send_report (worker, G_IO_ERROR_BUSY);
  assert_send (coproc_messenger_send_close_request (worker, err));

  fail_to_receive (receive, "other", &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpstr (error->message, ==, "report 26");
  g_assert_true (coproc_messenger_get_close_requested (host));
  fail_to_receive (receive, "other", &close_error);
  g_assert_error (close_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED);

  assert_receive (host, "x", "queued");
  assert_receive (host, "other", "queued");
  g_assert_true (coproc_messenger_get_close_requested (host));
  g_assert_cmpuint (coproc_messenger_remaining (host, "other"), ==, 1);
  close_pair ();
}

/* call(), counters and pipe_poll() are no receives. */
static void
test_not_for_calls (void)
{
  CoprocTestResult result = { 0 };
  g_autoptr(GVariant) reply = NULL;

  open_pair ();
  coproc_messenger_call_async (host, text ("q"), "x", -1, NULL, coproc_test_result_store, &result);
  send_report (worker, G_IO_ERROR_BUSY);
  answer (worker, "x", "r");
  coproc_messenger_pipe_poll (host);
  coproc_messenger_queue_size (host, "x");
  reply = coproc_messenger_call_finish (host, coproc_test_result_wait (&result), NULL);
  assert_text (reply, "r");
  coproc_test_result_clear (&result);
  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY,
                coproc_messenger_await_available (host, 0, NULL, err));
  assert_nothing (host, "x");
  close_pair ();
}

/* Whoever is waiting at that moment gets it, all of them, and then nobody else does. */
typedef struct
{
  GThread *thread;
  const char *channel;
  GError *error; /* (done) */
  gint done;     /* (atomic) */
} Waiter;

static gpointer
wait_for_error (gpointer data)
{
  Waiter *self = data;

  g_assert_null (coproc_messenger_receive_blocking (host, self->channel, NULL, &self->error));
  g_atomic_int_set (&self->done, TRUE);
  return NULL;
}

static void
test_blocked_receives (void)
{
  Waiter waiters[4] = { { .channel = "a" }, { .channel = "b" }, { .channel = NULL },
                        { .channel = "a" } };
  CoprocTestResult pending[2] = { 0 };

  open_pair ();
  coproc_messenger_receive_async (host, "a", NULL, coproc_test_result_store, &pending[0]);
  coproc_messenger_receive_message_async (host, "c", -1, NULL, coproc_test_result_store, &pending[1]);
  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    waiters[i].thread = g_thread_new ("waiter", wait_for_error, &waiters[i]);

  /* Nothing tells from outside that a thread waits: each error reaches whoever does by then. */
  for (guint n_done = 0; n_done < G_N_ELEMENTS (waiters);)
    {
      send_report (worker, G_IO_ERROR_BUSY);
      coproc_test_turn (G_MAXINT64, "");
      n_done = 0;
      for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
        n_done += g_atomic_int_get (&waiters[i].done) ? 1 : 0;
    }
  for (guint i = 0; i < G_N_ELEMENTS (waiters); i++)
    {
      g_thread_join (waiters[i].thread);
      g_assert_error (waiters[i].error, G_IO_ERROR, G_IO_ERROR_BUSY);
      g_clear_error (&waiters[i].error);
    }
  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY,
                coproc_messenger_receive_finish (host, coproc_test_result_wait (&pending[0]), err));
  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY,
                coproc_messenger_receive_message_finish (host, coproc_test_result_wait (&pending[1]),
                                                         err));
  coproc_test_result_clear (&pending[0]);
  coproc_test_result_clear (&pending[1]);
  close_pair ();
}

static void
test_pending_receive_takes_it (void)
{
  CoprocTestResult result = { 0 };

  open_pair ();
  coproc_messenger_receive_async (host, "x", NULL, coproc_test_result_store, &result);
  g_main_context_iteration (NULL, FALSE);
  send_report (worker, G_IO_ERROR_BUSY);
  assert_fails (G_IO_ERROR, G_IO_ERROR_BUSY,
                coproc_messenger_receive_finish (host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  assert_nothing (host, "x");
  close_pair ();
}

static void
test_in_order (void)
{
  open_pair ();
  for (int code = 1; code <= 20; code++)
    send_report (worker, code);
  send_text (worker, "behind", "x");
  for (int code = 1; code <= 20; code++)
    assert_fails (G_IO_ERROR, code, coproc_messenger_receive_any (host, -1, NULL, err));
  assert_receive (host, "x", "behind");
  close_pair ();
}

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
  open_pair ();
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

  for (Receive receive = 0; receive < N_RECEIVES; receive++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/messenger/special/next-receive/%s",
                                               receive_names[receive]);

      coproc_test_add_data (path, GUINT_TO_POINTER (receive), test_next_receive);
    }
  coproc_test_add ("/coproc/messenger/special/not-for-calls", test_not_for_calls);
  coproc_test_add ("/coproc/messenger/special/blocked-receives", test_blocked_receives);
  coproc_test_add ("/coproc/messenger/special/pending-receive", test_pending_receive_takes_it);
  coproc_test_add ("/coproc/messenger/special/in-order", test_in_order);
  coproc_test_add ("/coproc/messenger/signals/all", test_signals);
  coproc_test_add ("/coproc/messenger/signals/listen", test_listen);
  coproc_test_add ("/coproc/messenger/signals/listen-default", test_listen_default);
  coproc_test_add ("/coproc/messenger/signals/captured-context", test_captured_context);
  coproc_test_add ("/coproc/messenger/signals/close-in-handler", test_close_in_handler);
  coproc_test_add ("/coproc/messenger/signals/unref-in-handler", test_unref_in_handler);
  coproc_test_add ("/coproc/messenger/subclass", test_subclass);

  return g_test_run ();
}
