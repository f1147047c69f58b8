/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The engine of a pool, without GObject.
 *
 *   job ── inputs ──▶ queue ── parcels ──▶ driver ⇄ worker
 *    ▲                                       │
 *    └───────────── outcomes ────────────────┘
 *
 * A job is what was asked for at once: the inputs of a map, or one task. A driver is a thread with a
 * worker of its own: it takes parcels (one input or a chunk of them), sends as many as keep the worker
 * busy, and gives their outcomes back to their jobs. It sleeps nowhere but at its worker's messenger, so
 * the end of the worker wakes it too. Jobs are waited for by threads, or by sources in the context of who
 * asked; a driver calls nobody back.
 *
 * One lock, the core's, guards all of it, and is taken for a batch at a time. An endpoint's lock
 * may be taken inside it. Nothing of the application is called or dropped under it.
 */
#pragma once

#include <string.h>

#include "messenger/coproc-call-set-private.h"
#include "pool/coproc-pool-policy-private.h"
#include "pool/coproc-pool-rate-private.h"
#include "pool/coproc-pool-results-private.h"
#include "worker/coproc-restart-policy-private.h"
#include "worker/coproc-worker-resource.h"

G_BEGIN_DECLS

typedef struct _CoprocPoolCore CoprocPoolCore;
typedef struct _CoprocPoolDriver CoprocPoolDriver;
typedef struct _CoprocPoolEvents CoprocPoolEvents;
typedef struct _CoprocPoolJob CoprocPoolJob;
typedef struct _CoprocPoolProgress CoprocPoolProgress;
typedef struct _CoprocPoolWait CoprocPoolWait;

/* What goes to a worker in one message. */
typedef struct
{
  CoprocSetCall call;      /* the driver's */
  CoprocPoolJob *job;      /* (owned) */
  guint64 first;           /* the index of its first input */
  guint n;                 /* its inputs */
  gsize size;              /* bytes of them that are to be copied */
  gboolean by_reference;   /* they are not: its workers are threads */
  guint n_sent;            /* to how many workers */
  guint n_deaths;          /* of those that had begun with it */
  gint64 sent_at;          /* (lock) monotonic */
  gint64 dropped_at;       /* (lock) when its outcome became unwanted, 0: it is wanted */
  gboolean settled;        /* (driver) its job has an outcome, as its time was over */
  gboolean told;           /* (driver) the worker knows that it is unwanted */
  gboolean asked_back;     /* (lock) the worker is to give it back if it has not begun */
  GList link;              /* (lock) in its driver's line, or its job's */
  CoprocOutcome *outcomes; /* (nullable) (owned) of its inputs; empty once they are its job's */
  gpointer inputs[];       /* (nullable) (owned) */
} CoprocParcel;

/* --- coproc-pool-parcel.c --- */

/* (transfer full) @inputs, whose array is the caller's: the first @max of them, or as many as are not too large for
 * one message, unless they go @by_reference; one at least. */
CoprocParcel  *coproc_parcel_new           (CoprocPoolJob *job, guint64 first, gpointer *inputs, guint max, gboolean by_reference);
/* Without the lock. */
void           coproc_parcel_free          (CoprocParcel *self);
/* Fills in the message that it is sent as. FALSE: its inputs do not go into one. */
gboolean       coproc_parcel_pack          (CoprocParcel *self);
/* Turns what its call has come to into outcomes. */
void           coproc_parcel_unpack        (CoprocParcel *self);

/* --- coproc-pool-job.c --- */

typedef enum
{
  COPROC_JOB_MAP,
  COPROC_JOB_TASK,         /* one input that nobody thinks of as item 0 */
  COPROC_JOB_BROADCAST,    /* the same for each worker: never queued, its parcels are pinned to drivers */
} CoprocJobKind;

/* Reference-counted; any thread. Its last reference is dropped without the lock. */
struct _CoprocPoolJob
{
  gatomicrefcount ref_count;

