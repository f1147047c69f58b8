/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One life of a worker.
 *
 *   STARTING ── greeting ──▶ RUNNING ── stop, or the connection's end ──▶ STOPPING
 *      │  │                     └── death ──▶ EXITED ◀── death ──┘  │
 *      │  └── stop ──▶ STOPPING ── death ──▶ FAILED ◀───────────────┘ (before the greeting)
 *      └── anything wrong ──▶ FAILED
 *
 * Threads: the background thread learns of the death, takes in the worker's last words, settles the
 * messenger with the reason, and only then says that the run is over. While a thread is in start(),
 * that thread has the last word on the state.
 */
#include "worker/coproc-worker-run-private.h"

#include <string.h>

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-unix-private.h"

static const guint8 legal_edges[][COPROC_WORKER_STATE_FAILED + 1] = {
  [COPROC_WORKER_STATE_STARTING] = { [COPROC_WORKER_STATE_RUNNING] = 1,
                                     [COPROC_WORKER_STATE_STOPPING] = 1,
                                     [COPROC_WORKER_STATE_FAILED] = 1 },
  [COPROC_WORKER_STATE_RUNNING] = { [COPROC_WORKER_STATE_STOPPING] = 1,
                                    [COPROC_WORKER_STATE_EXITED] = 1 },
  [COPROC_WORKER_STATE_STOPPING] = { [COPROC_WORKER_STATE_EXITED] = 1,
                                     [COPROC_WORKER_STATE_FAILED] = 1 },
  [COPROC_WORKER_STATE_FAILED] = { 0 },
};

/* In a child of this process it is a run that has ended, nobody there knows how. What the background thread
 * had of it is lost. */
static void
coproc_worker_run_disown (gpointer object)
{
  CoprocWorkerRun *self = object;

  if (self->state == COPROC_WORKER_STATE_EXITED || self->state == COPROC_WORKER_STATE_FAILED)
    return;

  self->state = COPROC_WORKER_STATE_EXITED;
  self->status = (CoprocExit) { COPROC_EXIT_UNKNOWN, -1 };
  self->launched = self->greeting = FALSE;
  self->n_holds = 0;
  self->hang.source = NULL;
  self->ended = TRUE;
  self->stage_source = NULL;
  self->io = NULL;
}

CoprocWorkerRun *
coproc_worker_run_new (CoprocWorkerSupervisor  *supervisor,
                       CoprocWorkerObserver    *observer,
                       CoprocWorkerSetup       *setup)
{
  CoprocWorkerRun *self = g_new0 (CoprocWorkerRun, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->supervisor = coproc_worker_supervisor_ref (supervisor);
  self->observer = coproc_worker_observer_ref (observer);
  self->setup = coproc_worker_setup_ref (setup);
  self->label = coproc_worker_setup_dup_label (setup);
  self->state = COPROC_WORKER_STATE_STARTING;
  self->greeting = TRUE;
  self->waits = g_ptr_array_new ();
  coproc_fork_guard_add (&self->guard, COPROC_FORK_RUN, &self->lock, coproc_worker_run_disown, self);

  return self;
}

CoprocWorkerRun *
coproc_worker_run_ref (CoprocWorkerRun *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_worker_run_unref (CoprocWorkerRun *self)
{
  gboolean uses_io;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  uses_io = self->io != NULL;
  g_assert (self->messenger == NULL && self->stage_source == NULL && self->waits->len == 0);
  g_clear_pointer (&self->tail, coproc_stderr_tail_unref);
  g_clear_pointer (&self->process, coproc_process_unref);
  coproc_worker_setup_unref (self->setup);
  coproc_worker_observer_unref (self->observer);
  coproc_worker_supervisor_unref (self->supervisor);
  g_clear_error (&self->broken);
  g_clear_error (&self->death);
  g_ptr_array_unref (self->waits);
  g_free (self->label);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
  if (uses_io)
    coproc_io_unref ();
}

void
coproc_worker_run_set_state_locked (CoprocWorkerRun *self, CoprocWorkerState state)
{
  g_assert (self->state < G_N_ELEMENTS (legal_edges) && legal_edges[self->state][state]);

  self->state = state;
  coproc_worker_observer_tell_state (self->observer);
  coproc_worker_run_wake_locked (self);
}

CoprocWorkerState
coproc_worker_run_get_state (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->state;
}

gboolean
coproc_worker_run_is_over (CoprocWorkerRun *self)
{
  CoprocWorkerState state = coproc_worker_run_get_state (self);

  return state == COPROC_WORKER_STATE_EXITED || state == COPROC_WORKER_STATE_FAILED;
}

CoprocExit
coproc_worker_run_get_exit (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->status;
}

GPid
coproc_worker_run_get_pid (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->process == NULL || self->status.kind != COPROC_EXIT_NOT_YET)
    return 0;
  return coproc_process_get_pid (self->process);
}

char *
coproc_worker_run_dup_name (CoprocWorkerRun *self)
{
  if (self->process == NULL)
    return g_strdup_printf ("Worker thread %s", self->label);
  return g_strdup_printf ("Worker %d (%s)", (int) coproc_process_get_pid (self->process), self->label);
}

CoprocMessenger *
coproc_worker_run_get_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->greeting ? NULL : self->messenger;
}

