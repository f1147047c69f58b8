/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The inside of the pipe transport, for a transport that begins as one: it has this structure at its
 * beginning, and replaces what differs.
 */
#pragma once

#include "wire/coproc-outbox-private.h"
#include "wire/coproc-transport-private.h"

G_BEGIN_DECLS

typedef struct _CoprocPipeTransport CoprocPipeTransport;

struct _CoprocPipeTransport
{
  CoprocTransportLink link;

  /* immutable */
  int in_fd;
  int out_fd;

  /* (owner's read lock) */
  GIOChannel *in;           /* (nullable) NULL once shut */
  CoprocDecoder *decoder;
  gboolean ended;           /* the stream has ended */
  /* The next bytes of the stream, as g_io_channel_read_chars() gives them. */
  GIOStatus (*read) (CoprocPipeTransport *self, gpointer data, gsize size, gsize *n_read, GError **error);
  /* (nullable) The rest of the stream is in shared memory, says the peer. FALSE with error set */
  gboolean (*move_input) (CoprocPipeTransport *self, GError **error);

  /* (owner's write lock) */
  GIOChannel *out;          /* (nullable) NULL once shut */
  int spare_reader;         /* our own read end of the outgoing pipe, -1: none, SIGPIPE is blocked */
  CoprocTypeWriter *types;
  CoprocOutbox outbox;
  gboolean enlarged;        /* the pipe has been asked to grow */
  /* (nullable) Room for @size bytes behind all that has been written, to be filled at once: flush() tells of it. NULL:
   * there is none. Only while the outbox is empty. */
  guint8 *(*reserve) (CoprocPipeTransport *self, gsize size);
  /* Writes what there is room for, as g_io_channel_write_chars() does; never raises SIGPIPE. */
  GIOStatus (*write) (CoprocPipeTransport *self, gconstpointer data, gsize size, gsize *n_written, GError **error);
};

/* For @self, all zero. Takes both fds when it succeeds. */
gboolean            coproc_pipe_transport_init    (CoprocPipeTransport *self, int in_fd, int out_fd, GError **error);
/* Frees all but the structure. */
void                coproc_pipe_transport_clear   (CoprocPipeTransport *self);
GIOStatus           coproc_pipe_transport_read    (CoprocPipeTransport *self, gpointer data, gsize size, gsize *n_read, GError **error);
GIOStatus           coproc_pipe_transport_write   (CoprocPipeTransport *self, gconstpointer data, gsize size, gsize *n_written, GError **error);
/* Whether nobody can read the outgoing pipe any more. */
gboolean            coproc_pipe_transport_is_deaf (CoprocPipeTransport *self);

/* What is not replaced. */
gboolean            coproc_pipe_transport_declare_type  (CoprocTransportLink *link, const GVariantType *type, GError **error);
void                coproc_pipe_transport_queue         (CoprocTransportLink *link, const CoprocFrame *frame);
CoprocFlushResult   coproc_pipe_transport_flush         (CoprocTransportLink *link, GError **error);
void                coproc_pipe_transport_shut_output   (CoprocTransportLink *link);
CoprocReceiveResult coproc_pipe_transport_receive       (CoprocTransportLink *link, gsize *budget, CoprocFrame *frame, GError **error);
void                coproc_pipe_transport_get_cut       (CoprocTransportLink *link, GError **error);
void                coproc_pipe_transport_set_limits    (CoprocTransportLink *link, const CoprocLimits *limits);
void                coproc_pipe_transport_shut_input    (CoprocTransportLink *link);
int                 coproc_pipe_transport_get_input_fd  (CoprocTransportLink *link);
int                 coproc_pipe_transport_get_output_fd (CoprocTransportLink *link);

G_END_DECLS
