/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What carries frames between two ends: one interface, an implementation for each kind of link.
 */
#pragma once

#include "wire/coproc-frame-private.h"
#include "wire/coproc-shared-memory-private.h"

G_BEGIN_DECLS

typedef struct _CoprocTransportLink CoprocTransportLink;

typedef enum
{
  COPROC_RECEIVE_FRAME,  /* *frame is filled */
  COPROC_RECEIVE_AGAIN,  /* nothing more can be had now */
  COPROC_RECEIVE_LATER,  /* the budget is spent; there is more, and the input fd may not tell of it */
  COPROC_RECEIVE_END,    /* end of the stream; error tells of a frame that was cut, NULL at a boundary */
  COPROC_RECEIVE_FAILED, /* error is set: the peer broke the protocol, or the system failed */
} CoprocReceiveResult;

typedef enum
{
  COPROC_FLUSH_DONE,     /* nothing is left */
  COPROC_FLUSH_AGAIN,    /* the link is full; poll the output fd */
  COPROC_FLUSH_FAILED,   /* error is set: nobody will ever read it */
} CoprocFlushResult;

/* Who relies on the input fd. */
typedef enum
{
  COPROC_POLLER_WAIT = 1 << 0,       /* wait() */
  COPROC_POLLER_BACKGROUND = 1 << 1, /* the background thread */
  COPROC_POLLER_WATCH = 1 << 2,      /* the application, by way of coproc_messenger_get_fd() */
} CoprocPoller;

/* Who may call what: the write side under its owner's write lock, the read side under its owner's
 * read lock, the rest from any thread. */
typedef struct
{
  /* --- write side --- */

  /* Makes @type known to the peer. FALSE with error set: there are too many (COPROC_ERROR_LIMIT). */
  gboolean            (*declare_type)  (CoprocTransportLink  *self,
                                        const GVariantType   *type,
                                        GError              **error);
  /* Appends @frame, whose type is declared, to the output. */
  void                (*queue)         (CoprocTransportLink  *self,
                                        const CoprocFrame    *frame);
  /* Writes what the link takes without waiting. */
  CoprocFlushResult   (*flush)         (CoprocTransportLink  *self,
                                        GError              **error);
  /* Whether the peer has stopped reading although it still writes; a few system calls, so it is
   * called rarely. @unread: the peer has something still to read, so look again later. */
  gboolean            (*probe)         (CoprocTransportLink  *self,
                                        gboolean             *unread);
  void                (*shut_output)   (CoprocTransportLink  *self);
  /* (nullable) Memory of @size bytes that, once filled, can be sent as an `ay` without a copy, behind @n_ahead bytes
   * that are unsent. NULL: there is none, or it would not help. Any thread. */
  GBytes             *(*alloc)         (CoprocTransportLink  *self,
                                        gsize                 size,
                                        gsize                 n_ahead);
  /* (nullable) Such memory with a copy of @data in it, which is to be an `ay`, to be released when it is queued; waits at
   * most @timeout µs (-1: no limit). NULL also where @data itself can be sent without a copy. Any thread. */
  gpointer            (*copy)          (CoprocTransportLink  *self,
                                        gconstpointer         data,
                                        gsize                 size,
                                        gint64                timeout);
  void                (*release)       (CoprocTransportLink  *self,
                                        gpointer              copy);
  /* (nullable: there is no shared memory) The peer has mapped @size bytes of it: what is queued from now on
   * goes there if they suffice. */
  void                (*share)         (CoprocTransportLink  *self,
                                        gsize                 size);

  /* --- read side --- */

  /* The next frame, without waiting; its variant is the caller's. *budget is the number of bytes that may still be read from the
   * link in this pass; it goes to 0 as soon as the link has been seen empty. COPROC_RECEIVE_ALL: the
   * link is read until it says itself that it is empty, or has ended. */
  CoprocReceiveResult (*receive)       (CoprocTransportLink  *self,
                                        gsize                *budget,
                                        CoprocFrame          *frame,
                                        GError              **error);
  /* Sets error when a frame has come in part, as the end of the stream would. */
  void                (*get_cut)       (CoprocTransportLink  *self,
                                        GError              **error);
  void                (*set_limits)    (CoprocTransportLink  *self,
                                        const CoprocLimits   *limits);
  void                (*shut_input)    (CoprocTransportLink  *self);

  /* --- any thread, while the input is not shut --- */

  /* Waits until receive() may have something (or the end), this side wants to be woken or the monotonic @deadline (µs,
   * -1: none) has come; or for less. That is: *@woken is set, @wake_fd made readable and wake() called. Where there is a
   * wake(), of the end only somebody else may know who polls the input fd. One thread at a time. */
  void                (*wait)          (CoprocTransportLink  *self,
                                        const int            *woken,
                                        int                   wake_fd,
                                        gint64                deadline);
  /* (nullable) */
  void                (*wake)          (CoprocTransportLink  *self,
                                        const int            *woken);
  /* For who looks again and again: FALSE: receive() would find nothing now. Cheaper than that, and no more. */
  gboolean            (*has_input)     (CoprocTransportLink  *self);
  /* (nullable) A number that is another one when something has come since. As cheap. */
  guint32             (*get_mark)      (CoprocTransportLink  *self);
  /* (nullable: it always does) From now on the input fd becomes readable when there is something to receive, or
   * need not any more. FALSE: there is something already, which the fd may not tell of. */
  gboolean            (*set_poller)    (CoprocTransportLink  *self,
                                        CoprocPoller          poller,
                                        gboolean              polls);
  int                 (*get_input_fd)  (CoprocTransportLink  *self);
  int                 (*get_output_fd) (CoprocTransportLink  *self);

  void                (*free)          (CoprocTransportLink  *self);
} CoprocTransportOps;

