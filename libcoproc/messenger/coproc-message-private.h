/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A message as the library makes and routes it.
 */
#pragma once

#include "messenger/coproc-message.h"
#include "wire/coproc-frame-private.h"

G_BEGIN_DECLS

typedef struct _CoprocInvocation CoprocInvocation;

/* Payloads up to this size are copied into the message's own memory. */
#define COPROC_MESSAGE_INLINE_SIZE COPROC_SLAB_COPY_SIZE

/* The memory of one message or of several that came together. It lives as long as one of them or
 * something that was handed out of one. */
typedef struct
{
  int n_holders;             /* (atomic) */
  char *channel;             /* (nullable) (owned) GRefString that its messages may borrow; immutable */
} CoprocMessageBlock;

/* Where received messages get their memory from: a block at a time, so that most of them cost no
 * allocation. Its owner's lock guards it. */
typedef struct
{
  CoprocMessageBlock *block; /* (nullable) (owned) the one that is being filled */
  gsize used;                /* bytes of it */
  int n_messages;            /* in it */
} CoprocMessagePool;

/* Immutable after construction but for the two caches, which are set once, atomically, and what the
 * lock of its endpoint guards. */
struct _CoprocMessage
{
  int ref_count;             /* (atomic) */
  guint8 kind;               /* CoprocFrameKind: NOREQUEST, REQUEST, REPLY or ERROR_REPLY */
  gboolean explicit_priority; /* made by coproc_message_new_full(), or received */
  double priority;
  guint64 serial;
  guint64 reply_serial;
  char *channel;             /* (nullable) GRefString, its own if it is not that of the block; NULL: the default channel */
  gconstpointer data;        /* the payload's bytes when they are raw: received `ay`, or new_bytes() */
  gsize size;                /* the payload's size in bytes, also when it is no `ay` */
  CoprocMessageBlock *block; /* (owned) that it lies in */
  GVariant *variant;         /* cache (atomic) of the payload; set from birth unless bytes are raw */
  GBytes *bytes;             /* cache (atomic) of a raw payload */
  CoprocSlab *slab;          /* (nullable) (owned) where received data lies, NULL: behind the message */
  CoprocMessage *next;       /* (nullable) (endpoint lock) the one behind it in a queue, which owns both */
  CoprocInvocation *invocation; /* (nullable) (owned) (endpoint lock) what is owed for a request */
};

/* Makes the message that a decoded data frame tells of. @channel: (nullable) GRefString */
CoprocMessage *coproc_message_new_from_frame (CoprocMessagePool *pool, const CoprocFrame *frame, char *channel);
void           coproc_message_pool_clear     (CoprocMessagePool *pool);
/* Gives up one hold on a CoprocMessageBlock. */
void           coproc_message_block_release  (gpointer block);

/* (transfer full): the payload, never floating; for `ay` received raw it is made now. */
GVariant      *coproc_message_dup_payload    (CoprocMessage *self);
/* The same for the last that is wanted of @self: (nullable) (transfer full) */
GVariant      *coproc_message_take_payload   (CoprocMessage *self);

static inline gboolean
coproc_message_is_reply (const CoprocMessage *self)
{
  return self->kind == COPROC_FRAME_REPLY || self->kind == COPROC_FRAME_ERROR_REPLY;
}

G_END_DECLS
