/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The life of a pool, and what its drivers have in common.
 *
 *   NEW ──▶ STARTING ──▶ RUNNING ──▶ STOPPING ──▶ EXITED
 *              └── a worker does not start ──▶ STOPPING ──▶ FAILED
 *                  RUNNING ── workers only die ──▶ STOPPING ──▶ FAILED;  EXITED, FAILED ──▶ STARTING
 *
 * In STOPPING the drivers leave; the last one says what comes after it.
 */
#include "pool/coproc-pool-private.h"

#include "coproc-error.h"
#include "worker/coproc-worker-resource-private.h"

/* --- life --- */

CoprocPoolCore *
coproc_pool_core_new (CoprocPoolEvents *events)
{
  CoprocPoolCore *self = g_new0 (CoprocPoolCore, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->model_lock);
  g_cond_init (&self->changed);
  self->events = coproc_pool_events_ref (events);
  self->state = COPROC_WORKER_STATE_NEW;
  self->drivers = g_ptr_array_new ();
  coproc_pool_queue_init (&self->queue);
  return self;
}

CoprocPoolCore *
coproc_pool_core_ref (CoprocPoolCore *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_pool_core_unref (CoprocPoolCore *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->drivers->len == 0 && self->spent.length == 0);
  g_ptr_array_unref (self->drivers);
  coproc_pool_queue_clear (&self->queue);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_object (&self->starting);
  g_clear_error (&self->failure);
  coproc_pool_events_unref (self->events);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->model_lock);
  g_mutex_clear (&self->lock);
  g_free (self);
}

CoprocWorkerResource *
coproc_pool_core_new_worker (CoprocPoolCore *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->model_lock);
  CoprocWorkerResource *worker;

  if (self->model == NULL)
    return NULL;
  worker = coproc_worker_resource_new_like (self->model);
  /* To replace a worker is the driver's affair, which knows what its end leaves undone. */
  g_object_set (worker, "restart-policy", COPROC_RESTART_POLICY_NEVER, NULL);
  return worker;
}

static void
set_state_locked (CoprocPoolCore *self, CoprocWorkerState state)
{
  self->state = state;
  g_cond_broadcast (&self->changed);
  coproc_pool_events_tell_state (self->events);
}

gboolean
coproc_pool_core_is_ending_locked (CoprocPoolCore *self)
{
  return self->state == COPROC_WORKER_STATE_STOPPING;
}

/* --- start --- */

/* How many workers there are when nothing is to be done. */
static guint
get_standing_locked (CoprocPoolCore *self)
{
  return self->settings.idle_timeout < 0 ? self->settings.n_workers : 1;
}

gboolean
coproc_pool_core_start_locked (CoprocPoolCore *self, GVariant *arguments, GError **error)
{
  g_autoptr (GError) failure = NULL;
  guint n;

  if (self->state != COPROC_WORKER_STATE_NEW && self->state != COPROC_WORKER_STATE_EXITED
      && self->state != COPROC_WORKER_STATE_FAILED)
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE, "The pool is running already");
      return FALSE;
    }
  g_clear_pointer (&self->arguments, g_variant_unref);
  self->arguments = arguments != NULL ? g_variant_ref (arguments) : NULL;
  g_clear_error (&self->failure);
  g_clear_object (&self->starting);
  self->starting = g_cancellable_new ();
  self->n_starting = 0;
  set_state_locked (self, COPROC_WORKER_STATE_STARTING);

  n = get_standing_locked (self);
  for (guint i = 0; i < n && failure == NULL; i++)
    if (coproc_pool_driver_start_locked (self, TRUE, &failure))
      self->n_starting++;
  if (failure == NULL)
    return TRUE;

  if (self->drivers->len == 0)
    {
      set_state_locked (self, COPROC_WORKER_STATE_FAILED);
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  coproc_pool_core_fail_locked (self, g_steal_pointer (&failure));
  return TRUE;
}

/* All of @tasks, which wait for it, end with TRUE, or a copy of @error (nullable). */
static void
return_tasks_locked (GQueue *tasks, const GError *error)
{
  GTask *task;

  while ((task = g_queue_pop_head (tasks)) != NULL)
    coproc_pool_return (task, error != NULL ? g_error_copy (error) : NULL);
}

