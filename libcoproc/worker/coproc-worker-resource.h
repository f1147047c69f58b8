/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker as its host holds it.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <messenger/coproc-messenger.h>

G_BEGIN_DECLS

#define COPROC_TYPE_WORKER_RESOURCE (coproc_worker_resource_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocWorkerResource, coproc_worker_resource, COPROC, WORKER_RESOURCE, GObject)

COPROC_AVAILABLE_IN_1_0
CoprocWorkerResource *coproc_worker_resource_new              (const char            *plugin,
                                                               const char            *entry_point);

COPROC_AVAILABLE_IN_1_0
CoprocWorkerResource *coproc_worker_resource_new_for_command  (const char *const     *argv);

/**
 * CoprocWorkerFunc: (skip)
 * @messenger: the worker's end of the connection
 * @arguments: (nullable): the arguments of the start, of type `a{sv}`
 * @user_data: what was given with the function
 * @error: return location for an error
 *
 * A function that is a worker, in a thread of its own.
 *
 * It returns when the host asks it to close, which a receive call tells with
 * %COPROC_ERROR_CLOSE_REQUESTED; to fail with that error is a clean end.
 *
 * Returns: %FALSE with @error set when it has failed
 *
 * Since: 1.0
 */
typedef gboolean (*CoprocWorkerFunc) (CoprocMessenger  *messenger,
                                      GVariant         *arguments,
                                      gpointer          user_data,
                                      GError          **error);

COPROC_AVAILABLE_IN_1_0
CoprocWorkerResource *coproc_worker_resource_new_for_function (CoprocWorkerFunc       function,
                                                               gpointer               user_data,
                                                               GDestroyNotify         notify);

COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_start            (CoprocWorkerResource  *self,
                                                               GVariant              *arguments,
                                                               GCancellable          *cancellable,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_resource_start_async      (CoprocWorkerResource  *self,
                                                               GVariant              *arguments,
                                                               GCancellable          *cancellable,
                                                               GAsyncReadyCallback    callback,
                                                               gpointer               user_data);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_start_finish     (CoprocWorkerResource  *self,
                                                               GAsyncResult          *result,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessenger      *coproc_worker_resource_get_messenger    (CoprocWorkerResource  *self);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_join             (CoprocWorkerResource  *self,
                                                               gint64                 timeout_us,
                                                               GCancellable          *cancellable,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_resource_join_async       (CoprocWorkerResource  *self,
                                                               gint64                 timeout_us,
                                                               GCancellable          *cancellable,
                                                               GAsyncReadyCallback    callback,
                                                               gpointer               user_data);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_join_finish      (CoprocWorkerResource  *self,
                                                               GAsyncResult          *result,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_terminate        (CoprocWorkerResource  *self,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_stop             (CoprocWorkerResource  *self,
                                                               gint64                 grace_us,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_resource_stop_async       (CoprocWorkerResource  *self,
                                                               gint64                 grace_us,
                                                               GCancellable          *cancellable,
                                                               GAsyncReadyCallback    callback,
                                                               gpointer               user_data);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_stop_finish      (CoprocWorkerResource  *self,
                                                               GAsyncResult          *result,
                                                               GError               **error);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_resource_is_alive         (CoprocWorkerResource  *self);
COPROC_AVAILABLE_IN_1_0
GPid                  coproc_worker_resource_get_pid          (CoprocWorkerResource  *self);
COPROC_AVAILABLE_IN_1_0
int                   coproc_worker_resource_get_exit_status  (CoprocWorkerResource  *self);
COPROC_AVAILABLE_IN_1_0
int                   coproc_worker_resource_get_term_signal  (CoprocWorkerResource  *self);

G_END_DECLS
