/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-inbox-private.h"

#include <string.h>

#include "coproc-error.h"
#include "wire/coproc-frame-private.h"

void
coproc_inbox_clear (CoprocInbox *self)
{
  g_clear_pointer (&self->slab, coproc_slab_unref);
  self->start = self->end = 0;
}

/* Goes on in a fresh slab of @size bytes with what is unread. */
static gboolean
replace_slab (CoprocInbox *self, gsize size, GError **error)
{
  const gsize n_kept = coproc_inbox_get_size (self);
  CoprocSlab *slab = coproc_slab_new (size);

  if (slab == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
                   "There is no memory for a frame of %" G_GSIZE_FORMAT " bytes", size);
      return FALSE;
    }

  if (n_kept > 0)
    memcpy (slab->data, coproc_inbox_peek (self), n_kept);
  coproc_inbox_clear (self);
  self->slab = slab;
  self->end = n_kept;
  return TRUE;
}

/* Whether the first @n_needed bytes can be completed where they are. A little that is left of a slab is given
 * up, so that reads are large, unless that would cost a large copy. */
static gboolean
has_room (CoprocInbox *self, gsize n_needed)
{
  n_needed = MAX (n_needed, COPROC_FRAME_HEADER_SIZE);
  if (self->slab == NULL)
    return FALSE;
  if (n_needed > COPROC_SLAB_SIZE)
    return self->start == 0 && self->slab->size == n_needed;
  if (self->slab->size != COPROC_SLAB_SIZE || n_needed > COPROC_SLAB_SIZE - self->start)
    return FALSE;

  return self->start == 0 || COPROC_SLAB_SIZE - self->end >= COPROC_SLAB_SIZE / 4
         || coproc_inbox_get_size (self) > COPROC_SLAB_SIZE / 4;
}

gpointer
coproc_inbox_get_space (CoprocInbox *self, gsize n_needed, gsize *size, GError **error)
{
  const gsize n_kept = coproc_inbox_get_size (self);

  if (n_kept == 0 || !has_room (self, n_needed))
    {
      if (n_needed <= COPROC_SLAB_SIZE && self->slab != NULL && self->slab->size == COPROC_SLAB_SIZE
          && !coproc_slab_is_shared (self->slab))
        {
          memmove (self->slab->data, coproc_inbox_peek (self), n_kept);
          self->start = 0;
          self->end = n_kept;
        }
      else if (!has_room (self, n_needed) && !replace_slab (self, MAX (n_needed, COPROC_SLAB_SIZE), error))
        return NULL;
    }

  g_assert (self->end < self->slab->size);
  *size = self->slab->size - self->end;
  return self->slab->data + self->end;
}

void
coproc_inbox_add (CoprocInbox *self, gsize n_bytes)
{
  g_assert (self->slab != NULL && n_bytes <= self->slab->size - self->end);

  self->end += n_bytes;
  self->slab->data[self->end] = 0; /* see coproc_payload_check() */
}
