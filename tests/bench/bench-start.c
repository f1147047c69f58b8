/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What it costs to start somebody else and have a first answer from it, side by side: workers of each
 * kind, and what others offer. Then what a call to each kind of worker costs.
 *
 *   bench-start [ROUNDS]
 *
 * prints a markdown table; start.sh builds and runs it. The ways take turns, so that a disturbance hits
 * all of them; first in a small host, then in one with 512 MiB resident.
 */
#include <coproc.h>

#include <spawn.h>

#include "bench-util.h"

#define BENCH_ROUNDS 20
#define BENCH_RESIDENT (512u << 20)
#define BENCH_CALL_ROUNDS 5
#define BENCH_CALLS 2000        /* calls that are timed together */
#define BENCH_LIBRARIES 4
#define MISSING (-1.0)          /* what cannot be measured here: a program is not installed */

typedef struct _Way Way;

struct _Way
{
  const char *title;
  double (*start) (const Way *self);                 /* ms, or MISSING */
  CoprocWorkerResource *(*make) (const Way *self);   /* (nullable) NULL: no worker of this library */
  const char *argv[BENCH_LIBRARIES];                 /* a command, or libraries to load */
};

static guint host_phase; /* 0: small, 1: large */

/* --- what others offer --- */

/* Sends a byte, and waits until it is back. */
static void
exchange (int out_fd, int in_fd)
{
  char byte = 1;

  bench_write (out_fd, &byte, 1);
  bench_read (in_fd, &byte, 1);
}

static void
echo (const int fds[2])
{
  char byte;

  bench_read (fds[0], &byte, 1);
  bench_write (fds[1], &byte, 1);
}

typedef struct
{
  int there[2];
  int back[2];
} Pipes;

static void
pipes_open (Pipes *self)
{
  if (pipe2 (self->there, O_CLOEXEC) != 0 || pipe2 (self->back, O_CLOEXEC) != 0)
    bench_die ("pipe2");
}

static void
pipes_close (Pipes *self)
{
  close (self->there[0]);
  close (self->there[1]);
  close (self->back[0]);
  close (self->back[1]);
}

static gpointer
echo_thread (gpointer data)
{
  Pipes *pipes = data;

  echo ((int[]) { pipes->there[0], pipes->back[1] });
  return NULL;
}

static double
start_thread (const Way *self)
{
  double begun = bench_now (), taken;
  GThread *thread;
  Pipes pipes;

  pipes_open (&pipes);
  thread = g_thread_new ("echo", echo_thread, &pipes);
  exchange (pipes.there[1], pipes.back[0]);
  taken = bench_now () - begun;
  g_thread_join (thread);
  pipes_close (&pipes);
  return taken * 1e3;
}

static double
start_fork (const Way *self)
{
  double begun = bench_now (), taken;
  Pipes pipes;
  pid_t pid;

  pipes_open (&pipes);
  pid = fork ();
  if (pid < 0)
    bench_die ("fork");
  if (pid == 0)
    {
      echo_thread (&pipes);
      _exit (0);
    }
  exchange (pipes.there[1], pipes.back[0]);
  taken = bench_now () - begun;
  bench_reap (pid);
  pipes_close (&pipes);
  return taken * 1e3;
}

/* The program that loads the libraries of a way. */
static void
fill_argv (const Way *self, const char *argv[BENCH_LIBRARIES + 2])
{
  argv[0] = BENCH_CHILD;
  memcpy (argv + 1, self->argv, sizeof self->argv);
  argv[BENCH_LIBRARIES + 1] = NULL;
}

static double
start_spawn (const Way *self)
{
  const char *argv[BENCH_LIBRARIES + 2];
  posix_spawn_file_actions_t actions;
  double begun = bench_now (), taken;
  Pipes pipes;
  pid_t pid;

  fill_argv (self, argv);
  pipes_open (&pipes);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, pipes.there[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, pipes.back[1], STDOUT_FILENO);
  if (posix_spawn (&pid, argv[0], &actions, NULL, (char **) argv, environ) != 0)
    bench_die ("posix_spawn");
  posix_spawn_file_actions_destroy (&actions);
  exchange (pipes.there[1], pipes.back[0]);
  taken = bench_now () - begun;
  bench_reap (pid);
  pipes_close (&pipes);
  return taken * 1e3;
}

