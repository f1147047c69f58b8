/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The processes that a worker has started, wherever they have gone.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What all of a worker's processes have in their environment: a value of its own for each worker, after that of the
 * worker that its host is, if it is one. */
#define COPROC_MARK_VARIABLE "COPROC_WORKER_MARK"

/* A new mark. (transfer full) */
char *coproc_offspring_new_mark (void);

/* Kills every process but this one that has @mark in its environment. Takes no lock and no memory. @mark is at
 * most COPROC_MAX_MARK long, or nothing is done. */
void  coproc_offspring_kill     (const char *mark);

#define COPROC_MAX_MARK 1024

G_END_DECLS
