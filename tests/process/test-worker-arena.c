/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Large payloads between a host and its workers: through blocks of shared memory, or, with
 * COPROC_TEST_TRANSPORT=pipe, as without them.
 */
#include "worker-util.h"

#include <signal.h>
#include <string.h>

#define KIB ((gsize) 1024)
#define MIB (KIB * 1024)

static gboolean
has_arena (void)
{
  return coproc_test_get_transport () != COPROC_TRANSPORT_PIPE;
}

static CoprocWorkerResource *
new_echo (CoprocMessenger **messenger)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  coproc_fault_start (worker, NULL);
  *messenger = coproc_worker_resource_get_messenger (worker);
  return worker;
}

/* Whether @data is in memory that is shared with a worker. */
static gboolean
is_shared (gconstpointer data)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      guint64 from, to;

      if (strstr (lines[i], "/memfd:coproc") == NULL)
        continue;
      from = g_ascii_strtoull (lines[i], NULL, 16);
      to = g_ascii_strtoull (strchr (lines[i], '-') + 1, NULL, 16);
      if ((guintptr) data >= from && (guintptr) data < to)
        return TRUE;
    }
  return FALSE;
}

static void
fill (guint8 *data, gsize size, guint seed)
{
  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) ((i * 31 >> 3) + seed);
}

static void
assert_filled (GBytes *bytes, gsize size, guint seed)
{
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  gsize n_wrong = 0;

  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  for (gsize i = 0; i < size; i++)
    n_wrong += data[i] != (guint8) ((i * 31 >> 3) + seed);
  g_assert_cmpuint (n_wrong, ==, 0);
}

static void
send_bytes (CoprocMessenger *messenger, GBytes *bytes, CoprocMessageKind kind)
{
  g_autoptr (CoprocMessage) message = coproc_message_new_bytes (bytes);
  g_autoptr (GError) error = NULL;

  coproc_messenger_send_message (messenger, message, kind, NULL, &error);
  g_assert_no_error (error);
}

static GBytes *
alloc_filled (CoprocMessenger *messenger, gsize size, guint seed)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes = coproc_messenger_alloc_bytes (messenger, size, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  fill ((guint8 *) g_bytes_get_data (bytes, NULL), size, seed);
  return bytes;
}

static CoprocMessage *
receive_reply (CoprocMessenger *messenger)
{
  g_autoptr (GError) error = NULL;
  CoprocMessage *reply = coproc_messenger_receive_message (messenger, NULL, 60 * G_USEC_PER_SEC, NULL, &error);

  g_assert_no_error (error);
  return reply;
}

/* Of each size, from memory of either sort, there and back. */
static void
test_sizes (void)
{
  static const gsize sizes[] = { 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB, MIB + 1, 16 * MIB };
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker = new_echo (&messenger);

  for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++)
    {
      const gsize size = sizes[i / 2];
      const gboolean shares = has_arena () && size >= 64 * KIB;
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (CoprocMessage) reply = NULL;

      if (i % 2 == 0)
        {
          guint8 *data = g_malloc (size);

          fill (data, size, i);
          bytes = g_bytes_new_take (data, size);
        }
      else
        bytes = alloc_filled (messenger, size, i);
      g_assert_cmpint (is_shared (g_bytes_get_data (bytes, NULL)), ==, i % 2 == 1 && shares);
      send_bytes (messenger, bytes, COPROC_MESSAGE_KIND_REQUEST);
      reply = receive_reply (messenger);
      assert_filled (coproc_message_get_bytes (reply), size, i);
      g_assert_cmpint (is_shared (g_bytes_get_data (coproc_message_get_bytes (reply), NULL)), ==, shares);
    }
  coproc_fault_release (worker);
}

/* Small messages do not overtake large ones. */
static void
test_order (void)
{
  const guint n = coproc_test_scale (300);
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker = new_echo (&messenger);

  g_object_set (messenger, "max-queued-bytes", (guint64) 256 * MIB, NULL);
  for (guint i = 0; i < n; i++)
    {
      const gsize size = i % 3 == 0 ? 100 * KIB : i % 3 == 1 ? 8 : 70 * KIB;
      g_autoptr (GBytes) bytes = alloc_filled (messenger, size, i);

      send_bytes (messenger, bytes, COPROC_MESSAGE_KIND_REQUEST);
    }
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (CoprocMessage) reply = receive_reply (messenger);

      assert_filled (coproc_message_get_bytes (reply),
                     i % 3 == 0 ? 100 * KIB : i % 3 == 1 ? 8 : 70 * KIB, i);
    }
  coproc_fault_release (worker);
}

/* Who keeps everything gets everything: beyond the limit of the arena the stream does it. */
static void
test_all_kept (void)
{
  const guint n = coproc_test_scale (150);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) coproc_message_unref);
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker = new_echo (&messenger);
  guint n_shared = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GBytes) bytes = alloc_filled (messenger, MIB, i);

      send_bytes (messenger, bytes, COPROC_MESSAGE_KIND_REQUEST);
      g_ptr_array_add (kept, receive_reply (messenger));
    }
  for (guint i = 0; i < n; i++)
    {
      GBytes *bytes = coproc_message_get_bytes (kept->pdata[i]);

      assert_filled (bytes, MIB, i);
      n_shared += is_shared (g_bytes_get_data (bytes, NULL));
    }
  g_assert_cmpuint (n_shared, <=, 64);
  g_assert_cmpint (n_shared > 0, ==, has_arena ());
  coproc_fault_release (worker);
}

