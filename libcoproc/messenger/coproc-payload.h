/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Reading a payload with its type checked.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <coproc-types.h>

G_BEGIN_DECLS

COPROC_AVAILABLE_IN_1_0
gboolean coproc_payload_get (GVariant    *payload,
                             GError     **error,
                             const char  *format,
                             ...);

G_END_DECLS
