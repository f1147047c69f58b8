/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the program `coproc-worker` does: it meets the host, loads the plugin, greets, and runs an
 * entry point, with a loop around it when that is a task.
 */
#include "worker/coproc-worker-main-private.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "messenger/coproc-multi-messenger.h"
#include "messenger/coproc-priority-messenger.h"
#include "worker/coproc-plugin-inspect-private.h"
#include "worker/coproc-plugin-loader-private.h"
#include "worker/coproc-worker-connect-private.h"

#define EXIT_USAGE 64

/* --- the loop around a task --- */

/* The result of a task, or why there is none: FALSE <=> error set. */
static GVariant *
call_task (const CoprocPluginEntry *entry,
           GVariant *arguments,
           CoprocMessenger *messenger,
           CoprocMessage *message,
           GError **error)
{
  g_autoptr (GCancellable) cancellable = NULL;
  GVariant *result;

  if (coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST)
    cancellable = coproc_messenger_dup_request_cancellable (messenger, message);
  if (cancellable == NULL)
    cancellable = g_cancellable_new ();

  result = entry->task (coproc_message_get_payload (message), arguments, cancellable, error);
  if (result != NULL)
    return g_variant_take_ref (result);

  if (error != NULL && *error == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER, "Task '%s' failed without an error",
                 entry->name);
  return NULL;
}

/* Answers one message. What cannot be sent because the host is gone is told by the next receive. */
static void
serve_message (const CoprocPluginEntry *entry,
               GVariant *arguments,
               CoprocMessenger *messenger,
               CoprocMessage *message)
{
  gboolean is_request = coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = call_task (entry, arguments, messenger, message, &error);

  if (result != NULL)
    {
      g_clear_error (&error);
      if (!is_request || coproc_messenger_reply (messenger, message, result, &error))
        return;
    }

  if (is_request)
    coproc_messenger_reply_error (messenger, message, error, NULL);
  else
    coproc_messenger_send_error (messenger, error, NULL);
}

/* Serves until the host asks to end, and then what it had sent before that. */
static gboolean
run_task (const CoprocPluginEntry *entry,
          CoprocMessenger *messenger,
          GVariant *arguments,
          GError **error)
{
  gboolean ending = FALSE;

  /* A host that does not read for a while is no reason to drop a result. */
  g_object_set (messenger, "send-timeout", G_GINT64_CONSTANT (-1), NULL);

  while (TRUE)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (CoprocMessage) message = NULL;

      message = coproc_messenger_receive_any (messenger, ending ? 0 : -1, NULL, &local_error);
      if (message != NULL)
        serve_message (entry, arguments, messenger, message);
      else if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
        ending = TRUE;
      else if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSED)
               || (ending && g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT)))
        return TRUE;
      else
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
}

/* --- a worker --- */

static gboolean
greet_host (CoprocMessenger *messenger, CoprocLoadedPlugin *plugin, GError **error)
{
  GVariantDict extra;

  g_variant_dict_init (&extra, NULL);
  g_variant_dict_insert (&extra, "abi", "u", COPROC_PLUGIN_ABI);
  g_variant_dict_insert (&extra, "plugin", "s", plugin->descriptor->name);

  return coproc_messenger_send_hello (messenger, g_variant_dict_end (&extra), error);
}

/* Whether @error is how a worker ends that was told to. */
static gboolean
is_clean_end (CoprocMessenger *messenger, const GError *error)
{
  return g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED)
         || (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSED)
             && coproc_messenger_get_closed (messenger));
}

static gboolean
run_entry (const CoprocPluginEntry *entry,
           CoprocMessenger *messenger,
           GVariant *arguments,
           GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean done;

  if (entry->task != NULL)
    done = run_task (entry, messenger, arguments, &local_error);
  else
    done = entry->run (messenger, arguments, &local_error);

  if (done || is_clean_end (messenger, local_error))
    return TRUE;
  if (local_error == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER,
                 "Entry point '%s' failed without an error", entry->name);
  else
    g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}

/* A plugin has ended the main thread: other threads would keep a process that nobody can reach. */
static void
on_main_thread_exit (gpointer user_data)
{
  _exit (EXIT_SUCCESS);
}

static void
load_and_run (const char *plugin_name,
              const char *entry_point,
              CoprocMessenger *messenger,
              GVariant *arguments,
              GError **error)
{
  g_autoptr (CoprocLoadedPlugin) plugin = coproc_plugin_load (plugin_name, error);
  const CoprocPluginEntry *entry = NULL;

  if (plugin != NULL)
    entry = coproc_loaded_plugin_find (plugin, entry_point, error);
  if (entry != NULL && greet_host (messenger, plugin, error))
    run_entry (entry, messenger, arguments, error);
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
  load_and_run (plugin_name, entry_point, messenger, arguments, error);
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
  int in_fd = -1, out_fd = -1;

  if (g_getenv ("COPROC_WORKER_FDS") != NULL && !coproc_worker_take_fds (&in_fd, &out_fd, NULL))
    return EXIT_USAGE;

  return coproc_plugin_inspect_main (plugin, out_fd);
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
