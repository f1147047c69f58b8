/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are killed at any moment, and hosts that end while they are (faults B2, B22, B29). What is done when is drawn
 * from the seed that GTest prints.
 */
#include "coproc-fault.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC
#define MAX_REQUESTS 24

/* --- B2: the ledger --- */

/* What has become of one request. */
typedef enum
{
  OUTCOME_NONE,
  OUTCOME_ANSWERED,
  OUTCOME_NOT_STARTED,
  OUTCOME_DIED,
} Outcome;

typedef struct
{
  CoprocWorkerResource *worker;
  char *notes_path;        /* where the worker notes, before anything else, what it has been given */
  guint n_requests;
  struct
  {
    Outcome outcome;
    guint n_settled;
    guint n_noted;
  } requests[MAX_REQUESTS];
  guint counts[OUTCOME_DIED + 1]; /* of all rounds */
  guint n_noted_and_died;
} Ledger;

/* One asynchronous call of a ledger. */
typedef struct
{
  Ledger *ledger;
  guint number;
} Entry;

static Outcome
get_outcome (const GError *error)
{
  if (error == NULL)
    return OUTCOME_ANSWERED;
  if (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_NOT_STARTED))
    return OUTCOME_NOT_STARTED;
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  return OUTCOME_DIED;
}

static void
on_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Entry *entry = user_data;
  Ledger *ledger = entry->ledger;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = coproc_messenger_call_finish (COPROC_MESSENGER (source), result, &error);

  g_assert_true ((reply == NULL) == (error != NULL));
  ledger->requests[entry->number].outcome = get_outcome (error);
  ledger->requests[entry->number].n_settled++;
}

static void
ledger_call (Ledger *self, guint number)
{
  g_autofree char *instruction = g_strdup_printf ("note %u; reply %d", number, g_test_rand_int_range (0, 5000));
  Entry *entry = g_new (Entry, 1);

  *entry = (Entry) { self, number };
  coproc_messenger_call_async (coproc_worker_resource_get_messenger (self->worker), g_variant_new_string (instruction), "do",
                               -1, NULL, on_called, entry);
}

static void
read_notes (Ledger *self)
{
  g_autofree char *notes = NULL;
  gsize size;

  if (!g_file_get_contents (self->notes_path, &notes, &size, NULL))
    return;
  g_assert_cmpuint (size % sizeof (guint32), ==, 0);
  for (gsize i = 0; i < size / sizeof (guint32); i++)
    {
      guint32 number;

      memcpy (&number, notes + i * sizeof number, sizeof number);
      g_assert_cmpuint (number, <, self->n_requests);
      self->requests[number].n_noted++;
    }
}

/* Each was settled once, and in the right way: what was answered was done, once; what was not started was not done. */
static void
ledger_check (Ledger *self)
{
  read_notes (self);
  for (guint i = 0; i < self->n_requests; i++)
    {
      const Outcome outcome = self->requests[i].outcome;

      g_assert_cmpuint (self->requests[i].n_settled, ==, 1);
      g_assert_cmpuint (self->requests[i].n_noted, <=, 1);
      if (outcome == OUTCOME_ANSWERED)
        g_assert_cmpuint (self->requests[i].n_noted, ==, 1);
      if (outcome == OUTCOME_NOT_STARTED)
        g_assert_cmpuint (self->requests[i].n_noted, ==, 0);
      self->counts[outcome]++;
      self->n_noted_and_died += outcome == OUTCOME_DIED && self->requests[i].n_noted > 0;
    }
}

static gboolean
all_settled (Ledger *self)
{
  for (guint i = 0; i < self->n_requests; i++)
    if (self->requests[i].n_settled == 0)
      return FALSE;
  return TRUE;
}

static void
kill_worker (CoprocWorkerResource *worker)
{
  const GPid pid = coproc_worker_resource_get_pid (worker);

  if (pid > 0)
    kill (pid, SIGKILL);
}

static void
kill_round (Ledger *self)
{
  g_remove (self->notes_path);
  memset (self->requests, 0, sizeof self->requests);
  self->n_requests = (guint) g_test_rand_int_range (1, MAX_REQUESTS);

  coproc_fault_start (self->worker, NULL);
  for (guint i = 0; i < self->n_requests; i++)
    ledger_call (self, i);
  g_usleep ((gulong) g_test_rand_int_range (0, 1500)); /* any moment is a good one */
  kill_worker (self->worker);
  coproc_test_until (all_settled (self) && !coproc_worker_resource_is_alive (self->worker));
  ledger_check (self);
}

