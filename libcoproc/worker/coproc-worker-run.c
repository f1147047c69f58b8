/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One life of a worker.
 *
 *   STARTING ── greeting ──▶ RUNNING ── stop, or the connection's end ──▶ STOPPING
 *      │  │                     └── death ──▶ EXITED ◀── death ──┘  │
 *      │  └── stop ──▶ STOPPING ── death ──▶ FAILED ◀───────────────┘ (before the greeting)
 *      └── anything wrong ──▶ FAILED
 *
 * Threads: the background thread learns of the death, takes in the worker's last words, settles the
 * messenger with the reason, and only then says that the run is over. While a thread is in start(),
 * that thread has the last word on the state.
 */
#include "worker/coproc-worker-run-private.h"

#include <string.h>

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-unix-private.h"

static const guint8 legal_edges[][COPROC_WORKER_STATE_FAILED + 1] = {
  [COPROC_WORKER_STATE_STARTING] = { [COPROC_WORKER_STATE_RUNNING] = 1,
                                     [COPROC_WORKER_STATE_STOPPING] = 1,
                                     [COPROC_WORKER_STATE_FAILED] = 1 },
  [COPROC_WORKER_STATE_RUNNING] = { [COPROC_WORKER_STATE_STOPPING] = 1,
                                    [COPROC_WORKER_STATE_EXITED] = 1 },
  [COPROC_WORKER_STATE_STOPPING] = { [COPROC_WORKER_STATE_EXITED] = 1,
                                     [COPROC_WORKER_STATE_FAILED] = 1 },
  [COPROC_WORKER_STATE_FAILED] = { 0 },
};

CoprocWorkerRun *
coproc_worker_run_new (CoprocWorkerObserver *observer)
{
  CoprocWorkerRun *self = g_new0 (CoprocWorkerRun, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->observer = coproc_worker_observer_ref (observer);
  self->state = COPROC_WORKER_STATE_STARTING;
  self->greeting = TRUE;
  self->waits = g_ptr_array_new ();
  coproc_worker_observer_tell_state (observer);

  return self;
}

CoprocWorkerRun *
coproc_worker_run_ref (CoprocWorkerRun *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_worker_run_unref (CoprocWorkerRun *self)
{
  gboolean uses_io;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  uses_io = self->io != NULL;
  g_assert (self->messenger == NULL && self->stage_source == NULL && self->waits->len == 0);
  g_clear_pointer (&self->tail, coproc_stderr_tail_unref);
  g_clear_pointer (&self->process, coproc_process_unref);
  coproc_worker_observer_unref (self->observer);
  g_clear_error (&self->broken);
  g_ptr_array_unref (self->waits);
  g_free (self->label);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
  if (uses_io)
    coproc_io_unref ();
}

void
coproc_worker_run_set_state_locked (CoprocWorkerRun *self, CoprocWorkerState state)
{
  g_assert (self->state < G_N_ELEMENTS (legal_edges) && legal_edges[self->state][state]);

  self->state = state;
  coproc_worker_observer_tell_state (self->observer);
  coproc_worker_run_wake_locked (self);
}

CoprocWorkerState
coproc_worker_run_get_state (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->state;
}

gboolean
coproc_worker_run_is_over (CoprocWorkerRun *self)
{
  CoprocWorkerState state = coproc_worker_run_get_state (self);

  return state == COPROC_WORKER_STATE_EXITED || state == COPROC_WORKER_STATE_FAILED;
}

CoprocExit
coproc_worker_run_get_exit (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->status;
}

GPid
coproc_worker_run_get_pid (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->process == NULL || self->status.kind != COPROC_EXIT_NOT_YET)
    return 0;
  return coproc_process_get_pid (self->process);
}

char *
coproc_worker_setup_dup_label (const CoprocWorkerSetup *setup)
{
  if (setup->plugin != NULL)
    return g_strdup_printf ("%s:%s", setup->plugin, setup->entry_point);
  return g_strdup (setup->command != NULL ? setup->command[0] : "function");
}

char *
coproc_worker_run_dup_name (CoprocWorkerRun *self)
{
  if (self->process == NULL)
    return g_strdup_printf ("Worker thread %s", self->label);
  return g_strdup_printf ("Worker %d (%s)", (int) coproc_process_get_pid (self->process), self->label);
}

CoprocMessenger *
coproc_worker_run_get_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->greeting ? NULL : self->messenger;
}

/* --- the end --- */

/* The run of a worker that had greeted is over. (lock) */
static void
exit_locked (CoprocWorkerRun *self)
{
  const CoprocExit *status = &self->status;

  coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_EXITED);
  coproc_worker_observer_tell_exited (self->observer,
                                      status->kind == COPROC_EXIT_CODE ? status->value : -1,
                                      status->kind == COPROC_EXIT_SIGNAL ? status->value : 0);
}

