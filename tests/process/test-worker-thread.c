/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What only a worker in a thread does.
 */
#include "worker-util.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>

#include "coproc-fault.h"

#define SECOND G_USEC_PER_SEC

static void
start (CoprocWorkerResource *worker, GVariant *arguments)
{
  start_worker (worker, arguments);
  g_assert_cmpint (coproc_worker_resource_get_pid (worker), ==, 0);
}

/* Echoes whole messages until it is asked to end. */
static gboolean
echo (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  for (;;)
    {
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_any (messenger, -1, NULL, error);

      if (message == NULL
          || !coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), error))
        return FALSE;
    }
}

static void
test_by_reference (void)
{
  static const char text[] = "these bytes are never copied";
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, sizeof text);
  g_autoptr (CoprocMessage) request = coproc_message_new_bytes (bytes);
  g_autoptr (CoprocMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_function (echo, NULL, NULL);
  CoprocMessenger *messenger;

  start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  g_assert_true (coproc_messenger_send_message (messenger, request, COPROC_MESSAGE_KIND_REQUEST, NULL,
                                                &error));
  reply = coproc_messenger_receive_message (messenger, NULL, 60 * SECOND, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (coproc_message_get_bytes (reply) == bytes);
  assert_stop (worker, 60 * SECOND);
  coproc_test_finalize (worker);
}

/* --- a function and its data --- */

typedef struct
{
  GThread *thread;
  GMainContext *context;   /* only compared */
  gint n_calls;            /* atomic */
  gint n_freed;            /* atomic */
  gint release;            /* atomic */
} Data;

static void
data_freed (gpointer user_data)
{
  g_atomic_int_inc (&((Data *) user_data)->n_freed);
}

static gboolean
tell_arguments (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  Data *data = user_data;

  data->thread = g_thread_self ();
  data->context = g_main_context_get_thread_default ();
  g_atomic_int_inc (&data->n_calls);
  return coproc_messenger_send_norequest (messenger, arguments, NULL, error);
}

static void
test_function (void)
{
  Data data = { 0 };
  CoprocWorkerResource *worker
      = coproc_worker_resource_new_for_function (tell_arguments, &data, data_freed);
  Exited exited = { 0 };

  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &exited);
  for (int i = 1; i <= 3; i++)
    {
      g_autoptr (GVariant) arguments = g_variant_ref_sink (one_argument ("n", g_variant_new_int32 (i)));
      g_autoptr (GVariant) told = NULL;
      g_autoptr (GError) error = NULL;

      start (worker, arguments);
      told = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL, NULL,
                                                &error);
      g_assert_no_error (error);
      g_assert_true (g_variant_equal (told, arguments));
      g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
      g_assert_no_error (error);
      coproc_test_until (exited.n == (guint) i);
      g_assert_cmpint (exited.status, ==, 0);
      g_assert_cmpint (exited.signum, ==, 0);
      g_assert_true (exited.thread == g_thread_self ());
      g_assert_cmpint (g_atomic_int_get (&data.n_calls), ==, i);
    }
  g_assert_true (data.thread != g_thread_self ());
  g_assert_nonnull (data.context);
  g_assert_cmpint (g_atomic_int_get (&data.n_freed), ==, 0);
  coproc_test_finalize (worker);
  coproc_test_until (g_atomic_int_get (&data.n_freed) == 1);
}

static gboolean
fail (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  if (user_data != NULL)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, user_data);
  return FALSE;
}

/* A worker's own error is raised by the host's next receive; one that says nothing is at fault itself. */
static void
test_fails (gconstpointer text)
{
  CoprocWorkerResource *worker
      = coproc_worker_resource_new_for_function (fail, (gpointer) text, NULL);
  g_autoptr (GError) error = NULL;

  start (worker, NULL);
  g_assert_null (coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL,
                                                    NULL, &error));
  if (text != NULL)
    g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  else
    g_assert_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER);
  g_clear_error (&error);
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 1);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, 0);
  coproc_test_finalize (worker);
}

/* --- a thread that does not end when it is asked to --- */

static gboolean
stubborn (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  Data *data = user_data;

  while (!g_atomic_int_get (&data->release))
    g_usleep (1000);
  g_atomic_int_inc (&data->n_calls);
  return TRUE;
}

