/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The entry points of the plugin, each in a file of its own.
 */
#pragma once

#include <coproc.h>

GVariant *text_count (GVariant         *input,
                      GVariant         *arguments,
                      GCancellable     *cancellable,
                      GError          **error);
GVariant *text_grep  (GVariant         *input,
                      GVariant         *arguments,
                      GCancellable     *cancellable,
                      GError          **error);
gboolean  text_tail  (CoprocMessenger  *messenger,
                      GVariant         *arguments,
                      GError          **error);
