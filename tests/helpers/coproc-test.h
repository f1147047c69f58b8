/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What all tests share: the invariants checked around each of them, waiting with a deadline, and
 * results of asynchronous calls.
 */
#pragma once

#include <coproc.h>

G_BEGIN_DECLS

/* g_test_init() plus what GLib sets up lazily, so that it does not look like a leak later. */
void coproc_test_init (int *argc, char ***argv);

/* --- invariants --- */

/* Adds a test. When it is over, the process must come back, within a deadline and while the default
 * main context runs, to the file descriptors and threads that it had before, and have no child. */
void coproc_test_add      (const char *path, void (*func) (void));
void coproc_test_add_data (const char *path, gconstpointer data, void (*func) (gconstpointer data));
/* The same for a test that says nothing of workers that are threads: there it is skipped. */
void coproc_test_add_for_processes (const char *path, gconstpointer data, void (*func) (gconstpointer data));

/* Open file descriptors and threads of this process. */
guint coproc_test_count_fds     (void);
guint coproc_test_count_threads (void);

/* A figure from /proc/self/status, such as "VmHWM" (KiB). */
guint64 coproc_test_get_status (const char *field);

/* FALSE when memory figures say nothing about the library: valgrind or a sanitizer keeps what is freed. */
gboolean coproc_test_can_measure_memory (void);

/* --- time --- */

/* TRUE under valgrind, where a program that cannot be run is not noticed by who starts it. */
gboolean coproc_test_is_valgrind (void);

/* TRUE when everything is 10 to 100 times slower than usual: valgrind or a thread sanitizer. */
gboolean coproc_test_is_slow (void);

/* @n, or as much of it as is bearable when coproc_test_is_slow(). */
guint coproc_test_scale (guint n);
/* The same of @n_long instead of @n where the tests are run with `-m slow`. */
guint coproc_test_scale_long (guint n, guint n_long);

/* Now + @ms (more of it when slow), on the monotonic clock in µs. */
gint64 coproc_test_deadline (guint ms);

/* Runs what is ready in the default main context, or waits a moment for it. Aborts with @what once
 * @deadline has passed. */
void coproc_test_turn (gint64 deadline, const char *what);

/* Runs the default main context until @condition holds; the test fails after a minute. */
#define coproc_test_until(condition) coproc_test_until_ms (60000, condition)

#define coproc_test_until_ms(ms, condition)                                                        \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 deadline_ = coproc_test_deadline (ms);                                                  \
    while (!(condition))                                                                           \
      coproc_test_turn (deadline_, G_STRLOC ": " #condition);                                      \
  }                                                                                                \
  G_STMT_END

/* --- objects --- */

/* Drops the reference to @object, which must be finalized by it, soon. */
void coproc_test_finalize (gpointer object);

/* Drops both references; both must be finalized. */
void coproc_test_finalize_pair (CoprocMessenger *worker_end, CoprocMessenger *host_end);

/* A connected pair of messengers of @type. */
/* Where the workers of this program run: processes, or with COPROC_TEST_MODE=thread threads. */
static inline gboolean
coproc_test_in_threads (void)
{
  return g_strcmp0 (g_getenv ("COPROC_TEST_MODE"), "thread") == 0;
}

static inline CoprocWorkerMode
coproc_test_get_mode (void)
{
  return coproc_test_in_threads () ? COPROC_WORKER_MODE_THREAD : COPROC_WORKER_MODE_PROCESS;
}

/* What the workers of this program that are processes are to use, with COPROC_TEST_TRANSPORT=pipe pipes. */
static inline CoprocTransport
coproc_test_get_transport (void)
{
  return g_strcmp0 (g_getenv ("COPROC_TEST_TRANSPORT"), "pipe") == 0 ? COPROC_TRANSPORT_PIPE : COPROC_TRANSPORT_AUTO;
}

void coproc_test_new_pair (GType type, CoprocMessenger **worker_end, CoprocMessenger **host_end);

/* --- asynchronous calls --- */

/* What one asynchronous call has come to. */
typedef struct
{
  GAsyncResult *result; /* (owned) of the last call back */
  guint n_calls;        /* how often it called back */
  GThread *thread;      /* where */
} CoprocTestResult;

/* A GAsyncReadyCallback whose user data is a CoprocTestResult, zeroed at first. */
void coproc_test_result_store (GObject *source, GAsyncResult *result, gpointer user_data);
/* Waits until it has called back, once. Returns: (transfer none) */
GAsyncResult *coproc_test_result_wait (CoprocTestResult *self);
/* Checks that it called back once and clears it. */
void coproc_test_result_clear (CoprocTestResult *self);

G_END_DECLS
