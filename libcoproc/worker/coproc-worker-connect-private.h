/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The worker's side of the meeting of a worker and its host.
 */
#pragma once

#include "messenger/coproc-messenger.h"

G_BEGIN_DECLS

/* What COPROC_WORKER_FDS says: the numbers of the descriptors to read from and to write to, -1: none.
 * The variable is unset and the descriptors become close-on-exec, so that they stay this process's. */
gboolean         coproc_worker_take_fds (int *in_fd, int *out_fd, GError **error);

/* Takes up the connection to the host and waits for its greeting; from now on this process ends when
 * its host does. The greeting is not answered yet. @arguments: (transfer full) (nullable): a{sv} */
CoprocMessenger *coproc_worker_meet_host (GType messenger_type, GVariant **arguments, GError **error);

/* The part of it that is the same in a thread: waits for the host's greeting on @messenger. What is wrong with
 * it is told to the host, too. */
gboolean         coproc_worker_await_greeting (CoprocMessenger *messenger, GVariant **arguments, GError **error);

/* Says that nothing more will be sent, after @report if there is one, and waits until it is written. */
void             coproc_worker_leave_host (CoprocMessenger *messenger, const GError *report);

G_END_DECLS
