/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-payload.h"

#include "coproc-error.h"

/* The type that a format string stands for: it is the string without its marks of ownership. */
static char *
format_to_type (const char *format)
{
  GString *type = g_string_new (NULL);

  for (const char *c = format; *c != '\0'; c++)
    if (*c != '@' && *c != '&' && *c != '^')
      g_string_append_c (type, *c);
  return g_string_free (type, FALSE);
}

/**
 * coproc_payload_get: (skip)
 * @payload: a payload
 * @error: return location for an error
 * @format: a [GVariant format string](gvariant-format-strings.html)
 * @...: where to store what @format names, as for [method@GLib.Variant.get]
 *
 * Takes a payload apart, like [method@GLib.Variant.get], if it has the type that is expected.
 *
 * A payload comes from another program, so its type is not to be relied on, and the getters of
 * [struct@GLib.Variant] log a critical warning and give a zero for a wrong one. This function leaves
 * the arguments untouched then and says what is wrong.
 *
 * The values are the caller's to free, as with [method@GLib.Variant.get]; those fetched with `&`
 * belong to @payload and live as long as it does.
 *
 * ```c
 * const char *path;
 * guint32 line;
 *
 * if (!coproc_payload_get (payload, error, "(&su)", &path, &line))
 *   return FALSE;
 * ```
 *
 * Errors: `COPROC_ERROR_INVALID_PAYLOAD`, naming both types.
 *
 * Threads: any.
 *
 * Returns: %TRUE if the arguments are set, %FALSE with @error set otherwise
 *
 * Since: 1.0
 */
gboolean
coproc_payload_get (GVariant *payload, GError **error, const char *format, ...)
{
  va_list args;

  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  g_return_val_if_fail (format != NULL, FALSE);

  if (!g_variant_check_format_string (payload, format, FALSE))
    {
      g_autofree char *expected = format_to_type (format);

      g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                   "The payload has the type '%s' where '%s' is expected",
                   g_variant_get_type_string (payload), expected);
      return FALSE;
    }

  va_start (args, format);
  g_variant_get_va (payload, format, NULL, &args);
  va_end (args);
  return TRUE;
}
