/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The frame codec: pure functions over byte ranges, no I/O, no objects.
 * The layout is documented in introspection/pages/wire-format.md.
 */
#pragma once

#include <string.h>

#include <gio/gio.h>

#include "wire/coproc-limits-private.h"
#include "wire/coproc-slab-private.h"

G_BEGIN_DECLS

#define COPROC_FRAME_HEADER_SIZE 40
#define COPROC_FRAME_ALIGNMENT 8
#define COPROC_WIRE_VERSION 1

/* The kinds of frames; a value never changes its meaning. */
typedef enum
{
  COPROC_FRAME_HELLO = 1,         /* a{sv}: first frame of each side */
  COPROC_FRAME_GOODBYE = 2,       /* nothing: last frame of each side */
  COPROC_FRAME_SETTINGS = 3,      /* a{sv}: limits of the sender that have changed */
  COPROC_FRAME_CHANNEL = 4,       /* bytes: the name of channel number `channel` */
  COPROC_FRAME_TYPE = 5,          /* bytes: the GVariant type string of type number `type` */
  COPROC_FRAME_NOREQUEST = 6,     /* a message */
  COPROC_FRAME_REQUEST = 7,       /* a message that wants a reply */
  COPROC_FRAME_REPLY = 8,         /* a message that answers `reply_serial` */
  COPROC_FRAME_ERROR_REPLY = 9,   /* (sis): answers `reply_serial` with an error */
  COPROC_FRAME_ERROR = 10,        /* (sis): an error for whoever receives next */
  COPROC_FRAME_CLOSE_REQUEST = 11, /* nothing: please end */
  COPROC_FRAME_CANCEL = 12,       /* nothing: the reply to `reply_serial` is no longer awaited; 0: what is queued is to be given back */
  COPROC_FRAME_SETTINGS_ACK = 13, /* nothing: the sender goes by the settings last received */
  COPROC_FRAME_PING = 14,         /* nothing: are you there? */
  COPROC_FRAME_PONG = 15,         /* nothing: the answer */
  COPROC_FRAME_ACCEPTED = 16,     /* nothing: the request `reply_serial` was taken up */
  COPROC_FRAME_SHARED = 17,       /* nothing: the rest of the stream is in shared memory */
} CoprocFrameKind;

#define COPROC_FRAME_LAST COPROC_FRAME_ACCEPTED /* of those that are not the transport's own */

/* Flags: all other bits are reserved and must be zero. */
typedef enum
{
  COPROC_FRAME_FLAG_NONE = 0,
  COPROC_FRAME_FLAG_OPTIONAL = 1 << 0, /* a receiver that does not know the kind skips the frame */
  COPROC_FRAME_FLAG_LENT = 1 << 1,     /* `ay` only: the payload is in shared memory, the frame has a CoprocLoan */
} CoprocFrameFlags;

/* Where a payload in shared memory is. */
typedef struct
{
  guint64 offset; /* bytes from the beginning of the blocks */
  guint64 size;   /* bytes of the payload */
  guint64 block;  /* what is to be given back: the number of the first unit of the block */
} CoprocLoan;

#define COPROC_LOAN_SIZE 24 /* bytes of one in a frame */

void     coproc_loan_write (const CoprocLoan *loan, guint8 *out);
void     coproc_loan_read  (CoprocLoan *loan, const guint8 *in);

/* One frame, decoded or about to be encoded. It owns nothing. */
typedef struct
{
  guint8 kind;
  guint16 flags;
  guint32 channel;           /* 0: the default channel, never declared */
  guint64 serial;            /* counts this side's messages; 0 where it has no meaning */
  guint64 reply_serial;
  double priority;
  const GVariantType *type;  /* the payload's type, COPROC_RAW_TYPE for raw bytes; NULL where the kind
                                determines it; decoded: valid as long as the decoder */
  gconstpointer data;        /* the payload, 8-byte aligned when decoded */
  gsize size;
  /* encoding: (nullable) the owner of data, to be referenced instead of copied.
   * decoding: the payload when it is no `ay` (and not empty by its kind), checked and therefore
   * trusted by GLib. It holds the memory that it needs. The decoder owns it until its next call; a
   * transport gives it to the receiver. */
  GVariant *variant;
  /* decoding: the memory that data lies in; reference it to keep data */
  CoprocSlab *slab;
} CoprocFrame;

/* The type `ay`, at one address: decoded raw bytes are known by the pointer. (Every use of
 * G_VARIANT_TYPE_BYTESTRING may be a string of its own.) */
extern const char coproc_raw_type[];
#define COPROC_RAW_TYPE ((const GVariantType *) coproc_raw_type)

