/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the plugin has.
 */
#include "text-private.h"

COPROC_DEFINE_PLUGIN ("text", "1.0", "Looks into text files",
                      COPROC_TASK ("count", text_count, "Counts lines, words and bytes of a file"),
                      COPROC_TASK ("grep", text_grep, "Finds the lines that match a pattern"),
                      COPROC_ENTRY_POINT ("tail", text_tail, "Streams appended lines"))
