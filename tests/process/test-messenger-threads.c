/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Many threads on one messenger.
 */
#include "messenger-pair.h"

#include <string.h>

#define N_SENDERS 8
#define N_RECEIVERS 4

/* --- the crowd: 8 threads send, 4 receive --- */

typedef struct
{
  guint id;
  guint n;
  const char *channel;
  gboolean any;              /* receives from all channels */
  guint8 *seen;              /* shared: one byte for each message, written by whoever receives it */
  guint n_received;
} Member;

static gpointer
send_many (gpointer data)
{
  Member *self = data;

  for (guint i = 0; i < self->n; i++)
    assert_send (coproc_messenger_send_norequest (host, g_variant_new ("(uu)", self->id, i),
                                                  self->channel, err));
  return NULL;
}

static gpointer
receive_many (gpointer data)
{
  Member *self = data;
  gint64 last[N_SENDERS];

  memset (last, 0xff, sizeof last);
  while (TRUE)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(CoprocMessage) message = NULL;
      guint id, i;

      if (self->any)
        message = coproc_messenger_receive_any (worker, -1, NULL, &error);
      else
        message = coproc_messenger_receive_message (worker, self->channel, -1, NULL, &error);
      if (message == NULL)
        {
          g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
          return NULL;
        }
      g_variant_get (coproc_message_get_payload (message), "(uu)", &id, &i);
      g_assert_cmpuint (id, <, N_SENDERS);
      g_assert_cmpint (i, >, last[id]); /* what this thread sees of each sender is in order */
      last[id] = i;
      g_assert_cmpuint (self->seen[id * self->n + i]++, ==, 0);
      self->n_received++;
    }
}

static void
run_crowd (GType type, gboolean any)
{
  const guint n = coproc_test_scale (100000);
  static const char *channels[] = { NULL, "a", "b", "c" };
  g_autofree guint8 *seen = g_malloc0 (N_SENDERS * n);
  Member senders[N_SENDERS], receivers[N_RECEIVERS];
  GThread *sender_threads[N_SENDERS], *receiver_threads[N_RECEIVERS];
  guint n_received = 0;

  open_pair (type);
  for (guint r = 0; r < N_RECEIVERS; r++)
    {
      receivers[r] = (Member) { .n = n, .any = any, .seen = seen };
      receiver_threads[r] = g_thread_new ("receiver", receive_many, &receivers[r]);
    }
  for (guint s = 0; s < N_SENDERS; s++)
    {
      senders[s] = (Member) { .id = s, .n = n, .channel = any ? channels[s % 4] : NULL };
      sender_threads[s] = g_thread_new ("sender", send_many, &senders[s]);
    }
  for (guint s = 0; s < N_SENDERS; s++)
    g_thread_join (sender_threads[s]);
  coproc_messenger_close (host);
  for (guint r = 0; r < N_RECEIVERS; r++)
    {
      g_thread_join (receiver_threads[r]);
      n_received += receivers[r].n_received;
    }
  g_assert_cmpuint (n_received, ==, N_SENDERS * n);
  g_assert_null (memchr (seen, 0, N_SENDERS * n));
  close_pair ();
}

static void
test_crowd (void)
{
  g_test_summary ("8 threads send 100,000 messages each, 4 receive: none lost, none doubled, the order "
                  "of each sender kept");
  run_crowd (COPROC_TYPE_MULTI_MESSENGER, FALSE);
}

static void
test_crowd_by_priority (void)
{
  run_crowd (COPROC_TYPE_PRIORITY_MESSENGER, FALSE);
}

static void
test_crowd_any (void)
{
  run_crowd (COPROC_TYPE_MULTI_MESSENGER, TRUE);
}

/* --- calls from many threads, each with its own reply --- */

static gpointer
serve (gpointer data)
{
  while (TRUE)
    {
      g_autoptr(CoprocMessage) request = coproc_messenger_receive_any (worker, -1, NULL, NULL);

      if (request == NULL)
        return NULL;
      assert_send (coproc_messenger_reply (worker, request, coproc_message_get_payload (request),
                                           err));
    }
}

static gpointer
call_many (gpointer data)
{
  Member *self = data;

  for (guint i = 0; i < self->n; i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply = coproc_messenger_call (
        host, g_variant_new ("(uu)", self->id, i), self->channel, -1, NULL, &error);
      guint id, number;

      g_assert_no_error (error);
      g_variant_get (reply, "(uu)", &id, &number);
      g_assert_cmpuint (id, ==, self->id);
      g_assert_cmpuint (number, ==, i);
    }
  return NULL;
}

