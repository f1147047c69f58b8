/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Headers, the table of types, and which payloads may travel.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "coproc-error.h"
#include "wire/coproc-frame-private.h"

/* --- header --- */

static void
test_header_layout (void)
{
  static const guint8 expected[COPROC_FRAME_HEADER_SIZE] = {
    0x04, 0x03, 0x02, 0x01, 0x05, 0x06, 0x08, 0x07,  /* length, version, kind, flags */
    0x0c, 0x0b, 0x0a, 0x09, 0x10, 0x0f, 0x0e, 0x0d,  /* channel, type */
    0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,  /* serial */
    0x20, 0x1f, 0x1e, 0x1d, 0x1c, 0x1b, 0x1a, 0x19,  /* reply serial */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0xbf,  /* priority -1.5 */
  };
  const CoprocFrameHeader header = {
    .length = 0x01020304, .version = 5, .kind = 6, .flags = 0x0708, .channel = 0x090a0b0c,
    .type = 0x0d0e0f10, .serial = 0x1112131415161718, .reply_serial = 0x191a1b1c1d1e1f20,
    .priority = -1.5,
  };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE + 1];

  coproc_frame_header_write (&header, bytes + 1);
  g_assert_cmpmem (bytes + 1, COPROC_FRAME_HEADER_SIZE, expected, sizeof expected);
}

static void
test_header_round_trip (void)
{
  for (guint i = 0; i < 1000; i++)
    {
      guint8 bytes[COPROC_FRAME_HEADER_SIZE], again[COPROC_FRAME_HEADER_SIZE];
      CoprocFrameHeader header;

      for (guint k = 0; k < sizeof bytes; k++)
        bytes[k] = (guint8) g_test_rand_int ();
      coproc_frame_header_read (&header, bytes);
      coproc_frame_header_write (&header, again);
      g_assert_cmpmem (bytes, sizeof bytes, again, sizeof again);
    }
}

static void
test_padded (void)
{
  g_assert_cmpuint (coproc_frame_padded (40), ==, 40);
  g_assert_cmpuint (coproc_frame_padded (41), ==, 48);
  g_assert_cmpuint (coproc_frame_padded (47), ==, 48);
  g_assert_cmpuint (coproc_frame_padded (48), ==, 48);
}

static void
test_rules (void)
{
  for (guint kind = 0; kind <= G_MAXUINT8; kind++)
    {
      const CoprocFrameRule *rule = coproc_frame_get_rule ((guint8) kind);
      gboolean is_known = (kind >= COPROC_FRAME_HELLO && kind <= COPROC_FRAME_LAST) || kind == COPROC_FRAME_SHARED;

      g_assert_cmpint (rule->payload != COPROC_FRAME_PAYLOAD_UNKNOWN, ==, is_known);
      g_assert_cmpuint (rule->required & ~rule->allowed, ==, 0);
    }
}

/* --- table of types --- */

