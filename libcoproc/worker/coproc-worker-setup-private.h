/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker is started from, and started again from.
 */
#pragma once

#include "worker/coproc-launcher.h"
#include "worker/coproc-worker-resource.h"

G_BEGIN_DECLS

/* A function of the application that is a worker thread. Atomically reference-counted (g_atomic_rc_box). */
typedef struct
{
  CoprocWorkerFunc func;
  gpointer user_data;
  GDestroyNotify notify;           /* (nullable) */
} CoprocWorkerFunction;

void               coproc_worker_function_unref (CoprocWorkerFunction *self);

/* Everything that a start needs, so that the properties may change meanwhile, and that it can be repeated when
 * the object is gone. Atomically reference-counted; immutable once a start has it. It owns all that it points to. */
typedef struct
{
  CoprocWorkerMode mode;
  CoprocLauncher *launcher;        /* (nullable) of processes */
  char *plugin;                    /* (nullable) NULL: `command` or `function` */
  char *entry_point;               /* (nullable) */
  char **command;                  /* (nullable) */
  CoprocWorkerFunction *function;  /* (nullable) */
  GVariant *arguments;             /* (nullable) a{sv} */
  GType messenger_type;
  GMainContext *context;           /* of the messenger's signals */
  char **environment;              /* (nullable) the host's */
  char *working_directory;         /* (nullable) the host's */
  CoprocTransport transport;       /* of processes */
  gboolean copied_payloads;
  guint64 max_message_size;        /* that both ends take */
  CoprocStderrMode stderr_mode;
  gboolean inherit_stdout;
  gint64 grace_us;                 /* for the ends that nobody asked for */
  gint64 start_timeout_us;
  gint64 heartbeat_us;             /* silence that is death, where the end of a stream is no proof */
  gint64 ping_us;                  /* the same, where it is one; not positive: off */
  gint64 hang_us;                  /* of a worker that keeps a request; not positive: off */
  GVariant *rlimits;               /* (nullable) of processes */
} CoprocWorkerSetup;

/* Empty, but for the thread-default context of now. */
CoprocWorkerSetup *coproc_worker_setup_new       (void);
CoprocWorkerSetup *coproc_worker_setup_ref       (CoprocWorkerSetup *self);
void               coproc_worker_setup_unref     (CoprocWorkerSetup *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocWorkerSetup, coproc_worker_setup_unref)
/* How messages call it: "plugin:entry-point" or what there is of a name. (transfer full) */
char              *coproc_worker_setup_dup_label (const CoprocWorkerSetup *self);

G_END_DECLS
