/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The worker's side of the meeting of a worker and its host.
 */
#pragma once

#include "messenger/coproc-messenger.h"

G_BEGIN_DECLS

/* Where the host tells how the protocol reaches the worker: "IN,OUT" or "IN,OUT,MEMORY", the numbers of
 * descriptors, or that it is on standard input and output. */
#define COPROC_WORKER_FDS_VARIABLE "COPROC_WORKER_FDS"
#define COPROC_WORKER_FDS_STDIO "stdio"

/* Times that a host speaks, at least, in the time that a worker bears its silence. */
#define COPROC_BEATS 4

/* What a worker is handed, -1: none. */
typedef struct
{
  int in;                  /* to read from */
  int out;                 /* to write to */
  int memory;              /* what it shares with its host */
  gboolean on_stdio;       /* they were standard input and output */
} CoprocWorkerFds;

#define COPROC_WORKER_FDS_INIT { -1, -1, -1, FALSE }

/* What COPROC_WORKER_FDS says. The variable is unset and the descriptors become close-on-exec, so that they
 * stay this process's. Standard input and output are moved away: what is printed from now on goes
 * to standard error. */
gboolean         coproc_worker_take_fds (CoprocWorkerFds *fds, GError **error);

/* Takes up the connection to the host and waits for its greeting; from now on this process ends when
 * its host does. The greeting is not answered yet. @arguments: (transfer full) (nullable): a{sv} */
CoprocMessenger *coproc_worker_meet_host (GType messenger_type, GVariant **arguments, GError **error);

/* The part of it that is the same in a thread: waits for the host's greeting on @messenger. What is wrong with
 * it is told to the host, too. @fds: (nullable) NULL: it is a thread */
gboolean         coproc_worker_await_greeting (CoprocMessenger *messenger, const CoprocWorkerFds *fds, GVariant **arguments, GError **error);

/* Says that nothing more will be sent, after @report if there is one, and waits until it is written. */
void             coproc_worker_leave_host (CoprocMessenger *messenger, const GError *report);

G_END_DECLS
