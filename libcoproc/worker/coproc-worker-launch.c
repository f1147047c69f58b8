/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a process: its program and environment, its pipes, and who watches them.
 */
#include "worker/coproc-worker-run-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-shared-layout-private.h"
#include "wire/coproc-unix-private.h"
#include "worker/coproc-spawn-private.h"
#include "worker/coproc-launcher-private.h"
#include "worker/coproc-offspring-private.h"
#include "worker/coproc-worker-connect-private.h"

/* The process has been reaped. Background thread. */
static void
on_process_exited (CoprocProcess *process, gpointer user_data)
{
  CoprocWorkerRun *self = user_data;

  coproc_worker_run_ended (self, coproc_process_get_exit (process));
  coproc_worker_run_unref (self);
}

/* The connection has ended without a goodbye. Usually the process is about to be reaped; if it
 * lives on it is ended: at once when it broke the protocol. Any thread. */
static void
on_connection_ended (const GError *error, gpointer user_data)
{
  CoprocWorkerRun *self = user_data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (error != NULL && !self->ended && self->broken == NULL)
    self->broken = g_error_copy (error);
  coproc_worker_run_stop_locked (self, error != NULL ? COPROC_STOP_KILL : COPROC_STOP_ASKED,
                                 self->setup->grace_us);
}

static void
on_stderr_line (const char *line, gpointer user_data)
{
  coproc_worker_observer_tell_line (user_data, line);
}

/* The descriptors of a start; all but those handed on are closed at its end. */
typedef struct
{
  int to_worker[2];
  int from_worker[2];
  int stderr_pipe[2];
  int memory;
} StartFds;

static void
start_fds_close (StartFds *fds)
{
  int *all = (int *) fds;

  for (guint i = 0; i < sizeof *fds / sizeof (int); i++)
    coproc_clear_fd (&all[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StartFds, start_fds_close)

/* --- what is started --- */

/* The protocol runs on standard input and output: no other descriptors would arrive. */
static gboolean
is_on_stdio (const CoprocWorkerSetup *setup)
{
  return setup->launcher != NULL && !coproc_launcher_get_passes_fds (setup->launcher);
}

/* The environment of the child, and in it where the protocol is. */
static char **
make_environment (const CoprocWorkerSetup *setup, gboolean has_memory, const char *mark)
{
  char **environment = coproc_spawn_dup_environment ((const char *const *) setup->environment);
  const char *fds = G_STRINGIFY (COPROC_CHILD_IN_FD) "," G_STRINGIFY (COPROC_CHILD_OUT_FD);

  if (is_on_stdio (setup))
    fds = COPROC_WORKER_FDS_STDIO;
  else if (has_memory)
    fds = G_STRINGIFY (COPROC_CHILD_IN_FD) "," G_STRINGIFY (COPROC_CHILD_OUT_FD) ","
          G_STRINGIFY (COPROC_CHILD_MEMORY_FD);

  environment = g_environ_setenv (environment, COPROC_WORKER_FDS_VARIABLE, fds, TRUE);
  return g_environ_setenv (environment, COPROC_MARK_VARIABLE, mark, TRUE);
}

/* The worker's own program and its arguments. (transfer full) NULL: there is no such program */
static char **
make_command (CoprocWorkerRun *self, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_autofree char *program = NULL;
  gboolean by_priority;

  if (setup->command != NULL)
    {
      /* A launcher may look for it elsewhere. */
      program = setup->launcher != NULL ? g_strdup (setup->command[0])
                                        : g_find_program_in_path (setup->command[0]);
      if (program == NULL)
        {
          g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "There is no program '%s'",
                       setup->command[0]);
          return NULL;
        }
      g_strv_builder_add (argv, program);
      g_strv_builder_addv (argv, (const char **) setup->command + 1);
      return g_strv_builder_end (argv);
    }

  program = coproc_spawn_dup_helper_path ();
  g_strv_builder_add (argv, program);
  /* Both ends deliver in the same order. */
  g_object_get (self->messenger, "by-priority", &by_priority, NULL);
  if (!by_priority)
    g_strv_builder_add (argv, "--fifo");
  g_strv_builder_add_many (argv, "--", setup->plugin, setup->entry_point, NULL);
  return g_strv_builder_end (argv);
}

/* What is started, with the launcher if there is one. (transfer full) NULL: there is no such program */
static char **
make_argv (CoprocWorkerRun *self, char **environment, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  static const char *const names[]
      = { COPROC_WORKER_FDS_VARIABLE, COPROC_MARK_VARIABLE, "COPROC_PLUGIN_PATH", "COPROC_PLUGIN_TRUST" };
  g_autoptr (GStrvBuilder) variables = g_strv_builder_new ();
  g_auto (GStrv) command = make_command (self, error);
  g_auto (GStrv) list = NULL;

  if (command == NULL || setup->launcher == NULL)
    return g_steal_pointer (&command);

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *value = g_environ_getenv (environment, names[i]);
      g_autofree char *variable = value != NULL ? g_strconcat (names[i], "=", value, NULL) : NULL;

      if (variable != NULL)
        g_strv_builder_add (variables, variable);
    }
  list = g_strv_builder_end (variables);

  return coproc_launcher_wrap (setup->launcher, (const char *const *) list, (const char *const *) command,
                               error);
}