struct _CoprocTransportLink
{
  const CoprocTransportOps *ops;
  GIOCondition output_condition; /* immutable: what to poll the output fd for, to know that there is room */
  gsize n_unsent;          /* (owner's write lock) bytes that are queued and not yet written */
  guint64 n_received;      /* (owner's read lock) bytes that have come in, from who knows how many frames */
  gboolean by_reference;   /* immutable: the peer is in this process, and gets the GVariants that are sent */
  gsize shared_size;       /* immutable: bytes of shared memory that this end has mapped, 0: none */
  GPtrArray *spent;        /* (nullable) (owner's write lock) GVariants that are no longer needed, for the owner to drop
                              when it holds no lock: what frees them may be the application's */
};

/* Most bytes that are read from a link in one pass: what a pipe can hold. */
#define COPROC_RECEIVE_BUDGET (1u << 18)
#define COPROC_RECEIVE_ALL G_MAXSIZE

/* The two ends of shared memory. */
typedef enum
{
  COPROC_SHARE_AS_HOST = 0,
  COPROC_SHARE_AS_WORKER = 1 << 0,
  COPROC_SHARE_COPIES = 1 << 1, /* what the peer lends is copied: it cannot be changed once it is received */
} CoprocShareFlags;

/* Takes both fds when it succeeds. The limits are the defaults until they are set. */
CoprocTransportLink *coproc_pipe_transport_new (int in_fd, int out_fd, GError **error);
/* The same, and each direction moves to @memory, which has room for rings, when both ends have it. */
CoprocTransportLink *coproc_ring_transport_new (int in_fd, int out_fd, CoprocSharedMemory *memory, CoprocShareFlags flags, GError **error);
/* A pipe transport for an input that may have other things in front of the peer's preamble: they are skipped. */
CoprocTransportLink *coproc_stdio_transport_new (int in_fd, int out_fd, GError **error);
/* What the peer of such a link writes first. */
gboolean coproc_stdio_write_preamble (int fd, GError **error);
/* Two ends in one process. FALSE with error set: no descriptors are left. */
gboolean coproc_memory_transport_new_pair (CoprocTransportLink **one, CoprocTransportLink **other, GError **error);

/* In a child of the process whose link it is (see coproc-fork-private.h): it does nothing any more, and the connection
 * is not held open by it. It is never freed. */
void     coproc_transport_disown (CoprocTransportLink *self);

/* Adds @variant (transfer full) to a list like that of a link, made on demand. */
void     coproc_transport_spend (GPtrArray **spent, GVariant *variant);

/* set_poller(), for any transport. */
static inline gboolean
coproc_transport_set_poller (CoprocTransportLink *self, CoprocPoller poller, gboolean polls)
{
  return self->ops->set_poller == NULL || self->ops->set_poller (self, poller, polls);
}

/* For wait(): until @fd or @wake_fd is readable, or @deadline has come. */
void     coproc_transport_poll (int fd, int wake_fd, gint64 deadline);

G_END_DECLS
