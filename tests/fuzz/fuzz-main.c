/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Replays files, and the files of directories, through a fuzz target: a corpus as an ordinary test.
 */
#include <gio/gio.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
replay (gconstpointer data)
{
  const char *path = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *contents = NULL;
  g_autofree guint8 *exact = NULL;
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);
  /* A block of just that size, so that a sanitizer sees a read beyond it. */
  exact = g_memdup2 (contents, size);
  g_assert_cmpint (LLVMFuzzerTestOneInput (exact, size), ==, 0);
}

static guint
add_file (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *test = g_strdup_printf ("/coproc/fuzz/%s", name);

  g_test_add_data_func_full (test, g_strdup (path), replay, g_free);
  return 1;
}

static guint
add_path (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n_added = 0;

  if (dir == NULL)
    return add_file (path);

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      n_added += add_file (file);
    }
  return n_added;
}

int
main (int argc, char **argv)
{
  guint n_added = 0;

  g_test_init (&argc, &argv, NULL);
  for (int i = 1; i < argc; i++)
    n_added += add_path (argv[i]);

  /* An empty corpus would pass without a test. */
  g_assert_cmpuint (n_added, >, 0);
  return g_test_run ();
}
