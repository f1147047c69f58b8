/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A stream of bytes in, frames out. Everything that a peer says is checked here, in this order: the
 * header as soon as it is complete, which bounds what the frame may take; then, once the frame has
 * arrived as a whole, its padding and its payload.
 */
#include "wire/coproc-frame-private.h"

#include <math.h>
#include <string.h>

#include "coproc-error-private.h"
#include "wire/coproc-inbox-private.h"

/* A type that the peer has declared. */
typedef struct
{
  GVariantType *type; /* (owned) */
  GVariant *keeper;   /* (owned) see new_keeper() */
  guint8 depth;       /* levels of containers that it writes out */
  guint8 has_variant;
} DeclaredType;

struct _CoprocDecoder
{
  CoprocLimits limits;
  CoprocInbox inbox;         /* begins with a frame */
  CoprocFrameHeader header;  /* of that frame, checked; valid if n_needed is not 0 */
  gsize n_needed;            /* bytes of that frame with its padding, 0: not known yet */
  CoprocBorrowFunc borrow;   /* (nullable) */
  gpointer borrow_data;
  CoprocSlab *borrowed;      /* (nullable) (owned): payload of the frame that was returned last */
  GVariant *variant;         /* (nullable) (owned): payload of the frame that was returned last */
  GArray *types;             /* (element-type DeclaredType): number n at index n - 1 */
  GVariant *raw_keeper;      /* (owned) that of `ay` */
  GError *error;             /* (nullable) (owned): set once, for good */
};

/* The types that a kind of frame determines. */
static const DeclaredType settings_type = { (GVariantType *) "a{sv}", NULL, 2, TRUE };
static const DeclaredType error_type = { (GVariantType *) "(sis)", NULL, 1, FALSE };

/* GLib forgets what it has made of a type with the last value of it: making it anew for each payload
 * costs as much again as the rest of the value. */
static GVariant *
new_keeper (const GVariantType *type)
{
  return g_variant_ref_sink (g_variant_new_array (type, NULL, 0));
}

static void
declared_type_clear (gpointer data)
{
  DeclaredType *declared = data;

  g_variant_unref (declared->keeper);
  g_variant_type_free (declared->type);
}

CoprocDecoder *
coproc_decoder_new (const CoprocLimits *limits)
{
  CoprocDecoder *self = g_new0 (CoprocDecoder, 1);

  self->types = g_array_new (FALSE, FALSE, sizeof (DeclaredType));
  g_array_set_clear_func (self->types, declared_type_clear);
  self->raw_keeper = new_keeper (COPROC_RAW_TYPE);
  coproc_decoder_set_limits (self, limits);
  return self;
}

/* Drops what the frame that was returned last has of its own. */
static void
drop_payload (CoprocDecoder *self)
{
  g_clear_pointer (&self->variant, g_variant_unref);
  g_clear_pointer (&self->borrowed, coproc_slab_unref);
}

void
coproc_decoder_free (CoprocDecoder *self)
{
  drop_payload (self);
  coproc_inbox_clear (&self->inbox);
  g_clear_pointer (&self->types, g_array_unref);
  g_clear_pointer (&self->raw_keeper, g_variant_unref);
  g_clear_error (&self->error);
  g_free (self);
}

void
coproc_decoder_set_borrow_func (CoprocDecoder *self, CoprocBorrowFunc func, gpointer user_data)
{
  self->borrow = func;
  self->borrow_data = user_data;
}

/* A frame whose header has been seen keeps the limits that it was judged by. */
void
coproc_decoder_set_limits (CoprocDecoder *self, const CoprocLimits *limits)
{
  self->limits = *limits;
  self->limits.max_message_size = MIN (limits->max_message_size, COPROC_MAX_PAYLOAD_SIZE);
  self->limits.max_variant_size = MIN (limits->max_variant_size, COPROC_MAX_PAYLOAD_SIZE);
}

/* --- space --- */

gpointer
coproc_decoder_get_space (CoprocDecoder *self, gsize *size, GError **error)
{
  drop_payload (self);
  return coproc_inbox_get_space (&self->inbox, self->n_needed, size, error);
}

void
coproc_decoder_add (CoprocDecoder *self, gsize n_bytes)
{
  coproc_inbox_add (&self->inbox, n_bytes);
}

void
coproc_decoder_drop_rest (CoprocDecoder *self)
{
  self->inbox.end = self->inbox.start;
}

gboolean
coproc_decoder_get_partial (CoprocDecoder *self, gsize *n_received, gsize *n_announced)
{
  *n_received = coproc_inbox_get_size (&self->inbox);
  *n_announced = self->n_needed;
  return *n_received > 0;
}

/* --- header --- */

