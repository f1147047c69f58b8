/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What follows the end of a life.
 *
 *   over ── policy says so ──▶ waiting ── back-off ──▶ attempt ── greeting ──▶ alive
 *                                 ▲                       └── failure ──┐
 *                                 └─────────── policy says so ◀────────┘
 *
 * From the end of the one life to the greeting of the next the state of the worker is STARTING. The
 * background thread waits; an attempt is a thread of its own, since a start blocks.
 */
#include "worker/coproc-worker-supervisor-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-fork-private.h"
#include "wire/coproc-io-private.h"
#include "worker/coproc-worker-run-private.h"

typedef enum
{
  RESTART_NONE,
  RESTART_WAITING,         /* for the back-off to pass */
  RESTART_BEGINNING,       /* there is a thread for the attempt, but no new life yet */
  RESTART_ATTEMPT,         /* the latest life is being started */
} RestartStage;

struct _CoprocWorkerSupervisor
{
  gatomicrefcount ref_count;
  CoprocWorkerObserver *observer;  /* immutable (owned) */
  CoprocForkGuard guard;           /* thread-safe by itself */

  GMutex lock;

  /* (mutex lock) */
  CoprocRestartRules rules;
  CoprocRestartHistory history;
  guint n_restarts;                /* since the application's own start */
  CoprocWorkerSetup *setup;        /* (nullable) (owned) of the application's own start */
  CoprocWorkerRun *run;            /* (nullable) (owned) the latest life */
  CoprocWorkerRun *previous;       /* (nullable) (owned) the one before it that has a messenger: who is
                                      still using that is given until the next restart to let it go */
  gboolean wanted;                 /* the application has started it, and not asked it to end */
  RestartStage stage;
  GSource *timer;                  /* (nullable) while WAITING */
  GMainContext *io;                /* (nullable) a user of the background thread while not NONE */
  GError *given_up;                /* (nullable) why it was not restarted */
};

/* A child of this process restarts nothing. What the background thread had of a restart is lost there. */
static void
coproc_worker_supervisor_disown (gpointer object)
{
  CoprocWorkerSupervisor *self = object;

  self->wanted = FALSE;
  self->stage = RESTART_NONE;
  self->timer = NULL;
  self->io = NULL;
  if (self->run != NULL)
    self->run->is_attempted = FALSE;
}