static void
test_kills (void)
{
  const guint n_rounds = coproc_test_scale_long (coproc_test_can_measure_memory () ? 250 : 50, 1000);
  g_autofree char *dir = g_dir_make_tmp ("coproc-chaos-XXXXXX", NULL);
  g_auto (GStrv) environment = NULL;
  Ledger ledger = { .worker = coproc_fault_new_hostile () };

  ledger.notes_path = g_build_filename (dir, "notes", NULL);
  environment = g_environ_setenv (g_get_environ (), "HOSTILE_NOTES", ledger.notes_path, TRUE);
  g_object_set (ledger.worker, "environment", environment, NULL);
  for (guint i = 0; i < n_rounds; i++)
    kill_round (&ledger);

  g_test_message ("%u kills: %u answered, %u not started, %u died (%u of them taken up by its code)", n_rounds,
                  ledger.counts[OUTCOME_ANSWERED], ledger.counts[OUTCOME_NOT_STARTED], ledger.counts[OUTCOME_DIED],
                  ledger.n_noted_and_died);
  g_remove (ledger.notes_path);
  g_rmdir (dir);
  g_free (ledger.notes_path);
  coproc_fault_release (ledger.worker);
}

/* --- B29 --- */

#define N_WORKERS 4
#define N_CALLS 16

static void
on_settled (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = coproc_messenger_call_finish (COPROC_MESSENGER (source), result, &error);

  g_assert_true ((reply == NULL) == (error != NULL));
  (*(guint *) user_data)++;
}

/* How a host ends: it stops its workers, and may close their connections first, while some of them die. */
static void
shut_down (CoprocWorkerResource **workers, CoprocTestResult *results)
{
  for (guint i = 0; i < N_WORKERS; i++)
    {
      if (g_test_rand_bit ())
        coproc_messenger_close (coproc_worker_resource_get_messenger (workers[i]));
      coproc_worker_resource_stop_async (workers[i], SECOND / 5, NULL, coproc_test_result_store, &results[i]);
      if (g_test_rand_bit ())
        kill_worker (workers[g_test_rand_int_range (0, N_WORKERS)]);
    }
}

static void
shut_down_round (void)
{
  CoprocWorkerResource *workers[N_WORKERS];
  CoprocTestResult results[N_WORKERS] = { { 0 } };
  guint n_settled = 0;
  gint64 start;

  for (guint i = 0; i < N_WORKERS; i++)
    {
      workers[i] = coproc_fault_new_hostile ();
      g_object_set (workers[i], "restart-policy", g_test_rand_int_range (0, 3), NULL);
      coproc_fault_start (workers[i], NULL);
    }
  for (guint i = 0; i < N_WORKERS * N_CALLS; i++)
    coproc_messenger_call_async (coproc_worker_resource_get_messenger (workers[i % N_WORKERS]),
                                 g_variant_new_string (g_test_rand_int_range (0, 40) == 0 ? "segv" : "reply 1000"), "do", -1,
                                 NULL, on_settled, &n_settled);
  g_usleep ((gulong) g_test_rand_int_range (0, 2000)); /* any moment is a good one */

  start = g_get_monotonic_time ();
  shut_down (workers, results);
  for (guint i = 0; i < N_WORKERS; i++)
    {
      g_autoptr (GError) error = NULL;

      coproc_worker_resource_stop_finish (workers[i], coproc_test_result_wait (&results[i]), &error);
      g_assert_no_error (error);
      coproc_test_result_clear (&results[i]);
      g_assert_false (coproc_worker_resource_is_alive (workers[i]));
    }
  coproc_test_until (n_settled == N_WORKERS * N_CALLS);
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (5 * SECOND));
  for (guint i = 0; i < N_WORKERS; i++)
    coproc_test_finalize (workers[i]);
}

static void
test_shut_down (void)
{
  const guint n_rounds = coproc_test_scale_long (coproc_test_can_measure_memory () ? 40 : 10, 500);

  for (guint i = 0; i < n_rounds; i++)
    shut_down_round ();
}

