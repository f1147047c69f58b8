/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * An endpoint in a child of its process: one that has ended. What its threads were waiting for nobody waits for
 * there, and the background thread, with all that it had, is not there.
 */
#include "messenger/coproc-endpoint-private.h"

static void
disown (gpointer object)
{
  CoprocEndpoint *self = object;

  if (self->state == COPROC_ENDPOINT_NEW)
    return;

  self->disowned = TRUE;
  self->state = COPROC_ENDPOINT_ENDED;
  coproc_endpoint_update_sending_locked (self);
  self->output_shut = self->input_done = self->input_shut = TRUE;
  self->watch_input = self->want_output = self->backlog = FALSE;
  self->rearm_at = self->probe_at = self->heart.next = 0;
  self->source = NULL;
  self->io = NULL;
  self->poller = NULL;
  self->n_waiting = self->n_blocked = self->n_waiting_senders = 0;
  if (self->transport != NULL)
    coproc_transport_disown (self->transport);
}

void
coproc_endpoint_guard (CoprocEndpoint *self)
{
  coproc_fork_guard_add (&self->guards[0], COPROC_FORK_WRITE, &self->write_lock, NULL, self);
  coproc_fork_guard_add (&self->guards[1], COPROC_FORK_READ, &self->read_lock, NULL, self);
  coproc_fork_guard_add (&self->guards[2], COPROC_FORK_ENDPOINT, &self->lock, disown, self);
}

void
coproc_endpoint_unguard (CoprocEndpoint *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->guards); i++)
    coproc_fork_guard_remove (&self->guards[i]);
}
