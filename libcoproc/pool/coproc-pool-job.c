/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "pool/coproc-pool-private.h"

#include "coproc-error.h"
#include "coproc-interrupt-private.h"

/* --- life --- */

CoprocPoolJob *
coproc_pool_job_new (CoprocPoolCore  *core,
                     gboolean         ordered,
                     gboolean         as_messages,
                     double           priority,
                     guint            chunk_size)
{
  CoprocPoolJob *self = g_new0 (CoprocPoolJob, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->core = coproc_pool_core_ref (core);
  self->as_messages = as_messages;
  self->priority = priority;
  self->chunk_size = chunk_size;
  self->max_chunk = as_messages ? 1 : G_MAXUINT;
  coproc_pool_rate_init (&self->rate, g_get_monotonic_time ());
  g_queue_init (&self->returned);
  g_queue_init (&self->waits);
  g_cond_init (&self->changed);
  coproc_results_init (&self->results, ordered,
                       as_messages ? (GDestroyNotify) coproc_message_unref
                                   : (GDestroyNotify) g_variant_unref);
  return self;
}

CoprocPoolJob *
coproc_pool_job_ref (CoprocPoolJob *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_pool_job_unref (CoprocPoolJob *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (!self->queued && self->waits.length == 0 && self->returned.length == 0);
  for (gsize i = self->next; i < self->n_inputs; i++)
    self->results.free_value (self->inputs[i]);
  g_free (self->inputs);
  coproc_results_clear (&self->results);
  g_clear_error (&self->failure);
  g_clear_pointer (&self->progress, coproc_pool_progress_unref);
  g_cond_clear (&self->changed);
  coproc_pool_core_unref (self->core);
  g_free (self);
}

/* --- inputs --- */

void
coproc_pool_job_add_locked (CoprocPoolJob *self, gpointer *inputs, gsize n)
{
  const gsize n_left = self->n_inputs - self->next;

  if (self->size - self->n_inputs < n)
    {
      /* What was taken makes room first. */
      if (self->next > 0)
        memmove (self->inputs, self->inputs + self->next, n_left * sizeof *self->inputs);
      self->base += self->next;
      self->next = 0;
      self->n_inputs = n_left;
      if (self->size - n_left < n)
        {
          self->size = n_left + MAX (n, n_left);
          self->inputs = g_renew (gpointer, self->inputs, self->size);
        }
    }
  if (n > 0)
    memcpy (self->inputs + self->n_inputs, inputs, n * sizeof *inputs);
  self->n_inputs += n;
  self->n_queued += n;
  self->core->n_queued += n;
}

static CoprocParcel *
pop_returned (CoprocPoolJob *self)
{
  GList *link = g_queue_pop_head_link (&self->returned);

  return link != NULL ? link->data : NULL;
}

CoprocParcel *
coproc_pool_job_take_locked (CoprocPoolJob *self, guint max, gboolean by_reference)
{
  CoprocParcel *parcel = pop_returned (self);

  if (parcel == NULL)
    {
      const guint n = (guint) MIN (max, self->n_inputs - self->next);

      g_assert (n > 0);
      parcel = coproc_parcel_new (self, self->base + self->next, self->inputs + self->next, n, by_reference);
      self->next += parcel->n;
    }
  self->n_queued -= parcel->n;
  self->core->n_queued -= parcel->n;
  self->n_out += parcel->n;
  self->core->n_out += parcel->n;
  return parcel;
}

void
coproc_pool_job_return_locked (CoprocPoolJob *self, CoprocParcel *parcel)
{
  self->n_out -= parcel->n;
  self->core->n_out -= parcel->n;
  if (self->over)
    {
      g_queue_push_tail_link (&self->core->spent, &parcel->link);
      return;
    }
  g_queue_push_tail_link (&self->returned, &parcel->link);
  self->n_queued += parcel->n;
  self->core->n_queued += parcel->n;
}

void
coproc_pool_job_split_locked (CoprocPoolJob *self, CoprocParcel *parcel)
{
  for (guint i = 0; i < parcel->n && !self->over; i++)
    {
      CoprocParcel *part = coproc_parcel_new (self, parcel->first + i, &parcel->inputs[i], 1, parcel->by_reference);

      parcel->inputs[i] = NULL;
      part->n_sent = parcel->n_sent;
      part->n_deaths = parcel->n_deaths;
      coproc_pool_job_return_locked (self, part);
    }
  if (self->over)
    {
      self->n_out -= parcel->n;
      self->core->n_out -= parcel->n;
    }
  g_queue_push_tail_link (&self->core->spent, &parcel->link);
}

/* --- outcomes --- */

gboolean
coproc_pool_job_is_complete_locked (CoprocPoolJob *self)
{
  return self->over || (self->fed && self->n_queued == 0 && self->n_out == 0);
}

guint64
coproc_pool_job_get_total_locked (CoprocPoolJob *self)
{
  return self->base + self->n_inputs;
}

static void
note_progress_locked (CoprocPoolJob *self, gboolean complete)
{
  const gint64 now = g_get_monotonic_time ();

  if (complete)
    coproc_pool_rate_finish (&self->rate, now, self->n_done);
  else
    coproc_pool_rate_note (&self->rate, now, self->n_done);
  coproc_pool_progress_note (self->progress, complete);
}

void
coproc_pool_job_wake_locked (CoprocPoolJob *self)
{
  const gboolean complete = coproc_pool_job_is_complete_locked (self);

  if (self->progress != NULL)
    note_progress_locked (self, complete);
  if (!complete && !coproc_results_can_pop (&self->results))
    return;
  if (self->n_waiting > 0 && (complete || self->n_done >= self->n_wanted))
    g_cond_broadcast (&self->changed);
  for (GList *link = self->waits.head; link != NULL; link = link->next)
    coproc_pool_wait_wake_locked (link->data);
}

/* No more of it: @failure (transfer full) (nullable) says why. */
static void
end_locked (CoprocPoolJob *self, GError *failure)
{
  self->over = TRUE;
  self->failure = failure;
  self->core->n_queued -= self->n_queued;
  self->n_queued = 0;
  coproc_pool_core_withdraw_locked (self->core, self);
}

gboolean
coproc_pool_job_settle_locked (CoprocPoolJob *self, CoprocOutcome *outcome)
{
  self->n_out--;
  self->core->n_out--;
  if (self->over)
    return FALSE;

  self->n_done++;
  self->core->n_done++;
  if (outcome->error != NULL)
    {
      self->n_failed++;
      self->core->n_failed++;
    }
  if (outcome->error != NULL && self->stop_on_error)
    end_locked (self, outcome->error);
  else
    coproc_results_put (&self->results, outcome);
  return TRUE;
}

void
coproc_pool_job_give_up_locked (CoprocPoolJob *self, GError *failure)
{
  if (coproc_pool_job_is_complete_locked (self))
    {
      g_clear_error (&failure);
      return;
    }
  end_locked (self, failure);
  coproc_pool_job_wake_locked (self);
}

void
coproc_pool_job_fail_locked (CoprocPoolJob *self, GError *failure)
{
  end_locked (self, failure);
  coproc_pool_job_wake_locked (self);
}

void
coproc_pool_job_give_up (CoprocPoolJob *self, GError *failure)
{
  g_mutex_lock (&self->core->lock);
  coproc_pool_job_give_up_locked (self, failure);
  g_mutex_unlock (&self->core->lock);
  coproc_pool_core_sweep (self->core);
}

/* --- waiting, for a thread --- */

static void
on_cancelled (GCancellable *cancellable, gpointer user_data)
{
  CoprocPoolJob *self = user_data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->core->lock);

  g_cond_broadcast (&self->changed);
}

/* FALSE with error set when it failed as a whole, which is told once, or was cancelled. */
static gboolean
check_locked (CoprocPoolJob *self, GCancellable *cancellable, GError **error)
{
  if (self->failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->failure));
      return FALSE;
    }
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

