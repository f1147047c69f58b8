/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "pool/coproc-pool-private.h"

#include <unistd.h>

/* The field of /proc/PID/stat at @index, counted from the state, which is 0. */
static guint64
get_stat_field (const char *stat, guint index)
{
  const char *at = strrchr (stat, ')'); /* the program's name may hold anything */

  for (guint i = 0; at != NULL && i <= index; i++)
    at = strchr (at + 1, ' ');
  return at != NULL ? g_ascii_strtoull (at + 1, NULL, 10) : 0;
}

void
coproc_process_figures_read (CoprocProcessFigures *figures, GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *stat = NULL;

  *figures = (CoprocProcessFigures) { 0 };
  if (pid == 0 || !g_file_get_contents (path, &stat, NULL, NULL))
    return;
  figures->cpu_us = (gint64) ((get_stat_field (stat, 11) + get_stat_field (stat, 12)) * G_USEC_PER_SEC
                              / (guint64) sysconf (_SC_CLK_TCK));
  figures->rss = get_stat_field (stat, 21) * (guint64) sysconf (_SC_PAGESIZE);
}
