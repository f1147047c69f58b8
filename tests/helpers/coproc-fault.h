/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the tests of faults share: workers and peers that misbehave, and how their ends are judged.
 */
#pragma once

#include "coproc-test.h"

G_BEGIN_DECLS

/* The path of something that was built for the tests, below tests/helpers. (transfer full) */
char *coproc_fault_path (const char *name);

/* --- workers --- */

/* A worker of the plugin `hostile`, not started, with captured stderr and a grace of 0.2 s. */
CoprocWorkerResource *coproc_fault_new_hostile (void);
/* Starts it; @instruction (nullable) is run before it serves. */
void coproc_fault_start (CoprocWorkerResource *worker, const char *instruction);
gboolean coproc_fault_try_start (CoprocWorkerResource *worker, const char *instruction, GError **error);
/* Sends an instruction as a message that wants no reply. */
void coproc_fault_order (CoprocWorkerResource *worker, const char *instruction);
/* An echo that must come back. */
void coproc_fault_ping (CoprocWorkerResource *worker);
/* Stops it, whatever its state; it must be finalized with the reference. */
void coproc_fault_release (CoprocWorkerResource *worker);
/* Waits until the process is known to have ended: a second at most, beside @ms. */
void coproc_fault_await_end (CoprocWorkerResource *worker, guint ms);

/* @error is WORKER_DIED (or NOT_STARTED) and names @pid and @cause, such as "signal SEGV". */
void coproc_fault_assert_died (const GError *error, GPid pid, const char *cause);

/* Receives on the default channel until there is an error. (transfer full) */
GError *coproc_fault_receive_error (CoprocMessenger *messenger);

/* --- raw peers --- */

/* The program `rawpeer` at the other end of two pipes. */
typedef struct
{
  CoprocMessenger *messenger;
  GPid pid;
} CoprocFaultPeer;

void coproc_fault_peer_open  (CoprocFaultPeer *self, GType messenger_type, const char *script);
/* The same, once the program has ended. */
void coproc_fault_peer_open_late (CoprocFaultPeer *self, GType messenger_type, const char *script);
/* Drops the messenger, ends the program if it has not ended, and reaps it. */
void coproc_fault_peer_close (CoprocFaultPeer *self);

/* A worker whose helper is `rawpeer`, not started. What start() fails with is the caller's. */
CoprocWorkerResource *coproc_fault_new_raw (void);
gboolean coproc_fault_start_raw (CoprocWorkerResource *worker, const char *script, GError **error);

/* --- the process --- */

/* A sanitizer needs more address space than any limit leaves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COPROC_FAULT_NEEDS_ADDRESS_SPACE
#endif

/* KiB that are resident. */
guint64 coproc_fault_get_rss (void);
/* No more than @extra KiB have been added to @start. Says nothing where memory cannot be measured. */
void coproc_fault_assert_rss (guint64 start, guint64 extra);
/* A limit of time in µs: as it is in an ordinary build, wider where the code is instrumented. */
gint64 coproc_fault_limit (gint64 us);
/* Whether fault-shim makes system calls fail here: what is sent need not be written at once then. */
gboolean coproc_fault_is_shimmed (void);
/* Processes that were started for the workers of @host, wherever they have gone. */
guint coproc_fault_count_offspring (GPid host);
/* Whether nothing runs under that pid (a zombie does not). */
gboolean coproc_fault_is_gone (GPid pid);

G_END_DECLS