/* --- the end --- */

CoprocMessenger *
coproc_worker_run_hold_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->n_holds++;
  return self->messenger;
}

void
coproc_worker_run_let_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  self->n_holds--;
  coproc_worker_run_wake_locked (self);
}

/* The run of a worker that had greeted is over. @failed: not in the way that a worker ends properly. Once. */
static void
finish (CoprocWorkerRun *self, gboolean failed, const GError *death)
{
  const CoprocExit *status = &self->status;

  coproc_worker_supervisor_ended (self->supervisor, self, failed, death);

  g_mutex_lock (&self->lock);
  coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_EXITED);
  coproc_worker_observer_tell_exited (self->observer,
                                      status->kind == COPROC_EXIT_CODE ? status->value : -1,
                                      status->kind == COPROC_EXIT_SIGNAL ? status->value : 0);
  g_mutex_unlock (&self->lock);
}

void
coproc_worker_run_ended (CoprocWorkerRun *self, CoprocExit status)
{
  g_autoptr (GError) death = NULL;
  CoprocMessenger *messenger;
  gboolean greeted, failed, finishes, uses_io;

  if (self->tail != NULL)
    coproc_stderr_tail_finish (self->tail);

  g_mutex_lock (&self->lock);
  self->status = status;
  coproc_worker_run_stop_ended_locked (self);
  coproc_worker_run_unwatch_locked (self);
  g_mutex_unlock (&self->lock);

  messenger = coproc_worker_run_hold_messenger (self);
  /* What it did last is known when its last words have been taken in. */
  greeted = messenger != NULL && coproc_messenger_take_last_words (messenger);
  death = coproc_worker_run_make_death (self, greeted);
  failed = messenger == NULL || coproc_messenger_settle (messenger, death)
           || status.kind == COPROC_EXIT_SIGNAL || (status.kind == COPROC_EXIT_CODE && status.value != 0);

  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  self->failed = failed;
  self->death = g_error_copy (death);
  /* Otherwise the thread in start() does; one that gave up waiting for this has said FAILED already. */
  finishes = !self->greeting && self->state != COPROC_WORKER_STATE_FAILED;
  g_mutex_unlock (&self->lock);

  if (finishes)
    finish (self, failed, death);
  coproc_worker_run_let_messenger (self);

  g_mutex_lock (&self->lock);
  /* Only the stages used it; the run itself may be kept for long. */
  uses_io = g_steal_pointer (&self->io) != NULL;
  g_mutex_unlock (&self->lock);

  if (uses_io)
    coproc_io_unref ();
}

gboolean
coproc_worker_run_explain_end (CoprocWorkerRun *self, const GError *reason)
{
  CoprocMessenger *messenger = coproc_worker_run_hold_messenger (self);

  if (messenger != NULL)
    coproc_messenger_explain_end (messenger, reason);
  coproc_worker_run_let_messenger (self);
  return messenger != NULL;
}

/* Takes the messenger away, for the caller to drop. Not from the background thread. */
static CoprocMessenger *
steal_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  while (self->n_holds > 0)
    g_cond_wait (&self->changed, &self->lock);

  return g_steal_pointer (&self->messenger);
}

