/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Ending a worker: asked ─ grace ─▶ SIGTERM ─ grace ─▶ SIGKILL ─▶ given up. A thread: asked ─ grace ─▶ given up.
 *
 * The stages are taken by a timer of the background thread, so that nobody needs to wait for them:
 * a stop is the same whether a thread blocks on it, a task waits for it, or the object is gone.
 */
#include "worker/coproc-worker-run-private.h"

#include <signal.h>

#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"

#define FOR_EVER_US (G_MAXINT64 / 4)
#define UNKILLABLE_US (5 * G_USEC_PER_SEC) /* how long SIGKILL may take */

static gboolean on_stage_over (gpointer user_data);

static void
drop_stage_source_locked (CoprocWorkerRun *self)
{
  if (self->stage_source == NULL)
    return;

  g_source_destroy (self->stage_source);
  g_clear_pointer (&self->stage_source, g_source_unref);
}

static void
schedule_locked (CoprocWorkerRun *self, gint64 delay_us)
{
  drop_stage_source_locked (self);
  self->stage_deadline = g_get_monotonic_time () + delay_us;
  self->stage_source = coproc_io_add_timeout (self->io, delay_us, on_stage_over,
                                              coproc_worker_run_ref (self),
                                              (GDestroyNotify) coproc_worker_run_unref);
}

static void
enter_stage_locked (CoprocWorkerRun *self, CoprocStopStage stage)
{
  if (self->process == NULL && stage > COPROC_STOP_ASKED)
    stage = COPROC_STOP_GIVEN_UP;
  self->stage = stage;
  if (self->state == COPROC_WORKER_STATE_RUNNING || self->state == COPROC_WORKER_STATE_STARTING)
    coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_STOPPING);

  switch (stage)
    {
    case COPROC_STOP_TERM:
      coproc_process_signal (self->process, SIGTERM);
      break;
    case COPROC_STOP_KILL:
      coproc_process_signal (self->process, SIGKILL);
      break;
    case COPROC_STOP_GIVEN_UP:
      coproc_worker_run_wake_locked (self);
      return;
    case COPROC_STOP_NONE:
    case COPROC_STOP_ASKED:
    default:
      break;
    }
  schedule_locked (self, stage == COPROC_STOP_KILL ? UNKILLABLE_US : self->stage_grace_us);
}

static gboolean
on_stage_over (gpointer user_data)
{
  CoprocWorkerRun *self = user_data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  /* It may have been replaced while it was being dispatched. */
  if (self->stage_source == g_main_current_source ())
    {
      drop_stage_source_locked (self);
      enter_stage_locked (self, self->stage + 1);
    }

  return G_SOURCE_REMOVE;
}

void
coproc_worker_run_stop_locked (CoprocWorkerRun *self, CoprocStopStage stage, gint64 grace_us)
{
  gint64 deadline;

  if (self->status.kind != COPROC_EXIT_NOT_YET || self->stage == COPROC_STOP_GIVEN_UP)
    return;

  if (grace_us < 0)
    grace_us = FOR_EVER_US;
  if (!self->launched)
    {
      self->stage_grace_us = self->wanted_stage == COPROC_STOP_NONE ? grace_us
                                                                    : MIN (self->stage_grace_us, grace_us);
      self->wanted_stage = MAX (self->wanted_stage, stage);
      return;
    }
  if (self->process == NULL)
    stage = MIN (stage, COPROC_STOP_ASKED); /* that is all that a thread can be */
  deadline = g_get_monotonic_time () + grace_us;

  if (self->stage < stage)
    {
      self->stage_grace_us = self->stage == COPROC_STOP_NONE ? grace_us
                                                             : MIN (self->stage_grace_us, grace_us);
      enter_stage_locked (self, stage);
    }
  else if (self->stage < COPROC_STOP_KILL)
    {
      self->stage_grace_us = MIN (self->stage_grace_us, grace_us);
      if (deadline < self->stage_deadline)
        schedule_locked (self, grace_us);
    }
}

void
coproc_worker_run_launched_locked (CoprocWorkerRun *self)
{
  self->launched = TRUE;
  if (self->wanted_stage != COPROC_STOP_NONE)
    coproc_worker_run_stop_locked (self, self->wanted_stage, self->stage_grace_us);
}

void
coproc_worker_run_stop_ended_locked (CoprocWorkerRun *self)
{
  drop_stage_source_locked (self);
}

void
coproc_worker_run_ask (CoprocWorkerRun *self)
{
  g_autoptr (CoprocMessenger) messenger = NULL;

  g_mutex_lock (&self->lock);
  self->asked = TRUE;
  if (!self->greeting && !self->ended && self->messenger != NULL)
    messenger = g_object_ref (self->messenger);
  g_mutex_unlock (&self->lock);

  /* A worker that is gone already does not need to be asked; one that is being started is asked
   * when it has been. */
  if (messenger != NULL)
    coproc_messenger_send_close_request (messenger, NULL);
}

void
coproc_worker_run_stop (CoprocWorkerRun *self, CoprocStopStage stage, gint64 grace_us)
{
  coproc_worker_run_ask (self);

  g_mutex_lock (&self->lock);
  coproc_worker_run_stop_locked (self, stage, grace_us);
  g_mutex_unlock (&self->lock);
}
