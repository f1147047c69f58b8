/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A thread with a worker: starts it, keeps it busy, and replaces it when it has died or served its time.
 */
#include "pool/coproc-worker-pool-private.h"

#include "coproc-error.h"
#include "worker/coproc-chunk-private.h"
#include "worker/coproc-worker-resource-private.h"

#define MAX_BATCH 256          /* messages sent, or outcomes taken, at once */
#define FIRST_DELAY (G_USEC_PER_SEC / 10)
#define MAX_DELAY (5 * G_USEC_PER_SEC)
#define MAX_FRUITLESS 5        /* workers in a row that end without having done anything, for each that there are */
#define MAX_TRIES 3            /* times that a parcel is sent to workers that die */
#define WEIGH_INTERVAL (G_USEC_PER_SEC / 50)

/* What a pass over the finished messages hands over. On the driver's stack. */
typedef struct
{
  CoprocSetCall *calls[MAX_BATCH];
  guint n;
} Batch;

static CoprocParcel *
parcel_of (CoprocSetCall *call)
{
  return (CoprocParcel *) ((guint8 *) call - G_STRUCT_OFFSET (CoprocParcel, call));
}

void
coproc_pool_driver_wake_locked (CoprocPoolDriver *self)
{
  if (self->idle)
    g_queue_unlink (&self->core->idle, &self->idle_link);
  self->idle = FALSE;
  if (self->set != NULL)
    coproc_call_set_interrupt (self->set);
  g_cond_broadcast (&self->core->changed); /* it may be waiting to start a worker */
}

/* --- out --- */

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

/* Puts the next parcel of @job, of at most @max inputs, into the line. (lock) */
static CoprocParcel *
take_parcel_locked (CoprocPoolDriver *self, CoprocPoolJob *job, guint max)
{
  CoprocPoolQueue *queue = &self->core->queue;
  CoprocParcel *parcel = coproc_pool_job_take_locked (job, max);

  /* Behind the others, if there is more of it. */
  coproc_pool_queue_remove (queue, job);
  if (job->n_queued > 0)
    coproc_pool_queue_add (queue, job);
  g_queue_push_tail_link (&self->line, &parcel->link);
  self->n_items += parcel->n;
  parcel->n_tries++;
  return parcel;
}

/* Takes what the worker should have next out of the queue. (lock) */
static void
take_batch_locked (CoprocPoolDriver *self, Batch *batch)
{
  CoprocPoolCore *core = self->core;
  guint share = coproc_pool_share (core->n_queued, core->drivers->len, self->line.length == 0);
  CoprocPoolJob *job;

  batch->n = 0;
  if (coproc_pool_core_is_ending_locked (core) || self->retiring)
    return;
  while (batch->n < MAX_BATCH && share > 0 && (job = coproc_pool_queue_peek (&core->queue)) != NULL)
    {
      const guint chunk = get_chunk_locked (self, job, share);
      const guint64 rest = get_rest_locked (self);
      CoprocParcel *parcel;

      if (rest == 0 || self->line.length >= coproc_pace_get_window (&self->pace, chunk))
        return;
      parcel = take_parcel_locked (self, job, (guint) MIN (chunk, rest));
      batch->calls[batch->n++] = &parcel->call;
      share -= MIN (share, parcel->n);
    }
}

static void settle_batch (CoprocPoolDriver *self, Batch *batch);

/* @call could not be sent: that is its outcome. */
static void
fail_call (CoprocPoolDriver *self, CoprocSetCall *call, GError *error)
{
  Batch failed = { .calls = { call }, .n = 1 };

  call->call.error = error;
  settle_batch (self, &failed);
}

/* @parcel leaves the line, to be sent by another one. (lock) */
static void
return_parcel_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  CoprocPoolJob *job = parcel->job;

  g_queue_unlink (&self->line, &parcel->link);
  self->n_items -= parcel->n;
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
      parcel_of (calls[i])->n_tries--;
      return_parcel_locked (self, parcel_of (calls[i]));
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

