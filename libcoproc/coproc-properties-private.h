/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the setters of properties have in common.
 */
#pragma once

#include <glib.h>

/* Whether @field was another value than @new_value, which it is from now on. */
#define COPROC_TAKE_IF_DIFFERENT(field, new_value)                                                 \
  ((field) != (new_value) ? ((field) = (new_value), TRUE) : FALSE)
