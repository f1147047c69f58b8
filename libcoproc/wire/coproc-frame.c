/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The frame codec: headers, the table of types, and what a payload may be.
 */
#include "wire/coproc-frame-private.h"

#include <string.h>

#include "coproc-error.h"

/* --- header --- */

static inline guint64
get_64 (const guint8 *in)
{
  guint64 value;

  memcpy (&value, in, sizeof value);
  return GUINT64_FROM_LE (value);
}

static inline void
put_64 (guint8 *out, guint64 value)
{
  value = GUINT64_TO_LE (value);
  memcpy (out, &value, sizeof value);
}

/* @out: COPROC_LOAN_SIZE bytes, of any alignment */
void
coproc_loan_write (const CoprocLoan *loan, guint8 *out)
{
  put_64 (out, loan->offset);
  put_64 (out + 8, loan->size);
  put_64 (out + 16, loan->block);
}

void
coproc_loan_read (CoprocLoan *loan, const guint8 *in)
{
  loan->offset = get_64 (in);
  loan->size = get_64 (in + 8);
  loan->block = get_64 (in + 16);
}

/* What each kind carries; the page of the wire format shows the same table. */
const CoprocFrameRule *
coproc_frame_get_rule (guint8 kind)
{
  enum
  {
    C = COPROC_FRAME_FIELD_CHANNEL,
    T = COPROC_FRAME_FIELD_TYPE,
    S = COPROC_FRAME_FIELD_SERIAL,
    R = COPROC_FRAME_FIELD_REPLY_SERIAL,
    P = COPROC_FRAME_FIELD_PRIORITY,
  };
  static const CoprocFrameRule rules[] = {
    [COPROC_FRAME_HELLO] = { COPROC_FRAME_PAYLOAD_SETTINGS, 0, 0 },
    [COPROC_FRAME_GOODBYE] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
    [COPROC_FRAME_SETTINGS] = { COPROC_FRAME_PAYLOAD_SETTINGS, 0, 0 },
    [COPROC_FRAME_CHANNEL] = { COPROC_FRAME_PAYLOAD_NAME, C, C },
    [COPROC_FRAME_TYPE] = { COPROC_FRAME_PAYLOAD_TYPE, T, T },
    [COPROC_FRAME_NOREQUEST] = { COPROC_FRAME_PAYLOAD_DATA, C | T | S | P, S },
    [COPROC_FRAME_REQUEST] = { COPROC_FRAME_PAYLOAD_DATA, C | T | S | P, S },
    [COPROC_FRAME_REPLY] = { COPROC_FRAME_PAYLOAD_DATA, C | T | S | R | P, S | R },
    [COPROC_FRAME_ERROR_REPLY] = { COPROC_FRAME_PAYLOAD_ERROR, C | S | R | P, S | R },
    [COPROC_FRAME_ERROR] = { COPROC_FRAME_PAYLOAD_ERROR, 0, 0 },
    [COPROC_FRAME_CLOSE_REQUEST] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
    [COPROC_FRAME_CANCEL] = { COPROC_FRAME_PAYLOAD_EMPTY, C | R, 0 },
    [COPROC_FRAME_SETTINGS_ACK] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
    [COPROC_FRAME_PING] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
    [COPROC_FRAME_PONG] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
    [COPROC_FRAME_ACCEPTED] = { COPROC_FRAME_PAYLOAD_EMPTY, R, R },
    [COPROC_FRAME_SHARED] = { COPROC_FRAME_PAYLOAD_EMPTY, 0, 0 },
  };

  /* Kind 0 is the unknown one. */
  return &rules[kind < G_N_ELEMENTS (rules) ? kind : 0];
}

/* --- table of types --- */

const char coproc_raw_type[] = "ay";

struct _CoprocTypeWriter
{
  GHashTable *numbers;           /* type string → number, owns the strings */
  const char *last_type;         /* (nullable) a key of numbers: most messages repeat a type */
  guint32 last_number;
};

