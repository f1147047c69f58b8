/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Fault B1, the whole matrix: of what a worker dies, in which phase, and how the host is waiting: in a
 * call that blocks, in an asynchronous one, or in one that blocks inside a callback of its main loop.
 */
#include "fault-patient.h"

#include <signal.h>

static const Cause causes[] = {
  { "kill 9", "signal KILL", -1, SIGKILL, FALSE },
  { "segv", "signal SEGV", -1, SIGSEGV, TRUE },
  { "abort", "signal ABRT", -1, SIGABRT, TRUE },
#ifndef COPROC_FAULT_NEEDS_ADDRESS_SPACE
  { "alloc 0x40000000", "signal TRAP", -1, SIGTRAP, TRUE, 512 << 20 },
#endif
  { "kill 15", "signal TERM", -1, SIGTERM, FALSE },
  { "kill 24", "signal XCPU, its CPU time was used up", -1, SIGXCPU, FALSE },
  { "kill 31", "signal SYS", -1, SIGSYS, TRUE },
  { "exit 3", "exit code 3", 3, 0, TRUE },
};

/* --- how the host waits --- */

typedef enum
{
  WAY_SYNC,
  WAY_ASYNC,
  WAY_CALLBACK,
  N_WAYS,
} Way;

static const char *const way_names[N_WAYS] = { "sync", "async", "callback" };

/* Something that must fail. */
typedef struct _Attempt Attempt;

struct _Attempt
{
  gboolean (*run) (Attempt *self, GError **error);
  void (*begin) (Attempt *self, GAsyncReadyCallback callback, gpointer user_data);
  gboolean (*finish) (Attempt *self, GAsyncResult *result, GError **error);
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger;
  const char *instruction;
  GError *error;
  gboolean done;
};

static void
attempt_run (Attempt *self)
{
  g_assert_false (self->run (self, &self->error));
  g_assert_nonnull (self->error);
  self->done = TRUE;
}

static gboolean
attempt_from_callback (gpointer user_data)
{
  attempt_run (user_data);
  return G_SOURCE_REMOVE;
}

/* What it fails with. (transfer full) */
static GError *
fail (Attempt *self, Way way)
{
  CoprocTestResult result = { 0 };

  switch (way)
    {
    case WAY_SYNC:
      attempt_run (self);
      break;
    case WAY_ASYNC:
      self->begin (self, coproc_test_result_store, &result);
      g_assert_false (self->finish (self, coproc_test_result_wait (&result), &self->error));
      g_assert_nonnull (self->error);
      coproc_test_result_clear (&result);
      break;
    case WAY_CALLBACK:
      g_idle_add (attempt_from_callback, self);
      coproc_test_until (self->done);
      break;
    case N_WAYS:
    default:
      g_assert_not_reached ();
    }
  return self->error;
}

static gboolean
run_start (Attempt *self, GError **error)
{
  return coproc_worker_resource_start (self->worker, NULL, NULL, error);
}

static void
begin_start (Attempt *self, GAsyncReadyCallback callback, gpointer user_data)
{
  coproc_worker_resource_start_async (self->worker, NULL, NULL, callback, user_data);
}

static gboolean
finish_start (Attempt *self, GAsyncResult *result, GError **error)
{
  return coproc_worker_resource_start_finish (self->worker, result, error);
}

static gboolean
run_receive (Attempt *self, GError **error)
{
  g_autoptr(GVariant) payload = coproc_messenger_receive_blocking (self->messenger, NULL, NULL, error);

  return payload != NULL;
}

static void
begin_receive (Attempt *self, GAsyncReadyCallback callback, gpointer user_data)
{
  coproc_messenger_receive_async (self->messenger, NULL, NULL, callback, user_data);
}

static gboolean
finish_receive (Attempt *self, GAsyncResult *result, GError **error)
{
  g_autoptr(GVariant) payload = coproc_messenger_receive_finish (self->messenger, result, error);

  return payload != NULL;
}

static gboolean
run_call (Attempt *self, GError **error)
{
  g_autoptr(GVariant) reply = coproc_messenger_call (self->messenger, g_variant_new_string (self->instruction),
                                                     "do", PATIENCE_US, NULL, error);

  return reply != NULL;
}

static void
begin_call (Attempt *self, GAsyncReadyCallback callback, gpointer user_data)
{
  coproc_messenger_call_async (self->messenger, g_variant_new_string (self->instruction), "do", PATIENCE_US, NULL,
                               callback, user_data);
}

static gboolean
finish_call (Attempt *self, GAsyncResult *result, GError **error)
{
  g_autoptr(GVariant) reply = coproc_messenger_call_finish (self->messenger, result, error);

  return reply != NULL;
}

static GError *
start_error (CoprocWorkerResource *worker, Way way)
{
  return fail (&(Attempt) { run_start, begin_start, finish_start, .worker = worker }, way);
}

static GError *
receive_error (Patient *patient, Way way)
{
  return fail (&(Attempt) { run_receive, begin_receive, finish_receive, .messenger = patient->messenger }, way);
}

static GError *
call_error (Patient *patient, const char *instruction, Way way)
{
  return fail (&(Attempt) { run_call, begin_call, finish_call, .messenger = patient->messenger,
                            .instruction = instruction },
               way);
}

/* --- the phases --- */

/* @error is that of a start; the worker can be started again. */
static void
assert_refused (Patient *patient, const GError *error)
{
  const Cause *cause = patient->cause;
  const int code = cause->plugins_doing ? COPROC_ERROR_PLUGIN_REFUSED : COPROC_ERROR_WORKER_DIED;

  g_assert_error (error, COPROC_ERROR, code);
  g_assert_nonnull (strstr (error->message, cause->text));
  g_assert_false (coproc_worker_resource_is_alive (patient->worker));
  g_assert_cmpuint (patient->n_exited, ==, 0);

  g_signal_handlers_disconnect_by_data (patient->worker, patient);
  coproc_fault_start (patient->worker, NULL);
  coproc_fault_ping (patient->worker);
  coproc_fault_release (patient->worker);
}

