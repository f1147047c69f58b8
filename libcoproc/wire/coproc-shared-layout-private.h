/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Where the memory that a host and its worker share has what. An end that has mapped less of it does
 * without the rest.
 */
#pragma once

#include "wire/coproc-arena-private.h"
#include "wire/coproc-ring-private.h"
#include "wire/coproc-shared-memory-private.h"

G_BEGIN_DECLS

/* The status page, and then a ring for each direction. */
#define COPROC_SHARED_RING_TO_WORKER COPROC_STATUS_PAGE_SIZE
#define COPROC_SHARED_RING_TO_HOST (COPROC_SHARED_RING_TO_WORKER + COPROC_RING_AREA_SIZE)
#define COPROC_SHARED_RINGS_END (COPROC_SHARED_RING_TO_HOST + COPROC_RING_AREA_SIZE)

/* An arena for each direction: their control, and then their blocks, which begin where a huge page may. */
#define COPROC_SHARED_CONTROL_TO_WORKER COPROC_SHARED_RINGS_END
#define COPROC_SHARED_CONTROL_TO_HOST (COPROC_SHARED_CONTROL_TO_WORKER + COPROC_ARENA_CONTROL_SIZE)
#define COPROC_SHARED_BLOCKS_TO_WORKER ((gsize) 2 << 20)
#define COPROC_SHARED_BLOCKS_TO_HOST (COPROC_SHARED_BLOCKS_TO_WORKER + COPROC_ARENA_SIZE)
#define COPROC_SHARED_END (COPROC_SHARED_BLOCKS_TO_HOST + COPROC_ARENA_SIZE)

G_END_DECLS
