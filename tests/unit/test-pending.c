/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-pending-private.h"

#include "wire/coproc-limits-private.h"

#define MAX_ABANDONED 65536

static void
assert_take (CoprocPending *pending, guint64 serial, CoprocPendingResult expected)
{
  CoprocPendingRequest request = { 0 };

  g_assert_cmpint (coproc_pending_take (pending, serial, &request), ==, expected);
  g_assert_cmpuint (request.serial, ==, expected == COPROC_PENDING_FOUND ? serial : 0);
}

/* One is marked wherever it lies; others, and serials that mean nothing, stay as they are. */
static void
test_accept (void)
{
  CoprocPending *pending = coproc_pending_new ();

  coproc_pending_add (pending, 1, NULL, NULL);
  for (guint64 serial = 65536; serial < 65536 * 3; serial += 65536)
    coproc_pending_add (pending, serial + 1, NULL, NULL); /* the first has to make room */
  coproc_pending_accept (pending, 0);
  coproc_pending_accept (pending, 2);
  coproc_pending_accept (pending, G_MAXUINT64);
  coproc_pending_accept (pending, 1);
  coproc_pending_accept (pending, 65536 * 2 + 1);
  for (guint i = 0; i < 3; i++)
    {
      CoprocPendingRequest request;

      g_assert_cmpint (coproc_pending_take (pending, 65536 * i + 1, &request), ==, COPROC_PENDING_FOUND);
      g_assert_cmpint (request.accepted, ==, i != 1);
    }
  coproc_pending_free (pending);
}

static void
test_take (void)
{
  CoprocPending *pending = coproc_pending_new ();
  CoprocChannel *channel = coproc_channel_new ("c", FALSE);
  CoprocPendingRequest request;
  int call;

  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 0);
  coproc_pending_add (pending, 7, channel, &call);
  coproc_pending_add (pending, G_MAXUINT64, NULL, NULL);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 2);

  g_assert_cmpint (coproc_pending_take (pending, 7, &request), ==, COPROC_PENDING_FOUND);
  g_assert_cmpuint (request.serial, ==, 7);
  g_assert_true (request.channel == channel);
  g_assert_true (request.call == &call);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 1);

  /* answered before, never sent */
  assert_take (pending, 7, COPROC_PENDING_UNKNOWN);
  assert_take (pending, 8, COPROC_PENDING_UNKNOWN);
  assert_take (pending, 0, COPROC_PENDING_UNKNOWN);
  assert_take (pending, G_MAXUINT64, COPROC_PENDING_FOUND);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 0);

  coproc_pending_free (pending);
  coproc_channel_free (channel);
}

/* Some that stay outstanding while very many others come and go, at the same places. */
static void
test_late (void)
{
  CoprocPending *pending = coproc_pending_new ();
  g_autoptr(GArray) all = NULL;
  guint64 serial = 1;
  int calls[8];

  for (; serial <= 8; serial++)
    coproc_pending_add (pending, serial, NULL, &calls[serial - 1]);
  for (; serial <= 1000000; serial++)
    {
      coproc_pending_add (pending, serial, NULL, NULL);
      assert_take (pending, serial, COPROC_PENDING_FOUND);
      assert_take (pending, serial, COPROC_PENDING_UNKNOWN);
    }
  coproc_pending_add (pending, serial, NULL, NULL);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 9);

  assert_take (pending, 5, COPROC_PENDING_FOUND);
  assert_take (pending, 5, COPROC_PENDING_UNKNOWN);
  g_assert_true (coproc_pending_abandon (pending, 2));
  assert_take (pending, 2, COPROC_PENDING_ABANDONED);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 7);

  all = coproc_pending_steal_all (pending);
  g_assert_cmpuint (all->len, ==, 7);
  g_assert_cmpuint (g_array_index (all, CoprocPendingRequest, 0).serial, ==, 1);
  g_assert_cmpuint (g_array_index (all, CoprocPendingRequest, 1).serial, ==, 3);
  g_assert_true (g_array_index (all, CoprocPendingRequest, 1).call == &calls[2]);
  g_assert_cmpuint (g_array_index (all, CoprocPendingRequest, 6).serial, ==, serial);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 0);
  coproc_pending_free (pending);
}

static void
test_abandon (void)
{
  CoprocPending *pending = coproc_pending_new ();

  coproc_pending_add (pending, 1, NULL, NULL);
  coproc_pending_add (pending, 2, NULL, NULL);
  g_assert_true (coproc_pending_abandon (pending, 2));
  g_assert_false (coproc_pending_abandon (pending, 2));
  g_assert_false (coproc_pending_abandon (pending, 3));
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 1);
  assert_take (pending, 2, COPROC_PENDING_ABANDONED); /* its one reply */
  assert_take (pending, 2, COPROC_PENDING_UNKNOWN);   /* and one too many */
  assert_take (pending, 1, COPROC_PENDING_FOUND);
  coproc_pending_free (pending);
}

