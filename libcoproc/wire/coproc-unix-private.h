/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * File descriptors: all that the library does with them directly.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Two pipes, close-on-exec from birth. fds[0]/[1]: read and write end. */
gboolean coproc_unix_pipe        (int fds[2], GError **error);
gboolean coproc_unix_set_nonblock (int fd, GError **error);
/* Closes *fd and sets it to -1; nothing when it is -1. */
void     coproc_clear_fd         (int *fd);

/* A wake-up that another thread can poll for (an eventfd, or a pipe). */
typedef struct
{
  int read_fd;
  int write_fd;
} CoprocWakeup;

#define COPROC_WAKEUP_INIT { -1, -1 }

gboolean coproc_wakeup_open   (CoprocWakeup *self, GError **error);
void     coproc_wakeup_close  (CoprocWakeup *self);
void     coproc_wakeup_signal (CoprocWakeup *self);
void     coproc_wakeup_clear  (CoprocWakeup *self);

G_END_DECLS