  /* immutable */
  CoprocPoolCore *core;    /* (owned) */
  gboolean as_messages;    /* inputs and results are CoprocMessage, not GVariant */
  CoprocJobKind kind;
  double priority;         /* lower goes first */
  guint chunk_size;        /* 0: the pool chooses */

  /* (lock) */
  gboolean stop_on_error;
  gpointer *inputs;        /* (owned) those that were not taken are [next, n_inputs) */
  gsize n_inputs;
  gsize size;              /* what inputs has room for */
  gsize next;
  guint64 base;            /* the index of inputs[0] */
  guint max_chunk;         /* inputs that go into one message */
  GQueue returned;         /* CoprocParcel: to be sent again */
  gsize n_queued;          /* inputs in both */
  gsize n_out;             /* inputs under way */
  gboolean fed;            /* no more inputs will come */
  gboolean over;           /* given up: nothing is taken any more, late outcomes are dropped */
  GError *failure;         /* (nullable) why; told once */
  guint64 n_done;          /* outcomes, failures included */
  guint64 n_failed;
  CoprocPoolRate rate;
  CoprocPoolProgress *progress; /* (nullable) (owned) who is told */
  CoprocResults results;

  GCond changed;
  guint n_waiting;         /* threads */
  guint64 n_wanted;        /* outcomes before which they need not be woken */
  GQueue waits;            /* CoprocPoolWait */

  GList queue_link;        /* its place in the queue */
  gboolean queued;
};

CoprocPoolJob *coproc_pool_job_new         (CoprocPoolCore *core, gboolean ordered, gboolean as_messages, double priority, guint chunk_size);
CoprocPoolJob *coproc_pool_job_ref         (CoprocPoolJob *self);
void           coproc_pool_job_unref       (CoprocPoolJob *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocPoolJob, coproc_pool_job_unref)

/* Adds @n inputs (transfer full). The job must not be over. (lock) */
void           coproc_pool_job_add_locked  (CoprocPoolJob *self, gpointer *inputs, gsize n);
/* (transfer full) its next parcel, of at most @max inputs, which it must have. (lock) */
CoprocParcel  *coproc_pool_job_take_locked (CoprocPoolJob *self, guint max, gboolean by_reference);
/* @parcel (transfer full) is to be sent again. (lock) */
void           coproc_pool_job_return_locked (CoprocPoolJob *self, CoprocParcel *parcel);
/* The inputs of @parcel (transfer full) are to be sent one by one. (lock) */
void           coproc_pool_job_split_locked (CoprocPoolJob *self, CoprocParcel *parcel);
/* How many inputs it has, as far as is known. (lock) */
guint64        coproc_pool_job_get_total_locked (CoprocPoolJob *self);
/* What has become of one input. (lock) Takes what is in @outcome unless it returns FALSE: nobody wants it. */
gboolean       coproc_pool_job_settle_locked (CoprocPoolJob *self, CoprocOutcome *outcome);
/* Tells of the progress, and wakes those who wait and may go on. (lock) */
void           coproc_pool_job_wake_locked (CoprocPoolJob *self);
/* Nothing more comes: all is done, or it is over. (lock) */
gboolean       coproc_pool_job_is_complete_locked (CoprocPoolJob *self);
/* Ends it with @failure (transfer full) (nullable), if it has not ended; outcomes that are there can still be had. (lock),
 * to be followed by coproc_pool_core_sweep() */
void           coproc_pool_job_give_up_locked (CoprocPoolJob *self, GError *failure);
void           coproc_pool_job_give_up     (CoprocPoolJob *self, GError *failure);
/* The same, also when it has nothing to do. (lock) */
void           coproc_pool_job_fail_locked (CoprocPoolJob *self, GError *failure);

/* Waits for the next outcome: TRUE. FALSE with error set: it failed as a whole, or @cancellable; without: nothing
 * more comes. */
