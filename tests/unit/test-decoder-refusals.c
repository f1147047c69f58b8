/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the decoder refuses: one row for each bit or field that can be wrong.
 */
#include <pthread.h>

#include "decoder-helpers.h"

/* --- A5: each bit of a header --- */

static void
test_a5_version (void)
{
  for (guint version = 1; version <= G_MAXUINT8; version++)
    {
      CoprocFrameHeader header = control (COPROC_FRAME_GOODBYE);

      header.version = (guint8) version;
      assert_header (header, version == COPROC_WIRE_VERSION ? -1 : COPROC_ERROR_PROTOCOL);
    }
}

static void
test_a5_version_zero (void)
{
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  add_with_payload (stream, control (COPROC_FRAME_GOODBYE));
  stream->data[4] = 0;
  assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
}

static void
test_a5_flags (void)
{
  for (guint bit = 0; bit < 16; bit++)
    for (guint8 kind = COPROC_FRAME_HELLO; kind <= COPROC_FRAME_LAST + 1; kind++)
      {
        CoprocFrameHeader header = header_for (kind);
        int code = 1u << bit == COPROC_FRAME_FLAG_OPTIONAL ? -1 : COPROC_ERROR_PROTOCOL;

        header.flags = (guint16) (1u << bit);
        assert_header (header, code);
        header.flags |= COPROC_FRAME_FLAG_OPTIONAL;
        assert_header (header, code);
      }
}

static void
test_a5_unknown_kind (void)
{
  for (guint kind = 0; kind <= G_MAXUINT8; kind++)
    {
      gboolean is_known = (kind >= COPROC_FRAME_HELLO && kind <= COPROC_FRAME_LAST) || kind == COPROC_FRAME_SHARED;
      CoprocFrameHeader header = header_for ((guint8) kind);
      g_autoptr(GByteArray) stream = g_byte_array_new ();

      assert_header (header, is_known ? -1 : COPROC_ERROR_PROTOCOL);
      if (is_known)
        continue;

      /* skipped by its length, whatever else it says */
      header.flags = COPROC_FRAME_FLAG_OPTIONAL;
      header.channel = 5;
      header.type = 99;
      header.priority = NAN;
      frame_builder_add_text (stream, header, "whatever");
      frame_builder_add_text (stream, header, "odd");
      add_with_payload (stream, control (COPROC_FRAME_GOODBYE));
      assert_accepted (&defaults, stream, 1);
    }
}

/* The bits of one field. */
static void
set_field (CoprocFrameHeader *header, guint field, guint64 value)
{
  if (field == COPROC_FRAME_FIELD_CHANNEL)
    header->channel = (guint32) value;
  else if (field == COPROC_FRAME_FIELD_TYPE)
    header->type = (guint32) value;
  else if (field == COPROC_FRAME_FIELD_SERIAL)
    header->serial = value;
  else if (field == COPROC_FRAME_FIELD_REPLY_SERIAL)
    header->reply_serial = value;
  else
    memcpy (&header->priority, &value, sizeof value);
}

static void
test_a5_fields (void)
{
  for (guint8 kind = COPROC_FRAME_HELLO; kind <= COPROC_FRAME_LAST; kind++)
    for (guint i = 0; i < 5; i++)
      {
        const guint field = COPROC_FRAME_FIELD_CHANNEL << i;
        const CoprocFrameRule *rule = coproc_frame_get_rule (kind);
        const gboolean is_type = field == COPROC_FRAME_FIELD_TYPE;
        const guint n_bits = field == COPROC_FRAME_FIELD_CHANNEL || is_type ? 32 : 64;
        CoprocFrameHeader header = header_for (kind);

        set_field (&header, field, 0);
        assert_header (header, (rule->required & field) != 0 ? COPROC_ERROR_PROTOCOL : -1);

        for (guint bit = 0; bit < n_bits; bit++)
          {
            /* one type may be declared here, and none is used */
            gboolean is_fine = is_type ? kind == COPROC_FRAME_TYPE && bit == 0
                                       : (rule->allowed & field) != 0;

            set_field (&header, field, G_GUINT64_CONSTANT (1) << bit);
            assert_header (header, is_fine ? -1 : COPROC_ERROR_PROTOCOL);
          }
      }
}

