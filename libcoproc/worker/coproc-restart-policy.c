/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The number of restarts within a window of time is limited, so that a worker which cannot live does not
 * keep the machine busy for ever. Before each the wait is twice as long as before the last, until the
 * worker has been alive for a while.
 */
#include "worker/coproc-restart-policy-private.h"

#include "coproc-error.h"

GError *
coproc_restart_rules_make_error (const CoprocRestartRules *rules, const char *label, const GError *death)
{
  g_autofree char *window = rules->window_us < 0
                                ? g_strdup ("")
                                : g_strdup_printf (" in %.1f s", (double) rules->window_us / G_USEC_PER_SEC);

  return g_error_new (COPROC_ERROR, COPROC_ERROR_RESTART_LIMIT,
                      "Worker %s is not restarted more than %u times%s: %s", label, rules->max_restarts, window,
                      death->message);
}

void
coproc_restart_history_init (CoprocRestartHistory *self)
{
  self->restarts = g_array_new (FALSE, FALSE, sizeof (gint64));
  coproc_restart_history_reset (self);
}

void
coproc_restart_history_clear (CoprocRestartHistory *self)
{
  g_clear_pointer (&self->restarts, g_array_unref);
}

void
coproc_restart_history_reset (CoprocRestartHistory *self)
{
  g_array_set_size (self->restarts, 0);
  self->n_in_a_row = 0;
  self->alive_since = -1;
}

void
coproc_restart_history_alive (CoprocRestartHistory *self, gint64 now)
{
  self->alive_since = now;
}

/* Restarts that the window has passed do not count any more. */
static void
forget_restarts (CoprocRestartHistory *self, gint64 window_us, gint64 now)
{
  guint n = 0;

  if (window_us < 0)
    return;
  while (n < self->restarts->len && now - g_array_index (self->restarts, gint64, n) >= window_us)
    n++;
  g_array_remove_range (self->restarts, 0, n);
}

static gint64
get_delay (guint n_in_a_row)
{
  gint64 delay = COPROC_RESTART_FIRST_DELAY_US;

  for (; n_in_a_row > 0 && delay < COPROC_RESTART_LAST_DELAY_US; n_in_a_row--)
    delay *= 2;
  return MIN (delay, COPROC_RESTART_LAST_DELAY_US);
}

CoprocRestartDecision
coproc_restart_history_ended (CoprocRestartHistory      *self,
                              const CoprocRestartRules  *rules,
                              gint64                     now,
                              gboolean                   failed,
                              gint64                    *delay_us)
{
  const gboolean healthy
      = self->alive_since >= 0 && now - self->alive_since >= COPROC_RESTART_HEALTHY_US;

  self->alive_since = -1;
  if (healthy)
    self->n_in_a_row = 0;
  if (rules->policy == COPROC_RESTART_POLICY_NEVER
      || (rules->policy == COPROC_RESTART_POLICY_ON_FAILURE && !failed))
    return COPROC_RESTART_NO;

  forget_restarts (self, rules->window_us, now);
  if (self->restarts->len >= rules->max_restarts)
    return COPROC_RESTART_GIVE_UP;

  g_array_append_val (self->restarts, now);
  *delay_us = get_delay (self->n_in_a_row++);
  return COPROC_RESTART_LATER;
}
