/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One flag switches where a worker runs: the same plugin in a process of its own and in a thread of this
 * one, and what each costs.
 *
 * Run it with: meson devenv -C build examples/thread-or-process
 */
#include <coproc.h>

#include <stdio.h>

#define N_CALLS 20000

static gboolean
measure (CoprocWorkerMode mode, const char *name, GError **error)
{
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_string ("ping"));
  gint64 begun, started, done;

  g_object_set (worker, "mode", mode, NULL);
  begun = g_get_monotonic_time ();
  if (!coproc_worker_resource_start (worker, NULL, NULL, error))
    return FALSE;

  started = g_get_monotonic_time ();
  for (guint i = 0; i < N_CALLS; i++)
    {
      g_autoptr(GVariant) reply = coproc_messenger_call (
          coproc_worker_resource_get_messenger (worker), payload, NULL, -1, NULL, error);

      if (reply == NULL)
        return FALSE;
    }
  done = g_get_monotonic_time ();

  printf ("%-8s process id %6d, started in %7.3f ms, round trip %7.2f µs\n", name,
          coproc_worker_resource_get_pid (worker), (double) (started - begun) / 1000,
          (double) (done - started) / N_CALLS);
  return coproc_worker_resource_stop (worker, G_TIME_SPAN_SECOND, error);
}

int
main (void)
{
  g_autoptr(GError) error = NULL;

  if (measure (COPROC_WORKER_MODE_PROCESS, "process:", &error)
      && measure (COPROC_WORKER_MODE_THREAD, "thread:", &error))
    return 0;

  fprintf (stderr, "%s\n", error->message);
  return 1;
}
