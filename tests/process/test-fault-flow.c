/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that send too much, read nothing, or close what they need (faults A13, A16 to A19, A24).
 */
#include "coproc-fault.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define MIB (1024 * 1024)
#define MAX_PINGS_PER_MS 200

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const gint64 *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

/* The time in µs that all but one in a hundred kept to. */
static gint64
get_p99 (GArray *times)
{
  g_array_sort (times, compare_times);
  return g_array_index (times, gint64, times->len * 99 / 100);
}

/* How long, in ms, a test watches that nothing changes. */
static guint
get_watch_ms (void)
{
  return g_test_slow () ? 10000 : 1000;
}

/* A13: the host does not read. It takes in what its limit allows, and then the pipe holds the worker;
 * another worker is served as ever. */
static void
test_flood (gconstpointer data)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocWorkerResource *other = coproc_fault_new_hostile ();
  g_autoptr(GArray) times = g_array_new (FALSE, TRUE, sizeof (gint64));
  CoprocMessenger *messenger;
  g_autoptr(GError) error = NULL;
  guint max_messages, n_times;
  guint64 rss;
  gint64 end;

  coproc_fault_start (other, NULL);
  coproc_fault_start (worker, "flood");
  messenger = coproc_worker_resource_get_messenger (worker);
  g_object_get (messenger, "max-queued-messages", &max_messages, NULL);
  coproc_test_until (coproc_messenger_available (messenger, "flood", NULL) >= max_messages);

  /* room for them, so that what is measured below is not this */
  n_times = (guint) get_watch_ms () * MAX_PINGS_PER_MS;
  g_array_set_size (times, n_times);
  g_array_set_size (times, 0);
  rss = coproc_fault_get_rss ();
  end = coproc_test_deadline (get_watch_ms ());
  while (g_get_monotonic_time () < end)
    {
      gint64 start = g_get_monotonic_time ();

      coproc_fault_ping (other);
      start = g_get_monotonic_time () - start;
      if (times->len < n_times)
        g_array_append_val (times, start);
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (coproc_messenger_available (messenger, "flood", &error), <=, 2 * max_messages);
  g_assert_no_error (error);
  coproc_fault_assert_rss (rss, 1024);
  g_test_message ("p99 of a ping: %" G_GINT64_FORMAT " µs", get_p99 (times));
  g_assert_cmpint (get_p99 (times), <, coproc_fault_limit (20000));

  /* Once it reads, the flood goes on. */
  for (guint i = 0; i < 3 * max_messages; i++)
    {
      g_autoptr(GVariant) payload
        = coproc_messenger_receive_blocking (messenger, "flood", NULL, &error);

      g_assert_nonnull (payload);
      g_assert_no_error (error);
    }
  coproc_fault_release (worker);
  coproc_fault_release (other);
}

/* --- A16: the worker never reads --- */

typedef struct
{
  CoprocMessenger *messenger;
  CoprocMessage *message;
  guint n_done;
  guint n_wanted;
  GError *error; /* (nullable) (owned) what the last send failed with */
} Sender;

static void send_next (Sender *sender);

static void
on_sent (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Sender *sender = user_data;

  g_assert_null (sender->error);
  if (!coproc_messenger_send_message_finish (sender->messenger, result, &sender->error))
    return;
  sender->n_done++;
  if (sender->n_done < sender->n_wanted)
    send_next (sender);
}

static void
send_next (Sender *sender)
{
  coproc_messenger_send_message_async (sender->messenger, sender->message,
                                       COPROC_MESSAGE_KIND_NOREQUEST, NULL, on_sent, sender);
}

/* Turns the main loop until no more is sent for a while; *times: how long each turn took. */
static void
turn_until_stuck (Sender *sender, GArray *times)
{
  const gint64 patience = (gint64) get_watch_ms () * 500;
  gint64 changed = g_get_monotonic_time ();
  guint n_done = 0;

  while (sender->n_done < sender->n_wanted && g_get_monotonic_time () < changed + patience)
    {
      gint64 start = g_get_monotonic_time ();

      if (g_main_context_iteration (NULL, FALSE))
        {
          gint64 taken = g_get_monotonic_time () - start;

          g_array_append_val (times, taken);
        }
      if (sender->n_done != n_done)
        {
          n_done = sender->n_done;
          changed = start;
        }
    }
}

