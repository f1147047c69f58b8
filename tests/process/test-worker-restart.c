/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are restarted, and how that ends (fault B26).
 */
#include "worker-util.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define SECOND G_USEC_PER_SEC

/* A supervised worker and what it has told. */
typedef struct
{
  CoprocWorkerResource *worker;
  Exited exited;
  guint n_restarted;
  guint count;             /* what the last one said */
  GThread *thread;         /* that told it */
  gboolean was_running;    /* whenever that was told */
  guint n_lines;
  gint64 line_times[16];
} Ward;

static void
on_restarted (CoprocWorkerResource *worker, guint count, gpointer user_data)
{
  Ward *ward = user_data;

  ward->n_restarted++;
  ward->count = count;
  ward->thread = g_thread_self ();
  ward->was_running = get_state (worker) == COPROC_WORKER_STATE_RUNNING;
}

static void
on_line (CoprocWorkerResource *worker, const char *line, gpointer user_data)
{
  Ward *ward = user_data;

  if (ward->n_lines < G_N_ELEMENTS (ward->line_times))
    ward->line_times[ward->n_lines++] = g_get_monotonic_time ();
}

static void
ward_watch (Ward *self, CoprocWorkerResource *worker, CoprocRestartPolicy policy)
{
  *self = (Ward) { .worker = worker };
  g_object_set (worker, "restart-policy", policy, NULL);
  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &self->exited);
  g_signal_connect (worker, "restarted", G_CALLBACK (on_restarted), self);
  g_signal_connect (worker, "stderr-line", G_CALLBACK (on_line), self);
}

static void
ward_begin (Ward *self, CoprocRestartPolicy policy)
{
  ward_watch (self, coproc_fault_new_hostile (), policy);
  coproc_fault_start (self->worker, NULL);
}

static CoprocMessenger *
ward_get_messenger (Ward *self)
{
  return coproc_worker_resource_get_messenger (self->worker);
}

static void
ward_kill (Ward *self)
{
  const GPid pid = coproc_worker_resource_get_pid (self->worker);

  g_assert_cmpint (pid, >, 0);
  g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
}

static gboolean
is_running (Ward *self)
{
  return get_state (self->worker) == COPROC_WORKER_STATE_RUNNING;
}

/* Nothing happens any more although there would have been time for it. */
static void
ward_assert_rests (Ward *self, CoprocWorkerState state)
{
  const gint64 end = g_get_monotonic_time () + SECOND / 4;
  const guint n_restarted = self->n_restarted;

  while (g_get_monotonic_time () < end)
    coproc_test_turn (G_MAXINT64, "");
  g_assert_cmpuint (self->n_restarted, ==, n_restarted);
  g_assert_cmpint (get_state (self->worker), ==, state);
  g_assert_cmpint (coproc_worker_resource_get_pid (self->worker), ==, 0);
  g_assert_false (coproc_worker_resource_is_alive (self->worker));
}

/* --- properties --- */

static void
test_properties (void)
{
  g_autoptr (CoprocWorkerResource) worker = new_worker ("clean");
  CoprocRestartPolicy policy;
  guint max_restarts, n_notified = 0;
  gint64 window;

  g_object_get (worker, "restart-policy", &policy, "max-restarts", &max_restarts, "restart-window", &window,
                NULL);
  g_assert_cmpint (policy, ==, COPROC_RESTART_POLICY_NEVER);
  g_assert_cmpuint (max_restarts, ==, 5);
  g_assert_cmpint (window, ==, 30 * SECOND);

  g_signal_connect_swapped (worker, "notify::max-restarts", G_CALLBACK (g_atomic_int_inc), &n_notified);
  g_object_set (worker, "restart-policy", COPROC_RESTART_POLICY_ALWAYS, "max-restarts", 7u, "restart-window",
                (gint64) -1, NULL);
  g_object_set (worker, "max-restarts", 7u, NULL);
  g_object_get (worker, "restart-policy", &policy, "max-restarts", &max_restarts, "restart-window", &window,
                NULL);
  g_assert_cmpint (policy, ==, COPROC_RESTART_POLICY_ALWAYS);
  g_assert_cmpuint (max_restarts, ==, 7);
  g_assert_cmpint (window, ==, -1);
  g_assert_cmpuint (n_notified, ==, 1);
}