/* The memory of what was given up is bounded; what had to leave it counts as given up. */
static void
test_abandon_bound (void)
{
  CoprocPending *pending = coproc_pending_new ();
  guint64 n = 3 * MAX_ABANDONED + 10;

  coproc_pending_add (pending, 1, NULL, NULL); /* the one that is still awaited */
  for (guint64 serial = 2; serial <= n; serial++)
    {
      coproc_pending_add (pending, serial, NULL, NULL);
      g_assert_true (coproc_pending_abandon (pending, serial));
    }
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 1);
  assert_take (pending, 1, COPROC_PENDING_FOUND);

  /* forgotten ones may come twice, remembered ones not */
  assert_take (pending, 2, COPROC_PENDING_ABANDONED);
  assert_take (pending, 2, COPROC_PENDING_ABANDONED);
  assert_take (pending, n - MAX_ABANDONED, COPROC_PENDING_ABANDONED);
  assert_take (pending, n - MAX_ABANDONED, COPROC_PENDING_ABANDONED);
  assert_take (pending, n - MAX_ABANDONED + 1, COPROC_PENDING_ABANDONED);
  assert_take (pending, n - MAX_ABANDONED + 1, COPROC_PENDING_UNKNOWN);
  assert_take (pending, n, COPROC_PENDING_ABANDONED);
  assert_take (pending, n, COPROC_PENDING_UNKNOWN);
  assert_take (pending, n + 1, COPROC_PENDING_UNKNOWN);
  coproc_pending_free (pending);
}

/* Those whose reply has come leave no gap in the protection when their places are used again. */
static void
test_abandon_answered (void)
{
  CoprocPending *pending = coproc_pending_new ();

  for (guint64 serial = 1; serial <= 2 * MAX_ABANDONED; serial++)
    {
      coproc_pending_add (pending, serial, NULL, NULL);
      g_assert_true (coproc_pending_abandon (pending, serial));
      assert_take (pending, serial, COPROC_PENDING_ABANDONED);
      assert_take (pending, serial, COPROC_PENDING_UNKNOWN);
    }
  assert_take (pending, 1, COPROC_PENDING_UNKNOWN);
  coproc_pending_free (pending);
}

static void
test_steal_all (void)
{
  CoprocPending *pending = coproc_pending_new ();
  g_autoptr(GArray) all = NULL;
  g_autoptr(GArray) none = NULL;

  for (guint64 serial = 1; serial <= 1000; serial++)
    coproc_pending_add (pending, serial, NULL, GSIZE_TO_POINTER (serial));
  for (guint64 serial = 3; serial <= 1000; serial += 3)
    assert_take (pending, serial, COPROC_PENDING_FOUND);
  coproc_pending_abandon (pending, 1);

  all = coproc_pending_steal_all (pending);
  g_assert_cmpuint (all->len, ==, 1000 - 333 - 1);
  g_assert_cmpuint (coproc_pending_get_size (pending), ==, 0);
  for (guint i = 0; i < all->len; i++)
    {
      CoprocPendingRequest *request = &g_array_index (all, CoprocPendingRequest, i);

      g_assert_cmpuint (GPOINTER_TO_SIZE (request->call), ==, request->serial);
      if (i > 0)
        g_assert_cmpuint (request->serial, >, request[-1].serial);
    }

  none = coproc_pending_steal_all (pending);
  g_assert_cmpuint (none->len, ==, 0);
  assert_take (pending, 2, COPROC_PENDING_UNKNOWN);
  coproc_pending_add (pending, 2000, NULL, NULL);
  assert_take (pending, 2000, COPROC_PENDING_FOUND);
  coproc_pending_free (pending);
}

/* As many as may be outstanding, answered in another order, several times over. */
static void
test_many (void)
{
  CoprocPending *pending = coproc_pending_new ();
  guint64 serial = 0;

  for (guint round = 0; round < 3; round++)
    {
      guint64 first = serial + 1;

      for (guint i = 0; i < COPROC_MAX_PENDING_REQUESTS; i++)
        coproc_pending_add (pending, ++serial, NULL, NULL);
      g_assert_cmpuint (coproc_pending_get_size (pending), ==, COPROC_MAX_PENDING_REQUESTS);
      for (guint i = 0; i < COPROC_MAX_PENDING_REQUESTS; i++)
        assert_take (pending, first + (i * 7919u) % COPROC_MAX_PENDING_REQUESTS,
                     COPROC_PENDING_FOUND);
      g_assert_cmpuint (coproc_pending_get_size (pending), ==, 0);
    }
  coproc_pending_free (pending);
}

static void
test_perf (void)
{
  const guint n = 2000000;
  CoprocPending *pending = coproc_pending_new ();
  CoprocPendingRequest request;
  double seconds;

  if (!g_test_perf ())
    {
      g_test_skip ("only with -m perf");
      coproc_pending_free (pending);
      return;
    }

  g_test_timer_start ();
  for (guint64 serial = 1; serial <= n; serial++)
    {
      coproc_pending_add (pending, serial, NULL, NULL);
      if (serial > 64)
        coproc_pending_take (pending, serial - 64, &request);
    }
  seconds = g_test_timer_elapsed ();
  g_test_minimized_result (seconds, "add and take, 64 in flight: %g ns", seconds / n * 1e9);
  coproc_pending_free (pending);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/pending/take", test_take);
  g_test_add_func ("/coproc/pending/accept", test_accept);
  g_test_add_func ("/coproc/pending/late", test_late);
  g_test_add_func ("/coproc/pending/abandon", test_abandon);
  g_test_add_func ("/coproc/pending/abandon-bound", test_abandon_bound);
  g_test_add_func ("/coproc/pending/abandon-answered", test_abandon_answered);
  g_test_add_func ("/coproc/pending/steal-all", test_steal_all);
  g_test_add_func ("/coproc/pending/many", test_many);
  g_test_add_func ("/coproc/pending/perf", test_perf);

  return g_test_run ();
}
