/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Sources that are ready at a time which any thread may set.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Not attached yet. It is ready when the time has come that g_source_set_ready_time() gives it: at first never, and then
 * until another is given. @name: a literal. Returns: (transfer full) */
GSource *coproc_source_new (const char *name, GSourceFunc func, gpointer data, GDestroyNotify notify);

G_END_DECLS
