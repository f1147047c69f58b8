/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are not dead, but as good as that. Two things can hang:
 *
 * - the whole process, stopped or starved: nobody answers a ping, which the library there does by itself,
 *   whatever the worker's code is doing;
 * - the worker's code, which keeps a request and neither answers nor says anything: pings are
 *   answered all the same.
 *
 * Either is killed, and what waits for it fails as after any death.
 */
#include "worker/coproc-worker-run-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"
#include "worker/coproc-worker-connect-private.h"

#define LOOKS 4 /* at a worker that may hang, within the time that it has */

/* Why @self is killed: in the error that follows. (lock) */
static void
kill_locked (CoprocWorkerRun *self, const char *what, gint64 limit_us)
{
  if (self->ended || self->broken != NULL)
    return;

  self->broken = g_error_new (COPROC_ERROR, COPROC_ERROR_WORKER_DIED, "%s for %.1f s", what,
                              (double) limit_us / G_USEC_PER_SEC);
  coproc_worker_run_stop_locked (self, COPROC_STOP_KILL, self->setup->grace_us);
}

/* Nothing has come from the worker for too long. Background thread. */
static void
on_silence (gpointer user_data)
{
  CoprocWorkerRun *self = user_data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  kill_locked (self, "it was silent", self->heartbeat_us);
}

void
coproc_worker_run_watch_silence (CoprocWorkerRun *self)
{
  if (self->heartbeat_us > 0)
    coproc_messenger_set_heartbeat (self->messenger, self->heartbeat_us / COPROC_BEATS, self->heartbeat_us,
                                    COPROC_HEART_ASKS, on_silence, coproc_worker_run_ref (self),
                                    (GDestroyNotify) coproc_worker_run_unref);
}

/* --- code that hangs --- */

/* Whether the worker has been at the same point for too long. (lock) */
static gboolean
hangs_locked (CoprocWorkerRun *self, gboolean owes, guint64 n_messages, gint64 now)
{
  CoprocWorkerHang *hang = &self->hang;
  /* This process did not run either: the worker may have spoken all the time. */
  const gboolean late = now - hang->looked_at > 2 * hang->limit_us / LOOKS;

  if (!owes || late || n_messages != hang->n_messages)
    hang->since = now;
  hang->n_messages = n_messages;
  hang->looked_at = now;

  return now - hang->since >= hang->limit_us;
}

static gboolean
on_look (gpointer user_data)
{
  CoprocWorkerRun *self = user_data;
  CoprocMessenger *messenger = coproc_worker_run_hold_messenger (self);
  gboolean owes = FALSE, goes_on;
  guint64 n_messages = 0;

  if (messenger != NULL)
    owes = coproc_messenger_is_owed (messenger, &n_messages);
  coproc_worker_run_let_messenger (self);

  g_mutex_lock (&self->lock);
  if (!self->ended && hangs_locked (self, owes, n_messages, g_get_monotonic_time ()))
    kill_locked (self, "it kept a request and said nothing", self->hang.limit_us);
  goes_on = self->hang.source != NULL && !self->ended && self->broken == NULL;
  if (!goes_on)
    g_clear_pointer (&self->hang.source, g_source_unref);
  g_mutex_unlock (&self->lock);

  return goes_on ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
coproc_worker_run_watch_hang_locked (CoprocWorkerRun *self)
{
  const gint64 limit_us = self->setup->hang_us;

  if (limit_us <= 0 || self->process == NULL)
    return;

  self->hang.limit_us = limit_us;
  self->hang.since = self->hang.looked_at = g_get_monotonic_time ();
  self->hang.source = coproc_io_add_timeout (self->io, limit_us / LOOKS, on_look, coproc_worker_run_ref (self),
                                             (GDestroyNotify) coproc_worker_run_unref);
}

void
coproc_worker_run_unwatch_locked (CoprocWorkerRun *self)
{
  if (self->hang.source == NULL)
    return;

  g_source_destroy (self->hang.source);
  g_clear_pointer (&self->hang.source, g_source_unref);
}
