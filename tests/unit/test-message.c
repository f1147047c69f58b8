/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-message-private.h"

#include <math.h>
#include <string.h>

#include "messenger/coproc-channel-private.h"

/* A message received with @size raw bytes, each of them 'x'; in a slab of its own when large. */
static CoprocMessage *
receive_raw (gsize size)
{
  g_autoptr(CoprocSlab) slab = coproc_slab_new (MAX (size, 16));
  CoprocFrame frame = {
    .kind = COPROC_FRAME_NOREQUEST,
    .priority = INFINITY,
    .type = G_VARIANT_TYPE_BYTESTRING,
    .data = slab->data,
    .size = size,
    .slab = slab,
  };

  memset (slab->data, 'x', size);
  return coproc_message_new_from_frame (NULL, &frame, NULL);
}

static void
assert_filled (gconstpointer data, gsize size, gsize expected_size)
{
  const char *bytes = data;

  g_assert_cmpuint (size, ==, expected_size);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpint (bytes[i], ==, 'x');
}

static void
test_new (void)
{
  g_autoptr(CoprocMessage) message = coproc_message_new (g_variant_new_string ("text"));
  GVariant *payload = coproc_message_get_payload (message);

  g_assert_false (g_variant_is_floating (payload));
  g_assert_cmpstr (g_variant_get_string (payload, NULL), ==, "text");
  g_assert_true (coproc_message_get_payload (message) == payload);
  g_assert_null (coproc_message_get_bytes (message));
  g_assert_null (coproc_message_get_channel (message));
  g_assert_cmpfloat (coproc_message_get_priority (message), ==, INFINITY);
  g_assert_false (message->explicit_priority);
  g_assert_cmpint (coproc_message_get_kind (message), ==, COPROC_MESSAGE_KIND_NOREQUEST);
  g_assert_cmpuint (coproc_message_get_serial (message), ==, 0);
  g_assert_cmpuint (coproc_message_get_reply_serial (message), ==, 0);
  g_assert_cmpuint (message->size, ==, 5);
}

static void
test_new_shares_payload (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_uint32 (7));
  CoprocMessage *message = coproc_message_new (payload);

  g_assert_true (coproc_message_get_payload (message) == payload);
  coproc_message_unref (message);
  g_assert_cmpuint (g_variant_get_uint32 (payload), ==, 7);
}

static void
test_new_bytes (void)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static ("raw bytes", 9);
  g_autoptr(CoprocMessage) message = coproc_message_new_bytes (bytes);
  GVariant *payload;

  g_assert_true (coproc_message_get_bytes (message) == bytes);
  payload = coproc_message_get_payload (message);
  g_assert_cmpstr (g_variant_get_type_string (payload), ==, "ay");
  g_assert_true (g_variant_get_data (payload) == g_bytes_get_data (bytes, NULL));
  g_assert_cmpuint (g_variant_get_size (payload), ==, 9);
  g_assert_cmpuint (message->size, ==, 9);
  g_assert_false (message->explicit_priority);
}

static void
test_new_bytes_empty (void)
{
  g_autoptr(GBytes) bytes = g_bytes_new (NULL, 0);
  g_autoptr(CoprocMessage) message = coproc_message_new_bytes (bytes);
  g_autoptr(GVariant) payload = coproc_message_dup_payload (message);

  g_assert_true (coproc_message_get_bytes (message) == bytes);
  g_assert_cmpuint (g_variant_n_children (payload), ==, 0);
}

static void
test_new_full (void)
{
  const double priorities[] = { 0.0, -0.0, -1.5, 1e308, INFINITY, -INFINITY, NAN };

  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      g_autoptr(CoprocMessage) message =
        coproc_message_new_full (g_variant_new_boolean (TRUE), "news", priorities[i]);
      double priority = coproc_message_get_priority (message);

      g_assert_true (memcmp (&priority, &priorities[i], sizeof priority) == 0);
      g_assert_true (message->explicit_priority);
      g_assert_cmpstr (coproc_message_get_channel (message), ==, "news");
    }
}

