/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The results of a map, one by one.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <gio/gio.h>

#include <coproc-version.h>

G_BEGIN_DECLS

#define COPROC_TYPE_MAP_OPERATION (coproc_map_operation_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocMapOperation, coproc_map_operation, COPROC, MAP_OPERATION, GObject)

/**
 * CoprocMapInputFunc:
 * @user_data: what was given with the function
 *
 * Makes the next input of a map.
 *
 * It is called by who asks for results, in that thread: nothing is made ahead of them but what keeps
 * the workers busy.
 *
 * Returns: (transfer full) (nullable): the input, or %NULL when there are no more
 *
 * Since: 1.0
 */
typedef GVariant *(*CoprocMapInputFunc) (gpointer user_data);

COPROC_AVAILABLE_IN_1_0
GVariant *coproc_map_operation_next        (CoprocMapOperation   *self,
                                            gsize                *index,
                                            GCancellable         *cancellable,
                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
void      coproc_map_operation_next_async  (CoprocMapOperation   *self,
                                            GCancellable         *cancellable,
                                            GAsyncReadyCallback   callback,
                                            gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
GVariant *coproc_map_operation_next_finish (CoprocMapOperation   *self,
                                            GAsyncResult         *result,
                                            gsize                *index,
                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
void      coproc_map_operation_cancel      (CoprocMapOperation   *self);

G_END_DECLS