CoprocWorkerSupervisor *
coproc_worker_supervisor_new (CoprocWorkerObserver *observer)
{
  CoprocWorkerSupervisor *self = g_new0 (CoprocWorkerSupervisor, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  coproc_restart_history_init (&self->history);
  self->observer = coproc_worker_observer_ref (observer);
  self->rules = (CoprocRestartRules) {
    COPROC_RESTART_POLICY_NEVER,
    COPROC_DEFAULT_MAX_RESTARTS,
    COPROC_DEFAULT_RESTART_WINDOW_US,
  };
  coproc_fork_guard_add (&self->guard, COPROC_FORK_SUPERVISOR, &self->lock, coproc_worker_supervisor_disown, self);

  return self;
}

CoprocWorkerSupervisor *
coproc_worker_supervisor_ref (CoprocWorkerSupervisor *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_worker_supervisor_unref (CoprocWorkerSupervisor *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  g_assert (self->run == NULL && self->previous == NULL && self->timer == NULL && self->io == NULL);
  g_clear_pointer (&self->setup, coproc_worker_setup_unref);
  g_clear_error (&self->given_up);
  coproc_restart_history_clear (&self->history);
  coproc_worker_observer_unref (self->observer);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* --- the stages of a restart --- */

static gboolean on_back_off_over (gpointer user_data);

/* No restart any more. Returns: whether the background thread is to be given up, without the lock. */
static gboolean
leave_restart_locked (CoprocWorkerSupervisor *self)
{
  self->stage = RESTART_NONE;
  if (self->timer != NULL)
    {
      g_source_destroy (self->timer);
      g_clear_pointer (&self->timer, g_source_unref);
    }
  return g_steal_pointer (&self->io) != NULL;
}

static gboolean
wait_locked (CoprocWorkerSupervisor *self, gint64 delay_us, GError **error)
{
  if (self->io == NULL)
    self->io = coproc_io_ref (error);
  if (self->io == NULL)
    {
      g_prefix_error_literal (error, "The worker cannot be restarted: ");
      return FALSE;
    }

  self->stage = RESTART_WAITING;
  self->timer = coproc_io_add_timeout (self->io, delay_us, on_back_off_over,
                                       coproc_worker_supervisor_ref (self),
                                       (GDestroyNotify) coproc_worker_supervisor_unref);
  return TRUE;
}

/* @reason: (transfer full). Whoever uses the last messenger is told before the state says FAILED. */
static void
give_up (CoprocWorkerSupervisor *self, CoprocWorkerRun *run, GError *reason)
{
  g_autoptr (CoprocWorkerRun) previous = NULL;
  gboolean uses_io = FALSE;

  g_mutex_lock (&self->lock);
  previous = self->previous != NULL ? coproc_worker_run_ref (self->previous) : NULL;
  g_mutex_unlock (&self->lock);

  if (!coproc_worker_run_explain_end (run, reason) && previous != NULL)
    coproc_worker_run_explain_end (previous, reason);

  g_mutex_lock (&self->lock);
  if (self->run == run && self->wanted)
    {
      self->wanted = FALSE;
      self->given_up = g_steal_pointer (&reason);
      uses_io = leave_restart_locked (self);
    }
  g_mutex_unlock (&self->lock);

  g_clear_error (&reason);
  if (uses_io)
    coproc_io_unref ();
}

void
coproc_worker_supervisor_ended (CoprocWorkerSupervisor  *self,
                                CoprocWorkerRun         *run,
                                gboolean                 failed,
                                const GError            *death)
{
  GError *reason = NULL;
  gboolean uses_io = FALSE;
  gint64 delay_us;

  g_mutex_lock (&self->lock);
  if (self->run == run && self->wanted)
    switch (coproc_restart_history_ended (&self->history, &self->rules, g_get_monotonic_time (), failed,
                                          &delay_us))
      {
      case COPROC_RESTART_LATER:
        wait_locked (self, delay_us, &reason);
        break;
      case COPROC_RESTART_GIVE_UP:
        reason = coproc_restart_rules_make_error (&self->rules, run->label, death);
        break;
      case COPROC_RESTART_NO:
      default:
        uses_io = leave_restart_locked (self);
        break;
      }
  else
    uses_io = leave_restart_locked (self);
  g_mutex_unlock (&self->lock);

  if (reason != NULL)
    give_up (self, run, reason);
  if (uses_io)
    coproc_io_unref ();
}

guint
coproc_worker_supervisor_alive (CoprocWorkerSupervisor *self, CoprocWorkerRun *run)
{
  gboolean uses_io = FALSE;
  guint n_restarts = 0;

  g_mutex_lock (&self->lock);
  if (self->run == run)
    {
      coproc_restart_history_alive (&self->history, g_get_monotonic_time ());
      if (self->stage == RESTART_ATTEMPT && self->wanted)
        n_restarts = ++self->n_restarts;
      uses_io = leave_restart_locked (self);
    }
  g_mutex_unlock (&self->lock);

  if (uses_io)
    coproc_io_unref ();
  return n_restarts;
}

/* --- an attempt --- */

/* The life to be started: (transfer full) (nullable): nobody wants it any more. */
static CoprocWorkerRun *
begin_attempt (CoprocWorkerSupervisor *self)
{
  g_autoptr (CoprocWorkerSetup) setup = NULL;
  CoprocWorkerRun *run, *old = NULL;

  g_mutex_lock (&self->lock);
  setup = coproc_worker_setup_ref (self->setup);
  g_mutex_unlock (&self->lock);
  run = coproc_worker_run_new (self, self->observer, setup);

  g_mutex_lock (&self->lock);
  if (self->stage == RESTART_BEGINNING && self->wanted)
    {
      self->stage = RESTART_ATTEMPT;
      /* One that never was alive has nothing that is worth keeping. */
      if (coproc_worker_run_get_messenger (self->run) != NULL)
        {
          old = self->previous;
          self->previous = self->run;
        }
      else
        old = self->run;
      self->run = coproc_worker_run_ref (run);
      run->is_attempted = TRUE;
    }
  else
    old = g_steal_pointer (&run);
  g_mutex_unlock (&self->lock);

  if (old != NULL)
    coproc_worker_run_release (old);
  return run;
}

/* The attempt is over, whatever has come of it. (transfer full) @run */
static void
end_attempt (CoprocWorkerSupervisor *self, CoprocWorkerRun *run)
{
  gboolean left_behind;

  g_mutex_lock (&self->lock);
  run->is_attempted = FALSE;
  left_behind = run->is_left_behind;
  g_mutex_unlock (&self->lock);

  if (left_behind)
    coproc_worker_run_release (run);
  else
    coproc_worker_run_unref (run);
}

static gpointer
attempt_in_thread (gpointer user_data)
{
  g_autoptr (CoprocWorkerSupervisor) self = user_data;
  CoprocWorkerRun *run = begin_attempt (self);
  g_autoptr (GError) error = NULL;

  if (run == NULL)
    return NULL;

  if (!coproc_worker_run_start (run, NULL, &error))
    {
      coproc_worker_supervisor_ended (self, run, TRUE, error);
      coproc_worker_observer_tell_state (self->observer);
    }
  end_attempt (self, run);
  return NULL;
}

static gboolean
on_back_off_over (gpointer user_data)
{
  CoprocWorkerSupervisor *self = user_data;
  g_autoptr (CoprocWorkerRun) run = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;

  g_mutex_lock (&self->lock);
  /* It may have been dropped while it was being dispatched. */
  if (self->timer == g_main_current_source ())
    {
      g_clear_pointer (&self->timer, g_source_unref);
      self->stage = RESTART_BEGINNING;
      run = coproc_worker_run_ref (self->run);
    }
  g_mutex_unlock (&self->lock);
  if (run == NULL)
    return G_SOURCE_REMOVE;

  thread = g_thread_try_new ("coproc-start", attempt_in_thread, coproc_worker_supervisor_ref (self), &error);
  g_clear_pointer (&thread, g_thread_unref);
  if (error != NULL)
    {
      coproc_worker_supervisor_unref (self);
      coproc_worker_supervisor_ended (self, run, TRUE, error);
      coproc_worker_observer_tell_state (self->observer);
    }
  return G_SOURCE_REMOVE;
}

/* --- for the object --- */

void
coproc_worker_supervisor_get_rules (CoprocWorkerSupervisor *self, CoprocRestartRules *rules)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  *rules = self->rules;
}

void
coproc_worker_supervisor_set_rules (CoprocWorkerSupervisor *self, const CoprocRestartRules *rules)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->rules = *rules;
}

static CoprocWorkerState
get_state_locked (CoprocWorkerSupervisor *self)
{
  if (self->run == NULL)
    return COPROC_WORKER_STATE_NEW;
  if (!coproc_worker_run_is_over (self->run))
    return coproc_worker_run_get_state (self->run);
  if (self->stage != RESTART_NONE && self->wanted)
    return COPROC_WORKER_STATE_STARTING;
  return self->given_up != NULL ? COPROC_WORKER_STATE_FAILED : coproc_worker_run_get_state (self->run);
}

CoprocWorkerState
coproc_worker_supervisor_get_state (CoprocWorkerSupervisor *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return get_state_locked (self);
}

static gboolean
is_over (CoprocWorkerState state)
{
  return state == COPROC_WORKER_STATE_NEW || state == COPROC_WORKER_STATE_EXITED
         || state == COPROC_WORKER_STATE_FAILED;
}

CoprocWorkerRun *
coproc_worker_supervisor_begin (CoprocWorkerSupervisor *self, CoprocWorkerSetup *setup, GError **error)
{
  CoprocWorkerRun *run = coproc_worker_run_new (self, self->observer, setup);
  CoprocWorkerRun *last = NULL, *previous = NULL;
  g_autoptr (CoprocWorkerSetup) old_setup = NULL;
  gboolean begins;

  g_mutex_lock (&self->lock);
  begins = is_over (get_state_locked (self));
  if (begins)
    {
      old_setup = g_steal_pointer (&self->setup);
      self->setup = coproc_worker_setup_ref (setup);
      g_clear_error (&self->given_up);
      coproc_restart_history_reset (&self->history);
      self->n_restarts = 0;
      self->wanted = TRUE;
      last = self->run;
      previous = g_steal_pointer (&self->previous);
      self->run = coproc_worker_run_ref (run);
    }
  g_mutex_unlock (&self->lock);

  if (last != NULL)
    coproc_worker_run_release (last);
  if (previous != NULL)
    coproc_worker_run_release (previous);
  if (begins)
    coproc_worker_observer_tell_state (self->observer);
  else
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE, "Worker %s is running already", run->label);
      g_clear_pointer (&run, coproc_worker_run_unref);
    }
  return run;
}

