/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Every limit of a connection, in one place.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What one end accepts. Immutable copies travel; the endpoint that owns one guards it with its lock. */
typedef struct
{
  guint64 max_message_size;    /* bytes of an `ay` payload in the stream */
  guint64 max_variant_size;    /* bytes of a payload of any other type */
  guint64 max_queued_bytes;    /* bytes of payload in the inbound queues */
  guint32 max_queued_messages; /* messages in the inbound queues */
  guint32 max_channels;        /* channels that the peer may open */
} CoprocLimits;

#define COPROC_DEFAULT_MAX_MESSAGE_SIZE (16u << 20)

#define COPROC_DEFAULT_LIMITS                                                                     \
  {                                                                                               \
    .max_message_size = COPROC_DEFAULT_MAX_MESSAGE_SIZE, .max_variant_size = 1u << 20,             \
    .max_queued_bytes = 64u << 20, .max_queued_messages = 65536, .max_channels = 1024,            \
  }

#define COPROC_MAX_PAYLOAD_SIZE (G_GUINT64_CONSTANT (1) << 30) /* no setting goes beyond it */
#define COPROC_MAX_HANDSHAKE_SIZE 4096      /* bytes of a handshake, without the worker's arguments */
#define COPROC_MAX_NAME_LENGTH 1024         /* bytes of a channel's name */
#define COPROC_MAX_TYPE_LENGTH 255          /* characters of a GVariant type string */
#define COPROC_MAX_TYPES 1024               /* GVariant types that one side may declare */
#define COPROC_MAX_VARIANT_DEPTH 64         /* levels of containers in a payload */
#define COPROC_MAX_PENDING_REQUESTS 65536   /* unanswered requests of one messenger */
#define COPROC_DEFAULT_HIGH_WATER_MARK (G_GUINT64_CONSTANT (64) << 20) /* bytes */

G_END_DECLS
