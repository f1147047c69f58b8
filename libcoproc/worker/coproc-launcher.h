/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A program that starts workers.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <coproc-types.h>

G_BEGIN_DECLS

#define COPROC_TYPE_LAUNCHER (coproc_launcher_get_type ())

/**
 * CoprocLauncher:
 *
 * How a worker's process is started by another program: a prefix such as `nice -n 5`, `bwrap …` or `ssh HOST`, and
 * what that program does with what follows it.
 *
 * A launcher is immutable. It is given to a worker as its
 * [property@Coproc.WorkerResource:launcher]; one may serve any number of workers.
 *
 * ```c
 * const char *prefix[] = { "nice", "-n", "5", NULL };
 * g_autoptr (CoprocLauncher) launcher
 *     = coproc_launcher_new (prefix, COPROC_LAUNCHER_QUOTING_ARGV, TRUE, FALSE);
 *
 * g_object_set (worker, "launcher", launcher, NULL);
 * ```
 *
 * ```python
 * worker.set_property('launcher', Coproc.Launcher.new(
 *     ['ssh', '-T', 'build.example.org'], Coproc.LauncherQuoting.SHELL, False, False))
 * ```
 *
 * Since: 1.0
 */
typedef struct _CoprocLauncher CoprocLauncher;

COPROC_AVAILABLE_IN_1_0
GType                  coproc_launcher_get_type          (void) G_GNUC_CONST;
COPROC_AVAILABLE_IN_1_0
CoprocLauncher        *coproc_launcher_new               (const char *const     *argv_prefix,
                                                          CoprocLauncherQuoting  quoting,
                                                          gboolean               passes_fds,
                                                          gboolean               kills_orphans);
COPROC_AVAILABLE_IN_1_0
CoprocLauncher        *coproc_launcher_ref               (CoprocLauncher        *self);
COPROC_AVAILABLE_IN_1_0
void                   coproc_launcher_unref             (CoprocLauncher        *self);
COPROC_AVAILABLE_IN_1_0
const char *const     *coproc_launcher_get_argv_prefix   (CoprocLauncher        *self);
COPROC_AVAILABLE_IN_1_0
CoprocLauncherQuoting  coproc_launcher_get_quoting       (CoprocLauncher        *self);
COPROC_AVAILABLE_IN_1_0
gboolean               coproc_launcher_get_passes_fds    (CoprocLauncher        *self);
COPROC_AVAILABLE_IN_1_0
gboolean               coproc_launcher_get_kills_orphans (CoprocLauncher        *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocLauncher, coproc_launcher_unref)

G_END_DECLS
