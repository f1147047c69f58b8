/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A program that is a worker.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <messenger/coproc-messenger.h>

G_BEGIN_DECLS

COPROC_AVAILABLE_IN_1_0
CoprocMessenger *coproc_worker_connect (GType       messenger_type,
                                        GVariant  **arguments,
                                        GError    **error);

G_END_DECLS