gboolean
coproc_worker_supervisor_let_go (CoprocWorkerSupervisor *self)
{
  gboolean was_waiting, uses_io = FALSE;

  g_mutex_lock (&self->lock);
  was_waiting = self->wanted && (self->stage == RESTART_WAITING || self->stage == RESTART_BEGINNING);
  self->wanted = FALSE;
  if (was_waiting)
    uses_io = leave_restart_locked (self);
  g_mutex_unlock (&self->lock);

  if (was_waiting)
    coproc_worker_observer_tell_state (self->observer);
  if (uses_io)
    coproc_io_unref ();
  return was_waiting;
}

CoprocWorkerRun *
coproc_worker_supervisor_dup_run (CoprocWorkerSupervisor *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->run != NULL ? coproc_worker_run_ref (self->run) : NULL;
}

CoprocMessenger *
coproc_worker_supervisor_get_messenger (CoprocWorkerSupervisor *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  CoprocMessenger *messenger = NULL;

  if (self->run != NULL)
    messenger = coproc_worker_run_get_messenger (self->run);
  if (messenger == NULL && self->previous != NULL)
    messenger = coproc_worker_run_get_messenger (self->previous);
  return messenger;
}

gboolean
coproc_worker_supervisor_has_given_up (CoprocWorkerSupervisor *self, GError **error)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->given_up == NULL)
    return FALSE;
  g_propagate_error (error, g_error_copy (self->given_up));
  return TRUE;
}

void
coproc_worker_supervisor_release (CoprocWorkerSupervisor *self)
{
  CoprocWorkerRun *run, *previous;
  gboolean left_behind = FALSE;

  coproc_worker_supervisor_let_go (self);

  g_mutex_lock (&self->lock);
  run = g_steal_pointer (&self->run);
  previous = g_steal_pointer (&self->previous);
  if (run != NULL)
    left_behind = run->is_left_behind = run->is_attempted;
  g_mutex_unlock (&self->lock);

  if (previous != NULL)
    coproc_worker_run_release (previous);
  if (left_behind)
    {
      /* The thread that starts it has the last word. */
      coproc_worker_run_stop (run, COPROC_STOP_ASKED, run->setup->grace_us);
      coproc_worker_run_unref (run);
    }
  else if (run != NULL)
    coproc_worker_run_release (run);
}
