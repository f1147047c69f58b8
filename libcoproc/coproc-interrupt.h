/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Signals that come while a thread waits, for languages whose handlers run between two instructions.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <gio/gio.h>

#include <coproc-version.h>

G_BEGIN_DECLS

/**
 * CoprocInterruptFunc:
 * @user_data: what was given to [func@Coproc.set_interrupt_func]
 *
 * Called in a thread whose wait a signal has, or may have, interrupted; never under a lock.
 *
 * Returns: %TRUE to end the wait with %G_IO_ERROR_CANCELLED, %FALSE to go on with it
 *
 * Since: 1.0
 */
typedef gboolean (*CoprocInterruptFunc) (gpointer user_data);

COPROC_AVAILABLE_IN_1_0
void coproc_set_interrupt_func (CoprocInterruptFunc function,
                                gpointer            user_data,
                                GDestroyNotify      notify);

G_END_DECLS
