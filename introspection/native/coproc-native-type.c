/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

/* The members of a tuple or a dictionary entry, from behind its bracket on. */
static CoprocShape
shape_of_members (const char *code)
{
  CoprocShape shape = { 1, 0, code };
  gboolean is_fixed = TRUE;

  if (*code == ')')
    return (CoprocShape) { 1, 1, code + 1 };
  while (*shape.end != ')' && *shape.end != '}')
    {
      const CoprocShape member = coproc_shape_of (shape.end);

      shape.alignment = MAX (shape.alignment, member.alignment);
      shape.size = coproc_align (shape.size, member.alignment) + member.size;
      is_fixed = is_fixed && member.size > 0;
      shape.end = member.end;
    }
  shape.end++;
  shape.size = is_fixed ? coproc_align (shape.size, shape.alignment) : 0;
  return shape;
}

CoprocShape
coproc_shape_of (const char *code)
{
  CoprocShape shape;

  switch (*code)
    {
    case 'b':
    case 'y':
      return (CoprocShape) { 1, 1, code + 1 };
    case 'n':
    case 'q':
      return (CoprocShape) { 2, 2, code + 1 };
    case 'i':
    case 'u':
    case 'h':
      return (CoprocShape) { 4, 4, code + 1 };
    case 'x':
    case 't':
    case 'd':
      return (CoprocShape) { 8, 8, code + 1 };
    case 'v':
      return (CoprocShape) { 8, 0, code + 1 };
    case 'a':
    case 'm':
      shape = coproc_shape_of (code + 1);
      shape.size = 0;
      return shape;
    case '(':
    case '{':
      return shape_of_members (code + 1);
    default: /* s, o, g */
      return (CoprocShape) { 1, 0, code + 1 };
    }
}

gsize
coproc_offset_width (gsize size, gsize n_offsets)
{
  if (size + n_offsets <= G_MAXUINT8)
    return 1;
  if (size + 2 * n_offsets <= G_MAXUINT16)
    return 2;
  return size + 4 * n_offsets <= G_MAXUINT32 ? 4 : 8;
}
