/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Reading the dictionaries that the entry points are given, with types checked.
 */
#pragma once

#include <coproc.h>

/* Each looks into @options, which should be an a{sv} and comes from the other process: nothing is
 * taken for granted. FALSE with COPROC_ERROR_INVALID_PAYLOAD otherwise. */

/* A string that must be there. */
gboolean text_options_get_string  (GVariant *options, const char *key, char **value, GError **error);

/* The file name under "path": a string, or a byte string where the name is not UTF-8. */
gboolean text_options_get_path    (GVariant *options, char **path, GError **error);

/* A boolean that may be missing: *value stays as it is then. */
gboolean text_options_get_boolean (GVariant *options, const char *key, gboolean *value,
                                   GError **error);
