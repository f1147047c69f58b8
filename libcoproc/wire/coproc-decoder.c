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

/* A type that the peer has declared. */
typedef struct
{
  GVariantType *type; /* (owned) */
  GVariant *keeper;   /* (owned) see new_keeper() */
  guint8 depth;       /* levels of containers that it writes out */
  guint8 has_variant;
} DeclaredType;

/* The unread bytes are slab->data[start .. end); start is the beginning of a frame and a multiple
 * of 8. Bytes before it may belong to slices, bytes from end on belong to nobody else: the decoder
 * may write there also while the slab is shared. */
struct _CoprocDecoder
{
  CoprocLimits limits;
  CoprocSlab *slab;          /* (nullable) (owned) */
  gsize start;
  gsize end;
  CoprocFrameHeader header;  /* of the frame at start, checked; valid if n_needed is not 0 */
  gsize n_needed;            /* bytes of the frame at start with its padding, 0: not known yet */
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
  g_clear_pointer (&self->slab, coproc_slab_unref);
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

/* Goes on in a fresh slab of @size bytes with what has arrived of a frame. */
static gboolean
replace_slab (CoprocDecoder *self, gsize size, GError **error)
{
  gsize n_kept = self->end - self->start;
  CoprocSlab *slab = coproc_slab_new (size);

  if (slab == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
                   "There is no memory for a frame of %" G_GSIZE_FORMAT " bytes", size);
      return FALSE;
    }

  if (n_kept > 0)
    memcpy (slab->data, self->slab->data + self->start, n_kept);
  g_clear_pointer (&self->slab, coproc_slab_unref);
  self->slab = slab;
  self->start = 0;
  self->end = n_kept;
  return TRUE;
}

/* Whether the frame at start can be completed where it is. A little that is left of a slab is given
 * up, so that reads are large, unless that would cost a large copy. */
static gboolean
has_room (CoprocDecoder *self)
{
  gsize n_needed = MAX (self->n_needed, COPROC_FRAME_HEADER_SIZE);

  if (self->slab == NULL)
    return FALSE;
  if (n_needed > COPROC_SLAB_SIZE)
    return self->start == 0 && self->slab->size == n_needed;
  if (self->slab->size != COPROC_SLAB_SIZE || n_needed > COPROC_SLAB_SIZE - self->start)
    return FALSE;

  return self->start == 0 || COPROC_SLAB_SIZE - self->end >= COPROC_SLAB_SIZE / 4
         || self->end - self->start > COPROC_SLAB_SIZE / 4;
}

gpointer
coproc_decoder_get_space (CoprocDecoder *self, gsize *size, GError **error)
{
  gsize n_kept = self->end - self->start;

  drop_payload (self);

  if (n_kept == 0 || !has_room (self))
    {
      if (self->n_needed <= COPROC_SLAB_SIZE && self->slab != NULL
          && self->slab->size == COPROC_SLAB_SIZE && !coproc_slab_is_shared (self->slab))
        {
          memmove (self->slab->data, self->slab->data + self->start, n_kept);
          self->start = 0;
          self->end = n_kept;
        }
      else if (!has_room (self)
               && !replace_slab (self, MAX (self->n_needed, COPROC_SLAB_SIZE), error))
        return NULL;
    }

  g_assert (self->end < self->slab->size);
  *size = self->slab->size - self->end;
  return self->slab->data + self->end;
}

void
coproc_decoder_add (CoprocDecoder *self, gsize n_bytes)
{
  g_assert (self->slab != NULL && n_bytes <= self->slab->size - self->end);

  self->end += n_bytes;
  self->slab->data[self->end] = 0; /* see coproc_payload_check() */
}

void
coproc_decoder_drop_rest (CoprocDecoder *self)
{
  self->end = self->start;
}

gboolean
coproc_decoder_get_partial (CoprocDecoder *self, gsize *n_received, gsize *n_announced)
{
  *n_received = self->end - self->start;
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
  self->start = self->end;
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

/* At most 7 bytes up to the next multiple of 8, all of them zero. */
static gboolean
check_padding (CoprocDecoder *self)
{
  guint n_used = self->header.length % COPROC_FRAME_ALIGNMENT;
  guint64 last;

  if (n_used == 0)
    return TRUE;

  memcpy (&last, self->slab->data + self->start + self->n_needed - sizeof last, sizeof last);
  if (GUINT64_FROM_LE (last) >> (8 * n_used) != 0)
    return refuse (self, COPROC_ERROR_PROTOCOL, "its padding is not zero");
  return TRUE;
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
                                        coproc_slab_ref (self->slab));

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

/* The frame at start, which has arrived as a whole. @for_caller: (out): it is not for the decoder
 * alone */
static gboolean
decode_frame (CoprocDecoder *self, CoprocFrame *frame, gboolean *for_caller)
{
  const CoprocFrameHeader *header = &self->header;
  const guint8 *data = self->slab->data + self->start + COPROC_FRAME_HEADER_SIZE;
  gsize size = header->length - COPROC_FRAME_HEADER_SIZE;
  CoprocFramePayload payload = coproc_frame_get_rule (header->kind)->payload;
  const DeclaredType *declared = NULL;

  *for_caller = payload != COPROC_FRAME_PAYLOAD_UNKNOWN && payload != COPROC_FRAME_PAYLOAD_TYPE;
  if (!check_padding (self))
    return FALSE;

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

  frame->kind = header->kind;
  frame->flags = header->flags;
  frame->channel = header->channel;
  frame->serial = header->serial;
  frame->reply_serial = header->reply_serial;
  frame->priority = header->priority;
  frame->data = data;
  frame->size = size;
  frame->variant = self->variant;
  frame->slab = self->slab;
  return (header->flags & COPROC_FRAME_FLAG_LENT) == 0 || take_loan (self, frame);
}

CoprocDecodeResult
coproc_decoder_next (CoprocDecoder *self, CoprocFrame *frame, GError **error)
{
  gboolean for_caller = FALSE;

  drop_payload (self);

  while (G_LIKELY (self->error == NULL))
    {
      gsize n_available = self->end - self->start;

      if (self->n_needed == 0)
        {
          if (n_available < COPROC_FRAME_HEADER_SIZE)
            return COPROC_DECODE_MORE;
          coproc_frame_header_read (&self->header, self->slab->data + self->start);
          if (!check_header (self))
            break;
          self->n_needed = coproc_frame_padded (self->header.length);
        }

      if (n_available < self->n_needed)
        return COPROC_DECODE_MORE;
      if (!decode_frame (self, frame, &for_caller))
        break;

      self->start += self->n_needed;
      self->n_needed = 0;
      if (for_caller)
        return COPROC_DECODE_FRAME;
    }

  g_propagate_error (error, g_error_copy (self->error));
  return COPROC_DECODE_FAILED;
}
