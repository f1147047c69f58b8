/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A plugin of your own: one function from a payload to a payload is a task, and the library does
 * the rest.
 */
#include <coproc.h>

static GVariant *
reverse (GVariant      *input,
         GVariant      *arguments,
         GCancellable  *cancellable,
         GError       **error)
{
  const char *text;

  /* What a host sends is not to be relied on: this checks the type, and the error is the answer. */
  if (!coproc_payload_get (input, error, "&s", &text))
    return NULL;

  return g_variant_new_take_string (g_utf8_strreverse (text, -1));
}

COPROC_DEFINE_PLUGIN ("reverse", "1.0", "Turns texts around",
                      COPROC_TASK ("reverse", reverse, "Gives a string back from its end"))
