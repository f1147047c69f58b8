/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The fields of a worker, for the files that it is made of.
 */
#pragma once

#include "worker/coproc-worker-resource.h"
#include "worker/coproc-worker-run-private.h"

G_BEGIN_DECLS

#define COPROC_DEFAULT_GRACE_US (2 * G_USEC_PER_SEC)
#define COPROC_DEFAULT_START_TIMEOUT_US (10 * G_USEC_PER_SEC)
#define COPROC_DEFAULT_HEARTBEAT_US (30 * G_USEC_PER_SEC)

struct _CoprocWorkerResource
{
  GObject parent_instance;

  /* immutable after construction */
  char *plugin;
  char *entry_point;             /* (nullable) both: it is a command or a function */
  char **command;                /* (nullable) */
  CoprocWorkerFunction *function; /* (nullable) (owned) */
  CoprocWorkerObserver *observer;
  CoprocWorkerSupervisor *supervisor; /* has the lives, and the properties of restarts */
  CoprocForkGuard guard;

  GMutex lock;

  /* (mutex lock) */
  CoprocWorkerMode mode;
  GType messenger_type;
  gint64 grace_us;
  gint64 start_timeout_us;
  CoprocTransport transport;
  gboolean copied_payloads;
  guint64 max_message_size;
  char **environment;            /* (nullable) */
  char *working_directory;       /* (nullable) */
  CoprocLauncher *launcher;      /* (nullable) (owned) */
  gint64 heartbeat_us;
  gint64 ping_us;
  gint64 hang_us;
  GVariant *rlimits;             /* (nullable) (owned) */
  CoprocStderrMode stderr_mode;
  gboolean inherit_stdout;
};

/* The end of each of the asynchronous calls. */
gboolean           coproc_worker_resource_finish             (CoprocWorkerResource *self, GAsyncResult *result, gpointer tag, GError **error);

/* --- coproc-worker-resource-stop.c --- */

/* Begins to end the worker, or shortens what is left to one that ends already. Returns: its life (transfer full) (nullable) */
CoprocWorkerRun   *coproc_worker_resource_begin_stop         (CoprocWorkerResource *self, gint64 grace_us);

/* --- coproc-worker-resource-copy.c --- */

/* A worker that is not started, with the code and the properties of @model. */
CoprocWorkerResource *coproc_worker_resource_new_like        (CoprocWorkerResource *model);

/* --- coproc-worker-resource-properties.c --- */

void               coproc_worker_resource_install_properties (GObjectClass *object_class);

G_END_DECLS