gboolean       coproc_pool_job_next        (CoprocPoolJob *self, CoprocOutcome *outcome, GCancellable *cancellable, GError **error);
/* Waits for all outcomes of a job that nobody else waits for. FALSE with error set: it failed as a whole, or
 * @cancellable. */
gboolean       coproc_pool_job_wait        (CoprocPoolJob *self, GCancellable *cancellable, GError **error);

/* --- coproc-pool-wait.c: waiting in a context --- */

/* @task (transfer full) returns the job's next outcome: what next() gives, as a CoprocOutcome of GVariants that
 * coproc_outcome_free() frees; NULL at the end. With @timeout_us (-1: none) or the task's cancellation the wait
 * ends, and with it, if @owns, the job. */
void           coproc_pool_wait_begin      (CoprocPoolJob *job, GTask *task, gint64 timeout_us, gboolean owns);
void           coproc_pool_wait_wake_locked (CoprocPoolWait *self);
void           coproc_outcome_free         (CoprocOutcome *self);
/* @task (transfer full) returns TRUE, or @error (transfer full), in its context. Any thread. */
void           coproc_pool_return          (GTask *task, GError *error);

/* --- coproc-pool-queue.c: jobs that have inputs, in order of priority, taking turns --- */

typedef struct
{
  GSequence *levels;       /* one for each priority */
} CoprocPoolQueue;

void           coproc_pool_queue_init      (CoprocPoolQueue *self);
void           coproc_pool_queue_clear     (CoprocPoolQueue *self);
/* Behind the others of its priority. The queue has no reference. */
void           coproc_pool_queue_add       (CoprocPoolQueue *self, CoprocPoolJob *job);
void           coproc_pool_queue_remove    (CoprocPoolQueue *self, CoprocPoolJob *job);
CoprocPoolJob *coproc_pool_queue_peek      (CoprocPoolQueue *self); /* (nullable) */

/* --- coproc-pool-core.c --- */

/* What can be set at any time. */
typedef struct
{
  guint n_workers;
  guint max_pending;       /* 0: no limit for tasks, the pool's choice for lazy inputs */
  guint max_tasks_per_worker; /* 0: no limit */
  guint64 max_memory_per_worker; /* bytes, 0: no limit */
  gint64 idle_timeout;     /* µs, -1: none */
  gint64 task_timeout;     /* µs, -1: none */
  gint64 cancel_grace;     /* µs, -1: none */
  gboolean retry_not_started;
  gboolean idempotent;
} CoprocPoolSettings;

/* Reference-counted: the pool has one, each job and driver another. */
struct _CoprocPoolCore
{
  gatomicrefcount ref_count;
  CoprocPoolEvents *events;   /* immutable (owned) */

  GMutex model_lock;
  CoprocWorkerResource *model; /* (mutex model_lock) (nullable) the pool's, which takes it away when it goes */

  GMutex lock;
  GCond changed;              /* the state, or a driver's coming up or going */

  /* (lock) */
  CoprocWorkerState state;
  CoprocPoolSettings settings;
  GVariant *arguments;        /* (nullable) of the workers */
  GCancellable *starting;     /* (nullable) cancelled when the pool is to end */
  GError *failure;            /* (nullable) why it failed */
  gint64 stop_grace;          /* µs */
  guint n_starting;           /* drivers that start() waits for */
  guint last_number;          /* of the drivers */
  GPtrArray *drivers;         /* CoprocPoolDriver, not owned: a driver leaves it at its end */
  GQueue idle;                /* CoprocPoolDriver: those with nothing to do, the latest first */
  guint n_retiring;           /* drivers that are to leave */
  GQueue starts;              /* (owned) GTask of start_async() */
  GQueue stops;               /* (owned) GTask of stop_async() */
  CoprocPoolQueue queue;
  GQueue spent;               /* (owned) CoprocParcel: to be freed without the lock */
  gsize n_queued;             /* inputs in the queue */
  gsize n_out;                /* under way */
  guint64 n_done;
  guint64 n_failed;
  guint64 n_answered;         /* tasks that workers have answered, be it with an error */
};

