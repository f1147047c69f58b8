/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The way out: which inputs a worker gets, and when.
 */
#include "pool/coproc-pool-driver-private.h"

#include "coproc-error.h"

/* How many inputs of @job should go into the worker's next message. (lock) */
static guint
get_chunk_locked (CoprocPoolDriver *self, CoprocPoolJob *job, guint share)
{
  guint chunk = job->chunk_size > 0 ? MIN (job->chunk_size, COPROC_MAX_CHUNK)
                                    : MIN (coproc_pace_get_chunk (&self->pace), MAX (share, 1));

  return self->takes_chunks ? MIN (chunk, job->max_chunk) : 1;
}

/* How many more inputs the worker may have before its time is over. (lock) */
static guint64
get_rest_locked (CoprocPoolDriver *self)
{
  const guint64 max = self->core->settings.max_tasks_per_worker;
  const guint64 n = self->n_tasks_of_worker + self->n_items;

  return max == 0 ? G_MAXUINT64 : max - MIN (n, max);
}

/* (lock) */
static void
enter_line_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  parcel->sent_at = self->now;
  parcel->asked_back = FALSE;
  g_queue_push_tail_link (&self->line, &parcel->link);
  self->n_items += parcel->n;
  self->n_bytes += parcel->size;
  parcel->n_sent++;
}

void
coproc_pool_driver_drop_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  g_queue_unlink (&self->line, &parcel->link);
  self->n_items -= parcel->n;
  self->n_bytes -= parcel->size;
}

/* Puts the next parcel of @job, of at most @max inputs, into the line. (lock) */
static CoprocParcel *
take_parcel_locked (CoprocPoolDriver *self, CoprocPoolJob *job, guint max)
{
  CoprocPoolQueue *queue = &self->core->queue;
  CoprocParcel *parcel = coproc_pool_job_take_locked (job, max, self->by_reference);

  /* Behind the others, if there is more of it. */
  coproc_pool_queue_remove (queue, job);
  if (job->n_queued > 0)
    coproc_pool_queue_add (queue, job);
  enter_line_locked (self, parcel);
  return parcel;
}

/* Puts what is meant for this worker into the line. (lock) */
static void
take_pinned_locked (CoprocPoolDriver *self, CoprocParcelBatch *batch)
{
  GList *link;

  while (batch->n < COPROC_MAX_BATCH && (link = g_queue_pop_head_link (&self->pinned)) != NULL)
    {
      enter_line_locked (self, link->data);
      batch->calls[batch->n++] = &((CoprocParcel *) link->data)->call;
    }
}

/* Takes what the worker should have next: what is meant for it, then what it can get out of the queue. (lock) */
void
coproc_pool_driver_take_locked (CoprocPoolDriver *self, CoprocParcelBatch *batch)
{
  CoprocPoolCore *core = self->core;
  guint share = coproc_pool_share (core->n_queued, core->drivers->len, self->line.length == 0);
  CoprocPoolJob *job;

  batch->n = 0;
  if (coproc_pool_core_is_ending_locked (core))
    return;
  take_pinned_locked (self, batch);
  if (self->retiring)
    return;
  while (batch->n < COPROC_MAX_BATCH && share > 0 && (job = coproc_pool_queue_peek (&core->queue)) != NULL)
    {
      const guint chunk = get_chunk_locked (self, job, share);
      const guint64 rest = get_rest_locked (self);
      CoprocParcel *parcel;

      if (rest == 0 || !coproc_pace_has_room (&self->pace, chunk, self->line.length, self->n_bytes))
        return;
      parcel = take_parcel_locked (self, job, (guint) MIN (chunk, rest));
      batch->calls[batch->n++] = &parcel->call;
      share -= MIN (share, parcel->n);
    }
}

/* @call could not be sent: that is its outcome. */
static void
fail_call (CoprocPoolDriver *self, CoprocSetCall *call, GError *error)
{
  CoprocParcelBatch failed = { .calls = { call }, .n = 1 };

  call->call.error = error;
  coproc_pool_driver_settle (self, &failed, 0);
}

/* @parcel leaves the line, to be sent by another one, or to the next worker of this one. (lock) */
void
coproc_pool_driver_return_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  CoprocPoolJob *job = parcel->job;

  coproc_pool_driver_drop_locked (self, parcel);
  if (job->kind == COPROC_JOB_BROADCAST && !job->over)
    {
      g_queue_push_tail_link (&self->pinned, &parcel->link);
      return;
    }
  coproc_pool_job_return_locked (job, parcel);
  if (!job->over)
    coproc_pool_core_offer_locked (self->core, job);
}

/* The worker has ended before these were sent. */
static void
return_unsent (CoprocPoolDriver *self, CoprocSetCall **calls, guint n)
{
  g_mutex_lock (&self->core->lock);
  for (guint i = 0; i < n; i++)
    {
      coproc_parcel_of (calls[i])->n_sent--;
      coproc_pool_driver_return_locked (self, coproc_parcel_of (calls[i]));
    }
  g_mutex_unlock (&self->core->lock);
}

/* Sends calls of one channel. What is wrong with one of them, and not with the link, is that one's. */
static void
send_run (CoprocPoolDriver *self, CoprocSetCall **calls, guint n)
{
  GError *error = NULL;

  if (coproc_call_set_send (self->set, calls, n, &error))
    return;
  if (coproc_call_set_is_over (self->set))
    {
      g_clear_error (&error);
      return_unsent (self, calls, n);
      return;
    }
  if (n == 1)
    {
      fail_call (self, calls[0], error);
      return;
    }
  g_clear_error (&error);
  for (guint i = 0; i < n; i++)
    send_run (self, calls + i, 1);
}

void
coproc_pool_driver_split_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  CoprocPoolJob *job = parcel->job;

  coproc_pool_driver_drop_locked (self, parcel);
  coproc_pool_job_split_locked (job, parcel);
  if (!job->over)
    coproc_pool_core_offer_locked (self->core, job);
}

/* The inputs of @parcel, which was not sent, do not go into one message. */
static void
split_unsent (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  CoprocPoolCore *core = self->core;

  g_mutex_lock (&core->lock);
  parcel->job->max_chunk = MAX (parcel->n / 2, 1);
  parcel->n_sent--;
  coproc_pool_driver_split_locked (self, parcel);
  g_mutex_unlock (&core->lock);
  coproc_pool_core_sweep (core);
}

/* Fills the messages in; those that there cannot be leave the batch. */
static void
pack_batch (CoprocPoolDriver *self, CoprocParcelBatch *batch)
{
  guint n = 0;

  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = coproc_parcel_of (batch->calls[i]);

      if (coproc_parcel_pack (parcel))
        batch->calls[n++] = &parcel->call;
      else
        split_unsent (self, parcel);
    }
  batch->n = n;
}

/* Returns: FALSE when nothing is under way, as nothing of it could be sent */
gboolean
coproc_pool_driver_send (CoprocPoolDriver *self, CoprocParcelBatch *batch)
{
  guint begin = 0;

  pack_batch (self, batch);
  for (guint i = 0; i < batch->n; i++)
    {
      if (g_strcmp0 (batch->calls[i]->channel, batch->calls[begin]->channel) != 0)
        {
          send_run (self, batch->calls + begin, i - begin);
          begin = i;
        }
    }
  if (batch->n > 0)
    send_run (self, batch->calls + begin, batch->n - begin);
  return self->line.length > 0; /* only this thread changes that */
}