static void
test_stubborn (void)
{
  Data data = { 0 };
  CoprocWorkerResource *worker
      = coproc_worker_resource_new_for_function (stubborn, &data, data_freed);
  g_autoptr (GError) error = NULL;

  g_test_summary ("It is reported, by whoever wants it to end, and never killed");
  g_object_set (worker, "grace-period", G_GINT64_CONSTANT (50000), NULL);
  start (worker, NULL);
  g_assert_false (coproc_worker_resource_terminate (worker, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "a thread must do that itself"));
  g_clear_error (&error);
  g_assert_false (coproc_worker_resource_stop (worker, 1, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_clear_error (&error);
  g_assert_true (coproc_worker_resource_is_alive (worker));
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE);
  g_clear_error (&error);

  g_atomic_int_set (&data.release, 1);
  coproc_test_until (get_state (worker) == COPROC_WORKER_STATE_EXITED);
  g_assert_true (coproc_worker_resource_join (worker, 0, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  coproc_test_finalize (worker);
  coproc_test_until (g_atomic_int_get (&data.n_freed) == 1);
}

/* Dropping a worker neither waits for its thread nor takes anything from it. */
static void
test_dropped (void)
{
  Data data = { 0 };
  CoprocWorkerResource *worker
      = coproc_worker_resource_new_for_function (stubborn, &data, data_freed);

  start (worker, NULL);
  coproc_test_finalize (worker);
  g_assert_cmpint (g_atomic_int_get (&data.n_freed), ==, 0);
  g_atomic_int_set (&data.release, 1);
  coproc_test_until (g_atomic_int_get (&data.n_freed) == 1);
  g_assert_cmpint (g_atomic_int_get (&data.n_calls), ==, 1);
}

static void
on_call_ended (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_assert_null (coproc_messenger_call_finish (COPROC_MESSENGER (source), result, (GError **) user_data));
}

/* A task cannot be killed in a thread: it is told that nobody awaits its result. The first is at work then, the second
 * is still queued; either would take a minute. */
static void
test_given_up (void)
{
  g_autofree char *path = coproc_fault_path ("plugins/tasks.so");
  g_autofree char *folder = g_dir_make_tmp ("coproc-given-up-XXXXXX", NULL);
  g_autofree char *log = g_build_filename (folder, "log", NULL);
  CoprocWorkerResource *worker = g_object_new (COPROC_TYPE_WORKER_RESOURCE, "plugin", path, "entry-point", "run", "mode",
                                               COPROC_WORKER_MODE_THREAD, NULL);
  GError *errors[2] = { NULL, NULL };

  start (worker, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      GVariantDict order;

      g_variant_dict_init (&order, NULL);
      if (i == 0)
        g_variant_dict_insert (&order, "log", "s", log);
      g_variant_dict_insert (&order, "sleep", "x", (gint64) 60 * SECOND);
      coproc_messenger_call_async (coproc_worker_resource_get_messenger (worker), g_variant_dict_end (&order), NULL, -1,
                                   NULL, on_call_ended, &errors[i]);
    }
  coproc_test_until (g_file_test (log, G_FILE_TEST_EXISTS));
  coproc_test_finalize (worker);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      coproc_test_until (errors[i] != NULL);
      g_assert_error (errors[i], COPROC_ERROR, COPROC_ERROR_CLOSED);
      g_clear_error (&errors[i]);
    }
  /* that no thread is left is seen when the test is torn down */
  g_assert_no_errno (g_unlink (log));
  g_assert_no_errno (g_rmdir (folder));
}

/* --- a main loop of its own --- */

static void
on_message (CoprocMessenger *messenger, CoprocMessage *message, gpointer user_data)
{
  g_assert_true (g_thread_self () == ((Data *) user_data)->thread);
  coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), NULL);
}

static gboolean
loop (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (g_main_context_get_thread_default (), FALSE);

  ((Data *) user_data)->thread = g_thread_self ();
  g_signal_connect (messenger, "message", G_CALLBACK (on_message), user_data);
  g_signal_connect_swapped (messenger, "close-requested", G_CALLBACK (g_main_loop_quit), main_loop);
  coproc_messenger_listen (messenger, NULL);
  g_main_loop_run (main_loop);
  return TRUE;
}

static void
test_main_loop (void)
{
  Data data = { 0 };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_function (loop, &data, NULL);

  start (worker, NULL);
  for (guint i = 0; i < 100; i++)
    assert_call (worker, "through its own loop");
  assert_stop (worker, 60 * SECOND);
  g_assert_cmpint (coproc_worker_resource_get_exit_status (worker), ==, 0);
  coproc_test_finalize (worker);
}

/* --- what cannot be --- */

