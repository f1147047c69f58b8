/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Asynchronous calls that meet others: on one channel, in a callback, and with the thread that
 * cancels them.
 */
#include "messenger-pair.h"

static void
test_first_come (void)
{
  CoprocTestResult results[3] = { 0 };
  const char *texts[] = { "1", "2", "3" };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < 3; i++)
    coproc_messenger_receive_async (host, "x", NULL, coproc_test_result_store, &results[i]);
  for (guint i = 0; i < 3; i++)
    send_text (worker, texts[i], "x");
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr(GVariant) payload =
        coproc_messenger_receive_finish (host, coproc_test_result_wait (&results[i]), NULL);

      assert_text (payload, texts[i]);
    }
  for (guint i = 0; i < 3; i++)
    coproc_test_result_clear (&results[i]);
  close_pair ();
}

/* B21: cancellation meets the call in each of its phases. */
typedef struct
{
  GCancellable *cancellable;
  guint delay;
} Canceller;

static gpointer
cancel_soon (gpointer data)
{
  GAsyncQueue *jobs = data;

  while (TRUE)
    {
      Canceller *job = g_async_queue_pop (jobs);

      if (job->cancellable == NULL)
        {
          g_free (job);
          return NULL;
        }
      for (guint i = 0; i < job->delay; i++)
        g_thread_yield ();
      g_cancellable_cancel (job->cancellable);
      g_object_unref (job->cancellable);
      g_free (job);
    }
}

static gpointer
echo_until_closed (gpointer data)
{
  CoprocMessenger *self = data;

  while (TRUE)
    {
      g_autoptr(CoprocMessage) request = coproc_messenger_receive_message (self, "x", -1, NULL, NULL);

      if (request == NULL)
        return NULL;
      coproc_messenger_reply (self, request, coproc_message_get_payload (request), NULL);
    }
}

static void
push_job (GAsyncQueue *jobs, GCancellable *cancellable, guint delay)
{
  Canceller *job = g_new0 (Canceller, 1);

  job->cancellable = cancellable != NULL ? g_object_ref (cancellable) : NULL;
  job->delay = delay;
  g_async_queue_push (jobs, job);
}

static void
test_b21 (void)
{
  const guint n = coproc_test_scale (100000);
  g_autoptr(GAsyncQueue) jobs = g_async_queue_new ();
  GThread *canceller, *echo;
  guint n_done = 0, n_cancelled = 0;

  g_test_summary ("Calls are cancelled by another thread before, while and after they are sent and "
                  "answered: one outcome each, nothing left outstanding");

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  canceller = g_thread_new ("cancel", cancel_soon, jobs);
  echo = g_thread_new ("echo", echo_until_closed, worker);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(GCancellable) cancellable = g_cancellable_new ();
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply = NULL;

      push_job (jobs, cancellable, g_test_rand_int_range (0, 8));
      if (i % 2 == 0)
        reply = coproc_messenger_call (host, g_variant_new_uint32 (i), "x", -1, cancellable, &error);
      else
        {
          CoprocTestResult result = { 0 };

          coproc_messenger_call_async (host, g_variant_new_uint32 (i), "x", -1, cancellable,
                                       coproc_test_result_store, &result);
          while (result.n_calls == 0)
            g_main_context_iteration (NULL, TRUE);
          reply = coproc_messenger_call_finish (host, result.result, &error);
          coproc_test_result_clear (&result);
        }
      if (reply != NULL)
        {
          g_assert_no_error (error);
          g_assert_cmpuint (g_variant_get_uint32 (reply), ==, i);
          n_done++;
        }
      else
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          n_cancelled++;
        }
    }
  g_test_message ("%u answered, %u cancelled", n_done, n_cancelled);
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  g_assert_cmpuint (coproc_messenger_queue_size (host, "x"), ==, 0);

  push_job (jobs, NULL, 0);
  g_thread_join (canceller);
  coproc_messenger_close (host);
  g_thread_join (echo);
  close_pair ();
}

/* B23: callbacks that use the messenger, also by blocking on it and by running the context again. */
typedef struct
{
  guint depth;
  guint order[11];
} Nested;

static void
go_deeper (GObject *source, GAsyncResult *result, gpointer user_data)
{
  CoprocMessenger *self = COPROC_MESSENGER (source);
  Nested *nested = user_data;
  g_autoptr(GVariant) payload = coproc_messenger_receive_finish (self, result, NULL);
  guint depth = g_variant_get_uint32 (payload);

  g_assert_cmpuint (depth, ==, nested->depth);
  nested->order[depth] = depth;
  if (depth == 10)
    return;

  nested->depth++;
  coproc_messenger_receive_async (self, "x", NULL, go_deeper, nested);
  assert_send (coproc_messenger_send_norequest (self, g_variant_new_uint32 (depth), "echo", err));
  {
    g_autoptr(GVariant) echoed = coproc_messenger_receive_blocking (worker, "echo", NULL, NULL);

    assert_send (coproc_messenger_send_norequest (
      worker, g_variant_new_uint32 (g_variant_get_uint32 (echoed) + 1), "x", err));
  }
  while (nested->order[10] != 10)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_b23 (void)
{
  Nested nested = { 0 };

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  coproc_messenger_receive_async (host, "x", NULL, go_deeper, &nested);
  assert_send (coproc_messenger_send_norequest (worker, g_variant_new_uint32 (0), "x", err));
  coproc_test_until (nested.order[10] == 10);
  for (guint i = 0; i <= 10; i++)
    g_assert_cmpuint (nested.order[i], ==, i);
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/async/first-come", test_first_come);
  coproc_test_add ("/coproc/messenger/async/b21-cancel-races", test_b21);
  coproc_test_add ("/coproc/messenger/async/b23-re-entry", test_b23);

  return g_test_run ();
}