static void
test_new_full_copies_channel (void)
{
  char channel[] = "news";
  g_autoptr(CoprocMessage) message = coproc_message_new_full (g_variant_new_byte (1), channel, 0);
  g_autoptr(CoprocMessage) empty = coproc_message_new_full (g_variant_new_byte (1), "", 0);
  g_autoptr(CoprocMessage) standard = coproc_message_new_full (g_variant_new_byte (1), NULL, 0);

  channel[0] = 'N';
  g_assert_cmpstr (coproc_message_get_channel (message), ==, "news");
  g_assert_cmpstr (coproc_message_get_channel (empty), ==, "");
  g_assert_null (coproc_message_get_channel (standard));
}

static void
test_get_bytes_of_variant (void)
{
  g_autoptr(GVariant) payload =
    g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "abc", 3, 1));
  g_autoptr(CoprocMessage) message = coproc_message_new (payload);
  GBytes *bytes = coproc_message_get_bytes (message);

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "abc", 3);
  g_assert_true (g_bytes_get_data (bytes, NULL) == g_variant_get_data (payload));
  g_assert_true (coproc_message_get_bytes (message) == bytes);
}

static void
test_get_data (void)
{
  g_autoptr(GVariant) bytes =
    g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "abc", 3, 1));
  g_autoptr(GVariant) text = g_variant_ref_sink (g_variant_new_string ("abc"));
  g_autoptr(GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr(CoprocMessage) of_bytes = coproc_message_new (bytes);
  g_autoptr(CoprocMessage) of_text = coproc_message_new (text);
  g_autoptr(CoprocMessage) empty = coproc_message_new_bytes (nothing);
  gsize length = 99;

  g_assert_true (coproc_message_get_data (of_bytes, &length) == g_variant_get_data (bytes));
  g_assert_cmpuint (length, ==, 3);
  g_assert_null (coproc_message_get_data (of_text, &length));
  g_assert_cmpuint (length, ==, 0);
  length = 99;
  g_assert_null (coproc_message_get_data (empty, &length));
  g_assert_cmpuint (length, ==, 0);
}

/* What was handed out of a received message must live on when the message is gone, whether its bytes
 * lie inside it or in a slab; and nothing may keep the message alive for ever (a leak checker sees). */
static void
test_received_raw (gconstpointer user_data)
{
  gsize size = GPOINTER_TO_SIZE (user_data);
  CoprocMessage *message = receive_raw (size);
  g_autoptr(GVariant) copy = coproc_message_dup_payload (message);
  g_autoptr(GBytes) bytes = g_bytes_ref (coproc_message_get_bytes (message));
  g_autoptr(GVariant) payload = g_variant_ref (coproc_message_get_payload (message));
  g_autoptr(GVariant) cached = coproc_message_dup_payload (message);

  g_assert_true (message->slab == NULL || size > COPROC_MESSAGE_INLINE_SIZE);
  g_assert_true (message->slab != NULL || size <= COPROC_MESSAGE_INLINE_SIZE);
  g_assert_true (cached == payload);
  g_assert_true (coproc_message_get_bytes (message) == bytes);
  g_assert_false (g_variant_is_floating (copy));
  g_assert_true (g_variant_is_of_type (copy, G_VARIANT_TYPE_BYTESTRING));
  if (size > 0)
    {
      gsize length;

      g_assert_true (coproc_message_get_data (message, &length) == message->data);
      g_assert_cmpuint (length, ==, size);
      g_assert_true (g_bytes_get_data (bytes, NULL) == message->data);
      g_assert_true (g_variant_get_data (payload) == message->data);
      g_assert_true (g_variant_get_data (copy) == message->data);
    }

  coproc_message_unref (message);
  assert_filled (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), size);
  assert_filled (g_variant_get_data (payload), g_variant_get_size (payload), size);
  g_clear_pointer (&bytes, g_bytes_unref);
  g_clear_pointer (&payload, g_variant_unref);
  g_clear_pointer (&cached, g_variant_unref);
  assert_filled (g_variant_get_data (copy), g_variant_get_size (copy), size);
}