static void
test_calls (void)
{
  const guint n = coproc_test_scale (5000);
  static const char *channels[] = { NULL, "a", "b" };
  Member callers[N_SENDERS];
  GThread *caller_threads[N_SENDERS], *servers[2];

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  for (guint s = 0; s < 2; s++)
    servers[s] = g_thread_new ("server", serve, NULL);
  for (guint c = 0; c < N_SENDERS; c++)
    {
      callers[c] = (Member) { .id = c, .n = n, .channel = channels[c % 3] };
      caller_threads[c] = g_thread_new ("caller", call_many, &callers[c]);
    }
  for (guint c = 0; c < N_SENDERS; c++)
    g_thread_join (caller_threads[c]);
  for (guint c = 0; c < 3; c++)
    g_assert_cmpuint (coproc_messenger_remaining (host, channels[c]), ==, 0);
  coproc_messenger_close (host);
  for (guint s = 0; s < 2; s++)
    g_thread_join (servers[s]);
  close_pair ();
}

/* --- threads that wait, and what ends their wait --- */

typedef struct
{
  gboolean (*wait) (GCancellable *cancellable, GError **error);
  GCancellable *cancellable;
  GError *error;
} Waiter;

static gboolean
wait_receive (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_receive_blocking (host, "x", cancellable, error) != NULL;
}

static gboolean
wait_message (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_receive_message (host, NULL, -1, cancellable, error) != NULL;
}

static gboolean
wait_any (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_receive_any (host, -1, cancellable, error) != NULL;
}

static gboolean
wait_available (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_await_available (host, -1, cancellable, error);
}

static gboolean
wait_call (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_call (host, text ("q"), "call", -1, cancellable, error) != NULL;
}

static gboolean
wait_remaining (GCancellable *cancellable, GError **error)
{
  return coproc_messenger_receive_remaining (host, "remaining", cancellable, error) != NULL;
}

static gpointer
run_waiter (gpointer data)
{
  Waiter *self = data;

  g_assert_false (self->wait (self->cancellable, &self->error));
  return NULL;
}

typedef enum
{
  CANCEL,
  CLOSE_HERE,
  CLOSE_THERE,
} Ending;

static void
test_waiting (gconstpointer data)
{
  Ending ending = GPOINTER_TO_UINT (data);
  gboolean (*const waits[]) (GCancellable *, GError **) = {
    wait_receive, wait_message, wait_any, wait_available, wait_call, wait_remaining,
  };
  Waiter waiters[G_N_ELEMENTS (waits)] = { 0 };
  GThread *threads[G_N_ELEMENTS (waits)];
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();

  for (guint round = 0; round < 20; round++)
    {
      open_pair (COPROC_TYPE_MULTI_MESSENGER);
      assert_send (coproc_messenger_send_request (host, text ("q"), "remaining", err));
      for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
        {
          waiters[i] = (Waiter) { .wait = waits[i], .cancellable = cancellable };
          threads[i] = g_thread_new ("waiter", run_waiter, &waiters[i]);
        }
      /* the call's request shows that at least this one has begun; the others may come too late */
      coproc_test_until (coproc_messenger_requests_sent (host, "call") == 1);
      for (guint i = 0; i < round; i++)
        g_thread_yield ();

      if (ending == CANCEL)
        g_cancellable_cancel (cancellable);
      else
        coproc_messenger_close (ending == CLOSE_HERE ? host : worker);
      for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
        {
          g_thread_join (threads[i]);
          if (ending == CANCEL)
            g_assert_error (waiters[i].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          else
            g_assert_error (waiters[i].error, COPROC_ERROR, COPROC_ERROR_CLOSED);
          g_clear_error (&waiters[i].error);
        }
      g_assert_cmpuint (coproc_messenger_remaining (host, "call"), ==, 0);
      g_assert_cmpuint (coproc_messenger_remaining (host, "remaining"), ==,
                        ending == CANCEL ? 1 : 0);
      g_cancellable_reset (cancellable);
      close_pair ();
    }
}

/* A send that waits for room is ended by close(), and by the peer's. */
static gpointer
send_until_closed (gpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (65536);
  g_autoptr(GError) error = NULL;

  while (coproc_messenger_send_bytes (host, bytes, 65536, NULL, &error))
    ;
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  return NULL;
}

static void
test_waiting_send (gconstpointer data)
{
  Ending ending = GPOINTER_TO_UINT (data);
  GThread *senders[3];
  guint64 n_sent;
  guint n_equal = 0;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "max-queued-bytes", G_GUINT64_CONSTANT (1) << 20, NULL);
  g_object_set (host, "high-water-mark", G_GUINT64_CONSTANT (1) << 20, "send-timeout", (gint64) -1,
                NULL);
  for (guint i = 0; i < 3; i++)
    senders[i] = g_thread_new ("sender", send_until_closed, NULL);
  n_sent = 0;
  while (n_equal < 20)
    {
      guint64 n = coproc_messenger_messages_sent (host, NULL);

      n_equal = n == n_sent && n > 0 ? n_equal + 1 : 0;
      n_sent = n;
      coproc_test_turn (G_MAXINT64, "");
    }
  coproc_messenger_close (ending == CLOSE_HERE ? host : worker);
  for (guint i = 0; i < 3; i++)
    g_thread_join (senders[i]);
  close_pair ();
}