CoprocTypeWriter *
coproc_type_writer_new (void)
{
  CoprocTypeWriter *self = g_new0 (CoprocTypeWriter, 1);

  self->numbers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

void
coproc_type_writer_free (CoprocTypeWriter *self)
{
  g_hash_table_unref (self->numbers);
  g_free (self);
}

gboolean
coproc_type_writer_lookup (CoprocTypeWriter    *self,
                           const GVariantType  *type,
                           guint32             *number,
                           gboolean            *is_new)
{
  const char *string = (const char *) type;
  gpointer key, value;

  *is_new = FALSE;
  if (coproc_type_is_raw (string))
    {
      *number = 0;
      return TRUE;
    }

  if (self->last_type == NULL || strcmp (string, self->last_type) != 0)
    {
      if (!g_hash_table_lookup_extended (self->numbers, string, &key, &value))
        {
          if (g_hash_table_size (self->numbers) >= COPROC_MAX_TYPES)
            return FALSE;
          key = g_strdup (string);
          value = GUINT_TO_POINTER (g_hash_table_size (self->numbers) + 1);
          g_hash_table_insert (self->numbers, key, value);
          *is_new = TRUE;
        }
      self->last_type = key;
      self->last_number = GPOINTER_TO_UINT (value);
    }

  *number = self->last_number;
  return TRUE;
}

/* --- payloads --- */

/* GLib refuses values that nest deeper than 128 levels, variants included, and a 1-tuple `(T)` has
 * the very bytes of T: with so many tuples around the type, its limit is ours for the payload. */
#define GLIB_MAX_DEPTH 128
#define N_WRAPPERS (GLIB_MAX_DEPTH - 1 - COPROC_MAX_VARIANT_DEPTH)
#define WRAPPED_SIZE (2 * N_WRAPPERS + COPROC_MAX_TYPE_LENGTH + 1)

/* Payloads up to this size are looked through for a proof that they are shallow. */
#define SHALLOW_SIZE 4096

/* Measures a valid type string. Returns: (nullable): what is wrong with it */
static const char *
measure_type (const char *data, gsize size, guint *depth, gboolean *has_variant)
{
  guint8 inside[COPROC_MAX_VARIANT_DEPTH + 1] = { 0 }; /* level in each open bracket, and in none */
  guint n_open = 0;
  guint level = 0; /* containers around the next character */

  *depth = 0;
  *has_variant = FALSE;
  for (gsize i = 0; i < size; i++)
    {
      switch (data[i])
        {
        case '(':
        case '{':
        case 'a':
        case 'm':
          if (++level > COPROC_MAX_VARIANT_DEPTH)
            return "its type nests too deep";
          *depth = MAX (*depth, level);
          if (data[i] == '(' || data[i] == '{')
            inside[++n_open] = level;
          break;

        case ')':
        case '}':
          level = inside[--n_open];
          break;

        case 'r':
        case '*':
        case '?':
          return "its type is not definite";

        default:
          *has_variant = *has_variant || data[i] == 'v';
          level = inside[n_open];
          break;
        }
    }

  return NULL;
}

const char *
coproc_type_check (const char *data, gsize size, guint *depth, gboolean *has_variant)
{
  const char *end;

  if (size == 0)
    return "its type is empty";
  if (size > COPROC_MAX_TYPE_LENGTH)
    return "its type string is too long";
  if (!g_variant_type_string_scan (data, data + size, &end) || end != data + size)
    return "its type string is not valid";

  return measure_type (data, size, depth, has_variant);
}

/* Every level below the type's own is announced by a character of a type string inside the payload:
 * if there are few such bytes, whatever they mean, the payload cannot be too deep. */
static gboolean
is_shallow (guint depth, const guint8 *data, gsize size)
{
  gsize budget = COPROC_MAX_VARIANT_DEPTH - MIN (depth + 1, COPROC_MAX_VARIANT_DEPTH);
  gsize n_found = 0;

  if (size <= budget)
    return TRUE;
  if (size > SHALLOW_SIZE)
    return FALSE;

  for (gsize i = 0; i < size && n_found <= budget; i += 64)
    {
      const guint8 *block = data + i;
      guint8 n_block = 0;

      if (size - i >= 64)
        for (guint k = 0; k < 64; k++)
          n_block += (guint8) (block[k] == 'a') + (guint8) (block[k] == 'v')
                     + (guint8) (block[k] == 'm') + (guint8) (block[k] == '(')
                     + (guint8) (block[k] == '{');
      else
        for (guint k = 0; k < size - i; k++)
          n_block += strchr ("avm({", block[k]) != NULL && block[k] != '\0';
      n_found += n_block;
    }

  return n_found <= budget;
}

/* GLib describes a type anew when no value of it exists, which is slow for nested ones: keeps one
 * value of the types that were used last. */
static void
anchor_type (const GVariantType *type)
{
  static GMutex mutex;
  static GVariant *anchors[8]; /* (mutex mutex) */
  g_autoptr(GVariant) unused = NULL;
  guint slot = g_variant_type_hash (type) % G_N_ELEMENTS (anchors);

  g_mutex_lock (&mutex);
  if (anchors[slot] == NULL || !g_variant_is_of_type (anchors[slot], type))
    {
      unused = anchors[slot];
      anchors[slot] = g_variant_new_from_data (type, NULL, 0, TRUE, NULL, NULL);
      g_variant_ref_sink (anchors[slot]);
    }
  g_mutex_unlock (&mutex);
}

/* A wrong size of a type of fixed size makes GLib use a default value, hence the comparison. */
static gboolean
is_normal (GVariant *variant, GBytes *bytes)
{
  return g_variant_get_size (variant) == g_bytes_get_size (bytes)
         && g_variant_is_normal_form (variant);
}

static gboolean
is_normal_and_shallow (const GVariantType *type, GBytes *bytes)
{
  char wrapped[WRAPPED_SIZE];
  gsize length = g_variant_type_get_string_length (type);
  g_autoptr(GVariant) variant = NULL;

  g_assert (length <= COPROC_MAX_TYPE_LENGTH);
  memset (wrapped, '(', N_WRAPPERS);
  memcpy (wrapped + N_WRAPPERS, g_variant_type_peek_string (type), length);
  memset (wrapped + N_WRAPPERS + length, ')', N_WRAPPERS);
  wrapped[2 * N_WRAPPERS + length] = '\0';

  anchor_type (G_VARIANT_TYPE (wrapped));
  variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE (wrapped), bytes, FALSE));
  return is_normal (variant, bytes);
}

