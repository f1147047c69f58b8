/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The requests of one endpoint that await their reply.
 */
#pragma once

#include "messenger/coproc-channel-private.h"

G_BEGIN_DECLS

typedef struct _CoprocPendingRequest CoprocPendingRequest;

/* One request on its way. Under the endpoint's lock. */
struct _CoprocPendingRequest
{
  guint64 serial;            /* first: a hash key points at it; not 0 */
  CoprocChannel *channel;
  gboolean accepted;         /* the peer has said that it was taken up */
  gpointer call;             /* (nullable) who waits for just this reply; NULL: the channel's queue gets it */
};

typedef struct _CoprocPending CoprocPending;

/* What a reply's serial means here. */
typedef enum
{
  COPROC_PENDING_FOUND,      /* it answers a pending request, which is taken out */
  COPROC_PENDING_ABANDONED,  /* it answers a request that was cancelled or timed out: drop it */
  COPROC_PENDING_UNKNOWN,    /* never sent, or answered before: the peer breaks the protocol */
} CoprocPendingResult;

CoprocPending        *coproc_pending_new      (void);
void                  coproc_pending_free     (CoprocPending *self);
guint                 coproc_pending_get_size (CoprocPending *self);
/* At most COPROC_MAX_PENDING_REQUESTS: the caller checks get_size() first. Serials rise. */
void                  coproc_pending_add      (CoprocPending *self, guint64 serial, CoprocChannel *channel, gpointer call);
CoprocPendingResult   coproc_pending_take     (CoprocPending *self, guint64 serial, CoprocPendingRequest *request);
/* Nobody waits any more (cancelled, timed out); its reply will be dropped. Keeps a bounded memory of
 * such serials: what is older than the oldest kept counts as abandoned too.
 * Returns: FALSE when it was not pending */
gboolean              coproc_pending_abandon  (CoprocPending *self, guint64 serial);
/* The peer has taken it up. Nothing when it is not pending (any more). */
void                  coproc_pending_accept   (CoprocPending *self, guint64 serial);
/* Takes out all of them, in order of their serials: (transfer full) GArray of CoprocPendingRequest */
GArray               *coproc_pending_steal_all (CoprocPending *self);

G_END_DECLS
