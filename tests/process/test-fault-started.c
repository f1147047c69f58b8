/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * After a death: which requests the worker had taken up, and which not (FAULTS section 4).
 */
#include "coproc-fault.h"

#include <signal.h>
#include <string.h>

#define PATIENCE_US (60 * G_USEC_PER_SEC)

/* Requests that were all sent while the worker could not run. */
typedef struct
{
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger;
  GPid pid;
} Patient;

static void
patient_begin (Patient *self)
{
  self->worker = coproc_fault_new_hostile ();
  /* Then the page is all that is shared, for the one that is written over. */
  g_object_set (self->worker, "transport", COPROC_TRANSPORT_PIPE, NULL);
  coproc_fault_start (self->worker, NULL);
  coproc_fault_ping (self->worker);
  self->messenger = coproc_worker_resource_get_messenger (self->worker);
  self->pid = coproc_worker_resource_get_pid (self->worker);
  g_assert_cmpint (kill (self->pid, SIGSTOP), ==, 0);
}

static void
patient_go_on (Patient *self)
{
  g_assert_cmpint (kill (self->pid, SIGCONT), ==, 0);
}

/* Its code, and that its text tells of the death. (transfer full) */
static void
assert_lost (Patient *self, GError *error, int code)
{
  coproc_fault_assert_died (error, self->pid, "signal");
  g_assert_error (error, COPROC_ERROR, code);
  g_error_free (error);
}

static void
call_async (Patient *self, const char *instruction, CoprocTestResult *result)
{
  coproc_messenger_call_async (self->messenger, g_variant_new_string (instruction), "do", PATIENCE_US, NULL,
                               coproc_test_result_store, result);
}

static void
assert_call_lost (Patient *self, CoprocTestResult *result, int code)
{
  GError *error = NULL;

  g_assert_null (coproc_messenger_call_finish (self->messenger, coproc_test_result_wait (result), &error));
  assert_lost (self, error, code);
  coproc_test_result_clear (result);
}

/* The one that kills it was taken up, those behind it were not. */
static void
test_in_turn (void)
{
  CoprocTestResult results[100] = { { 0 } };
  Patient patient;

  patient_begin (&patient);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    call_async (&patient, i == 10 ? "segv" : i < 10 ? "reply 8" : "pause", &results[i]);
  patient_go_on (&patient);

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) reply G_GNUC_UNUSED
          = coproc_messenger_call_finish (patient.messenger, coproc_test_result_wait (&results[i]), &error);

      if (!coproc_fault_is_shimmed ())
        g_assert_no_error (error);
      else if (error != NULL) /* its answer was still with the worker */
        g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
      coproc_test_result_clear (&results[i]);
    }
  assert_call_lost (&patient, &results[10], COPROC_ERROR_WORKER_DIED);
  for (guint i = 11; i < G_N_ELEMENTS (results); i++)
    assert_call_lost (&patient, &results[i], COPROC_ERROR_NOT_STARTED);
  coproc_fault_release (patient.worker);
}

static guint64
send_with_priority (Patient *self, const char *instruction, double priority)
{
  g_autoptr (CoprocMessage) message
      = coproc_message_new_full (g_variant_new_string (instruction), "do", priority);
  g_autoptr (GError) error = NULL;
  guint64 serial = 0;

  coproc_messenger_send_message (self->messenger, message, COPROC_MESSAGE_KIND_REQUEST, &serial, &error);
  g_assert_no_error (error);
  return serial;
}

/* A later one was more urgent: the earlier ones count as not started although their serials are lower.
 * What is received in place of the replies is told once for each of the two kinds. */
static void
test_out_of_turn (void)
{
  GError *error = NULL;
  Patient patient;

  patient_begin (&patient);
  for (guint i = 0; i < 50; i++)
    send_with_priority (&patient, "pause", 1);
  send_with_priority (&patient, "kill 9", 0);
  patient_go_on (&patient);

  g_assert_null (coproc_messenger_receive_remaining (patient.messenger, "do", NULL, &error));
  assert_lost (&patient, g_steal_pointer (&error), COPROC_ERROR_WORKER_DIED);
  g_assert_null (coproc_messenger_receive_remaining (patient.messenger, "do", NULL, &error));
  assert_lost (&patient, g_steal_pointer (&error), COPROC_ERROR_NOT_STARTED);
  g_assert_null (coproc_messenger_receive_remaining (patient.messenger, "do", NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (coproc_messenger_remaining (patient.messenger, "do"), ==, 0);
  coproc_fault_release (patient.worker);
}

/* Killed while it could not run: none was started, in whatever way it was asked. */
static void
test_none (void)
{
  CoprocTestResult result = { 0 };
  GError *error = NULL;
  Patient patient;

  patient_begin (&patient);
  call_async (&patient, "pause", &result);
  coproc_messenger_send_request (patient.messenger, g_variant_new_int32 (1), "echo", &error);
  g_assert_no_error (error);
  g_assert_cmpint (kill (patient.pid, SIGKILL), ==, 0);

  assert_call_lost (&patient, &result, COPROC_ERROR_NOT_STARTED);
  g_assert_null (coproc_messenger_receive_remaining (patient.messenger, "echo", NULL, &error));
  assert_lost (&patient, g_steal_pointer (&error), COPROC_ERROR_NOT_STARTED);
  g_assert_null (coproc_messenger_receive_remaining (patient.messenger, "echo", NULL, &error));
  g_assert_no_error (error);
  coproc_fault_release (patient.worker);
}

/* A worker that has written all over what it shares with the host: some code it gets, and no more. */
static void
test_scribbled (void)
{
  CoprocTestResult results[20] = { { 0 } };
  Patient patient;

  if (g_getenv ("COPROC_TEST_MEMFD") != NULL)
    {
      g_test_skip ("no memory is shared here");
      return;
    }

  patient_begin (&patient);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    call_async (&patient, i == 0 ? "scribble; kill 9" : "pause", &results[i]);
  patient_go_on (&patient);
  for (guint i = 0; i < G_N_ELEMENTS (results); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (coproc_messenger_call_finish (patient.messenger, coproc_test_result_wait (&results[i]),
                                                   &error));
      coproc_fault_assert_died (error, patient.pid, "signal KILL");
      coproc_test_result_clear (&results[i]);
    }
  coproc_fault_release (patient.worker);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/fault-started/in-turn", test_in_turn);
  coproc_test_add ("/coproc/fault-started/out-of-turn", test_out_of_turn);
  coproc_test_add ("/coproc/fault-started/none", test_none);
  coproc_test_add ("/coproc/fault-started/scribbled", test_scribbled);
  return g_test_run ();
}
