/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The fields of a pool, for the files that it is made of.
 */
#pragma once

#include "pool/coproc-pool-private.h"
#include "pool/coproc-pool-worker.h"
#include "pool/coproc-worker-pool.h"

G_BEGIN_DECLS

struct _CoprocWorkerPool
{
  GObject parent_instance;

  CoprocWorkerResource *model; /* immutable after construction (owned) */
  CoprocPoolEvents *events;    /* immutable (owned) */
  CoprocPoolCore *core;        /* immutable after construction (owned) */
  GListStore *workers;         /* (owned) CoprocPoolWorker; changed in the pool's context only */
};

/* A job of the pool; it has failed already where the pool takes none. (transfer full) @inputs, whose
 * array is the caller's; @more: others will be added. */
CoprocPoolJob      *coproc_worker_pool_begin (CoprocWorkerPool *self, CoprocPoolJob *job, gpointer *inputs, gsize n_inputs, gboolean more);

/* A driver has come, or is gone; in the pool's context. */
void                coproc_worker_pool_tell_driver (CoprocWorkerPool *self, CoprocPoolDriver *driver, gboolean there);

/* --- coproc-pool-worker.c --- */

CoprocPoolWorker   *coproc_pool_worker_new   (CoprocPoolDriver *driver);
CoprocPoolDriver   *coproc_pool_worker_get_driver (CoprocPoolWorker *self);
/* Notifies what has changed since it did so last; in the pool's context. */
void                coproc_pool_worker_refresh (CoprocPoolWorker *self);

/* --- coproc-worker-pool-properties.c --- */

void                coproc_worker_pool_install_properties (GObjectClass *object_class);

/* --- coproc-map-inputs.c: inputs that are made as they are wanted --- */

/* (the core's lock) */
typedef struct
{
  CoprocMapInputFunc func;     /* (nullable) NULL: all inputs are there */
  gpointer user_data;
  GDestroyNotify notify;       /* (nullable) */
  gboolean feeding;            /* a thread calls func */
} CoprocMapInputs;

/* Makes as many inputs of @job as are wanted. Both without the lock. */
void                coproc_map_inputs_feed   (CoprocMapInputs *self, CoprocPoolJob *job);
/* No more are wanted. */
void                coproc_map_inputs_drop   (CoprocMapInputs *self, CoprocPoolJob *job);

/* --- coproc-map-operation.c --- */

/* Takes @job; @func: (nullable) what makes its inputs. */
CoprocMapOperation *coproc_map_operation_new (CoprocWorkerPool *pool, CoprocPoolJob *job, CoprocMapInputFunc func, gpointer user_data, GDestroyNotify notify);

G_END_DECLS
