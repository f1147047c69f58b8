/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "text-lines.h"

#include <string.h>

void
text_lines_init (TextLines *self)
{
  *self = (TextLines) { .bytes = g_byte_array_new () };
}

void
text_lines_clear (TextLines *self)
{
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

void
text_lines_put (TextLines    *self,
                const guint8 *data,
                gsize         length)
{
  g_byte_array_remove_range (self->bytes, 0, self->start);
  self->start = 0;
  g_byte_array_append (self->bytes, data, length);
}

/* The length of a piece: a character is not cut in two, if these are characters at all. */
static gsize
piece_length (const char *line)
{
  gsize length = TEXT_LINE_MAX;

  while (length > TEXT_LINE_MAX - 4 && ((guchar) line[length] & 0xc0) == 0x80)
    length--;
  return length;
}

char *
text_lines_take (TextLines *self,
                 gboolean   at_end,
                 gboolean  *ends)
{
  const gsize available = self->bytes->len - self->start;
  const gsize window = MIN (available, TEXT_LINE_MAX + 1);
  const char *line, *newline;
  gsize length, used;

  if (available == 0)
    return NULL;

  line = (const char *) self->bytes->data + self->start;
  newline = memchr (line + self->scanned, '\n', window - self->scanned);
  *ends = TRUE;
  if (newline != NULL)
    {
      length = newline - line;
      used = length + 1;
    }
  else if (window > TEXT_LINE_MAX)
    {
      length = used = piece_length (line);
      *ends = FALSE;
    }
  else if (at_end)
    length = used = available;
  else
    {
      self->scanned = window;
      return NULL;
    }

  self->start += used;
  self->scanned = 0;
  return g_utf8_make_valid (line, length);
}
