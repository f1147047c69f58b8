/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Asynchronous calls: each calls back once, in its starter's context, after its starter has returned.
 */
#include "messenger-pair.h"

/* The four asynchronous calls, each in a form that waits until the other end does something. */
typedef enum
{
  RECEIVE,
  RECEIVE_MESSAGE,
  CALL,
  SEND,
  N_OPS,
} Op;

static const char *op_names[] = { "receive", "receive-message", "call", "send-message" };

/* Sends until the other end, which reads no further than its limit, takes nothing more. */
static void
fill_output (void)
{
  g_autofree guint8 *data = g_malloc0 (1 << 20);
  guint n_refused = 0;

  g_object_set (worker, "max-queued-bytes", G_GUINT64_CONSTANT (1), NULL);
  g_object_set (host, "high-water-mark", G_GUINT64_CONSTANT (1), "send-timeout", (gint64) 0, NULL);
  while (n_refused < 20)
    if (coproc_messenger_send_bytes (host, data, 1 << 20, "fill", NULL)
        || coproc_messenger_queue_size (worker, "fill") == 0)
      n_refused = 0;
    else
      {
        n_refused++;
        coproc_test_turn (G_MAXINT64, "");
      }
}

static void
start (Op op, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text ("m"), "x", 0);

  switch (op)
    {
    case RECEIVE:
      coproc_messenger_receive_async (host, "x", cancellable, callback, user_data);
      break;
    case RECEIVE_MESSAGE:
      coproc_messenger_receive_message_async (host, "x", -1, cancellable, callback, user_data);
      break;
    case CALL:
      coproc_messenger_call_async (host, text ("q"), "x", -1, cancellable, callback, user_data);
      break;
    case SEND:
      coproc_messenger_send_message_async (host, message, COPROC_MESSAGE_KIND_NOREQUEST, cancellable,
                                           callback, user_data);
      break;
    case N_OPS:
    default:
      g_assert_not_reached ();
    }
}

static gboolean
finish (Op op, CoprocMessenger *self, GAsyncResult *result, GError **error)
{
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(CoprocMessage) message = NULL;

  switch (op)
    {
    case RECEIVE:
      payload = coproc_messenger_receive_finish (self, result, error);
      return payload != NULL;
    case RECEIVE_MESSAGE:
      message = coproc_messenger_receive_message_finish (self, result, error);
      return message != NULL;
    case CALL:
      payload = coproc_messenger_call_finish (self, result, error);
      return payload != NULL;
    case SEND:
      return coproc_messenger_send_message_finish (self, result, error);
    case N_OPS:
    default:
      g_assert_not_reached ();
    }
}

/* Lets @op succeed. */
static void
satisfy (Op op)
{
  if (op == CALL)
    answer (worker, "x", "r");
  else if (op == SEND)
    while (coproc_messenger_queue_size (worker, "x") == 0)
      {
        GVariant *payload = coproc_messenger_try_receive (worker, "fill", NULL);

        g_clear_pointer (&payload, g_variant_unref);
        coproc_test_turn (G_MAXINT64, "");
        coproc_messenger_available (worker, "x", NULL);
      }
  else
    send_text (worker, "m", "x");
}

static void
prepare (Op op)
{
  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  if (op == SEND)
    fill_output ();
}

static void
test_success (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };

  prepare (op);
  start (op, NULL, coproc_test_result_store, &result);
  g_assert_cmpuint (result.n_calls, ==, 0);
  satisfy (op);
  assert_send (finish (op, host, coproc_test_result_wait (&result), err));
  g_assert_true (result.thread == g_thread_self ());
  coproc_test_result_clear (&result);
  close_pair ();
}

