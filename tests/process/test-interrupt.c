/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Signals that come while a thread waits: what the thread's function says becomes of the wait.
 */
#include <pthread.h>
#include <signal.h>

#include "worker-util.h"

#include "messenger-pair.h"
#include "pool-util.h"

static guint n_asked; /* of the waiting thread, but read by others: atomic */

/* Goes on twice, then ends the wait. */
static gboolean
third_time (gpointer user_data)
{
  return g_atomic_int_add (&n_asked, 1) >= 2;
}

static gboolean
never (gpointer user_data)
{
  g_atomic_int_inc (&n_asked);
  return FALSE;
}

static void
on_signal (int number)
{
}

/* Interrupts the main thread until it is told to stop. */
typedef struct
{
  pthread_t target;
  int stop; /* atomic */
} Pest;

static gpointer
pester (gpointer data)
{
  Pest *self = data;

  while (!g_atomic_int_get (&self->stop))
    {
      pthread_kill (self->target, SIGUSR1);
      g_usleep (1000);
    }
  return NULL;
}

static void
assert_asked (gboolean (*wait) (GError **error))
{
  g_autoptr(GError) error = NULL;

  n_asked = 0;
  coproc_set_interrupt_func (third_time, NULL, NULL);
  g_assert_false (wait (&error));
  coproc_set_interrupt_func (NULL, NULL, NULL);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (n_asked, ==, 3);
}

static void
assert_interrupted (gboolean (*wait) (GError **error))
{
  const struct sigaction action = { .sa_handler = on_signal };
  struct sigaction old;
  g_autoptr(GError) error = NULL;
  Pest pest = { pthread_self (), FALSE };
  GThread *thread;

  n_asked = 0;
  sigaction (SIGUSR1, &action, &old);
  coproc_set_interrupt_func (third_time, NULL, NULL);
  thread = g_thread_new ("pest", pester, &pest);
  g_assert_false (wait (&error));
  g_atomic_int_set (&pest.stop, TRUE);
  g_thread_join (thread);
  coproc_set_interrupt_func (NULL, NULL, NULL);
  sigaction (SIGUSR1, &old, NULL);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (n_asked, >=, 3);
}

static gboolean
wait_receive (GError **error)
{
  return coproc_messenger_receive_blocking (host, "x", NULL, error) != NULL;
}

static gboolean
wait_call (GError **error)
{
  return coproc_messenger_call (host, text ("?"), "x", -1, NULL, error) != NULL;
}

static gboolean
wait_available (GError **error)
{
  return coproc_messenger_await_available (host, G_USEC_PER_SEC * 60, NULL, error);
}

static gboolean
wait_send (GError **error)
{
  static const guint8 block[1 << 16];

  g_object_set (host, "high-water-mark", (guint64) sizeof block, NULL);
  while (coproc_messenger_send_bytes (host, block, sizeof block, "x", error))
    ;
  return FALSE;
}

static void
test_waits (void)
{
  gboolean (*const waits[]) (GError **) = { wait_receive, wait_available, wait_call };

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
      assert_interrupted (waits[i]);
      /* Nothing is lost by it, and the next wait is another one. */
      send_text (worker, "afterwards", "x");
      assert_receive (host, "x", "afterwards");
      g_assert_cmpuint (coproc_messenger_remaining (host, "x"), ==, 0);
      close_pair ();
    }
}

static void
test_send (void)
{
  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  assert_interrupted (wait_send);
  close_pair ();
}

static gpointer
receive_other (gpointer data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) payload G_GNUC_UNUSED = coproc_messenger_receive_blocking (host, "other", NULL, &error);

  g_assert_no_error (error);
  return NULL;
}

/* Where another thread is the one that polls. */
static void
test_second_waiter (void)
{
  GThread *thread;

  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  thread = g_thread_new ("first", receive_other, NULL);
  assert_interrupted (wait_receive);
  send_text (worker, "end", "other");
  g_thread_join (thread);
  close_pair ();
}

static CoprocWorkerResource *resource;

static gboolean
wait_join (GError **error)
{
  return coproc_worker_resource_join (resource, -1, NULL, error);
}

/* The worker does not mind; the wait for its end is over all the same. */
static void
test_join (void)
{
  resource = new_started ("stubborn");
  assert_interrupted (wait_join);
  g_assert_true (coproc_worker_resource_is_alive (resource));
  assert_stop (resource, 1000);
  coproc_test_finalize (g_steal_pointer (&resource));
}

