/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One message for each worker. It is not queued: until it is sent it lies with the driver, for the worker that is there or
 * the next one that will be. A driver whose worker has died before it answered keeps it for the successor.
 */
#include "pool/coproc-pool-private.h"

#include "coproc-error.h"

void
coproc_pool_broadcast_post_locked (CoprocPoolCore *core,
                                   CoprocPoolJob *job,
                                   const GVariantType *type,
                                   GBytes *bytes,
                                   gboolean trusted)
{
  for (guint i = 0; i < core->drivers->len; i++)
    {
      CoprocPoolDriver *driver = g_ptr_array_index (core->drivers, i);
      gpointer input;
      CoprocParcel *parcel;

      if (driver->retiring)
        continue;
      input = g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, trusted));
      parcel = coproc_parcel_new (job, job->base++, &input, 1, FALSE);
      g_queue_push_tail_link (&driver->pinned, &parcel->link);
      job->n_out++;
      core->n_out++;
      coproc_pool_driver_wake_locked (driver);
    }
  job->fed = TRUE;
}

/* @parcel, which no line has, is not under way any more. */
static void
drop_parcel_locked (CoprocPoolCore *core, CoprocParcel *parcel)
{
  parcel->job->n_out--;
  core->n_out--;
  g_queue_push_tail_link (&core->spent, &parcel->link);
}

void
coproc_pool_broadcast_withdraw_locked (CoprocPoolDriver *driver, CoprocPoolJob *job)
{
  GList *link, *next;

  for (link = driver->pinned.head; link != NULL; link = next)
    {
      CoprocParcel *parcel = link->data;

      next = link->next;
      if (parcel->job != job)
        continue;
      g_queue_unlink (&driver->pinned, link);
      drop_parcel_locked (driver->core, parcel);
    }
}

/* No worker will ever answer to @parcel. */
static void
fail_parcel_locked (CoprocPoolCore *core, CoprocParcel *parcel)
{
  CoprocOutcome outcome = { .index = parcel->first };

  outcome.error = core->failure != NULL
                      ? g_error_copy (core->failure)
                      : g_error_new_literal (COPROC_ERROR, COPROC_ERROR_CLOSED, "The pool was stopped");
  if (!coproc_pool_job_settle_locked (parcel->job, &outcome))
    g_clear_error (&outcome.error);
  g_queue_push_tail_link (&core->spent, &parcel->link);
}

void
coproc_pool_broadcast_leave_locked (CoprocPoolDriver *driver)
{
  CoprocPoolCore *core = driver->core;
  GList *link;

  while ((link = g_queue_pop_head_link (&driver->pinned)) != NULL)
    {
      CoprocParcel *parcel = link->data;

      if (coproc_pool_core_is_ending_locked (core))
        fail_parcel_locked (core, parcel);
      else
        {
          parcel->job->base--; /* one worker less to answer */
          drop_parcel_locked (core, parcel);
        }
      coproc_pool_job_wake_locked (parcel->job);
    }
}