/* @parcel goes back to its job, to be sent in parts. */
static void
split_parcel (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  CoprocPoolCore *core = self->core;

  g_mutex_lock (&core->lock);
  g_queue_unlink (&self->line, &parcel->link);
  self->n_items -= parcel->n;
  coproc_pool_job_split_locked (parcel->job, parcel);
  if (!parcel->job->over)
    coproc_pool_core_offer_locked (core, parcel->job);
  g_mutex_unlock (&core->lock);
  coproc_pool_core_sweep (core);
}

/* Fills the messages in; those that there cannot be leave the batch. */
static void
pack_batch (CoprocPoolDriver *self, Batch *batch)
{
  const gint64 now = g_get_monotonic_time ();
  guint n = 0;

  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = parcel_of (batch->calls[i]);

      parcel->sent_at = now;
      if (coproc_parcel_pack (parcel))
        batch->calls[n++] = &parcel->call;
      else
        split_parcel (self, parcel);
    }
  batch->n = n;
}

/* Returns: FALSE when nothing is under way, as nothing of it could be sent */
static gboolean
send_batch (CoprocPoolDriver *self, Batch *batch)
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

/* --- in --- */

/* Says which input of what failed where. */
static void
prefix_item (CoprocPoolDriver *self, CoprocPoolJob *job, CoprocOutcome *outcome)
{
  if (job->is_task || outcome->error == NULL)
    return;
  if (self->pid != 0)
    g_prefix_error (&outcome->error, "Item %" G_GUINT64_FORMAT " (worker %d): ", outcome->index, (int) self->pid);
  else
    g_prefix_error (&outcome->error, "Item %" G_GUINT64_FORMAT " (worker thread %u): ", outcome->index, self->number);
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
    prefix_item (self, parcel->job, &parcel->outcomes[i]);
}

/* Gives the outcomes of @parcel to its job. (lock) */
static void
settle_parcel_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  g_queue_unlink (&self->line, &parcel->link);
  self->n_items -= parcel->n;
  self->n_tasks += parcel->n;
  for (guint i = 0; i < parcel->n && !parcel->settled; i++)
    if (coproc_pool_job_settle_locked (parcel->job, &parcel->outcomes[i]))
      parcel->outcomes[i] = (CoprocOutcome) { 0 };
}

/* Whether @parcel may be sent to another worker, its own having ended. (lock) */
static gboolean
may_retry_locked (CoprocPoolDriver *self, CoprocParcel *parcel)
{
  const CoprocPoolSettings *settings = &self->core->settings;
  const GError *error = parcel->call.call.error;

  if (error == NULL || parcel->settled || parcel->job->over || parcel->n_tries >= MAX_TRIES
      || coproc_pool_core_is_ending_locked (self->core))
    return FALSE;
  if (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_NOT_STARTED))
    return settings->retry_not_started || settings->idempotent;
  return g_error_matches (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED) && settings->idempotent;
}

/* Those of @batch that are sent again leave it. */
static void
return_parcels (CoprocPoolDriver *self, Batch *batch)
{
  CoprocPoolCore *core = self->core;
  guint n_left = 0;

  g_mutex_lock (&core->lock);
  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = parcel_of (batch->calls[i]);

      if (!may_retry_locked (self, parcel))
        {
          batch->calls[n_left++] = batch->calls[i];
          continue;
        }
      g_clear_error (&parcel->call.call.error);
      return_parcel_locked (self, parcel);
    }
  batch->n = n_left;
  g_mutex_unlock (&core->lock);
}

