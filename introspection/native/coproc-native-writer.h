/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#pragma once

#include "coproc-native.h"

G_BEGIN_DECLS

/* Writes the serialised form of a GVariant from its beginning to its end. */
typedef struct
{
  guint8 *data;    /* (owned) */
  gsize size;      /* of it are written */
  gsize room;      /* of it are allocated */
  GString *code;   /* (owned) the type of what is written; in a variant, of what it holds so far */
  GArray *offsets; /* (owned) of gsize: framing offsets of the containers that are being written */
} CoprocWriter;

/* What a value has become: its alignment, and whether all values of its type have one size. */
typedef struct
{
  gsize alignment;
  gboolean is_fixed;
} CoprocWritten;

/* The room for @size more bytes, which is valid until more is added. */
guint8   *coproc_writer_add         (CoprocWriter *self, gsize size);
/* Adds zeros, up to a size or an alignment. */
void      coproc_writer_pad         (CoprocWriter *self, gsize size);
void      coproc_writer_align       (CoprocWriter *self, gsize alignment);

void      coproc_writer_add_offset  (CoprocWriter *self, gsize offset);
/* Ends a container that begins at @start, with its offsets from number @first on. */
void      coproc_writer_end_offsets (CoprocWriter *self, gsize start, guint first, gboolean is_reversed);
/* Moves what begins at @start, aligned too much, to where it belongs behind @unaligned. */
void      coproc_writer_realign     (CoprocWriter *self, gsize unaligned, gsize start, gsize alignment);

/* Adds the numbers of a buffer as an array of them. */
gboolean  coproc_writer_add_buffer  (CoprocWriter *self, PyObject *value, CoprocWritten *written);

G_END_DECLS
