/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Says what a host takes from its environment, for the test that gives it another user's rights.
 *
 *   secure-host PLUGIN
 *
 * prints "NAME=VALUE" lines. The library is compiled in: where rights are raised, the loader looks
 * for none in a build directory.
 */
#include <coproc.h>

#include <sys/auxv.h>
#include <unistd.h>

#include "worker/coproc-plugin-loader-private.h"
#include "worker/coproc-spawn-private.h"

/* Asked by a sanitizer, which may not look for leaks in a process with raised rights, nor see there
 * which options are set. */
int __lsan_is_turned_off (void);

int
__lsan_is_turned_off (void)
{
  return 1;
}

/* What a child is given of a variable. */
static void
print_inherited (char **environment, const char *variable)
{
  const char *value = g_environ_getenv (environment, variable);

  g_print ("%s=%s\n", variable, value != NULL ? value : "(none)");
}

static void
print_child_environment (const char *const *chosen, const char *name)
{
  g_auto (GStrv) environment = coproc_spawn_dup_environment (chosen);

  g_print ("environment=%s\n", name);
  print_inherited (environment, "COPROC_PLUGIN_PATH");
  print_inherited (environment, "COPROC_PLUGIN_TRUST");
  print_inherited (environment, "COPROC_WORKER_HOST");
  print_inherited (environment, "SECURE_HOST_OTHER");
}

int
main (int argc, char **argv)
{
  static const char *const chosen[] = { "SECURE_HOST_OTHER=chosen", NULL };
  g_auto (GStrv) dirs = coproc_plugin_dup_search_path ();
  g_autofree char *search = g_strjoinv (":", dirs);
  g_autofree char *helper = coproc_spawn_dup_helper_path ();
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  if (argc != 2)
    g_error ("usage: secure-host PLUGIN");

  g_print ("secure=%d\n", getauxval (AT_SECURE) != 0);
  g_print ("search=%s\n", search);
  g_print ("helper=%s\n", helper);
  fd = coproc_plugin_open_file (argv[1], &path, &error);
  g_print ("file=%s\n", fd >= 0 ? "accepted" : error->message);
  if (fd >= 0)
    close (fd);
  print_child_environment (NULL, "inherited");
  print_child_environment (chosen, "chosen");

  return 0;
}