void
coproc_worker_run_release (CoprocWorkerRun *self)
{
  g_autoptr (CoprocMessenger) messenger = NULL;

  if (!coproc_worker_run_is_over (self))
    coproc_worker_run_stop (self, COPROC_STOP_ASKED, self->setup->grace_us);

  messenger = steal_messenger (self);
  if (messenger != NULL && !coproc_worker_run_is_over (self))
    coproc_messenger_close (messenger);
  coproc_worker_run_unref (self);
}

/* --- the start --- */

/* Greets the worker and waits for its greeting. */
static gboolean
greet (CoprocWorkerRun *self, GCancellable *cancellable, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_autoptr (GVariant) hello = NULL;
  g_autoptr (GError) local_error = NULL;
  GVariantDict extra;

  g_variant_dict_init (&extra, NULL);
  if (setup->arguments != NULL)
    g_variant_dict_insert_value (&extra, "arguments", setup->arguments);
  if (setup->rlimits != NULL)
    g_variant_dict_insert_value (&extra, "rlimits", setup->rlimits);
  if (self->heartbeat_us > 0)
    g_variant_dict_insert (&extra, "heartbeat", "t", (guint64) self->heartbeat_us);

  g_object_set (self->messenger, "max-message-size", setup->max_message_size, NULL);
  /* Where the worker is gone before it could be greeted, the reason is still to come. */
  if (!coproc_messenger_send_hello (self->messenger, g_variant_dict_end (&extra), &local_error)
      && (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE)
          || g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD)))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  g_clear_error (&local_error);

  hello = coproc_messenger_await_hello (self->messenger, setup->start_timeout_us, cancellable,
                                        &local_error);
  if (hello != NULL && setup->mode == COPROC_WORKER_MODE_PROCESS
      && setup->transport == COPROC_TRANSPORT_SHARED_MEMORY
      && !g_variant_lookup (hello, "shared-memory", "t", NULL))
    {
      g_set_error_literal (error, COPROC_ERROR, COPROC_ERROR_SPAWN,
                           "It does not take up the memory that it should share");
      return FALSE;
    }
  if (hello != NULL)
    return TRUE;

  if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
    {
      g_autofree char *name = coproc_worker_run_dup_name (self);
      g_autofree char *last_words = coproc_worker_run_dup_last_words (self);

      g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDSHAKE_TIMEOUT,
                   "%s did not greet in %.1f s and was %s%s", name,
                   (double) setup->start_timeout_us / G_USEC_PER_SEC,
                   self->process != NULL ? "killed" : "given up", last_words);
    }
  else
    g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}

void
coproc_worker_run_fail_start (CoprocWorkerRun *self)
{
  g_autoptr (CoprocMessenger) messenger = NULL;

  g_mutex_lock (&self->lock);
  coproc_worker_run_stop_locked (self, COPROC_STOP_KILL, self->setup->grace_us);
  while (self->launched && !self->ended && self->stage != COPROC_STOP_GIVEN_UP)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);

  messenger = steal_messenger (self);
  if (messenger != NULL)
    coproc_messenger_close (messenger);

  g_mutex_lock (&self->lock);
  self->greeting = FALSE;
  coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_FAILED);
  g_mutex_unlock (&self->lock);
}

gboolean
coproc_worker_run_start (CoprocWorkerRun *self, GCancellable *cancellable, GError **error)
{
  gboolean asked, launched, ended;
  guint n_restarts;

  if (self->setup->mode == COPROC_WORKER_MODE_THREAD)
    launched = coproc_worker_run_launch_thread (self, error);
  else
    launched = coproc_worker_run_launch_process (self, error);
  if (!launched || !greet (self, cancellable, error))
    {
      coproc_worker_run_fail_start (self);
      return FALSE;
    }

  n_restarts = coproc_worker_supervisor_alive (self->supervisor, self);
  g_mutex_lock (&self->lock);
  self->greeting = FALSE;
  if (self->state == COPROC_WORKER_STATE_STARTING)
    coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_RUNNING);
  if (n_restarts > 0)
    coproc_worker_observer_tell_restarted (self->observer, n_restarts);
  asked = self->asked;
  ended = self->ended;
  if (!ended)
    coproc_worker_run_watch_hang_locked (self);
  g_mutex_unlock (&self->lock);
  if (ended)
    finish (self, self->failed, self->death);
  else if (asked)
    coproc_worker_run_ask (self);

  return TRUE;
}