/* The one way to fail: nothing is decoded after it. Returns: FALSE */
static gboolean G_GNUC_PRINTF (3, 4)
refuse (CoprocDecoder *self, CoprocError code, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list args;

  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);

  self->error = g_error_new (COPROC_ERROR, code, "A frame of the peer is refused: %s", reason);
  self->inbox.start = self->inbox.end;
  self->n_needed = 0;
  return FALSE;
}

static gboolean
check_size (CoprocDecoder *self, gsize size, guint64 max_size)
{
  if (G_LIKELY (size <= max_size))
    return TRUE;

  return refuse (self, COPROC_ERROR_TOO_LARGE,
                 "%" G_GSIZE_FORMAT " bytes of payload, the limit is %" G_GUINT64_FORMAT,
                 size, max_size);
}

/* What the header alone says of a payload, before there is memory for it. */
static gboolean
check_payload_size (CoprocDecoder *self, CoprocFramePayload payload)
{
  const CoprocFrameHeader *header = &self->header;
  gsize size = header->length - COPROC_FRAME_HEADER_SIZE;

  switch (payload)
    {
    case COPROC_FRAME_PAYLOAD_DATA:
      if (header->type == 0)
        return check_size (self, size, self->limits.max_message_size);
      if (header->type > self->types->len)
        return refuse (self, COPROC_ERROR_PROTOCOL, "type %u is not declared", header->type);
      return check_size (self, size, self->limits.max_variant_size);

    case COPROC_FRAME_PAYLOAD_SETTINGS:
      return check_size (self, size, COPROC_MAX_HANDSHAKE_SIZE + self->limits.max_variant_size);

    case COPROC_FRAME_PAYLOAD_ERROR:
      return check_size (self, size, self->limits.max_variant_size);

    case COPROC_FRAME_PAYLOAD_NAME:
      if (size == 0 || size > COPROC_MAX_NAME_LENGTH)
        return refuse (self, COPROC_ERROR_PROTOCOL,
                       "the name of a channel has %" G_GSIZE_FORMAT " bytes", size);
      return TRUE;

    case COPROC_FRAME_PAYLOAD_TYPE:
      if (size == 0 || size > COPROC_MAX_TYPE_LENGTH)
        return refuse (self, COPROC_ERROR_PROTOCOL,
                       "a type string has %" G_GSIZE_FORMAT " characters", size);
      if (header->type != self->types->len + 1)
        return refuse (self, COPROC_ERROR_PROTOCOL, "type %u is declared as number %u",
                       self->types->len + 1, header->type);
      if (header->type > COPROC_MAX_TYPES)
        return refuse (self, COPROC_ERROR_LIMIT, "more than %d types", COPROC_MAX_TYPES);
      return TRUE;

    case COPROC_FRAME_PAYLOAD_EMPTY:
      if (size != 0)
        return refuse (self, COPROC_ERROR_PROTOCOL, "kind %u has no payload", header->kind);
      return TRUE;

    case COPROC_FRAME_PAYLOAD_UNKNOWN:
    default:
      return check_size (self, size, self->limits.max_message_size);
    }
}

static inline guint
get_fields (const CoprocFrameHeader *header)
{
  guint64 priority; /* -0.0 is not zero on the wire */

  memcpy (&priority, &header->priority, sizeof priority);
  return (header->channel != 0 ? COPROC_FRAME_FIELD_CHANNEL : 0)
         | (header->type != 0 ? COPROC_FRAME_FIELD_TYPE : 0)
         | (header->serial != 0 ? COPROC_FRAME_FIELD_SERIAL : 0)
         | (header->reply_serial != 0 ? COPROC_FRAME_FIELD_REPLY_SERIAL : 0)
         | (priority != 0 ? COPROC_FRAME_FIELD_PRIORITY : 0);
}

static gboolean
check_flags (CoprocDecoder *self, const CoprocFrameRule *rule)
{
  const CoprocFrameHeader *header = &self->header;
  const guint lent = header->flags & COPROC_FRAME_FLAG_LENT;

  if ((header->flags & ~(COPROC_FRAME_FLAG_OPTIONAL | COPROC_FRAME_FLAG_LENT)) != 0
      || (lent != 0
          && (self->borrow == NULL || rule->payload != COPROC_FRAME_PAYLOAD_DATA || header->type != 0
              || header->length != COPROC_FRAME_HEADER_SIZE + COPROC_LOAN_SIZE)))
    return refuse (self, COPROC_ERROR_PROTOCOL, "flags 0x%04x", header->flags);
  return TRUE;
}

