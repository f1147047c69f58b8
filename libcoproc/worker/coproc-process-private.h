/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One child process: signals to it, and its end.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* How a process has ended. */
typedef enum
{
  COPROC_EXIT_NOT_YET,
  COPROC_EXIT_CODE,        /* value: the exit code */
  COPROC_EXIT_SIGNAL,      /* value: the signal */
  COPROC_EXIT_UNKNOWN,     /* somebody else took its status, or SIGCHLD is ignored */
} CoprocExitKind;

typedef struct
{
  CoprocExitKind kind;
  int value;
} CoprocExit;

/* "signal SEGV", "exit code 3", … (transfer full) @forced: the host has sent SIGKILL */
char *coproc_exit_describe (const CoprocExit *status, gboolean forced);

/* Reference-counted, thread-safe. Owns the duty to reap: nobody else may wait for the pid. */
typedef struct _CoprocProcess CoprocProcess;

/* In the background thread, once, when the process has ended, been reaped, and its offspring been killed. */
typedef void (*CoprocProcessExited) (CoprocProcess *process, gpointer user_data);

/* @mark: (nullable): see coproc-offspring-private.h; what is left of its process group, and whoever else has that
 * mark, is killed when it has ended. NULL: somebody else sees to that. */
CoprocProcess *coproc_process_new        (GPid pid, const char *mark);
CoprocProcess *coproc_process_ref        (CoprocProcess *self);
void           coproc_process_unref      (CoprocProcess *self);
/* Watches the process from the background thread; holds a reference until @func has been called.
 * Once. @use_pidfd FALSE: as on systems that have none. */
void           coproc_process_watch      (CoprocProcess *self, GMainContext *io, gboolean use_pidfd, CoprocProcessExited func, gpointer user_data);
GPid           coproc_process_get_pid    (CoprocProcess *self);
CoprocExit     coproc_process_get_exit   (CoprocProcess *self);
/* Nothing when it has ended: the pid may be another's by then. */
void           coproc_process_signal     (CoprocProcess *self, int signum);

G_END_DECLS
