/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Writes the part of the corpus that is made by hand: fuzz-make-corpus DIRECTORY. Each file has the
 * two bytes that the fuzz target takes for itself in front.
 */
#include <math.h>

#include "frame-builder.h"

static const char *directory;

static void
save (const char *name, GByteArray *stream)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autoptr(GByteArray) input = g_byte_array_new ();
  g_autoptr(GError) error = NULL;
  const guint8 choices[] = { 0, 3 };

  g_byte_array_append (input, choices, sizeof choices);
  g_byte_array_append (input, stream->data, stream->len);
  if (!g_file_set_contents (path, (const char *) input->data, input->len, &error))
    g_error ("%s", error->message);
}

static CoprocFrameHeader
message_header (guint8 kind, guint32 type)
{
  return (CoprocFrameHeader) {
    .kind = kind,
    .type = type,
    .serial = 7,
    .reply_serial = kind == COPROC_FRAME_REPLY || kind == COPROC_FRAME_ERROR_REPLY ? 3 : 0,
    .priority = INFINITY,
  };
}

/* One valid frame of @kind; data is of type number 0. */
static void
add_kind (GByteArray *out, guint8 kind)
{
  CoprocFrameHeader control = { .kind = kind };

  switch (coproc_frame_get_rule (kind)->payload)
    {
    case COPROC_FRAME_PAYLOAD_SETTINGS:
      frame_builder_add_variant (out, control,
                                 g_variant_new_parsed ("{'version': <uint32 1>, 'abi': <1>}"));
      break;

    case COPROC_FRAME_PAYLOAD_ERROR:
      frame_builder_add_variant (out,
                                 kind == COPROC_FRAME_ERROR ? control : message_header (kind, 0),
                                 g_variant_new ("(sis)", "g-io-error-quark", 1, "no such file"));
      break;

    case COPROC_FRAME_PAYLOAD_NAME:
      control.channel = 1;
      frame_builder_add_text (out, control, "results");
      break;

    case COPROC_FRAME_PAYLOAD_TYPE:
      control.type = 1;
      frame_builder_add_text (out, control, "a{sv}");
      break;

    case COPROC_FRAME_PAYLOAD_DATA:
      frame_builder_add_text (out, message_header (kind, 0), "0123456789");
      break;

    case COPROC_FRAME_PAYLOAD_EMPTY:
    case COPROC_FRAME_PAYLOAD_UNKNOWN:
    default:
      control.reply_serial = kind == COPROC_FRAME_CANCEL || kind == COPROC_FRAME_ACCEPTED ? 3 : 0;
      frame_builder_add (out, control, NULL, 0);
      break;
    }
}

static void
save_kinds (void)
{
  g_autoptr(GByteArray) all = g_byte_array_new ();

  for (guint8 kind = COPROC_FRAME_HELLO; kind <= COPROC_FRAME_LAST; kind++)
    {
      g_autoptr(GByteArray) one = g_byte_array_new ();
      g_autofree char *name = g_strdup_printf ("kind-%02u", kind);

      add_kind (one, kind);
      add_kind (all, kind);
      save (name, one);
    }
  save ("all-kinds", all);
  g_byte_array_set_size (all, all->len - 5);
  save ("all-kinds-cut", all);
}

/* A TYPE frame and a message of that type. */
static void
save_typed (const char *name, const char *type, gconstpointer data, gsize size)
{
  const CoprocFrameHeader declaration = { .kind = COPROC_FRAME_TYPE, .type = 1 };
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  frame_builder_add_text (stream, declaration, type);
  frame_builder_add (stream, message_header (COPROC_FRAME_REQUEST, 1), data, size);
  save (name, stream);
}