void
coproc_pool_core_look_locked (CoprocPoolCore *self)
{
  if (self->state == COPROC_WORKER_STATE_STARTING || self->state == COPROC_WORKER_STATE_STOPPING)
    return;
  return_tasks_locked (&self->starts, self->failure);
  if (self->state != COPROC_WORKER_STATE_RUNNING)
    return_tasks_locked (&self->stops, NULL);
}

void
coproc_pool_core_worker_started_locked (CoprocPoolCore *self, CoprocPoolDriver *driver)
{
  if (driver->counted)
    self->n_starting--;
  driver->counted = FALSE;
  if (self->state == COPROC_WORKER_STATE_STARTING && self->n_starting == 0)
    {
      set_state_locked (self, COPROC_WORKER_STATE_RUNNING);
      coproc_pool_core_look_locked (self);
    }
}

/* --- tasks --- */

gboolean
coproc_pool_core_check_locked (CoprocPoolCore *self, GError **error)
{
  if (self->state == COPROC_WORKER_STATE_RUNNING)
    return TRUE;
  if (self->failure != NULL)
    g_propagate_error (error, g_error_copy (self->failure));
  else
    g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_NOT_ALIVE, "The pool is not running");
  return FALSE;
}

/* Adds a driver where there is work that nobody takes up. */
static void
grow_locked (CoprocPoolCore *self)
{
  g_autoptr (GError) error = NULL;

  if (self->state != COPROC_WORKER_STATE_RUNNING
      || self->drivers->len - self->n_retiring >= self->settings.n_workers)
    return;
  if (!coproc_pool_driver_start_locked (self, FALSE, &error) && self->drivers->len == 0)
    coproc_pool_core_fail_locked (self, g_steal_pointer (&error));
}

/* Wakes as many drivers as there are inputs, or makes them. */
static void
call_drivers_locked (CoprocPoolCore *self, gsize n)
{
  for (; n > 0; n--)
    {
      CoprocPoolDriver *driver = g_queue_peek_head (&self->idle);

      if (driver == NULL)
        break;
      coproc_pool_driver_wake_locked (driver);
    }
  for (; n > 0 && self->drivers->len - self->n_retiring < self->settings.n_workers
         && self->state == COPROC_WORKER_STATE_RUNNING;
       n--)
    grow_locked (self);
}

void
coproc_pool_core_offer_locked (CoprocPoolCore *self, CoprocPoolJob *job)
{
  if (!job->queued && job->n_queued > 0)
    coproc_pool_queue_add (&self->queue, job);
  call_drivers_locked (self, job->n_queued);
}

void
coproc_pool_core_withdraw_locked (CoprocPoolCore *self, CoprocPoolJob *job)
{
  const gint64 now = g_get_monotonic_time ();
  GList *link;

  coproc_pool_queue_remove (&self->queue, job);
  while ((link = g_queue_pop_head_link (&job->returned)) != NULL)
    g_queue_push_tail_link (&self->spent, link);

  for (guint i = 0; job->n_out > 0 && i < self->drivers->len; i++)
    {
      CoprocPoolDriver *driver = g_ptr_array_index (self->drivers, i);
      gboolean any = FALSE;

      coproc_pool_broadcast_withdraw_locked (driver, job);
      for (link = driver->line.head; link != NULL; link = link->next)
        {
          CoprocParcel *parcel = link->data;

          if (parcel->job == job && parcel->dropped_at == 0)
            {
              parcel->dropped_at = now;
              any = TRUE;
            }
        }
      driver->any_dropped |= any;
      if (any)
        coproc_pool_driver_wake_locked (driver);
    }
}

void
coproc_pool_core_sweep (CoprocPoolCore *self)
{
  GQueue spent;
  GList *link;

  g_mutex_lock (&self->lock);
  spent = self->spent;
  g_queue_init (&self->spent);
  g_mutex_unlock (&self->lock);

  while ((link = g_queue_pop_head_link (&spent)) != NULL)
    coproc_parcel_free (link->data);
}

/* --- the end --- */

/* Every job that has something queued fails. What is under way is its driver's. */
static void
fail_jobs_locked (CoprocPoolCore *self, const GError *error)
{
  CoprocPoolJob *job;

  while ((job = coproc_pool_queue_peek (&self->queue)) != NULL)
    coproc_pool_job_give_up_locked (job, g_error_copy (error));
}

