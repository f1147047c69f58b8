/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The processor time that 200 workers and their host take while they have nothing to do: bench-idle [SECONDS] prints
 * "libcoproc idle MICROSECONDS", of all processes in each second.
 */
#include <coproc.h>

#include "bench-util.h"

#define N_WORKERS 200

static void
check (gboolean ok, GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "bench-idle: %s\n", error->message);
  exit (1);
}

/* The worker: answers until the host is gone. */
static int
serve (void)
{
  GError *error = NULL;
  CoprocMessenger *messenger = coproc_worker_connect (COPROC_TYPE_PRIORITY_MESSENGER, NULL, &error);

  check (messenger != NULL, error);
  for (;;)
    {
      g_autoptr (CoprocMessage) message = coproc_messenger_receive_message (messenger, NULL, -1, NULL, NULL);

      if (message == NULL)
        return 0;
      coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), NULL);
    }
}

/* Returns: the µs that all threads of a process have run for */
static double
get_run_time (int pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  GError *error = NULL;
  g_autoptr (GDir) tasks = g_dir_open (folder, 0, &error);
  const char *task;
  double sum = 0;

  check (tasks != NULL, error);
  while ((task = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, task, "schedstat", NULL);
      g_autofree char *text = NULL;

      check (g_file_get_contents (path, &text, NULL, &error), error);
      sum += g_ascii_strtod (text, NULL) / 1e3;
    }
  return sum;
}

static double
get_all (CoprocWorkerResource **workers)
{
  double sum = get_run_time (getpid ());

  for (guint i = 0; i < N_WORKERS; i++)
    sum += get_run_time (coproc_worker_resource_get_pid (workers[i]));
  return sum;
}

static CoprocWorkerResource *
start_worker (const char *program)
{
  const char *const argv[] = { program, "--serve", NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (argv);
  GError *error = NULL;
  GVariant *answer;

  check (coproc_worker_resource_start (worker, NULL, NULL, &error), error);
  answer = coproc_messenger_call (coproc_worker_resource_get_messenger (worker), g_variant_new_int32 (1), NULL, -1,
                                  NULL, &error);
  check (answer != NULL, error);
  g_variant_unref (answer);
  return worker;
}

int
main (int argc, char **argv)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  const guint seconds = argc > 1 ? (guint) atoi (argv[1]) : 5;
  CoprocWorkerResource *workers[N_WORKERS];
  double taken;

  if (argc > 1 && strcmp (argv[1], "--serve") == 0)
    return serve ();
  for (guint i = 0; i < N_WORKERS; i++)
    workers[i] = start_worker (program);
  g_usleep (G_USEC_PER_SEC); /* what follows a start is over */
  taken = get_all (workers);
  g_usleep (seconds * G_USEC_PER_SEC);
  taken = get_all (workers) - taken;
  printf ("libcoproc idle %.6g\n", taken / seconds);
  for (guint i = 0; i < N_WORKERS; i++)
    {
      coproc_worker_resource_stop (workers[i], G_USEC_PER_SEC, NULL);
      g_object_unref (workers[i]);
    }
  return 0;
}
