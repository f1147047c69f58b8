/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-test.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#ifdef COPROC_TEST_LINKS
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-shared-layout-private.h"
#include "wire/coproc-unix-private.h"
#endif

#define SLOWNESS 20      /* how much longer a deadline is when everything is slow */
#define SETTLE_MS 10000  /* how long threads and descriptors may take to go away */

typedef struct
{
  guint n_fds;
  guint n_threads;
} Fixture;

typedef struct
{
  void (*func) (void);
  void (*data_func) (gconstpointer data);
  gconstpointer data;
} Case;

static GPtrArray *
list_dir (const char *path)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_dir_close (dir);
  return names;
}

guint
coproc_test_count_fds (void)
{
  g_autoptr(GPtrArray) names = list_dir ("/proc/self/fd");

  return names->len - 1; /* but for the one that lists them */
}

guint
coproc_test_count_threads (void)
{
  g_autoptr(GPtrArray) names = list_dir ("/proc/self/task");

  return names->len;
}

guint64
coproc_test_get_status (const char *field)
{
  g_autofree char *status = NULL;
  g_autofree char *key = g_strdup_printf ("\n%s:", field);
  const char *at;

  g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  at = strstr (status, key);
  g_assert_nonnull (at);
  return g_ascii_strtoull (at + strlen (key), NULL, 10);
}

/* Says which descriptors and threads there are, for whoever has to find the leak. */
static void
describe_process (void)
{
  g_autoptr(GPtrArray) fds = list_dir ("/proc/self/fd");
  g_autoptr(GPtrArray) tasks = list_dir ("/proc/self/task");

  for (guint i = 0; i < fds->len; i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%s", (char *) fds->pdata[i]);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_test_message ("fd %s: %s", (char *) fds->pdata[i], target != NULL ? target : "?");
    }
  for (guint i = 0; i < tasks->len; i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", (char *) tasks->pdata[i]);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (path, &comm, NULL, NULL))
        g_test_message ("thread %s: %s", (char *) tasks->pdata[i], g_strchomp (comm));
    }
}

/* GLib's own thread sleeps in poll() as soon as all its descriptors are there. */
static gboolean
has_glib_thread (void)
{
  g_autoptr(GPtrArray) tasks = list_dir ("/proc/self/task");

  for (guint i = 0; i < tasks->len; i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", (char *) tasks->pdata[i]);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (path, &comm, NULL, NULL) && g_str_equal (comm, "gmain\n"))
        return TRUE;
    }
  return FALSE;
}

static gboolean
nothing_to_do (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

void
coproc_test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);

  /* the default main context and its wake-up descriptor, and GLib's own thread, which has another */
  g_idle_add (nothing_to_do, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_type_ensure (G_TYPE_TASK);
  coproc_test_until (has_glib_thread ());
}

static gboolean
is_settled (Fixture *fixture)
{
  return coproc_test_count_fds () == fixture->n_fds
         && coproc_test_count_threads () == fixture->n_threads;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->n_fds = coproc_test_count_fds ();
  fixture->n_threads = coproc_test_count_threads ();
}

