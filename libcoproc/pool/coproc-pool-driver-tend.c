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
time_out_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
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
    parcel->dropped_at = self->now;
  self->any_dropped = TRUE;
}

/* When the worker has begun with the first of the line, as far as is known. (lock) */
static gint64
get_begin_locked (CoprocPoolDriver *self)
{
  const CoprocParcel *first = g_queue_peek_head (&self->line);

  return MAX (first->sent_at, self->busy_since);
}

/* Looks whether the first of the line has had its time. (lock) Returns: when it will have, -1: never */
static gint64
check_time_locked (CoprocPoolDriver *self)
{
  CoprocParcel *first = g_queue_peek_head (&self->line);
  const gint64 timeout = self->core->settings.task_timeout;
  gint64 deadline;

  if (timeout < 0 || first == NULL || first->settled)
    return -1;
  deadline = get_begin_locked (self) + MIN (timeout, G_MAXINT64 / 4 / first->n) * first->n;
  if (self->now < deadline)
    return deadline;
  time_out_locked (self, first);
  return -1;
}

/* --- what is behind a slow task, while others have nothing to do --- */

static gboolean
str_equal0 (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b) == 0;
}

/* When what is behind the first of the line should go to another one, -1: there is nothing. (lock) */
static gint64
get_help_time_locked (CoprocPoolDriver *self)
{
  const CoprocParcel *first = g_queue_peek_head (&self->line);

  if (self->line.length < 2 || first->asked_back)
    return -1;
  return get_begin_locked (self) + COPROC_SLOW_US;
}

gint64
coproc_pool_driver_help_locked (CoprocPoolDriver *self)
{
  GPtrArray *drivers = self->core->drivers;
  gint64 next = -1;

  for (guint i = 0; i < drivers->len; i++)
    {
      CoprocPoolDriver *other = g_ptr_array_index (drivers, i);
      const gint64 when = get_help_time_locked (other);

      if (when > self->now)
        next = coproc_earlier (next, when);
      else if (when >= 0)
        coproc_pool_driver_wake_locked (other); /* it asks its worker by itself */
    }
  return next;
}

/* Takes it that the worker is asked for all that it has not begun, if it should be. (lock) Returns: (nullable) (transfer
 * full): the channels on which */
static GPtrArray *
ask_back_locked (CoprocPoolDriver *self)
{
  const gint64 when = self->core->idle.length > 0 ? get_help_time_locked (self) : -1;
  GPtrArray *channels;

  if (when < 0 || when > self->now)
    return NULL;
  channels = g_ptr_array_new ();
  for (GList *link = self->line.head; link != NULL; link = link->next)
    {
      CoprocParcel *parcel = link->data;

      parcel->asked_back = TRUE;
      if (!g_ptr_array_find_with_equal_func (channels, parcel->call.channel, str_equal0, NULL))
        g_ptr_array_add (channels, (gpointer) parcel->call.channel);
    }
  self->asks_back = TRUE;
  coproc_pace_note (&self->pace, self->now - get_begin_locked (self), 1, 1); /* it takes that long at least */
  return channels;
}

/* --- what is not wanted --- */

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
        kill_at = coproc_earlier (kill_at, parcel->dropped_at + MIN (core->settings.cancel_grace, G_MAXINT64 / 4));
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
  g_autoptr (GPtrArray) channels = NULL;
  gboolean any_dropped;
  gint64 kill_at;

  g_mutex_lock (&self->core->lock);
  *deadline = coproc_earlier (*deadline, check_time_locked (self));
  channels = ask_back_locked (self);
  any_dropped = self->any_dropped;
  g_mutex_unlock (&self->core->lock);

  for (guint i = 0; channels != NULL && i < channels->len; i++)
    coproc_call_set_ask_back (self->set, g_ptr_array_index (channels, i));
  if (!any_dropped)
    return TRUE;

  coproc_pool_core_sweep (self->core);
  kill_at = tell_dropped (self);
  *deadline = coproc_earlier (*deadline, kill_at);
  return kill_at < 0 || self->now < kill_at;
}

/* Looks from time to time whether the worker has grown too large. */
void
coproc_pool_driver_weigh (CoprocPoolDriver *self)
{
  CoprocProcessFigures figures;
  guint64 max;

  g_mutex_lock (&self->core->lock);
  max = self->core->settings.max_memory_per_worker;
  g_mutex_unlock (&self->core->lock);
  if (max == 0 || self->now < self->weighed_at + WEIGH_INTERVAL)
    return;
  self->weighed_at = self->now;
  coproc_process_figures_read (&figures, self->pid);
  self->is_heavy = figures.rss > max;
}
