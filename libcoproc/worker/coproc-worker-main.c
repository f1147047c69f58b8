/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the program `coproc-worker` does: it meets the host and serves it.
 */
#include "worker/coproc-worker-main-private.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "messenger/coproc-multi-messenger.h"
#include "messenger/coproc-priority-messenger.h"
#include "worker/coproc-plugin-inspect-private.h"
#include "worker/coproc-worker-connect-private.h"
#include "worker/coproc-worker-serve-private.h"

#define EXIT_USAGE 64

/* A plugin has ended the main thread: other threads would keep a process that nobody can reach. */
static void
on_main_thread_exit (gpointer user_data)
{
  _exit (EXIT_SUCCESS);
}

/* Everything that runs code of the plugin. */
static void
run_plugin (const char *plugin_name,
            const char *entry_point,
            CoprocMessenger *messenger,
            GVariant *arguments,
            GError **error)
{
  pthread_cleanup_push (on_main_thread_exit, NULL);
  coproc_worker_serve_plugin (plugin_name, entry_point, messenger, arguments, error);
  pthread_cleanup_pop (FALSE);
}

static int
run_worker (GType messenger_type, const char *plugin_name, const char *entry_point)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (CoprocMessenger) messenger = NULL;

  messenger = coproc_worker_meet_host (messenger_type, &arguments, &error);
  if (messenger == NULL)
    {
      g_printerr ("coproc-worker: %s\n", error->message);
      return EXIT_FAILURE;
    }

  run_plugin (plugin_name, entry_point, messenger, arguments, &error);
  coproc_worker_leave_host (messenger, error);

  return error == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- the program --- */

static int
inspect (const char *plugin)
{
  CoprocWorkerFds fds = COPROC_WORKER_FDS_INIT;

  if (g_getenv ("COPROC_WORKER_FDS") != NULL && !coproc_worker_take_fds (&fds, NULL))
    return EXIT_USAGE;

  return coproc_plugin_inspect_main (plugin, fds.out);
}

static int
usage (void)
{
  g_printerr ("Usage: coproc-worker [--fifo] [--] PLUGIN ENTRY-POINT\n"
              "       coproc-worker --inspect [--] PLUGIN\n");
  return EXIT_USAGE;
}

int
coproc_worker_main (int argc, char **argv)
{
  gboolean fifo = FALSE, inspects = FALSE;
  int i = 1;

  /* Ctrl-C goes to everybody at the terminal; the host decides what becomes of its workers. */
  signal (SIGINT, SIG_IGN);
  /* Standard output is a pipe to the host: what is printed should not wait for a full buffer. */
  setvbuf (stdout, NULL, _IOLBF, BUFSIZ);

  for (; i < argc && argv[i][0] == '-'; i++)
    {
      if (strcmp (argv[i], "--") == 0)
        {
          i++;
          break;
        }
      if (strcmp (argv[i], "--fifo") == 0)
        fifo = TRUE;
      else if (strcmp (argv[i], "--inspect") == 0)
        inspects = TRUE;
      else
        return usage ();
    }
  if (argc - i != (inspects ? 1 : 2))
    return usage ();
  if (inspects)
    return inspect (argv[i]);

  return run_worker (fifo ? COPROC_TYPE_MULTI_MESSENGER : COPROC_TYPE_PRIORITY_MESSENGER, argv[i],
                     argv[i + 1]);
}
