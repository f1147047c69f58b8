/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Which files are loaded as plugins, and what is said about those that are not.
 */
#include "coproc-fault.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes @path with all that is in it. */
static void
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

static void
copy_file (const char *from, const char *to, gssize length)
{
  g_autofree char *contents = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (from, &contents, &size, NULL));
  g_assert_true (g_file_set_contents (to, contents, length < 0 ? (gssize) size : length, NULL));
  g_assert_no_errno (g_chmod (to, 0755));
}

/* The file of a shipped plugin. */
static char *
get_echo_path (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect ("echo", &error);

  g_assert_no_error (error);
  return g_strdup (coproc_plugin_get_path (plugin));
}

static void
assert_refused (const char *plugin, CoprocError code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) inspected = coproc_plugin_inspect (plugin, &error);

  g_assert_null (inspected);
  g_assert_error (error, COPROC_ERROR, (int) code);
  if (strstr (error->message, text) == NULL)
    g_error ("“%s” does not say “%s”", error->message, text);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
assert_accepted (const char *plugin, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocPlugin) inspected = coproc_plugin_inspect (plugin, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (coproc_plugin_get_name (inspected), ==, name);
}

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

/* --- C1, C2, C3: who may be loaded --- */

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

/* A new directory to which only this user can write, on all of its path; NULL: there is none here.
 * The development setting is off until leave_trusted_dir(). */
static char *
enter_trusted_dir (const char *echo)
{
  const char *const parents[] = { g_get_user_runtime_dir (), g_get_home_dir (), "/var/lib" };

  g_unsetenv ("COPROC_PLUGIN_TRUST");
  for (guint i = 0; i < G_N_ELEMENTS (parents); i++)
    {
      g_autofree char *dir = g_build_filename (parents[i], "coproc-test-XXXXXX", NULL);
      g_autofree char *file = NULL;
      g_autoptr (CoprocPlugin) plugin = NULL;

      if (g_mkdtemp_full (dir, 0700) == NULL)
        continue;
      file = g_build_filename (dir, "echo.so", NULL);
      copy_file (echo, file, -1);
      plugin = coproc_plugin_inspect (file, NULL);
      if (plugin != NULL)
        return g_steal_pointer (&dir);
      remove_tree (dir);
    }
  g_setenv ("COPROC_PLUGIN_TRUST", "any", TRUE);
  g_test_skip ("no directory here is this user's alone");
  return NULL;
}

static void
leave_trusted_dir (const char *dir)
{
  g_setenv ("COPROC_PLUGIN_TRUST", "any", TRUE);
  remove_tree (dir);
}

