/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "pool/coproc-worker-pool-private.h"

#define FEED_BATCH 64            /* inputs made between two looks at the pool */
#define MIN_PENDING 256          /* where max-pending is 0 */
#define PENDING_PER_WORKER 64

void
coproc_map_inputs_drop (CoprocMapInputs *self, CoprocPoolJob *job)
{
  GDestroyNotify notify;

  g_mutex_lock (&job->core->lock);
  self->func = NULL;
  notify = g_steal_pointer (&self->notify);
  g_mutex_unlock (&job->core->lock);
  if (notify != NULL)
    notify (self->user_data);
}

/* How many inputs may be made now. */
static gsize
get_room_locked (CoprocMapInputs *self, CoprocPoolJob *job)
{
  const CoprocPoolSettings *settings = &job->core->settings;
  gsize max = settings->max_pending, n;

  if (self->func == NULL || self->feeding || job->over || job->fed)
    return 0;
  if (max == 0)
    max = MAX (MIN_PENDING, PENDING_PER_WORKER * (gsize) settings->n_workers);
  n = (gsize) (coproc_pool_job_get_total_locked (job) - job->results.n_popped);
  return max - MIN (n, max);
}

/* Makes up to @n inputs and adds them. Returns: FALSE when there are no more */
static gboolean
feed_batch (CoprocMapInputs *self, CoprocPoolJob *job, gsize n)
{
  CoprocPoolCore *core = job->core;
  gpointer inputs[FEED_BATCH];
  GVariant *input = NULL;
  gsize n_made = 0;
  gboolean over;

  while (n_made < MIN (n, FEED_BATCH) && (input = self->func (self->user_data)) != NULL)
    inputs[n_made++] = g_variant_take_ref (input);

  g_mutex_lock (&core->lock);
  self->feeding = FALSE;
  over = job->over;
  if (!over)
    {
      coproc_pool_job_add_locked (job, inputs, n_made);
      job->fed = input == NULL && n_made < MIN (n, FEED_BATCH);
      coproc_pool_core_offer_locked (core, job);
      coproc_pool_job_wake_locked (job);
    }
  g_mutex_unlock (&core->lock);

  for (gsize i = 0; over && i < n_made; i++)
    g_variant_unref (inputs[i]);
  return input != NULL || n_made == MIN (n, FEED_BATCH);
}

void
coproc_map_inputs_feed (CoprocMapInputs *self, CoprocPoolJob *job)
{
  CoprocPoolCore *core = job->core;
  gboolean more = TRUE;

  while (more)
    {
      gsize room;

      g_mutex_lock (&core->lock);
      room = get_room_locked (self, job);
      self->feeding = self->feeding || room > 0;
      g_mutex_unlock (&core->lock);
      if (room == 0)
        return;
      more = feed_batch (self, job, room);
    }
  coproc_map_inputs_drop (self, job);
}
