/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The smallest host: starts a worker process from the plugin `echo`, asks it something, stops it.
 *
 * Run it with: meson devenv -C build examples/hello
 */
#include <coproc.h>

#include <stdio.h>
#include <unistd.h>

int
main (void)
{
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GError) error = NULL;
  CoprocMessenger *messenger;

  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "The worker did not start: %s\n", error->message);
      return 1;
    }

  messenger = coproc_worker_resource_get_messenger (worker);
  reply = coproc_messenger_call (messenger, g_variant_new_string ("Hello!"), NULL,
                                 5 * G_TIME_SPAN_SECOND, NULL, &error);
  if (reply == NULL)
    {
      fprintf (stderr, "No answer: %s\n", error->message);
      return 1;
    }

  printf ("Host %d asked worker %d and got: %s\n", (int) getpid (),
           coproc_worker_resource_get_pid (worker), g_variant_get_string (reply, NULL));

  coproc_worker_resource_stop (worker, G_TIME_SPAN_SECOND, NULL);
  printf ("The worker's exit status: %d\n", coproc_worker_resource_get_exit_status (worker));
  return 0;
}
