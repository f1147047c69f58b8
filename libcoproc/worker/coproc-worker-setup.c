/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "worker/coproc-worker-setup-private.h"

static void
function_clear (gpointer data)
{
  CoprocWorkerFunction *self = data;

  if (self->notify != NULL)
    self->notify (self->user_data);
}

void
coproc_worker_function_unref (CoprocWorkerFunction *self)
{
  g_atomic_rc_box_release_full (self, function_clear);
}

static void
setup_clear (gpointer data)
{
  CoprocWorkerSetup *self = data;

  g_clear_pointer (&self->launcher, coproc_launcher_unref);
  g_free (self->plugin);
  g_free (self->entry_point);
  g_strfreev (self->command);
  g_clear_pointer (&self->function, coproc_worker_function_unref);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_main_context_unref (self->context);
  g_strfreev (self->environment);
  g_free (self->working_directory);
  g_clear_pointer (&self->rlimits, g_variant_unref);
}

CoprocWorkerSetup *
coproc_worker_setup_new (void)
{
  CoprocWorkerSetup *self = g_atomic_rc_box_new0 (CoprocWorkerSetup);

  self->context = g_main_context_ref_thread_default ();
  return self;
}

CoprocWorkerSetup *
coproc_worker_setup_ref (CoprocWorkerSetup *self)
{
  return g_atomic_rc_box_acquire (self);
}

void
coproc_worker_setup_unref (CoprocWorkerSetup *self)
{
  g_atomic_rc_box_release_full (self, setup_clear);
}

char *
coproc_worker_setup_dup_label (const CoprocWorkerSetup *self)
{
  if (self->plugin != NULL)
    return g_strdup_printf ("%s:%s", self->plugin, self->entry_point);
  return g_strdup (self->command != NULL ? self->command[0] : "function");
}