/* Also when it can be done at once, the callback waits for its starter to return. */
static void
test_not_before_return (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };
  g_autoptr(GMainContext) context = g_main_context_new ();

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  send_text (worker, "m", "x");
  g_main_context_push_thread_default (context);
  start (op, NULL, coproc_test_result_store, &result);
  g_main_context_pop_thread_default (context);
  g_assert_cmpuint (result.n_calls, ==, 0);
  if (op == CALL)
    answer (worker, "x", "r");

  /* in the starter's context, not in the default one */
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (result.n_calls, ==, 0);
  while (result.n_calls == 0)
    g_main_context_iteration (context, TRUE);
  assert_send (finish (op, host, result.result, err));
  coproc_test_result_clear (&result);
  close_pair ();
}

static void
test_cancel_before (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  prepare (op);
  g_cancellable_cancel (cancellable);
  start (op, cancellable, coproc_test_result_store, &result);
  g_assert_cmpuint (result.n_calls, ==, 0);
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                finish (op, host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  close_pair ();
}

static void
test_cancel_while (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  prepare (op);
  start (op, cancellable, coproc_test_result_store, &result);
  g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (result.n_calls, ==, 0);
  g_cancellable_cancel (cancellable);
  g_cancellable_cancel (cancellable);
  assert_fails (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                finish (op, host, coproc_test_result_wait (&result), err));
  coproc_test_result_clear (&result);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);

  /* a cancelled send has sent nothing, a cancelled receive has taken nothing */
  if (op == RECEIVE || op == RECEIVE_MESSAGE)
    {
      send_text (worker, "kept", "x");
      assert_receive (host, "x", "kept");
    }
  g_assert_cmpuint (coproc_messenger_messages_sent (host, "x"), ==, op == CALL ? 1 : 0);
  close_pair ();
}

static void
test_cancel_after (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  start (op, cancellable, coproc_test_result_store, &result);
  satisfy (op);
  coproc_test_result_wait (&result);
  g_cancellable_cancel (cancellable);
  assert_send (finish (op, host, result.result, err));
  for (guint i = 0; i < 10; i++)
    g_main_context_iteration (NULL, FALSE);
  coproc_test_result_clear (&result);
  close_pair ();
}

typedef struct
{
  CoprocTestResult result;
  GCancellable *cancellable;
} InCallback;

static void
cancel_in_callback (GObject *source, GAsyncResult *result, gpointer user_data)
{
  InCallback *self = user_data;

  g_cancellable_cancel (self->cancellable);
  coproc_test_result_store (source, result, &self->result);
}

static void
close_in_callback (GObject *source, GAsyncResult *result, gpointer user_data)
{
  coproc_messenger_close (COPROC_MESSENGER (source));
  coproc_test_result_store (source, result, user_data);
}

/* Drops the test's own reference: the operation's is then the last one. */
static void
unref_in_callback (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_clear_object (&host);
  coproc_test_result_store (source, result, user_data);
}

static void
test_cancel_in_callback (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  InCallback call = { .cancellable = cancellable };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  start (op, cancellable, cancel_in_callback, &call);
  satisfy (op);
  assert_send (finish (op, host, coproc_test_result_wait (&call.result), err));
  coproc_test_result_clear (&call.result);
  close_pair ();
}

static void
test_close_in_callback (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult first = { 0 }, second = { 0 };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  start (op, NULL, close_in_callback, &first);
  coproc_messenger_receive_async (host, "y", NULL, coproc_test_result_store, &second);
  satisfy (op);
  assert_send (finish (op, host, coproc_test_result_wait (&first), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                finish (RECEIVE, host, coproc_test_result_wait (&second), err));
  coproc_test_result_clear (&first);
  coproc_test_result_clear (&second);
  close_pair ();
}

static void
test_unref_in_callback (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);
  CoprocTestResult result = { 0 };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  start (op, NULL, unref_in_callback, &result);
  satisfy (op);
  coproc_test_result_wait (&result);
  g_assert_null (host);
  coproc_test_result_clear (&result);
  coproc_test_finalize (g_steal_pointer (&worker));
}

