/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker tells of the requests that it has taken up, in whatever order.
 */
#include "wire/coproc-status-page-private.h"

#include <string.h>

#define WINDOW ((guint64) COPROC_STATUS_WINDOW)

/* Nobody has promised to keep the page: nothing can be said. */
static void
test_unused (void)
{
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);

  g_assert_true (coproc_status_page_may_have (memory, 1));
  coproc_status_page_begin (memory);
  g_assert_false (coproc_status_page_may_have (memory, 1));
  g_assert_false (coproc_status_page_may_have (memory, G_MAXUINT64));
}

static void
test_any_order (void)
{
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);
  const guint64 taken[] = { 500, 3, 501, 64, 63, 1, 700, 128 };

  coproc_status_page_begin (memory);
  for (guint i = 0; i < G_N_ELEMENTS (taken); i++)
    {
      coproc_status_page_take_up (memory, taken[i]);
      for (guint64 serial = 1; serial < 800; serial++)
        {
          gboolean expected = FALSE;

          for (guint j = 0; j <= i; j++)
            expected |= taken[j] == serial;
          g_assert_cmpint (coproc_status_page_may_have (memory, serial), ==, expected);
        }
    }
}

/* Against a set: in the window exact, before it never FALSE for one that was taken up. */
static void
test_random (void)
{
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);
  g_autoptr (GHashTable) taken = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint64 highest = 0;

  coproc_status_page_begin (memory);
  for (guint i = 0; i < 20000; i++)
    {
      const guint64 back = (guint64) g_test_rand_int_range (0, 3 * COPROC_STATUS_WINDOW);
      const guint64 step = (guint64) (g_test_rand_bit () ? g_test_rand_int_range (1, 200)
                                                         : g_test_rand_int_range (1, 10));
      guint64 serial = g_test_rand_bit () || back >= highest ? highest + step : highest - back;
      guint64 probe = highest - MIN (highest - 1 + (highest == 0), back / 2);

      coproc_status_page_take_up (memory, serial);
      g_hash_table_add (taken, g_memdup2 (&serial, sizeof serial));
      highest = MAX (highest, serial);

      g_assert_true (coproc_status_page_may_have (memory, serial));
      if (g_hash_table_contains (taken, &probe))
        g_assert_true (coproc_status_page_may_have (memory, probe));
      else if (probe > highest || highest - probe < WINDOW - 64)
        g_assert_false (coproc_status_page_may_have (memory, probe));
    }
}

/* Serials need not follow each other, nor start low. */
static void
test_jumps (void)
{
  const guint64 jumps[] = { 1, WINDOW - 1, WINDOW, WINDOW + 1, 10 * WINDOW, G_GUINT64_CONSTANT (1) << 40,
                            G_MAXUINT64 - (G_GUINT64_CONSTANT (1) << 41) };
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);
  guint64 serial = 0;

  coproc_status_page_begin (memory);
  for (guint i = 0; i < G_N_ELEMENTS (jumps); i++)
    {
      serial += jumps[i];
      coproc_status_page_take_up (memory, serial);
      g_assert_true (coproc_status_page_may_have (memory, serial));
      if (jumps[i] > 1)
        g_assert_false (coproc_status_page_may_have (memory, serial - 1));
      g_assert_false (coproc_status_page_may_have (memory, serial + 1));
    }
}

/* Whatever the worker has written, the answer comes from within the page. */
static void
test_hostile (void)
{
  g_autoptr (CoprocSharedMemory) memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);

  for (guint i = 0; i < 1000; i++)
    {
      for (gsize j = 0; j < 64; j++)
        memory->data[g_test_rand_int_range (0, (gint32) memory->size)] = (guint8) g_test_rand_int ();
      coproc_status_page_may_have (memory, ((guint64) (guint32) g_test_rand_int () << 32)
                                               + (guint32) g_test_rand_int ());
      coproc_status_page_may_have (memory, i);
    }
  memset (memory->data, 0xff, memory->size);
  coproc_status_page_may_have (memory, G_MAXUINT64);
  coproc_status_page_may_have (memory, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/status-page/unused", test_unused);
  g_test_add_func ("/coproc/status-page/any-order", test_any_order);
  g_test_add_func ("/coproc/status-page/random", test_random);
  g_test_add_func ("/coproc/status-page/jumps", test_jumps);
  g_test_add_func ("/coproc/status-page/hostile", test_hostile);
  return g_test_run ();
}