/* --- a restart --- */

/* Another process with the same arguments, and another messenger that has counted nothing yet. The one before
 * it can still be read. */
static void
test_messenger (void)
{
  g_autoptr (CoprocMessenger) old = NULL;
  g_autoptr (GVariant) unread = NULL;
  g_autoptr (GVariant) nothing = NULL;
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  GPid pid;
  Ward ward;

  ward_watch (&ward, coproc_fault_new_hostile (), COPROC_RESTART_POLICY_ON_FAILURE);
  coproc_fault_start (ward.worker, "say 42");
  old = g_object_ref (ward_get_messenger (&ward));
  pid = coproc_worker_resource_get_pid (ward.worker);
  coproc_messenger_send_request (old, g_variant_new_int32 (7), "echo", &error);
  g_assert_no_error (error);
  coproc_test_until (coproc_messenger_available (old, "echo", NULL) == 1);
  ward_kill (&ward);
  coproc_test_until (ward.n_restarted == 1);

  g_assert_cmpuint (ward.count, ==, 1);
  g_assert_true (ward.was_running);
  g_assert_true (ward.thread == g_thread_self ());
  g_assert_cmpuint (ward.exited.n, ==, 1);
  g_assert_cmpint (ward.exited.signum, ==, SIGKILL);
  g_assert_cmpint (coproc_worker_resource_get_pid (ward.worker), !=, pid);
  coproc_test_until (ward.n_lines == 2);

  messenger = ward_get_messenger (&ward);
  g_assert_true (messenger != old);
  g_assert_cmpuint (coproc_messenger_requests_sent (messenger, "echo"), ==, 0);
  g_assert_cmpuint (coproc_messenger_requests_sent (old, "echo"), ==, 1);
  unread = coproc_messenger_receive_remaining (old, "echo", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (unread), ==, 7);
  nothing = coproc_messenger_receive_blocking (old, "echo", NULL, &error);
  g_assert_null (nothing);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  coproc_fault_ping (ward.worker);

  coproc_fault_release (ward.worker);
}

