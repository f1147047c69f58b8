/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native-writer.h"

#include <string.h>

guint8 *
coproc_writer_add (CoprocWriter *self, gsize size)
{
  if (self->room - self->size < size)
    {
      self->room = MAX (2 * self->room, self->size + size);
      self->data = g_realloc (self->data, self->room);
    }
  self->size += size;
  return self->data + self->size - size;
}

void
coproc_writer_pad (CoprocWriter *self, gsize size)
{
  if (size > self->size)
    {
      const gsize n = size - self->size;

      memset (coproc_writer_add (self, n), 0, n);
    }
}

void
coproc_writer_align (CoprocWriter *self, gsize alignment)
{
  coproc_writer_pad (self, coproc_align (self->size, alignment));
}

void
coproc_writer_add_offset (CoprocWriter *self, gsize offset)
{
  g_array_append_val (self->offsets, offset);
}

void
coproc_writer_end_offsets (CoprocWriter *self, gsize start, guint first, gboolean is_reversed)
{
  const guint n = self->offsets->len - first;
  const gsize width = coproc_offset_width (self->size - start, n);
  guint8 *place = coproc_writer_add (self, n * width);

  for (guint i = 0; i < n; i++)
    {
      const gsize offset = g_array_index (self->offsets, gsize, first + (is_reversed ? n - 1 - i : i));

      memcpy (place + i * width, &(guint64) { GUINT64_TO_LE (offset) }, width);
    }
  g_array_set_size (self->offsets, first);
}

void
coproc_writer_realign (CoprocWriter *self, gsize unaligned, gsize start, gsize alignment)
{
  const gsize wanted = coproc_align (unaligned, alignment);

  if (wanted < start)
    {
      memmove (self->data + wanted, self->data + start, self->size - start);
      self->size -= start - wanted;
    }
}
