/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What plugins say, under which names they are found, and what is said about those that are broken.
 */
#include "plugin-util.h"

#include <unistd.h>

/* --- what a plugin says --- */

static void
test_inspect (void)
{
  g_autofree char *path = coproc_fault_path ("plugins/lifecycle.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect (path, &error);
  g_autofree char *by_property = NULL;
  const char *const *entry_points;

  g_assert_no_error (error);
  g_assert_cmpstr (coproc_plugin_get_path (plugin), ==, path);
  g_assert_cmpstr (coproc_plugin_get_name (plugin), ==, "lifecycle");
  g_assert_cmpstr (coproc_plugin_get_version (plugin), ==, "1.2");
  g_assert_cmpstr (coproc_plugin_get_description (plugin), ==, "Workers that end in many ways");
  entry_points = coproc_plugin_get_entry_points (plugin);
  g_assert_cmpstr (entry_points[0], ==, "clean");
  g_assert_true (g_strv_contains (entry_points, "answer"));
  g_assert_cmpstr (coproc_plugin_get_entry_point_description (plugin, "answer"), ==,
                   "answers, or fails");
  g_assert_null (coproc_plugin_get_entry_point_description (plugin, "no such"));
  g_object_get (plugin, "version", &by_property, NULL);
  g_assert_cmpstr (by_property, ==, "1.2");
}

static void
test_list (void)
{
  static const char *const bad[] = { "ctor-segv", "wrong-abi", "no-symbol" };
  g_autofree char *dir = g_dir_make_tmp ("coproc-plugins-XXXXXX", NULL);
  g_autofree char *old_path = g_strdup (g_getenv ("COPROC_PLUGIN_PATH"));
  g_autofree char *both = g_strdup_printf ("%s:%s", dir, old_path);
  g_autofree char *good = coproc_fault_path ("plugins/lifecycle.so");
  g_autofree char *good_copy = g_build_filename (dir, "libecho.so", NULL);
  g_autoptr (GListModel) list = NULL;
  g_autoptr (GError) error = NULL;
  guint n_echo = 0, n_text = 0;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *file = g_strdup_printf ("plugins/%s.so", bad[i]);
      g_autofree char *from = coproc_fault_path (file);
      g_autofree char *base = g_path_get_basename (file);
      g_autofree char *to = g_build_filename (dir, base, NULL);

      copy_file (from, to, -1);
    }
  copy_file (good, good_copy, -1);

  g_setenv ("COPROC_PLUGIN_PATH", both, TRUE);
  list = coproc_plugin_list (&error);
  g_setenv ("COPROC_PLUGIN_PATH", old_path, TRUE);

  g_assert_no_error (error);
  g_assert_true (g_list_model_get_item_type (list) == COPROC_TYPE_PLUGIN);
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (CoprocPlugin) plugin = g_list_model_get_item (list, i);

      g_assert_cmpstr (coproc_plugin_get_name (plugin), !=, "broken");
      /* libecho.so, which comes first, hides echo.so */
      n_echo += g_str_equal (coproc_plugin_get_name (plugin), "echo");
      n_text += g_str_equal (coproc_plugin_get_name (plugin), "text");
    }
  g_assert_cmpuint (n_echo, ==, 0);
  g_assert_cmpuint (n_text, ==, 1);
  remove_tree (dir);
}

/* --- C1: names --- */

static void
test_names (void)
{
  g_autofree char *missing = coproc_fault_path ("plugins/missing.so");
  g_autofree char *no_suffix = coproc_fault_path ("plugins/lifecycle");
  g_autofree char *archive = coproc_fault_path ("plugins/lifecycle.la");
  g_autofree char *folder = coproc_fault_path ("plugins");

  g_test_summary ("C1: a name has no slash, a path is absolute and ends in .so");

  assert_refused ("no-such-plugin", COPROC_ERROR_PLUGIN_NOT_FOUND, "no-such-plugin");
  assert_refused (missing, COPROC_ERROR_PLUGIN_NOT_FOUND, missing);
  assert_refused ("", COPROC_ERROR_PLUGIN_REFUSED, "neither");
  assert_refused ("./lifecycle.so", COPROC_ERROR_PLUGIN_REFUSED, "neither");
  assert_refused ("../lifecycle", COPROC_ERROR_PLUGIN_REFUSED, "neither");
  assert_refused ("plugins/lifecycle.so", COPROC_ERROR_PLUGIN_REFUSED, "neither");
  assert_refused ("..", COPROC_ERROR_PLUGIN_REFUSED, "neither");
  assert_refused (no_suffix, COPROC_ERROR_PLUGIN_REFUSED, ".so");
  assert_refused (archive, COPROC_ERROR_PLUGIN_REFUSED, ".so");
  assert_refused (folder, COPROC_ERROR_PLUGIN_REFUSED, ".so");
  assert_refused ("--inspect", COPROC_ERROR_PLUGIN_NOT_FOUND, "--inspect");
}

