/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Which units of a range are in use: blocks of a power of two of them, which halve and merge. Pure
 * bookkeeping; the lowest suitable block is taken, so that what is warm is used again.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _CoprocBuddy CoprocBuddy;

#define COPROC_BUDDY_NONE G_MAXUINT

/* For 2^(@n_orders - 1) units. */
CoprocBuddy *coproc_buddy_new  (guint n_orders);
void         coproc_buddy_free (CoprocBuddy *self);
/* A block of 2^@order units. Returns: its first unit; COPROC_BUDDY_NONE: there is none */
guint        coproc_buddy_take (CoprocBuddy *self, guint order);
/* @unit: the first of a block that was taken. Returns: its order */
guint        coproc_buddy_give (CoprocBuddy *self, guint unit);
/* The block that is taken and has @unit in it. FALSE: there is none */
gboolean     coproc_buddy_find (CoprocBuddy *self, guint unit, guint *first, guint *order);

G_END_DECLS
