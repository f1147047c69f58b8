/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-pool-results-private.h"

#define MIN_SIZE 16

void
coproc_results_init (CoprocResults *self, gboolean ordered, GDestroyNotify free_value)
{
  *self = (CoprocResults) { .ordered = ordered, .free_value = free_value };
}

static gboolean
is_there (const CoprocOutcome *outcome)
{
  return outcome->value != NULL || outcome->error != NULL;
}

void
coproc_results_clear (CoprocResults *self)
{
  for (gsize i = 0; i < self->size; i++)
    {
      g_clear_pointer (&self->ring[i].value, self->free_value);
      g_clear_error (&self->ring[i].error);
    }
  g_clear_pointer (&self->ring, g_free);
  self->size = 0;
}

/* Makes room for @place. */
static void
grow (CoprocResults *self, guint64 place)
{
  const gsize old_size = self->size;
  g_autofree CoprocOutcome *old = g_steal_pointer (&self->ring);

  self->size = MAX (self->size, MIN_SIZE);
  while (place - self->n_popped >= self->size)
    self->size *= 2;
  self->ring = g_new0 (CoprocOutcome, self->size);
  for (gsize i = 0; i < old_size; i++)
    self->ring[(self->n_popped + i) & (self->size - 1)] = old[(self->n_popped + i) & (old_size - 1)];
}

void
coproc_results_put (CoprocResults *self, const CoprocOutcome *outcome)
{
  const guint64 place = self->ordered ? outcome->index : self->n_put;

  if (place - self->n_popped >= self->size)
    grow (self, place);
  self->ring[place & (self->size - 1)] = *outcome;
  self->n_put++;
}

static CoprocOutcome *
next_place (const CoprocResults *self)
{
  return &self->ring[self->n_popped & (self->size - 1)];
}

gboolean
coproc_results_can_pop (const CoprocResults *self)
{
  return self->size > 0 && is_there (next_place (self));
}

gboolean
coproc_results_pop (CoprocResults *self, CoprocOutcome *outcome)
{
  CoprocOutcome *next;

  if (!coproc_results_can_pop (self))
    return FALSE;
  next = next_place (self);
  *outcome = *next;
  next->value = NULL;
  next->error = NULL;
  self->last_index = outcome->index;
  self->n_popped++;
  return TRUE;
}
