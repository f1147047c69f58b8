/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A host that ends with workers running.
 *
 *   fault-host PLUGIN N END [fds|stdio PREFIX...]
 *
 * starts N workers of the plugin `hostile`, with a launcher if there is one, every second of them busy, prints their
 * pids on a line, and ends: "kill", "segv", "exit", "return", "exec", which becomes another program that lives on, or
 * "fork", which leaves a child that has all descriptors open, or "stop", which does not end but is silent.
 */
#include <coproc.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHILD_SECONDS 60 /* a test that fails leaves nothing behind for longer */

static CoprocWorkerResource *
start_worker (const char *plugin, gboolean busy, CoprocLauncher *launcher)
{
  CoprocWorkerResource *worker = coproc_worker_resource_new (plugin, "hostile");
  g_autoptr(GError) error = NULL;
  GVariantDict arguments;

  g_object_set (worker, "launcher", launcher, "heartbeat-timeout", (gint64) G_USEC_PER_SEC / 4, NULL);
  g_variant_dict_init (&arguments, NULL);
  if (busy)
    g_variant_dict_insert (&arguments, "do", "s", "busy");
  if (!coproc_worker_resource_start (worker, g_variant_dict_end (&arguments), NULL, &error))
    g_error ("fault-host: %s", error->message);
  return worker;
}

static void
end (const char *how)
{
  if (strcmp (how, "kill") == 0)
    raise (SIGKILL);
  else if (strcmp (how, "segv") == 0)
    {
      signal (SIGSEGV, SIG_DFL);
      raise (SIGSEGV);
    }
  else if (strcmp (how, "stop") == 0)
    raise (SIGSTOP);
  else if (strcmp (how, "exit") == 0)
    _exit (0);
  else if (strcmp (how, "exec") == 0)
    execlp ("sleep", "sleep", "60", (char *) NULL);
  else if (strcmp (how, "fork") == 0)
    {
      /* fork() would let the library let go of them */
      if (syscall (SYS_clone, SIGCHLD, 0, 0, 0, 0) > 0)
        raise (SIGKILL);
      alarm (CHILD_SECONDS);
      pause ();
    }
  else if (strcmp (how, "return") != 0)
    g_error ("fault-host: \"%s\" is no end", how);
}

int
main (int argc, char **argv)
{
  g_autoptr(GString) pids = g_string_new (NULL);
  g_autoptr(CoprocLauncher) launcher = NULL;
  int n_workers;

  if (argc < 4)
    g_error ("usage: fault-host PLUGIN N END [fds|stdio PREFIX...]");
  if (argc > 4)
    launcher = coproc_launcher_new ((const char *const *) argv + 5, COPROC_LAUNCHER_QUOTING_ARGV,
                                    strcmp (argv[4], "fds") == 0, FALSE);
  n_workers = atoi (argv[2]);
  for (int i = 0; i < n_workers; i++)
    {
      CoprocWorkerResource *worker = start_worker (argv[1], i % 2 == 1, launcher);

      g_string_append_printf (pids, "%d ", (int) coproc_worker_resource_get_pid (worker));
    }
  g_string_append_c (pids, '\n');
  if (write (STDOUT_FILENO, pids->str, pids->len) != (gssize) pids->len)
    return 1;
  end (argv[3]);
  return 0;
}
