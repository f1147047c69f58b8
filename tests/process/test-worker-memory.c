/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The memory that a worker shares with its host: when it is used, what a hostile worker can do with it, and
 * a system that has none (faults A20, B15).
 */
#include "worker-util.h"

#include <string.h>
#include <sys/resource.h>

#include "wire/coproc-shared-layout-private.h"

static CoprocWorkerResource *
new_hostile (CoprocTransport transport)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  g_object_set (worker, "transport", transport, NULL);
  return worker;
}

/* How many bytes all workers of this process have been sent through rings. */
static guint64
count_ring_bytes (void)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint64 n = 0;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      guint8 *from, *to;

      if (strstr (lines[i], "/memfd:coproc") == NULL)
        continue;
      from = (guint8 *) g_ascii_strtoull (lines[i], NULL, 16);
      to = (guint8 *) g_ascii_strtoull (strchr (lines[i], '-') + 1, NULL, 16);
      if (to - from >= (gssize) COPROC_SHARED_RINGS_END)
        n += atomic_load (&((CoprocRingControl *) (gpointer) (from + COPROC_SHARED_RING_TO_WORKER))->n_written);
    }
  return n;
}

/* Which transports use rings, for a plugin and for a program. */
static void
test_used (void)
{
  static const CoprocTransport transports[] = { COPROC_TRANSPORT_AUTO, COPROC_TRANSPORT_PIPE,
                                                COPROC_TRANSPORT_SHARED_MEMORY };
  g_autofree char *path = coproc_fault_path ("command-worker");
  const char *const argv[] = { path, NULL };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (transports); i++)
    {
      const CoprocTransport transport = transports[i / 2];
      CoprocWorkerResource *worker = i % 2 == 0 ? coproc_fault_new_hostile ()
                                                : coproc_worker_resource_new_for_command (argv);
      guint64 n_bytes;

      g_object_set (worker, "transport", transport, NULL);
      start_worker (worker, NULL);
      n_bytes = count_ring_bytes ();
      for (guint j = 0; j < 10; j++)
        assert_call (worker, "some text to be echoed");
      if (transport == COPROC_TRANSPORT_PIPE)
        g_assert_cmpuint (count_ring_bytes (), ==, n_bytes);
      else
        g_assert_cmpuint (count_ring_bytes (), >, n_bytes + 10 * sizeof "some text to be echoed");
      coproc_fault_release (worker);
    }
}

static void
assert_no_start (CoprocWorkerResource *worker, const char *script)
{
  g_autoptr (GError) error = NULL;
  gboolean started = script != NULL ? coproc_fault_start_raw (worker, script, &error)
                                    : coproc_fault_try_start (worker, NULL, &error);

  g_assert_false (started);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN);
  g_test_message ("%s", error->message);
}

/* A program that does not know of it goes on with the pipes, unless it must not. */
static void
test_not_taken_up (void)
{
  CoprocWorkerResource *worker = new_hostile (COPROC_TRANSPORT_AUTO);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) payload = NULL;

  g_assert_true (coproc_fault_start_raw (worker, "hello; frame kind=norequest serial=1 data=text:x; wait", &error));
  g_assert_no_error (error);
  payload = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL, NULL, &error);
  g_assert_no_error (error);
  coproc_fault_release (worker);

  worker = new_hostile (COPROC_TRANSPORT_SHARED_MEMORY);
  assert_no_start (worker, "hello; wait");
  coproc_fault_release (worker);
}

/* A peer that says that the stream goes on in memory that there is not. */
static void
test_a20_not_agreed (void)
{
  CoprocFaultPeer peer;
  g_autoptr (GError) error = NULL;

  coproc_fault_peer_open (&peer, COPROC_TYPE_MULTI_MESSENGER, "hello; frame kind=17; wait");
  error = coproc_fault_receive_error (peer.messenger);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  coproc_fault_peer_close (&peer);
}

/* A worker that writes all over the memory, the rings included, at the worst of times: it gets an error, unless
 * the two sides write over that before anybody looks, and whoever works beside it notices nothing. */
