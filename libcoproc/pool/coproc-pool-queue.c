/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Few priorities are in use at a time, so jobs lie in one line for each. Who takes from a job that has more puts it
 * behind the others: tasks are first come first served, and large jobs share the workers.
 */
#include "pool/coproc-pool-private.h"

typedef struct
{
  double priority;
  GQueue jobs;             /* CoprocPoolJob links; never empty */
} Level;

void
coproc_pool_queue_init (CoprocPoolQueue *self)
{
  self->levels = g_sequence_new (g_free);
}

void
coproc_pool_queue_clear (CoprocPoolQueue *self)
{
  g_clear_pointer (&self->levels, g_sequence_free);
}

static int
compare_levels (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const Level *left = a, *right = b;

  return (left->priority > right->priority) - (left->priority < right->priority);
}

void
coproc_pool_queue_add (CoprocPoolQueue *self, CoprocPoolJob *job)
{
  const Level wanted = { .priority = job->priority };
  GSequenceIter *iter = g_sequence_lookup (self->levels, (gpointer) &wanted, compare_levels, NULL);
  Level *level;

  g_assert (!job->queued);
  if (iter != NULL)
    level = g_sequence_get (iter);
  else
    {
      level = g_new0 (Level, 1);
      level->priority = job->priority;
      g_sequence_insert_sorted (self->levels, level, compare_levels, NULL);
    }
  job->queue_link.data = job;
  g_queue_push_tail_link (&level->jobs, &job->queue_link);
  job->queued = TRUE;
}

void
coproc_pool_queue_remove (CoprocPoolQueue *self, CoprocPoolJob *job)
{
  const Level wanted = { .priority = job->priority };
  GSequenceIter *iter;
  Level *level;

  if (!job->queued)
    return;
  iter = g_sequence_lookup (self->levels, (gpointer) &wanted, compare_levels, NULL);
  level = g_sequence_get (iter);
  g_queue_unlink (&level->jobs, &job->queue_link);
  job->queued = FALSE;
  if (level->jobs.length == 0)
    g_sequence_remove (iter);
}

CoprocPoolJob *
coproc_pool_queue_peek (CoprocPoolQueue *self)
{
  GSequenceIter *first = g_sequence_get_begin_iter (self->levels);

  if (g_sequence_iter_is_end (first))
    return NULL;
  return g_queue_peek_head (&((Level *) g_sequence_get (first))->jobs);
}
