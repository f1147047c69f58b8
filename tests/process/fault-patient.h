/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that the tests of faults let die, and what must be told of each death.
 */
#pragma once

#include "coproc-fault.h"

#include <string.h>

#define PATIENCE_US (30 * G_USEC_PER_SEC) /* a call that nobody fails shall not hang the test */

typedef struct
{
  const char *instruction;
  const char *text;        /* what the error must say of it */
  int exit_status;         /* -1: a signal */
  int term_signal;
  gboolean plugins_doing;  /* a death while loading is the plugin's fault */
  guint64 address_space;   /* 0: no limit */
} Cause;

/* The worker under test, with what it has told. */
typedef struct
{
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger;
  const Cause *cause;
  GPid pid;
  guint n_exited;
} Patient;

static inline void
patient_exited (CoprocWorkerResource *worker, int status, int signum, gpointer user_data)
{
  Patient *self = user_data;

  g_assert_cmpint (status, ==, self->cause->exit_status);
  g_assert_cmpint (signum, ==, self->cause->term_signal);
  self->n_exited++;
}

static inline void
patient_init (Patient *self, const Cause *cause)
{
  *self = (Patient) { .worker = coproc_fault_new_hostile (), .cause = cause };
  g_signal_connect (self->worker, "exited", G_CALLBACK (patient_exited), self);
  if (cause->address_space != 0)
    g_object_set (self->worker, "rlimits", g_variant_new_parsed ("{'as': %t}", cause->address_space), NULL);
}

static inline gboolean
patient_try_start (Patient *self, const Cause *cause, const char *instruction, GError **error)
{
  patient_init (self, cause);
  if (!coproc_fault_try_start (self->worker, instruction, error))
    return FALSE;
  self->messenger = coproc_worker_resource_get_messenger (self->worker);
  g_object_get (self->messenger, "peer-pid", &self->pid, NULL);
  return TRUE;
}

static inline void
patient_start (Patient *self, const Cause *cause, const char *instruction)
{
  g_autoptr(GError) error = NULL;

  patient_try_start (self, cause, instruction, &error);
  g_assert_no_error (error);
}

/* The error of a call on the channel "do". */
static inline GError *
patient_call_error (Patient *self, const char *instruction)
{
  GError *error = NULL;

  g_assert_null (coproc_messenger_call (self->messenger, g_variant_new_string (instruction), "do", PATIENCE_US,
                                        NULL, &error));
  return error;
}

/* Its death is told by everything that tells of it. */
static inline void
patient_bury (Patient *self)
{
  CoprocWorkerState state;

  coproc_test_until (self->n_exited > 0);
  g_assert_cmpuint (self->n_exited, ==, 1);
  g_object_get (self->worker, "state", &state, NULL);
  g_assert_cmpint (state, ==, COPROC_WORKER_STATE_EXITED);
  g_assert_false (coproc_worker_resource_is_alive (self->worker));
  g_assert_cmpint (coproc_worker_resource_get_exit_status (self->worker), ==, self->cause->exit_status);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (self->worker), ==, self->cause->term_signal);
  g_assert_true (coproc_fault_is_gone (self->pid));
  g_assert_true (coproc_messenger_get_closed (self->messenger));
  g_assert_cmpuint (coproc_messenger_remaining (self->messenger, NULL), ==, 0);
  coproc_fault_release (self->worker);
}