/* Threads that receive do not keep each other from their channels. */
static gpointer
take_turns (gpointer data)
{
  const char *channel = data;
  g_autofree char *peer_channel = g_strdup_printf ("to %s", channel);

  for (guint i = 0; i < coproc_test_scale_long (5000, 50000); i++)
    {
      assert_send (coproc_messenger_send_norequest (worker, g_variant_new_uint32 (i), peer_channel,
                                                    err));
      {
        g_autoptr(GVariant) payload =
          coproc_messenger_receive_blocking (host, peer_channel, NULL, NULL);

        g_assert_cmpuint (g_variant_get_uint32 (payload), ==, i);
      }
    }
  return NULL;
}

static void
test_channels (void)
{
  static char channels[][2] = { "a", "b", "c", "d" };
  GThread *threads[G_N_ELEMENTS (channels)];

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < G_N_ELEMENTS (channels); i++)
    threads[i] = g_thread_new ("turns", take_turns, channels[i]);
  for (guint i = 0; i < G_N_ELEMENTS (channels); i++)
    g_thread_join (threads[i]);
  close_pair ();
}

/* Many pairs that come and go in several threads: the shared background thread comes and goes, too. */
static gpointer
open_and_close (gpointer data)
{
  for (guint i = 0; i < coproc_test_scale_long (300, 3000); i++)
    {
      CoprocMessenger *one, *other;

      coproc_test_new_pair (COPROC_TYPE_MULTI_MESSENGER, &one, &other);
      send_text (one, "m", NULL);
      assert_receive (other, NULL, "m");
      if (i % 3 == 0)
        coproc_messenger_close (one);
      g_object_unref (one);
      g_object_unref (other);
    }
  return NULL;
}

static void
test_many_pairs (void)
{
  GThread *threads[4];

  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("pairs", open_and_close, NULL);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/messenger/threads/crowd", test_crowd);
  coproc_test_add ("/coproc/messenger/threads/crowd-by-priority", test_crowd_by_priority);
  coproc_test_add ("/coproc/messenger/threads/crowd-any", test_crowd_any);
  coproc_test_add ("/coproc/messenger/threads/calls", test_calls);
  coproc_test_add ("/coproc/messenger/threads/channels", test_channels);
  coproc_test_add ("/coproc/messenger/threads/many-pairs", test_many_pairs);
  coproc_test_add_data ("/coproc/messenger/threads/cancel-waiting", GUINT_TO_POINTER (CANCEL),
                        test_waiting);
  coproc_test_add_data ("/coproc/messenger/threads/close-while-waiting",
                        GUINT_TO_POINTER (CLOSE_HERE), test_waiting);
  coproc_test_add_data ("/coproc/messenger/threads/closed-while-waiting",
                        GUINT_TO_POINTER (CLOSE_THERE), test_waiting);
  coproc_test_add_data ("/coproc/messenger/threads/close-while-sending",
                        GUINT_TO_POINTER (CLOSE_HERE), test_waiting_send);
  coproc_test_add_data ("/coproc/messenger/threads/closed-while-sending",
                        GUINT_TO_POINTER (CLOSE_THERE), test_waiting_send);

  return g_test_run ();
}
