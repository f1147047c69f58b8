/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Cutting a stream of bytes into lines, as valid UTF-8 whatever the bytes are.
 */
#pragma once

#include <glib.h>

/* What is held at most of a line, in bytes: a longer one comes in pieces. */
#define TEXT_LINE_MAX (64 * 1024)

typedef struct
{
  GByteArray *bytes; /* what was put in and, from start on, is not yet taken out */
  gsize start;
  gsize scanned;     /* how much from start on is known to have no newline */
} TextLines;

void  text_lines_init  (TextLines *self);
void  text_lines_clear (TextLines *self);
void  text_lines_put   (TextLines *self, const guint8 *data, gsize length);

/* The next line, without its newline, and what is invalid in it replaced; NULL when more bytes are
 * needed. *ends: FALSE for a piece that the line goes on after. @at_end: no more bytes will come,
 * so what has no newline is a line too. */
char *text_lines_take  (TextLines *self, gboolean at_end, gboolean *ends);
