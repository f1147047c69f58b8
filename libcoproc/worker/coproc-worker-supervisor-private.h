/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The lives of a worker, one after the other: who begins the next one, and when there is none.
 */
#pragma once

#include "messenger/coproc-messenger.h"
#include "worker/coproc-restart-policy-private.h"
#include "worker/coproc-worker-observer-private.h"
#include "worker/coproc-worker-setup-private.h"

G_BEGIN_DECLS

typedef struct _CoprocWorkerRun CoprocWorkerRun;

/* Reference-counted; any thread. The worker object has a reference and each life another, so that an
 * object that is gone leaves lives behind that end properly.
 *
 * Its lock comes before that of a run. */
typedef struct _CoprocWorkerSupervisor CoprocWorkerSupervisor;

CoprocWorkerSupervisor *coproc_worker_supervisor_new           (CoprocWorkerObserver *observer);
CoprocWorkerSupervisor *coproc_worker_supervisor_ref           (CoprocWorkerSupervisor *self);
void                    coproc_worker_supervisor_unref         (CoprocWorkerSupervisor *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocWorkerSupervisor, coproc_worker_supervisor_unref)
/* The object goes away: a life that lasts is ended in the background. */
void                    coproc_worker_supervisor_release       (CoprocWorkerSupervisor *self);

/* --- for the object --- */

void                    coproc_worker_supervisor_get_rules     (CoprocWorkerSupervisor *self, CoprocRestartRules *rules);
/* From the next end on. */
void                    coproc_worker_supervisor_set_rules     (CoprocWorkerSupervisor *self, const CoprocRestartRules *rules);

/* A life that the application begins, to be started with coproc_worker_run_start(). (transfer full)
 * NULL: ALREADY_ALIVE */
CoprocWorkerRun        *coproc_worker_supervisor_begin         (CoprocWorkerSupervisor *self, CoprocWorkerSetup *setup, GError **error);
/* No restart any more, until the next begin(). Returns: whether one was being waited for */
gboolean                coproc_worker_supervisor_let_go        (CoprocWorkerSupervisor *self);
/* The latest life. (transfer full) (nullable) */
CoprocWorkerRun        *coproc_worker_supervisor_dup_run       (CoprocWorkerSupervisor *self);
CoprocWorkerState       coproc_worker_supervisor_get_state     (CoprocWorkerSupervisor *self);
/* That of the latest life, or of the one before it while that is being restarted. (transfer none) (nullable) */
CoprocMessenger        *coproc_worker_supervisor_get_messenger (CoprocWorkerSupervisor *self);
/* Whether it was not restarted because of the limit: error set. */
gboolean                coproc_worker_supervisor_has_given_up  (CoprocWorkerSupervisor *self, GError **error);

/* --- for a life: without its lock --- */

/* The worker of @run is ready. Returns: how often it has been restarted, 0: not now */
guint                   coproc_worker_supervisor_alive         (CoprocWorkerSupervisor *self, CoprocWorkerRun *run);
/* @run is about to be over, of @death. Decides what comes next, which is to be told with the next state. */
void                    coproc_worker_supervisor_ended         (CoprocWorkerSupervisor *self, CoprocWorkerRun *run, gboolean failed, const GError *death);

G_END_DECLS
