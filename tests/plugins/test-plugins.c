/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The shipped plugins, as a host uses them: `echo`, `hash`, and of `text` what answers requests.
 */
#include "plugins-util.h"

#include <string.h>

static void
assert_variant (GVariant   *value,
                const char *expected)
{
  g_autofree char *printed = g_variant_print (value, FALSE);

  g_assert_cmpstr (printed, ==, expected);
}

/* --- hash --- */

/* What the worker says of the bytes of "abc". */
static GVariant *
call_checksum (Fixture     *f,
               const char  *type,
               GError     **error)
{
  GVariant *bytes = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, "abc", 3, 1));

  start (f, "hash", "checksum", type != NULL ? g_variant_ref_sink (g_variant_new_parsed ("{'type': <%s>}", type)) : NULL);
  return call (f, bytes, error);
}

static void
end_worker (Fixture *f)
{
  g_autoptr(GError) error = NULL;

  coproc_worker_resource_stop (f->worker, PATIENCE, &error);
  g_assert_no_error (error);
  g_clear_object (&f->worker);
}

static void
test_checksum (Fixture       *f,
               gconstpointer  data)
{
  static const char *const sums[][2] = {
    { NULL, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "md5", "900150983cd24fb0d6963f7d28e17f72" },
    { "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                "8086072ba1e7cc2358baeca134c825a7" },
    { "sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
  };
  g_autoptr(GError) error = NULL;

  g_test_summary ("The checksums of FIPS 180-4 and RFC 1321 for \"abc\"");
  for (guint i = 0; i < G_N_ELEMENTS (sums); i++)
    {
      g_autoptr(GVariant) sum = call_checksum (f, sums[i][0], &error);

      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (sum, NULL), ==, sums[i][1]);
      end_worker (f);
    }

  g_assert_null (call_checksum (f, "crc", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  end_worker (f);

  start (f, "hash", "checksum", NULL);
  g_assert_null (call (f, g_variant_ref_sink (g_variant_new_string ("abc")), &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
}

/* --- echo --- */

static void
test_echo (Fixture       *f,
           gconstpointer  data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CoprocMessage) sent = coproc_message_new_full (g_variant_new_string ("x"), "a", 3.5);
  g_autoptr(CoprocMessage) back = NULL;
  g_autoptr(GVariant) reply = NULL;

  g_test_summary ("Requests are answered, other messages sent back, on their channel");
  start (f, "echo", "echo", NULL);

  reply = coproc_messenger_call (f->messenger, g_variant_new_uint32 (7), "b", PATIENCE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint32 (reply), ==, 7);

  coproc_messenger_send_message (f->messenger, sent, COPROC_MESSAGE_KIND_NOREQUEST, NULL, &error);
  g_assert_no_error (error);
  back = coproc_messenger_receive_message (f->messenger, "a", PATIENCE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (coproc_message_get_kind (back), ==, COPROC_MESSAGE_KIND_NOREQUEST);
  g_assert_cmpfloat (coproc_message_get_priority (back), ==, 3.5);
  g_assert_cmpstr (g_variant_get_string (coproc_message_get_payload (back), NULL), ==, "x");
}

static void
test_sink (Fixture       *f,
           gconstpointer  data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) counts = NULL;

  g_test_summary ("All that was sent before the question is counted, whatever its channel");
  start (f, "echo", "sink", NULL);

  for (guint i = 0; i < 2000; i++)
    {
      coproc_messenger_send_norequest (f->messenger, g_variant_new_uint32 (i), i % 2 ? "a" : NULL, &error);
      g_assert_no_error (error);
    }
  coproc_messenger_send_request (f->messenger, g_variant_new_uint64 (0), "count-not", &error);
  g_assert_no_error (error);

  counts = coproc_messenger_call (f->messenger, g_variant_new_string (""), "count", PATIENCE, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_is_of_type (counts, G_VARIANT_TYPE_VARDICT));
  {
    guint64 messages = 0, requests = 0, bytes = 0;

    g_variant_lookup (counts, "messages", "t", &messages);
    g_variant_lookup (counts, "requests", "t", &requests);
    g_variant_lookup (counts, "bytes", "t", &bytes);
    g_assert_cmpuint (messages, ==, 2001);
    g_assert_cmpuint (requests, ==, 1);
    g_assert_cmpuint (bytes, ==, 8008);
  }
}

static void
test_identity (Fixture       *f,
               gconstpointer  data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = NULL;

  start (f, "echo", "identity", NULL);
  reply = call (f, parse (f, "(1, 'two', [3.0])"), &error);
  g_assert_no_error (error);
  assert_variant (reply, "(1, 'two', [3.0])");
}

/* --- text count, grep --- */

static void
assert_count (Fixture    *f,
              const char *data,
              gssize      length,
              guint64     lines,
              guint64     words)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = NULL;
  guint64 counts[3] = { 0, };

  write_file (f, data, length);
  reply = call (f, parse (f, "{'path': <'%s'>, 'tag': <5>}"), &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (reply, "lines", "t", &counts[0]));
  g_assert_true (g_variant_lookup (reply, "words", "t", &counts[1]));
  g_assert_true (g_variant_lookup (reply, "bytes", "t", &counts[2]));
  g_assert_true (g_variant_lookup (reply, "tag", "i", NULL));
  g_assert_cmpuint (counts[0], ==, lines);
  g_assert_cmpuint (counts[1], ==, words);
  g_assert_cmpuint (counts[2], ==, length);
}

static void
test_count (Fixture       *f,
            gconstpointer  data)
{
  const gsize big = 5 * 1024 * 1024 + 1;
  g_autofree char *many = g_malloc (big);

  g_test_summary ("Like wc; words and lines may lie across the pieces that a file is read in");
  start (f, "text", "count", NULL);
  assert_count (f, "", 0, 0, 0);
  assert_count (f, "a", 1, 0, 1);
  assert_count (f, "\n\n \t\v\f\r\n", 8, 3, 0);
  assert_count (f, " one  two\nthree\n", 16, 2, 3);
  assert_count (f, "a\0b \xff\xfe\n", 7, 1, 2);
  memset (many, 'x', big);
  assert_count (f, many, big, 0, 1);
  for (gsize i = 2; i < big; i += 3)
    many[i] = i % 2 ? ' ' : '\n';
  assert_count (f, many, big, big / 6 + 1, big / 3);
}

static void
test_grep (Fixture       *f,
           gconstpointer  data)
{
  const char bytes[] = "one\ntwo \xff\n\nth\0ree\nno newline";
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = NULL, matches = NULL;

  start (f, "text", "grep", NULL);
  write_file (f, bytes, sizeof bytes - 1);
  reply = call (f, parse (f, "{'path': <'%s'>, 'pattern': <'^t|o n'>}"), &error);
  g_assert_no_error (error);
  matches = g_variant_lookup_value (reply, "matches", G_VARIANT_TYPE ("aa{sv}"));
  assert_variant (matches, "[{'number': <uint64 2>, 'text': <'two \357\277\275'>}, "
                           "{'number': <uint64 4>, 'text': <'th\357\277\275ree'>}, "
                           "{'number': <uint64 5>, 'text': <'no newline'>}]");
}

static void
test_grep_truncates (Fixture       *f,
                     gconstpointer  data)
{
  g_autoptr(GString) bytes = g_string_new (NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = NULL, matches = NULL;
  gboolean truncated = FALSE;

  g_test_summary ("More matches than fit into a message are left out, and that is said");
  for (guint i = 0; i < 50000; i++)
    g_string_append_printf (bytes, "line %u\n", i);
  start (f, "text", "grep", NULL);
  write_file (f, bytes->str, bytes->len);
  reply = call (f, parse (f, "{'path': <'%s'>, 'pattern': <''>}"), &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (reply, "truncated", "b", &truncated));
  g_assert_true (truncated);
  matches = g_variant_lookup_value (reply, "matches", G_VARIANT_TYPE ("aa{sv}"));
  g_assert_cmpuint (g_variant_n_children (matches), >, 1000);
}

static void
test_grep_long_line (Fixture       *f,
                     gconstpointer  data)
{
  g_autoptr(GString) bytes = g_string_new ("short\n");
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = NULL, matches = NULL;
  guint n_characters = 0;

  g_test_summary ("A line longer than what is held of one comes in pieces, characters whole");
  for (guint i = 0; i < 100000; i++)
    g_string_append (bytes, "\xe2\x82\xac");
  g_string_append (bytes, "\nshort\n");
  start (f, "text", "grep", NULL);
  write_file (f, bytes->str, bytes->len);
  reply = call (f, parse (f, "{'path': <'%s'>, 'pattern': <''>}"), &error);
  g_assert_no_error (error);
  matches = g_variant_lookup_value (reply, "matches", G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < g_variant_n_children (matches); i++)
    {
      g_autoptr(GVariant) match = g_variant_get_child_value (matches, i);
      const char *text = NULL;
      guint64 number = 0;

      g_assert_true (g_variant_lookup (match, "number", "t", &number));
      g_assert_true (g_variant_lookup (match, "text", "&s", &text));
      g_assert_cmpuint (number, ==, i == 0 ? 1 : i == g_variant_n_children (matches) - 1 ? 3 : 2);
      g_assert_null (strstr (text, "\xef\xbf\xbd"));
      n_characters += number == 2 ? g_utf8_strlen (text, -1) : 0;
    }
  g_assert_cmpuint (n_characters, ==, 100000);
}

static void
test_bad_requests (Fixture       *f,
                   gconstpointer  data)
{
  const BadRequest rows[] = {
    { "count", "{'path': <'/nonesuch'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
    { "count", "{'path': <b'/nonesuch'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
    { "count", "{'path': <b'/nonesuch\\377'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
    { "count", "{'path': <'/'>}", G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY, "directory" },
    { "count", "@a{sv} {}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "path" },
    { "count", "{'path': <5>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "path" },
    { "count", "'/etc/passwd'", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "a{sv}" },
    { "grep", "{'path': <'%s'>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "pattern" },
    { "grep", "{'path': <'%s'>, 'pattern': <7>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "pattern" },
    { "grep", "{'path': <'%s'>, 'pattern': <'('>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "pattern" },
    { "grep", "{'path': <'/nonesuch'>, 'pattern': <'x'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
  };

  g_test_summary ("Each bad request is answered with an error that says what, and the worker goes on");
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply = NULL;

      if (i == 0 || strcmp (rows[i].entry_point, rows[i - 1].entry_point) != 0)
        {
          g_clear_object (&f->worker);
          start (f, "text", rows[i].entry_point, NULL);
        }
      reply = call (f, parse (f, rows[i].payload), &error);
      g_assert_null (reply);
      g_assert_error (error, rows[i].domain, rows[i].code);
      g_assert_nonnull (strstr (error->message, rows[i].says));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("echo/echo", test_echo);
  ADD ("echo/sink", test_sink);
  ADD ("echo/identity", test_identity);
  ADD ("hash/checksum", test_checksum);
  ADD ("text/count", test_count);
  ADD ("text/grep", test_grep);
  ADD ("text/grep-truncates", test_grep_truncates);
  ADD ("text/grep-long-line", test_grep_long_line);
  ADD ("text/bad-requests", test_bad_requests);
  return g_test_run ();
}
