/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker prints: read in the background, forwarded or cut into lines, its end kept.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define COPROC_STDERR_TAIL_SIZE (64 * 1024) /* bytes that are kept */
#define COPROC_STDERR_MAX_LINE 8192         /* bytes; what is longer is told in pieces */

/* Reference-counted. The background thread's, but for dup_text(). */
typedef struct _CoprocStderrTail CoprocStderrTail;

/* In the background thread: one line, valid UTF-8, without its newline. */
typedef void (*CoprocStderrLine) (const char *line, gpointer user_data);

/* Takes @fd, the read end of a pipe, in any case. @forward: everything appears on this process's
 * standard error as well. NULL with error set when there is no background thread. */
CoprocStderrTail *coproc_stderr_tail_new      (int fd, gboolean forward, GError **error);
CoprocStderrTail *coproc_stderr_tail_ref      (CoprocStderrTail *self);
void              coproc_stderr_tail_unref    (CoprocStderrTail *self);
/* Starts reading. @notify is called in the background thread when no more lines can come. */
void              coproc_stderr_tail_start    (CoprocStderrTail *self, CoprocStderrLine func, gpointer user_data, GDestroyNotify notify);
/* The writer is gone: takes in what is there already and stops, even when a grandchild still has
 * the pipe. Background thread; nothing the second time. */
void              coproc_stderr_tail_finish   (CoprocStderrTail *self);
/* The last @max_bytes of what was printed, from the start of a line where possible, valid UTF-8, not
 * ending in a newline. Any thread. */
char             *coproc_stderr_tail_dup_text (CoprocStderrTail *self, gsize max_bytes);

G_END_DECLS