GVariant *
coproc_payload_check (const GVariantType *type, guint depth, gboolean has_variant, GBytes *bytes)
{
  g_autoptr(GVariant) variant = NULL;
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  if (has_variant && !is_shallow (depth, data, size))
    {
      if (!is_normal_and_shallow (type, bytes))
        return NULL;
      return g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, TRUE));
    }

  variant = g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, FALSE));
  return is_normal (variant, bytes) ? g_steal_pointer (&variant) : NULL;
}

/* Says the same as the peer's decoder will. What GLib trusts is not looked through again, but for
 * the depth of variants, on which GLib has another limit. */
gboolean
coproc_variant_check (GVariant *payload, GError **error)
{
  const char *type = g_variant_get_type_string (payload);
  gsize length = strlen (type);
  const char *problem;
  gconstpointer data;
  gsize size;
  guint depth;
  gboolean has_variant;

  /* a type that cannot nest deep, of a value that GLib trusts: nothing to look for */
  if (length <= COPROC_MAX_VARIANT_DEPTH && strchr (type, 'v') == NULL && g_variant_is_normal_form (payload))
    return TRUE;

  data = g_variant_get_data (payload);
  size = g_variant_get_size (payload);
  problem = length > COPROC_MAX_TYPE_LENGTH ? "its type string is too long"
                                            : measure_type (type, length, &depth, &has_variant);
  if (problem == NULL && data == NULL && size > 0)
    problem = "it is not in normal form";
  if (problem == NULL && !coproc_type_is_raw (type)
      && !((!has_variant || is_shallow (depth, data, size)) && g_variant_is_normal_form (payload)))
    {
      /* As a part of a larger value it may have been refused for the depth of the whole. */
      g_autoptr(GBytes) bytes = g_bytes_new_static (data, size);
      g_autoptr(GVariant) checked
          = coproc_payload_check (G_VARIANT_TYPE (type), depth, has_variant, bytes);

      if (checked == NULL)
        problem = "it is not in normal form, or nests too deep";
    }

  if (problem != NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
                 "The payload cannot be sent: %s", problem);
  return problem == NULL;
}
