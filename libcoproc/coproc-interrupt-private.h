/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the waits of the library do about signals.
 */
#pragma once

#include "coproc-interrupt.h"

G_BEGIN_DECLS

/* Asks this thread's function, if it has one: a signal has interrupted a system call. Without a lock. */
void     coproc_interrupt_ask  (void);
/* Whether this thread's wait is to end, told once: then with @error set. */
gboolean coproc_interrupt_take (GError **error);
/* When a wait of this thread that is to last until @deadline (monotonic µs, -1: none) is to ask its function, though
 * nothing has interrupted it: a signal may have come just before it, when there was no wait yet. Without a
 * function, @deadline. */
gint64   coproc_interrupt_limit (gint64 deadline);
/* After such a wait, which is over: asks the function if the wait has lasted until @limit. Without a lock. */
void     coproc_interrupt_ask_at_limit (gint64 limit, gint64 deadline);
/* Waits for @cond until @deadline (monotonic µs, -1: none), and asks this thread's function afterwards, with
 * @mutex unlocked. Returns: whether it was in time. */
gboolean coproc_interrupt_wait (GCond *cond, GMutex *mutex, gint64 deadline);

G_END_DECLS
