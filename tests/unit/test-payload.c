/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-payload.h"

#include "coproc-error.h"

static void
test_basic (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new ("(sub)", "name", 3, TRUE));
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  guint32 number = 0;
  gboolean flag = FALSE;

  g_assert_true (coproc_payload_get (payload, &error, "(sub)", &name, &number, &flag));
  g_assert_no_error (error);
  g_assert_cmpstr (name, ==, "name");
  g_assert_cmpuint (number, ==, 3);
  g_assert_true (flag);

  /* nobody asks for the values, or for the error */
  g_assert_true (coproc_payload_get (payload, NULL, "(sub)", NULL, NULL, NULL));
  g_assert_true (coproc_payload_get (payload, NULL, "(s*b)", NULL, NULL, NULL));
}

static void
test_pointers (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (
    g_variant_new_parsed ("('key', {'a': <1>, 'b': <'two'>}, 5)"));
  g_autoptr(GVariant) words = g_variant_ref_sink (g_variant_new_strv ((const char *[]) { "x", "yz" }, 2));
  g_autoptr(GVariant) options = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree const char **list = NULL;
  g_auto(GStrv) copies = NULL;
  const char *key;
  gint32 number;

  g_assert_true (coproc_payload_get (payload, &error, "(&s@a{sv}i)", &key, &options, &number));
  g_assert_no_error (error);
  g_assert_cmpstr (key, ==, "key");
  g_assert_cmpuint (g_variant_n_children (options), ==, 2);
  g_assert_cmpint (number, ==, 5);

  g_assert_true (coproc_payload_get (words, &error, "^a&s", &list));
  g_assert_cmpstr (list[1], ==, "yz");
  g_assert_true (coproc_payload_get (words, &error, "^as", &copies));
  g_assert_cmpstr (copies[0], ==, "x");
  g_assert_no_error (error);
}

static void
test_maybe (void)
{
  g_autoptr(GVariant) just = g_variant_ref_sink (g_variant_new_parsed ("@mu 9"));
  g_autoptr(GVariant) nothing = g_variant_ref_sink (g_variant_new_parsed ("@mu nothing"));
  g_autoptr(GVariant) plain = g_variant_ref_sink (g_variant_new_uint32 (9));
  g_autoptr(GVariant) value = NULL;
  GVariant *none = plain;
  g_autoptr(GError) error = NULL;

  g_assert_true (coproc_payload_get (just, &error, "m*", &value));
  g_assert_cmpuint (g_variant_get_uint32 (value), ==, 9);
  g_assert_true (coproc_payload_get (nothing, &error, "m*", &none));
  g_assert_null (none);
  g_assert_no_error (error);
  g_assert_false (coproc_payload_get (plain, &error, "m*", &none));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
}

static void
test_mismatch (void)
{
  const struct
  {
    const char *payload;
    const char *format;
    const char *type;
    const char *expected;
  } rows[] = {
    { "'text'", "u", "'s'", "'u'" },
    { "(1, 2)", "(i)", "'(ii)'", "'(i)'" },
    { "('a', @a{ss} {})", "(&s@a{sv})", "'(sa{ss})'", "'(sa{sv})'" },
    { "['a']", "^aay", "'as'", "'aay'" },
    { "@ai []", "^a&s", "'ai'", "'as'" },
    { "()", "m*", "'()'", "'m*'" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_parsed (rows[i].payload));
      g_autoptr(GError) error = NULL;
      gpointer untouched[2] = { &error, &error };

      g_assert_false (coproc_payload_get (payload, &error, rows[i].format, &untouched[0],
                                          &untouched[1]));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD);
      g_assert_nonnull (strstr (error->message, rows[i].type));
      g_assert_nonnull (strstr (error->message, rows[i].expected));
      g_assert_true (untouched[0] == &error);
      g_assert_true (untouched[1] == &error);
      g_assert_false (coproc_payload_get (payload, NULL, rows[i].format, NULL, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/payload/basic", test_basic);
  g_test_add_func ("/coproc/payload/pointers", test_pointers);
  g_test_add_func ("/coproc/payload/maybe", test_maybe);
  g_test_add_func ("/coproc/payload/mismatch", test_mismatch);

  return g_test_run ();
}
