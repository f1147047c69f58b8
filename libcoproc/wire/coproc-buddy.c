/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Which units of a range are in use.
 *
 * The blocks are the nodes of a binary tree in an array, the root at 1 and the children of i at 2i and
 * 2i + 1. A node has the order, plus one, of the largest free block within it; 0: nothing is free.
 */
#include "wire/coproc-buddy-private.h"

struct _CoprocBuddy
{
  guint n_orders;
  guint8 *largest;  /* of each node */
  guint8 *taken;    /* order + 1 of the block that begins at each unit, 0: none */
};

CoprocBuddy *
coproc_buddy_new (guint n_orders)
{
  CoprocBuddy *self = g_new0 (CoprocBuddy, 1);

  self->n_orders = n_orders;
  self->largest = g_malloc0 ((gsize) 1 << n_orders);
  self->taken = g_malloc0 ((gsize) 1 << (n_orders - 1));
  for (guint level = 0; level < n_orders; level++)
    for (guint node = 1u << level; node < 2u << level; node++)
      self->largest[node] = (guint8) (n_orders - level);
  return self;
}

void
coproc_buddy_free (CoprocBuddy *self)
{
  g_free (self->largest);
  g_free (self->taken);
  g_free (self);
}

/* @node has changed: so may have those that it is in. @order: of the node. */
static void
update_parents (CoprocBuddy *self, guint node, guint order)
{
  while (node > 1)
    {
      const guint8 left = self->largest[node & ~1u], right = self->largest[node | 1u];

      node /= 2;
      order++;
      /* two halves that are free as a whole are one block */
      self->largest[node] = left == order && right == order ? (guint8) (order + 1) : MAX (left, right);
    }
}

guint
coproc_buddy_take (CoprocBuddy *self, guint order)
{
  guint node = 1, level_order = self->n_orders - 1, unit;

  if (order >= self->n_orders || self->largest[1] < order + 1)
    return COPROC_BUDDY_NONE;

  for (; level_order > order; level_order--)
    {
      /* the half that has just enough, the lower one if both have the same */
      const guint8 left = self->largest[2 * node], right = self->largest[2 * node + 1];

      if (left < order + 1 || (right >= order + 1 && right < left))
        node = 2 * node + 1;
      else
        node = 2 * node;
    }
  self->largest[node] = 0;
  unit = (node << order) - (1u << (self->n_orders - 1));
  self->taken[unit] = (guint8) (order + 1);
  update_parents (self, node, order);
  return unit;
}

guint
coproc_buddy_give (CoprocBuddy *self, guint unit)
{
  const guint order = self->taken[unit] - 1u;
  const guint node = ((1u << (self->n_orders - 1)) + unit) >> order;

  g_assert (self->taken[unit] != 0);

  self->taken[unit] = 0;
  self->largest[node] = (guint8) (order + 1);
  update_parents (self, node, order);
  return order;
}

gboolean
coproc_buddy_find (CoprocBuddy *self, guint unit, guint *first, guint *order)
{
  for (*order = 0; *order < self->n_orders; (*order)++)
    {
      *first = unit & ~((1u << *order) - 1);
      if (self->taken[*first] == *order + 1)
        return TRUE;
    }
  return FALSE;
}