static void
run (Fixture *fixture, gconstpointer data)
{
  const Case *test = data;

  if (test->func != NULL)
    test->func ();
  else
    test->data_func (test->data);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  gint64 deadline = coproc_test_deadline (SETTLE_MS);
  siginfo_t info;

  while (!is_settled (fixture) && g_get_monotonic_time () < deadline)
    coproc_test_turn (G_MAXINT64, "");
  if (!is_settled (fixture))
    describe_process ();
  g_assert_cmpuint (coproc_test_count_fds (), ==, fixture->n_fds);
  g_assert_cmpuint (coproc_test_count_threads (), ==, fixture->n_threads);

  g_assert_cmpint (waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static void
add_case (const char *path, Case *test)
{
  g_test_add_vtable (path, sizeof (Fixture), test, (GTestFixtureFunc) (void (*) (void)) set_up,
                     (GTestFixtureFunc) (void (*) (void)) run,
                     (GTestFixtureFunc) (void (*) (void)) tear_down);
}

/* GTest keeps the data of its tests until the process ends. */
static Case *
new_case (void)
{
  static GPtrArray *cases = NULL;
  Case *test = g_new0 (Case, 1);

  if (cases == NULL)
    cases = g_ptr_array_new ();
  g_ptr_array_add (cases, test);
  return test;
}

void
coproc_test_add (const char *path, void (*func) (void))
{
  Case *test = new_case ();

  test->func = func;
  add_case (path, test);
}

void
coproc_test_add_data (const char *path, gconstpointer data, void (*func) (gconstpointer data))
{
  Case *test = new_case ();

  test->data_func = func;
  test->data = data;
  add_case (path, test);
}

static void
skip_processes (gconstpointer data)
{
  g_test_skip ("it is about processes");
}

void
coproc_test_add_for_processes (const char *path, gconstpointer data, void (*func) (gconstpointer data))
{
  coproc_test_add_data (path, data, coproc_test_in_threads () ? skip_processes : func);
}

gboolean
coproc_test_is_valgrind (void)
{
  const char *preload = g_getenv ("LD_PRELOAD");

  return preload != NULL && strstr (preload, "vgpreload") != NULL;
}

gboolean
coproc_test_is_slow (void)
{
#if defined(__SANITIZE_THREAD__)
  return TRUE;
#else
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return TRUE;
#endif
#endif
  return coproc_test_is_valgrind ();
#endif
}

gboolean
coproc_test_can_measure_memory (void)
{
#if defined(__SANITIZE_ADDRESS__)
  return FALSE;
#else
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  return FALSE;
#endif
#endif
  return !coproc_test_is_slow ();
#endif
}

guint
coproc_test_scale (guint n)
{
  return coproc_test_is_slow () ? MAX (n / 100, MIN (n, 100)) : n;
}

guint
coproc_test_scale_long (guint n, guint n_long)
{
  return coproc_test_scale (g_test_slow () ? n_long : n);
}

gint64
coproc_test_deadline (guint ms)
{
  return g_get_monotonic_time ()
         + (gint64) ms * 1000 * (coproc_test_is_slow () ? SLOWNESS : 1);
}

void
coproc_test_turn (gint64 deadline, const char *what)
{
  GPollFD nothing = { .fd = -1 };

  if (g_get_monotonic_time () > deadline)
    g_error ("Waited too long for %s", what);
  if (!g_main_context_iteration (NULL, FALSE))
    g_poll (&nothing, 0, 1);
}

void
coproc_test_finalize (gpointer object)
{
  gpointer weak = object;

  g_object_add_weak_pointer (object, &weak);
  g_object_unref (object);
  coproc_test_until (weak == NULL);
}

void
coproc_test_finalize_pair (CoprocMessenger *worker_end, CoprocMessenger *host_end)
{
  coproc_test_finalize (worker_end);
  coproc_test_finalize (host_end);
}

#ifdef COPROC_TEST_LINKS
/* Each end has mapped the memory for itself, as a process has. */
static void
new_ring_links (CoprocTransportLink *links[2])
{
  g_autoptr(GError) error = NULL;
  CoprocSharedMemory *memory[2];
  int pipes[2][2];
  int fd;

  memory[0] = coproc_shared_memory_new (COPROC_SHARED_END, &fd, &error);
  g_assert_no_error (error);
  memory[1] = coproc_shared_memory_open (fd, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    g_assert_true (coproc_unix_pipe (pipes[i], &error));
  for (guint i = 0; i < 2; i++)
    {
      links[i] = coproc_ring_transport_new (pipes[i][0], pipes[1 - i][1], memory[i],
                                            i == 0 ? COPROC_SHARE_AS_WORKER : COPROC_SHARE_AS_HOST, &error);
      g_assert_no_error (error);
      coproc_shared_memory_unref (memory[i]);
    }
}
#endif

void
coproc_test_new_pair (GType type, CoprocMessenger **worker_end, CoprocMessenger **host_end)
{
  g_autoptr(GError) error = NULL;

#ifdef COPROC_TEST_LINKS
  const gboolean through_rings = g_strcmp0 (g_getenv ("COPROC_TEST_LINK"), "ring") == 0;
  CoprocMessenger *ends[2];
  CoprocTransportLink *links[2];

  if (through_rings)
    new_ring_links (links);
  else
    g_assert_true (coproc_memory_transport_new_pair (&links[0], &links[1], &error));
  for (guint i = 0; i < 2; i++)
    {
      ends[i] = coproc_messenger_new_for_transport (type, NULL, links[i], &error);
      g_assert_no_error (error);
      g_assert_true (coproc_messenger_send_hello (ends[i], NULL, &error));
    }
  /* Both ends have moved to their rings when the rings say that they are empty. */
  while (through_rings && (links[0]->ops->has_input (links[0]) || links[1]->ops->has_input (links[1])))
    for (guint i = 0; i < 2; i++)
      coproc_messenger_pipe_poll (ends[i]);
  *worker_end = ends[0];
  *host_end = ends[1];
#else
  g_assert_true (coproc_messenger_new_pair (type, worker_end, host_end, &error));
#endif
  g_assert_no_error (error);
}

void
coproc_test_result_store (GObject *source, GAsyncResult *result, gpointer user_data)
{
  CoprocTestResult *self = user_data;

  g_set_object (&self->result, result);
  self->thread = g_thread_self ();
  self->n_calls++;
}

GAsyncResult *
coproc_test_result_wait (CoprocTestResult *self)
{
  coproc_test_until (self->n_calls > 0);
  g_assert_cmpuint (self->n_calls, ==, 1);
  return self->result;
}

void
coproc_test_result_clear (CoprocTestResult *self)
{
  g_assert_cmpuint (self->n_calls, ==, 1);
  g_clear_object (&self->result);
  self->n_calls = 0;
}
