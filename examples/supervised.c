/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that crashes at random, and a host that gets every answer all the same. The library restarts the
 * worker; what was lost is asked again by the host, which knows which questions are safe to repeat:
 * those that the worker had not taken up (NOT_STARTED) always are, others (WORKER_DIED) are here, because it does
 * no harm to square a number twice.
 *
 * Run it with: meson devenv -C build examples/supervised
 */
#include <coproc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define N_QUESTIONS 40
#define CRASHES_ONCE_IN 20

/* --- the worker: this very program --- */

static int
be_worker (void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CoprocMessenger) messenger =
    coproc_worker_connect (COPROC_TYPE_PRIORITY_MESSENGER, NULL, &error);

  while (messenger != NULL && error == NULL)
    {
      g_autoptr(CoprocMessage) question = coproc_messenger_receive_any (messenger, -1, NULL, &error);
      gint64 number;

      if (question == NULL)
        break;
      if (g_random_int_range (0, CRASHES_ONCE_IN) == 0)
        raise (SIGKILL);
      if (coproc_payload_get (coproc_message_get_payload (question), &error, "x", &number))
        coproc_messenger_reply (messenger, question, g_variant_new_int64 (number * number), &error);
    }

  if (messenger == NULL || !g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
    {
      fprintf (stderr, "The worker: %s\n", error->message);
      return 1;
    }
  coproc_messenger_close (messenger);
  return 0;
}

/* --- the host --- */

typedef struct
{
  GMainLoop *loop;
  CoprocWorkerResource *worker;
  gboolean answered[N_QUESTIONS];
  guint n_answered;
  guint n_open;            /* calls that have not called back */
  guint n_untouched;       /* questions that were lost, and the worker had not seen */
  guint n_interrupted;     /* ... and it may have seen */
  guint n_restarts;
} App;

typedef struct
{
  App *app;
  gint64 number;
} Question;

static void
on_answer (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autofree Question *question = user_data;
  App *app = question->app;
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) answer =
    coproc_messenger_call_finish (COPROC_MESSENGER (source), result, &error);

  app->n_open--;
  if (answer != NULL)
    {
      g_assert (g_variant_get_int64 (answer) == question->number * question->number);
      app->answered[question->number] = TRUE;
      app->n_answered++;
    }
  else if (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_NOT_STARTED))
    app->n_untouched++;
  else
    app->n_interrupted++;

  if (app->n_answered == N_QUESTIONS)
    g_main_loop_quit (app->loop);
}

/* All that has no answer yet, at once. */
static void
ask (App *app)
{
  CoprocMessenger *messenger = coproc_worker_resource_get_messenger (app->worker);

  for (gint64 number = 0; number < N_QUESTIONS; number++)
    if (!app->answered[number])
      {
        Question *question = g_new (Question, 1);

        *question = (Question) { app, number };
        app->n_open++;
        coproc_messenger_call_async (messenger, g_variant_new_int64 (number), NULL, -1, NULL,
                                     on_answer, question);
      }
}

/* The calls of the life before have all called back: their end was told before this. */
static void
on_restarted (CoprocWorkerResource *worker,
              guint                 count,
              gpointer              user_data)
{
  App *app = user_data;

  app->n_restarts = count;
  ask (app);
}

static void
on_state (CoprocWorkerResource *worker,
          GParamSpec           *pspec,
          gpointer              user_data)
{
  App *app = user_data;
  CoprocWorkerState state;

  g_object_get (worker, "state", &state, NULL);
  if (state == COPROC_WORKER_STATE_FAILED)
    g_main_loop_quit (app->loop);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr(GMainLoop) loop = NULL;
  g_autoptr(CoprocWorkerResource) worker = NULL;
  g_autoptr(GError) error = NULL;
  const char *command[] = { "/proc/self/exe", "--worker", NULL };
  App app = { 0 };

  if (argc > 1 && strcmp (argv[1], "--worker") == 0)
    return be_worker ();

  app.loop = loop = g_main_loop_new (NULL, FALSE);
  app.worker = worker = coproc_worker_resource_new_for_command (command);
  g_object_set (worker,
                "restart-policy", COPROC_RESTART_POLICY_ON_FAILURE,
                "max-restarts", 100,
                NULL);
  g_signal_connect (worker, "restarted", G_CALLBACK (on_restarted), &app);
  g_signal_connect (worker, "notify::state", G_CALLBACK (on_state), &app);
  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  ask (&app);
  g_main_loop_run (loop);

  printf ("%u answers of %d, %u restarts\n", app.n_answered, N_QUESTIONS, app.n_restarts);
  printf ("Asked again: %u that no worker had seen, %u that one had died over\n",
          app.n_untouched, app.n_interrupted);
  coproc_worker_resource_stop (worker, G_TIME_SPAN_SECOND, NULL);
  while (app.n_open > 0)
    g_main_context_iteration (NULL, TRUE);
  return app.n_answered == N_QUESTIONS ? 0 : 1;
}
