/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What can go wrong in a worker, and how the host sees it: always as a GError, never as a hang or a
 * crash of its own.
 *
 * Run it with: meson devenv -C build examples/errors
 */
#include <coproc.h>

#include <signal.h>
#include <stdio.h>

static CoprocWorkerResource *
start (const char  *plugin,
       const char  *entry_point,
       GError     **error)
{
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new (plugin, entry_point);

  /* What the worker writes to its standard error is for us alone: it is part of the error. */
  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  if (!coproc_worker_resource_start (worker, NULL, NULL, error))
    return NULL;
  return g_steal_pointer (&worker);
}

static void
show (const char   *what,
      const GError *error)
{
  printf ("%s\n  %s %d: %s\n", what, g_quark_to_string (error->domain), error->code,
           error->message);
}

/* Waits until the worker has ended by itself. */
static void
show_end (CoprocWorkerResource *worker)
{
  g_autoptr(GError) error = NULL;

  if (!coproc_worker_resource_join (worker, 5 * G_TIME_SPAN_SECOND, NULL, &error))
    printf ("  it did not end: %s\n", error->message);
  else
    printf ("  ended with exit status %d, signal %d\n",
             coproc_worker_resource_get_exit_status (worker),
             coproc_worker_resource_get_term_signal (worker));
}

static gboolean
no_such_plugin (GError **error)
{
  g_autoptr(GError) start_error = NULL;
  g_autoptr(CoprocWorkerResource) worker = start ("nonesuch", "run", &start_error);

  if (worker == NULL)
    show ("A plugin that is not there is an error of the start:", start_error);
  return worker == NULL;
}

static gboolean
failed_request (GError **error)
{
  g_autoptr(CoprocWorkerResource) worker = start ("text", "count", error);
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GError) call_error = NULL;
  GVariantDict dict;

  if (worker == NULL)
    return FALSE;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "path", "s", "/nonesuch");
  reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                 g_variant_dict_end (&dict), NULL, -1, NULL, &call_error);
  show ("A request that fails has an error for its answer, and the worker goes on:", call_error);
  printf ("  alive: %s\n", coproc_worker_resource_is_alive (worker) ? "yes" : "no");
  return TRUE;
}

static gboolean
failed_worker (GError **error)
{
  g_autoptr(CoprocWorkerResource) worker = start ("text", "tail", error);
  g_autoptr(GVariant) line = NULL;
  g_autoptr(GError) receive_error = NULL;

  if (worker == NULL)
    return FALSE;

  line = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), "lines",
                                            NULL, &receive_error);
  show ("A worker that fails (it lacks an argument) tells why at the next receive:", receive_error);
  show_end (worker);
  return TRUE;
}

static gboolean
closed_worker (GError **error)
{
  g_autoptr(CoprocWorkerResource) worker = start ("echo", "echo", error);
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GError) receive_error = NULL;
  CoprocMessenger *messenger;

  if (worker == NULL)
    return FALSE;

  messenger = coproc_worker_resource_get_messenger (worker);
  if (!coproc_messenger_send_close_request (messenger, error))
    return FALSE;
  reply = coproc_messenger_receive_blocking (messenger, NULL, NULL, &receive_error);
  show ("A worker that is asked to close says goodbye:", receive_error);
  show_end (worker);
  return TRUE;
}

static gboolean
crashed_worker (GError **error)
{
  g_autoptr(CoprocWorkerResource) worker = start ("echo", "sink", error);
  g_autoptr(GVariant) counts = NULL, reply = NULL;
  g_autoptr(GError) receive_error = NULL;
  CoprocMessenger *messenger;

  if (worker == NULL)
    return FALSE;

  /* The sink takes the request up and never answers it; its counts show that it has it. */
  messenger = coproc_worker_resource_get_messenger (worker);
  if (!coproc_messenger_send_request (messenger, g_variant_new_string ("?"), NULL, error))
    return FALSE;
  counts = coproc_messenger_call (messenger, g_variant_new_string (""), "count", -1, NULL, error);
  if (counts == NULL)
    return FALSE;

  kill (coproc_worker_resource_get_pid (worker), SIGABRT);
  reply = coproc_messenger_receive_remaining (messenger, NULL, NULL, &receive_error);
  show ("A worker that crashes fails what it has not answered:", receive_error);
  show_end (worker);
  return TRUE;
}

int
main (void)
{
  gboolean (*const scenes[]) (GError **error) = {
    no_such_plugin, failed_request, failed_worker, closed_worker, crashed_worker,
  };

  for (guint i = 0; i < G_N_ELEMENTS (scenes); i++)
    {
      g_autoptr(GError) error = NULL;

      if (!scenes[i] (&error))
        {
          show ("Not expected:", error);
          return 1;
        }
    }
  return 0;
}
