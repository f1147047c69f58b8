/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The part of a worker that is the same in a process and in a thread. Both run until the host has asked to
 * end, or is gone. *error: what the host is to be told then; not set: a clean end.
 */
#pragma once

#include "worker/coproc-worker-resource.h"

G_BEGIN_DECLS

void coproc_worker_serve_plugin   (const char *plugin, const char *entry_point, CoprocMessenger *messenger, GVariant *arguments, GError **error);
void coproc_worker_serve_function (CoprocWorkerFunc function, gpointer user_data, CoprocMessenger *messenger, GVariant *arguments, GError **error);

G_END_DECLS
