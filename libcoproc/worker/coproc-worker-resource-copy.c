/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker like another one.
 */
#include "worker/coproc-worker-resource-private.h"

/* Copies what can be set, whatever properties there are. */
static void
copy_properties (GObject *from, GObject *to)
{
  g_autofree GParamSpec **specs = NULL;
  guint n;

  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (from), &n);
  for (guint i = 0; i < n; i++)
    {
      const GParamFlags wanted = G_PARAM_READWRITE;
      g_auto (GValue) value = G_VALUE_INIT;

      if ((specs[i]->flags & wanted) != wanted || (specs[i]->flags & G_PARAM_CONSTRUCT_ONLY) != 0)
        continue;
      g_object_get_property (from, specs[i]->name, &value);
      g_object_set_property (to, specs[i]->name, &value);
    }
}

CoprocWorkerResource *
coproc_worker_resource_new_like (CoprocWorkerResource *model)
{
  CoprocWorkerResource *self = g_object_new (COPROC_TYPE_WORKER_RESOURCE, "plugin", model->plugin,
                                             "entry-point", model->entry_point, NULL);

  self->command = g_strdupv (model->command);
  if (model->function != NULL)
    self->function = g_atomic_rc_box_acquire (model->function);
  copy_properties (G_OBJECT (model), G_OBJECT (self));
  return self;
}