static void
test_type_writer_numbers (void)
{
  CoprocTypeWriter *writer = coproc_type_writer_new ();
  const struct
  {
    const char *type;
    guint32 number;
    gboolean is_new;
  } rows[] = {
    { "ay", 0, FALSE }, { "a{sv}", 1, TRUE }, { "a{sv}", 1, FALSE }, { "s", 2, TRUE },
    { "a{sv}", 1, FALSE }, { "ay", 0, FALSE }, { "s", 2, FALSE }, { "aay", 3, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      /* a type of its own each time, as the types of payloads are */
      g_autoptr(GVariantType) type = g_variant_type_new (rows[i].type);
      guint32 number = 99;
      gboolean is_new = 2;

      g_assert_true (coproc_type_writer_lookup (writer, type, &number, &is_new));
      g_assert_cmpuint (number, ==, rows[i].number);
      g_assert_cmpint (is_new, ==, rows[i].is_new);
    }
  coproc_type_writer_free (writer);
}

/* A type of its own for each number below 4096: a tuple of 12 members. */
static GVariantType *
make_type (guint n)
{
  char string[15] = "(ssssssssssss)";

  for (guint bit = 0; bit < 12; bit++)
    string[1 + bit] = (n >> bit & 1) != 0 ? 'i' : 's';
  return g_variant_type_new (string);
}

static void
test_type_writer_limit (void)
{
  CoprocTypeWriter *writer = coproc_type_writer_new ();
  guint32 number;
  gboolean is_new;

  for (guint i = 0; i <= COPROC_MAX_TYPES; i++)
    {
      g_autoptr(GVariantType) type = make_type (i);
      gboolean is_known = coproc_type_writer_lookup (writer, type, &number, &is_new);

      g_assert_cmpint (is_known, ==, i < COPROC_MAX_TYPES);
      g_assert_cmpint (is_new, ==, i < COPROC_MAX_TYPES);
      if (is_known)
        g_assert_cmpuint (number, ==, i + 1);
    }

  /* Those that were declared can still be used. */
  g_assert_true (coproc_type_writer_lookup (writer, G_VARIANT_TYPE_BYTESTRING, &number, &is_new));
  g_assert_cmpuint (number, ==, 0);
  for (guint i = 0; i < COPROC_MAX_TYPES; i += 100)
    {
      g_autoptr(GVariantType) type = make_type (i);

      g_assert_true (coproc_type_writer_lookup (writer, type, &number, &is_new));
      g_assert_cmpuint (number, ==, i + 1);
      g_assert_false (is_new);
    }
  coproc_type_writer_free (writer);
}

/* --- types --- */

static void
test_type_check (void)
{
  const struct
  {
    const char *type;
    int depth; /* -1: not valid */
    gboolean has_variant;
  } rows[] = {
    { "i", 0, FALSE },          { "v", 0, TRUE },          { "ay", 1, FALSE },
    { "a{sv}", 2, TRUE },       { "(sis)", 1, FALSE },     { "()", 1, FALSE },
    { "(ia(ii)i)", 3, FALSE },  { "(aaaaii)", 5, FALSE },  { "a(iaiv)", 3, TRUE },
    { "(a{s(ii)}ai)", 4, FALSE }, { "mmmv", 3, TRUE },     { "((((h))))", 4, FALSE },
    { "", -1, FALSE },          { "a", -1, FALSE },        { "(", -1, FALSE },
    { "(i", -1, FALSE },        { "i)", -1, FALSE },       { "ii", -1, FALSE },
    { "a{vs}", -1, FALSE },     { "{sv", -1, FALSE },      { "z", -1, FALSE },
    { "*", -1, FALSE },         { "?", -1, FALSE },        { "r", -1, FALSE },
    { "a*", -1, FALSE },        { "a{?s}", -1, FALSE },    { "(ri)", -1, FALSE },
    { "i ", -1, FALSE },        { "\xff", -1, FALSE },
  };
  guint depth = 0;
  gboolean has_variant = FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *problem
          = coproc_type_check (rows[i].type, strlen (rows[i].type), &depth, &has_variant);

      g_assert_cmpint (problem == NULL, ==, rows[i].depth >= 0);
      if (problem != NULL)
        continue;
      g_assert_cmpint (depth, ==, rows[i].depth);
      g_assert_cmpint (has_variant, ==, rows[i].has_variant);
    }

  /* a NUL in the middle, and a string that is not terminated */
  g_assert_nonnull (coproc_type_check ("i\0i", 3, &depth, &has_variant));
  g_assert_nonnull (coproc_type_check ("i", 2, &depth, &has_variant));
  g_assert_null (coproc_type_check ("iii", 1, &depth, &has_variant));
}

static void
test_type_check_limits (void)
{
  g_autofree char *arrays = g_strnfill (COPROC_MAX_VARIANT_DEPTH + 2, 'a');
  guint depth;
  gboolean has_variant;

  for (gsize i = 0; i < 3; i++)
    {
      gsize levels = COPROC_MAX_VARIANT_DEPTH - 1 + i;
      g_autofree char *brackets = g_strnfill (2 * levels, '(');

      memset (arrays, 'a', COPROC_MAX_VARIANT_DEPTH + 2);
      arrays[levels] = 'i';
      g_assert_cmpint (coproc_type_check (arrays, levels + 1, &depth, &has_variant) == NULL, ==,
                       levels <= COPROC_MAX_VARIANT_DEPTH);
      memset (brackets + levels, ')', levels);
      g_assert_cmpint (coproc_type_check (brackets, 2 * levels, &depth, &has_variant) == NULL, ==,
                       levels <= COPROC_MAX_VARIANT_DEPTH);
    }

  for (gsize length = COPROC_MAX_TYPE_LENGTH - 1; length <= COPROC_MAX_TYPE_LENGTH + 1; length++)
    {
      g_autofree char *tuple = g_strnfill (length, 'i');

      tuple[0] = '(';
      tuple[length - 1] = ')';
      g_assert_cmpint (coproc_type_check (tuple, length, &depth, &has_variant) == NULL, ==,
                       length <= COPROC_MAX_TYPE_LENGTH);
    }
}

/* --- payloads --- */

/* (transfer full): what the decoder says of the bytes of a value of @type */
static GVariant *
check_bytes (const char *type, gconstpointer data, gsize size)
{
  guint8 *copy = g_malloc0 (size + 1);
  g_autoptr(GBytes) bytes = g_bytes_new_take (copy, size);
  guint depth;
  gboolean has_variant;

  if (size > 0)
    memcpy (copy, data, size);

  if (coproc_type_check (type, strlen (type), &depth, &has_variant) != NULL)
    return NULL;
  return coproc_payload_check (G_VARIANT_TYPE (type), depth, has_variant, bytes);
}