static void
test_a20_scribbled (void)
{
  const guint n = coproc_test_is_slow () ? 2 : coproc_test_scale_long (20, 500);
  CoprocWorkerResource *other = new_hostile (COPROC_TRANSPORT_SHARED_MEMORY);

  coproc_fault_start (other, NULL);
  for (guint i = 0; i < n; i++)
    {
      CoprocWorkerResource *worker = new_hostile (COPROC_TRANSPORT_SHARED_MEMORY);
      const gboolean ends = i % 2 != 0;
      CoprocMessenger *messenger;
      g_autoptr (GError) error = NULL;

      coproc_fault_start (worker, NULL);
      messenger = coproc_worker_resource_get_messenger (worker);
      for (guint j = 0; j < 100; j++)
        coproc_messenger_send_request (messenger, g_variant_new_uint32 (j), "echo", NULL);
      coproc_fault_order (worker, ends ? "scribble; exit 3" : "scribble");
      for (guint j = 0; j < 100; j++)
        coproc_messenger_send_request (messenger, g_variant_new_uint32 (j), "echo", NULL);
      for (guint j = 0; error == NULL && (ends || j < 100); j++)
        {
          g_autoptr (GVariant) reply G_GNUC_UNUSED = coproc_messenger_call (messenger, g_variant_new_uint32 (1), "echo",
                                                              5 * G_USEC_PER_SEC, NULL, &error);
        }
      g_assert_true (error == NULL || error->domain == COPROC_ERROR);
      coproc_fault_ping (other);
      coproc_fault_release (worker);
    }
  coproc_fault_release (other);
}

/* No file may have more than a page: there are no rings then, and no signal. In a process of its own, whose output
 * is no file. */
static void
file_limit_subprocess (void)
{
  CoprocWorkerResource *worker = new_hostile (COPROC_TRANSPORT_AUTO);
  CoprocWorkerResource *strict = new_hostile (COPROC_TRANSPORT_SHARED_MEMORY);
  const guint64 n_bytes = count_ring_bytes ();
  struct rlimit old, tight;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &old), ==, 0);
  tight = old;
  tight.rlim_cur = 4096;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &tight), ==, 0);
  coproc_fault_start (worker, NULL);
  coproc_fault_ping (worker);
  assert_no_start (strict, NULL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &old), ==, 0);
  g_assert_cmpuint (count_ring_bytes (), ==, n_bytes);

  coproc_fault_start (strict, NULL);
  coproc_fault_ping (strict);
  coproc_fault_release (strict);
  coproc_fault_release (worker);
}

static void
test_b15_file_limit (void)
{
  g_test_trap_subprocess ("/coproc/worker-memory/B15/file-limit/subprocess", 0, (GTestSubprocessFlags) 0);
  g_test_trap_assert_passed ();
}

/* --- idle --- */

/* The time in µs that a process has used. */
static gint64
get_cpu_time (GPid pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/schedstat", (int) pid);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return -1;
  return (gint64) (g_ascii_strtoull (text, NULL, 10) / 1000);
}

/* Who waits for a message, and whoever would send one, uses no time. */
static void
test_idle (void)
{
  const guint n = coproc_test_scale_long (20, 200);
  const gint64 idle_us = G_USEC_PER_SEC / 2;
  g_autoptr (GPtrArray) workers = g_ptr_array_new ();
  struct timespec pause = { 0, idle_us * 1000 };
  gint64 before = 0, after = 0;

  if (get_cpu_time (getpid ()) < 0)
    {
      g_test_skip ("This system does not tell how much time a process has used");
      return;
    }
  for (guint i = 0; i < n; i++)
    {
      g_ptr_array_add (workers, new_hostile (COPROC_TRANSPORT_AUTO));
      coproc_fault_start (workers->pdata[i], NULL);
      coproc_fault_ping (workers->pdata[i]);
    }
  nanosleep (&pause, NULL); /* what follows the last message, such as timers, is over */

  for (guint i = 0; i < n; i++)
    before += get_cpu_time (coproc_worker_resource_get_pid (workers->pdata[i]));
  before += get_cpu_time (getpid ());
  nanosleep (&pause, NULL); /* the time that is measured */
  for (guint i = 0; i < n; i++)
    after += get_cpu_time (coproc_worker_resource_get_pid (workers->pdata[i]));
  after += get_cpu_time (getpid ());
  g_test_message ("%u idle workers and their host: %" G_GINT64_FORMAT " µs", n, after - before);
  g_assert_cmpint (after - before, <, coproc_fault_limit (idle_us / 20));

  for (guint i = 0; i < n; i++)
    coproc_fault_release (workers->pdata[i]);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/worker-memory/used", test_used);
  coproc_test_add ("/coproc/worker-memory/not-taken-up", test_not_taken_up);
  coproc_test_add ("/coproc/worker-memory/idle", test_idle);
  coproc_test_add ("/coproc/worker-memory/A20/not-agreed", test_a20_not_agreed);
  coproc_test_add ("/coproc/worker-memory/A20/scribbled", test_a20_scribbled);
  g_test_add_func ("/coproc/worker-memory/B15/file-limit/subprocess", file_limit_subprocess);
  coproc_test_add ("/coproc/worker-memory/B15/file-limit", test_b15_file_limit);
  return g_test_run ();
}