/* From the one life to the next it is starting: there is no process, but a messenger, and no other start. */
static void
test_between (void)
{
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger;
  Ward ward;

  ward_begin (&ward, COPROC_RESTART_POLICY_ON_FAILURE);
  messenger = ward_get_messenger (&ward);
  ward_kill (&ward);
  coproc_test_until (ward.exited.n == 1);
  if (ward.n_restarted == 0 && coproc_worker_resource_get_pid (ward.worker) == 0)
    {
      g_assert_cmpint (get_state (ward.worker), ==, COPROC_WORKER_STATE_STARTING);
      g_assert_true (coproc_worker_resource_is_alive (ward.worker));
      g_assert_true (ward_get_messenger (&ward) == messenger);
      g_assert_false (coproc_worker_resource_start (ward.worker, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_ALREADY_ALIVE);
    }
  coproc_test_until (ward.n_restarted == 1);
  coproc_fault_ping (ward.worker);
  coproc_fault_release (ward.worker);
}

/* Which ends are followed by a restart. */
static void
test_policies (void)
{
  static const struct
  {
    CoprocRestartPolicy policy;
    const char *instruction;
    gboolean restarts;
  } rows[] = {
    { COPROC_RESTART_POLICY_NEVER, "kill 9", FALSE },
    { COPROC_RESTART_POLICY_ON_FAILURE, "return", FALSE },
    { COPROC_RESTART_POLICY_ON_FAILURE, "fail", TRUE },
    { COPROC_RESTART_POLICY_ON_FAILURE, "_exit 0", TRUE }, /* without a goodbye */
    { COPROC_RESTART_POLICY_ALWAYS, "return", TRUE },
    { COPROC_RESTART_POLICY_ALWAYS, "segv", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Ward ward;

      g_test_message ("%s", rows[i].instruction);
      ward_begin (&ward, rows[i].policy);
      coproc_fault_order (ward.worker, rows[i].instruction);
      coproc_test_until (ward.exited.n == 1);
      if (rows[i].restarts)
        {
          coproc_test_until (ward.n_restarted == 1);
          coproc_fault_ping (ward.worker);
        }
      else
        ward_assert_rests (&ward, COPROC_WORKER_STATE_EXITED);
      coproc_fault_release (ward.worker);
    }
}

/* A function that fails is restarted in a new thread; it is called as often as that. */
static gboolean
fail_twice (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  if (g_atomic_int_add ((gint *) user_data, 1) < 2)
    {
      g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
      return FALSE;
    }
  coproc_messenger_receive_any (messenger, -1, NULL, error);
  return FALSE;
}

static void
test_thread (void)
{
  gint n_calls = 0;
  Ward ward;

  ward_watch (&ward, coproc_worker_resource_new_for_function (fail_twice, &n_calls, NULL),
              COPROC_RESTART_POLICY_ON_FAILURE);
  start_worker (ward.worker, NULL);
  coproc_test_until (ward.n_restarted == 2);
  g_assert_cmpuint (ward.exited.n, ==, 2);
  g_assert_cmpint (ward.exited.status, ==, 1);
  g_assert_cmpint (g_atomic_int_get (&n_calls), ==, 3);
  assert_stop (ward.worker, 60 * SECOND);
  ward_assert_rests (&ward, COPROC_WORKER_STATE_EXITED);
  coproc_test_finalize (ward.worker);
}

/* Told where the worker was made, also its messengers, whoever has begun the life. */
static gpointer
context_in_thread (gpointer user_data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Ward ward;

  g_main_context_push_thread_default (context);
  ward_begin (&ward, COPROC_RESTART_POLICY_ON_FAILURE);
  ward_kill (&ward);
  while (ward.n_restarted == 0)
    g_main_context_iteration (context, TRUE);
  g_assert_true (ward.thread == g_thread_self ());

  ward.exited.n = 0;
  g_signal_connect_swapped (ward_get_messenger (&ward), "closed", G_CALLBACK (g_atomic_int_inc), user_data);
  assert_stop (ward.worker, SECOND);
  while (g_atomic_int_get ((gint *) user_data) == 0)
    g_main_context_iteration (context, TRUE);
  g_object_unref (ward.worker);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_context (void)
{
  gint n_closed = 0;

  g_thread_join (g_thread_new ("context", context_in_thread, &n_closed));
  g_assert_cmpint (n_closed, ==, 1);
}

/* --- no restart any more --- */

typedef gboolean (*EndFunc) (CoprocWorkerResource *worker, GError **error);

static gboolean
end_by_stop (CoprocWorkerResource *worker, GError **error)
{
  return coproc_worker_resource_stop (worker, 0, error);
}

static gboolean
end_by_join (CoprocWorkerResource *worker, GError **error)
{
  return coproc_worker_resource_join (worker, 60 * SECOND, NULL, error);
}

static gboolean
end_by_stop_async (CoprocWorkerResource *worker, GError **error)
{
  CoprocTestResult result = { 0 };
  gboolean stopped;

  coproc_worker_resource_stop_async (worker, 0, NULL, coproc_test_result_store, &result);
  stopped = coproc_worker_resource_stop_finish (worker, coproc_test_result_wait (&result), error);
  coproc_test_result_clear (&result);
  return stopped;
}

static gboolean
end_by_join_async (CoprocWorkerResource *worker, GError **error)
{
  CoprocTestResult result = { 0 };
  gboolean joined;

  coproc_worker_resource_join_async (worker, -1, NULL, coproc_test_result_store, &result);
  joined = coproc_worker_resource_join_finish (worker, coproc_test_result_wait (&result), error);
  coproc_test_result_clear (&result);
  return joined;
}

static const EndFunc ends[] = {
  end_by_stop, end_by_join, coproc_worker_resource_terminate, end_by_stop_async, end_by_join_async,
};

/* At any time after the death: before the restart, in the middle of it, and after it. */
static void
test_ended (gconstpointer data)
{
  const EndFunc end = ends[GPOINTER_TO_UINT (data)];

  for (guint i = 0; i < 6; i++)
    {
      g_autoptr (GError) error = NULL;
      gint64 when;
      Ward ward;

      ward_begin (&ward, COPROC_RESTART_POLICY_ALWAYS);
      ward_kill (&ward);
      coproc_test_until (ward.exited.n == 1);
      for (when = g_get_monotonic_time () + i * SECOND / 40; g_get_monotonic_time () < when;)
        coproc_test_turn (G_MAXINT64, "");

      g_assert_true (end (ward.worker, &error));
      g_assert_no_error (error);
      g_assert_false (coproc_worker_resource_is_alive (ward.worker));
      if (i == 1)
        ward_assert_rests (&ward, get_state (ward.worker));
      coproc_fault_release (ward.worker);
    }
}

/* Only a wish counts, not its coming true: who was asked to end is not restarted when it dies instead. */
static void
test_asked (void)
{
  g_autoptr (GError) error = NULL;
  Ward ward;

  ward_begin (&ward, COPROC_RESTART_POLICY_ALWAYS);
  kill (coproc_worker_resource_get_pid (ward.worker), SIGSTOP);
  g_assert_false (coproc_worker_resource_join (ward.worker, 1, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT);
  ward_kill (&ward);
  coproc_test_until (ward.exited.n == 1);
  ward_assert_rests (&ward, COPROC_WORKER_STATE_EXITED);
  coproc_fault_release (ward.worker);
}

/* The object goes away at any time between two lives: nothing is left of it. */
static void
test_dropped (void)
{
  for (guint i = 0; i < 8; i++)
    {
      gint64 when;
      Ward ward;

      ward_begin (&ward, COPROC_RESTART_POLICY_ALWAYS);
      ward_kill (&ward);
      for (when = g_get_monotonic_time () + i * SECOND / 50; g_get_monotonic_time () < when;)
        coproc_test_turn (G_MAXINT64, "");
      coproc_test_finalize (ward.worker);
    }
}

/* --- the limit --- */

static void
assert_limit (const GError *error)
{
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_RESTART_LIMIT);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "2 times in 30.0 s"));
  g_assert_nonnull (strstr (error->message, "signal KILL"));
}

/* Who has waited was told of the death; who comes later is told why there is nobody. */
static void
test_limit (void)
{
  CoprocMessenger *messenger;
  Ward ward;

  ward_begin (&ward, COPROC_RESTART_POLICY_ON_FAILURE);
  g_object_set (ward.worker, "max-restarts", 2u, NULL);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;

      coproc_test_until (ward.n_restarted == i && is_running (&ward));
      messenger = ward_get_messenger (&ward);
      g_assert_null (coproc_messenger_call (messenger, g_variant_new_string ("kill 9"), "do", 60 * SECOND, NULL,
                                            &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
      coproc_test_until (ward.exited.n == i + 1);
    }

  g_assert_cmpint (get_state (ward.worker), ==, COPROC_WORKER_STATE_FAILED);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (GError) error = NULL;

      if (i == 0)
        g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
      else if (i == 1)
        g_assert_false (coproc_messenger_send_norequest (messenger, g_variant_new_int32 (1), NULL, &error));
      else if (i == 2)
        g_assert_false (end_by_join (ward.worker, &error));
      else
        g_assert_false (end_by_join_async (ward.worker, &error));
      assert_limit (error);
    }
  g_assert_true (coproc_worker_resource_stop (ward.worker, 0, NULL));
  ward_assert_rests (&ward, COPROC_WORKER_STATE_FAILED);

  /* The application may begin anew, with all its restarts. */
  coproc_fault_start (ward.worker, NULL);
  coproc_fault_ping (ward.worker);
  ward_kill (&ward);
  coproc_test_until (ward.n_restarted == 3);
  g_assert_cmpuint (ward.count, ==, 1);
  coproc_fault_release (ward.worker);
}

static gint64
get_cpu_time (int who)
{
  struct rusage usage;

  g_assert_cmpint (getrusage (who, &usage), ==, 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND + usage.ru_utime.tv_usec
         + usage.ru_stime.tv_usec;
}

/* A worker that cannot even be loaded any more: five tries, each after twice the time, and hardly any work. */
static void
test_crash_loop (void)
{
  const gint64 cpu_start = get_cpu_time (RUSAGE_SELF) + get_cpu_time (RUSAGE_CHILDREN);
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  gint64 cpu_used;
  Ward ward;

  ward_begin (&ward, COPROC_RESTART_POLICY_ON_FAILURE);
  g_setenv ("HOSTILE_LOAD", "say 1; segv", TRUE);
  ward_kill (&ward);
  coproc_test_until (!coproc_worker_resource_is_alive (ward.worker));
  g_unsetenv ("HOSTILE_LOAD");

  g_assert_cmpint (get_state (ward.worker), ==, COPROC_WORKER_STATE_FAILED);
  coproc_test_until (ward.n_lines == 5);
  g_assert_cmpuint (ward.n_restarted, ==, 0);
  g_assert_cmpuint (ward.exited.n, ==, 1);
  for (guint i = 1; i < ward.n_lines; i++)
    {
      const gint64 pause = ward.line_times[i] - ward.line_times[i - 1];
      const gint64 expected = SECOND / 10 * (1 << i);

      g_test_message ("%" G_GINT64_FORMAT " ms", pause / 1000);
      /* a line that came late makes the next pause look shorter */
      g_assert_cmpint (pause, >, expected - SECOND / 20);
      g_assert_cmpint (pause, <, coproc_fault_limit (expected + SECOND / 2));
    }
  g_assert_false (coproc_messenger_send_norequest (ward_get_messenger (&ward), g_variant_new_int32 (1), NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_RESTART_LIMIT);
  g_assert_nonnull (strstr (error->message, "signal SEGV"));

  cpu_used = get_cpu_time (RUSAGE_SELF) + get_cpu_time (RUSAGE_CHILDREN) - cpu_start;
  g_test_message ("%" G_GINT64_FORMAT " ms of processor time", cpu_used / 1000);
  if (coproc_test_can_measure_memory ())
    g_assert_cmpint (cpu_used, <, (g_get_monotonic_time () - start) / 20);
  coproc_fault_release (ward.worker);
}

/* --- many at a time --- */

#define N_WORKERS 50
#define TICK_MS 10

typedef struct
{
  Ward wards[N_WORKERS];
  CoprocTestResult results[N_WORKERS];
  gint64 next_tick;
  GArray *lateness;        /* gint64 */
} Crowd;

static gboolean
on_tick (gpointer user_data)
{
  Crowd *crowd = user_data;
  const gint64 now = g_get_monotonic_time ();
  const gint64 late = MAX (now - crowd->next_tick, 0);

  if (crowd->next_tick != 0)
    g_array_append_val (crowd->lateness, late);
  crowd->next_tick = now + TICK_MS * 1000;
  return G_SOURCE_CONTINUE;
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  return (*(const gint64 *) a > *(const gint64 *) b) - (*(const gint64 *) a < *(const gint64 *) b);
}

static gboolean
all_restarted (Crowd *crowd, guint n)
{
  for (guint i = 0; i < N_WORKERS; i++)
    if (crowd->wards[i].n_restarted < n || !is_running (&crowd->wards[i]))
      return FALSE;
  return TRUE;
}

static void
crowd_start (Crowd *self)
{
  for (guint i = 0; i < N_WORKERS; i++)
    {
      ward_watch (&self->wards[i], coproc_fault_new_hostile (), COPROC_RESTART_POLICY_ALWAYS);
      coproc_worker_resource_start_async (self->wards[i].worker, NULL, NULL, coproc_test_result_store,
                                          &self->results[i]);
    }
  for (guint i = 0; i < N_WORKERS; i++)
    {
      g_autoptr (GError) error = NULL;

      coproc_worker_resource_start_finish (self->wards[i].worker, coproc_test_result_wait (&self->results[i]),
                                           &error);
      g_assert_no_error (error);
      coproc_test_result_clear (&self->results[i]);
    }
}

static void
crowd_stop (Crowd *self)
{
  for (guint i = 0; i < N_WORKERS; i++)
    coproc_worker_resource_stop_async (self->wards[i].worker, SECOND, NULL, coproc_test_result_store,
                                       &self->results[i]);
  for (guint i = 0; i < N_WORKERS; i++)
    {
      g_autoptr (GError) error = NULL;

      coproc_worker_resource_stop_finish (self->wards[i].worker, coproc_test_result_wait (&self->results[i]),
                                          &error);
      g_assert_no_error (error);
      coproc_test_result_clear (&self->results[i]);
      coproc_test_finalize (self->wards[i].worker);
    }
}

/* Everything starts, dies and is restarted without keeping the main loop from its timer. What is asserted here leaves
 * room for a machine that has other things to do; the figure itself is told, and held with `-m slow`. */
static void
test_main_loop (void)
{
  const guint n_rounds = coproc_test_scale_long (1, 4);
  Crowd crowd = { .lateness = g_array_new (FALSE, FALSE, sizeof (gint64)) };
  const guint tick = g_timeout_add_full (G_PRIORITY_HIGH, TICK_MS, on_tick, &crowd, NULL);
  gint64 p99;

  crowd_start (&crowd);
  for (guint round = 1; round <= n_rounds; round++)
    {
      for (guint i = 0; i < N_WORKERS; i++)
        ward_kill (&crowd.wards[i]);
      coproc_test_until (all_restarted (&crowd, round));
    }
  crowd_stop (&crowd);
  g_source_remove (tick);

  g_array_sort (crowd.lateness, compare_times);
  g_assert_cmpuint (crowd.lateness->len, >, 5);
  p99 = g_array_index (crowd.lateness, gint64, (crowd.lateness->len * 99 + 99) / 100 - 1);
  g_test_message ("%u ticks, p50 %" G_GINT64_FORMAT " us, p99 %" G_GINT64_FORMAT " us late", crowd.lateness->len,
                  g_array_index (crowd.lateness, gint64, crowd.lateness->len / 2), p99);
  if (coproc_test_can_measure_memory ())
    g_assert_cmpint (p99, <, g_test_slow () ? 10000 : 200000);
  g_array_unref (crowd.lateness);
}

int
main (int argc, char **argv)
{
  static const char *const end_names[] = { "stop", "join", "terminate", "stop-async", "join-async" };

  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/worker-restart/properties", test_properties);
  coproc_test_add ("/coproc/worker-restart/messenger", test_messenger);
  coproc_test_add ("/coproc/worker-restart/between", test_between);
  coproc_test_add ("/coproc/worker-restart/policies", test_policies);
  coproc_test_add ("/coproc/worker-restart/thread", test_thread);
  coproc_test_add ("/coproc/worker-restart/context", test_context);
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autofree char *path = g_strdup_printf ("/coproc/worker-restart/ended/%s", end_names[i]);

      coproc_test_add_data (path, GUINT_TO_POINTER (i), test_ended);
    }
  coproc_test_add ("/coproc/worker-restart/asked", test_asked);
  coproc_test_add ("/coproc/worker-restart/dropped", test_dropped);
  coproc_test_add ("/coproc/worker-restart/limit", test_limit);
  coproc_test_add ("/coproc/worker-restart/B26", test_crash_loop);
  coproc_test_add ("/coproc/worker-restart/main-loop", test_main_loop);
  return g_test_run ();
}
