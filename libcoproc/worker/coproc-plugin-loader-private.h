/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Finding a plugin's file, and loading it.
 */
#pragma once

#include "worker/coproc-plugin-abi.h"

G_BEGIN_DECLS

/* --- coproc-plugin-path.c: which file, and whether it may be trusted --- */

/* The directories that names are looked up in, in order, all absolute. (transfer full) */
char    **coproc_plugin_dup_search_path (void);

/* Opens the file of @plugin, a name on the search path or an absolute path that ends in `.so`.
 * Every component of its path is checked as it is opened, so that the file that is returned is the
 * file that was checked. @path is its path, for messages only.
 * Returns: a descriptor for reading, close-on-exec, or -1 with PLUGIN_NOT_FOUND or PLUGIN_REFUSED */
int       coproc_plugin_open_file       (const char *plugin, char **path, GError **error);

/* The environment variable @name, NULL in a process with raised privileges (AT_SECURE). */
const char *coproc_trusted_getenv       (const char *name);

/* --- coproc-plugin-loader.c: from the file to the descriptor --- */

/* A loaded plugin; its module stays in the process for good. */
typedef struct
{
  char *path;
  const CoprocPluginDescriptor *descriptor; /* checked: strings, names, functions */
} CoprocLoadedPlugin;

/* Loads @plugin and checks its descriptor; runs the constructors of the file, nothing else of it.
 * Returns: (transfer full): NULL with PLUGIN_NOT_FOUND, PLUGIN_REFUSED, PLUGIN_SYMBOL or PLUGIN_ABI */
CoprocLoadedPlugin      *coproc_plugin_load       (const char *plugin, GError **error);
void                     coproc_loaded_plugin_free (CoprocLoadedPlugin *self);
/* Returns: (transfer none): NULL with PLUGIN_SYMBOL */
const CoprocPluginEntry *coproc_loaded_plugin_find (CoprocLoadedPlugin *self, const char *entry_point, GError **error);

/* Whether the ELF file @fd is whole and for this machine: dlopen() of a file that is shorter than
 * its headers say is a SIGBUS. */
gboolean                 coproc_plugin_check_elf  (int fd, const char *path, GError **error);
/* Whether @descriptor can be used by this library. */
gboolean                 coproc_plugin_check_descriptor (const CoprocPluginDescriptor *descriptor, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocLoadedPlugin, coproc_loaded_plugin_free)

G_END_DECLS
