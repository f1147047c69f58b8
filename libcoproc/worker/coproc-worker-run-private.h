/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One life of a worker, from its spawning to its reaping.
 */
#pragma once

#include "messenger/coproc-messenger.h"
#include "wire/coproc-fork-private.h"
#include "worker/coproc-process-private.h"
#include "worker/coproc-stderr-tail-private.h"
#include "worker/coproc-worker-observer-private.h"
#include "worker/coproc-worker-resource.h"
#include "worker/coproc-worker-supervisor-private.h"

G_BEGIN_DECLS

/* How far the library has gone to end a worker; it only goes on. */
typedef enum
{
  COPROC_STOP_NONE,
  COPROC_STOP_ASKED,       /* the worker knows that it should end; it has a grace */
  COPROC_STOP_TERM,        /* SIGTERM was sent; it has another grace */
  COPROC_STOP_KILL,        /* SIGKILL was sent */
  COPROC_STOP_GIVEN_UP,    /* the kernel does not end the process, or the thread does not end itself: nobody
                              waits for it any more */
} CoprocStopStage;

/* An asynchronous wait for the end of a run; see coproc-worker-wait.c. */
typedef struct _CoprocWorkerWait CoprocWorkerWait;

/* Reference-counted; any thread. The process watch has a reference until the process is reaped, so
 * that a run ends properly when its worker object is gone. */
/* Watches whether the worker's code goes on. (the run's lock) */
typedef struct
{
  GSource *source;                 /* (nullable) while it is watched */
  gint64 limit_us;
  gint64 since;                    /* when it was last seen to go on */
  gint64 looked_at;
  guint64 n_messages;              /* that it had sent then */
} CoprocWorkerHang;

struct _CoprocWorkerRun
{
  gatomicrefcount ref_count;
  CoprocWorkerSupervisor *supervisor; /* immutable (owned) */
  CoprocWorkerObserver *observer;  /* immutable (owned) */
  CoprocWorkerSetup *setup;        /* immutable (owned) */
  char *label;                     /* immutable: "plugin:entry-point", for messages */

  gboolean is_attempted;           /* (supervisor's lock) it is being started by a thread of the supervisor */
  gboolean is_left_behind;         /* (supervisor's lock) ... which then has to release it */

  /* set by start() in this order, immutable after it */
  gint64 heartbeat_us;             /* 0: silence is no death */
  GMainContext *io;                /* (nullable) a user of the background thread until the process has
                                      ended; (mutex lock) from then on */
  CoprocStderrTail *tail;          /* (nullable) */
  CoprocProcess *process;          /* (nullable) NULL: not yet, or the worker is a thread */

  CoprocForkGuard guard;           /* thread-safe by itself */
  GMutex lock;                     /* never held while anything else of the library is called but
                                      the process and the observer */
  GCond changed;                   /* state, stage or settling has changed */

  /* (mutex lock) */
  CoprocWorkerState state;
  gboolean launched;               /* there is a process or a thread that will end */
  gboolean greeting;               /* a thread is in start() and will decide between RUNNING and FAILED */
  gboolean ended;                  /* the process has been reaped (the thread is done), its messenger settled */
  guint n_holds;                   /* users of `messenger` who have no reference to it: it must stay */
  gboolean asked;                  /* the worker was asked to end, by a join or a stop */
  CoprocMessenger *messenger;      /* (nullable) (owned) dropped only by a thread of the application */
  CoprocExit status;
  GError *broken;                  /* (nullable) why the worker was killed: it broke the protocol */
  gboolean failed;                 /* set with `ended`, as the next */
  GError *death;                   /* (nullable) what those who waited for it were told of its end */
  CoprocStopStage stage;
  CoprocStopStage wanted_stage;    /* where to go as soon as there is something to end */
  gint64 stage_grace_us;
  gint64 stage_deadline;           /* monotonic, when the next stage comes */
  GSource *stage_source;           /* (nullable) */
  CoprocWorkerHang hang;
  GPtrArray *waits;                /* CoprocWorkerWait, borrowed */
};

CoprocWorkerRun  *coproc_worker_run_new           (CoprocWorkerSupervisor *supervisor, CoprocWorkerObserver *observer, CoprocWorkerSetup *setup);
CoprocWorkerRun  *coproc_worker_run_ref           (CoprocWorkerRun *self);
void              coproc_worker_run_unref         (CoprocWorkerRun *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocWorkerRun, coproc_worker_run_unref)

/* Spawns and waits for the greeting; once. FALSE: the state is FAILED, nothing is left of it. */
gboolean          coproc_worker_run_start         (CoprocWorkerRun *self, GCancellable *cancellable, GError **error);
/* Leaves nothing behind of a start that failed, or will not be tried: the process, if there is one, is
 * killed and reaped. */
