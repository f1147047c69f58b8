/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker process may use of the system.
 */
#include "worker/coproc-rlimits-private.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "coproc-error.h"

static const struct
{
  const char *name;
  int resource;
  rlim_t extra; /* of the hard limit: the soft one of CPU time is a signal, the hard one a SIGKILL */
} resources[] = {
  { "as", RLIMIT_AS, 0 },
  { "core", RLIMIT_CORE, 0 },
  { "cpu", RLIMIT_CPU, 1 },
  { "nofile", RLIMIT_NOFILE, 0 },
};

/* Its place in the table, -1: there is none. */
static int
find_resource (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (resources); i++)
    if (strcmp (resources[i].name, name) == 0)
      return (int) i;

  return -1;
}

gboolean
coproc_rlimits_check (GVariant *rlimits, GError **error)
{
  GVariantIter iter;
  const char *name;
  guint64 value;

  g_variant_iter_init (&iter, rlimits);
  while (g_variant_iter_next (&iter, "{&st}", &name, &value))
    if (find_resource (name) < 0)
      {
        g_set_error (error, COPROC_ERROR, COPROC_ERROR_FAILED,
                     "There is no resource limit '%s', only 'as', 'core', 'cpu' and 'nofile'", name);
        return FALSE;
      }

  return TRUE;
}

static gboolean
apply (int resource, rlim_t soft, rlim_t hard)
{
  struct rlimit limit;

  if (getrlimit (resource, &limit) != 0)
    return FALSE;
  /* Where the system allows less than the little that is added, that is enough. */
  limit.rlim_max = soft <= limit.rlim_max ? MIN (hard, limit.rlim_max) : hard;
  limit.rlim_cur = soft;

  return setrlimit (resource, &limit) == 0;
}

gboolean
coproc_rlimits_apply (GVariant *rlimits, GError **error)
{
  GVariantIter iter;
  const char *name;
  guint64 value;

  if (!coproc_rlimits_check (rlimits, error))
    return FALSE;

  g_variant_iter_init (&iter, rlimits);
  while (g_variant_iter_next (&iter, "{&st}", &name, &value))
    {
      const int i = find_resource (name);
      const rlim_t soft = value >= RLIM_INFINITY ? RLIM_INFINITY : (rlim_t) value;
      const rlim_t extra = soft < RLIM_INFINITY - 1 ? resources[i].extra : 0;

      if (!apply (resources[i].resource, soft, soft + extra))
        {
          int errsv = errno;

          g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT,
                       "The resource limit '%s' cannot be set to %" G_GUINT64_FORMAT ": %s", name,
                       value, g_strerror (errsv));
          return FALSE;
        }
    }

  return TRUE;
}