static gboolean
launch (CoprocWorkerRun *self, StartFds *fds, const char *mark, GPid *pid, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_auto (GStrv) environment = make_environment (setup, fds->memory >= 0, mark);
  g_auto (GStrv) argv = make_argv (self, environment, error);
  CoprocLaunch what = { .argv = (const char *const *) argv, .envp = (const char *const *) environment };

  if (argv == NULL)
    return FALSE;
  what.working_directory = setup->working_directory;
  what.in_fd = fds->to_worker[0];
  what.out_fd = fds->from_worker[1];
  what.memory_fd = fds->memory;
  what.stderr_fd = fds->stderr_pipe[1];
  what.keep_stdout = setup->inherit_stdout;
  what.on_stdio = is_on_stdio (setup);

  return coproc_spawn (&what, pid, error);
}

/* --- what connects to it --- */

/* A system that has no such memory now, or at all, is one where less is known after a death, and where messages go
 * through the pipes. NULL with error set only where that is not wanted. */
static CoprocSharedMemory *
make_memory (const CoprocWorkerSetup *setup, int *fd, GError **error)
{
  const CoprocTransport transport = setup->transport;
  const gboolean is_small = setup->rlimits != NULL && g_variant_lookup (setup->rlimits, "as", "t", NULL);
  g_autoptr (GError) local_error = NULL;
  CoprocSharedMemory *memory = NULL;

  /* The blocks take much address space, of which a worker may have been given little. */
  if (transport != COPROC_TRANSPORT_PIPE && !is_small)
    memory = coproc_shared_memory_new (COPROC_SHARED_END, fd, NULL);
  if (memory == NULL && transport != COPROC_TRANSPORT_PIPE)
    memory = coproc_shared_memory_new (COPROC_SHARED_RINGS_END, fd, &local_error);
  if (memory == NULL && transport == COPROC_TRANSPORT_SHARED_MEMORY)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else if (memory == NULL)
    memory = coproc_shared_memory_new (COPROC_STATUS_PAGE_SIZE, fd, NULL);
  return memory;
}