static void
test_received_slab_is_shared (void)
{
  CoprocMessage *message = receive_raw (COPROC_MESSAGE_INLINE_SIZE + 1);
  g_autoptr(CoprocSlab) slab = coproc_slab_ref (message->slab);
  GBytes *bytes = g_bytes_ref (coproc_message_get_bytes (message));

  coproc_message_unref (message);
  g_assert_true (coproc_slab_is_shared (slab));
  g_bytes_unref (bytes);
  g_assert_false (coproc_slab_is_shared (slab));
}

static void
test_received_variant (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new ("(su)", "key", 5));
  char *channel = g_ref_string_new ("table");
  CoprocFrame frame = {
    .kind = COPROC_FRAME_REQUEST,
    .serial = G_MAXUINT64 - 1,
    .reply_serial = 3,
    .priority = -2,
    .type = g_variant_get_type (payload),
    .data = g_variant_get_data (payload),
    .size = g_variant_get_size (payload),
    .variant = payload,
  };
  CoprocMessage *message = coproc_message_new_from_frame (NULL, &frame, channel);

  g_assert_true (coproc_message_get_channel (message) == channel);
  g_ref_string_release (channel);
  g_assert_cmpstr (coproc_message_get_channel (message), ==, "table");
  g_assert_true (coproc_message_get_payload (message) == payload);
  g_assert_null (coproc_message_get_bytes (message));
  g_assert_true (message->explicit_priority);
  g_assert_cmpfloat (coproc_message_get_priority (message), ==, -2);
  g_assert_cmpuint (coproc_message_get_serial (message), ==, G_MAXUINT64 - 1);
  g_assert_cmpuint (coproc_message_get_reply_serial (message), ==, 3);
  g_assert_cmpuint (message->size, ==, frame.size);
  coproc_message_unref (message);
}

/* Messages of several channels share memory, and each keeps its channel's name. */
static void
test_channels_of_a_pool (void)
{
  CoprocMessagePool pool = { NULL };
  char *names[] = { NULL, g_ref_string_new ("one"), g_ref_string_new ("two") };
  CoprocMessage *messages[90];

  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    {
      const CoprocFrame frame = { .kind = COPROC_FRAME_NOREQUEST, .serial = i + 1, .data = "", .size = 0 };

      messages[i] = coproc_message_new_from_frame (&pool, &frame, names[i / 3 % G_N_ELEMENTS (names)]);
    }
  coproc_message_pool_clear (&pool);
  g_ref_string_release (names[1]);
  g_ref_string_release (names[2]);

  for (guint step = 0; step < 7; step++)
    for (guint i = step; i < G_N_ELEMENTS (messages); i += 7)
      {
        static const char *const expected[] = { NULL, "one", "two" };

        g_assert_cmpstr (coproc_message_get_channel (messages[i]), ==, expected[i / 3 % G_N_ELEMENTS (expected)]);
        coproc_message_unref (messages[i]);
      }
}

static void
test_kinds (void)
{
  const struct
  {
    guint8 kind;
    CoprocMessageKind expected;
  } rows[] = {
    { COPROC_FRAME_NOREQUEST, COPROC_MESSAGE_KIND_NOREQUEST },
    { COPROC_FRAME_REQUEST, COPROC_MESSAGE_KIND_REQUEST },
    { COPROC_FRAME_REPLY, COPROC_MESSAGE_KIND_REPLY },
    { COPROC_FRAME_ERROR_REPLY, COPROC_MESSAGE_KIND_REPLY },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      CoprocFrame frame = { .kind = rows[i].kind, .data = "", .size = 0 };
      g_autoptr(CoprocMessage) message = coproc_message_new_from_frame (NULL, &frame, NULL);

      g_assert_cmpint (coproc_message_get_kind (message), ==, rows[i].expected);
    }
}

