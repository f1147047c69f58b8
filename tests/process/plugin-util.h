/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the tests of plugins share: files to make plugins of, and what is said about them.
 */
#pragma once

#include "coproc-fault.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

/* Removes @path with all that is in it. */
static inline void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir
      = g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
  g_assert_no_errno (g_remove (path));
}

static inline void
copy_file (const char *from, const char *to, gssize length)
{
  g_autofree char *contents = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (from, &contents, &size, NULL));
  g_assert_true (g_file_set_contents (to, contents, length < 0 ? (gssize) size : length, NULL));
  g_assert_no_errno (g_chmod (to, 0755));
}

/* The file of a shipped plugin. */
static inline char *
get_echo_path (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect ("echo", &error);

  g_assert_no_error (error);
  return g_strdup (coproc_plugin_get_path (plugin));
}

static inline void
assert_refused (const char *plugin, CoprocError code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) inspected = coproc_plugin_inspect (plugin, &error);

  g_assert_null (inspected);
  g_assert_error (error, COPROC_ERROR, (int) code);
  if (strstr (error->message, text) == NULL)
    g_error ("'%s' does not say '%s'", error->message, text);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  /* typographic quotes come out as `?` where a program has not called setlocale() */
  g_assert_null (strstr (error->message, "\xe2\x80"));
}

static inline void
assert_accepted (const char *plugin, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) inspected = coproc_plugin_inspect (plugin, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (coproc_plugin_get_name (inspected), ==, name);
}
