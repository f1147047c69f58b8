/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The task `count`: {path} → the same with lines, words and bytes, as `wc` counts them: newlines,
 * and runs of bytes between ASCII white space. The file is read in pieces, so it may have any size.
 */
#include "text-options.h"
#include "text-private.h"

#define BUFFER_SIZE (64 * 1024)

typedef struct
{
  guint64 lines;
  guint64 words;
  guint64 bytes;
  gboolean in_word;
} TextCounts;

static void
text_counts_add (TextCounts   *counts,
                 const guint8 *data,
                 gsize         length)
{
  for (gsize i = 0; i < length; i++)
    {
      const gboolean is_space = data[i] == ' ' || (data[i] >= '\t' && data[i] <= '\r');

      counts->lines += data[i] == '\n';
      counts->words += !is_space && !counts->in_word;
      counts->in_word = !is_space;
    }
  counts->bytes += length;
}

static gboolean
text_counts_add_file (TextCounts    *counts,
                      const char    *path,
                      GCancellable  *cancellable,
                      GError       **error)
{
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autoptr(GFileInputStream) stream = g_file_read (file, cancellable, error);
  g_autofree guint8 *buffer = g_malloc (BUFFER_SIZE);
  gssize n_read;

  if (stream == NULL)
    return FALSE;

  while ((n_read = g_input_stream_read (G_INPUT_STREAM (stream), buffer, BUFFER_SIZE,
                                        cancellable, error)) > 0)
    text_counts_add (counts, buffer, n_read);
  return n_read == 0;
}

GVariant *
text_count (GVariant      *input,
            GVariant      *arguments,
            GCancellable  *cancellable,
            GError       **error)
{
  g_autofree char *path = NULL;
  TextCounts counts = { 0, };
  GVariantDict reply;

  if (!text_options_get_path (input, &path, error)
      || !text_counts_add_file (&counts, path, cancellable, error))
    return NULL;

  g_variant_dict_init (&reply, input);
  g_variant_dict_insert (&reply, "lines", "t", counts.lines);
  g_variant_dict_insert (&reply, "words", "t", counts.words);
  g_variant_dict_insert (&reply, "bytes", "t", counts.bytes);
  return g_variant_dict_end (&reply);
}