static gboolean
check_header (CoprocDecoder *self)
{
  const CoprocFrameHeader *header = &self->header;
  const CoprocFrameRule *rule = coproc_frame_get_rule (header->kind);
  guint fields;

  if (header->length < COPROC_FRAME_HEADER_SIZE)
    return refuse (self, COPROC_ERROR_PROTOCOL, "its length is %u", header->length);
  if (header->version != COPROC_WIRE_VERSION)
    return refuse (self, COPROC_ERROR_PROTOCOL, "version %u of the wire format", header->version);
  if (G_UNLIKELY (header->flags != 0) && !check_flags (self, rule))
    return FALSE;

  if (G_UNLIKELY (rule->payload == COPROC_FRAME_PAYLOAD_UNKNOWN))
    {
      if ((header->flags & COPROC_FRAME_FLAG_OPTIONAL) == 0)
        return refuse (self, COPROC_ERROR_PROTOCOL, "kind %u is not known", header->kind);
      return check_payload_size (self, COPROC_FRAME_PAYLOAD_UNKNOWN);
    }

  fields = get_fields (header);
  if ((fields & ~rule->allowed) != 0 || (rule->required & ~fields) != 0)
    return refuse (self, COPROC_ERROR_PROTOCOL, "kind %u with fields 0x%02x of its header set",
                   header->kind, fields);
  if (isnan (header->priority))
    return refuse (self, COPROC_ERROR_PROTOCOL, "its priority is not a number");

  return check_payload_size (self, rule->payload);
}

/* --- payload --- */

/* Whether the at most 7 bytes up to the next multiple of 8 behind a frame of @length bytes are all zero. */
static inline gboolean
has_zero_padding (const guint8 *frame, gsize length)
{
  const guint n_used = length % COPROC_FRAME_ALIGNMENT;
  guint64 last;

  if (n_used == 0)
    return TRUE;
  memcpy (&last, frame + coproc_frame_padded (length) - sizeof last, sizeof last);
  return GUINT64_FROM_LE (last) >> (8 * n_used) == 0;
}

static gboolean
declare_type (CoprocDecoder *self, const char *data, gsize size)
{
  DeclaredType declared;
  guint depth;
  gboolean has_variant;
  g_autofree char *string = NULL;
  const char *problem = coproc_type_check (data, size, &depth, &has_variant);

  if (problem == NULL && size == 2 && memcmp (data, "ay", 2) == 0)
    problem = "its type is number 0";
  if (problem != NULL)
    return refuse (self, COPROC_ERROR_PROTOCOL, "%s", problem);

  string = g_strndup (data, size);
  declared.type = g_variant_type_new (string);
  declared.keeper = new_keeper (declared.type);
  declared.depth = depth;
  declared.has_variant = has_variant;
  g_array_append_val (self->types, declared);
  return TRUE;
}

/* Leaves the payload as a value that holds what it needs in self->variant. */
static gboolean
check_value (CoprocDecoder *self, const DeclaredType *declared, const guint8 *data, gsize size)
{
  g_autoptr(GBytes) bytes = NULL;

  if (size <= COPROC_SLAB_COPY_SIZE)
    {
      guint8 *copy = g_malloc (size + 1);

      memcpy (copy, data, size);
      copy[size] = 0;
      bytes = g_bytes_new_take (copy, size);
    }
  else
    bytes = g_bytes_new_with_free_func (data, size, (GDestroyNotify) coproc_slab_unref,
                                        coproc_slab_ref (self->inbox.slab));

  self->variant = coproc_payload_check (declared->type, declared->depth,
                                        declared->has_variant, bytes);
  if (self->variant == NULL)
    return refuse (self, COPROC_ERROR_PROTOCOL,
                   "its payload is not in the normal form of its type, or nests too deep");
  return TRUE;
}

/* Puts the payload that @frame names in its place. */
static gboolean
take_loan (CoprocDecoder *self, CoprocFrame *frame)
{
  CoprocLoan loan;

  coproc_loan_read (&loan, frame->data);
  if (!check_size (self, loan.size, self->limits.max_message_size))
    return FALSE;
  self->borrowed = self->borrow (self->borrow_data, &loan);
  if (self->borrowed == NULL)
    return refuse (self, COPROC_ERROR_PROTOCOL, "its payload is not in the shared memory");
  frame->flags &= (guint16) ~COPROC_FRAME_FLAG_LENT;
  frame->data = self->borrowed->data;
  frame->size = self->borrowed->size;
  frame->slab = self->borrowed;
  return TRUE;
}

/* --- frames --- */

/* But for its type; the payload, which lies at @data, is the decoder's last. */
static inline void
fill_frame (CoprocDecoder *self, CoprocFrame *frame, const CoprocFrameHeader *header, const guint8 *data)
{
  frame->kind = header->kind;
  frame->flags = header->flags;
  frame->channel = header->channel;
  frame->serial = header->serial;
  frame->reply_serial = header->reply_serial;
  frame->priority = header->priority;
  frame->data = data;
  frame->size = header->length - COPROC_FRAME_HEADER_SIZE;
  frame->variant = self->variant;
  frame->slab = self->inbox.slab;
}