CoprocPoolCore *coproc_pool_core_new       (CoprocPoolEvents *events);
CoprocPoolCore *coproc_pool_core_ref       (CoprocPoolCore *self);
void            coproc_pool_core_unref     (CoprocPoolCore *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocPoolCore, coproc_pool_core_unref)

/* (transfer full) a worker for a driver; (nullable) the pool is gone. */
CoprocWorkerResource *coproc_pool_core_new_worker (CoprocPoolCore *self);
/* Begins a start: the drivers are there when FALSE is not returned, with error set. (lock) */
gboolean        coproc_pool_core_start_locked (CoprocPoolCore *self, GVariant *arguments, GError **error);
/* Begins to end all drivers; where they end already, no later than @grace_us says. */
void            coproc_pool_core_stop      (CoprocPoolCore *self, gint64 grace_us);
/* Tells those of start_async() and stop_async() whose wait is over. (lock) */
void            coproc_pool_core_look_locked (CoprocPoolCore *self);
/* Whether tasks are taken. *error says why not. (lock) */
gboolean        coproc_pool_core_check_locked (CoprocPoolCore *self, GError **error);
/* The job has new inputs: queues it and wakes drivers. (lock) */
void            coproc_pool_core_offer_locked (CoprocPoolCore *self, CoprocPoolJob *job);
/* The job, which has none any more or is over, leaves the queue; what it has under way becomes unwanted. (lock) */
void            coproc_pool_core_withdraw_locked (CoprocPoolCore *self, CoprocPoolJob *job);
/* Frees what is spent. Without the lock */
void            coproc_pool_core_sweep     (CoprocPoolCore *self);
/* There may be too few or too many drivers. (lock) */
void            coproc_pool_core_adjust_locked (CoprocPoolCore *self);

/* From the drivers. All (lock) */
void            coproc_pool_core_worker_started_locked (CoprocPoolCore *self, CoprocPoolDriver *driver);
/* Nothing can be done any more: every job fails. @error (transfer full) */
void            coproc_pool_core_fail_locked (CoprocPoolCore *self, GError *error);
void            coproc_pool_core_driver_left_locked (CoprocPoolCore *self, CoprocPoolDriver *driver);
gboolean        coproc_pool_core_is_ending_locked (CoprocPoolCore *self);

/* --- coproc-pool-driver.c --- */

/* Reference-counted: its thread has one, and who shows it. */
struct _CoprocPoolDriver
{
  gatomicrefcount ref_count;
  CoprocPoolCore *core;       /* immutable (owned) */
  guint number;               /* immutable; for messages */

  /* (lock) */
  CoprocCallSet *set;         /* (nullable) while the worker lives */
  GQueue line;                /* CoprocParcel: under way, in the order sent */
  GQueue pinned;              /* CoprocParcel: of broadcasts, for the worker that is there or will be next */
  gsize n_items;              /* inputs in the line */
  gsize n_bytes;              /* of them */
  gboolean any_dropped;       /* the line has some that nobody wants any more */
  gboolean counted;           /* among those that start() waits for */
  gint64 busy_since;          /* monotonic: since when, or since which outcome, the worker has had something to do */
  gboolean idle;              /* in the core's list */
  GList idle_link;
  gint64 idle_since;          /* monotonic */
  gboolean retiring;          /* it is to leave when its line is empty */
  CoprocWorkerState state;    /* of its worker */
  GPid pid;                   /* 0: none, or a thread */
  guint64 n_tasks;            /* done by all its workers */

