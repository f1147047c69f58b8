/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Peers whose payloads or replies are wrong or dear (faults A6 and A8 to A11).
 */
#include "coproc-fault.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SMALL_STACK (512 * 1024) /* its frames are larger */
#else
#define SMALL_STACK (64 * 1024)
#endif

/* A6: strings inside a report. */
static void
test_report (void)
{
  const char *const texts[] = { "fffe", "c080", "eda0", "6100" };
  g_autoptr(GVariant) report
    = g_variant_ref_sink (g_variant_new ("(sis)", "no-such-domain", 7, "ab"));

  for (guint i = 0; i <= G_N_ELEMENTS (texts); i++)
    {
      const gsize size = g_variant_get_size (report);
      const guint8 *bytes = g_variant_get_data (report);
      g_autoptr(GString) script = g_string_new ("hello; read hello; frame kind=error data=hex:");
      g_autoptr(GError) error = NULL;
      gsize length = script->len;
      CoprocFaultPeer peer;

      for (gsize j = 0; j < size; j++)
        g_string_append_printf (script, "%02x", bytes[j]);
      /* The message "ab" is followed by its end and the offset of the first string's. */
      if (i < G_N_ELEMENTS (texts))
        memcpy (script->str + length + 2 * (size - 4), texts[i], 4);
      g_string_append (script, "; wait");
      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script->str);
      error = coproc_fault_receive_error (peer.messenger);
      if (i < G_N_ELEMENTS (texts))
        g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
      else
        {
          g_assert_error (error, COPROC_ERROR, COPROC_ERROR_REMOTE);
          g_assert_cmpstr (error->message, ==, "no-such-domain:7: ab");
        }
      coproc_fault_peer_close (&peer);
    }
}

/* A8: a mebibyte of zeros, or of ones, as each of these types: judged soon, never made normal. */
static gint64
judge (const char *type, const char *bytes)
{
  g_autofree char *script = g_strdup_printf (
      "read request; hello; frame kind=type type=1 data=text:%s;"
      "frame kind=norequest serial=1 type=1 data=bytes:%s*1048576; wait", type, bytes);
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GError) error = NULL;
  CoprocFaultPeer peer;
  gint64 start;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
  coproc_messenger_send_request (peer.messenger, g_variant_new_int32 (1), NULL, NULL);
  start = g_get_monotonic_time ();
  payload = coproc_messenger_receive_blocking (peer.messenger, NULL, NULL, &error);
  start = g_get_monotonic_time () - start;
  if (payload == NULL)
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  else
    g_assert_true (g_variant_is_normal_form (payload));
  g_clear_pointer (&payload, g_variant_unref);
  coproc_fault_peer_close (&peer);
  return start;
}

static void
test_costly (void)
{
  const char *const types[] = {
    "a{sv}", "as", "av", "a(aayas)", "a()", "aas", "a(ss)", "a{ss}", "ams", "aab", "ab",
    "a(sv)", "aav", "a(yv)", "ag", "ao", "a{sa{sv}}", "a(ya(ys))", "am()", "aau",
  };
  const gint64 limit = coproc_fault_limit (60000);

  for (guint i = 0; i < 2 * G_N_ELEMENTS (types); i++)
    {
      gint64 best = G_MAXINT64;

      for (guint attempt = 0; attempt < 5 && best >= limit; attempt++)
        best = MIN (best, judge (types[i / 2], i % 2 == 0 ? "0" : "1"));
      g_test_message ("%s of %s: %" G_GINT64_FORMAT " µs", types[i / 2], i % 2 == 0 ? "zeros" : "ones", best);
      g_assert_cmpint (best, <, limit);
    }
}

/* A9: a thread with a small stack judges deep payloads. */
static gpointer
receive_deep (gpointer data)
{
  static const guint depths[] = { 16, 66, 128, 129, 1000, 500000 };

  for (guint i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      g_autofree char *script = g_strdup_printf (
          "hello; read hello; frame kind=type type=1 data=text:v;"
          "frame kind=norequest serial=1 type=1 data=variants:%u; wait", depths[i]);
      g_autoptr(GVariant) payload = NULL;
      g_autoptr(GError) error = NULL;
      CoprocFaultPeer peer;

      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
      payload = coproc_messenger_receive_blocking (peer.messenger, NULL, NULL, &error);
      if (depths[i] <= 16)
        g_assert_no_error (error);
      else
        g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
      coproc_fault_peer_close (&peer);
    }
  return NULL;
}

static void
test_small_stack (void)
{
  pthread_attr_t attributes;
  pthread_t thread;

  g_assert_cmpint (pthread_attr_init (&attributes), ==, 0);
  g_assert_cmpint (pthread_attr_setstacksize (&attributes, SMALL_STACK), ==, 0);
  g_assert_cmpint (pthread_create (&thread, &attributes, receive_deep, NULL), ==, 0);
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  pthread_attr_destroy (&attributes);
}

