/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The pair of messengers that most tests of the messenger are about, both ends in this process.
 */
#pragma once

#include "messenger-util.h"

static CoprocMessenger *worker, *host;

static inline void
open_pair (GType type)
{
  coproc_test_new_pair (type, &worker, &host);
}

/* Both ends must be finalized. */
static inline void
close_pair (void)
{
  coproc_test_finalize_pair (g_steal_pointer (&worker), g_steal_pointer (&host));
}
