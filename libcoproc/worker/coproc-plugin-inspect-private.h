/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Looking at a plugin in a child process, from both sides.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Path, name, version, description; name and description of each entry point. */
#define COPROC_PLUGIN_FACTS_TYPE "(ssssa(ss))"

/* The host's side: what the child tells of @plugin. (transfer full) */
GVariant *coproc_plugin_inspect_in_child (const char *plugin, GError **error);

/* The child's side: loads @plugin and writes what it is, or the error, to @fd, which it closes; in
 * words to standard output when @fd is -1. Returns: the exit code */
int       coproc_plugin_inspect_main     (const char *plugin, int fd);

G_END_DECLS
