/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the parts of a driver have in common. All of it is its thread's.
 */
#pragma once

#include "pool/coproc-pool-private.h"

G_BEGIN_DECLS

#define COPROC_MAX_BATCH 256   /* messages sent, or outcomes taken, at once */

/* Messages that are sent, or done, at the same time. On the stack. */
typedef struct
{
  CoprocSetCall *calls[COPROC_MAX_BATCH];
  guint n;
} CoprocParcelBatch;

/* The earlier of two deadlines, of which -1 is none. */
static inline gint64
coproc_earlier (gint64 a, gint64 b)
{
  return a < 0 ? b : b < 0 ? a : MIN (a, b);
}

static inline CoprocParcel *
coproc_parcel_of (CoprocSetCall *call)
{
  return (gpointer) ((guint8 *) call - G_STRUCT_OFFSET (CoprocParcel, call));
}

/* --- coproc-pool-driver-send.c --- */

/* @parcel leaves the line. (lock) */
void     coproc_pool_driver_drop_locked   (CoprocPoolDriver *self, CoprocParcel *parcel);
/* Takes what the worker should have next: what is meant for it, then what it can get out of the queue. (lock) */
void     coproc_pool_driver_take_locked   (CoprocPoolDriver *self, CoprocParcelBatch *batch);
/* Returns: FALSE when nothing is under way, as nothing of it could be sent */
gboolean coproc_pool_driver_send          (CoprocPoolDriver *self, CoprocParcelBatch *batch);
/* @parcel leaves the line, to be sent by another one, or to the next worker of this one. (lock) */
void     coproc_pool_driver_return_locked (CoprocPoolDriver *self, CoprocParcel *parcel);
/* The same, each of its inputs by itself. (lock), to be followed by coproc_pool_core_sweep() */
void     coproc_pool_driver_split_locked  (CoprocPoolDriver *self, CoprocParcel *parcel);

/* --- coproc-pool-driver-collect.c --- */

/* Says which input of what failed where. */
void     coproc_pool_driver_prefix_item   (CoprocPoolDriver *self, CoprocPoolJob *job, CoprocOutcome *outcome);
/* Gives the outcomes of messages that are done, or could not be sent, to their jobs; @n_answered of the inputs have
 * been answered by the worker, just now. */
void     coproc_pool_driver_settle        (CoprocPoolDriver *self, CoprocParcelBatch *batch, guint n_answered);
/* Takes the outcomes that are there, having waited for one until @deadline. Returns: how many there were */
guint    coproc_pool_driver_collect       (CoprocPoolDriver *self, gint64 deadline);

/* --- coproc-pool-driver-tend.c --- */

/* Sees to what takes too long. Returns: FALSE when the worker is to be killed; *deadline becomes earlier where it is to
 * be looked at again before. */
gboolean coproc_pool_driver_tend          (CoprocPoolDriver *self, gint64 *deadline);
/* Looks for others with something behind a slow task, which idle @self could do. Returns: when to look again, -1: never.
 * (lock) */
gint64   coproc_pool_driver_help_locked   (CoprocPoolDriver *self);
/* Looks from time to time whether the worker has grown too large. */
void     coproc_pool_driver_weigh         (CoprocPoolDriver *self);

G_END_DECLS
