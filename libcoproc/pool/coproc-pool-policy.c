/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The window of a worker: as many messages as keep it busy for about a millisecond, so that neither its
 * link nor itself is ever idle, and so that little waits behind an item that takes long. Items that
 * take longer than a round trip matters go one by one, and of large ones there are two: one that is worked on and one
 * that is on its way.
 */
#include "coproc-pool-policy-private.h"

#define AHEAD_US 1000.0       /* work that a worker may have before it */
#define AHEAD_BYTES (4 << 20) /* payloads that it may have before it */
#define CHUNK_US 200.0        /* work in one message: what its cost is nothing to */
#define MIN_ITEM_US 0.05
#define FASTER_WEIGHT 0.25    /* what is faster than before is believed slowly, what is slower at once */

void
coproc_pace_note (CoprocPace *self, gint64 elapsed_us, guint n_items, guint n_messages)
{
  double item_us;

  if (n_items == 0)
    return;
  item_us = MAX ((double) elapsed_us / n_items, MIN_ITEM_US);
  if (self->item_us == 0 || item_us > self->item_us)
    self->item_us = item_us;
  else
    self->item_us += FASTER_WEIGHT * (item_us - self->item_us);

  self->window = MIN (MAX (self->window, 1) + n_messages, COPROC_MAX_WINDOW);
}

guint
coproc_pace_get_window (const CoprocPace *self, guint chunk)
{
  double wanted;

  if (self->item_us == 0 || self->item_us * chunk >= COPROC_SLOW_US)
    return 1;
  wanted = MAX (AHEAD_US / (self->item_us * chunk), 2);
  return (guint) MIN (wanted, self->window);
}

gboolean
coproc_pace_has_room (const CoprocPace *self, guint chunk, guint n_messages, gsize n_bytes)
{
  return n_messages < coproc_pace_get_window (self, chunk) && (n_messages < 2 || n_bytes < AHEAD_BYTES);
}

guint
coproc_pace_get_chunk (const CoprocPace *self)
{
  if (self->item_us == 0)
    return 1;
  return (guint) CLAMP (CHUNK_US / self->item_us, 1, COPROC_MAX_CHUNK);
}

guint
coproc_pool_share (gsize n_queued, guint n_workers, gboolean idle)
{
  const gsize share = n_queued / (2 * (gsize) MAX (n_workers, 1));

  return (guint) CLAMP (share, idle && n_queued > 0 ? 1 : 0, G_MAXUINT / 2);
}
