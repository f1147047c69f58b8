/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a launcher makes of a command.
 */
#pragma once

#include "worker/coproc-launcher.h"

G_BEGIN_DECLS

/* The command line that makes @self run @argv with @variables (NAME=value, also where the launcher clears the
 * environment). (transfer full) NULL: COPROC_ERROR_SPAWN, there is no such launcher, or it cannot run this */
char **coproc_launcher_wrap (CoprocLauncher *self, const char *const *variables, const char *const *argv, GError **error);

G_END_DECLS
