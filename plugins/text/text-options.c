/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "text-options.h"

/* TRUE with *value NULL when there is nothing under @key. */
static gboolean
lookup (GVariant    *options,
        const char  *key,
        GVariant   **value,
        GError     **error)
{
  g_autoptr(GVariant) dict = NULL;

  if (options == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                   "Arguments are needed, '%s' among them", key);
      return FALSE;
    }
  if (!coproc_payload_get (options, error, "@a{sv}", &dict))
    return FALSE;

  *value = g_variant_lookup_value (dict, key, NULL);
  return TRUE;
}

static gboolean
lookup_required (GVariant    *options,
                 const char  *key,
                 GVariant   **value,
                 GError     **error)
{
  if (!lookup (options, key, value, error))
    return FALSE;
  if (*value == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "'%s' is missing", key);
  return *value != NULL;
}

gboolean
text_options_get_string (GVariant    *options,
                         const char  *key,
                         char       **string,
                         GError     **error)
{
  g_autoptr(GVariant) value = NULL;

  if (!lookup_required (options, key, &value, error))
    return FALSE;
  if (!coproc_payload_get (value, error, "s", string))
    {
      g_prefix_error (error, "'%s': ", key);
      return FALSE;
    }
  return TRUE;
}

gboolean
text_options_get_path (GVariant  *options,
                       char     **path,
                       GError   **error)
{
  g_autoptr(GVariant) value = NULL;

  if (!lookup_required (options, "path", &value, error))
    return FALSE;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    {
      *path = g_variant_dup_bytestring (value, NULL);
      return TRUE;
    }
  return text_options_get_string (options, "path", path, error);
}

gboolean
text_options_get_boolean (GVariant    *options,
                          const char  *key,
                          gboolean    *boolean,
                          GError     **error)
{
  g_autoptr(GVariant) value = NULL;

  if (!lookup (options, key, &value, error))
    return FALSE;
  if (value != NULL && !coproc_payload_get (value, error, "b", boolean))
    {
      g_prefix_error (error, "'%s': ", key);
      return FALSE;
    }
  return TRUE;
}
