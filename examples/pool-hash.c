/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The SHA-256 of large files, by as many processes as there are processors: they get blocks of 64 KiB, which are made
 * as they are needed, and the checksums of a file's blocks, in their order, make that of the file. It is what
 *
 *   split -b 64K --filter=sha256sum FILE | cut -d' ' -f1 | sha256sum
 *
 * prints, too.
 *
 * Run it with: meson devenv -C build examples/pool-hash FILE...
 */
#include <coproc.h>

#include <stdio.h>

#define BLOCK (64 << 10)

/* What is left of a file. */
typedef struct
{
  GBytes *content;
  gsize offset;
} Blocks;

/* The next block, which is not copied: it is a part of the file's mapping. */
static GVariant *
next_block (gpointer user_data)
{
  Blocks *self = user_data;
  const gsize left = g_bytes_get_size (self->content) - self->offset;
  g_autoptr (GBytes) block = NULL;

  if (left == 0)
    return NULL;
  block = g_bytes_new_from_bytes (self->content, self->offset, MIN (left, BLOCK));
  self->offset += g_bytes_get_size (block);
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, block, TRUE);
}

/* (transfer full) */
static char *
hash_file (CoprocWorkerPool *pool, const char *path, GError **error)
{
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, error);
  g_autoptr (GBytes) content = file != NULL ? g_mapped_file_get_bytes (file) : NULL;
  Blocks blocks = { content, 0 };
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GChecksum) whole = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (GError) local_error = NULL;
  GVariant *result;

  if (file == NULL)
    return NULL;
  operation = coproc_worker_pool_map_lazy (pool, next_block, &blocks, NULL, TRUE, 0);
  while ((result = coproc_map_operation_next (operation, NULL, NULL, &local_error)) != NULL)
    {
      g_checksum_update (whole, (const guchar *) g_variant_get_string (result, NULL), -1);
      g_checksum_update (whole, (const guchar *) "\n", 1);
      g_variant_unref (result);
    }
  if (local_error != NULL)
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&local_error), "%s: ", path);
      return NULL;
    }
  return g_strdup (g_checksum_get_string (whole));
}

int
main (int argc, char *argv[])
{
  g_autoptr (CoprocWorkerPool) pool = coproc_worker_pool_new ("hash", "checksum", 0);
  g_autoptr (GError) error = NULL;
  guint n_failed = 0;

  if (!coproc_worker_pool_start (pool, NULL, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  for (int i = 1; i < argc; i++)
    {
      g_autofree char *checksum = hash_file (pool, argv[i], &error);

      if (checksum != NULL)
        printf ("%s  %s\n", checksum, argv[i]);
      else
        {
          fprintf (stderr, "%s\n", error->message);
          g_clear_error (&error);
          n_failed++;
        }
    }
  coproc_worker_pool_stop (pool, G_USEC_PER_SEC, NULL);
  return n_failed > 0;
}
