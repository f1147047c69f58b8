/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Which requests of a host its worker has taken up: what may be tried again after a death, and what may not.
 */
#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "wire/coproc-status-page-private.h"

void
coproc_endpoint_set_status (CoprocEndpoint *self, CoprocSharedMemory *memory, gboolean is_worker)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_assert (self->status == NULL);
  self->tells_status = is_worker;
  if (memory != NULL)
    self->status = coproc_shared_memory_ref (memory);
  else if (is_worker)
    self->accepted = g_array_new (FALSE, FALSE, sizeof (guint64));
  if (memory != NULL && is_worker)
    coproc_status_page_begin (memory);
}

/* --- the worker --- */

void
coproc_endpoint_note_taken_locked (CoprocEndpoint *self, guint64 serial)
{
  if (self->accepted != NULL)
    g_array_append_val (self->accepted, serial);
  else if (self->tells_status)
    coproc_status_page_take_up (self->status, serial);
}

/* The write lock is held. Queues an ACCEPTED for each request that nobody has told of yet. */
static void
queue_accepted (CoprocEndpoint *self)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->accepted->len; i++)
    {
      const CoprocFrame frame
          = { .kind = COPROC_FRAME_ACCEPTED, .reply_serial = g_array_index (self->accepted, guint64, i) };

      self->transport->ops->queue (self->transport, &frame);
      self->accepted_unwritten = TRUE;
    }
  g_array_set_size (self->accepted, 0);
  g_mutex_unlock (&self->lock);
}

void
coproc_endpoint_tell_accepted (CoprocEndpoint *self)
{
  gboolean deaf = FALSE;

  g_mutex_lock (&self->write_lock);
  if (!self->output_shut)
    queue_accepted (self);
  if (self->accepted_unwritten)
    {
      deaf = coproc_endpoint_write_locked (self);
      coproc_endpoint_count_sender (self, +1);
      /* Also those that another thread has queued: this one may have taken up one of them. */
      while (self->transport->n_unsent > 0 && !self->output_shut && !deaf
             && !coproc_endpoint_is_over (self, NULL))
        g_cond_wait (&self->room, &self->write_lock);
      coproc_endpoint_count_sender (self, -1);
      self->accepted_unwritten = self->transport->n_unsent > 0;
    }
  coproc_endpoint_unlock_output (self);

  if (deaf)
    coproc_endpoint_peer_deaf (self);
}

/* --- the host --- */

/* Without the page only an ACCEPTED tells, and only if the worker has promised them. */
static gboolean
may_have_started_locked (CoprocEndpoint *self, const CoprocPendingRequest *request)
{
  if (self->status != NULL && !self->tells_status)
    return coproc_status_page_may_have (self->status, request->serial);
  return !self->peer_accepts || request->accepted;
}

gboolean
coproc_endpoint_is_untouched_locked (CoprocEndpoint              *self,
                                     const CoprocPendingRequest  *request,
                                     const GError                *reason)
{
  return g_error_matches (reason, COPROC_ERROR, COPROC_ERROR_WORKER_DIED)
         && !may_have_started_locked (self, request);
}