/* Both sides must say @expected of @value, which is taken. */
static void
assert_verdict (GVariant *value, gboolean expected)
{
  g_autoptr(GVariant) sunk = g_variant_ref_sink (value);
  g_autoptr(GVariant) untrusted = NULL;
  g_autoptr(GVariant) received = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes (sunk);

  untrusted = g_variant_new_from_bytes (g_variant_get_type (sunk), bytes, FALSE);
  g_variant_ref_sink (untrusted);
  g_assert_cmpint (coproc_variant_check (sunk, &error), ==, expected);
  if (expected)
    g_assert_no_error (error);
  else
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
  g_assert_cmpint (coproc_variant_check (untrusted, NULL), ==, expected);

  received = check_bytes (g_variant_get_type_string (sunk), g_variant_get_data (sunk),
                          g_variant_get_size (sunk));
  g_assert_cmpint (received != NULL, ==, expected);
  if (received != NULL)
    {
      g_assert_false (g_variant_is_floating (received));
      g_assert_true (g_variant_equal (received, sunk));
    }
}

static GVariant *
wrap (GVariant *value, const char *how)
{
  switch (*how)
    {
    case 'v':
      return g_variant_new_variant (value);
    case '(':
      return g_variant_new_tuple (&value, 1);
    case 'm':
      return g_variant_new_maybe (NULL, value);
    default:
      return g_variant_new_array (NULL, &value, 1);
    }
}

/* @levels containers around a byte, the kinds taken in turns from @pattern, innermost first */
static GVariant *
nest (const char *pattern, guint levels)
{
  GVariant *value = g_variant_new_byte (7);

  for (guint i = 0; i < levels; i++)
    value = wrap (value, pattern + i % strlen (pattern));
  return value;
}

static void
test_depth (void)
{
  static const char *const patterns[] = { "v", "a", "(", "m", "av", "va", "(v", "a(vm", "aaaaaaav",
                                          "mv(" };

  for (guint i = 0; i < G_N_ELEMENTS (patterns); i++)
    for (guint levels = 1; levels <= 100; levels++)
      assert_verdict (nest (patterns[i], levels), levels <= COPROC_MAX_VARIANT_DEPTH);
}

/* A payload that is too large for the proof that it is shallow by looking for characters. */
static void
test_depth_of_large_payload (void)
{
  for (guint size = 1; size <= 100000; size *= 10)
    for (guint i = 0; i < 5; i++)
      {
        guint levels = COPROC_MAX_VARIANT_DEPTH - 3 + i;
        g_autofree char *text = g_strnfill (size, size % 3 == 1 ? 'a' : 'x');
        GVariantBuilder builder;

        g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{sv}"));
        g_variant_builder_add (&builder, "{sv}", "text", g_variant_new_string (text));
        /* a{sv} is two levels, the variant in it is the outermost of these */
        g_variant_builder_add (&builder, "{s@v}", "deep", nest ("v", levels - 2));
        assert_verdict (g_variant_builder_end (&builder), levels <= COPROC_MAX_VARIANT_DEPTH);
      }
}

/* A shallow part of a value that is too deep as a whole may travel on its own. */
static void
test_part_of_a_deep_value (void)
{
  g_autoptr(GVariant) deep = g_variant_ref_sink (nest ("v", 120));
  g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes (deep);
  g_autoptr(GVariant) part = g_variant_new_from_bytes (G_VARIANT_TYPE_VARIANT, bytes, FALSE);

  g_variant_ref_sink (part);
  for (guint levels = 120; levels > 0; levels--)
    {
      GVariant *outer = part;

      g_assert_cmpint (coproc_variant_check (part, NULL), ==, levels <= COPROC_MAX_VARIANT_DEPTH);
      part = g_variant_get_variant (outer);
      g_variant_unref (outer);
    }
}

static void
test_type_length (void)
{
  for (gsize n = COPROC_MAX_TYPE_LENGTH - 3; n <= COPROC_MAX_TYPE_LENGTH - 1; n++)
    {
      g_autofree GVariant **members = g_new (GVariant *, n);

      for (gsize i = 0; i < n; i++)
        members[i] = g_variant_new_byte (1);
      assert_verdict (g_variant_new_tuple (members, n), n + 2 <= COPROC_MAX_TYPE_LENGTH);
    }
}

