/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Special messages.
 */
#include "messenger-pair.h"

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

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
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

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
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

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
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

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
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
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (int code = 1; code <= 20; code++)
    send_report (worker, code);
  send_text (worker, "behind", "x");
  for (int code = 1; code <= 20; code++)
    assert_fails (G_IO_ERROR, code, coproc_messenger_receive_any (host, -1, NULL, err));
  assert_receive (host, "x", "behind");
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
  return g_test_run ();
}
