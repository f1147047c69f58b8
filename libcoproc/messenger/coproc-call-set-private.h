/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Many calls at once through one messenger, for the layers above: one thread sends them in batches and
 * takes their outcomes in the order in which they come.
 */
#pragma once

#include "messenger/coproc-endpoint-private.h"

G_BEGIN_DECLS

typedef struct _CoprocCallSet CoprocCallSet;

/* One call; a part of what its owner keeps about it. The owner fills in the first three, which it may drop once the
 * call is sent, and leaves it alone from the send until take_done() gives it back. */
typedef struct
{
  GVariant *payload;
  const char *channel;     /* (nullable) */
  double priority;

  CoprocCall call;         /* must not move while it is under way */
  guint64 serial;
  guint place;             /* in the set's list of calls under way */
} CoprocSetCall;

/* For the calling thread, which alone may use it, but for interrupt(). */
CoprocCallSet *coproc_call_set_new       (CoprocMessenger *messenger);
/* Gives up the calls that are still under way. */
void           coproc_call_set_free      (CoprocCallSet *self);
/* Sends @n calls on one channel, or none: FALSE with error set. */
gboolean       coproc_call_set_send      (CoprocCallSet *self, CoprocSetCall **calls, guint n, GError **error);
/* Waits until a call is done, the connection is over, another message has come, interrupt() or @deadline
 * (monotonic, -1: none). Returns: the calls that are done, @max at most, with call.reply or call.error
 * (transfer full) */
guint          coproc_call_set_collect   (CoprocCallSet *self, gint64 deadline, CoprocSetCall **done, guint max);
/* Tells the peer that nobody wants the outcome any more, which is still awaited. */
void           coproc_call_set_cancel    (CoprocCallSet *self, CoprocSetCall *call);
/* Asks the peer for the requests of @channel (nullable) that it has not begun: they fail with NOT_STARTED, soon. */
void           coproc_call_set_ask_back  (CoprocCallSet *self, const char *channel);
/* Ends this or the next collect(). Any thread. */
void           coproc_call_set_interrupt (CoprocCallSet *self);
/* Whether the connection has ended. Every call is done then. */
gboolean       coproc_call_set_is_over   (CoprocCallSet *self);
/* Whether the peer has said TRUE for @feature in its greeting. */
gboolean       coproc_call_set_peer_has  (CoprocCallSet *self, const char *feature);
/* Whether messages that are no replies wait to be received. */
gboolean       coproc_call_set_has_others (CoprocCallSet *self);

G_END_DECLS