static void
save_values (void)
{
  static const char *const texts[] = {
    "{'a': <1>, 'b': <'x'>, 'c': <[1.5, 2.5]>}", "('one', 2, [byte 0x03, 0x04])", "@ms 'maybe'",
    "[@mas nothing, just ['x', 'yz']]", "<<<(true, 'deep')>>>",
    "@(ggoo) ('s', 'a{sv}', '/', '/a/b')",
    "{uint64 1: handle 4}", "@a() [(), (), ()]", "@(ynqiuxtd) (1, 2, 3, 4, 5, 6, 7, 8.5)",
    "@aas [['a'], [], ['b', 'c']]", "@a(aayas) [([b'x'], ['y'])]",
    "@a{s(bav)} {'k': (true, [<1>, <'z'>])}",
  };
  const guint8 zeros[64] = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, &error);
      g_autofree char *name = g_strdup_printf ("value-%02u", i);
      g_autofree char *zero_name = g_strdup_printf ("zeros-%02u", i);

      if (value == NULL)
        g_error ("%s", error->message);
      save_typed (name, g_variant_get_type_string (value), g_variant_get_data (value),
                  g_variant_get_size (value));
      save_typed (zero_name, g_variant_get_type_string (value), zeros, sizeof zeros);
    }
}

static void
save_depths (void)
{
  for (guint depth = COPROC_MAX_VARIANT_DEPTH - 1; depth <= COPROC_MAX_VARIANT_DEPTH + 1; depth++)
    {
      g_autofree char *name = g_strdup_printf ("variants-%u", depth);
      g_autofree char *type_name = g_strdup_printf ("arrays-%u", depth);
      g_autofree char *type = g_strnfill (depth + 1, 'a');
      g_autoptr(GVariant) value = g_variant_ref_sink (g_variant_new_byte (1));

      for (guint i = 0; i < depth; i++)
        {
          GVariant *inner = value;

          value = g_variant_ref_sink (g_variant_new_variant (inner));
          g_variant_unref (inner);
        }
      save_typed (name, "v", g_variant_get_data (value), g_variant_get_size (value));
      type[depth] = 'i';
      save_typed (type_name, type, NULL, 0);
    }
}

static void
save_bad (void)
{
  const struct
  {
    const char *name;
    CoprocFrameHeader header;
    const char *payload;
  } rows[] = {
    { "bad-length-small", { .length = 39, .kind = COPROC_FRAME_GOODBYE }, "" },
    { "bad-length-huge", { .length = G_MAXUINT32, .kind = COPROC_FRAME_HELLO }, "" },
    { "bad-version", { .version = 2, .kind = COPROC_FRAME_GOODBYE }, "" },
    { "bad-flags", { .flags = 2, .kind = COPROC_FRAME_GOODBYE }, "" },
    { "bad-kind", { .kind = 99 }, "" },
    { "optional-kind", { .kind = 99, .flags = COPROC_FRAME_FLAG_OPTIONAL }, "skipped" },
    { "bad-priority", { .kind = COPROC_FRAME_NOREQUEST, .serial = 1, .priority = NAN }, "x" },
    { "bad-serial", { .kind = COPROC_FRAME_REQUEST }, "x" },
    { "bad-type-number", { .kind = COPROC_FRAME_REQUEST, .serial = 1, .type = 9 }, "x" },
    { "bad-channel-name", { .kind = COPROC_FRAME_CHANNEL, .channel = 1 }, "\xff\xfe" },
    { "bad-type-string", { .kind = COPROC_FRAME_TYPE, .type = 1 }, "a{vs}" },
    { "bad-type-indefinite", { .kind = COPROC_FRAME_TYPE, .type = 1 }, "a*" },
    { "bad-error", { .kind = COPROC_FRAME_ERROR }, "abc" },
    { "bad-empty", { .kind = COPROC_FRAME_GOODBYE }, "more" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GByteArray) stream = g_byte_array_new ();

      add_kind (stream, COPROC_FRAME_HELLO);
      frame_builder_add_text (stream, rows[i].header, rows[i].payload);
      save (rows[i].name, stream);
    }
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    {
      g_printerr ("Usage: %s DIRECTORY\n", argv[0]);
      return 2;
    }

  directory = argv[1];
  save_kinds ();
  save_values ();
  save_depths ();
  save_bad ();
  return 0;
}