/* --- replies --- */

#define REPLY "frame kind=reply reply=last serial=1 data=text:first;"

/* A10: the first reply counts, the second is a broken protocol and ends the worker. */
static void
test_double_reply (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_raw ();
  CoprocMessenger *messenger;
  CoprocTestResult result = { 0 };
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GError) error = NULL;

  g_assert_true (coproc_fault_start_raw (
      worker, "hello; read request;" REPLY "frame kind=reply reply=last serial=2 data=text:second; pause",
      &error));
  messenger = coproc_worker_resource_get_messenger (worker);
  coproc_messenger_call_async (messenger, g_variant_new_int32 (1), NULL, -1, NULL,
                               coproc_test_result_store, &result);
  payload = coproc_messenger_call_finish (messenger, coproc_test_result_wait (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_size (payload), ==, strlen ("first"));
  coproc_fault_await_end (worker, 0);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  coproc_test_result_clear (&result);
  coproc_fault_release (worker);
}

/* A11: a reply to what was never asked. */
static void
test_unasked_reply (gconstpointer data)
{
  CoprocFaultPeer peer;
  g_autoptr(GError) error = NULL;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, data);
  g_assert_null (coproc_messenger_call (peer.messenger, g_variant_new_int32 (1), NULL, -1, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  coproc_fault_peer_close (&peer);
}

/* A11: the reply to a call that was given up comes late: it is dropped, and the next call is served. */
static void
test_late_reply (gconstpointer data)
{
  const gboolean cancel = GPOINTER_TO_INT (data);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GError) error = NULL;
  CoprocTestResult result = { 0 };
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER,
                          "hello; read request; read cancel;" REPLY
                          "read request; frame kind=reply reply=last serial=2 data=text:second; wait");
  coproc_messenger_call_async (peer.messenger, g_variant_new_int32 (1), NULL, cancel ? -1 : 1000,
                               cancellable, coproc_test_result_store, &result);
  if (cancel)
    g_cancellable_cancel (cancellable);
  g_assert_null (coproc_messenger_call_finish (peer.messenger, coproc_test_result_wait (&result), &error));
  if (cancel)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  else
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_clear_error (&error);
  payload = coproc_messenger_call (peer.messenger, g_variant_new_int32 (2), NULL, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_size (payload), ==, strlen ("second"));
  g_assert_cmpuint (coproc_messenger_remaining (peer.messenger, NULL), ==, 0);
  coproc_test_result_clear (&result);
  coproc_fault_peer_close (&peer);
}

/* A11: calls that are never answered leave no trail behind, whether they are read at once, wait for
 * that, or are not even sent any more. */
static void
test_abandoned (void)
{
  const guint n_calls = coproc_test_scale_long (200000, 1000000);
  guint64 rss = 0;
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, "hello; wait");
  g_object_set (peer.messenger, "high-water-mark", G_GUINT64_CONSTANT (4) << 20, NULL);
  for (guint i = 0; i < n_calls; i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_null (coproc_messenger_call (peer.messenger, g_variant_new_int32 (1), NULL, 0, NULL, &error));
      g_assert_true (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT)
                     || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_LIMIT)
                     || g_error_matches (error, COPROC_ERROR, COPROC_ERROR_WOULD_BLOCK));
      if (i == n_calls / 4)
        rss = coproc_fault_get_rss ();
    }
  coproc_fault_assert_rss (rss, 6 * 1024);
  g_assert_cmpuint (coproc_messenger_remaining (peer.messenger, NULL), ==, 0);
  coproc_fault_peer_close (&peer);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/fault-payloads/A6/report", test_report);
  coproc_test_add ("/coproc/fault-payloads/A8/costly", test_costly);
  coproc_test_add ("/coproc/fault-payloads/A9/small-stack", test_small_stack);
  coproc_test_add ("/coproc/fault-payloads/A10/double-reply", test_double_reply);
  coproc_test_add_data ("/coproc/fault-payloads/A11/never-asked",
                        "hello; read hello; frame kind=reply reply=77 serial=1; wait", test_unasked_reply);
  coproc_test_add_data ("/coproc/fault-payloads/A11/never-asked-error",
                        "hello; read hello; frame kind=error-reply reply=77 serial=1 data=hex:6400000001000000650002; wait",
                        test_unasked_reply);
  coproc_test_add_data ("/coproc/fault-payloads/A11/other-channel",
                        "hello; open 1; read request; frame kind=reply reply=last channel=1 serial=1; wait",
                        test_unasked_reply);
  coproc_test_add_data ("/coproc/fault-payloads/A11/cancelled", GINT_TO_POINTER (TRUE), test_late_reply);
  coproc_test_add_data ("/coproc/fault-payloads/A11/timed-out", GINT_TO_POINTER (FALSE), test_late_reply);
  coproc_test_add ("/coproc/fault-payloads/A11/abandoned", test_abandoned);
  return g_test_run ();
}
