/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One asynchronous receive, call or send of a messenger.
 */
#pragma once

#include "messenger/coproc-endpoint-private.h"

G_BEGIN_DECLS

typedef enum
{
  COPROC_OP_RECEIVE,
  COPROC_OP_CALL,
  COPROC_OP_SEND,
} CoprocOpKind;

/* One asynchronous call. Its fields are its starter's until it is begun, then (lock) until it is done,
 * then its context's. */
struct _CoprocOp
{
  CoprocEndpoint *endpoint;      /* (owned) */
  CoprocOpKind kind;
  GObject *source_object;        /* (nullable) (owned) set when the messenger is dropped before the callback */
  GMainContext *context;         /* (nullable) the caller's, until it is gone, which source tells (lock) */
  GAsyncReadyCallback callback;  /* (nullable) */
  gpointer user_data;
  gpointer tag;
  GCancellable *cancellable;     /* (nullable) (owned) */
  GSource *source;               /* (owned) on context; holds the operation */
  GSource *cancel_source;        /* (nullable) (owned) on context */
  gboolean done;                 /* (lock) */
  gboolean settled;              /* called back, or about to be; whoever holds it then */
  GQueue *place;                 /* (nullable) where link is: a channel's receivers, the endpoint's
                                    parked, calling or delivering */
  GList link;

  CoprocMessage *message;        /* (nullable) (owned) RECEIVE, CALL: the result; SEND: what to send */
  GError *error;                 /* (nullable) (owned) */

  CoprocOutgoing outgoing;       /* CALL, SEND */
  char *channel_name;            /* (nullable) (owned) */
  CoprocCall call;               /* CALL */
};

/* Begins to watch the cancellable and the time: before the operation can be found by others. */
CoprocOp       *coproc_op_new              (CoprocEndpoint *endpoint, CoprocOpKind kind, gint64 timeout_us, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data, gpointer tag);
/* The operation ends here; its callback will run in its context. (lock) (transfer full) both */
void            coproc_op_complete_locked  (CoprocOp *op, CoprocMessage *message, GError *error);
/* Moves it from where it is to the end of @place (nullable). (lock) */
void            coproc_op_place_locked     (CoprocOp *op, GQueue *place);
/* When the messenger goes away: @messenger stays until the callbacks have run. Without a lock. */
void            coproc_op_adopt_all        (CoprocEndpoint *endpoint, GObject *messenger);
/* Takes what is queued already, or waits in its channel's line. */
void            coproc_op_receive          (CoprocOp *op, const char *channel);
/* Keeps what @outgoing needs, whose life is shorter, and sends it, or fails with @failure (transfer full). */
void            coproc_op_send             (CoprocOp *op, const CoprocOutgoing *outgoing, GError *failure);

G_END_DECLS
