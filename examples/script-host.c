/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A host whose worker is any program: it asks for the median of some numbers.
 *
 * Run it with: meson devenv -C build examples/script-host python3 $PWD/examples/python-worker.py
 *          or: meson devenv -C build examples/script-host gjs -m $PWD/examples/js-worker.js
 */
#include <coproc.h>

#include <stdio.h>

int
main (int argc, char **argv)
{
  g_autoptr(CoprocWorkerResource) worker = NULL;
  g_autoptr(GVariant) reply = NULL;
  g_autoptr(GError) error = NULL;

  if (argc < 2)
    {
      fprintf (stderr, "Usage: %s COMMAND [ARGUMENT]...\n", argv[0]);
      return 2;
    }

  worker = coproc_worker_resource_new_for_command ((const char *const *) argv + 1);
  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }

  reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                 g_variant_new_parsed ("[3.0, 1.0, 8.0, 4.0, 1.0]"), NULL,
                                 5 * G_TIME_SPAN_SECOND, NULL, &error);
  if (reply == NULL)
    {
      fprintf (stderr, "No answer: %s\n", error->message);
      return 1;
    }
  printf ("The median is %g\n", g_variant_get_double (reply));

  coproc_worker_resource_join (worker, G_TIME_SPAN_SECOND, NULL, NULL);
  printf ("The worker's exit status: %d\n", coproc_worker_resource_get_exit_status (worker));
  return 0;
}