/* A messenger on this side's ends of the pipes. */
static gboolean
connect_messenger (CoprocWorkerRun *self, StartFds *fds, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_autoptr (CoprocSharedMemory) memory = NULL;
  g_autoptr (GError) local_error = NULL;
  int in_fd, out_fd;

  if (!is_on_stdio (setup))
    memory = make_memory (setup, &fds->memory, &local_error);
  else if (setup->transport == COPROC_TRANSPORT_SHARED_MEMORY)
    g_set_error_literal (&local_error, COPROC_ERROR, COPROC_ERROR_SPAWN,
                         "memory can be shared only by a launcher that passes descriptors");
  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }

  in_fd = g_steal_fd (&fds->from_worker[0]);
  out_fd = g_steal_fd (&fds->to_worker[1]);
  if (is_on_stdio (setup))
    self->messenger = coproc_messenger_new_on_stdio (setup->messenger_type, setup->context, in_fd, out_fd, error);
  else
    self->messenger = coproc_messenger_new_unannounced (setup->messenger_type, setup->context, in_fd, out_fd, memory,
                                                        setup->copied_payloads ? COPROC_SHARE_COPIES
                                                                               : COPROC_SHARE_AS_HOST,
                                                        error);
  return self->messenger != NULL;
}

/* This side of what connects to a worker. */
static gboolean
prepare (CoprocWorkerRun *self, StartFds *fds, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_autoptr (GError) local_error = NULL;
  gboolean forward = setup->stderr_mode == COPROC_STDERR_MODE_INHERIT;

  if (!coproc_unix_pipe (fds->to_worker, &local_error)
      || !coproc_unix_pipe (fds->from_worker, &local_error)
      || (setup->stderr_mode != COPROC_STDERR_MODE_DISCARD
          && !coproc_unix_pipe (fds->stderr_pipe, &local_error)))
    goto out;
  self->io = coproc_io_ref (&local_error);
  if (self->io == NULL)
    goto out;
  if (fds->stderr_pipe[0] >= 0)
    {
      self->tail
          = coproc_stderr_tail_new (g_steal_fd (&fds->stderr_pipe[0]), forward, &local_error);
      if (self->tail == NULL)
        goto out;
    }
  connect_messenger (self, fds, &local_error);

out:
  if (local_error != NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "The link to a worker cannot be made: %s",
                 local_error->message);
  return local_error == NULL;
}

gboolean
coproc_worker_run_launch_process (CoprocWorkerRun *self, GError **error)
{
  const CoprocWorkerSetup *setup = self->setup;
  g_auto (StartFds) fds = { { -1, -1 }, { -1, -1 }, { -1, -1 }, -1 };
  const gboolean kills_orphans
      = setup->launcher != NULL && coproc_launcher_get_kills_orphans (setup->launcher);
  g_autofree char *mark = coproc_offspring_new_mark ();
  CoprocProcess *process;
  GPid pid;

  self->heartbeat_us = MAX (is_on_stdio (setup) ? setup->heartbeat_us : setup->ping_us, 0);
  if (!prepare (self, &fds, error))
    return FALSE;
  coproc_messenger_set_end_func (self->messenger, on_connection_ended,
                                 coproc_worker_run_ref (self),
                                 (GDestroyNotify) coproc_worker_run_unref);
  coproc_worker_run_watch_silence (self);
  if (!launch (self, &fds, mark, &pid, error))
    return FALSE;
  /* As long as this side has the worker's ends open their end cannot be seen. */
  start_fds_close (&fds);

  process = coproc_process_new (pid, kills_orphans ? NULL : mark);
  g_mutex_lock (&self->lock);
  self->process = process;
  coproc_worker_run_launched_locked (self);
  g_mutex_unlock (&self->lock);
  if (self->tail != NULL && self->setup->stderr_mode == COPROC_STDERR_MODE_CAPTURE)
    coproc_stderr_tail_start (self->tail, on_stderr_line,
                              coproc_worker_observer_ref (self->observer),
                              (GDestroyNotify) coproc_worker_observer_unref);
  else if (self->tail != NULL)
    coproc_stderr_tail_start (self->tail, NULL, NULL, NULL);
  coproc_process_watch (process, self->io, TRUE, on_process_exited, coproc_worker_run_ref (self));

  return TRUE;
}
