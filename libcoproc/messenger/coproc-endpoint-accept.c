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
  self->status = coproc_shared_memory_ref (memory);
  self->tells_status = is_worker;
  if (is_worker)
    coproc_status_page_begin (memory);
}

void
coproc_endpoint_note_taken_locked (CoprocEndpoint *self, guint64 serial)
{
  if (self->tells_status)
    coproc_status_page_take_up (self->status, serial);
}

static gboolean
may_have_started_locked (CoprocEndpoint *self, guint64 serial)
{
  return self->status == NULL || self->tells_status || coproc_status_page_may_have (self->status, serial);
}

gboolean
coproc_endpoint_is_untouched_locked (CoprocEndpoint *self, guint64 serial, const GError *reason)
{
  return g_error_matches (reason, COPROC_ERROR, COPROC_ERROR_WORKER_DIED)
         && !may_have_started_locked (self, serial);
}