static void
test_deaf (gconstpointer data)
{
  g_autofree guint8 *block = g_malloc0 (65536);
  g_autoptr(GBytes) bytes = g_bytes_new (block, 65536);
  g_autoptr(CoprocMessage) message = coproc_message_new_bytes (bytes);
  g_autoptr(GArray) times = g_array_new (FALSE, FALSE, sizeof (gint64));
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  Sender sender = { .message = message, .n_wanted = 1024 * MIB / 65536 };
  g_autoptr(GError) error = NULL;
  gint64 start;
  guint64 rss;

  coproc_fault_start (worker, "deaf");
  sender.messenger = coproc_worker_resource_get_messenger (worker);
  g_object_set (sender.messenger, "high-water-mark", (guint64) 4 * MIB, NULL);
  rss = coproc_fault_get_rss ();
  send_next (&sender);
  turn_until_stuck (&sender, times);
  g_test_message ("%u of %u pieces sent, p99 of a turn: %" G_GINT64_FORMAT " µs", sender.n_done,
                  sender.n_wanted, get_p99 (times));
  g_assert_cmpuint (sender.n_done, <, sender.n_wanted);
  /* the high-water mark, and what may be lent of shared memory */
  coproc_fault_assert_rss (rss, (4 + 16 + 64) * 1024);
  g_assert_cmpint (get_p99 (times), <, coproc_fault_limit (10000));

  /* The same of a send that would have to wait. */
  g_object_set (sender.messenger, "send-timeout", (gint64) 0, NULL);
  start = g_get_monotonic_time ();
  g_assert_false (coproc_messenger_send_bytes (sender.messenger, block, 65536, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK);
  g_clear_error (&error);
  g_object_set (sender.messenger, "send-timeout", (gint64) 50000, NULL);
  g_assert_false (coproc_messenger_send_bytes (sender.messenger, block, 65536, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 50000);
  g_assert_null (sender.error);

  /* The send that still waits ends with the worker, once. */
  g_assert_true (coproc_worker_resource_stop (worker, 0, NULL));
  coproc_test_until (sender.error != NULL);
  g_assert_true (sender.error->domain == COPROC_ERROR);
  g_error_free (sender.error);
  coproc_fault_release (worker);
}

/* A17: both directions full. 64 MiB of requests go out before any reply is read. */
static void
test_both_full (void)
{
  const guint n_requests = coproc_test_scale (64 * MIB / 4096);
  g_autofree guint8 *block = g_malloc0 (4096);
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, block, 4096, 1));
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  g_autoptr(GError) error = NULL;
  guint n_replies = 0;
  GVariant *reply;

  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  g_object_set (messenger, "max-queued-bytes", (guint64) 128 * MIB, NULL);
  for (guint i = 0; i < n_requests; i++)
    {
      coproc_messenger_send_request (messenger, payload, "work", &error);
      g_assert_no_error (error);
    }
  while ((reply = coproc_messenger_receive_remaining (messenger, "work", NULL, &error)) != NULL)
    {
      g_assert_cmpuint (g_variant_get_size (reply), ==, 4096);
      g_variant_unref (reply);
      n_replies++;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_replies, ==, n_requests);
  coproc_fault_release (worker);
}

/* --- A18, A19: pipes that are closed --- */

static void
assert_ended (const GError *error)
{
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_true (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSED)
                 || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED));
}

/* SIGPIPE has its default here: if one is raised, this is the end of the program. */
static void
assert_sigpipe_default (void)
{
  struct sigaction action;

  g_assert_cmpint (sigaction (SIGPIPE, NULL, &action), ==, 0);
  g_assert_true (action.sa_handler == SIG_DFL);
}

/* What came before is delivered, then the end is told, and the worker is done with. */
static void
test_close_out (gconstpointer data)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GError) error = NULL;

  assert_sigpipe_default ();
  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  coproc_messenger_send_request (messenger, g_variant_new_string ("reply 5000; close out; pause"), "do", &error);
  g_assert_no_error (error);
  payload = coproc_messenger_receive_blocking (messenger, "do", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_size (payload), ==, 5000);
  error = coproc_fault_receive_error (messenger);
  assert_ended (error);
  coproc_fault_await_end (worker, 1000);
  coproc_fault_release (worker);
}