static void
test_search_path (void)
{
  g_autofree char *lifecycle = coproc_fault_path ("plugins/lifecycle.so");
  g_autofree char *folder = coproc_fault_path ("plugins");
  g_autofree char *absolute = g_strdup_printf ("relative::.:%s", folder);
  g_autofree char *old_path = g_strdup (g_getenv ("COPROC_PLUGIN_PATH"));
  g_autofree char *old_dir = g_get_current_dir ();

  g_test_summary (
      "C1: neither the current directory nor relative or empty components are searched");

  g_assert_no_errno (g_chdir (folder));
  g_setenv ("COPROC_PLUGIN_PATH", ".:", TRUE);
  assert_refused ("lifecycle", COPROC_ERROR_PLUGIN_NOT_FOUND, "lifecycle");
  g_setenv ("COPROC_PLUGIN_PATH", "plugins::../plugins", TRUE);
  g_assert_no_errno (g_chdir (".."));
  assert_refused ("lifecycle", COPROC_ERROR_PLUGIN_NOT_FOUND, "lifecycle");
  g_unsetenv ("COPROC_PLUGIN_PATH");
  assert_refused ("lifecycle", COPROC_ERROR_PLUGIN_NOT_FOUND, "lifecycle");
  g_setenv ("COPROC_PLUGIN_PATH", absolute, TRUE);
  assert_accepted ("lifecycle", "lifecycle");
  assert_accepted (lifecycle, "lifecycle");

  g_setenv ("COPROC_PLUGIN_PATH", old_path, TRUE);
  g_assert_no_errno (g_chdir (old_dir));
}

/* --- B17, C8: plugins that are broken --- */

typedef struct
{
  const char *name;
  CoprocError code;
  const char *text;
} Broken;

static const Broken broken_plugins[] = {
  { "no-symbol", COPROC_ERROR_PLUGIN_SYMBOL, "coproc_plugin_entry" },
  { "wrong-magic", COPROC_ERROR_PLUGIN_ABI, "another kind" },
  { "wrong-abi", COPROC_ERROR_PLUGIN_ABI, "plugin interface 2" },
  { "wrong-size", COPROC_ERROR_PLUGIN_ABI, "sizes" },
  { "no-name", COPROC_ERROR_PLUGIN_REFUSED, "invalid texts" },
  { "no-function", COPROC_ERROR_PLUGIN_REFUSED, "invalid entry point" },
  { "same-names", COPROC_ERROR_PLUGIN_REFUSED, "of one name" },
  { "undefined-symbol", COPROC_ERROR_PLUGIN_REFUSED, "nowhere_to_be_found" },
  { "ctor-segv", COPROC_ERROR_PLUGIN_REFUSED, "signal SEGV" },
  { "ctor-abort", COPROC_ERROR_PLUGIN_REFUSED, "signal ABRT" },
  { "ctor-exit", COPROC_ERROR_PLUGIN_REFUSED, "exit code 0" },
  { "ctor-hang", COPROC_ERROR_HANDSHAKE_TIMEOUT, "" },
};

static char *
get_broken_path (const Broken *broken)
{
  g_autofree char *file = g_strdup_printf ("plugins/%s.so", broken->name);

  return coproc_fault_path (file);
}

