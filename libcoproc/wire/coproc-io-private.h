/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The library's background thread: one GMainContext for all messengers and workers of the process.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The thread lives from the first reference to the last; all signals are blocked in it. It never
 * runs user code and never drops the last reference to a user's object. */
GMainContext *coproc_io_ref   (GError **error);
void          coproc_io_unref (void);

/* Calls @func once in the background thread after @delay_us, and @notify when it has been called or
 * the source is destroyed. Returns: (transfer full): the source. */
GSource      *coproc_io_add_timeout (GMainContext *context, gint64 delay_us, GSourceFunc func, gpointer data, GDestroyNotify notify);

G_END_DECLS