/* Sends fail before long; they raise no signal. */
static void
test_close_in (gconstpointer data)
{
  const guint8 block[1024] = { 0 };
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  g_autoptr(GError) error = NULL;
  gint64 deadline = coproc_test_deadline (30000);

  assert_sigpipe_default ();
  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  g_object_set (messenger, "send-timeout", (gint64) 10000, NULL);
  coproc_fault_order (worker, "close in; pause");
  while (error == NULL || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
    {
      g_clear_error (&error);
      coproc_messenger_send_bytes (messenger, block, sizeof block, NULL, &error);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  assert_ended (error);
  coproc_fault_await_end (worker, 1000);
  coproc_fault_release (worker);
}

/* The same without a process to watch: only the pipes tell. */
static void
test_close_peer (gconstpointer data)
{
  const char *script = data;
  const guint8 block[1024] = { 0 };
  g_autoptr(GError) error = NULL;
  gint64 deadline = coproc_test_deadline (30000);
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
  g_object_set (peer.messenger, "send-timeout", (gint64) 10000, NULL);
  while (error == NULL || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
    {
      g_clear_error (&error);
      coproc_messenger_send_bytes (peer.messenger, block, sizeof block, NULL, &error);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  assert_ended (error);
  coproc_fault_peer_close (&peer);
}

/* A19: cut off, but alive; it ignores SIGTERM, too. */
static void
test_close_both (gconstpointer data)
{
  const char *instruction = data;
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  g_autoptr(GError) error = NULL;

  coproc_fault_start (worker, instruction);
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  assert_ended (error);
  coproc_fault_await_end (worker, 2000);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), !=, 0);
  coproc_fault_release (worker);
}

static CoprocWorkerState
get_state (CoprocWorkerResource *worker)
{
  CoprocWorkerState state;

  g_object_get (worker, "state", &state, NULL);
  return state;
}

/* The connection has ended, and nobody knows why before the worker has been ended: a call that comes
 * in between is told the reason, too. */
static void
test_call_while_ending (gconstpointer data)
{
  const gboolean async = GPOINTER_TO_INT (data);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  CoprocTestResult result = { 0 };
  g_autoptr(GError) error = NULL;
  GPid pid;

  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  pid = coproc_worker_resource_get_pid (worker);
  coproc_fault_order (worker, "close both; pause");
  coproc_test_until (get_state (worker) != COPROC_WORKER_STATE_RUNNING);
  g_assert_true (coproc_worker_resource_is_alive (worker));

  if (async)
    {
      coproc_messenger_call_async (messenger, g_variant_new_int32 (1), NULL, -1, NULL,
                                   coproc_test_result_store, &result);
      g_assert_null (coproc_messenger_call_finish (messenger, coproc_test_result_wait (&result), &error));
      coproc_test_result_clear (&result);
    }
  else
    g_assert_null (coproc_messenger_call (messenger, g_variant_new_int32 (1), NULL, -1, NULL, &error));
  coproc_fault_assert_died (error, pid, "signal TERM");
  coproc_fault_release (worker);
}

/* A24: as much as it likes, on the protocol's or its own account: the second time no memory is added
 * to what the first has cost. */
static void
test_spam (gconstpointer data)
{
  const guint64 n_bytes = (guint64) (g_test_slow () ? 512 : coproc_test_scale (64)) * MIB;
  g_autofree char *order = g_strdup_printf ("%s %" G_GUINT64_FORMAT, (const char *) data, n_bytes);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  g_autoptr(GError) error = NULL;
  guint64 start, rss;
  GPid pid;

  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  messenger = coproc_worker_resource_get_messenger (worker);
  pid = coproc_worker_resource_get_pid (worker);
  start = coproc_fault_get_rss ();
  coproc_fault_order (worker, order);
  coproc_fault_ping (worker);
  rss = coproc_fault_get_rss ();
  coproc_fault_assert_rss (start, 24 * 1024);
  coproc_fault_order (worker, order);
  coproc_fault_ping (worker);
  coproc_fault_assert_rss (rss, 4096);

  /* What is kept of it is bounded, and a text. */
  g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("exit 3"), "do", -1, NULL, &error));
  coproc_fault_assert_died (error, pid, "exit code 3");
  g_assert_cmpuint (strlen (error->message), <, 256 * 1024);
  coproc_fault_release (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add_for_processes ("/coproc/fault-flow/A13/flood", NULL, test_flood);
  coproc_test_add_for_processes ("/coproc/fault-flow/A16/deaf", NULL, test_deaf);
  coproc_test_add ("/coproc/fault-flow/A17/both-full", test_both_full);
  coproc_test_add_for_processes ("/coproc/fault-flow/A18/close-out", NULL, test_close_out);
  coproc_test_add_for_processes ("/coproc/fault-flow/A18/close-in", NULL, test_close_in);
  coproc_test_add_for_processes ("/coproc/fault-flow/A18/peer-close-in", "hello; close in; pause", test_close_peer);
  coproc_test_add_for_processes ("/coproc/fault-flow/A18/peer-close-out", "hello; close out; pause", test_close_peer);
  coproc_test_add_for_processes ("/coproc/fault-flow/A18/peer-close-both", "hello; close in; close out; pause", test_close_peer);
  coproc_test_add_for_processes ("/coproc/fault-flow/A19/close-both", "close both; pause", test_close_both);
  coproc_test_add_for_processes ("/coproc/fault-flow/A19/close-both-deaf", "ignore_term; close both; busy", test_close_both);
  coproc_test_add_for_processes ("/coproc/fault-flow/A19/call", GINT_TO_POINTER (FALSE), test_call_while_ending);
  coproc_test_add_for_processes ("/coproc/fault-flow/A19/call-async", GINT_TO_POINTER (TRUE), test_call_while_ending);
  coproc_test_add_for_processes ("/coproc/fault-flow/A24/stdout", "spam stdout", test_spam);
  coproc_test_add_for_processes ("/coproc/fault-flow/A24/stderr", "spam stderr", test_spam);
  return g_test_run ();
}