void
coproc_worker_run_ended (CoprocWorkerRun *self, CoprocExit status)
{
  g_autoptr (GError) death = NULL;
  CoprocMessenger *messenger;
  gboolean greeted, uses_io;

  if (self->tail != NULL)
    coproc_stderr_tail_finish (self->tail);

  g_mutex_lock (&self->lock);
  self->status = status;
  coproc_worker_run_stop_ended_locked (self);
  /* The flag, not a reference, keeps it: the last reference must not be dropped in this thread. */
  self->settling = TRUE;
  messenger = self->messenger;
  g_mutex_unlock (&self->lock);

  /* What it did last is known when its last words have been taken in. */
  greeted = messenger != NULL && coproc_messenger_take_last_words (messenger);
  death = coproc_worker_run_make_death (self, greeted);
  if (messenger != NULL)
    coproc_messenger_settle (messenger, death);

  g_mutex_lock (&self->lock);
  self->settling = FALSE;
  self->ended = TRUE;
  /* A start that gave up waiting for this has said FAILED already. */
  if (!self->greeting && self->state != COPROC_WORKER_STATE_FAILED)
    exit_locked (self);
  coproc_worker_run_wake_locked (self);
  /* Only the stages used it; the run itself may be kept for long. */
  uses_io = g_steal_pointer (&self->io) != NULL;
  g_mutex_unlock (&self->lock);

  if (uses_io)
    coproc_io_unref ();
}

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
                                 self->grace_us);
}

static void
on_stderr_line (const char *line, gpointer user_data)
{
  coproc_worker_observer_tell_line (user_data, line);
}

/* Takes the messenger away, for the caller to drop. Not from the background thread. */
static CoprocMessenger *
steal_messenger (CoprocWorkerRun *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  while (self->settling)
    g_cond_wait (&self->changed, &self->lock);

  return g_steal_pointer (&self->messenger);
}

void
coproc_worker_run_release (CoprocWorkerRun *self)
{
  g_autoptr (CoprocMessenger) messenger = NULL;

  if (!coproc_worker_run_is_over (self))
    coproc_worker_run_stop (self, COPROC_STOP_ASKED, self->grace_us);

  messenger = steal_messenger (self);
  if (messenger != NULL && !coproc_worker_run_is_over (self))
    coproc_messenger_close (messenger);
  coproc_worker_run_unref (self);
}

/* --- the start --- */

/* The descriptors of a start; all but those handed on are closed at its end. */
typedef struct
{
  int to_worker[2];
  int from_worker[2];
  int stderr_pipe[2];
} StartFds;

