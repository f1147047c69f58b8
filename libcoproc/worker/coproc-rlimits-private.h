/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker process may use of the system.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define COPROC_RLIMITS_TYPE G_VARIANT_TYPE ("a{st}")

/* Whether @rlimits, of COPROC_RLIMITS_TYPE, names only what there is. COPROC_ERROR_FAILED */
gboolean coproc_rlimits_check (GVariant *rlimits, GError **error);
/* Sets them for this process. COPROC_ERROR_LIMIT: the system refuses one */
gboolean coproc_rlimits_apply (GVariant *rlimits, GError **error);

G_END_DECLS
