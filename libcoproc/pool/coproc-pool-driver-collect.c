/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The way in: what has become of what was sent.
 */
#include "pool/coproc-pool-driver-private.h"

#include "coproc-error.h"

#define MAX_DEATHS 3           /* of workers that had begun with a parcel */
#define MAX_SENT 20            /* workers that a parcel is sent to, should its coming be what they die of */

/* Says which input of what failed where. */
void
coproc_pool_driver_prefix_item (CoprocPoolDriver *self, CoprocPoolJob *job, CoprocOutcome *outcome)
{
  g_autofree char *worker = NULL;

  if (job->kind == COPROC_JOB_TASK || outcome->error == NULL)
    return;
  worker = self->pid != 0 ? g_strdup_printf ("worker %d", (int) self->pid)
                          : g_strdup_printf ("worker thread %u", self->number);
  if (job->kind == COPROC_JOB_BROADCAST)
    g_prefix_error (&outcome->error, "In %s: ", worker);
  else
    g_prefix_error (&outcome->error, "Item %" G_GUINT64_FORMAT " (%s): ", outcome->index, worker);
}

/* A worker that ends with an error has said so before: that is the reason then. */
static void
replace_closed (CoprocPoolDriver *self, GError **error)
{
  if (self->complaint == NULL || !g_error_matches (*error, COPROC_ERROR, COPROC_ERROR_CLOSED))
    return;
  g_clear_error (error);
  *error = g_error_copy (self->complaint);
}

/* Turns what a call has come to into outcomes. */
static void
unpack (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  if (parcel->call.call.error != NULL)
    replace_closed (self, &parcel->call.call.error);
  coproc_parcel_unpack (parcel);
  for (guint i = 0; i < parcel->n; i++)
    coproc_pool_driver_prefix_item (self, parcel->job, &parcel->outcomes[i]);
}

/* Gives the outcomes of @parcel to its job. (lock) */
static void
settle_parcel_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  coproc_pool_driver_drop_locked (self, parcel);
  self->n_tasks += parcel->n;
  for (guint i = 0; i < parcel->n && !parcel->settled; i++)
    if (coproc_pool_job_settle_locked (parcel->job, &parcel->outcomes[i]))
      parcel->outcomes[i] = (CoprocOutcome) { 0 };
}

/* Whether the worker, which lives, has given @parcel back as it was asked to. (lock) */
static gboolean
is_given_back_locked (CoprocParcel *parcel)
{
  if (!parcel->asked_back || parcel->settled || parcel->job->over
      || !g_error_matches (parcel->call.call.error, COPROC_ERROR, COPROC_ERROR_NOT_STARTED))
    return FALSE;
  parcel->n_sent--;
  return TRUE;
}

/* Whether @parcel may be sent to another worker, its own having ended. (lock) */
static gboolean
may_retry_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  const CoprocPoolSettings *settings = &self->core->settings;
  const GError *error = parcel->call.call.error;
  /* The next worker is another one, which gets the message for the first time. */
  const gboolean repeatable = settings->idempotent || parcel->job->kind == COPROC_JOB_BROADCAST;

  if (error == NULL || parcel->settled || parcel->job->over || coproc_pool_core_is_ending_locked (self->core))
    return FALSE;
  if (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_NOT_STARTED))
    return parcel->n_sent < MAX_SENT && (settings->retry_not_started || repeatable);
  return g_error_matches (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED) && ++parcel->n_deaths < MAX_DEATHS
         && repeatable;
}

/* Those of @batch that are sent again leave it. */
static void
return_parcels (CoprocPoolDriver *self, CoprocParcelBatch *batch, gboolean over)
{
  CoprocPoolCore *core = self->core;
  guint n_left = 0;

  g_mutex_lock (&core->lock);
  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = coproc_parcel_of (batch->calls[i]);

      if (over ? !may_retry_locked (self, parcel) : !is_given_back_locked (parcel))
        {
          batch->calls[n_left++] = batch->calls[i];
          continue;
        }
      /* One of several inputs may be what the worker died of: the others are not to die with it once more. */
      if (parcel->n > 1 && g_error_matches (parcel->call.call.error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED))
        {
          coproc_pool_driver_split_locked (self, parcel);
          continue;
        }
      g_clear_error (&parcel->call.call.error);
      coproc_pool_driver_return_locked (self, parcel);
    }
  batch->n = n_left;
  g_mutex_unlock (&core->lock);
}

void
coproc_pool_driver_settle (CoprocPoolDriver *self, CoprocParcelBatch *batch, guint n_answered)
{
  CoprocPoolCore *core = self->core;

  for (guint i = 0; i < batch->n; i++)
    unpack (self, coproc_parcel_of (batch->calls[i]));

  g_mutex_lock (&core->lock);
  core->n_answered += n_answered;
  if (n_answered > 0)
    self->busy_since = self->now;
  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = coproc_parcel_of (batch->calls[i]);

      settle_parcel_locked (self, parcel);
      if (i + 1 == batch->n || coproc_parcel_of (batch->calls[i + 1])->job != parcel->job)
        coproc_pool_job_wake_locked (parcel->job);
    }
  g_mutex_unlock (&core->lock);

  for (guint i = 0; i < batch->n; i++)
    coproc_parcel_free (coproc_parcel_of (batch->calls[i]));
  coproc_pool_core_sweep (core);
  coproc_pool_events_tell_progress (core->events);
}

/* Messages that are no replies complete no task. */
static void
drain_others (CoprocPoolDriver *self)
{
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (self->worker);

  while (coproc_call_set_has_others (self->set))
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (CoprocMessage) message = coproc_messenger_receive_any (messenger, 0, NULL, &error);

      if (message == NULL && !g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
        {
          g_clear_error (&self->complaint);
          self->complaint = g_steal_pointer (&error);
        }
    }
}

/* Takes the outcomes that are there, having waited for one until @deadline. Returns: how many there were */
guint
coproc_pool_driver_collect (CoprocPoolDriver *self, gint64 deadline)
{
  CoprocParcelBatch batch;
  gboolean over;
  guint n, n_answered = 0;

  n = batch.n = coproc_call_set_collect (self->set, deadline, batch.calls, COPROC_MAX_BATCH);
  drain_others (self);
  if (n == 0)
    return 0;
  self->now = g_get_monotonic_time ();
  over = coproc_call_set_is_over (self->set);
  if (over || self->asks_back)
    return_parcels (self, &batch, over);
  for (guint i = 0; i < batch.n; i++)
    if (!over || batch.calls[i]->call.reply != NULL)
      n_answered += coproc_parcel_of (batch.calls[i])->n;
  self->n_tasks_of_worker += n_answered;
  if (!over)
    coproc_pace_note (&self->pace, self->now - self->busy_since, n_answered, batch.n);
  coproc_pool_driver_settle (self, &batch, n_answered);
  return n;
}