/* Nobody is left to wait for. */
static void
all_left_locked (CoprocPoolCore *self)
{
  set_state_locked (self, self->failure != NULL ? COPROC_WORKER_STATE_FAILED : COPROC_WORKER_STATE_EXITED);
  coproc_pool_core_look_locked (self);
}

static void
end_locked (CoprocPoolCore *self, const GError *reason)
{
  set_state_locked (self, COPROC_WORKER_STATE_STOPPING);
  g_cancellable_cancel (self->starting); /* of the drivers only */
  fail_jobs_locked (self, reason);
  for (guint i = 0; i < self->drivers->len; i++)
    coproc_pool_driver_wake_locked (g_ptr_array_index (self->drivers, i));
  if (self->drivers->len == 0)
    all_left_locked (self);
}

static void
stop_locked (CoprocPoolCore *self, gint64 grace_us)
{
  g_autoptr (GError) reason = g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED, "The pool was stopped");

  if (self->state != COPROC_WORKER_STATE_STOPPING || (guint64) grace_us < (guint64) self->stop_grace)
    self->stop_grace = grace_us; /* -1 is the longest */
  if (self->state != COPROC_WORKER_STATE_STARTING && self->state != COPROC_WORKER_STATE_RUNNING)
    return;
  if (self->state == COPROC_WORKER_STATE_STARTING)
    self->failure = g_error_copy (reason);
  end_locked (self, reason);
}

/* Workers that are ending. (lock) (transfer full) */
static GPtrArray *
get_ending_locked (CoprocPoolCore *self)
{
  GPtrArray *workers = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->drivers->len; i++)
    {
      CoprocPoolDriver *driver = g_ptr_array_index (self->drivers, i);

      if (driver->state == COPROC_WORKER_STATE_STOPPING)
        g_ptr_array_add (workers, g_object_ref (driver->worker));
    }
  return workers;
}

void
coproc_pool_core_stop (CoprocPoolCore *self, gint64 grace_us)
{
  g_autoptr (GPtrArray) ending = NULL;

  g_mutex_lock (&self->lock);
  stop_locked (self, grace_us);
  ending = get_ending_locked (self);
  g_mutex_unlock (&self->lock);
  coproc_pool_core_sweep (self);

  for (guint i = 0; i < ending->len; i++)
    {
      g_autoptr (CoprocWorkerRun) run G_GNUC_UNUSED
          = coproc_worker_resource_begin_stop (g_ptr_array_index (ending, i), grace_us);
    }
}

void
coproc_pool_core_fail_locked (CoprocPoolCore *self, GError *error)
{
  if (self->state != COPROC_WORKER_STATE_STARTING && self->state != COPROC_WORKER_STATE_RUNNING)
    {
      g_error_free (error);
      return;
    }
  self->stop_grace = 0;
  self->failure = error;
  end_locked (self, error);
}

void
coproc_pool_core_driver_left_locked (CoprocPoolCore *self, CoprocPoolDriver *driver)
{
  g_ptr_array_remove_fast (self->drivers, driver);
  coproc_pool_broadcast_leave_locked (driver);
  coproc_pool_events_tell_driver (self->events, driver, FALSE);
  if (driver->retiring)
    self->n_retiring--;
  g_cond_broadcast (&self->changed);
  if (self->drivers->len == 0 && self->state == COPROC_WORKER_STATE_STOPPING)
    all_left_locked (self);
  else if (self->n_queued > 0 && self->idle.length == 0)
    grow_locked (self);
}

/* Tells @n drivers to leave, those that are idle first. */
static void
retire_locked (CoprocPoolCore *self, guint n)
{
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < self->drivers->len && n > 0; i++)
      {
        CoprocPoolDriver *driver = g_ptr_array_index (self->drivers, i);

        if (driver->retiring || (pass == 0 && !driver->idle))
          continue;
        driver->retiring = TRUE;
        self->n_retiring++;
        coproc_pool_driver_wake_locked (driver);
        n--;
      }
}

void
coproc_pool_core_adjust_locked (CoprocPoolCore *self)
{
  const guint n = self->drivers->len - self->n_retiring;

  if (self->state != COPROC_WORKER_STATE_RUNNING)
    return;
  if (n > self->settings.n_workers)
    retire_locked (self, n - self->settings.n_workers);
  else
    for (guint i = n; i < get_standing_locked (self) && self->state == COPROC_WORKER_STATE_RUNNING; i++)
      grow_locked (self);
  call_drivers_locked (self, self->n_queued);
}