static void
start_fds_close (StartFds *fds)
{
  int *all = (int *) fds;

  for (guint i = 0; i < sizeof *fds / sizeof (int); i++)
    coproc_clear_fd (&all[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StartFds, start_fds_close)

/* The environment of the child, and in it where the protocol is. */
static char **
make_environment (const CoprocWorkerSetup *setup)
{
  char **environment = coproc_spawn_dup_environment (setup->environment);

  return g_environ_setenv (environment, "COPROC_WORKER_FDS",
                           G_STRINGIFY (COPROC_CHILD_IN_FD) "," G_STRINGIFY (COPROC_CHILD_OUT_FD),
                           TRUE);
}

/* The program and its arguments. (transfer full) NULL: there is no such program */
static char **
make_argv (CoprocWorkerRun *self, const CoprocWorkerSetup *setup, GError **error)
{
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_autofree char *program = NULL;
  gboolean by_priority;

  if (setup->command != NULL)
    {
      program = g_find_program_in_path (setup->command[0]);
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

static gboolean
launch (CoprocWorkerRun *self,
        const CoprocWorkerSetup *setup,
        StartFds *fds,
        GPid *pid,
        GError **error)
{
  g_auto (GStrv) environment = make_environment (setup);
  g_auto (GStrv) argv = make_argv (self, setup, error);
  CoprocLaunch what = { .argv = (const char *const *) argv, .envp = (const char *const *) environment };

  if (argv == NULL)
    return FALSE;
  what.working_directory = setup->working_directory;
  what.in_fd = fds->to_worker[0];
  what.out_fd = fds->from_worker[1];
  what.stderr_fd = fds->stderr_pipe[1];

  return setup->launcher->launch (setup->launcher, &what, pid, error);
}

/* This side of what connects to a worker. */
static gboolean
prepare (CoprocWorkerRun *self, const CoprocWorkerSetup *setup, StartFds *fds, GError **error)
{
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
  self->messenger
      = coproc_messenger_new_unannounced (setup->messenger_type, g_steal_fd (&fds->from_worker[0]),
                                          g_steal_fd (&fds->to_worker[1]), &local_error);

out:
  if (local_error != NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "The link to a worker cannot be made: %s",
                 local_error->message);
  return local_error == NULL;
}

/* Everything up to a process that is watched. */
static gboolean
spawn (CoprocWorkerRun *self, const CoprocWorkerSetup *setup, GError **error)
{
  g_auto (StartFds) fds = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
  CoprocProcess *process;
  GPid pid;

  if (!prepare (self, setup, &fds, error))
    return FALSE;
  coproc_messenger_set_end_func (self->messenger, on_connection_ended,
                                 coproc_worker_run_ref (self),
                                 (GDestroyNotify) coproc_worker_run_unref);
  if (!launch (self, setup, &fds, &pid, error))
    return FALSE;
  /* As long as this side has the worker's ends open their end cannot be seen. */
  start_fds_close (&fds);

  process = coproc_process_new (pid);
  g_mutex_lock (&self->lock);
  self->process = process;
  self->launched = TRUE;
  if (self->broken != NULL) /* its first words were wrong, before there was a process to kill */
    coproc_worker_run_stop_locked (self, COPROC_STOP_KILL, self->grace_us);
  g_mutex_unlock (&self->lock);
  if (self->tail != NULL && setup->stderr_mode == COPROC_STDERR_MODE_CAPTURE)
    coproc_stderr_tail_start (self->tail, on_stderr_line,
                              coproc_worker_observer_ref (self->observer),
                              (GDestroyNotify) coproc_worker_observer_unref);
  else if (self->tail != NULL)
    coproc_stderr_tail_start (self->tail, NULL, NULL, NULL);
  coproc_process_watch (process, self->io, TRUE, on_process_exited, coproc_worker_run_ref (self));

  return TRUE;
}

/* Greets the worker and waits for its greeting. */
static gboolean
greet (CoprocWorkerRun *self,
       const CoprocWorkerSetup *setup,
       GVariant *arguments,
       GCancellable *cancellable,
       GError **error)
{
  g_autoptr (GVariant) hello = NULL;
  g_autoptr (GError) local_error = NULL;
  GVariantDict extra;

  g_variant_dict_init (&extra, NULL);
  if (arguments != NULL)
    g_variant_dict_insert_value (&extra, "arguments", arguments);

  /* Where the worker is gone before it could be greeted, the reason is still to come. */
  if (!coproc_messenger_send_hello (self->messenger, g_variant_dict_end (&extra), &local_error)
      && (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE)
          || g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_INVALID_PAYLOAD)))
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  g_clear_error (&local_error);

  hello = coproc_messenger_await_hello (self->messenger, setup->start_timeout_us, cancellable,
                                        &local_error);
  if (hello != NULL)
    return TRUE;

  if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
    {
      g_autofree char *name = coproc_worker_run_dup_name (self);
      g_autofree char *last_words = coproc_worker_run_dup_last_words (self);

      g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDSHAKE_TIMEOUT,
                   "%s did not greet in %.1f s and was %s%s", name,
                   (double) setup->start_timeout_us / G_USEC_PER_SEC,
                   self->process != NULL ? "killed" : "given up", last_words);
    }
  else
    g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}

void
coproc_worker_run_fail_start (CoprocWorkerRun *self)
{
  g_autoptr (CoprocMessenger) messenger = NULL;

  g_mutex_lock (&self->lock);
  coproc_worker_run_stop_locked (self, COPROC_STOP_KILL, self->grace_us);
  while (self->launched && !self->ended && self->stage != COPROC_STOP_GIVEN_UP)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);

  messenger = steal_messenger (self);
  if (messenger != NULL)
    coproc_messenger_close (messenger);

  g_mutex_lock (&self->lock);
  self->greeting = FALSE;
  coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_FAILED);
  g_mutex_unlock (&self->lock);
}

gboolean
coproc_worker_run_start (CoprocWorkerRun          *self,
                         const CoprocWorkerSetup  *setup,
                         GVariant                 *arguments,
                         GCancellable             *cancellable,
                         GError                  **error)
{
  gboolean asked, launched;

  self->label = coproc_worker_setup_dup_label (setup);
  self->has_plugin = setup->plugin != NULL;
  self->grace_us = setup->grace_us;

  if (setup->mode == COPROC_WORKER_MODE_THREAD)
    launched = coproc_worker_run_launch_thread (self, setup, error);
  else
    launched = spawn (self, setup, error);
  if (!launched || !greet (self, setup, arguments, cancellable, error))
    {
      coproc_worker_run_fail_start (self);
      return FALSE;
    }

  g_mutex_lock (&self->lock);
  self->greeting = FALSE;
  if (self->state == COPROC_WORKER_STATE_STARTING)
    coproc_worker_run_set_state_locked (self, COPROC_WORKER_STATE_RUNNING);
  asked = self->asked;
  if (self->ended)
    exit_locked (self);
  g_mutex_unlock (&self->lock);
  if (asked)
    coproc_worker_run_ask (self);

  return TRUE;
}
