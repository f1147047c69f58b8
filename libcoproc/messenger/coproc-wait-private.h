/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A thread that waits at an endpoint.
 */
#pragma once

#include "messenger/coproc-endpoint-private.h"

G_BEGIN_DECLS

/* One blocking call: on the stack. */
typedef struct
{
  CoprocEndpoint *endpoint;
  gint64 deadline;          /* monotonic µs, -1: none, 0: it must not wait */
  gboolean is_late;         /* it has passed, and what had come until then was taken in */
  GCancellable *cancellable;
  gulong cancel_id;
  CoprocBlocked *blocked;   /* (nullable) set for receives: specials are raised in it */
} CoprocWait;

/* When @timeout_us from now is over, as `deadline`. */
gint64   coproc_wait_get_deadline (gint64 timeout_us);
/* Returns with the endpoint's lock held. */
void     coproc_wait_begin        (CoprocWait *self, CoprocEndpoint *endpoint, gint64 deadline, GCancellable *cancellable);
/* Waits until something may have changed; gives the lock up meanwhile. FALSE with error set when it must not wait
 * any more. */
gboolean coproc_wait_step         (CoprocWait *self, GError **error);
/* Gives the lock back. */
void     coproc_wait_end          (CoprocWait *self);

G_END_DECLS
