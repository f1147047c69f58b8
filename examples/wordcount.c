/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Counts lines, words and bytes of files, as `wc` does, in a worker process: all requests are sent
 * first, then their replies are collected.
 *
 * Run it with: meson devenv -C build examples/wordcount "$PWD"/README.md ...
 */
#include <coproc.h>

#include <stdio.h>

static void
print_counts (const guint64  counts[3],
              const char    *name)
{
  printf ("%7" G_GUINT64_FORMAT " %7" G_GUINT64_FORMAT " %7" G_GUINT64_FORMAT " %s\n",
           counts[0], counts[1], counts[2], name);
}

static gboolean
send_requests (CoprocMessenger  *messenger,
               char            **paths,
               gsize             n_paths,
               GError          **error)
{
  g_autofree GVariant **requests = g_new (GVariant *, n_paths);

  for (gsize i = 0; i < n_paths; i++)
    {
      GVariantDict dict;

      g_variant_dict_init (&dict, NULL);
      g_variant_dict_insert (&dict, "path", "^ay", paths[i]);
      requests[i] = g_variant_dict_end (&dict);
    }
  return coproc_messenger_send_request_multiple (messenger, requests, n_paths, NULL, error);
}

/* Returns the number of files that could not be counted. */
static guint
print_replies (CoprocMessenger *messenger,
               gsize            n_requests)
{
  guint64 total[3] = { 0, };
  guint n_failed = 0;

  while (coproc_messenger_remaining (messenger, NULL) > 0)
    {
      g_autoptr(GError) error = NULL;
      g_autoptr(GVariant) reply =
        coproc_messenger_receive_remaining (messenger, NULL, NULL, &error);
      guint64 counts[3] = { 0, };
      const char *path = "";

      if (reply == NULL)
        {
          fprintf (stderr, "%s\n", error->message);
          n_failed++;
          continue;
        }

      g_variant_lookup (reply, "path", "^&ay", &path);
      g_variant_lookup (reply, "lines", "t", &counts[0]);
      g_variant_lookup (reply, "words", "t", &counts[1]);
      g_variant_lookup (reply, "bytes", "t", &counts[2]);
      print_counts (counts, path);
      for (guint i = 0; i < 3; i++)
        total[i] += counts[i];
    }

  if (n_requests > 1)
    print_counts (total, "total");
  return n_failed;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new ("text", "count");
  g_autoptr(GError) error = NULL;
  const gsize n_paths = argc - 1;
  CoprocMessenger *messenger;

  if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
    {
      fprintf (stderr, "The worker did not start: %s\n", error->message);
      return 1;
    }

  messenger = coproc_worker_resource_get_messenger (worker);
  if (!send_requests (messenger, argv + 1, n_paths, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  return print_replies (messenger, n_paths) == 0 ? 0 : 1;
}