/* Gives the outcomes of messages that are done, or could not be sent, to their jobs. */
static void
settle_batch (CoprocPoolDriver *self, Batch *batch)
{
  CoprocPoolCore *core = self->core;

  for (guint i = 0; i < batch->n; i++)
    unpack (self, parcel_of (batch->calls[i]));

  g_mutex_lock (&core->lock);
  for (guint i = 0; i < batch->n; i++)
    {
      CoprocParcel *parcel = parcel_of (batch->calls[i]);

      settle_parcel_locked (self, parcel);
      if (i + 1 == batch->n || parcel_of (batch->calls[i + 1])->job != parcel->job)
        coproc_pool_job_wake_locked (parcel->job);
    }
  g_mutex_unlock (&core->lock);

  for (guint i = 0; i < batch->n; i++)
    coproc_parcel_free (parcel_of (batch->calls[i]));
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
static guint
collect (CoprocPoolDriver *self, gint64 deadline)
{
  Batch batch;
  guint n;

  n = batch.n = coproc_call_set_collect (self->set, deadline, batch.calls, MAX_BATCH);
  drain_others (self);
  if (n == 0)
    return 0;
  if (coproc_call_set_is_over (self->set))
    return_parcels (self, &batch);
  else
    {
      const gint64 now = g_get_monotonic_time ();

      guint n_items = 0;

      for (guint i = 0; i < n; i++)
        n_items += parcel_of (batch.calls[i])->n;
      coproc_pace_note (&self->pace, now - self->busy_since, n_items, n);
      self->busy_since = now;
      self->n_tasks_of_worker += n_items;
    }
  settle_batch (self, &batch);
  return n;
}

/* --- a worker's life --- */

/* The inputs of @parcel have had their time. The worker may still be at it, so it stays in the line. */
static void
time_out_locked (CoprocPoolDriver *self, CoprocParcel *parcel, gint64 now)
{
  for (guint i = 0; i < parcel->n; i++)
    {
      CoprocOutcome outcome = { .index = parcel->first + i };

      outcome.error = g_error_new (COPROC_ERROR, COPROC_ERROR_TIMED_OUT, "The task took longer than %.3f s",
                                   (double) self->core->settings.task_timeout / G_USEC_PER_SEC);
      prefix_item (self, parcel->job, &outcome);
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
  CoprocSetCall *dropped[MAX_BATCH];
  gint64 kill_at = -1;
  guint n = 0;

  g_mutex_lock (&core->lock);
  self->any_dropped = FALSE;
  for (GList *link = self->line.head; link != NULL && n < MAX_BATCH; link = link->next)
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
static gboolean
tend (CoprocPoolDriver *self, gint64 *deadline)
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
static void
weigh (CoprocPoolDriver *self)
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

/* Whether the worker has nothing more to do here, and none will follow it. (lock) */
static gboolean
is_to_leave_locked (CoprocPoolDriver *self)
{
  return coproc_pool_core_is_ending_locked (self->core) || self->retiring;
}

static gboolean
has_served_its_time_locked (CoprocPoolDriver *self)
{
  const CoprocPoolSettings *settings = &self->core->settings;

  return self->is_heavy
         || (settings->max_tasks_per_worker > 0 && self->n_tasks_of_worker >= settings->max_tasks_per_worker);
}

/* Idle for too long, where that matters: it leaves. (lock) */
static void
check_idle_locked (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;

  if (!self->idle || core->settings.idle_timeout < 0 || self->retiring
      || g_get_monotonic_time () < self->idle_since + core->settings.idle_timeout)
    return;
  coproc_pool_driver_wake_locked (self);
  self->retiring = TRUE;
  core->n_retiring++;
}

/* Takes the next messages, or goes among the idle. (lock) Returns: FALSE when the worker is to end */
static gboolean
next_batch_locked (CoprocPoolDriver *self, Batch *batch, gint64 *deadline)
{
  CoprocPoolCore *core = self->core;

  batch->n = 0;
  *deadline = -1;
  check_idle_locked (self);
  if (coproc_pool_core_is_ending_locked (core))
    return FALSE;
  if (!has_served_its_time_locked (self))
    take_batch_locked (self, batch);
  if (self->line.length > 0)
    return TRUE;
  if (is_to_leave_locked (self) || has_served_its_time_locked (self))
    return FALSE;
  if (!self->idle)
    {
      self->idle = TRUE;
      self->idle_since = g_get_monotonic_time ();
      g_queue_push_head_link (&core->idle, &self->idle_link);
    }
  if (core->settings.idle_timeout >= 0)
    *deadline = self->idle_since + core->settings.idle_timeout;
  return TRUE;
}

/* Until the worker has ended or is to end. Returns: whether it is to be killed */
static gboolean
serve (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;

  while (!coproc_call_set_is_over (self->set))
    {
      Batch batch;
      gint64 deadline;
      gboolean more, was_idle;

      g_mutex_lock (&core->lock);
      was_idle = self->line.length == 0;
      more = next_batch_locked (self, &batch, &deadline);
      g_mutex_unlock (&core->lock);
      if (!more)
        return FALSE;
      if (was_idle)
        self->busy_since = g_get_monotonic_time ();
      if (batch.n > 0 && !send_batch (self, &batch))
        continue;
      if (!tend (self, &deadline))
        return TRUE;
      if (collect (self, deadline) > 0)
        weigh (self);
    }
  return FALSE;
}

/* Ends the worker, and settles what it leaves. */
static void
end_worker (CoprocPoolDriver *self, gboolean kill)
{
  CoprocPoolCore *core = self->core;
  CoprocCallSet *set;
  gint64 grace;
  GPid pid;

  g_mutex_lock (&core->lock);
  if (self->idle)
    g_queue_unlink (&core->idle, &self->idle_link);
  self->idle = FALSE;
  self->state = COPROC_WORKER_STATE_STOPPING;
  grace = coproc_pool_core_is_ending_locked (core) ? core->stop_grace : COPROC_DEFAULT_GRACE_US;
  g_mutex_unlock (&core->lock);

  /* A thread that does not end is left alone. */
  if (!coproc_worker_resource_stop (self->worker, kill ? 0 : grace, NULL))
    coproc_messenger_close (coproc_worker_resource_get_messenger (self->worker));
  while (!coproc_call_set_is_over (self->set))
    collect (self, -1);
  while (collect (self, 0) > 0)
    ;

  g_mutex_lock (&core->lock);
  set = g_steal_pointer (&self->set);
  pid = self->pid;
  self->pid = 0;
  self->state = COPROC_WORKER_STATE_EXITED;
  g_mutex_unlock (&core->lock);
  coproc_call_set_free (set);
  coproc_pool_events_tell_exited (core->events, pid, coproc_worker_resource_get_exit_status (self->worker),
                                  coproc_worker_resource_get_term_signal (self->worker));
}

/* --- the thread --- */

CoprocPoolDriver *
coproc_pool_driver_ref (CoprocPoolDriver *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_pool_driver_unref (CoprocPoolDriver *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  coproc_pool_core_unref (self->core);
  g_free (self);
}

/* Waits @delay before the next worker, unless the driver is to leave. (lock) */
static void
pause_locked (CoprocPoolDriver *self, gint64 delay)
{
  const gint64 deadline = g_get_monotonic_time () + delay;

  while (!is_to_leave_locked (self)
         && g_cond_wait_until (&self->core->changed, &self->core->lock, deadline))
    ;
}

/* A worker has ended without having done anything, or has not even started. (lock) */
static void
note_fruitless_locked (CoprocPoolDriver *self, GError *error)
{
  CoprocPoolCore *core = self->core;
  const guint64 n_rounds = core->n_fruitless / MAX (core->drivers->len, 1);
  gint64 delay = FIRST_DELAY;

  core->n_fruitless++;
  if (n_rounds >= MAX_FRUITLESS)
    {
      GError *limit = g_error_new (COPROC_ERROR, COPROC_ERROR_RESTART_LIMIT,
                                   "The pool's workers end without having done anything: %s",
                                   error != NULL ? error->message : "they do not say why");

      coproc_pool_core_fail_locked (core, limit);
      return;
    }
  for (guint64 i = 0; i < n_rounds && delay < MAX_DELAY; i++)
    delay *= 2;
  pause_locked (self, MIN (delay, MAX_DELAY));
}

static gboolean
start_worker (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GCancellable) starting = NULL;
  GError *error = NULL;
  gboolean started = FALSE;

  g_mutex_lock (&core->lock);
  self->state = COPROC_WORKER_STATE_STARTING;
  starting = g_object_ref (core->starting);
  arguments = core->arguments != NULL ? g_variant_ref (core->arguments) : NULL;
  g_mutex_unlock (&core->lock);

  self->worker = coproc_pool_core_new_worker (core);
  if (self->worker != NULL)
    started = coproc_worker_resource_start (self->worker, arguments, starting, &error);

  g_mutex_lock (&core->lock);
  if (started)
    {
      self->set = coproc_call_set_new (coproc_worker_resource_get_messenger (self->worker));
      self->pid = coproc_worker_resource_get_pid (self->worker);
      self->takes_chunks = coproc_call_set_peer_has (self->set, COPROC_CHUNK_FEATURE);
      self->state = COPROC_WORKER_STATE_RUNNING;
      self->is_heavy = FALSE;
      self->pace = (CoprocPace) { 0 };
      self->n_tasks_of_worker = 0;
      coproc_pool_core_worker_started_locked (core, self);
    }
  else if (!is_to_leave_locked (self))
    {
      self->state = COPROC_WORKER_STATE_FAILED;
      if (core->state == COPROC_WORKER_STATE_STARTING)
        coproc_pool_core_fail_locked (core, g_steal_pointer (&error));
      else
        note_fruitless_locked (self, error);
    }
  g_mutex_unlock (&core->lock);
  g_clear_error (&error);
  return started;
}

static void
note_end (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;

  g_mutex_lock (&core->lock);
  if (self->n_tasks_of_worker > 0 || is_to_leave_locked (self))
    core->n_fruitless = 0;
  else
    note_fruitless_locked (self, self->complaint);
  g_mutex_unlock (&core->lock);
}

static gboolean
is_wanted (CoprocPoolDriver *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->core->lock);

  return !is_to_leave_locked (self);
}

static gpointer
driver_run (gpointer data)
{
  CoprocPoolDriver *self = data;
  CoprocPoolCore *core = self->core;

  while (is_wanted (self))
    {
      if (start_worker (self))
        {
          end_worker (self, serve (self));
          note_end (self);
        }
      g_clear_error (&self->complaint);
      g_clear_object (&self->worker);
    }

  g_mutex_lock (&core->lock);
  coproc_pool_core_driver_left_locked (core, self);
  g_mutex_unlock (&core->lock);
  coproc_pool_core_sweep (core);
  coproc_pool_driver_unref (self);
  return NULL;
}

gboolean
coproc_pool_driver_start_locked (CoprocPoolCore *core, gboolean counted, GError **error)
{
  CoprocPoolDriver *self = g_new0 (CoprocPoolDriver, 1);
  GThread *thread;

  g_atomic_ref_count_init (&self->ref_count);
  self->core = coproc_pool_core_ref (core);
  self->number = ++core->last_number;
  self->counted = counted;
  self->idle_link.data = self;
  g_queue_init (&self->line);
  g_ptr_array_add (core->drivers, self);
  thread = g_thread_try_new ("coproc-pool", driver_run, self, error);
  if (thread == NULL)
    {
      g_ptr_array_remove_fast (core->drivers, self);
      coproc_pool_driver_unref (self);
      return FALSE;
    }
  coproc_pool_events_tell_driver (core->events, self, TRUE);
  g_thread_unref (thread);
  return TRUE;
}