static void
test_refused (void)
{
  const char *const environment[] = { "A=1", NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_function (echo, NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_object_set (worker, "mode", COPROC_WORKER_MODE_PROCESS, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_clear_error (&error);
  g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, "environment", environment, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_FAILED);
  g_clear_error (&error);
  g_object_set (worker, "environment", NULL, NULL);
  start (worker, NULL);
  assert_call (worker, "after all");
  assert_stop (worker, 60 * SECOND);
  coproc_test_finalize (worker);
}

static void
test_no_plugin (void)
{
  CoprocWorkerResource *worker = coproc_worker_resource_new ("no-such-plugin", "run");
  g_autoptr (GError) error = NULL;

  g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  g_assert_false (coproc_worker_resource_start (worker, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_NOT_FOUND);
  g_assert_cmpint (get_state (worker), ==, COPROC_WORKER_STATE_FAILED);
  coproc_test_finalize (worker);
}

/* Many, at once and one after the other. */
static void
test_many (void)
{
  CoprocWorkerResource *workers[16];

  for (guint round = 0; round < coproc_test_scale (20); round++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
        {
          workers[i] = coproc_worker_resource_new_for_function (echo, NULL, NULL);
          start (workers[i], NULL);
        }
      for (guint i = 0; i < G_N_ELEMENTS (workers); i++)
        {
          assert_call (workers[i], "one of many");
          if (i % 2 == 0)
            assert_stop (workers[i], 60 * SECOND);
          coproc_test_finalize (workers[i]);
        }
    }
}

/* --- messages that nobody reads --- */

enum { N_UNREAD = 100 };

/* Takes one message, and the others when it may. */
static gboolean
hesitate (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  GMutex *gate = user_data;

  g_object_set (messenger, "max-queued-messages", 1, NULL);
  for (guint i = 0; i < N_UNREAD; i++)
    {
      g_autoptr (GVariant) payload = coproc_messenger_receive_blocking (messenger, NULL, NULL, error);

      if (payload == NULL || !coproc_messenger_send_norequest (messenger, payload, NULL, error))
        return FALSE;
      if (i > 0)
        continue;
      g_mutex_lock (gate);
      g_mutex_unlock (gate);
    }
  return TRUE;
}

static gint64
get_cpu_time (void)
{
  struct rusage usage;

  g_assert_no_errno (getrusage (RUSAGE_SELF, &usage));
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void
receive_number (CoprocMessenger *messenger, gint32 number)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) payload = coproc_messenger_receive_blocking (messenger, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (payload), ==, number);
}

static void
test_unread (void)
{
  GMutex gate;
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_function (hesitate, &gate, NULL);
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  gint64 begin;

  g_test_summary ("Messages that a thread does not read, beyond what its queues take, use no processor");

  g_mutex_init (&gate);
  g_mutex_lock (&gate);
  start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  for (gint32 i = 0; i < N_UNREAD; i++)
    g_assert_true (coproc_messenger_send_norequest (messenger, g_variant_new_int32 (i), NULL, &error));
  receive_number (messenger, 0);

  begin = get_cpu_time ();
  g_usleep (300000); /* the time in which nothing may happen */
  if (!coproc_test_is_slow ())
    g_assert_cmpint (get_cpu_time () - begin, <, 20000);

  g_mutex_unlock (&gate);
  for (gint32 i = 1; i < N_UNREAD; i++)
    receive_number (messenger, i);
  assert_stop (worker, 60 * SECOND);
  coproc_test_finalize (worker);
  g_mutex_clear (&gate);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/worker-thread/by-reference", test_by_reference);
  coproc_test_add ("/coproc/worker-thread/function", test_function);
  coproc_test_add ("/coproc/worker-thread/unread", test_unread);
  coproc_test_add_data ("/coproc/worker-thread/fails", "no space for this", test_fails);
  coproc_test_add_data ("/coproc/worker-thread/fails-silently", NULL, test_fails);
  coproc_test_add ("/coproc/worker-thread/stubborn", test_stubborn);
  coproc_test_add ("/coproc/worker-thread/dropped", test_dropped);
  coproc_test_add ("/coproc/worker-thread/given-up", test_given_up);
  coproc_test_add ("/coproc/worker-thread/main-loop", test_main_loop);
  coproc_test_add ("/coproc/worker-thread/refused", test_refused);
  coproc_test_add ("/coproc/worker-thread/no-plugin", test_no_plugin);
  coproc_test_add ("/coproc/worker-thread/many", test_many);
  return g_test_run ();
}
