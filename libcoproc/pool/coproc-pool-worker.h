/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What can be seen of one worker of a pool.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <coproc-types.h>

G_BEGIN_DECLS

#define COPROC_TYPE_POOL_WORKER (coproc_pool_worker_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocPoolWorker, coproc_pool_worker, COPROC, POOL_WORKER, GObject)

G_END_DECLS
