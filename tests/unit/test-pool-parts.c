/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a pool is made of that needs no worker: chunks, results, and how much is sent at once.
 */
#include "coproc-error.h"
#include "pool/coproc-pool-policy-private.h"
#include "pool/coproc-pool-rate-private.h"
#include "pool/coproc-pool-results-private.h"
#include "worker/coproc-chunk-private.h"

#include <string.h>

/* --- chunks --- */

enum { N_ITEMS = 6 };

static GVariant *
make_chunk (void)
{
  CoprocChunkItem items[N_ITEMS] = {
    { .value = g_variant_ref_sink (g_variant_new_string ("text")) },
    { .value = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "12345678", 8, 1)) },
    { .error = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "it is not there") },
    { .value = g_variant_ref_sink (g_variant_new ("(dya{sv})", 0.5, 7, NULL)) },
    { .value = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, NULL, 0, 1)) },
    { .value = g_variant_ref_sink (g_variant_new_tuple (NULL, 0)) },
  };
  GVariant *chunk = coproc_chunk_pack (items, N_ITEMS);

  for (guint i = 0; i < N_ITEMS; i++)
    coproc_chunk_item_clear (&items[i]);
  return chunk;
}

static void
test_chunk (void)
{
  g_autoptr (GVariant) chunk = make_chunk ();
  CoprocChunkItem items[N_ITEMS];
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (coproc_chunk_count (chunk), ==, N_ITEMS);
  g_assert_true (coproc_chunk_unpack (chunk, items, N_ITEMS, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (items[0].value, NULL), ==, "text");
  g_assert_cmpuint (g_variant_get_size (items[1].value), ==, 8);
  g_assert_error (items[2].error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_cmpstr (items[2].error->message, ==, "it is not there");
  g_assert_cmpstr (g_variant_get_type_string (items[3].value), ==, "(dya{sv})");
  g_assert_cmpuint (g_variant_get_size (items[4].value), ==, 0);
  g_assert_cmpstr (g_variant_get_type_string (items[5].value), ==, "()");
  for (guint i = 0; i < N_ITEMS; i++)
    coproc_chunk_item_clear (&items[i]);

  g_assert_false (coproc_chunk_unpack (chunk, items, N_ITEMS - 1, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
}

static void
test_chunk_shared (void)
{
  CoprocChunkItem items[] = {
    { .value = g_variant_ref_sink (g_variant_new_string ("text")) },
    { .error = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "it is not there") },
  };
  g_autoptr (GVariant) text = g_variant_ref (items[0].value);
  g_autoptr (GVariant) chunk = coproc_chunk_share (items, 2);
  g_autoptr (GVariant) packed = make_chunk ();
  g_autoptr (GVariant) copy = NULL;
  CoprocChunkItem *shared;
  guint n = 0;

  g_assert_null (items[0].value);
  g_assert_null (items[1].error);
  shared = coproc_chunk_get_shared (chunk, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_true (shared[0].value == text);
  g_assert_error (shared[1].error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

  /* what it has is for whoever gets it */
  g_clear_pointer (&shared[0].value, g_variant_unref);
  shared[0].value = g_variant_ref_sink (g_variant_new_int32 (1));
  g_assert_cmpint (g_variant_get_int32 (coproc_chunk_get_shared (chunk, &n)[0].value), ==, 1);

  /* nothing else is one, least of all a copy of its bytes */
  copy = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, g_variant_get_data (chunk),
                                                        g_variant_get_size (chunk), 1));
  g_assert_null (coproc_chunk_get_shared (copy, &n));
  g_assert_null (coproc_chunk_get_shared (packed, &n));
  g_assert_null (coproc_chunk_get_shared (text, &n));
}

/* Unpacks what claims to have N_ITEMS, from memory that ends where it ends. */
static void
unpack_bytes (const guint8 *data, gsize size)
{
  guint8 *exact = g_memdup2 (data, size);
  g_autoptr (GVariant) chunk = g_variant_ref_sink (
      g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, exact, size, TRUE, g_free, exact));
  const guint n = coproc_chunk_count (chunk);
  g_autofree CoprocChunkItem *items = g_new0 (CoprocChunkItem, n + 1);
  g_autoptr (GError) error = NULL;

  if (n > 1000)
    return;
  if (!coproc_chunk_unpack (chunk, items, n, &error))
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  for (guint i = 0; i < n; i++)
    {
      g_assert_true (error == NULL || (items[i].value == NULL && items[i].error == NULL));
      coproc_chunk_item_clear (&items[i]);
    }
}

static void
test_chunk_hostile (void)
{
  g_autoptr (GVariant) chunk = make_chunk ();
  const gsize size = g_variant_get_size (chunk);
  const guint8 *data = g_variant_get_data (chunk);
  g_autofree guint8 *bytes = g_malloc (size);

  g_test_summary ("Whatever bytes come, they are items or refused; a sanitizer sees that nothing else is read");

  for (gsize cut = 0; cut < size; cut++)
    unpack_bytes (data, cut);
  for (guint round = 0; round < 20000; round++)
    {
      memcpy (bytes, data, size);
      for (guint i = 0; i <= round % 4; i++)
        bytes[g_test_rand_int_range (0, (gint32) size)] = (guint8) g_test_rand_int ();
      unpack_bytes (bytes, size);
    }
}

/* --- results --- */

static void
put (CoprocResults *results, guint64 index)
{
  const CoprocOutcome outcome = { .index = index, .value = g_strdup_printf ("%u", (guint) index) };

  coproc_results_put (results, &outcome);
}

static void
assert_pop (CoprocResults *results, guint64 index)
{
  g_autofree char *wanted = g_strdup_printf ("%u", (guint) index);
  CoprocOutcome outcome;

  g_assert_true (coproc_results_can_pop (results));
  g_assert_true (coproc_results_pop (results, &outcome));
  g_assert_cmpuint (outcome.index, ==, index);
  g_assert_cmpstr (outcome.value, ==, wanted);
  g_free (outcome.value);
}

static void
test_results (void)
{
  CoprocResults results;
  CoprocOutcome outcome;

  coproc_results_init (&results, TRUE, g_free);
  g_assert_false (coproc_results_pop (&results, &outcome));
  put (&results, 1);
  put (&results, 100);
  g_assert_false (coproc_results_can_pop (&results));
  put (&results, 0);
  assert_pop (&results, 0);
  assert_pop (&results, 1);
  g_assert_false (coproc_results_can_pop (&results));
  for (guint i = 2; i < 100; i++)
    put (&results, 101 - i);
  for (guint i = 2; i <= 100; i++)
    assert_pop (&results, i);
  put (&results, 103);
  coproc_results_clear (&results);

  coproc_results_init (&results, FALSE, g_free);
  for (guint round = 0; round < 10; round++)
    {
      for (guint i = 0; i < 37; i++)
        put (&results, 1000 - i);
      for (guint i = 0; i < 37; i++)
        assert_pop (&results, 1000 - i);
    }
  g_assert_false (coproc_results_can_pop (&results));
  put (&results, 5);
  coproc_results_clear (&results);
}

/* --- how much at once --- */

static void
test_pace (void)
{
  CoprocPace pace = { 0 };

  g_assert_cmpuint (coproc_pace_get_window (&pace, 1), ==, 1);
  g_assert_cmpuint (coproc_pace_get_chunk (&pace), ==, 1);

  /* fast ones: step by step up to what takes a millisecond */
  for (guint i = 0; i < 1000; i++)
    {
      guint window = coproc_pace_get_window (&pace, 1);

      coproc_pace_note (&pace, 10 * window, window, window);
      g_assert_cmpuint (coproc_pace_get_window (&pace, 1), <=, MAX (2 * window, 2));
    }
  g_assert_cmpuint (coproc_pace_get_window (&pace, 1), ==, 100);
  g_assert_cmpuint (coproc_pace_get_chunk (&pace), ==, 20);
  g_assert_cmpuint (coproc_pace_get_window (&pace, 20), ==, 5);

  /* of large ones there are few */
  g_assert_true (coproc_pace_has_room (&pace, 1, 99, (4 << 20) - 1));
  g_assert_false (coproc_pace_has_room (&pace, 1, 100, 0));
  g_assert_false (coproc_pace_has_room (&pace, 1, 2, 4 << 20));
  g_assert_true (coproc_pace_has_room (&pace, 1, 1, G_MAXSIZE));

  /* a slow one shrinks it at once */
  coproc_pace_note (&pace, 20000, 1, 1);
  g_assert_cmpuint (coproc_pace_get_window (&pace, 1), ==, 1);
  g_assert_cmpuint (coproc_pace_get_chunk (&pace), ==, 1);

  /* 1 ms: the next one is there when one is done */
  for (guint i = 0; i < 100; i++)
    coproc_pace_note (&pace, 1000, 1, 1);
  g_assert_cmpuint (coproc_pace_get_window (&pace, 1), ==, 2);

  /* nothing at all */
  for (guint i = 0; i < 1000; i++)
    coproc_pace_note (&pace, 0, 100, 100);
  g_assert_cmpuint (coproc_pace_get_window (&pace, 1), ==, COPROC_MAX_WINDOW);
  g_assert_cmpuint (coproc_pace_get_chunk (&pace), ==, COPROC_MAX_CHUNK);
}

static void
test_share (void)
{
  g_assert_cmpuint (coproc_pool_share (0, 4, TRUE), ==, 0);
  g_assert_cmpuint (coproc_pool_share (1, 4, TRUE), ==, 1);
  g_assert_cmpuint (coproc_pool_share (1, 4, FALSE), ==, 0);
  g_assert_cmpuint (coproc_pool_share (800, 4, FALSE), ==, 100);
  g_assert_cmpuint (coproc_pool_share (800, 4, TRUE), ==, 100);
  g_assert_cmpuint (coproc_pool_share (8, 0, FALSE), ==, 4);
}

/* --- rate --- */

static void
test_rate (void)
{
  CoprocPoolRate rate;
  gint64 now = 1000;

  coproc_pool_rate_init (&rate, now);
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now, 0), ==, 0);
  g_assert_cmpint (coproc_pool_rate_estimate (&rate, now, 0, 10), ==, -1);
  g_assert_cmpint (coproc_pool_rate_estimate (&rate, now, 0, 0), ==, 0);

  /* at first: all that was done in all the time */
  now += G_USEC_PER_SEC / 20;
  coproc_pool_rate_note (&rate, now, 5);
  g_assert_cmpfloat_with_epsilon (coproc_pool_rate_get (&rate, now, 5), 100, 1e-9);
  g_assert_cmpint (coproc_pool_rate_estimate (&rate, now, 5, 200), ==, 2 * G_USEC_PER_SEC);

  /* steady: that speed, however often it is noted */
  for (guint64 n = 6; n <= 5000; n++)
    {
      now += G_USEC_PER_SEC / 100;
      coproc_pool_rate_note (&rate, now, n);
      g_assert_cmpfloat_with_epsilon (coproc_pool_rate_get (&rate, now, n), 100, 1e-6);
    }

  /* ten times as fast: believed after some seconds */
  for (guint64 n = 5001; n <= 25000; n++)
    {
      now += G_USEC_PER_SEC / 1000;
      coproc_pool_rate_note (&rate, now, n);
    }
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now, 25000), >, 950);
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now, 25000), <, 1000);

  /* stuck: it falls though nothing is noted */
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now + 60 * G_USEC_PER_SEC, 25000), <, 100);

  coproc_pool_rate_finish (&rate, now, 25000);
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now + 60 * G_USEC_PER_SEC, 25000), >, 950);
  coproc_pool_rate_note (&rate, now + 60 * G_USEC_PER_SEC, 25000);
  g_assert_cmpfloat (coproc_pool_rate_get (&rate, now + 60 * G_USEC_PER_SEC, 25000), >, 950);

  /* nothing that overflows */
  coproc_pool_rate_init (&rate, 0);
  g_assert_cmpint (coproc_pool_rate_estimate (&rate, G_MAXINT64 / 2, 1, G_MAXUINT64), ==, -1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/chunk/items", test_chunk);
  g_test_add_func ("/coproc/chunk/shared", test_chunk_shared);
  g_test_add_func ("/coproc/chunk/hostile", test_chunk_hostile);
  g_test_add_func ("/coproc/pool-results/order", test_results);
  g_test_add_func ("/coproc/pool-policy/pace", test_pace);
  g_test_add_func ("/coproc/pool-policy/share", test_share);
  g_test_add_func ("/coproc/pool-rate/estimate", test_rate);

  return g_test_run ();
}
