/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Restarts on a clock that the test turns.
 */
#include "worker/coproc-restart-policy-private.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define MS (SECOND / 1000)

/* A worker, its rules, and the time. */
typedef struct
{
  CoprocRestartHistory history;
  CoprocRestartRules rules;
  gint64 now;
} Life;

static void
life_begin (Life *self, CoprocRestartPolicy policy, guint max_restarts, gint64 window_us)
{
  coproc_restart_history_init (&self->history);
  self->rules = (CoprocRestartRules) { policy, max_restarts, window_us };
  self->now = 12345 * SECOND;
  coproc_restart_history_alive (&self->history, self->now);
}

/* It lives for @lifetime and ends. Returns: the delay, -1 for no restart, -2 for a limit reached */
static gint64
life_end (Life *self, gint64 lifetime, gboolean failed)
{
  gint64 delay = 0;

  self->now += lifetime;
  switch (coproc_restart_history_ended (&self->history, &self->rules, self->now, failed, &delay))
    {
    case COPROC_RESTART_LATER:
      self->now += delay;
      coproc_restart_history_alive (&self->history, self->now);
      return delay;
    case COPROC_RESTART_NO:
      return -1;
    case COPROC_RESTART_GIVE_UP:
      return -2;
    default:
      g_assert_not_reached ();
    }
}

static void
life_over (Life *self)
{
  coproc_restart_history_clear (&self->history);
}

/* Which ends each policy answers. */
static void
test_policies (void)
{
  static const struct
  {
    CoprocRestartPolicy policy;
    gint64 clean, failed;
  } rows[] = {
    { COPROC_RESTART_POLICY_NEVER, -1, -1 },
    { COPROC_RESTART_POLICY_ON_FAILURE, -1, 100 * MS },
    { COPROC_RESTART_POLICY_ALWAYS, 100 * MS, 100 * MS },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Life life;

      life_begin (&life, rows[i].policy, 5, 30 * SECOND);
      g_assert_cmpint (life_end (&life, SECOND, FALSE), ==, rows[i].clean);
      coproc_restart_history_reset (&life.history);
      g_assert_cmpint (life_end (&life, SECOND, TRUE), ==, rows[i].failed);
      life_over (&life);
    }
}