/* The start, while @variable tells the helper or the plugin to die. */
static void
die_starting (const Cause *cause, Way way, const char *variable, const char *value)
{
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_init (&patient, cause);
  g_setenv (variable, value, TRUE);
  error = start_error (patient.worker, way);
  g_unsetenv (variable);
  assert_refused (&patient, error);
}

/* Before the helper has said or loaded anything. */
static void
die_spawned (const Cause *cause, Way way)
{
  g_autofree char *helper = g_strdup (g_getenv ("COPROC_WORKER_HOST"));
  g_autofree char *path = coproc_fault_path ("rawpeer");
  g_autofree char *script = cause->term_signal != 0 ? g_strdup_printf ("kill %d", cause->term_signal)
                                                    : g_strdup (cause->instruction);
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_init (&patient, cause);
  g_setenv ("COPROC_WORKER_HOST", path, TRUE);
  g_setenv ("RAWPEER_SCRIPT", script, TRUE);
  error = start_error (patient.worker, way);
  g_unsetenv ("RAWPEER_SCRIPT");
  g_setenv ("COPROC_WORKER_HOST", helper, TRUE);
  assert_refused (&patient, error);
}

/* While the plugin is loaded. */
static void
die_loading (const Cause *cause, Way way)
{
  die_starting (cause, way, "HOSTILE_LOAD", cause->instruction);
}

/* As soon as the entry point runs: the start has succeeded. */
static void
die_at_once (const Cause *cause, Way way)
{
  g_autoptr(GError) error = NULL;
  Patient patient;

  /* A greeting that the system refused to take at once may still be unwritten at the death. */
  if (!patient_try_start (&patient, cause, cause->instruction, &error))
    {
      g_assert_true (coproc_fault_is_shimmed ());
      assert_refused (&patient, error);
      return;
    }
  error = receive_error (&patient, way);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  patient_bury (&patient);
}

/* While nothing is asked of it. */
static void
die_idle (const Cause *cause, Way way)
{
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, cause, NULL);
  coproc_fault_ping (patient.worker);
  if (g_str_has_prefix (cause->instruction, "kill "))
    kill (patient.pid, cause->term_signal);
  else
    coproc_fault_order (patient.worker, cause->instruction);
  error = receive_error (&patient, way);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "running"));
  patient_bury (&patient);
}

/* With a request taken up and others queued behind it: each fails with an error of its own. */
static void
die_in_call (const Cause *cause, Way way)
{
  g_autofree char *instruction = g_strdup_printf ("say 42; %s", cause->instruction);
  CoprocTestResult results[3] = { { 0 } };
  g_autoptr(GError) error = NULL;
  GError *errors[3] = { NULL };
  Patient patient;

  patient_start (&patient, cause, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    coproc_messenger_call_async (patient.messenger, g_variant_new_string (i == 0 ? instruction : "pause"),
                                 "do", -1, NULL, coproc_test_result_store, &results[i]);
  error = call_error (&patient, "pause", way);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "hostile says 42"));
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    {
      coproc_messenger_call_finish (patient.messenger, coproc_test_result_wait (&results[i]), &errors[i]);
      coproc_fault_assert_died (errors[i], patient.pid, cause->text);
      coproc_test_result_clear (&results[i]);
    }
  g_assert_true (errors[0] != errors[1] && errors[1] != errors[2]);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    g_error_free (errors[i]);
  patient_bury (&patient);
}

/* With half a reply written: it is cut, and the error says so. */
static void
die_in_reply (const Cause *cause, Way way)
{
  g_autofree char *instruction = g_strdup_printf ("cut 5000; %s", cause->instruction);
  g_autoptr(GError) error = NULL;
  Patient patient;

  patient_start (&patient, cause, NULL);
  coproc_fault_ping (patient.worker); /* nothing of the library's is still to be written */
  error = call_error (&patient, instruction, way);
  coproc_fault_assert_died (error, patient.pid, cause->text);
  g_assert_nonnull (strstr (error->message, "cut after 2540 of 5040 bytes"));
  patient_bury (&patient);
}

static const struct
{
  const char *name;
  void (*die) (const Cause *cause, Way way);
} phases[] = {
  { "spawn", die_spawned }, { "load", die_loading },    { "init", die_at_once },
  { "idle", die_idle },     { "mid-call", die_in_call }, { "mid-reply", die_in_reply },
};

/* A place in the matrix. */
static void
test_place (gconstpointer data)
{
  const guint place = GPOINTER_TO_UINT (data);
  const guint n_causes = G_N_ELEMENTS (causes);

  phases[place / N_WAYS / n_causes].die (&causes[place / N_WAYS % n_causes], (Way) (place % N_WAYS));
}

int
main (int argc, char **argv)
{
  const guint n_causes = G_N_ELEMENTS (causes);

  coproc_test_init (&argc, &argv);
  for (guint i = 0; i < N_WAYS * n_causes * G_N_ELEMENTS (phases); i++)
    {
      g_autofree char *path
        = g_strdup_printf ("/coproc/fault-matrix/B1/%s/%s/%s", phases[i / N_WAYS / n_causes].name,
                           causes[i / N_WAYS % n_causes].instruction, way_names[i % N_WAYS]);

      coproc_test_add_data (path, GUINT_TO_POINTER (i), test_place);
    }
  return g_test_run ();
}
