/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker has taken up, told in memory that its host can still read when the worker is dead.
 * The layout is documented in introspection/pages/wire-format.md.
 */
#pragma once

#include "wire/coproc-shared-memory-private.h"

G_BEGIN_DECLS

/* How far back from the highest serial that was taken up each one is told; what is older and not told
 * counts as taken up. */
#define COPROC_STATUS_WINDOW 16384u

/* --- the worker: one writer at a time --- */

/* From here on the page tells. */
void     coproc_status_page_begin       (CoprocSharedMemory *memory);
/* The request of @serial is about to be given to code of the worker. */
void     coproc_status_page_take_up     (CoprocSharedMemory *memory, guint64 serial);

/* --- the host: at any time; whatever the page holds, only the answer can be wrong --- */

/* Whether the request of @serial may have been taken up: FALSE only if it was not. */
gboolean coproc_status_page_may_have    (CoprocSharedMemory *memory, guint64 serial);

G_END_DECLS
