/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What happens to a worker, told by its object in the context that the object was made in.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Lines of stderr that wait to be told; further ones push the oldest out. */
#define COPROC_OBSERVER_MAX_LINES 1024

/* Reference-counted, thread-safe. Never keeps the object alive, and never runs code of its users in
 * another thread than the context's. */
typedef struct _CoprocWorkerObserver CoprocWorkerObserver;

/* Tells what happens to @object from the thread-default context of now. */
CoprocWorkerObserver *coproc_worker_observer_new          (GObject *object);
CoprocWorkerObserver *coproc_worker_observer_ref          (CoprocWorkerObserver *self);
void                  coproc_worker_observer_unref        (CoprocWorkerObserver *self);
/* The context in which it tells. (transfer none) */
GMainContext         *coproc_worker_observer_get_context  (CoprocWorkerObserver *self);
/* Tells now what waits to be told. Only by the thread that runs the context. */
void                  coproc_worker_observer_catch_up     (CoprocWorkerObserver *self);
/* The object goes away: nothing is told any more. */
void                  coproc_worker_observer_mute         (CoprocWorkerObserver *self);

void                  coproc_worker_observer_tell_state   (CoprocWorkerObserver *self);                         /* notify::state */
void                  coproc_worker_observer_tell_exited  (CoprocWorkerObserver *self, int status, int signum); /* exited */
void                  coproc_worker_observer_tell_restarted (CoprocWorkerObserver *self, guint count);              /* restarted */
void                  coproc_worker_observer_tell_line    (CoprocWorkerObserver *self, const char *line);       /* stderr-line */

G_END_DECLS