static void
test_a5_priority (void)
{
  static const double fine[] = { 0, -0.0, 1e-310, 1, -1, 1e308, INFINITY, -INFINITY };
  static const guint8 kinds[] = { COPROC_FRAME_NOREQUEST, COPROC_FRAME_REQUEST, COPROC_FRAME_REPLY,
                                  COPROC_FRAME_ERROR_REPLY };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      CoprocFrameHeader header = header_for (kinds[i]);

      for (guint k = 0; k < G_N_ELEMENTS (fine); k++)
        {
          header.priority = fine[k];
          assert_header (header, -1);
        }
      header.priority = NAN;
      assert_header (header, COPROC_ERROR_PROTOCOL);
      header.priority = -NAN;
      assert_header (header, COPROC_ERROR_PROTOCOL);
    }
}

static void
test_a5_padding (void)
{
  for (gsize size = 1; size <= 8; size++)
    for (gsize at = size; at < 8; at++)
      {
        g_autoptr(GByteArray) stream = g_byte_array_new ();

        frame_builder_add (stream, header_for (COPROC_FRAME_NOREQUEST), "xxxxxxxx", size);
        assert_accepted (&defaults, stream, 1);
        stream->data[COPROC_FRAME_HEADER_SIZE + at] = 0x80;
        assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
      }
}

static void
test_a5_payload_of_empty_kind (void)
{
  static const guint8 kinds[] = { COPROC_FRAME_GOODBYE, COPROC_FRAME_CLOSE_REQUEST,
                                  COPROC_FRAME_CANCEL, COPROC_FRAME_SETTINGS_ACK,
                                  COPROC_FRAME_PING, COPROC_FRAME_PONG,
                                  COPROC_FRAME_ACCEPTED };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr(GByteArray) stream = g_byte_array_new ();

      frame_builder_add (stream, header_for (kinds[i]), "", 1);
      assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
    }
}

/* --- A6, A7: names and types --- */

static void
assert_name (gconstpointer name, gsize size, gboolean is_valid)
{
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  frame_builder_add (stream, header_for (COPROC_FRAME_CHANNEL), name, size);
  if (is_valid)
    assert_accepted (&defaults, stream, 1);
  else
    assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
}

static void
test_a6_names (void)
{
  g_autofree char *name = g_strnfill (COPROC_MAX_NAME_LENGTH + 1, 'n');

  assert_name ("\xff\xfe", 2, FALSE);
  assert_name ("\xc0\xaf", 2, FALSE);     /* overlong */
  assert_name ("\xed\xa0\x80", 3, FALSE); /* a surrogate */
  assert_name ("\xf4\x90\x80\x80", 4, FALSE);
  assert_name ("a\0b", 3, FALSE);
  assert_name ("ab", 3, FALSE);
  assert_name ("\xc3", 1, FALSE);
  assert_name ("\xc3\xa9", 2, TRUE);
  assert_name ("\n", 1, TRUE);

  assert_name (name, 0, FALSE);
  assert_name (name, 1, TRUE);
  assert_name (name, COPROC_MAX_NAME_LENGTH - 1, TRUE);
  assert_name (name, COPROC_MAX_NAME_LENGTH, TRUE);
  assert_name (name, COPROC_MAX_NAME_LENGTH + 1, FALSE);
}

static void
test_a6_errors (void)
{
  const struct
  {
    const char *data;
    gsize size;
    gboolean is_valid;
  } rows[] = {
    { "d\0\0\0\1\0\0\0m\0\2", 11, TRUE },    { "d\0\0\0\1\0\0\0\xff\0\2", 11, FALSE },
    { "\xfe\0\0\0\1\0\0\0m\0\2", 11, FALSE }, { "d\0\0\0\1\0\0\0m\0n\0\2", 13, FALSE },
    { "d\0\0\0\1\0\0\0m\0\3", 11, FALSE },   { "", 0, FALSE },
  };
  static const guint8 kinds[] = { COPROC_FRAME_ERROR, COPROC_FRAME_ERROR_REPLY };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
      {
        g_autoptr(GByteArray) stream = g_byte_array_new ();

        frame_builder_add (stream, header_for (kinds[k]), rows[i].data, rows[i].size);
        if (rows[i].is_valid)
          assert_accepted (&defaults, stream, 1);
        else
          assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
      }
}

static void
assert_type (const char *type, gsize size, gboolean is_valid)
{
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  frame_builder_add (stream, header_for (COPROC_FRAME_TYPE), type, size);
  if (is_valid)
    assert_accepted (&defaults, stream, 0);
  else
    assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
}

