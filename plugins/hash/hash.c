/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Checksums: work for the processor on bytes that are not copied on their way.
 */
#include <coproc.h>

/* The task `checksum`: of an `ay`, in hexadecimal digits. The argument `type` says which one: "md5", "sha1",
 * "sha256" (what it is without), "sha384", "sha512". */
static gboolean
get_type (GVariant *arguments, GChecksumType *type, GError **error)
{
  static const char *const names[] = { "md5", "sha1", "sha256", "sha512", "sha384" }; /* as GChecksumType goes */
  const char *name = "sha256";

  if (arguments != NULL)
    g_variant_lookup (arguments, "type", "&s", &name);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (names[i], name))
      {
        *type = (GChecksumType) i;
        return TRUE;
      }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no checksum '%s'", name);
  return FALSE;
}

static GVariant *
checksum (GVariant *input, GVariant *arguments, GCancellable *cancellable, GError **error)
{
  GChecksumType type;

  if (!get_type (arguments, &type, error) || !coproc_payload_get (input, error, "@ay", NULL))
    return NULL;
  return g_variant_new_take_string (
      g_compute_checksum_for_data (type, g_variant_get_data (input), g_variant_get_size (input)));
}

COPROC_DEFINE_PLUGIN ("hash", "1.0", "Checksums", COPROC_TASK ("checksum", checksum, "Gives the checksum of bytes"))