/* Whether a type string, wherever it lies, is that of raw bytes. */
static inline gboolean
coproc_type_is_raw (const char *type)
{
  return type[0] == 'a' && type[1] == 'y' && type[2] == '\0';
}

/* --- header: pure --- */

/* The fields of a header as they lie on the wire, in host order. */
typedef struct
{
  guint32 length;            /* header and payload, without the padding to 8 bytes */
  guint8 version;
  guint8 kind;
  guint16 flags;
  guint32 channel;
  guint32 type;              /* 0: `ay` */
  guint64 serial;
  guint64 reply_serial;
  double priority;
} CoprocFrameHeader;

G_STATIC_ASSERT (sizeof (double) == sizeof (guint64));

/* @out: COPROC_FRAME_HEADER_SIZE bytes, of any alignment */
static inline void
coproc_frame_header_write (const CoprocFrameHeader *header, guint8 *out)
{
  const guint16 flags = GUINT16_TO_LE (header->flags);
  const guint32 words[] = { GUINT32_TO_LE (header->channel), GUINT32_TO_LE (header->type) };
  const guint32 length = GUINT32_TO_LE (header->length);
  const guint64 serials[] = { GUINT64_TO_LE (header->serial), GUINT64_TO_LE (header->reply_serial) };
  guint64 priority;

  memcpy (&priority, &header->priority, sizeof priority);
  priority = GUINT64_TO_LE (priority);
  memcpy (out, &length, sizeof length);
  out[4] = header->version;
  out[5] = header->kind;
  memcpy (out + 6, &flags, sizeof flags);
  memcpy (out + 8, words, sizeof words);
  memcpy (out + 16, serials, sizeof serials);
  memcpy (out + 32, &priority, sizeof priority);
}

/* Checks nothing. @in: COPROC_FRAME_HEADER_SIZE bytes, of any alignment, each read once */
static inline void
coproc_frame_header_read (CoprocFrameHeader *header, const guint8 *in)
{
  guint16 flags;
  guint32 length, channel, type;
  guint64 serial, reply_serial, priority;

  memcpy (&length, in, sizeof length);
  memcpy (&flags, in + 6, sizeof flags);
  memcpy (&channel, in + 8, sizeof channel);
  memcpy (&type, in + 12, sizeof type);
  memcpy (&serial, in + 16, sizeof serial);
  memcpy (&reply_serial, in + 24, sizeof reply_serial);
  memcpy (&priority, in + 32, sizeof priority);

  header->length = GUINT32_FROM_LE (length);
  header->version = in[4];
  header->kind = in[5];
  header->flags = GUINT16_FROM_LE (flags);
  header->channel = GUINT32_FROM_LE (channel);
  header->type = GUINT32_FROM_LE (type);
  header->serial = GUINT64_FROM_LE (serial);
  header->reply_serial = GUINT64_FROM_LE (reply_serial);
  priority = GUINT64_FROM_LE (priority);
  memcpy (&header->priority, &priority, sizeof priority);
}

/* The fields of a header that have a meaning for some kinds only: zero for all others. The type
 * of a payload that its kind determines (a{sv}, (sis), names) is not told: `type` is zero there. */
typedef enum
{
  COPROC_FRAME_FIELD_CHANNEL = 1 << 0,
  COPROC_FRAME_FIELD_TYPE = 1 << 1,
  COPROC_FRAME_FIELD_SERIAL = 1 << 2,
  COPROC_FRAME_FIELD_REPLY_SERIAL = 1 << 3,
  COPROC_FRAME_FIELD_PRIORITY = 1 << 4,
} CoprocFrameFields;

/* What the payload of a kind is. */
typedef enum
{
  COPROC_FRAME_PAYLOAD_UNKNOWN, /* the kind is not known here */
  COPROC_FRAME_PAYLOAD_EMPTY,
  COPROC_FRAME_PAYLOAD_SETTINGS, /* a{sv} */
  COPROC_FRAME_PAYLOAD_ERROR,    /* (sis) */
  COPROC_FRAME_PAYLOAD_NAME,     /* UTF-8 */
  COPROC_FRAME_PAYLOAD_TYPE,     /* a type string */
  COPROC_FRAME_PAYLOAD_DATA,     /* of the type that `type` tells */
} CoprocFramePayload;

typedef struct
{
  guint8 payload;  /* CoprocFramePayload */
  guint8 allowed;  /* CoprocFrameFields that may differ from zero */
  guint8 required; /* CoprocFrameFields that must differ from zero */
} CoprocFrameRule;