/* Most frames are messages of bytes that have arrived as a whole: one look accepts what decode_frame() would.
 * FALSE: it is left to that to say what it is. */
static gboolean
take_plain (CoprocDecoder *self, CoprocFrame *frame)
{
  const gsize n_available = coproc_inbox_get_size (&self->inbox);
  const guint8 *in;
  CoprocFrameHeader header;

  if (self->n_needed != 0 || n_available < COPROC_FRAME_HEADER_SIZE || self->error != NULL)
    return FALSE;
  in = coproc_inbox_peek (&self->inbox);
  coproc_frame_header_read (&header, in);
  if (header.kind < COPROC_FRAME_NOREQUEST || header.kind > COPROC_FRAME_REPLY || header.type != 0
      || header.version != COPROC_WIRE_VERSION || header.flags != 0 || header.serial == 0
      || (header.reply_serial != 0) != (header.kind == COPROC_FRAME_REPLY) || isnan (header.priority)
      || header.length < COPROC_FRAME_HEADER_SIZE || coproc_frame_padded (header.length) > n_available
      || header.length - COPROC_FRAME_HEADER_SIZE > self->limits.max_message_size
      || !has_zero_padding (in, header.length))
    return FALSE;

  fill_frame (self, frame, &header, in + COPROC_FRAME_HEADER_SIZE);
  frame->type = COPROC_RAW_TYPE;
  self->inbox.start += coproc_frame_padded (header.length);
  return TRUE;
}

/* The first frame, which has arrived as a whole. @for_caller: (out): it is not for the decoder
 * alone */
static gboolean
decode_frame (CoprocDecoder *self, CoprocFrame *frame, gboolean *for_caller)
{
  const CoprocFrameHeader *header = &self->header;
  const guint8 *data = coproc_inbox_peek (&self->inbox) + COPROC_FRAME_HEADER_SIZE;
  gsize size = header->length - COPROC_FRAME_HEADER_SIZE;
  CoprocFramePayload payload = coproc_frame_get_rule (header->kind)->payload;
  const DeclaredType *declared = NULL;

  *for_caller = payload != COPROC_FRAME_PAYLOAD_UNKNOWN && payload != COPROC_FRAME_PAYLOAD_TYPE;
  if (!has_zero_padding (coproc_inbox_peek (&self->inbox), header->length))
    return refuse (self, COPROC_ERROR_PROTOCOL, "its padding is not zero");

  frame->type = NULL;
  if (payload == COPROC_FRAME_PAYLOAD_DATA && header->type == 0)
    frame->type = COPROC_RAW_TYPE;
  else if (payload == COPROC_FRAME_PAYLOAD_DATA)
    {
      declared = &g_array_index (self->types, DeclaredType, header->type - 1);
      frame->type = declared->type;
    }
  else if (payload == COPROC_FRAME_PAYLOAD_SETTINGS)
    declared = &settings_type;
  else if (payload == COPROC_FRAME_PAYLOAD_ERROR)
    declared = &error_type;
  else if (payload == COPROC_FRAME_PAYLOAD_TYPE)
    return declare_type (self, (const char *) data, size);
  else if (payload == COPROC_FRAME_PAYLOAD_NAME
           && !g_utf8_validate_len ((const char *) data, size, NULL))
    return refuse (self, COPROC_ERROR_PROTOCOL, "the name of a channel is not valid UTF-8");

  if (declared != NULL && !check_value (self, declared, data, size))
    return FALSE;

  fill_frame (self, frame, header, data);
  return (header->flags & COPROC_FRAME_FLAG_LENT) == 0 || take_loan (self, frame);
}

CoprocDecodeResult
coproc_decoder_next (CoprocDecoder *self, CoprocFrame *frame, GError **error)
{
  gboolean for_caller = FALSE;

  drop_payload (self);
  if (take_plain (self, frame))
    return COPROC_DECODE_FRAME;

  while (self->error == NULL)
    {
      gsize n_available = coproc_inbox_get_size (&self->inbox);

      if (self->n_needed == 0)
        {
          if (n_available < COPROC_FRAME_HEADER_SIZE)
            return COPROC_DECODE_MORE;
          coproc_frame_header_read (&self->header, coproc_inbox_peek (&self->inbox));
          if (!check_header (self))
            break;
          self->n_needed = coproc_frame_padded (self->header.length);
        }

      if (n_available < self->n_needed)
        return COPROC_DECODE_MORE;
      if (!decode_frame (self, frame, &for_caller))
        break;

      self->inbox.start += self->n_needed;
      self->n_needed = 0;
      if (for_caller)
        return COPROC_DECODE_FRAME;
    }

  g_propagate_error (error, g_error_copy (self->error));
  return COPROC_DECODE_FAILED;
}
