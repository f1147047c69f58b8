/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A messenger whose channels deliver the lowest priority value first, first-in-first-out inside one priority.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <messenger/coproc-messenger.h>

G_BEGIN_DECLS

#define COPROC_TYPE_PRIORITY_MESSENGER (coproc_priority_messenger_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocPriorityMessenger, coproc_priority_messenger, COPROC, PRIORITY_MESSENGER, CoprocMessenger)

G_END_DECLS