gboolean
coproc_pool_job_next (CoprocPoolJob *self, CoprocOutcome *outcome, GCancellable *cancellable, GError **error)
{
  gboolean found, interrupted = FALSE;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self, NULL);
  g_mutex_lock (&self->core->lock);
  self->n_waiting++;
  self->n_wanted = 0;
  while (!(found = coproc_results_pop (&self->results, outcome))
         && !coproc_pool_job_is_complete_locked (self) && !g_cancellable_is_cancelled (cancellable)
         && !(interrupted = coproc_interrupt_take (error)))
    coproc_interrupt_wait (&self->changed, &self->core->lock, -1);
  self->n_waiting--;
  if (!found && !interrupted)
    check_locked (self, cancellable, error);
  g_mutex_unlock (&self->core->lock);
  g_cancellable_disconnect (cancellable, handler);
  return found;
}

gboolean
coproc_pool_job_wait (CoprocPoolJob *self, GCancellable *cancellable, GError **error)
{
  gboolean complete, interrupted = FALSE;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self, NULL);
  g_mutex_lock (&self->core->lock);
  self->n_waiting++;
  self->n_wanted = G_MAXUINT64;
  while (!(complete = coproc_pool_job_is_complete_locked (self))
         && !g_cancellable_is_cancelled (cancellable) && !(interrupted = coproc_interrupt_take (error)))
    coproc_interrupt_wait (&self->changed, &self->core->lock, -1);
  self->n_waiting--;
  complete = !interrupted && check_locked (self, complete ? NULL : cancellable, error);
  g_mutex_unlock (&self->core->lock);
  g_cancellable_disconnect (cancellable, handler);
  return complete;
}
