/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The fields of a worker, for the two files that it is made of.
 */
#pragma once

#include "worker/coproc-worker-resource.h"
#include "worker/coproc-worker-run-private.h"

G_BEGIN_DECLS

struct _CoprocWorkerResource
{
  GObject parent_instance;

  /* immutable after construction */
  char *plugin;
  char *entry_point;
  CoprocWorkerObserver *observer;

  GMutex lock;

  /* (mutex lock) */
  CoprocWorkerRun *run;          /* (nullable) (owned) the latest life, NULL: never started */
  CoprocWorkerMode mode;
  GType messenger_type;
  gint64 grace_us;
  gint64 start_timeout_us;
  CoprocTransport transport;
  char **environment;            /* (nullable) */
  char *working_directory;       /* (nullable) */
  CoprocStderrMode stderr_mode;
};

/* The latest life, if there is one. (transfer full) (nullable) */
CoprocWorkerRun *coproc_worker_resource_dup_run (CoprocWorkerResource *self);

G_END_DECLS
