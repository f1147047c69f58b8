/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * How much a worker is given at once: pure arithmetic.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define COPROC_MAX_WINDOW 512 /* messages under way to one worker */
#define COPROC_SLOW_US 10000  /* from here on an item comes alone: a round trip is less than 1 % of it */
#define COPROC_MAX_CHUNK 1024 /* items of one message, where the pool chooses */

/* How fast a worker is: zeroed at first. */
typedef struct
{
  double item_us;          /* what an item takes, 0: not known yet */
  guint window;            /* messages that it may have, grown step by step */
} CoprocPace;

/* @n_items in @n_messages have taken @elapsed_us, during which the worker always had something to do. */
void  coproc_pace_note      (CoprocPace *self, gint64 elapsed_us, guint n_items, guint n_messages);
/* How many messages of @chunk items a worker may have at a time. */
guint coproc_pace_get_window (const CoprocPace *self, guint chunk);
/* Whether a worker that has @n_messages, of @n_bytes together, may have another one of @chunk items. */
gboolean coproc_pace_has_room (const CoprocPace *self, guint chunk, guint n_messages, gsize n_bytes);
/* How many items go into one message where the pool chooses. */
guint coproc_pace_get_chunk (const CoprocPace *self);

/* How many of @n_queued items one of @n_workers workers may take now, so that the others get as much
 * and little is left to wait for at the end. @idle: it has nothing to do */
guint coproc_pool_share     (gsize n_queued, guint n_workers, gboolean idle);

G_END_DECLS