  /* its thread's */
  gint64 now;                 /* monotonic: when its turn began, or its wait in that turn ended */
  CoprocWorkerResource *worker;
  CoprocPace pace;
  gboolean takes_chunks;      /* its worker does */
  gboolean by_reference;      /* it is a thread, which gets the inputs themselves */
  gboolean asks_back;         /* the line has some that were asked back */
  guint64 n_tasks_of_worker;  /* answered */
  CoprocRestartHistory history; /* of workers that have answered nothing, while no other one has either */
  guint64 n_answered;         /* the core's, when the last one of them ended */
  gint64 weighed_at;          /* monotonic: when the worker's memory was looked at */
  GError *complaint;          /* (nullable) (owned) the last error that the worker has sent by itself */
  gboolean is_heavy;          /* the worker has too much of it */
};

CoprocPoolDriver *coproc_pool_driver_ref   (CoprocPoolDriver *self);
void            coproc_pool_driver_unref   (CoprocPoolDriver *self);

/* Starts its thread. (lock) FALSE with error set: there can be none. */
gboolean        coproc_pool_driver_start_locked (CoprocPoolCore *core, gboolean counted, GError **error);
/* Lets it look at what has changed. (lock) */
void            coproc_pool_driver_wake_locked (CoprocPoolDriver *self);

/* --- coproc-pool-broadcast.c: one message for each worker. All (lock) --- */

/* Gives the same payload to all workers that are there or being started, each as a GVariant of its own: they may be
 * threads, and GLib notes in a GVariant what was read of it. */
void            coproc_pool_broadcast_post_locked (CoprocPoolCore *core, CoprocPoolJob *job, const GVariantType *type, GBytes *bytes, gboolean trusted);
/* The job is over: @driver has no more of it to send. */
void            coproc_pool_broadcast_withdraw_locked (CoprocPoolDriver *driver, CoprocPoolJob *job);
/* @driver has no worker any more, and will have none. */
void            coproc_pool_broadcast_leave_locked (CoprocPoolDriver *driver);

/* --- coproc-process-figures.c --- */

/* What the system knows of a process; all 0 where there is none. */
typedef struct
{
  gint64 cpu_us;
  guint64 rss;                /* bytes */
} CoprocProcessFigures;

void            coproc_process_figures_read (CoprocProcessFigures *figures, GPid pid);

/* --- coproc-pool-progress.c: `progress` of an object, ten times a second at most --- */

typedef void (*CoprocPoolProgressFunc) (GObject *object);

/* @tell is called in the calling thread's context, while there is an @object. */
CoprocPoolProgress *coproc_pool_progress_new (gpointer object, CoprocPoolProgressFunc tell);
CoprocPoolProgress *coproc_pool_progress_ref (CoprocPoolProgress *self);
void            coproc_pool_progress_unref (CoprocPoolProgress *self);
/* No more of it: the object goes away. */
void            coproc_pool_progress_mute (CoprocPoolProgress *self);
/* Something has been done, @last: all of it, which is told at once. Any thread */
void            coproc_pool_progress_note (CoprocPoolProgress *self, gboolean last);

/* --- coproc-pool-events.c: what is told in the pool's context --- */

CoprocPoolEvents *coproc_pool_events_new   (GObject *pool);
CoprocPoolEvents *coproc_pool_events_ref   (CoprocPoolEvents *self);
void            coproc_pool_events_unref   (CoprocPoolEvents *self);
/* No more of them: the pool goes away. */
void            coproc_pool_events_mute    (CoprocPoolEvents *self);
/* All from any thread. */
void            coproc_pool_events_tell_progress (CoprocPoolEvents *self);
void            coproc_pool_events_tell_state (CoprocPoolEvents *self);
void            coproc_pool_events_tell_exited (CoprocPoolEvents *self, GPid pid, int status, int signum);
/* A driver has come, or is gone. */
void            coproc_pool_events_tell_driver (CoprocPoolEvents *self, CoprocPoolDriver *driver, gboolean there);

G_END_DECLS
