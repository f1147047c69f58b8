/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Those of the known defects M1 to M18 that show under load: many messages, many channels, full
 * pipes, two threads that send.
 */
#include "messenger-pair.h"

#include <string.h>

/* As many messages that are no replies as there are replies: each is found at once. */
static void
test_m4_many (gconstpointer data)
{
  const guint n = coproc_test_scale (30000);

  open_pair (GPOINTER_TO_INT (data) ? COPROC_TYPE_PRIORITY_MESSENGER : COPROC_TYPE_MULTI_MESSENGER);
  for (guint i = 0; i < n; i++)
    assert_send (coproc_messenger_send_request (host, g_variant_new_uint32 (i), "x", err));
  for (guint i = 0; i < n; i++)
    {
      send_text (worker, "progress", "x");
      answer (worker, "x", "r");
    }
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(GVariant) reply = coproc_messenger_receive_remaining (host, "x", NULL, NULL);

      assert_text (reply, "r");
    }
  g_assert_null (coproc_messenger_receive_remaining (host, "x", NULL, NULL));
  g_assert_cmpint (coproc_messenger_available (host, "x", NULL), ==, n);
  for (guint i = 0; i < n; i++)
    assert_receive (host, "x", "progress");
  close_pair ();
}

static gpointer
echo_all (gpointer data)
{
  CoprocMessenger *self = data;
  g_autoptr(GError) error = NULL;
  guintptr n = 0;

  while (TRUE)
    {
      g_autoptr(CoprocMessage) request = coproc_messenger_receive_message (self, "x", -1, NULL, &error);

      if (request == NULL)
        break;
      if (coproc_messenger_reply (self, request, coproc_message_get_payload (request), &error))
        n++;
    }
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  return (gpointer) n;
}

/* Many more requests and replies than two pipes hold, none of them read before all are sent. */
static void
test_m9 (void)
{
  const guint n = coproc_test_scale (22496);
  g_autofree guint8 *data = g_malloc0 (4096);
  GThread *echo;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (host, "max-queued-bytes", G_GUINT64_CONSTANT (256) << 20, NULL);
  echo = g_thread_new ("echo", echo_all, worker);
  for (guint i = 0; i < n; i++)
    assert_send (coproc_messenger_send_request (
      host, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 4096, 1), "x", err));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply = coproc_messenger_receive_remaining (host, "x", NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_size (reply), ==, 4096);
    }
  g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
  coproc_messenger_close (host);
  g_assert_cmpuint (GPOINTER_TO_SIZE (g_thread_join (echo)), ==, n);
  close_pair ();
}

static gpointer
flood (gpointer data)
{
  CoprocMessenger *self = data;

  for (guint i = 0;; i++)
    {
      if (i == 100 && !coproc_messenger_send_norequest (self, text ("found"), "a", NULL))
        break;
      if (!coproc_messenger_send_norequest (self, text ("flood"), "b", NULL))
        break;
    }
  return NULL;
}

static void
test_m10 (void)
{
  GThread *flooder;

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  g_object_set (worker, "send-timeout", (gint64) -1, NULL);
  flooder = g_thread_new ("flood", flood, worker);
  assert_receive (host, "a", "found");
  coproc_messenger_close (host);
  coproc_messenger_close (worker);
  g_thread_join (flooder);
  close_pair ();
}

/* A thousand channels, a thousand times: what one of them takes is bounded by max-channels. */
static void
test_m11 (void)
{
  guint64 before, after;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  for (guint round = 0; round < 3; round++)
    for (guint i = 0; i < 1000; i++)
      {
        g_autofree char *channel = g_strdup_printf ("channel %u", i);

        send_text_at (host, "one", channel, i);
        assert_receive (worker, channel, "one");
      }
  before = coproc_test_get_status ("VmRSS");
  for (guint i = 0; i < coproc_test_scale (200000); i++)
    {
      send_text_at (host, "one", "channel 1", i);
      assert_receive (worker, "channel 1", "one");
    }
  after = coproc_test_get_status ("VmRSS");
  if (coproc_test_can_measure_memory ())
    g_assert_cmpuint (after, <, before + 8 * 1024);
  close_pair ();
}

static void
test_m12 (void)
{
  const guint n = coproc_test_scale (100000);
  gint64 start;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  g_object_set (worker, "max-queued-messages", n + 1, NULL);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(CoprocMessage) message =
        coproc_message_new_full (g_variant_new_uint32 (i), "x", ((guint64) i * 7919) % n);

      assert_send (coproc_messenger_send_message (host, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                                  err));
    }
  coproc_test_until (coproc_messenger_available (worker, "x", NULL) == n);
  start = g_get_monotonic_time ();
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(CoprocMessage) message = receive_message (worker, "x");

      g_assert_cmpfloat (coproc_message_get_priority (message), ==, i);
    }
  if (!coproc_test_is_slow ())
    g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  close_pair ();
}

static gpointer
send_40_kb (gpointer data)
{
  CoprocMessenger *self = data;
  guint8 *bytes = g_malloc (40000);
  static int n_threads = 0;

  memset (bytes, 'a' + g_atomic_int_add (&n_threads, 1), 40000);
  for (guint i = 0; i < 200; i++)
    assert_send (coproc_messenger_send_bytes (self, bytes, 40000, "x", err));
  g_free (bytes);
  return NULL;
}

static void
test_m15 (void)
{
  GThread *threads[2];

  open_pair (COPROC_TYPE_MULTI_MESSENGER);
  for (guint t = 0; t < 2; t++)
    threads[t] = g_thread_new ("sender", send_40_kb, host);
  for (guint i = 0; i < 400; i++)
    {
      g_autoptr(CoprocMessage) message = receive_message (worker, "x");
      gsize size;
      const char *bytes = g_bytes_get_data (coproc_message_get_bytes (message), &size);

      g_assert_cmpuint (size, ==, 40000);
      for (gsize k = 1; k < size; k++)
        if (bytes[k] != bytes[0])
          g_error ("Two messages are mixed");
    }
  for (guint t = 0; t < 2; t++)
    g_thread_join (threads[t]);
  close_pair ();
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add_data ("/coproc/messenger/m4-many/multi", GINT_TO_POINTER (FALSE), test_m4_many);
  coproc_test_add_data ("/coproc/messenger/m4-many/priority", GINT_TO_POINTER (TRUE), test_m4_many);
  coproc_test_add ("/coproc/messenger/m9-both-pipes-full", test_m9);
  coproc_test_add ("/coproc/messenger/m10-no-starvation", test_m10);
  coproc_test_add ("/coproc/messenger/m11-bounded", test_m11);
  coproc_test_add ("/coproc/messenger/m12-100000-priorities", test_m12);
  coproc_test_add ("/coproc/messenger/m15-two-threads-send", test_m15);

  return g_test_run ();
}