static void
test_a7_types (void)
{
  static const char *const good[] = { "s", "v", "a{sv}", "()", "aay", "mmh", "(ia(sv))", "a{yv}" };
  static const char *const bad[] = { "", "a", "(", ")", "(i", "ii", "a{vs}", "{s}", "*", "a?",
                                     "r", "ay", "z", "\xff", "i " };
  g_autofree char *many = g_strnfill (1024 * 1024, 'a');
  gint64 begin;

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    assert_type (good[i], strlen (good[i]), TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_type (bad[i], strlen (bad[i]), FALSE);
  assert_type ("s", 2, FALSE);
  assert_type ("i\0i", 3, FALSE);

  begin = get_cpu_time ();
  assert_type (many, 1024 * 1024, FALSE);
  g_assert_cmpint (get_cpu_time () - begin, <, scale_time (50000));
}

static void
test_a7_type_limits (void)
{
  for (gsize length = COPROC_MAX_TYPE_LENGTH - 1; length <= COPROC_MAX_TYPE_LENGTH + 1; length++)
    {
      g_autofree char *tuple = g_strnfill (length, 'i');

      tuple[0] = '(';
      tuple[length - 1] = ')';
      assert_type (tuple, length, length <= COPROC_MAX_TYPE_LENGTH);
    }
  for (gsize depth = COPROC_MAX_VARIANT_DEPTH - 1; depth <= COPROC_MAX_VARIANT_DEPTH + 1; depth++)
    {
      g_autofree char *arrays = g_strnfill (depth + 1, 'a');

      arrays[depth] = 'i';
      assert_type (arrays, depth + 1, depth <= COPROC_MAX_VARIANT_DEPTH);
    }
}

static void
test_type_numbers (void)
{
  static const guint32 wrong[] = { 0, 1, 3, 1024, 1025, G_MAXUINT32 };
  g_autoptr(GByteArray) many = g_byte_array_new ();
  CoprocFrameHeader header = header_for (COPROC_FRAME_REQUEST);

  /* 1 has been declared, 2 is the next one */
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr(GByteArray) stream = g_byte_array_new ();

      add_type (stream, 1, "s");
      add_type (stream, wrong[i], "i");
      assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
    }

  for (guint32 i = 1; i <= COPROC_MAX_TYPES; i++)
    {
      add_type (many, i, i % 2 == 0 ? "s" : "i");
      if (i < COPROC_MAX_TYPES - 1)
        continue;
      header.type = i;
      frame_builder_add (many, header, i % 2 == 0 ? "" : "\0\0\0\0", i % 2 == 0 ? 1 : 4);
    }
  assert_accepted (&defaults, many, 2);
  add_type (many, COPROC_MAX_TYPES + 1, "s");
  assert_refused (&defaults, many, COPROC_ERROR_LIMIT);
}

static void
test_undeclared_type (void)
{
  CoprocFrameHeader header = header_for (COPROC_FRAME_NOREQUEST);
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  add_type (stream, 1, "s");
  header.type = 1;
  frame_builder_add (stream, header, "x", 2);
  assert_accepted (&defaults, stream, 1);
  header.type = 2;
  frame_builder_add (stream, header, "x", 2);
  assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
}

/* --- A8, A9: payloads --- */

static void
test_a8_costly (void)
{
  static const char *const types[] = {
    "a{sv}", "as", "av", "v", "a(aayas)", "a()", "aas", "aaas", "a{s(sv)}", "ab", "ad", "ai", "aay",
    "ams", "a(ss)", "a{ss}", "ao", "ag", "(sis)", "mas", "a(y)", "aav", "amms", "a(yyyyyyyy)",
  };
  const gsize size = 1024 * 1024;

  g_test_summary ("A megabyte of zeros or ones is judged in less than 60 ms whatever its type");
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    for (guint value = 0; value < 3; value++)
      {
        g_autofree guint8 *data = g_malloc (size);
        g_autoptr(GByteArray) stream = NULL;
        gint64 begin;
        FrameVerdict verdict;

        memset (data, value == 2 ? 0xff : (int) value, size);
        stream = new_typed (types[i], data, size);
        begin = get_cpu_time ();
        verdict = frame_verdict (&defaults, stream->data, stream->len, G_MAXSIZE, 0);
        begin = get_cpu_time () - begin;
        g_test_message ("%s of %u: %s in %.1f ms", types[i], value,
                        verdict.code < 0 ? "taken" : "refused", (double) begin / 1000);
        g_assert_true (verdict.code == -1 || verdict.code == COPROC_ERROR_PROTOCOL);
        g_assert_cmpint (begin, <, scale_time (60000));
      }
}

