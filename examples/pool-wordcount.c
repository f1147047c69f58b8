/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Counts lines, words and bytes of every file below a folder, in as many processes as there are processors, with a
 * progress bar where there is a terminal.
 *
 * Run it with: meson devenv -C build examples/pool-wordcount "$PWD"
 */
#include <coproc.h>

#include <stdio.h>
#include <unistd.h>

static void
find_files (const char *path, GPtrArray *inputs)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      GVariantDict dict;

      if (g_file_test (child, G_FILE_TEST_IS_SYMLINK))
        continue;
      if (g_file_test (child, G_FILE_TEST_IS_DIR))
        find_files (child, inputs);
      else if (g_file_test (child, G_FILE_TEST_IS_REGULAR))
        {
          g_variant_dict_init (&dict, NULL);
          g_variant_dict_insert (&dict, "path", "^ay", child);
          g_ptr_array_add (inputs, g_variant_ref_sink (g_variant_dict_end (&dict)));
        }
    }
}

static void
on_progress (CoprocMapOperation *operation, gpointer user_data)
{
  const int width = 40;
  guint64 n_done, n_total;
  gint64 remaining_us;
  double rate;
  int filled;

  g_object_get (operation, "n-done", &n_done, "n-total", &n_total, "rate", &rate, "remaining-time", &remaining_us, NULL);
  filled = n_total > 0 ? (int) (width * n_done / n_total) : width;
  fprintf (stderr, "\r[%.*s%*s] %3d %%, %.0f files/s", filled, "########################################",
           width - filled, "", filled * 100 / width, rate);
  if (n_done < n_total && remaining_us >= 0)
    fprintf (stderr, ", %.0f s left ", (double) remaining_us / G_USEC_PER_SEC);
  else
    fprintf (stderr, "           %s", n_done == n_total ? "\n" : "");
}

int
main (int argc, char *argv[])
{
  static const char *const keys[] = { "lines", "words", "bytes" };
  g_autoptr (CoprocWorkerPool) pool = coproc_worker_pool_new ("text", "count", 0);
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (CoprocMapOperation) operation = NULL;
  g_autoptr (GError) error = NULL;
  guint64 totals[G_N_ELEMENTS (keys)] = { 0 };
  guint n_failed = 0;

  find_files (argc > 1 ? argv[1] : ".", inputs);
  if (!coproc_worker_pool_start (pool, NULL, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  operation = coproc_worker_pool_map_unordered (pool, (GVariant **) inputs->pdata, inputs->len, 0);
  if (isatty (STDERR_FILENO))
    g_signal_connect (operation, "progress", G_CALLBACK (on_progress), NULL);
  for (guint n = 0; n < inputs->len; n++)
    {
      g_autoptr (GVariant) counts = coproc_map_operation_next (operation, NULL, NULL, &error);

      for (guint i = 0; i < G_N_ELEMENTS (keys) && counts != NULL; i++)
        {
          guint64 count = 0;

          g_variant_lookup (counts, keys[i], "t", &count);
          totals[i] += count;
        }
      if (counts == NULL)
        {
          fprintf (stderr, "%s\n", error->message);
          g_clear_error (&error);
          n_failed++;
        }
      g_main_context_iteration (NULL, FALSE); /* there is no main loop here: this lets it tell of its progress */
    }
  while (g_main_context_iteration (NULL, FALSE))
    ;
  printf ("%" G_GUINT64_FORMAT " lines, %" G_GUINT64_FORMAT " words, %" G_GUINT64_FORMAT " bytes in %u files\n",
          totals[0], totals[1], totals[2], inputs->len - n_failed);
  coproc_worker_pool_stop (pool, G_USEC_PER_SEC, NULL);
  return n_failed > 0;
}
