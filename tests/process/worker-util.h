/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers of the plugin `lifecycle`, as the tests of workers use them.
 */
#pragma once

#include "coproc-fault.h"

static inline CoprocWorkerResource *
new_worker (const char *entry_point)
{
  g_autofree char *path = coproc_fault_path ("plugins/lifecycle.so");
  CoprocWorkerResource *worker = coproc_worker_resource_new (path, entry_point);

  g_object_set (worker, "grace-period", G_GINT64_CONSTANT (200000), "mode", coproc_test_get_mode (), "transport",
                coproc_test_get_transport (), NULL);
  return worker;
}

static inline void
start_worker (CoprocWorkerResource *worker, GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  gboolean started = coproc_worker_resource_start (worker, arguments, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (started);
}

static inline CoprocWorkerResource *
new_started (const char *entry_point)
{
  CoprocWorkerResource *worker = new_worker (entry_point);

  start_worker (worker, NULL);
  return worker;
}

static inline CoprocWorkerState
get_state (CoprocWorkerResource *worker)
{
  CoprocWorkerState state;

  g_object_get (worker, "state", &state, NULL);
  return state;
}

static inline void
assert_call (CoprocWorkerResource *worker, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
                                                      g_variant_new_string (text), NULL,
                                                      60 * G_USEC_PER_SEC, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (reply, NULL), ==, text);
}

/* Waits for the one message that an entry point sends when it is ready. */
static inline void
await_message (CoprocWorkerResource *worker, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) message
      = coproc_messenger_receive_blocking (coproc_worker_resource_get_messenger (worker), NULL,
                                           NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (message, NULL), ==, text);
}

static inline void
assert_stop (CoprocWorkerResource *worker, gint64 grace_us)
{
  g_autoptr (GError) error = NULL;
  gboolean stopped = coproc_worker_resource_stop (worker, grace_us, &error);

  g_assert_no_error (error);
  g_assert_true (stopped);
  g_assert_false (coproc_worker_resource_is_alive (worker));
}

/* { @key: @value } */
static inline GVariant *
one_argument (const char *key, GVariant *value)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert_value (&dict, key, value);
  return g_variant_dict_end (&dict);
}

/* A test of workers that runs in both modes, or that is about processes. */
typedef struct
{
  const char *path;
  void (*func) (void);
  gboolean processes_only;
} Scenario;

static inline void
run_scenario (gconstpointer data)
{
  ((const Scenario *) data)->func ();
}

static inline void
add_scenarios (const Scenario *scenarios, guint n)
{
  for (guint i = 0; i < n; i++)
    if (scenarios[i].processes_only)
      coproc_test_add_for_processes (scenarios[i].path, &scenarios[i], run_scenario);
    else
      coproc_test_add (scenarios[i].path, scenarios[i].func);
}

/* What the signal `exited` has said. */
typedef struct
{
  guint n;
  int status;
  int signum;
  GThread *thread;
} Exited;

static inline void
on_exited (CoprocWorkerResource *worker, int status, int signum, gpointer user_data)
{
  Exited *exited = user_data;

  exited->n++;
  exited->status = status;
  exited->signum = signum;
  exited->thread = g_thread_self ();
}