static void
test_close_while (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);

  for (guint by_peer = 0; by_peer <= 1; by_peer++)
    {
      CoprocTestResult result = { 0 };

      prepare (op);
      start (op, NULL, coproc_test_result_store, &result);
      g_main_context_iteration (NULL, FALSE);
      coproc_messenger_close (by_peer ? worker : host);
      assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                    finish (op, host, coproc_test_result_wait (&result), err));
      coproc_test_result_clear (&result);
      g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
      close_pair ();
    }
}

static gpointer
drop (gpointer object)
{
  g_object_unref (object);
  return NULL;
}

/* B20: the last reference is dropped with calls pending. */
static void
test_b20 (gconstpointer data)
{
  Op op = GPOINTER_TO_UINT (data);

  g_test_summary ("The last reference is dropped with calls pending, here and in another thread: "
                  "every callback runs once, in its context, with CLOSED");

  for (guint in_thread = 0; in_thread <= 1; in_thread++)
    {
      const guint n = 20;
      CoprocTestResult results[20] = { 0 };

      prepare (op);
      for (guint i = 0; i < n; i++)
        start (op, NULL, coproc_test_result_store, &results[i]);
      if (in_thread)
        g_thread_join (g_thread_new ("drop", drop, g_steal_pointer (&host)));
      else
        g_clear_object (&host);
      for (guint i = 0; i < n; i++)
        {
          GAsyncResult *result = coproc_test_result_wait (&results[i]);
          g_autoptr(GObject) source = g_async_result_get_source_object (result);

          g_assert_true (results[i].thread == g_thread_self ());
          assert_fails (COPROC_ERROR, COPROC_ERROR_CLOSED,
                        finish (op, COPROC_MESSENGER (source), result, err));
        }
      for (guint i = 0; i < n; i++)
        coproc_test_result_clear (&results[i]);
      coproc_test_finalize (g_steal_pointer (&worker));
    }
}

static void
test_timeouts (void)
{
  CoprocTestResult none = { 0 }, soon = { 0 }, call = { 0 };
  gint64 start_time = g_get_monotonic_time ();

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  coproc_messenger_receive_message_async (host, "x", 0, NULL, coproc_test_result_store, &none);
  coproc_messenger_receive_message_async (host, "x", 20000, NULL, coproc_test_result_store, &soon);
  coproc_messenger_call_async (host, text ("q"), "x", 20000, NULL, coproc_test_result_store, &call);
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                finish (RECEIVE_MESSAGE, host, coproc_test_result_wait (&none), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                finish (RECEIVE_MESSAGE, host, coproc_test_result_wait (&soon), err));
  assert_fails (COPROC_ERROR, COPROC_ERROR_TIMED_OUT,
                finish (CALL, host, coproc_test_result_wait (&call), err));
  g_assert_cmpint (g_get_monotonic_time () - start_time, >=, 20000);
  coproc_test_result_clear (&none);
  coproc_test_result_clear (&soon);
  coproc_test_result_clear (&call);
  close_pair ();
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (gconstpointer data);
  } per_op[] = {
    { "success", test_success },
    { "not-before-return", test_not_before_return },
    { "cancel-before", test_cancel_before },
    { "cancel-while", test_cancel_while },
    { "cancel-after", test_cancel_after },
    { "cancel-in-callback", test_cancel_in_callback },
    { "close-in-callback", test_close_in_callback },
    { "unref-in-callback", test_unref_in_callback },
    { "close-while", test_close_while },
    { "b20-last-reference-dropped", test_b20 },
  };

  coproc_test_init (&argc, &argv);

  for (guint i = 0; i < G_N_ELEMENTS (per_op); i++)
    for (Op op = 0; op < N_OPS; op++)
      {
        g_autofree char *path =
          g_strdup_printf ("/coproc/messenger/async/%s/%s", per_op[i].name, op_names[op]);

        coproc_test_add_data (path, GUINT_TO_POINTER (op), per_op[i].func);
      }
  coproc_test_add ("/coproc/messenger/async/timeouts", test_timeouts);

  return g_test_run ();
}