static void
test_trust (void)
{
  g_autofree char *echo = get_echo_path ();
  g_autofree char *dir = enter_trusted_dir (echo);
  g_autofree char *file = g_build_filename (dir != NULL ? dir : "", "echo.so", NULL);
  g_autofree char *sub = g_build_filename (dir != NULL ? dir : "", "sub", NULL);
  g_autofree char *deep = g_build_filename (sub, "echo.so", NULL);
  g_autofree char *link = g_build_filename (dir != NULL ? dir : "", "link.so", NULL);
  g_autofree char *dir_link = g_build_filename (dir != NULL ? dir : "", "linked", NULL);
  g_autofree char *through_link = g_build_filename (dir_link, "echo.so", NULL);
  g_autofree char *dotted = g_build_filename (sub, "..", "echo.so", NULL);
  g_autofree char *fifo = g_build_filename (dir != NULL ? dir : "", "fifo.so", NULL);
  g_autofree char *in_tmp = g_build_filename ("/tmp", "coproc-test-echo.so", NULL);

  g_test_summary ("C2: every component is owned by root or the user and writable by nobody else");
  if (dir == NULL)
    return;

  g_assert_no_errno (g_mkdir (sub, 0755));
  copy_file (echo, deep, -1);
  assert_accepted (deep, "echo");

  g_assert_no_errno (g_chmod (sub, 0777));
  assert_refused (deep, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");
  g_assert_no_errno (g_chmod (sub, 01777));
  assert_refused (deep, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");
  g_assert_no_errno (g_chmod (sub, 0775));
  assert_refused (deep, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");
  g_assert_no_errno (g_chmod (sub, 0755));
  g_assert_no_errno (g_chmod (deep, 0775));
  assert_refused (deep, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");
  g_assert_no_errno (g_chmod (deep, 0755));
  if (geteuid () == 0)
    {
      g_assert_no_errno (chown (deep, 65534, 65534));
      assert_refused (deep, COPROC_ERROR_PLUGIN_REFUSED, "another user");
      g_assert_no_errno (chown (deep, 0, 0));
    }

  g_assert_no_errno (symlink (file, link));
  assert_refused (link, COPROC_ERROR_PLUGIN_REFUSED, "symbolic link");
  g_assert_no_errno (symlink (sub, dir_link));
  assert_refused (through_link, COPROC_ERROR_PLUGIN_REFUSED, "symbolic link");
  assert_refused (dotted, COPROC_ERROR_PLUGIN_REFUSED, "plain component");
  g_assert_no_errno (mkfifo (fifo, 0600));
  assert_refused (fifo, COPROC_ERROR_PLUGIN_REFUSED, "regular file");

  copy_file (echo, in_tmp, -1);
  assert_refused (in_tmp, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");
  g_setenv ("COPROC_PLUGIN_TRUST", "any", TRUE);
  assert_accepted (in_tmp, "echo");
  assert_accepted (link, "echo");
  g_setenv ("COPROC_PLUGIN_TRUST", "everything", TRUE);
  assert_refused (in_tmp, COPROC_ERROR_PLUGIN_REFUSED, "written to by others");

  g_assert_no_errno (g_remove (in_tmp));
  leave_trusted_dir (dir);
}

typedef struct
{
  const char *path;
  const char *good;
  const char *evil;
  int stop; /* atomic */
} Swapper;

static gpointer
swap_files (gpointer data)
{
  Swapper *self = data;
  g_autofree char *next = g_strconcat (self->path, ".next", NULL);

  while (!g_atomic_int_get (&self->stop))
    {
      copy_file (self->good, next, -1);
      g_assert_no_errno (g_rename (next, self->path));
      copy_file (self->evil, next, -1);
      g_assert_no_errno (g_chmod (next, 0777));
      g_assert_no_errno (g_rename (next, self->path));
    }
  return NULL;
}

static void
test_swap (void)
{
  g_autofree char *echo = get_echo_path ();
  g_autofree char *evil = coproc_fault_path ("plugins/lifecycle.so");
  g_autofree char *dir = enter_trusted_dir (echo);
  g_autofree char *file = g_build_filename (dir != NULL ? dir : "", "echo.so", NULL);
  Swapper swapper = { .path = file, .good = echo, .evil = evil };
  GThread *thread;

  g_test_summary ("C3: what is loaded is what was checked, whatever happens to the path meanwhile");
  if (dir == NULL)
    return;

  thread = g_thread_new ("swapper", swap_files, &swapper);
  for (guint i = 0; i < coproc_test_scale (200); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect (file, &error);

      /* The bad file is accepted by its contents, and refused for its mode: never loaded. */
      if (plugin != NULL)
        g_assert_cmpstr (coproc_plugin_get_name (plugin), ==, "echo");
      else
        g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED);
    }
  g_atomic_int_set (&swapper.stop, TRUE);
  g_thread_join (thread);
  leave_trusted_dir (dir);
}

/* --- C4: the bytes --- */

static void
test_truncated (void)
{
  g_autofree char *echo = get_echo_path ();
  g_autofree char *dir = g_dir_make_tmp ("coproc-plugins-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (dir, "cut.so", NULL);
  GStatBuf st;

  g_test_summary ("C4: a file that is shorter than its headers say is an error, not a SIGBUS");

  g_assert_no_errno (g_stat (echo, &st));
  for (guint i = 0; i < 16; i++)
    {
      gssize length = i < 4 ? (gssize) i * 40 : (gssize) (st.st_size * (i - 3) / 13);

      if (length >= st.st_size)
        length = st.st_size - 1;
      copy_file (echo, file, length);
      assert_refused (file, COPROC_ERROR_PLUGIN_REFUSED, i < 2 ? "not an ELF file" : "");
    }
  copy_file (echo, file, -1);
  assert_accepted (file, "echo");
  remove_tree (dir);
}

static void
test_other_bytes (void)
{
  g_autofree char *echo = get_echo_path ();
  g_autofree char *dir = g_dir_make_tmp ("coproc-plugins-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (dir, "other.so", NULL);
  g_autofree char *folder = g_build_filename (dir, "folder.so", NULL);
  g_autofree char *contents = NULL;
  gsize size;

  g_assert_no_errno (g_mkdir (folder, 0755));
  assert_refused (folder, COPROC_ERROR_PLUGIN_REFUSED, "not a regular file");

  g_assert_true (g_file_set_contents (file, "/* libtool */ dlname='evil.so'\n", -1, NULL));
  assert_refused (file, COPROC_ERROR_PLUGIN_REFUSED, "not an ELF file");

  g_assert_true (g_file_get_contents (echo, &contents, &size, NULL));
  contents[4] ^= 3; /* the other of 32 and 64 bits */
  g_assert_true (g_file_set_contents (file, contents, (gssize) size, NULL));
  assert_refused (file, COPROC_ERROR_PLUGIN_REFUSED, "another kind of machine");
  contents[4] ^= 3;
  contents[18] ^= 0x55; /* the processor */
  g_assert_true (g_file_set_contents (file, contents, (gssize) size, NULL));
  assert_refused (file, COPROC_ERROR_PLUGIN_REFUSED, "another kind of machine");
  contents[18] ^= 0x55;
  contents[16] = 2; /* an executable */
  g_assert_true (g_file_set_contents (file, contents, (gssize) size, NULL));
  assert_refused (file, COPROC_ERROR_PLUGIN_REFUSED, "not a shared object");
  remove_tree (dir);
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
  coproc_test_add ("/coproc/plugin/trust", test_trust);
  coproc_test_add ("/coproc/plugin/swap", test_swap);
  coproc_test_add ("/coproc/plugin/truncated", test_truncated);
  coproc_test_add ("/coproc/plugin/other-bytes", test_other_bytes);
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