static void
test_wrong_bytes (void)
{
  const struct
  {
    const char *type;
    const char *data;
    gsize size;
  } rows[] = {
    { "b", "\2", 1 },           { "i", "\1\0\0", 3 },       { "i", "\1\0\0\0\0", 5 },
    { "i", "", 0 },             { "()", "\1", 1 },          { "()", "", 0 },
    { "s", "", 0 },             { "s", "abc", 3 },          { "s", "a\0b\0", 4 },
    { "s", "\xff\0", 2 },       { "o", "a/b\0", 4 },        { "g", "a\0", 2 },
    { "as", "x", 1 },           { "mb", "\1\1", 2 },        { "v", "", 0 },
    { "v", "\1\0", 2 },         { "v", "\1\0zz", 4 },       { "ai", "\1\0\0", 3 },
    { "(yi)", "\1\1\0\0\2\0\0\0", 8 }, { "a{sv}", "\0\0", 2 }, { "v", "\1\0a*", 4 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GVariant) value = g_variant_ref_sink (
          g_variant_new_from_data (G_VARIANT_TYPE (rows[i].type), rows[i].data, rows[i].size, FALSE,
                                   NULL, NULL));
      g_autoptr(GVariant) received = check_bytes (rows[i].type, rows[i].data, rows[i].size);
      g_autoptr(GError) error = NULL;

      g_assert_null (received);
      g_assert_false (coproc_variant_check (value, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
    }
}

/* Any value, of any origin: the sender's check and the receiver's agree. */
static void
test_both_sides_agree (void)
{
  static const char *const types[] = { "v", "a{sv}", "as", "(sv)", "av", "mv", "a{s(bv)}", "(yiv)",
                                       "aas", "(siv)", "ai", "d", "b", "o", "g", "s" };
  g_autoptr(GVariant) sample = g_variant_ref_sink (
      g_variant_new_parsed ("<{'k': <[(true, <'aa'>)]>, 'l': <<@as []>>}>"));

  for (guint round = 0; round < 20000; round++)
    {
      const char *type = types[round % G_N_ELEMENTS (types)];
      guint8 bytes[96] = { 0 };
      gsize size = (gsize) g_test_rand_int_range (0, sizeof bytes);
      g_autoptr(GVariant) value = NULL;
      g_autoptr(GVariant) received = NULL;

      memcpy (bytes, g_variant_get_data (sample), MIN (size, g_variant_get_size (sample)));
      for (guint i = 0; i < round % 4 && size > 0; i++)
        bytes[g_test_rand_int_range (0, (gint32) size)] = (guint8) g_test_rand_int ();

      value = g_variant_ref_sink (
          g_variant_new_from_data (G_VARIANT_TYPE (type), bytes, size, FALSE, NULL, NULL));
      received = check_bytes (type, bytes, size);
      g_assert_cmpint (coproc_variant_check (value, NULL), ==, received != NULL);
    }
}

static void
test_trusted_costs_nothing (void)
{
  const gsize n = 1024 * 1024 / 4;
  g_autofree gint32 *numbers = g_new0 (gint32, n);
  g_autoptr(GVariant) value = g_variant_ref_sink (
      g_variant_new_fixed_array (G_VARIANT_TYPE_INT32, numbers, n, sizeof *numbers));
  struct timespec begin, end;

  g_test_summary ("A megabyte that GLib trusts is not looked through at each send");
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &begin);
  for (guint i = 0; i < 10000; i++)
    g_assert_true (coproc_variant_check (value, NULL));
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &end);
  /* Looking at each would take 10 s and more, 10000 × 1 µs is ample. */
  g_assert_cmpint (end.tv_sec - begin.tv_sec, <=, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/frame/header-layout", test_header_layout);
  g_test_add_func ("/coproc/frame/header-round-trip", test_header_round_trip);
  g_test_add_func ("/coproc/frame/padded", test_padded);
  g_test_add_func ("/coproc/frame/rules", test_rules);
  g_test_add_func ("/coproc/type-writer/numbers", test_type_writer_numbers);
  g_test_add_func ("/coproc/type-writer/limit", test_type_writer_limit);
  g_test_add_func ("/coproc/type-check/a7-table", test_type_check);
  g_test_add_func ("/coproc/type-check/a7-limits", test_type_check_limits);
  g_test_add_func ("/coproc/variant-check/depth", test_depth);
  g_test_add_func ("/coproc/variant-check/depth-of-large-payload", test_depth_of_large_payload);
  g_test_add_func ("/coproc/variant-check/part-of-a-deep-value", test_part_of_a_deep_value);
  g_test_add_func ("/coproc/variant-check/type-length", test_type_length);
  g_test_add_func ("/coproc/variant-check/wrong-bytes", test_wrong_bytes);
  g_test_add_func ("/coproc/variant-check/both-sides-agree", test_both_sides_agree);
  g_test_add_func ("/coproc/variant-check/trusted-costs-nothing", test_trusted_costs_nothing);
  return g_test_run ();
}