void              coproc_worker_run_fail_start    (CoprocWorkerRun *self);
CoprocWorkerState coproc_worker_run_get_state     (CoprocWorkerRun *self);
gboolean          coproc_worker_run_is_over       (CoprocWorkerRun *self); /* EXITED or FAILED */
CoprocExit        coproc_worker_run_get_exit      (CoprocWorkerRun *self);
GPid              coproc_worker_run_get_pid       (CoprocWorkerRun *self); /* 0: no process */
/* (transfer none) (nullable): valid as long as the run is not released. NULL until the worker has greeted. */
CoprocMessenger  *coproc_worker_run_get_messenger (CoprocWorkerRun *self);
/* The owner has no more use for it: a worker that lives is stopped in the background. Not from the
 * background thread. (transfer full) */
void              coproc_worker_run_release       (CoprocWorkerRun *self);

/* The worker has ended: settles its messenger. Once, in the background thread. */
void              coproc_worker_run_ended         (CoprocWorkerRun *self, CoprocExit status);
/* The messenger, if there is one, stays until it is let go, without a reference: for a thread that must not drop
 * the last one. */
CoprocMessenger  *coproc_worker_run_hold_messenger (CoprocWorkerRun *self);
void              coproc_worker_run_let_messenger (CoprocWorkerRun *self);
/* Whoever uses the messenger after the end is told @reason. Returns: FALSE: there is no messenger. Any thread. */
gboolean          coproc_worker_run_explain_end   (CoprocWorkerRun *self, const GError *reason);
/* There is a process, or a thread, that can be ended. (lock) */
void              coproc_worker_run_launched_locked (CoprocWorkerRun *self);
/* "Worker 123 (label)", for messages. (transfer full) */
char             *coproc_worker_run_dup_name      (CoprocWorkerRun *self);

/* Asks the worker to end, without consequences. Not from the background thread. */
void              coproc_worker_run_ask           (CoprocWorkerRun *self);
/* Goes to at least @stage, and on from there each time @grace_us (-1: never) has passed. An earlier
 * stop is hastened, never delayed. Not from the background thread. */
void              coproc_worker_run_stop          (CoprocWorkerRun *self, CoprocStopStage stage, gint64 grace_us);
/* The same, under the lock. */
void              coproc_worker_run_stop_locked   (CoprocWorkerRun *self, CoprocStopStage stage, gint64 grace_us);
/* No more stages: the process has ended. (lock) */
void              coproc_worker_run_stop_ended_locked (CoprocWorkerRun *self);
void              coproc_worker_run_set_state_locked (CoprocWorkerRun *self, CoprocWorkerState state);

/* Waits for the end of the run. @deadline monotonic, -1: none.
 * FALSE: TIMED_OUT, CANCELLED, or FAILED when it cannot be killed */
gboolean          coproc_worker_run_wait          (CoprocWorkerRun *self, gint64 deadline, GCancellable *cancellable, GError **error);
/* The same for @task (transfer full), which returns a boolean in its own context. */
void              coproc_worker_run_wait_task     (CoprocWorkerRun *self, gint64 deadline, GTask *task);
/* Wakes those who wait. (lock) */
void              coproc_worker_run_wake_locked   (CoprocWorkerRun *self);

/* --- coproc-worker-launch.c --- */

/* Everything up to a process that is watched, and will greet. */
gboolean          coproc_worker_run_launch_process (CoprocWorkerRun *self, GError **error);

/* --- coproc-worker-thread.c --- */

/* Everything up to a thread that runs, and will greet. */
gboolean          coproc_worker_run_launch_thread (CoprocWorkerRun *self, GError **error);

/* --- coproc-worker-watchdog.c --- */

/* Kills a worker that says nothing, not even the answer to a ping, for `heartbeat_us`. Once it has a messenger. */
void              coproc_worker_run_watch_silence (CoprocWorkerRun *self);
/* Kills a worker that does not go on, from its greeting on. (lock) */
void              coproc_worker_run_watch_hang_locked (CoprocWorkerRun *self);
/* It has ended. (lock) */
void              coproc_worker_run_unwatch_locked (CoprocWorkerRun *self);

/* --- coproc-worker-death.c: what is said about an end --- */

/* The error that tells of the death of @self to those who waited for it; call it without the lock. */
GError           *coproc_worker_run_make_death    (CoprocWorkerRun *self, gboolean greeted);
/* "\nIts stderr ends with:\n…", or nothing. (transfer full) */
char             *coproc_worker_run_dup_last_words (CoprocWorkerRun *self);

G_END_DECLS
