/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A thread with a worker: starts it, keeps it busy, and replaces it when it has died or served its time.
 */
#include "pool/coproc-pool-driver-private.h"

#include "coproc-error.h"
#include "worker/coproc-chunk-private.h"
#include "worker/coproc-worker-resource-private.h"

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
      || self->now < self->idle_since + core->settings.idle_timeout)
    return;
  coproc_pool_driver_wake_locked (self);
  self->retiring = TRUE;
  core->n_retiring++;
}

/* Takes the next messages, or goes among the idle. (lock) Returns: FALSE when the worker is to end */
static gboolean
next_batch_locked (CoprocPoolDriver *self, CoprocParcelBatch *batch, gint64 *deadline)
{
  CoprocPoolCore *core = self->core;

  batch->n = 0;
  *deadline = -1;
  check_idle_locked (self);
  if (coproc_pool_core_is_ending_locked (core))
    return FALSE;
  if (!has_served_its_time_locked (self))
    coproc_pool_driver_take_locked (self, batch);
  if (self->line.length > 0)
    return TRUE;
  if (is_to_leave_locked (self) || has_served_its_time_locked (self))
    return FALSE;
  if (!self->idle)
    {
      self->idle = TRUE;
      self->idle_since = self->now;
      g_queue_push_head_link (&core->idle, &self->idle_link);
    }
  if (core->settings.idle_timeout >= 0)
    *deadline = self->idle_since + core->settings.idle_timeout;
  *deadline = coproc_earlier (*deadline, coproc_pool_driver_help_locked (self));
  return TRUE;
}

/* Until the worker has ended or is to end. Returns: whether it is to be killed */
static gboolean
serve (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;

  while (!coproc_call_set_is_over (self->set))
    {
      CoprocParcelBatch batch;
      gint64 deadline;
      gboolean more, was_idle;

      self->now = g_get_monotonic_time ();
      g_mutex_lock (&core->lock);
      was_idle = self->line.length == 0;
      more = next_batch_locked (self, &batch, &deadline);
      if (was_idle)
        {
          self->busy_since = self->now;
          self->asks_back = FALSE;
        }
      g_mutex_unlock (&core->lock);
      if (!more)
        return FALSE;
      if (batch.n > 0 && !coproc_pool_driver_send (self, &batch))
        continue;
      if (!coproc_pool_driver_tend (self, &deadline))
        return TRUE;
      if (coproc_pool_driver_collect (self, deadline) > 0)
        coproc_pool_driver_weigh (self);
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
    coproc_pool_driver_collect (self, -1);
  while (coproc_pool_driver_collect (self, 0) > 0)
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
  coproc_restart_history_clear (&self->history);
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

static void
get_rules (CoprocPoolDriver *self, CoprocRestartRules *rules)
{
  rules->policy = COPROC_RESTART_POLICY_ALWAYS;
  g_object_get (self->worker, "max-restarts", &rules->max_restarts, "restart-window", &rules->window_us, NULL);
}

/* A worker has answered nothing before it ended with @error, or could not even be started. Waits before the next one; if
 * there may be none, the pool fails. (lock) */
static void
note_fruitless_locked (CoprocPoolDriver *self, const CoprocRestartRules *rules, const GError *error)
{
  CoprocPoolCore *core = self->core;
  gint64 delay;

  if (self->n_answered != core->n_answered)
    coproc_restart_history_reset (&self->history);
  self->n_answered = core->n_answered;
  if (coproc_restart_history_ended (&self->history, rules, g_get_monotonic_time (), TRUE, &delay)
      == COPROC_RESTART_LATER)
    pause_locked (self, delay);
  else
    coproc_pool_core_fail_locked (core, coproc_restart_rules_make_error (rules, "of the pool", error));
}

static gboolean
start_worker (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GCancellable) starting = NULL;
  CoprocRestartRules rules;
  GError *error = NULL;
  gboolean started = FALSE;

  g_mutex_lock (&core->lock);
  self->state = COPROC_WORKER_STATE_STARTING;
  starting = g_object_ref (core->starting);
  arguments = core->arguments != NULL ? g_variant_ref (core->arguments) : NULL;
  g_mutex_unlock (&core->lock);

  self->worker = coproc_pool_core_new_worker (core);
  if (self->worker != NULL)
    {
      get_rules (self, &rules);
      started = coproc_worker_resource_start (self->worker, arguments, starting, &error);
    }

  g_mutex_lock (&core->lock);
  if (started)
    {
      self->set = coproc_call_set_new (coproc_worker_resource_get_messenger (self->worker));
      self->pid = coproc_worker_resource_get_pid (self->worker);
      self->takes_chunks = coproc_call_set_peer_has (self->set, COPROC_CHUNK_FEATURE);
      self->by_reference = coproc_messenger_passes_references (coproc_worker_resource_get_messenger (self->worker));
      self->state = COPROC_WORKER_STATE_RUNNING;
      self->is_heavy = FALSE;
      self->pace = (CoprocPace) { 0 };
      self->n_tasks_of_worker = 0;
      coproc_restart_history_alive (&self->history, g_get_monotonic_time ());
      coproc_pool_core_worker_started_locked (core, self);
    }
  else if (!is_to_leave_locked (self))
    {
      self->state = COPROC_WORKER_STATE_FAILED;
      if (core->state == COPROC_WORKER_STATE_STARTING)
        coproc_pool_core_fail_locked (core, g_steal_pointer (&error));
      else
        note_fruitless_locked (self, &rules, error);
    }
  g_mutex_unlock (&core->lock);
  g_clear_error (&error);
  return started;
}

/* What the connection of a worker that has ended says about that. */
static GError *
get_death (CoprocPoolDriver *self)
{
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (self->worker);
  GError *death = NULL;

  while (death == NULL)
    {
      g_autoptr (CoprocMessage) late G_GNUC_UNUSED = coproc_messenger_receive_any (messenger, 0, NULL, &death);
    }
  return death;
}

/* The worker has ended. */
static void
note_end (CoprocPoolDriver *self)
{
  CoprocPoolCore *core = self->core;
  CoprocRestartRules rules;

  if (self->n_tasks_of_worker > 0)
    return;
  if (self->complaint == NULL)
    self->complaint = get_death (self);
  get_rules (self, &rules);
  g_mutex_lock (&core->lock);
  if (!is_to_leave_locked (self))
    note_fruitless_locked (self, &rules, self->complaint);
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
  coproc_restart_history_init (&self->history);
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