static CoprocWorkerPool *pool;

static gboolean
wait_pool_start (GError **error)
{
  return coproc_worker_pool_start (pool, NULL, NULL, error);
}

/* A start that is interrupted is over, and all that was begun for it. */
static void
test_pool_start (void)
{
  static const char *const argv[] = { "/bin/sleep", "600", NULL };

  pool = coproc_worker_pool_new_for_command (argv, 2);
  g_object_set (coproc_worker_pool_get_model (pool), "start-timeout", G_GINT64_CONSTANT (-1), NULL);
  assert_interrupted (wait_pool_start);
  coproc_test_until (get_pool_state (pool) == COPROC_WORKER_STATE_FAILED);
  coproc_test_finalize (g_steal_pointer (&pool));
}

static gboolean
wait_pool_stop (GError **error)
{
  return coproc_worker_pool_stop (pool, -1, error);
}

/* A stop that is interrupted goes on without anybody who waits; the next one can be impatient. */
static void
test_pool_stop (void)
{
  g_autofree char *dir = g_dir_make_tmp ("coproc-interrupt-XXXXXX", NULL);
  g_autofree char *log = g_build_filename (dir, "log", NULL);
  g_autoptr (GError) error = NULL;
  CoprocTestResult result = { 0 };

  pool = new_started_pool (1);
  submit (pool, orders (0, "log", g_variant_new_string (log), "stuck", g_variant_new_boolean (TRUE), NULL), 0, -1, NULL,
          &result);
  coproc_test_until (g_file_test (log, G_FILE_TEST_EXISTS));
  assert_interrupted (wait_pool_stop);
  g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_STOPPING);
  g_assert_true (coproc_worker_pool_stop (pool, SECOND / 100, NULL));
  g_assert_cmpint (get_pool_state (pool), ==, COPROC_WORKER_STATE_EXITED);
  g_assert_null (finish_submit (pool, &result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  g_assert_no_errno (g_remove (log));
  g_assert_no_errno (g_rmdir (dir));
  coproc_test_finalize (g_steal_pointer (&pool));
}

static gboolean
wait_inspect (GError **error)
{
  g_autofree char *path = coproc_fault_path ("plugins/ctor-hang.so");
  g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect (path, error);

  return plugin != NULL;
}

/* The child in which a plugin hangs does not outlive it. */
static void
test_inspect (void)
{
  assert_interrupted (wait_inspect);
  assert_asked (wait_inspect);
}

static void
count_notified (gpointer data)
{
  ++*(guint *) data;
}

/* A signal that came before the wait is not one that interrupts it. */
static void
test_before_the_wait (void)
{
  gboolean (*const waits[]) (GError **) = { wait_receive, wait_available, wait_call, wait_send };
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
      assert_asked (waits[i]);
      close_pair ();
    }

  /* Who asks waits no less long for it. */
  open_pair (COPROC_TYPE_PRIORITY_MESSENGER);
  n_asked = 0;
  coproc_set_interrupt_func (never, NULL, NULL);
  g_assert_false (coproc_messenger_await_available (host, G_USEC_PER_SEC / 2, NULL, &error));
  coproc_set_interrupt_func (NULL, NULL, NULL);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  g_assert_cmpuint (n_asked, >=, 1);
  close_pair ();
}

static void
test_replaced (void)
{
  guint n_notified = 0;

  coproc_set_interrupt_func (third_time, &n_notified, count_notified);
  coproc_set_interrupt_func (third_time, &n_notified, count_notified);
  g_assert_cmpuint (n_notified, ==, 1);
  coproc_set_interrupt_func (NULL, NULL, NULL);
  g_assert_cmpuint (n_notified, ==, 2);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/interrupt/waits", test_waits);
  coproc_test_add ("/coproc/interrupt/before-the-wait", test_before_the_wait);
  coproc_test_add ("/coproc/interrupt/send", test_send);
  coproc_test_add ("/coproc/interrupt/second-waiter", test_second_waiter);
  coproc_test_add ("/coproc/interrupt/join", test_join);
  coproc_test_add ("/coproc/interrupt/pool-start", test_pool_start);
  coproc_test_add ("/coproc/interrupt/pool-stop", test_pool_stop);
  coproc_test_add ("/coproc/interrupt/inspect", test_inspect);
  coproc_test_add ("/coproc/interrupt/replaced", test_replaced);

  return g_test_run ();
}
