/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a plugin says of itself.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <coproc-types.h>

G_BEGIN_DECLS

#define COPROC_TYPE_PLUGIN (coproc_plugin_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocPlugin, coproc_plugin, COPROC, PLUGIN, GObject)

COPROC_AVAILABLE_IN_1_0
CoprocPlugin       *coproc_plugin_inspect                     (const char    *path,
                                                               GError       **error);
COPROC_AVAILABLE_IN_1_0
GListModel         *coproc_plugin_list                        (GError       **error);

COPROC_AVAILABLE_IN_1_0
const char         *coproc_plugin_get_path                    (CoprocPlugin  *self);
COPROC_AVAILABLE_IN_1_0
const char         *coproc_plugin_get_name                    (CoprocPlugin  *self);
COPROC_AVAILABLE_IN_1_0
const char         *coproc_plugin_get_version                 (CoprocPlugin  *self);
COPROC_AVAILABLE_IN_1_0
const char         *coproc_plugin_get_description             (CoprocPlugin  *self);
COPROC_AVAILABLE_IN_1_0
const char * const *coproc_plugin_get_entry_points            (CoprocPlugin  *self);
COPROC_AVAILABLE_IN_1_0
const char         *coproc_plugin_get_entry_point_description (CoprocPlugin  *self,
                                                               const char    *entry_point);

G_END_DECLS
