/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-buddy-private.h"

#define N_ORDERS 8
#define N_UNITS (1u << (N_ORDERS - 1))

static void
test_halves (void)
{
  CoprocBuddy *buddy = coproc_buddy_new (N_ORDERS);
  guint first, order;

  g_assert_cmpuint (coproc_buddy_take (buddy, 0), ==, 0);
  g_assert_cmpuint (coproc_buddy_take (buddy, 1), ==, 2);
  g_assert_cmpuint (coproc_buddy_take (buddy, 0), ==, 1); /* what fits best */
  g_assert_cmpuint (coproc_buddy_take (buddy, N_ORDERS - 2), ==, N_UNITS / 2);
  g_assert_cmpuint (coproc_buddy_take (buddy, N_ORDERS - 1), ==, COPROC_BUDDY_NONE);
  g_assert_cmpuint (coproc_buddy_take (buddy, N_ORDERS), ==, COPROC_BUDDY_NONE);
  g_assert_true (coproc_buddy_find (buddy, 3, &first, &order));
  g_assert_cmpuint (first, ==, 2);
  g_assert_cmpuint (order, ==, 1);
  g_assert_true (coproc_buddy_find (buddy, N_UNITS - 1, &first, &order));
  g_assert_cmpuint (first, ==, N_UNITS / 2);
  g_assert_false (coproc_buddy_find (buddy, 4, &first, &order));

  g_assert_cmpuint (coproc_buddy_give (buddy, 0), ==, 0);
  g_assert_cmpuint (coproc_buddy_give (buddy, 1), ==, 0);
  g_assert_cmpuint (coproc_buddy_give (buddy, 2), ==, 1);
  g_assert_cmpuint (coproc_buddy_give (buddy, N_UNITS / 2), ==, N_ORDERS - 2);
  g_assert_cmpuint (coproc_buddy_take (buddy, N_ORDERS - 1), ==, 0); /* all one again */
  g_assert_cmpuint (coproc_buddy_take (buddy, 0), ==, COPROC_BUDDY_NONE);
  coproc_buddy_free (buddy);
}

/* Against a table of what each unit belongs to. */
static void
test_random (void)
{
  CoprocBuddy *buddy = coproc_buddy_new (N_ORDERS);
  guint owner[N_UNITS] = { 0 }; /* 0: free; first unit + 1 */
  guint n_used = 0;

  for (guint turn = 0; turn < 20000; turn++)
    {
      const guint unit = (guint) g_test_rand_int_range (0, N_UNITS);
      guint order = (guint) g_test_rand_int_range (0, 5), first, n;

      if (owner[unit] != 0)
        {
          g_assert_true (coproc_buddy_find (buddy, unit, &first, &order));
          g_assert_cmpuint (first, ==, owner[unit] - 1);
          n = 1u << coproc_buddy_give (buddy, first);
          for (guint i = first; i < first + n; i++)
            {
              g_assert_cmpuint (owner[i], ==, first + 1);
              owner[i] = 0;
            }
          n_used -= n;
          continue;
        }
      first = coproc_buddy_take (buddy, order);
      n = 1u << order;
      if (first == COPROC_BUDDY_NONE)
        {
          /* there is really no such block */
          for (guint i = 0; i < N_UNITS; i += n)
            {
              guint used = 0;

              for (guint j = i; j < i + n; j++)
                used += owner[j] != 0;
              g_assert_cmpuint (used, >, 0);
            }
          continue;
        }
      g_assert_cmpuint (first % n, ==, 0);
      for (guint i = first; i < first + n; i++)
        {
          g_assert_cmpuint (owner[i], ==, 0);
          owner[i] = first + 1;
        }
      n_used += n;
    }
  g_test_message ("%u units in use at the end", n_used);
  coproc_buddy_free (buddy);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/buddy/halves", test_halves);
  g_test_add_func ("/coproc/buddy/random", test_random);
  return g_test_run ();
}
