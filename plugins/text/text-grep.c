/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The task `grep`: {path, pattern} → the same with `matches`, an array of {number, text}, and
 * `truncated`, TRUE when there were more matches than fit into one reply.
 *
 * The pattern is a GRegex; bytes that are not UTF-8 are matched and shown as U+FFFD. A line longer
 * than TEXT_LINE_MAX is matched in pieces, each a match of its own.
 */
#include "text-lines.h"
#include "text-options.h"
#include "text-private.h"

#define BUFFER_SIZE (64 * 1024)

/* A reply may have 1 MiB by default; a match costs about this much besides its text. */
#define REPLY_MAX (512 * 1024)
#define MATCH_COST 64

typedef struct
{
  GRegex *regex;           /* (transfer none) */
  GVariantBuilder matches; /* aa{sv} */
  TextLines lines;
  guint64 number;          /* of the line that is read, from 1 */
  gsize size;              /* of the matches */
  gboolean truncated;
} TextGrep;

/* Matches the lines that are complete. */
static gboolean
text_grep_lines (TextGrep  *self,
                 gboolean   at_end,
                 GError   **error)
{
  while (!self->truncated)
    {
      gboolean ends;
      g_autofree char *line = text_lines_take (&self->lines, at_end, &ends);
      g_autoptr(GError) match_error = NULL;

      if (line == NULL)
        break;

      if (g_regex_match_full (self->regex, line, -1, 0, 0, NULL, &match_error))
        {
          self->size += strlen (line) + MATCH_COST;
          self->truncated = self->size > REPLY_MAX;
          if (!self->truncated)
            g_variant_builder_add_parsed (&self->matches, "{'number': <%t>, 'text': <%s>}",
                                          self->number, line);
        }
      else if (match_error != NULL)
        {
          g_set_error (error, COPROC_ERROR, COPROC_ERROR_FAILED, "Line %" G_GUINT64_FORMAT ": %s",
                       self->number, match_error->message);
          return FALSE;
        }

      self->number += ends;
    }
  return TRUE;
}

static gboolean
text_grep_file (TextGrep      *self,
                const char    *path,
                GCancellable  *cancellable,
                GError       **error)
{
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autoptr(GFileInputStream) stream = g_file_read (file, cancellable, error);
  g_autofree guint8 *buffer = g_malloc (BUFFER_SIZE);
  gssize n_read = 0;

  if (stream == NULL)
    return FALSE;

  while (!self->truncated
         && (n_read = g_input_stream_read (G_INPUT_STREAM (stream), buffer, BUFFER_SIZE,
                                           cancellable, error)) > 0)
    {
      text_lines_put (&self->lines, buffer, n_read);
      if (!text_grep_lines (self, FALSE, error))
        return FALSE;
    }
  return n_read >= 0 && text_grep_lines (self, TRUE, error);
}

GVariant *
text_grep (GVariant      *input,
           GVariant      *arguments,
           GCancellable  *cancellable,
           GError       **error)
{
  g_autofree char *path = NULL, *pattern = NULL;
  g_autoptr(GRegex) regex = NULL;
  g_autoptr(GError) pattern_error = NULL;
  TextGrep grep = { .number = 1 };
  GVariant *result = NULL;

  if (!text_options_get_path (input, &path, error)
      || !text_options_get_string (input, "pattern", &pattern, error))
    return NULL;

  grep.regex = regex = g_regex_new (pattern, 0, 0, &pattern_error);
  if (regex == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "'pattern': %s",
                   pattern_error->message);
      return NULL;
    }

  text_lines_init (&grep.lines);
  g_variant_builder_init (&grep.matches, G_VARIANT_TYPE ("aa{sv}"));
  if (text_grep_file (&grep, path, cancellable, error))
    {
      GVariantDict reply;

      g_variant_dict_init (&reply, input);
      g_variant_dict_insert_value (&reply, "matches", g_variant_builder_end (&grep.matches));
      g_variant_dict_insert (&reply, "truncated", "b", grep.truncated);
      result = g_variant_dict_end (&reply);
    }
  g_variant_builder_clear (&grep.matches);
  text_lines_clear (&grep.lines);
  return result;
}