const CoprocFrameRule *coproc_frame_get_rule (guint8 kind);

/* The bytes that a frame of @length takes in the stream. */
static inline gsize
coproc_frame_padded (gsize length)
{
  return (length + COPROC_FRAME_ALIGNMENT - 1) & ~(gsize) (COPROC_FRAME_ALIGNMENT - 1);
}

/* --- type tables: one per direction --- */

/* Declares types as they are first used. Not thread-safe: the transport's write side owns it. */
typedef struct _CoprocTypeWriter CoprocTypeWriter;

CoprocTypeWriter *coproc_type_writer_new    (void);
void              coproc_type_writer_free   (CoprocTypeWriter *self);
/* Looks up (or gives) the number of @type, which is a string that ends; @is_new: it must be declared in
 * a TYPE frame first.
 * Returns: FALSE when COPROC_MAX_TYPES are in use */
gboolean          coproc_type_writer_lookup (CoprocTypeWriter    *self,
                                             const GVariantType  *type,
                                             guint32             *number,
                                             gboolean            *is_new);

/* --- decoder: a stream of bytes in, frames out --- */

typedef enum
{
  COPROC_DECODE_FRAME,   /* *frame is filled */
  COPROC_DECODE_MORE,    /* more bytes are needed */
  COPROC_DECODE_FAILED,  /* error is set; the decoder stays failed */
} CoprocDecodeResult;

/* Turns bytes into frames; handles TYPE frames itself, skips unknown optional ones, and checks
 * header, limits and payload (type, size, normal form, depth, UTF-8 of names). Not thread-safe:
 * the transport's read side owns it. */
typedef struct _CoprocDecoder CoprocDecoder;

CoprocDecoder     *coproc_decoder_new           (const CoprocLimits *limits);
void               coproc_decoder_free          (CoprocDecoder *self);
/* How a payload in shared memory is had: @func gives a reference to it, NULL when @loan cannot be, or there is no
 * memory. Without it there are no such payloads. */
typedef CoprocSlab *(*CoprocBorrowFunc) (gpointer user_data, const CoprocLoan *loan);
void               coproc_decoder_set_borrow_func (CoprocDecoder *self, CoprocBorrowFunc func, gpointer user_data);
void               coproc_decoder_set_limits    (CoprocDecoder *self, const CoprocLimits *limits);
/* Room for at least one byte to read into, when next() has said MORE and before its first call; NULL
 * with error set when there is no memory.
 * Small frames share a slab of 64 KiB, a large frame gets a slab of its own size, filled exactly. */
gpointer           coproc_decoder_get_space     (CoprocDecoder *self, gsize *size, GError **error);
void               coproc_decoder_add           (CoprocDecoder *self, gsize n_bytes);
/* The next frame; its data is valid until the next call to the decoder unless its slab is
 * referenced. */
CoprocDecodeResult coproc_decoder_next          (CoprocDecoder *self,
                                                 CoprocFrame   *frame,
                                                 GError       **error);
/* Forgets what has been added behind the frame that next() has returned last. */
void               coproc_decoder_drop_rest    (CoprocDecoder *self);
/* How much of a frame has arrived when the stream ends in the middle of one: TRUE and the two
 * figures (0 when the header itself is cut), FALSE at a frame's boundary. */
gboolean           coproc_decoder_get_partial   (CoprocDecoder *self,
                                                 gsize         *n_received,
                                                 gsize         *n_announced);

/* --- payloads --- */

/* Whether @payload, of any origin, may travel: normal form, depth. COPROC_ERROR_INVALID_PAYLOAD. */
gboolean           coproc_variant_check         (GVariant *payload, GError **error);

/* Whether the @size bytes at @data are one complete definite type within the limits of length and
 * depth. @depth: (out): levels of containers, a `v` not counted; @has_variant: (out): it has a `v`.
 * Returns: (nullable): what is wrong with it, NULL: nothing */
const char        *coproc_type_check            (const char *data,
                                                 gsize       size,
                                                 guint      *depth,
                                                 gboolean   *has_variant);
/* Whether bytes are a value of @type in normal form within the limit of depth; @depth and
 * @has_variant are what coproc_type_check() said of @type. The bytes are 8-byte aligned, and one more
 * after them can be read: GLib 2.74 looks at it when the padding inside a tuple is cut.
 * Returns: (transfer full) (nullable): the payload over @bytes, trusted by GLib, never floating */
GVariant          *coproc_payload_check         (const GVariantType *type,
                                                 guint               depth,
                                                 gboolean            has_variant,
                                                 GBytes             *bytes);

G_END_DECLS
