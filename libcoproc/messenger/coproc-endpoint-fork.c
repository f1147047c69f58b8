/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * An endpoint in a child of its process: one that has ended. What its threads were waiting for nobody waits for
 * there, and the background thread, with all that it had, is not there.
 */
#include "messenger/coproc-endpoint-private.h"

static void
disown (CoprocEndpoint *self)
{
  self->disowned = TRUE;
  self->state = COPROC_ENDPOINT_ENDED;
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
coproc_endpoint_fork (gpointer object, CoprocForkStep step)
{
  CoprocEndpoint *self = object;

  if (step == COPROC_FORK_PREPARE)
    {
      /* Nobody who has one of the first two waits for the other. */
      g_mutex_lock (&self->write_lock);
      g_mutex_lock (&self->read_lock);
      g_mutex_lock (&self->lock);
      return;
    }

  if (step == COPROC_FORK_CHILD && self->state != COPROC_ENDPOINT_NEW)
    disown (self);
  g_mutex_unlock (&self->lock);
  g_mutex_unlock (&self->read_lock);
  g_mutex_unlock (&self->write_lock);
}
