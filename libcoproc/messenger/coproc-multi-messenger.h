/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A messenger whose channels deliver first-in-first-out per channel.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <messenger/coproc-messenger.h>

G_BEGIN_DECLS

#define COPROC_TYPE_MULTI_MESSENGER (coproc_multi_messenger_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocMultiMessenger, coproc_multi_messenger, COPROC, MULTI_MESSENGER, CoprocMessenger)

G_END_DECLS
