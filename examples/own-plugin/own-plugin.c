/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The host of a plugin of your own, loaded by its file name. See README.md.
 */
#include <coproc.h>

#include <stdio.h>

int
main (int    argc,
      char **argv)
{
  g_autofree char *plugin = g_canonicalize_filename (argc > 1 ? argv[1] : "reverse.so", NULL);
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new (plugin, "reverse");
  g_autoptr(GError) error = NULL;

  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "The worker did not start: %s\n", error->message);
      return 1;
    }

  for (int i = 2; i < argc; i++)
    {
      g_autoptr(GVariant) reply = NULL;

      reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                     g_variant_new_string (argv[i]), NULL,
                                     5 * G_TIME_SPAN_SECOND, NULL, &error);
      if (reply == NULL)
        {
          fprintf (stderr, "%s\n", error->message);
          return 1;
        }
      printf ("%s\n", g_variant_get_string (reply, NULL));
    }
  return 0;
}
