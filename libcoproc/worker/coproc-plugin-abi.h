/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a plugin exports: one constant descriptor, checked before anything of the plugin is called.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <gmodule.h>

#include <messenger/coproc-messenger.h>

G_BEGIN_DECLS

/**
 * CoprocEntryPoint:
 * @messenger: the worker's end of the connection
 * @arguments: (nullable): the arguments given to the start, of type `a{sv}`
 * @error: return location for an error
 *
 * A worker: a function with a loop of its own.
 *
 * Returning %FALSE with %COPROC_ERROR_CLOSE_REQUESTED is a clean end; any other error is sent to
 * the host.
 *
 * Returns: %TRUE when the work is done, %FALSE with @error set otherwise
 *
 * Since: 1.0
 */
typedef gboolean (*CoprocEntryPoint) (CoprocMessenger  *messenger,
                                      GVariant         *arguments,
                                      GError          **error);

/**
 * CoprocTaskFunc:
 * @input: the payload of a request
 * @arguments: (nullable): the arguments given to the start, of type `a{sv}`
 * @cancellable: cancelled when the requester gives up, or is gone
 * @error: return location for an error
 *
 * A task: a function of one payload; the library runs the loop around it, on every channel.
 *
 * Returns: (transfer full): the payload of the reply, or %NULL with @error set
 *
 * Since: 1.0
 */
typedef GVariant *(*CoprocTaskFunc) (GVariant      *input,
                                     GVariant      *arguments,
                                     GCancellable  *cancellable,
                                     GError       **error);

#ifndef __GI_SCANNER__

#define COPROC_PLUGIN_MAGIC 0x636f7072u /* "copr" */
#define COPROC_PLUGIN_ABI 1u
#define COPROC_PLUGIN_DESCRIPTOR_SYMBOL "coproc_plugin_entry"

typedef struct
{
  const char *name;
  const char *description;
  CoprocEntryPoint run;  /* one of the two, the other is NULL */
  CoprocTaskFunc task;
} CoprocPluginEntry;

typedef struct
{
  guint32 magic;
  guint32 abi;
  guint32 descriptor_size;
  guint32 entry_size;
  const char *name;
  const char *version;
  const char *description;
  const CoprocPluginEntry *entries;
  gsize n_entries;
} CoprocPluginDescriptor;

#define COPROC_ENTRY_POINT(name, function, description) { (name), (description), (function), NULL }
#define COPROC_TASK(name, function, description) { (name), (description), NULL, (function) }

#define COPROC_DEFINE_PLUGIN(plugin_name, plugin_version, plugin_description, ...)               \
  static const CoprocPluginEntry coproc_plugin_entries_[] = { __VA_ARGS__ };                      \
  extern G_MODULE_EXPORT const CoprocPluginDescriptor coproc_plugin_entry;                        \
  const CoprocPluginDescriptor coproc_plugin_entry = {                                            \
    COPROC_PLUGIN_MAGIC, COPROC_PLUGIN_ABI,                                                       \
    sizeof (CoprocPluginDescriptor), sizeof (CoprocPluginEntry),                                  \
    (plugin_name), (plugin_version), (plugin_description),                                        \
    coproc_plugin_entries_, G_N_ELEMENTS (coproc_plugin_entries_),                                \
  };

#endif /* __GI_SCANNER__ */

G_END_DECLS
