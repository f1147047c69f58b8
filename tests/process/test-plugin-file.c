/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Which files are loaded as plugins: whose they are, and what is in them.
 */
#include "plugin-util.h"

#include <sys/stat.h>
#include <unistd.h>

/* --- C2, C3: whose it is --- */

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
  for (guint i = 0; i < coproc_test_scale_long (200, 5000); i++)
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

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/plugin/trust", test_trust);
  coproc_test_add ("/coproc/plugin/swap", test_swap);
  coproc_test_add ("/coproc/plugin/truncated", test_truncated);
  coproc_test_add ("/coproc/plugin/other-bytes", test_other_bytes);

  return g_test_run ();
}
