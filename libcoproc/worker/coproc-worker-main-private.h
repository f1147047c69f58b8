/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the program `coproc-worker` does. It is in the library, and the program is linked to the
 * library, so that the plugin and the program share one copy of it.
 */
#pragma once

#include <coproc-version.h>

G_BEGIN_DECLS

/* Exported for the program only. Returns: its exit code */
COPROC_EXTERN int coproc_worker_main (int argc, char **argv);

G_END_DECLS