/* --- B22 --- */

/* The calls of a context that is iterated too late end, once, when it is, whatever has become of the worker
 * and of the messenger meanwhile; who made the context may have given it up before. */
static void
test_late_context (void)
{
  const guint n_rounds = coproc_test_scale (1000);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  coproc_fault_start (worker, NULL);
  for (guint i = 0; i < n_rounds; i++)
    {
      GMainContext *context = g_main_context_new ();
      CoprocMessenger *worker_end, *host_end;
      guint n_settled = 0;

      coproc_messenger_new_pair (COPROC_TYPE_PRIORITY_MESSENGER, &worker_end, &host_end, NULL);
      g_main_context_push_thread_default (context);
      coproc_messenger_call_async (coproc_worker_resource_get_messenger (worker), g_variant_new_string ("reply 1"), "do",
                                   -1, NULL, on_settled, &n_settled);
      coproc_messenger_call_async (host_end, g_variant_new_string ("nobody answers"), NULL, -1, NULL, on_settled,
                                   &n_settled);
      g_main_context_pop_thread_default (context);
      g_object_unref (host_end);
      g_object_unref (worker_end);
      if (i == n_rounds - 1)
        kill_worker (worker);
      g_assert_cmpuint (n_settled, ==, 0);
      while (n_settled < 2)
        g_main_context_iteration (context, TRUE);
      g_main_context_unref (context);
    }
  coproc_fault_release (worker);
}

static void
on_call_lost (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_messenger_call_finish (COPROC_MESSENGER (source), result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  (*(guint *) user_data)++;
}

static void
on_receive_lost (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (coproc_messenger_receive_finish (COPROC_MESSENGER (source), result, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  (*(guint *) user_data)++;
}

/* A context that nobody iterates goes, and with it its calls: each ends once with CLOSED, before the context is freed, be
 * it waiting, answered already, or refused; with the messenger there or gone. The other contexts' calls go on. */
static void
test_lost_context (void)
{
  const guint n_rounds = coproc_test_scale (1000);
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();
  CoprocMessenger *messenger;

  coproc_fault_start (worker, NULL);
  messenger = coproc_worker_resource_get_messenger (worker);
  for (guint i = 0; i < n_rounds; i++)
    {
      GMainContext *context = g_main_context_new ();
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      CoprocMessenger *worker_end, *host_end;
      CoprocTestResult kept = { 0 };
      g_autoptr (GVariant) reply = NULL;
      guint n_closed = 0, n_settled = 0;

      coproc_messenger_new_pair (COPROC_TYPE_PRIORITY_MESSENGER, &worker_end, &host_end, NULL);
      coproc_messenger_call_async (messenger, g_variant_new_string ("reply 1"), "do", -1, NULL, coproc_test_result_store,
                                   &kept);
      g_main_context_push_thread_default (context);
      coproc_messenger_call_async (messenger, g_variant_new_string ("reply 1"), "do", SECOND, cancellable, on_settled,
                                   &n_settled);
      coproc_messenger_call_async (host_end, g_variant_new_string ("nobody answers"), NULL, -1, cancellable,
                                   on_call_lost, &n_closed);
      coproc_messenger_receive_async (host_end, NULL, NULL, on_receive_lost, &n_closed);
      g_main_context_pop_thread_default (context);
      if (i % 2 == 0)
        {
          g_object_unref (host_end);
          g_object_unref (worker_end);
        }
      g_assert_cmpuint (n_settled + n_closed, ==, 0);
      g_main_context_unref (context);
      g_assert_cmpuint (n_settled, ==, 1);
      g_assert_cmpuint (n_closed, ==, 2);

      reply = coproc_messenger_call_finish (messenger, coproc_test_result_wait (&kept), &error);
      g_assert_no_error (error);
      coproc_test_result_clear (&kept);
      if (i % 2 != 0)
        {
          coproc_test_finalize (host_end);
          g_object_unref (worker_end);
        }
    }
  coproc_fault_release (worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/fault-chaos/B2", test_kills);
  coproc_test_add ("/coproc/fault-chaos/B22/late", test_late_context);
  coproc_test_add ("/coproc/fault-chaos/B22/lost", test_lost_context);
  coproc_test_add ("/coproc/fault-chaos/B29", test_shut_down);
  return g_test_run ();
}
