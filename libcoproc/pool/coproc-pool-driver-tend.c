/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What takes too long, or too much.
 */
#include "pool/coproc-pool-driver-private.h"

#include "coproc-error.h"

#define WEIGH_INTERVAL (G_USEC_PER_SEC / 50)

/* The inputs of @parcel have had their time. The worker may still be at it, so it stays in the line. */
static void
time_out_locked (CoprocPoolDriver *self, CoprocParcel *parcel, gint64 now)
{
  for (guint i = 0; i < parcel->n; i++)
    {
      CoprocOutcome outcome = { .index = parcel->first + i };

      outcome.error = g_error_new (COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "The task took longer than %.3f s",
                                   (double) self->core->settings.task_timeout / G_USEC_PER_SEC);
      coproc_pool_driver_prefix_item (self, parcel->job, &outcome);
      if (!coproc_pool_job_settle_locked (parcel->job, &outcome))
        g_clear_error (&outcome.error);
    }
  coproc_pool_job_wake_locked (parcel->job);
  parcel->settled = TRUE;
  if (parcel->dropped_at == 0)
    parcel->dropped_at = now;
  self->any_dropped = TRUE;
}

/* The earlier of two deadlines, of which -1 is none. */
static gint64
earlier (gint64 a, gint64 b)
{
  return a < 0 ? b : b < 0 ? a : MIN (a, b);
}

/* Looks whether the first of the line has had its time. (lock) Returns: when it will have, -1: never */
static gint64
check_time_locked (CoprocPoolDriver *self, gint64 now)
{
  CoprocParcel *first = g_queue_peek_head (&self->line);
  const gint64 timeout = self->core->settings.task_timeout;
  gint64 deadline;

  if (timeout < 0 || first == NULL || first->settled)
    return -1;
  deadline = MAX (first->sent_at, self->busy_since) + MIN (timeout, G_MAXINT64 / 4 / first->n) * first->n;
  if (now < deadline)
    return deadline;
  time_out_locked (self, first, now);
  return -1;
}

/* Tells the worker of what is not wanted any more, once. Returns: when the worker is to be killed
 * over it, -1: never. */
static gint64
tell_dropped (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;
  CoprocSetCall *dropped[COPROC_MAX_BATCH];
  gint64 kill_at = -1;
  guint n = 0;

  g_mutex_lock (&core->lock);
  self->any_dropped = FALSE;
  for (GList *link = self->line.head; link != NULL && n < COPROC_MAX_BATCH; link = link->next)
    {
      CoprocParcel *parcel = link->data;

      if (parcel->dropped_at == 0)
        continue;
      self->any_dropped = TRUE;
      if (core->settings.cancel_grace >= 0)
        kill_at = earlier (kill_at, parcel->dropped_at + MIN (core->settings.cancel_grace, G_MAXINT64 / 4));
      if (!parcel->told)
        dropped[n++] = &parcel->call;
      parcel->told = TRUE;
    }
  g_mutex_unlock (&core->lock);

  for (guint i = 0; i < n; i++)
    coproc_call_set_cancel (self->set, dropped[i]);
  return kill_at;
}

/* Sees to what takes too long. Returns: FALSE when the worker is to be killed; *deadline becomes earlier where it is to
 * be looked at again before. */
gboolean
coproc_pool_driver_tend (CoprocPoolDriver *self, gint64 *deadline)
{
  const gint64 now = g_get_monotonic_time ();
  gboolean any_dropped;
  gint64 kill_at;

  g_mutex_lock (&self->core->lock);
  *deadline = earlier (*deadline, check_time_locked (self, now));
  any_dropped = self->any_dropped;
  g_mutex_unlock (&self->core->lock);
  if (!any_dropped)
    return TRUE;

  coproc_pool_core_sweep (self->core);
  kill_at = tell_dropped (self);
  *deadline = earlier (*deadline, kill_at);
  return kill_at < 0 || now < kill_at;
}

/* Looks from time to time whether the worker has grown too large. */
void
coproc_pool_driver_weigh (CoprocPoolDriver *self)
{
  const gint64 now = g_get_monotonic_time ();
  CoprocProcessFigures figures;
  guint64 max;

  g_mutex_lock (&self->core->lock);
  max = self->core->settings.max_memory_per_worker;
  g_mutex_unlock (&self->core->lock);
  if (max == 0 || now < self->weighed_at + WEIGH_INTERVAL)
    return;
  self->weighed_at = now;
  coproc_process_figures_read (&figures, self->pid);
  self->is_heavy = figures.rss > max;
}