static void
test_broken_start (gconstpointer data)
{
  const Broken *broken = data;
  g_autofree char *path = get_broken_path (broken);
  CoprocWorkerResource *worker = coproc_worker_resource_new (path, "broken");
  g_autoptr (GError) error = NULL;
  CoprocWorkerState state;

  g_test_summary ("B17: a distinct error each, from start(); never success");

  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  if (broken->code == COPROC_ERROR_HANDSHAKE_TIMEOUT)
    g_object_set (worker, "start-timeout", G_GINT64_CONSTANT (300000), NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, (int) broken->code);
  g_assert_nonnull (strstr (error->message, broken->text));
  if (g_str_equal (broken->name, "ctor-segv"))
    {
      g_assert_nonnull (strstr (error->message, "while loading"));
      g_assert_nonnull (strstr (error->message, "the constructor is about to crash"));
    }
  g_object_get (worker, "state", &state, NULL);
  g_assert_cmpint (state, ==, COPROC_WORKER_STATE_FAILED);
  g_assert_false (coproc_worker_resource_is_alive (worker));
  g_assert_null (coproc_worker_resource_get_messenger (worker));
  coproc_test_finalize (worker);
}

static void
test_broken_inspect (gconstpointer data)
{
  const Broken *broken = data;
  g_autofree char *path = get_broken_path (broken);

  assert_refused (path, broken->code, broken->text);
}

static void
test_entry_point (void)
{
  CoprocWorkerResource *worker = coproc_worker_resource_new ("echo", "no such entry point");
  g_autoptr (GError) error = NULL;

  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_SYMBOL);
  g_assert_nonnull (strstr (error->message, "no such entry point"));
  coproc_test_finalize (worker);
}

/* --- C7: the helper --- */

static void
test_helper (void)
{
  g_autofree char *old = g_strdup (g_getenv ("COPROC_WORKER_HOST"));
  g_autofree char *dir = g_dir_make_tmp ("coproc-helper-XXXXXX", NULL);
  g_autofree char *not_executable = g_build_filename (dir, "coproc-worker", NULL);
  g_autofree char *old_dir = g_get_current_dir ();

  g_test_summary ("C7: the helper is absolute; a relative one is as good as none");
  if (coproc_test_is_valgrind ())
    {
      g_test_skip ("Under valgrind it is not told that a program cannot be run");
      g_assert_no_errno (g_rmdir (dir));
      return;
    }

  g_assert_true (g_file_set_contents (not_executable, "nothing", -1, NULL));
  g_setenv ("COPROC_WORKER_HOST", not_executable, TRUE);
  assert_refused ("echo", COPROC_ERROR_SPAWN, not_executable);
  g_setenv ("COPROC_WORKER_HOST", "/nowhere/coproc-worker", TRUE);
  assert_refused ("echo", COPROC_ERROR_SPAWN, "/nowhere/coproc-worker");

  /* Were it taken up, it would be found here, and end with success. */
  g_assert_no_errno (g_remove (not_executable));
  g_assert_no_errno (symlink ("/bin/true", not_executable));
  g_assert_no_errno (g_chdir (dir));
  g_setenv ("COPROC_WORKER_HOST", "./coproc-worker", TRUE);
  {
    g_autoptr (GError) error = NULL;
    g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect ("echo", &error);

    /* The installed helper, where there is one. */
    if (plugin == NULL)
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  }
  g_assert_no_errno (g_chdir (old_dir));
  g_setenv ("COPROC_WORKER_HOST", old, TRUE);
  remove_tree (dir);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/plugin/inspect", test_inspect);
  coproc_test_add ("/coproc/plugin/list", test_list);
  coproc_test_add ("/coproc/plugin/names", test_names);
  coproc_test_add ("/coproc/plugin/search-path", test_search_path);
  for (guint i = 0; i < G_N_ELEMENTS (broken_plugins); i++)
    {
      g_autofree char *start = g_strdup_printf ("/coproc/plugin/start/%s", broken_plugins[i].name);
      g_autofree char *inspect
          = g_strdup_printf ("/coproc/plugin/inspect/%s", broken_plugins[i].name);

      coproc_test_add_data (start, &broken_plugins[i], test_broken_start);
      coproc_test_add_data (inspect, &broken_plugins[i], test_broken_inspect);
    }
  coproc_test_add ("/coproc/plugin/entry-point", test_entry_point);
  coproc_test_add ("/coproc/plugin/helper", test_helper);

  return g_test_run ();
}
