/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Starting the program that a worker is: posix_spawn(), whose cost does not depend on the size of the host.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The numbers that the protocol's descriptors have in a child: out of the way of what a plugin,
 * or the C library, opens and prints to. */
#define COPROC_CHILD_IN_FD 10
#define COPROC_CHILD_OUT_FD 11
#define COPROC_CHILD_MEMORY_FD 12

/* What is started. All borrowed. */
typedef struct
{
  const char *const *argv;         /* argv[0] is an absolute path */
  const char *const *envp;         /* the whole environment of the child */
  const char *working_directory;   /* (nullable) the host's */
  int in_fd;                       /* becomes COPROC_CHILD_IN_FD, -1: none */
  int out_fd;                      /* becomes COPROC_CHILD_OUT_FD */
  int memory_fd;                   /* becomes COPROC_CHILD_MEMORY_FD, -1: none */
  int stderr_fd;                   /* standard error, and standard output unless it is kept, -1: /dev/null */
  gboolean keep_stdout;            /* standard output is the host's */
  gboolean on_stdio;               /* in_fd and out_fd become standard input and output instead */
} CoprocLaunch;

/* Starts a child process in a process group of its own, whatever the size of this one. Any thread. FALSE with
 * COPROC_ERROR_SPAWN: nothing was started */
gboolean coproc_spawn (const CoprocLaunch *launch, GPid *pid, GError **error);

/* The path of the helper program `coproc-worker`: absolute, compiled in, or COPROC_WORKER_HOST. (transfer full) */
char *coproc_spawn_dup_helper_path (void);

/* The environment of a child: @chosen by the application, NULL: the host's. What the search for
 * plugins needs is added, and where the host's rights were raised (AT_SECURE) its own variables are
 * left out: the child need not notice, and would take them for its own user's. (transfer full) */
char **coproc_spawn_dup_environment (const char *const *chosen);

G_END_DECLS
