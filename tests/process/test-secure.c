/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A host whose rights were raised when it was started takes nothing from its environment (faults
 * C1, C6, C7): the user who set it may have fewer rights than the host.
 */
#include "coproc-fault.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NOBODY 65534
#define RAISED 1 /* whose rights the program gets: anybody's but the user's, best not root's */
#define EVIL_HELPER "/nonexistent/evil/coproc-worker"

typedef enum
{
  NOT_RAISED,
  SET_USER,
  SET_GROUP,
  CAPABILITY,
} Raise;

static const char *const raise_names[] = { "not-raised", "set-user", "set-group", "capability" };

/* A directory with the program in it, anybody may run it, and a plugin that anybody may write. */
typedef struct
{
  char *dir;
  char *program;
  char *plugin;
} Place;

static void
place_open (Place *self)
{
  g_autofree char *original = coproc_fault_path ("secure-host");
  g_autofree char *contents = NULL;
  gsize size;

  self->dir = g_dir_make_tmp ("coproc-secure-XXXXXX", NULL);
  g_assert_nonnull (self->dir);
  g_assert_no_errno (g_chmod (self->dir, 0755));
  self->program = g_build_filename (self->dir, "secure-host", NULL);
  self->plugin = g_build_filename (self->dir, "evil.so", NULL);
  g_assert_true (g_file_get_contents (original, &contents, &size, NULL));
  g_assert_true (g_file_set_contents (self->program, contents, (gssize) size, NULL));
  g_assert_no_errno (g_chmod (self->program, 0755));
  g_assert_true (g_file_set_contents (self->plugin, "", 0, NULL));
  g_assert_no_errno (g_chmod (self->plugin, 0666));
}

static void
place_close (Place *self)
{
  g_assert_no_errno (g_remove (self->plugin));
  g_assert_no_errno (g_remove (self->program));
  g_assert_no_errno (g_rmdir (self->dir));
  g_clear_pointer (&self->plugin, g_free);
  g_clear_pointer (&self->program, g_free);
  g_clear_pointer (&self->dir, g_free);
}

/* Lets the program raise the rights of whoever runs it. NULL, or why that is not possible here. */
static const char *
raise_program (const char *program, Raise raise)
{
  /* CAP_CHOWN, permitted: to raise anything is enough. */
  const struct vfs_cap_data capability = {
    .magic_etc = GUINT32_TO_LE (VFS_CAP_REVISION_2),
    .data[0].permitted = GUINT32_TO_LE (1u << CAP_CHOWN),
  };
  struct statvfs info;

  if (raise == NOT_RAISED)
    return NULL;
  g_assert_no_errno (statvfs (program, &info));
  if ((info.f_flag & ST_NOSUID) != 0)
    return "The directory for temporary files is mounted nosuid";
  if (prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
    return "This process may not gain rights (no_new_privs)";

  if (raise == SET_USER)
    {
      g_assert_no_errno (chown (program, RAISED, NOBODY));
      g_assert_no_errno (g_chmod (program, 04755));
    }
  else if (raise == SET_GROUP)
    {
      g_assert_no_errno (chown (program, NOBODY, RAISED));
      g_assert_no_errno (g_chmod (program, 02755));
    }
  else if (prctl (PR_CAPBSET_READ, CAP_CHOWN) != 1
           || setxattr (program, "security.capability", &capability, XATTR_CAPS_SZ_2,
                        0) != 0)
    return "Files cannot be given a capability here";

  return NULL;
}

/* Between fork() and exec(). */
static void
become_nobody (gpointer user_data)
{
  if (setgroups (0, NULL) != 0 || setgid (NOBODY) != 0 || setuid (NOBODY) != 0)
    _exit (127);
}

/* What the program prints, run by nobody with an environment full of traps. */
static char *
run_program (const Place *place)
{
  const char *argv[] = { place->program, place->plugin, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  g_autoptr (GError) error = NULL;
  char *output = NULL;
  int status;

  environment = g_environ_setenv (environment, "COPROC_PLUGIN_PATH", place->dir, TRUE);
  environment = g_environ_setenv (environment, "COPROC_PLUGIN_TRUST", "any", TRUE);
  environment = g_environ_setenv (environment, "COPROC_WORKER_HOST", EVIL_HELPER, TRUE);
  environment = g_environ_setenv (environment, "SECURE_HOST_OTHER", "inherited", TRUE);
  g_spawn_sync ("/", (char **) argv, environment, G_SPAWN_DEFAULT, become_nobody, NULL, &output,
                NULL, &status, &error);
  /* also when what follows fails */
  g_assert_no_errno (g_chmod (place->program, 0755));
  g_assert_no_error (error);
  g_test_message ("%s", output);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  return output;
}

static void
assert_line (const char *output, const char *line)
{
  g_autofree char *all = g_strconcat ("\n", output, NULL);
  g_autofree char *whole = g_strconcat ("\n", line, "\n", NULL);

  if (strstr (all, whole) == NULL)
    g_error ("“%s” is not in:\n%s", line, output);
}

/* What children get, after the line that says in which environment. */
static void
assert_child (const char *output, const char *environment, const char *path, const char *trust,
              const char *helper, const char *other)
{
  g_autofree char *lines
      = g_strdup_printf ("environment=%s\nCOPROC_PLUGIN_PATH=%s\nCOPROC_PLUGIN_TRUST=%s\n"
                         "COPROC_WORKER_HOST=%s\nSECURE_HOST_OTHER=%s",
                         environment, path, trust, helper, other);

  assert_line (output, lines);
}

static void
test_raise (gconstpointer data)
{
  const Raise raise = GPOINTER_TO_INT (data);
  g_autofree char *output = NULL;
  const char *obstacle;
  Place place;

  if (getuid () != 0)
    {
      g_test_skip ("Only root can give a program the rights of another user");
      return;
    }

  place_open (&place);
  obstacle = raise_program (place.program, raise);
  if (obstacle != NULL)
    g_test_skip (obstacle);
  else
    output = run_program (&place);

  if (output != NULL && raise == NOT_RAISED)
    {
      g_autofree char *search = g_strdup_printf ("search=%s:", place.dir);

      assert_line (output, "secure=0");
      g_assert_nonnull (strstr (output, search));
      assert_line (output, "helper=" EVIL_HELPER);
      assert_line (output, "file=accepted");
      assert_child (output, "inherited", place.dir, "any", EVIL_HELPER, "inherited");
      assert_child (output, "chosen", place.dir, "any", "(none)", "chosen");
    }
  else if (output != NULL)
    {
      g_autofree char *trap = g_strdup_printf ("=%s", place.dir);

      assert_line (output, "secure=1");
      g_assert_null (strstr (output, EVIL_HELPER));
      g_assert_null (strstr (output, trap));
      g_assert_nonnull (strstr (output, "\nsearch=/"));
      g_assert_nonnull (strstr (output, "\nhelper=/"));
      g_assert_nonnull (strstr (output, "\nfile=Plugin file "));
      assert_child (output, "inherited", "(none)", "(none)", "(none)", "inherited");
      assert_child (output, "chosen", "(none)", "(none)", "(none)", "chosen");
    }
  place_close (&place);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  for (Raise raise = NOT_RAISED; raise <= CAPABILITY; raise++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/secure/%s", raise_names[raise]);

      coproc_test_add_data (path, GINT_TO_POINTER (raise), test_raise);
    }
  return g_test_run ();
}
