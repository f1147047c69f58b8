/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The entry point `tail` of the plugin `text`: files that grow, shrink and are replaced under it.
 */
#include "plugins-util.h"

#include <string.h>

static void
append_file (Fixture    *f,
             const char *data)
{
  FILE *file = g_fopen (f->path, "a");

  g_assert_nonnull (file);
  g_assert_cmpint (fputs (data, file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

static void
assert_received (Fixture    *f,
                 const char *channel,
                 const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CoprocMessage) message =
    coproc_messenger_receive_message (f->messenger, channel, PATIENCE, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (coproc_message_get_payload (message), NULL), ==, expected);
}

/* Waits until the worker has looked at the file once more since this was called. */
static guint64
tail_offset (Fixture *f)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) reply = call (f, g_variant_ref_sink (g_variant_new_string ("")), &error);
  guint64 offset = 0;

  g_assert_no_error (error);
  g_assert_true (g_variant_lookup (reply, "offset", "t", &offset));
  return offset;
}

static void
test_tail (Fixture       *f,
           gconstpointer  data)
{
  g_autoptr(GError) error = NULL;

  g_test_summary ("Only what is appended, only when the line is whole, and the rest at the close");
  write_file (f, "before\nhalf ", -1);
  start (f, "text", "tail", parse (f, "{'path': <b'%s'>}"));
  g_assert_cmpuint (tail_offset (f), ==, 12);

  append_file (f, "line\nsecond\nthi");
  assert_received (f, "lines", "line");
  assert_received (f, "lines", "second");
  g_assert_cmpuint (tail_offset (f), ==, 27);
  g_assert_cmpint (coproc_messenger_available (f->messenger, "lines", &error), ==, 0);
  append_file (f, "rd\n\xff\nlast");
  assert_received (f, "lines", "third");
  assert_received (f, "lines", "\xef\xbf\xbd");

  append_file (f, ", really");
  coproc_worker_resource_join (f->worker, PATIENCE, NULL, &error);
  g_assert_no_error (error);
  assert_received (f, "lines", "last, really");
  g_assert_cmpint (coproc_worker_resource_get_exit_status (f->worker), ==, 0);
}

static void
test_tail_truncated (Fixture       *f,
                     gconstpointer  data)
{
  write_file (f, "", -1);
  start (f, "text", "tail", parse (f, "{'path': <'%s'>, 'from-start': <true>}"));
  append_file (f, "one\ntwo");
  assert_received (f, "lines", "one");

  g_assert_cmpint (truncate (f->path, 0), ==, 0);
  assert_received (f, "warnings", "truncated");
  append_file (f, "3\n");
  assert_received (f, "lines", "two");
  assert_received (f, "lines", "3");
}

static void
test_tail_rotated (Fixture       *f,
                   gconstpointer  data)
{
  g_autofree char *old = g_strconcat (f->path, ".1", NULL);

  g_test_summary ("The old file is read to its end, the new one from its start");
  write_file (f, "one\n", -1);
  start (f, "text", "tail", parse (f, "{'path': <'%s'>, 'from-start': <true>}"));
  assert_received (f, "lines", "one");

  append_file (f, "two\nthree");
  g_assert_cmpint (g_rename (f->path, old), ==, 0);
  append_file (f, "four\n");
  assert_received (f, "warnings", "vanished");
  assert_received (f, "warnings", "reappeared");
  assert_received (f, "lines", "two");
  assert_received (f, "lines", "three");
  assert_received (f, "lines", "four");
  g_assert_cmpint (g_unlink (old), ==, 0);
}

static void
test_tail_vanished (Fixture       *f,
                    gconstpointer  data)
{
  g_autofree char *old = g_strconcat (f->path, ".1", NULL);

  g_test_summary ("A file without a name is still read; under its name again it is not read anew");
  write_file (f, "one\n", -1);
  start (f, "text", "tail", parse (f, "{'path': <'%s'>}"));
  tail_offset (f);

  g_assert_cmpint (g_rename (f->path, old), ==, 0);
  assert_received (f, "warnings", "vanished");
  g_assert_cmpint (g_rename (old, f->path), ==, 0);
  assert_received (f, "warnings", "reappeared");
  append_file (f, "two\n");
  assert_received (f, "lines", "two");

  g_assert_cmpint (g_unlink (f->path), ==, 0);
  assert_received (f, "warnings", "vanished");
  write_file (f, "three\n", -1);
  assert_received (f, "warnings", "reappeared");
  assert_received (f, "lines", "three");
}

static void
test_tail_much (Fixture       *f,
                gconstpointer  data)
{
  g_autoptr(GString) bytes = g_string_new (NULL);

  g_test_summary ("Many lines, one of them longer than what is held of one");
  for (guint i = 0; i < 20000; i++)
    g_string_append_printf (bytes, "%u\n", i);
  for (guint i = 0; i < 65536 + 3; i++)
    g_string_append_c (bytes, 'x');
  write_file (f, bytes->str, bytes->len);
  start (f, "text", "tail", parse (f, "{'path': <'%s'>, 'from-start': <true>}"));
  append_file (f, "y\n");

  for (guint i = 0; i < 20000; i++)
    {
      g_autofree char *number = g_strdup_printf ("%u", i);

      assert_received (f, "lines", number);
    }
  bytes->str[bytes->len - 3] = '\0';
  assert_received (f, "lines", bytes->str + bytes->len - 3 - 65536);
  assert_received (f, "lines", "xxxy");
}

static void
test_tail_bad_arguments (Fixture       *f,
                         gconstpointer  data)
{
  const BadRequest rows[] = {
    { "tail", NULL, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "path" },
    { "tail", "@a{sv} {}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "path" },
    { "tail", "{'path': <@as []>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD, "path" },
    { "tail", "{'path': <'/etc/passwd'>, 'from-start': <1>}", COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD,
      "from-start" },
    { "tail", "{'path': <'/nonesuch'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
    { "tail", "{'path': <b'/nonesuch\\377'>}", G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/nonesuch" },
    { "tail", "{'path': <'/'>}", G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "regular" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(CoprocMessage) message = NULL;

      g_clear_object (&f->worker);
      start (f, "text", "tail", rows[i].payload != NULL ? parse (f, rows[i].payload) : NULL);
      message = coproc_messenger_receive_message (f->messenger, "lines", PATIENCE, NULL, &error);
      g_assert_null (message);
      g_assert_error (error, rows[i].domain, rows[i].code);
      g_assert_nonnull (strstr (error->message, rows[i].says));
      coproc_worker_resource_join (f->worker, PATIENCE, NULL, NULL);
      g_assert_cmpint (coproc_worker_resource_get_exit_status (f->worker), ==, 1);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("text/tail", test_tail);
  ADD ("text/tail-truncated", test_tail_truncated);
  ADD ("text/tail-rotated", test_tail_rotated);
  ADD ("text/tail-vanished", test_tail_vanished);
  ADD ("text/tail-much", test_tail_much);
  ADD ("text/tail-bad-arguments", test_tail_bad_arguments);
  return g_test_run ();
}
