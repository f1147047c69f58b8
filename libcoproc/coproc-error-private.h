/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * How an error crosses the boundary between two processes.
 */
#pragma once

#include "coproc-error.h"

G_BEGIN_DECLS

/* The type of an error frame's payload: domain, code, message. */
#define COPROC_ERROR_VARIANT_TYPE G_VARIANT_TYPE ("(sis)")

GVariant *coproc_error_to_variant   (const GError *error);
GError   *coproc_error_from_variant (GVariant *variant);

G_END_DECLS
