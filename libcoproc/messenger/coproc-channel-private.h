/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A channel: a GAsyncQueue of what has arrived, sorted by priority in a GSequence, and counters.
 */
#pragma once

#include "messenger/coproc-message-private.h"

G_BEGIN_DECLS

typedef struct _CoprocChannel CoprocChannel;

/* What a side owes for a request that it has popped. All under the endpoint's lock but for the
 * reference count, which is atomic: a message may be freed in any thread. Referenced by the request's
 * message and, while unanswered, by its channel. */
struct _CoprocInvocation
{
  int ref_count;             /* (atomic) */
  gconstpointer owner;       /* the endpoint whose peer it is owed to; compared, never used */
  gboolean answered;         /* or its endpoint is gone */
  guint64 serial;
  double priority;
  CoprocChannel *channel;    /* of the owner, and to be used only after that has been compared */
  GCancellable *cancellable; /* (nullable) made on demand, cancelled when the requester gives up */
  GList link;                /* its place among the channel's unanswered; data is the invocation */
};

/* With @n_refs references. */
CoprocInvocation *coproc_invocation_new   (CoprocChannel *channel, CoprocMessage *request, int n_refs);
void              coproc_invocation_unref (CoprocInvocation *self);

/* Messages that are linked by their `next`. */
typedef struct
{
  CoprocMessage *first;      /* (nullable) (owned) */
  CoprocMessage *last;       /* of the chain; meaningless when it is empty */
} CoprocChain;

static inline void
coproc_chain_append (CoprocChain *self, CoprocMessage *message)
{
  message->next = NULL;
  *(self->first != NULL ? &self->last->next : &self->first) = message;
  self->last = message;
}

/* Takes @first (nullable) and what is behind it. */
void coproc_chain_free (gpointer first);

/* Messages in one order, by priority or by arrival. */
typedef struct
{
  GAsyncQueue *arrived;      /* chains in order of arrival: the first CoprocMessage of each */
  CoprocChain run;           /* in the lane's order: what is taken next */
  GSequence *levels;         /* (nullable) in priority order: CoprocLevel, sorted: what has arrived while run lasts */
  GSequenceIter *last_level; /* (nullable) of levels: the one that was added to last */
  guint n_queued;            /* messages in all of them */
  gboolean unsorted;         /* there may be some in arrived */
} CoprocLane;

/* One per name and endpoint, as long as the endpoint. Everything under the endpoint's lock; the
 * GAsyncQueue's own lock is never contended. */
struct _CoprocChannel
{
  char *name;                /* (nullable) GRefString, NULL: the default channel; immutable */
  gboolean by_priority;      /* immutable */

  CoprocLane others;         /* messages that are no replies */
  CoprocLane replies;        /* replies and error replies */
  guint n_queued;            /* messages in both */

  GQueue unanswered;         /* CoprocInvocation links, in the order popped */

  guint32 out_number;        /* (endpoint's write lock) the number under which this side has declared
                                the channel, 0: not yet */
  gboolean claimed;          /* by coproc_messenger_listen(): its messages become signals */
  GList ready_link;          /* its place in the endpoint's round of channels that have messages */
  gboolean ready;            /* it is in that round */
  GQueue receivers;          /* CoprocOp links: pending asynchronous receives, first come first served */

  gboolean watched;          /* a try_receive() has found it empty: a message makes the fd readable */
  gconstpointer witness;     /* (nullable) while it makes the fd readable: the channel first found empty
                                meanwhile; found empty again, nobody cares for this one */

  guint64 requests_sent;
  guint64 settled;           /* of the requests sent */
  gboolean lost;             /* some were settled by the connection's end, and it is not yet told */
  gboolean lost_untouched;   /* the same of those that the dead worker had not taken up */
  guint64 replies_received;
  guint64 messages_sent;     /* (endpoint's write lock) */
  guint64 messages_received; /* popped */
};

CoprocChannel *coproc_channel_new       (const char *name, gboolean by_priority);
void           coproc_channel_free      (CoprocChannel *self);
/* Takes @n messages that came one behind the other, all of them replies or none. */
void           coproc_channel_push      (CoprocChannel *self, const CoprocChain *chain, guint n);
/* The next message, in the channel's order: (transfer full) (nullable). It counts nothing. */
CoprocMessage *coproc_channel_pop       (CoprocChannel *self);
/* The next messages in the channel's order, at most @max (not 0) and not past an error reply, as many as are at
 * hand without a search: all, mostly. Returns: how many were stored in @messages (transfer full) */
guint          coproc_channel_pop_run   (CoprocChannel *self, CoprocMessage **messages, guint max);
/* The next reply (or error reply), past messages that are none: (transfer full) (nullable) */
CoprocMessage *coproc_channel_pop_reply (CoprocChannel *self);
CoprocMessage *coproc_channel_peek      (CoprocChannel *self); /* (transfer none) (nullable) */

G_END_DECLS