static void
test_a8_not_normal (void)
{
  const struct
  {
    const char *type;
    const char *data;
    gsize size;
  } rows[] = {
    { "b", "\2", 1 },
    { "i", "\1\0\0", 3 },
    { "i", "\1\0\0\0\0", 5 },
    { "i", "", 0 },
    { "(yi)", "\1\1\0\0\2\0\0\0", 8 }, /* padding inside */
    { "s", "abc", 3 },                  /* no NUL at the end */
    { "s", "a\0b", 4 },                 /* one in the middle */
    { "s", "\xff", 2 },
    { "o", "a/b", 4 },
    { "g", "a", 2 },
    { "as", "x", 1 },
    { "as", "a\0b\0\4\2", 6 },          /* offsets that go backwards */
    { "a{sv}", "\0\0", 2 },
    { "mb", "\1\1", 2 },
    { "v", "\1", 2 },
    { "v", "\1\0a*", 4 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GByteArray) stream = new_typed (rows[i].type, rows[i].data, rows[i].size);

      assert_refused (&defaults, stream, COPROC_ERROR_PROTOCOL);
    }
}

/* @levels variants around a byte */
static GByteArray *
new_nested (gsize levels)
{
  g_autoptr(GByteArray) data = g_byte_array_new ();

  g_byte_array_append (data, (const guint8 *) "\7\0y", 3);
  for (gsize i = 1; i < levels; i++)
    g_byte_array_append (data, (const guint8 *) "\0v", 2);
  return new_typed ("v", data->data, data->len);
}

static gpointer
judge_nested (gpointer user_data)
{
  static const gsize depths[] = { 16, 63, 64, 65, 127, 128, 129, 1000, 32768, 500000 };
  const CoprocLimits large = { .max_message_size = 4 << 20, .max_variant_size = 4 << 20 };

  for (guint i = 0; i < G_N_ELEMENTS (depths) + 1; i++)
    {
      gsize depth = i < G_N_ELEMENTS (depths) ? depths[i] : 1000 * 1000;
      g_autoptr(GByteArray) stream = new_nested (depth);
      FrameVerdict verdict = frame_verdict (&large, stream->data, stream->len, G_MAXSIZE, 0);

      g_assert_cmpint (verdict.code, ==,
                       depth <= COPROC_MAX_VARIANT_DEPTH ? -1 : COPROC_ERROR_PROTOCOL);
    }
  return NULL;
}

static void
test_a9_variant_in_variant (void)
{
  pthread_attr_t attributes;
  pthread_t thread;

  g_test_summary ("No depth that a peer can send takes more than a small stack");
  g_assert_cmpint (pthread_attr_init (&attributes), ==, 0);
  g_assert_cmpint (pthread_attr_setstacksize (&attributes, IS_SANITIZED ? 1 << 20 : 64 << 10),
                   ==, 0);
  g_assert_cmpint (pthread_create (&thread, &attributes, judge_nested, NULL), ==, 0);
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  pthread_attr_destroy (&attributes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/decoder/a5-version", test_a5_version);
  g_test_add_func ("/coproc/decoder/a5-version-zero", test_a5_version_zero);
  g_test_add_func ("/coproc/decoder/a5-flags", test_a5_flags);
  g_test_add_func ("/coproc/decoder/a5-unknown-kind", test_a5_unknown_kind);
  g_test_add_func ("/coproc/decoder/a5-fields", test_a5_fields);
  g_test_add_func ("/coproc/decoder/a5-priority", test_a5_priority);
  g_test_add_func ("/coproc/decoder/a5-padding", test_a5_padding);
  g_test_add_func ("/coproc/decoder/a5-payload-of-empty-kind", test_a5_payload_of_empty_kind);
  g_test_add_func ("/coproc/decoder/a6-names", test_a6_names);
  g_test_add_func ("/coproc/decoder/a6-errors", test_a6_errors);
  g_test_add_func ("/coproc/decoder/a7-types", test_a7_types);
  g_test_add_func ("/coproc/decoder/a7-type-limits", test_a7_type_limits);
  g_test_add_func ("/coproc/decoder/type-numbers", test_type_numbers);
  g_test_add_func ("/coproc/decoder/undeclared-type", test_undeclared_type);
  g_test_add_func ("/coproc/decoder/a8-costly", test_a8_costly);
  g_test_add_func ("/coproc/decoder/a8-not-normal", test_a8_not_normal);
  g_test_add_func ("/coproc/decoder/a9-variant-in-variant", test_a9_variant_in_variant);
  return g_test_run ();
}
