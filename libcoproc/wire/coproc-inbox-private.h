/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Bytes on their way in: what has been read and not yet been decoded.
 */
#pragma once

#include "wire/coproc-slab-private.h"

G_BEGIN_DECLS

/* The unread bytes are slab->data[start .. end); start is the beginning of a frame and a multiple
 * of 8. Bytes before it may belong to slices, bytes from end on belong to nobody else: they may be
 * written also while the slab is shared. Its owner's lock guards it. */
typedef struct
{
  CoprocSlab *slab;          /* (nullable) (owned) */
  gsize start;
  gsize end;
} CoprocInbox;

void     coproc_inbox_clear     (CoprocInbox *self);
/* Room for at least one byte behind the unread ones, of which the first @n_needed (0: not known) are to be in one
 * piece. Small frames share a slab of 64 KiB, a large frame gets a slab of its own size, filled exactly. NULL with
 * error set when there is no memory. */
gpointer coproc_inbox_get_space (CoprocInbox *self, gsize n_needed, gsize *size, GError **error);
void     coproc_inbox_add       (CoprocInbox *self, gsize n_bytes);

static inline gsize
coproc_inbox_get_size (const CoprocInbox *self)
{
  return self->end - self->start;
}

/* Only when there are unread bytes. */
static inline guint8 *
coproc_inbox_peek (const CoprocInbox *self)
{
  return self->slab->data + self->start;
}

G_END_DECLS