/* The same few blocks are used again and again. */
static void
test_reused (void)
{
  const guint n = coproc_test_scale (2000);
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker = new_echo (&messenger);
  guint64 rss = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GBytes) bytes = coproc_messenger_alloc_bytes (messenger, MIB, NULL);
      g_autoptr (CoprocMessage) reply = NULL;

      memset ((gpointer) g_bytes_get_data (bytes, NULL), (int) i, MIB);
      send_bytes (messenger, bytes, COPROC_MESSAGE_KIND_REQUEST);
      reply = receive_reply (messenger);
      g_assert_cmpuint (((const guint8 *) g_bytes_get_data (coproc_message_get_bytes (reply), NULL))[MIB - 1], ==,
                        (guint8) i);
      if (i == n / 10)
        rss = coproc_fault_get_rss ();
    }
  coproc_fault_assert_rss (rss, 32 * 1024);
  coproc_fault_release (worker);
}

/* A worker is killed at any time, with blocks of either side out: what this side has it can still read, and
 * nothing is left of it afterwards. */
static void
test_killed (void)
{
  const guint n = coproc_test_scale_long (60, 1000);
  guint64 rss = 0;
  guint n_fds = 0;

  for (guint i = 0; i < n; i++)
    {
      CoprocMessenger *messenger;
      CoprocWorkerResource *worker = new_echo (&messenger);
      g_autoptr (GBytes) mine = alloc_filled (messenger, MIB, i);
      g_autoptr (CoprocMessage) reply = NULL;
      g_autoptr (GBytes) late = NULL;

      send_bytes (messenger, mine, COPROC_MESSAGE_KIND_REQUEST);
      reply = receive_reply (messenger);
      for (guint j = 0; j < 8; j++)
        send_bytes (messenger, mine, COPROC_MESSAGE_KIND_REQUEST);
      if (i % 2 == 0)
        g_usleep ((gulong) g_random_int_range (0, 500)); /* a moment that nobody chose, nothing is waited for */
      g_assert_cmpint (kill (coproc_worker_resource_get_pid (worker), SIGKILL), ==, 0);
      coproc_fault_await_end (worker, 60000);
      late = coproc_messenger_alloc_bytes (messenger, MIB, NULL);
      g_assert_nonnull (late);
      coproc_fault_release (worker);
      assert_filled (coproc_message_get_bytes (reply), MIB, i);
      assert_filled (mine, MIB, i);
      if (i == n / 4)
        {
          rss = coproc_fault_get_rss ();
          n_fds = coproc_test_count_fds ();
        }
    }
  g_assert_cmpuint (coproc_test_count_fds (), <=, n_fds + 2); /* the last one's may be about to go */
  coproc_fault_assert_rss (rss, 24 * 1024);
}

/* What a worker sends is out of its reach when it is received, for those who want that. */
static void
test_copied_payloads (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;
  gboolean copied;

  g_object_get (worker, "copied-payloads", &copied, NULL);
  g_assert_false (copied);
  g_object_set (worker, "copied-payloads", TRUE, NULL);
  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (GBytes) bytes = alloc_filled (messenger, MIB, i);
      g_autoptr (CoprocMessage) reply = NULL;

      send_bytes (messenger, bytes, COPROC_MESSAGE_KIND_REQUEST);
      reply = receive_reply (messenger);
      g_assert_false (is_shared (g_bytes_get_data (coproc_message_get_bytes (reply), NULL)));
      assert_filled (coproc_message_get_bytes (reply), MIB, i);
    }
  coproc_fault_release (worker);
}

/* Bytes of one connection may be sent on another, and back where they came from: copied. */
static void
test_forwarded (void)
{
  CoprocMessenger *one, *other;
  CoprocWorkerResource *first = new_echo (&one), *second = new_echo (&other);
  g_autoptr (GBytes) bytes = alloc_filled (one, MIB, 5);

  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (CoprocMessage) reply = NULL;

      send_bytes (i % 2 == 0 ? one : other, bytes, COPROC_MESSAGE_KIND_REQUEST);
      reply = receive_reply (i % 2 == 0 ? one : other);
      assert_filled (coproc_message_get_bytes (reply), MIB, 5);
      g_bytes_unref (bytes);
      bytes = g_bytes_ref (coproc_message_get_bytes (reply));
    }
  coproc_fault_release (first);
  coproc_fault_release (second);
  assert_filled (bytes, MIB, 5);
}

/* Several payloads at once that nobody else holds, large and small ones. */
static void
test_multiple (void)
{
  static const gsize sizes[] = { 100, 64 * KIB, MIB, 64 * KIB - 1 };
  GVariant *payloads[G_N_ELEMENTS (sizes)];
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker = new_echo (&messenger);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      guint8 *data = g_malloc (sizes[i]);

      fill (data, sizes[i], i);
      payloads[i] = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, sizes[i], TRUE, g_free, data);
    }
  coproc_messenger_send_request_multiple (messenger, payloads, G_N_ELEMENTS (sizes), NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (CoprocMessage) reply = receive_reply (messenger);

      assert_filled (coproc_message_get_bytes (reply), sizes[i], i);
    }
  coproc_fault_release (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/worker-arena/sizes", test_sizes);
  coproc_test_add ("/coproc/worker-arena/order", test_order);
  coproc_test_add ("/coproc/worker-arena/all-kept", test_all_kept);
  coproc_test_add ("/coproc/worker-arena/reused", test_reused);
  coproc_test_add ("/coproc/worker-arena/killed", test_killed);
  coproc_test_add ("/coproc/worker-arena/copied-payloads", test_copied_payloads);
  coproc_test_add ("/coproc/worker-arena/forwarded", test_forwarded);
  coproc_test_add ("/coproc/worker-arena/multiple", test_multiple);
  return g_test_run ();
}
