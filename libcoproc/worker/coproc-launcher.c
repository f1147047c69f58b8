/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A program that starts workers.
 */
#include "worker/coproc-launcher-private.h"

#include <string.h>

#include "coproc-error.h"

struct _CoprocLauncher
{
  gatomicrefcount ref_count;

  /* immutable */
  char **argv_prefix;
  CoprocLauncherQuoting quoting;
  gboolean passes_fds;
  gboolean kills_orphans;
};

G_DEFINE_BOXED_TYPE (CoprocLauncher, coproc_launcher, coproc_launcher_ref, coproc_launcher_unref)

/**
 * coproc_launcher_new: (constructor)
 * @argv_prefix: (array zero-terminated=1) (nullable): the program, by its path or its name on the search path for
 *   programs, and its arguments, in front of the worker's; %NULL or empty: none
 * @quoting: how the program takes the worker's command line
 * @passes_fds: whether the worker inherits the descriptors that the program was started with
 * @kills_orphans: whether the program sees to it that nothing of what it started outlives it
 *
 * Makes a launcher.
 *
 * Without @passes_fds the protocol runs over the worker's standard input and output, which the program must carry,
 * unchanged, in both directions: no terminal in between. What it, or a shell, prints before the worker does is
 * skipped, up to 64 KiB. A connection that is silent for [property@Coproc.WorkerResource:heartbeat-timeout] counts
 * as dead at both ends.
 *
 * Without @kills_orphans the processes that a worker leaves behind are looked for and killed by the host.
 *
 * Threads: any.
 *
 * Returns: (transfer full): a new launcher
 *
 * Since: 1.0
 */
CoprocLauncher *
coproc_launcher_new (const char *const     *argv_prefix,
                     CoprocLauncherQuoting  quoting,
                     gboolean               passes_fds,
                     gboolean               kills_orphans)
{
  static const char *const nothing[] = { NULL };
  CoprocLauncher *self = g_new0 (CoprocLauncher, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->argv_prefix = g_strdupv ((char **) (argv_prefix != NULL ? argv_prefix : nothing));
  self->quoting = quoting;
  self->passes_fds = !!passes_fds;
  self->kills_orphans = !!kills_orphans;

  return self;
}

/**
 * coproc_launcher_ref:
 * @self: a launcher
 *
 * Adds a reference.
 *
 * Threads: any.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
CoprocLauncher *
coproc_launcher_ref (CoprocLauncher *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * coproc_launcher_unref:
 * @self: (transfer full): a launcher
 *
 * Drops a reference.
 *
 * Threads: any.
 *
 * Since: 1.0
 */
void
coproc_launcher_unref (CoprocLauncher *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_strfreev (self->argv_prefix);
  g_free (self);
}

/**
 * coproc_launcher_get_argv_prefix:
 * @self: a launcher
 *
 * Gets what is put in front of a worker's command line.
 *
 * Threads: any.
 *
 * Returns: (transfer none) (array zero-terminated=1): the program and its arguments; empty: none
 *
 * Since: 1.0
 */
const char *const *
coproc_launcher_get_argv_prefix (CoprocLauncher *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (const char *const *) self->argv_prefix;
}

/**
 * coproc_launcher_get_quoting:
 * @self: a launcher
 *
 * Gets how the program takes a worker's command line.
 *
 * Threads: any.
 *
 * Returns: the quoting
 *
 * Since: 1.0
 */
CoprocLauncherQuoting
coproc_launcher_get_quoting (CoprocLauncher *self)
{
  g_return_val_if_fail (self != NULL, COPROC_LAUNCHER_QUOTING_ARGV);

  return self->quoting;
}

/**
 * coproc_launcher_get_passes_fds:
 * @self: a launcher
 *
 * Gets whether a worker inherits the descriptors that the program was started with.
 *
 * Threads: any.
 *
 * Returns: %TRUE if it does
 *
 * Since: 1.0
 */
gboolean
coproc_launcher_get_passes_fds (CoprocLauncher *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->passes_fds;
}

/**
 * coproc_launcher_get_kills_orphans:
 * @self: a launcher
 *
 * Gets whether the program sees to it that nothing of what it started outlives it.
 *
 * Threads: any.
 *
 * Returns: %TRUE if it does
 *
 * Since: 1.0
 */
gboolean
coproc_launcher_get_kills_orphans (CoprocLauncher *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->kills_orphans;
}

/* One argument, for a shell. */
static char *
join_quoted (const char *const *argv)
{
  GString *line = g_string_new (NULL);

  for (gsize i = 0; argv[i] != NULL; i++)
    {
      g_autofree char *quoted = g_shell_quote (argv[i]);

      if (i > 0)
        g_string_append_c (line, ' ');
      g_string_append (line, quoted);
    }

  return g_string_free (line, FALSE);
}

char **
coproc_launcher_wrap (CoprocLauncher     *self,
                      const char *const  *variables,
                      const char *const  *argv,
                      GError            **error)
{
  g_autoptr (GStrvBuilder) line = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) command = g_strv_builder_new ();
  g_auto (GStrv) words = NULL;
  g_autofree char *program = NULL;
  const char *first = self->argv_prefix[0] != NULL ? self->argv_prefix[0] : "env";

  /* env would take it for a variable */
  if (strchr (argv[0], '=') != NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN,
                   "A launcher cannot start '%s': there is a '=' in the name", argv[0]);
      return NULL;
    }
  program = g_find_program_in_path (first);
  if (program == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "There is no program '%s'", first);
      return NULL;
    }

  if (self->argv_prefix[0] != NULL)
    {
      g_strv_builder_add (line, program);
      g_strv_builder_addv (line, (const char **) self->argv_prefix + 1);
    }
  g_strv_builder_add (command, self->argv_prefix[0] != NULL ? "env" : program);
  g_strv_builder_addv (command, (const char **) variables);
  g_strv_builder_addv (command, (const char **) argv);
  words = g_strv_builder_end (command);
  if (self->quoting == COPROC_LAUNCHER_QUOTING_SHELL && self->argv_prefix[0] != NULL)
    {
      g_autofree char *text = join_quoted ((const char *const *) words);

      g_strv_builder_add (line, text);
    }
  else
    g_strv_builder_addv (line, (const char **) words);

  return g_strv_builder_end (line);
}