static double
start_subprocess (const Way *self)
{
  const char *argv[BENCH_LIBRARIES + 2];
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  double begun = bench_now (), taken;
  char byte = 1;

  fill_argv (self, argv);
  process = g_subprocess_newv (argv, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                               &error);
  if (process == NULL
      || !g_output_stream_write_all (g_subprocess_get_stdin_pipe (process), &byte, 1, NULL, NULL, &error)
      || g_input_stream_read (g_subprocess_get_stdout_pipe (process), &byte, 1, NULL, &error) != 1)
    g_error ("bench-start: %s", error != NULL ? error->message : "GSubprocess: no answer");
  taken = bench_now () - begun;
  g_subprocess_wait (process, NULL, NULL);
  return taken * 1e3;
}

/* A program that starts processes in its own language: a line is sent for each, and tells how large the
 * program shall be when that changes. It runs until this program ends. */
typedef struct
{
  FILE *in, *out;
  guint phase;
} Peer;

static Peer *
peer_open (const Way *self)
{
  Peer *peer = g_new0 (Peer, 1);
  g_auto (GStrv) argv = g_strdupv ((char **) self->argv);
  int in_fd, out_fd;

  if (g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &in_fd, &out_fd,
                                NULL, NULL))
    {
      peer->in = fdopen (in_fd, "w");
      peer->out = fdopen (out_fd, "r");
    }
  return peer;
}

static double
start_elsewhere (const Way *self)
{
  static GHashTable *peers; /* Way → Peer */
  double taken = MISSING;
  Peer *peer;

  if (peers == NULL)
    peers = g_hash_table_new (NULL, NULL);
  peer = g_hash_table_lookup (peers, self);
  if (peer == NULL)
    g_hash_table_insert (peers, (gpointer) self, peer = peer_open (self));
  if (peer->in == NULL)
    return MISSING;

  if (peer->phase == host_phase)
    fprintf (peer->in, "\n");
  else
    fprintf (peer->in, "%u\n", BENCH_RESIDENT);
  peer->phase = host_phase;
  if (fflush (peer->in) != 0 || fscanf (peer->out, "%lf", &taken) != 1)
    return MISSING;
  return taken;
}

/* --- workers --- */

static gboolean
echo_function (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  for (;;)
    {
      g_autoptr (CoprocMessage) message = coproc_messenger_receive_any (messenger, -1, NULL, error);

      if (message == NULL
          || !coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), error))
        return FALSE;
    }
}

static CoprocWorkerResource *
new_function (const Way *self)
{
  return coproc_worker_resource_new_for_function (echo_function, NULL, NULL);
}

static CoprocWorkerResource *
new_process (const Way *self)
{
  return coproc_worker_resource_new ("echo", "echo");
}

static CoprocWorkerResource *
new_thread (const Way *self)
{
  CoprocWorkerResource *worker = new_process (self);

  g_object_set (worker, "mode", COPROC_WORKER_MODE_THREAD, NULL);
  return worker;
}

static CoprocWorkerResource *
new_command (const Way *self)
{
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command ((const char *const *) self->argv);

  /* What a program says that does not find its bindings. */
  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  return worker;
}

static void
call (CoprocWorkerResource *worker)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) answer
      = coproc_messenger_call (coproc_worker_resource_get_messenger (worker), g_variant_new_int32 (1),
                               NULL, -1, NULL, &error);

  if (answer == NULL)
    g_error ("bench-start: %s", error->message);
}

/* FALSE: a program is not installed. */
static gboolean
start (const Way *self, CoprocWorkerResource *worker)
{
  g_autoptr (GError) error = NULL;

  if (coproc_worker_resource_start (worker, NULL, NULL, &error))
    return TRUE;
  if (self->make != new_command)
    g_error ("bench-start: %s", error->message);
  fprintf (stderr, "%s: %s\n", self->title, error->message);
  return FALSE;
}

static double
start_worker (const Way *self)
{
  g_autoptr (CoprocWorkerResource) worker = NULL;
  double begun = bench_now (), taken;

  worker = self->make (self);
  if (!start (self, worker))
    return MISSING;
  call (worker);
  taken = bench_now () - begun;
  coproc_worker_resource_stop (worker, G_USEC_PER_SEC, NULL);
  return taken * 1e3;
}

/* What a call takes, in µs. */
static double
time_calls (const Way *self)
{
  g_autoptr (CoprocWorkerResource) worker = NULL;
  double begun, taken;

  if (self->make == NULL)
    return MISSING;
  worker = self->make (self);
  if (!start (self, worker))
    return MISSING;
  call (worker);
  begun = bench_now ();
  for (int i = 0; i < BENCH_CALLS; i++)
    call (worker);
  taken = bench_now () - begun;
  coproc_worker_resource_stop (worker, G_USEC_PER_SEC, NULL);
  return taken * 1e6 / BENCH_CALLS;
}