static void
test_boxed (void)
{
  g_auto(GValue) value = G_VALUE_INIT, copy = G_VALUE_INIT;
  CoprocMessage *message = coproc_message_new (g_variant_new_int32 (1));

  g_value_init (&value, COPROC_TYPE_MESSAGE);
  g_value_init (&copy, COPROC_TYPE_MESSAGE);
  g_value_take_boxed (&value, message);
  g_value_copy (&value, &copy);
  g_assert_true (g_value_get_boxed (&copy) == message);
}

static void
test_drops_invocation (void)
{
  CoprocMessage *message = receive_raw (8);
  CoprocInvocation *invocation = coproc_invocation_new (NULL, message, 2);

  message->invocation = invocation;
  coproc_message_unref (message);
  g_assert_cmpint (g_atomic_int_get (&invocation->ref_count), ==, 1);
  coproc_invocation_unref (invocation);
}

#define N_THREADS 4
#define N_ROUNDS 2000

static gpointer
get_everything (gpointer data)
{
  CoprocMessage **messages = data;
  guintptr sum = 0;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      sum ^= (guintptr) coproc_message_get_payload (messages[i]);
      sum ^= (guintptr) coproc_message_get_bytes (messages[i]);
      g_variant_unref (coproc_message_dup_payload (messages[i]));
      coproc_message_unref (messages[i]);
    }
  return (gpointer) sum;
}

/* Several threads ask at once for what is made on demand: all must get the same, and none too many. */
static void
test_threads (void)
{
  CoprocMessage *messages[N_ROUNDS];
  GThread *threads[N_THREADS];
  gpointer sums[N_THREADS];

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      messages[i] = receive_raw (64);
      for (guint t = 1; t < N_THREADS; t++)
        coproc_message_ref (messages[i]);
    }
  for (guint t = 0; t < N_THREADS; t++)
    threads[t] = g_thread_new ("getter", get_everything, messages);
  for (guint t = 0; t < N_THREADS; t++)
    sums[t] = g_thread_join (threads[t]);
  for (guint t = 1; t < N_THREADS; t++)
    g_assert_true (sums[t] == sums[0]);
}

int
main (int argc, char **argv)
{
  static const gsize sizes[] = { 0, 1, 64, COPROC_MESSAGE_INLINE_SIZE,
                                 COPROC_MESSAGE_INLINE_SIZE + 1, 1 << 20 };

  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/message/new", test_new);
  g_test_add_func ("/coproc/message/new-shares-payload", test_new_shares_payload);
  g_test_add_func ("/coproc/message/new-bytes", test_new_bytes);
  g_test_add_func ("/coproc/message/new-bytes-empty", test_new_bytes_empty);
  g_test_add_func ("/coproc/message/new-full", test_new_full);
  g_test_add_func ("/coproc/message/new-full-copies-channel", test_new_full_copies_channel);
  g_test_add_func ("/coproc/message/get-bytes-of-variant", test_get_bytes_of_variant);
  g_test_add_func ("/coproc/message/get-data", test_get_data);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path =
        g_strdup_printf ("/coproc/message/received-raw/%" G_GSIZE_FORMAT, sizes[i]);

      g_test_add_data_func (path, GSIZE_TO_POINTER (sizes[i]), test_received_raw);
    }
  g_test_add_func ("/coproc/message/received-slab-is-shared", test_received_slab_is_shared);
  g_test_add_func ("/coproc/message/received-variant", test_received_variant);
  g_test_add_func ("/coproc/message/channels-of-a-pool", test_channels_of_a_pool);
  g_test_add_func ("/coproc/message/kinds", test_kinds);
  g_test_add_func ("/coproc/message/boxed", test_boxed);
  g_test_add_func ("/coproc/message/drops-invocation", test_drops_invocation);
  g_test_add_func ("/coproc/message/threads", test_threads);

  return g_test_run ();
}
