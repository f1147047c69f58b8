/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A program with a main loop, which nothing here ever blocks: messages come as signals, calls are
 * asynchronous, and a timer keeps ticking. Each tick appends a line to a file; a worker that
 * follows the file sends it back to us.
 *
 * Run it with: meson devenv -C build examples/mainloop
 */
#include <coproc.h>

#include <stdio.h>

#define N_LINES 5

typedef struct
{
  GMainLoop *loop;
  CoprocWorkerResource *worker;
  FILE *file;
  guint ticks;
  guint lines;
} App;

static void
give_up (App        *app,
         const char *what,
         GError     *error)
{
  fprintf (stderr, "%s: %s\n", what, error->message);
  g_clear_error (&error);
  g_main_loop_quit (app->loop);
}

static gboolean
on_tick (gpointer user_data)
{
  App *app = user_data;

  fprintf (app->file, "tick %u\n", ++app->ticks);
  fflush (app->file);
  return G_SOURCE_CONTINUE;
}

static void
on_exited (CoprocWorkerResource *worker,
           int                   status,
           int                   term_signal,
           gpointer              user_data)
{
  App *app = user_data;

  printf ("signal exited: status %d, after %u ticks\n", status, app->ticks);
  g_main_loop_quit (app->loop);
}

static void
on_answer (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  App *app = user_data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) answer =
    coproc_messenger_call_finish (COPROC_MESSENGER (source), result, &error);
  guint64 offset = 0;

  if (answer == NULL)
    {
      give_up (app, "The call failed", g_steal_pointer (&error));
      return;
    }

  g_variant_lookup (answer, "offset", "t", &offset);
  printf ("answer: the worker has read %" G_GUINT64_FORMAT " bytes\n", offset);
  coproc_worker_resource_stop_async (app->worker, G_TIME_SPAN_SECOND, NULL, NULL, NULL);
}

static void
on_line (CoprocMessenger *messenger,
         CoprocMessage   *message,
         gpointer         user_data)
{
  App *app = user_data;

  if (++app->lines > N_LINES)
    return;
  printf ("signal message::lines: %s\n",
           g_variant_get_string (coproc_message_get_payload (message), NULL));
  if (app->lines == N_LINES)
    coproc_messenger_call_async (messenger, g_variant_new_string ("How far?"), NULL, -1, NULL,
                                 on_answer, app);
}

static void
on_started (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  App *app = user_data;
  g_autoptr(GError) error = NULL;
  CoprocMessenger *messenger;

  if (!coproc_worker_resource_start_finish (app->worker, result, &error))
    {
      give_up (app, "The worker did not start", g_steal_pointer (&error));
      return;
    }

  messenger = coproc_worker_resource_get_messenger (app->worker);
  g_signal_connect (messenger, "message::lines", G_CALLBACK (on_line), app);
  coproc_messenger_listen (messenger, "lines");
}

int
main (void)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new ("text", "tail");
  g_autoptr(GFileIOStream) stream = NULL;
  g_autoptr(GFile) file = NULL;
  g_autoptr(GError) error = NULL;
  App app = { .loop = loop, .worker = worker };
  GVariantDict arguments;
  guint timer;

  file = g_file_new_tmp ("mainloop-XXXXXX", &stream, &error);
  if (file == NULL || (app.file = fopen (g_file_peek_path (file), "a")) == NULL)
    {
      fprintf (stderr, "No temporary file: %s\n",
               error != NULL ? error->message : g_file_peek_path (file));
      return 1;
    }

  g_variant_dict_init (&arguments, NULL);
  g_variant_dict_insert (&arguments, "path", "^ay", g_file_peek_path (file));
  g_variant_dict_insert (&arguments, "from-start", "b", TRUE);
  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &app);
  coproc_worker_resource_start_async (worker, g_variant_dict_end (&arguments), NULL,
                                      on_started, &app);
  timer = g_timeout_add (50, on_tick, &app);

  g_main_loop_run (loop);

  g_source_remove (timer);
  fclose (app.file);
  g_file_delete (file, NULL, NULL);
  return app.lines >= N_LINES ? 0 : 1;
}