/* --- the table --- */

#define GLIB "libglib-2.0.so.0", "libgmodule-2.0.so.0"

static const Way ways[] = {
  { "a function in a thread", start_worker, new_function },
  { "a plugin in a thread", start_worker, new_thread },
  { "**a plugin in a process**", start_worker, new_process },
  { "a program in C", start_worker, new_command, { BENCH_COMMAND } },
  { "GThread", start_thread },
  { "fork", start_fork },
  { "posix_spawn", start_spawn },
  { "posix_spawn, dlopen of GLib and GModule", start_spawn, NULL, { GLIB } },
  { "posix_spawn, dlopen of GIO", start_spawn, NULL, { GLIB, "libgio-2.0.so.0" } },
  { "posix_spawn, dlopen of libcoproc and the plugin", start_spawn, NULL, { BENCH_LIBRARY, BENCH_PLUGIN } },
  { "GSubprocess, dlopen of libcoproc and the plugin", start_subprocess, NULL, { BENCH_LIBRARY, BENCH_PLUGIN } },
  { "a program in Python", start_worker, new_command, { "/usr/bin/python3", BENCH_SOURCES "/start-worker.py" } },
  { "a program in JavaScript (gjs)", start_worker, new_command, { "gjs", "-m", BENCH_SOURCES "/start-worker.js" } },
  { "Python multiprocessing, fork", start_elsewhere, NULL, { "/usr/bin/python3", BENCH_SOURCES "/start-peer.py", "fork" } },
  { "Python multiprocessing, spawn", start_elsewhere, NULL, { "/usr/bin/python3", BENCH_SOURCES "/start-peer.py", "spawn" } },
  { "Node child_process.fork", start_elsewhere, NULL, { "node", BENCH_SOURCES "/start-peer.js" } },
};

#define REFERENCE 9 /* what a plugin in a process is held against */
#define N_LIGHT 11  /* the first ones take turns among themselves: an interpreter leaves cold caches behind */

static int
compare (const void *a, const void *b)
{
  const double *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

/* Of the @n values; MISSING when one is. */
static double
median (double *values, guint n)
{
  qsort (values, n, sizeof *values, compare);
  return values[0] == MISSING ? MISSING : values[n / 2];
}

static double
time_start (const Way *self)
{
  return self->start (self);
}

/* The ways from @first on to before @end, each @n times, by turns. */
static void
measure_some (double (*function) (const Way *way), guint n, guint first, guint end, double *medians)
{
  g_autofree double *values = g_new (double, n * end);

  for (guint i = first; i < end; i++) /* caches, and what is set up once */
    function (&ways[i]);
  for (guint round = 0; round < n; round++)
    for (guint i = first; i < end; i++)
      values[i * n + round] = function (&ways[i]);
  for (guint i = first; i < end; i++)
    medians[i] = median (values + i * n, n);
}

static void
measure (double (*function) (const Way *way), guint n, double medians[G_N_ELEMENTS (ways)])
{
  measure_some (function, n, 0, N_LIGHT, medians);
  measure_some (function, n, N_LIGHT, G_N_ELEMENTS (ways), medians);
}

static void
print_cell (double value, const char *unit)
{
  if (value == MISSING)
    printf (" – |");
  else
    printf (" %.*f %s |", value < 10 ? 2 : value < 100 ? 1 : 0, value, unit);
}

int
main (int argc, char **argv)
{
  const guint n = argc > 1 ? (guint) MAX (atoi (argv[1]), 1) : BENCH_ROUNDS;
  double small[G_N_ELEMENTS (ways)], large[G_N_ELEMENTS (ways)], calls[G_N_ELEMENTS (ways)];
  g_autofree char *resident = NULL;

  measure (time_start, n, small);
  measure (time_calls, MIN (n, BENCH_CALL_ROUNDS), calls);
  resident = g_malloc (BENCH_RESIDENT);
  memset (resident, 1, BENCH_RESIDENT);
  host_phase = 1;
  measure (time_start, n, large);

  printf ("| started | first reply | the same, 512 MiB resident | to the reference | a call |\n"
          "|---|---|---|---|---|\n");
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      printf ("| %s%s |", ways[i].make != NULL ? "worker: " : "", ways[i].title);
      print_cell (small[i], "ms");
      print_cell (large[i], "ms");
      print_cell (small[i] == MISSING ? MISSING : small[i] / small[REFERENCE], "×");
      print_cell (calls[i], "µs");
      printf ("\n");
    }
  printf ("\nMedians of %u rounds, nothing pinned. The reference: %s.\n", n, ways[REFERENCE].title);
  return 0;
}
