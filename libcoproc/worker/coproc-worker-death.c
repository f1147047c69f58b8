/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What is said about the end of a worker.
 */
#include "worker/coproc-worker-run-private.h"

#include <signal.h>

#include "coproc-error.h"

#define LAST_WORDS_SIZE 4096   /* bytes of stderr in an error's message */
#define EXIT_NO_PROGRAM 127    /* the dynamic linker could not start the program */

char *
coproc_worker_run_dup_last_words (CoprocWorkerRun *self)
{
  g_autofree char *text = NULL;

  if (self->tail != NULL)
    text = coproc_stderr_tail_dup_text (self->tail, LAST_WORDS_SIZE);
  if (text == NULL || *text == '\0')
    return g_strdup ("");

  return g_strconcat ("\nIts stderr ends with:\n", text, NULL);
}

/* Whether an end before the greeting is the plugin's own doing: a crash, or an exit. What others do
 * to a process (kill, the kernel out of memory), or a program that never got to run, is not. */
static gboolean
is_plugins_doing (const CoprocExit *status)
{
  static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

  if (status->kind == COPROC_EXIT_CODE)
    return status->value != EXIT_NO_PROGRAM;
  if (status->kind == COPROC_EXIT_SIGNAL)
    for (guint i = 0; i < G_N_ELEMENTS (crashes); i++)
      if (crashes[i] == status->value)
        return TRUE;

  return FALSE;
}

GError *
coproc_worker_run_make_death (CoprocWorkerRun *self, gboolean greeted)
{
  g_autofree char *how = NULL;
  g_autofree char *last_words = coproc_worker_run_dup_last_words (self);
  g_autoptr (GError) broken = NULL;
  g_autofree char *name = coproc_worker_run_dup_name (self);
  CoprocExit status;
  gboolean greeting, asked, dropped, forced;

  g_mutex_lock (&self->lock);
  status = self->status;
  greeting = self->greeting && !greeted;
  asked = self->asked;
  forced = self->stage >= COPROC_STOP_KILL;
  dropped = !asked && self->stage >= COPROC_STOP_TERM;
  if (self->broken != NULL)
    broken = g_error_copy (self->broken);
  g_mutex_unlock (&self->lock);

  if (broken != NULL)
    {
      g_prefix_error (&broken, "%s was killed: ", name);
      return g_steal_pointer (&broken);
    }

  how = coproc_exit_describe (&status, forced);
  if (greeting && !asked && self->setup->plugin != NULL && is_plugins_doing (&status))
    return g_error_new (COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
                        "%s died while loading the plugin: %s%s", name, how, last_words);

  return g_error_new (COPROC_ERROR, COPROC_ERROR_WORKER_DIED,
                      "%s died while %s: %s%s%s", name,
                      greeting ? "starting"
                      : asked  ? "stopping"
                               : "running",
                      how, dropped ? ", ended because it had closed its connection" : "",
                      last_words);
}
