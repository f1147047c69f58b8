/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Starting the program that a worker is.
 */
#include "coproc-config.h"

#include "worker/coproc-spawn-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "coproc-error.h"
#include "wire/coproc-unix-private.h"
#include "worker/coproc-plugin-loader-private.h"

/* The first number that a descriptor of the host may have while it is handed over: above the
 * numbers it is handed over to, so that no dup2() in the child overwrites one still needed. */
#define FIRST_FREE_FD (COPROC_CHILD_MEMORY_FD + 1)

char *
coproc_spawn_dup_helper_path (void)
{
  const char *variable = coproc_trusted_getenv ("COPROC_WORKER_HOST");

  if (variable != NULL && g_path_is_absolute (variable))
    return g_strdup (variable);

  return g_strdup (COPROC_HELPER_DIR "/coproc-worker");
}

char **
coproc_spawn_dup_environment (const char *const *chosen)
{
  static const struct
  {
    const char *name;
    gboolean is_needed; /* also in an environment that the application has chosen */
  } variables[] = {
    { "COPROC_PLUGIN_PATH", TRUE },
    { "COPROC_PLUGIN_TRUST", TRUE },
    { "COPROC_WORKER_HOST", FALSE },
  };
  char **environment = chosen != NULL ? g_strdupv ((char **) chosen) : g_get_environ ();

  for (guint i = 0; i < G_N_ELEMENTS (variables); i++)
    {
      const char *name = variables[i].name;
      const char *value = coproc_trusted_getenv (name);

      if (value != NULL && variables[i].is_needed)
        environment = g_environ_setenv (environment, name, value, FALSE);
      else if (value == NULL && chosen == NULL)
        environment = g_environ_unsetenv (environment, name);
    }

  return environment;
}

static gboolean
set_spawn_error (GError **error, const char *path, int errsv)
{
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "Starting '%s' failed: %s", path,
               g_strerror (errsv));
  return FALSE;
}

#ifndef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
/* Without closefrom the child is told to close each descriptor that may be inherited; those that
 * other threads open in between are close-on-exec, or not ours to close. */
static int
add_closes (posix_spawn_file_actions_t *actions)
{
  long max_fd = sysconf (_SC_OPEN_MAX);
  int result = 0;

  for (int fd = FIRST_FREE_FD; fd < CLAMP (max_fd, 256, 4096) && result == 0; fd++)
    {
      int flags = fcntl (fd, F_GETFD);

      if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
        result = posix_spawn_file_actions_addclose (actions, fd);
    }
  return result;
}
#endif

/* What a child gets: in, out, memory, and what it prints to. */
#define N_FDS 4

static int
hand_over (posix_spawn_file_actions_t *actions, int fd, int number)
{
  return fd >= 0 ? posix_spawn_file_actions_adddup2 (actions, fd, number)
                 : posix_spawn_file_actions_addclose (actions, number);
}

/* The three standard ones. fds: as below */
static int
add_standard (posix_spawn_file_actions_t *actions, const CoprocLaunch *launch, const int fds[N_FDS])
{
  const gboolean keep_stdout = launch->keep_stdout && fcntl (1, F_GETFD) >= 0;
  int result;

  if (launch->on_stdio)
    result = posix_spawn_file_actions_adddup2 (actions, fds[0], 0);
  else
    result = posix_spawn_file_actions_addopen (actions, 0, "/dev/null", O_RDONLY, 0);
  if (result == 0 && fds[3] < 0)
    result = posix_spawn_file_actions_addopen (actions, 2, "/dev/null", O_WRONLY, 0);
  else if (result == 0)
    result = posix_spawn_file_actions_adddup2 (actions, fds[3], 2);
  if (result == 0)
    result = posix_spawn_file_actions_adddup2 (actions, launch->on_stdio ? fds[1] : keep_stdout ? 1 : 2, 1);

  return result;
}

/* fds: all above the numbers they are handed over to, -1: none */
static int
fill_actions (posix_spawn_file_actions_t *actions, const CoprocLaunch *launch, const int fds[N_FDS])
{
  int result = add_standard (actions, launch, fds);

  for (int fd = 3; fd < COPROC_CHILD_IN_FD && result == 0; fd++)
    result = posix_spawn_file_actions_addclose (actions, fd);
  for (int i = 0; i < N_FDS - 1 && result == 0; i++)
    result = hand_over (actions, launch->on_stdio ? -1 : fds[i], COPROC_CHILD_IN_FD + i);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
  if (result == 0)
    result = posix_spawn_file_actions_addclosefrom_np (actions, FIRST_FREE_FD);
#else
  if (result == 0)
    result = add_closes (actions);
#endif
  if (result == 0 && launch->working_directory != NULL)
    {
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCHDIR_NP
      result = posix_spawn_file_actions_addchdir_np (actions, launch->working_directory);
#else
      result = ENOSYS;
#endif
    }

  return result;
}

/* A group of its own, all signals unblocked and at their defaults, whatever the host has set. */
static int
fill_attributes (posix_spawnattr_t *attributes)
{
  sigset_t none, all;
  int result;

  sigemptyset (&none);
  sigfillset (&all);
  result = posix_spawnattr_setflags (attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK
                                                     | POSIX_SPAWN_SETSIGDEF);
  if (result == 0)
    result = posix_spawnattr_setpgroup (attributes, 0);
  if (result == 0)
    result = posix_spawnattr_setsigmask (attributes, &none);
  if (result == 0)
    result = posix_spawnattr_setsigdefault (attributes, &all);

  return result;
}

static int
spawn_child (const CoprocLaunch *launch, const int fds[N_FDS], GPid *pid)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int result = posix_spawn_file_actions_init (&actions);

  if (result != 0)
    return result;
  result = posix_spawnattr_init (&attributes);
  if (result == 0)
    {
      result = fill_attributes (&attributes);
      if (result == 0)
        result = fill_actions (&actions, launch, fds);
      if (result == 0)
        result = posix_spawn (pid, launch->argv[0], &actions, &attributes,
                              (char *const *) launch->argv, (char *const *) launch->envp);
      posix_spawnattr_destroy (&attributes);
    }
  posix_spawn_file_actions_destroy (&actions);

  return result;
}

gboolean
coproc_spawn (const CoprocLaunch *launch, GPid *pid, GError **error)
{
  const int sources[N_FDS] = { launch->in_fd, launch->out_fd, launch->memory_fd, launch->stderr_fd };
  int fds[N_FDS] = { -1, -1, -1, -1 };
  int errsv = 0;

  if (launch->working_directory != NULL
      && !g_file_test (launch->working_directory, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN,
                   "Starting '%s' failed: the working directory '%s' is not a directory",
                   launch->argv[0], launch->working_directory);
      return FALSE;
    }

  for (guint i = 0; i < G_N_ELEMENTS (fds) && errsv == 0; i++)
    if (sources[i] >= 0)
      {
        fds[i] = fcntl (sources[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (fds[i] < 0)
          errsv = errno;
      }
  if (errsv == 0)
    errsv = spawn_child (launch, fds, pid);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    coproc_clear_fd (&fds[i]);

  return errsv == 0 || set_spawn_error (error, launch->argv[0], errsv);
}