/* 0.1, 0.2, 0.4 … 5 s, and over again once it was healthy for a minute. */
static void
test_back_off (void)
{
  const gint64 expected[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
  Life life;

  life_begin (&life, COPROC_RESTART_POLICY_ON_FAILURE, G_MAXUINT, -1);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpint (life_end (&life, 59 * SECOND, TRUE), ==, expected[i] * MS);
  g_assert_cmpint (life_end (&life, 60 * SECOND - 1, TRUE), ==, 5000 * MS);
  g_assert_cmpint (life_end (&life, 60 * SECOND, TRUE), ==, 100 * MS);
  g_assert_cmpint (life_end (&life, 1, TRUE), ==, 200 * MS);
  life_over (&life);
}

/* A restart that does not even get it alive is a failure like any other, and no time of health. */
static void
test_never_alive (void)
{
  CoprocRestartHistory history;
  const CoprocRestartRules rules = { COPROC_RESTART_POLICY_ON_FAILURE, 3, 3600 * SECOND };
  gint64 now = 100 * SECOND, delay = 0;

  coproc_restart_history_init (&history);
  coproc_restart_history_alive (&history, now);
  for (guint i = 0; i < 3; i++)
    {
      now += 70 * SECOND;
      g_assert_cmpint (coproc_restart_history_ended (&history, &rules, now, TRUE, &delay), ==,
                       COPROC_RESTART_LATER);
      g_assert_cmpint (delay, ==, (100 << i) * MS);
    }
  g_assert_cmpint (coproc_restart_history_ended (&history, &rules, now, TRUE, &delay), ==,
                   COPROC_RESTART_GIVE_UP);
  coproc_restart_history_clear (&history);
}

/* Five within 30 s, and not a sixth; one that has left the window makes room. */
static void
test_limit (void)
{
  Life life;

  life_begin (&life, COPROC_RESTART_POLICY_ON_FAILURE, 5, 30 * SECOND);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (life_end (&life, 1 * MS, TRUE), >, 0);
  g_assert_cmpint (life_end (&life, 1 * MS, TRUE), ==, -2);
  /* the application starts it itself: everything is forgotten */
  coproc_restart_history_reset (&life.history);
  coproc_restart_history_alive (&life.history, life.now);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (life_end (&life, 1 * MS, TRUE), ==, (100 << i) * MS);
  g_assert_cmpint (life_end (&life, 1 * MS, TRUE), ==, -2);
  life_over (&life);

  life_begin (&life, COPROC_RESTART_POLICY_ON_FAILURE, 5, 30 * SECOND);
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpint (life_end (&life, 6 * SECOND, TRUE), >, 0);
  life_over (&life);
}

/* The edges of the window and of the number. */
static void
test_edges (void)
{
  Life life;
  gint64 delay;

  life_begin (&life, COPROC_RESTART_POLICY_ALWAYS, 0, 30 * SECOND);
  g_assert_cmpint (life_end (&life, SECOND, TRUE), ==, -2);
  life_over (&life);

  life_begin (&life, COPROC_RESTART_POLICY_ALWAYS, 1, 30 * SECOND);
  delay = life_end (&life, SECOND, TRUE);
  g_assert_cmpint (delay, ==, 100 * MS);
  g_assert_cmpint (life_end (&life, 30 * SECOND - delay - 1, TRUE), ==, -2);
  life_over (&life);

  life_begin (&life, COPROC_RESTART_POLICY_ALWAYS, 1, 30 * SECOND);
  delay = life_end (&life, SECOND, TRUE);
  g_assert_cmpint (life_end (&life, 30 * SECOND - delay, TRUE), ==, 200 * MS);
  life_over (&life);

  /* no window holds nothing; an endless one forgets nothing */
  life_begin (&life, COPROC_RESTART_POLICY_ALWAYS, 1, 0);
  for (guint i = 0; i < 100; i++)
    g_assert_cmpint (life_end (&life, 1, TRUE), >, 0);
  life_over (&life);
  life_begin (&life, COPROC_RESTART_POLICY_ALWAYS, 2, -1);
  g_assert_cmpint (life_end (&life, G_GINT64_CONSTANT (1000000) * SECOND, TRUE), >, 0);
  g_assert_cmpint (life_end (&life, G_GINT64_CONSTANT (1000000) * SECOND, TRUE), >, 0);
  g_assert_cmpint (life_end (&life, G_GINT64_CONSTANT (1000000) * SECOND, TRUE), ==, -2);
  life_over (&life);
}

/* The rules may change between two ends. */
static void
test_changed_rules (void)
{
  Life life;

  life_begin (&life, COPROC_RESTART_POLICY_NEVER, 5, 30 * SECOND);
  g_assert_cmpint (life_end (&life, 1, TRUE), ==, -1);
  life.rules.policy = COPROC_RESTART_POLICY_ALWAYS;
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (life_end (&life, 1, TRUE), >, 0);
  life.rules.max_restarts = 3;
  g_assert_cmpint (life_end (&life, 1, TRUE), ==, -2);
  life.rules.max_restarts = 5;
  g_assert_cmpint (life_end (&life, 1, TRUE), >, 0);
  life_over (&life);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/restart-policy/policies", test_policies);
  g_test_add_func ("/coproc/restart-policy/back-off", test_back_off);
  g_test_add_func ("/coproc/restart-policy/never-alive", test_never_alive);
  g_test_add_func ("/coproc/restart-policy/limit", test_limit);
  g_test_add_func ("/coproc/restart-policy/edges", test_edges);
  g_test_add_func ("/coproc/restart-policy/changed-rules", test_changed_rules);
  return g_test_run ();
}
