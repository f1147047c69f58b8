/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Several workers that share tasks.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <pool/coproc-map-operation.h>
#include <pool/coproc-pool-worker.h>
#include <worker/coproc-worker-resource.h>

G_BEGIN_DECLS

#define COPROC_TYPE_WORKER_POOL (coproc_worker_pool_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (CoprocWorkerPool, coproc_worker_pool, COPROC, WORKER_POOL, GObject)

COPROC_AVAILABLE_IN_1_0
CoprocWorkerPool     *coproc_worker_pool_new             (const char           *plugin,
                                                          const char           *entry_point,
                                                          guint                 n_workers);
COPROC_AVAILABLE_IN_1_0
CoprocWorkerPool     *coproc_worker_pool_new_for_command (const char *const    *argv,
                                                          guint                 n_workers);
COPROC_AVAILABLE_IN_1_0
CoprocWorkerPool     *coproc_worker_pool_new_for_model   (CoprocWorkerResource *model,
                                                          guint                 n_workers);
COPROC_AVAILABLE_IN_1_0
CoprocWorkerResource *coproc_worker_pool_get_model       (CoprocWorkerPool     *self);
COPROC_AVAILABLE_IN_1_0
GListModel           *coproc_worker_pool_get_workers     (CoprocWorkerPool     *self);

COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_pool_start           (CoprocWorkerPool     *self,
                                                          GVariant             *arguments,
                                                          GCancellable         *cancellable,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_pool_start_async     (CoprocWorkerPool     *self,
                                                          GVariant             *arguments,
                                                          GCancellable         *cancellable,
                                                          GAsyncReadyCallback   callback,
                                                          gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_pool_start_finish    (CoprocWorkerPool     *self,
                                                          GAsyncResult         *result,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_pool_stop            (CoprocWorkerPool     *self,
                                                          gint64                grace_us,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_pool_stop_async      (CoprocWorkerPool     *self,
                                                          gint64                grace_us,
                                                          GCancellable         *cancellable,
                                                          GAsyncReadyCallback   callback,
                                                          gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
gboolean              coproc_worker_pool_stop_finish     (CoprocWorkerPool     *self,
                                                          GAsyncResult         *result,
                                                          GError              **error);

COPROC_AVAILABLE_IN_1_0
void                  coproc_worker_pool_submit_async    (CoprocWorkerPool     *self,
                                                          GVariant             *payload,
                                                          double                priority,
                                                          gint64                timeout_us,
                                                          GCancellable         *cancellable,
                                                          GAsyncReadyCallback   callback,
                                                          gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
GVariant             *coproc_worker_pool_submit_finish   (CoprocWorkerPool     *self,
                                                          GAsyncResult         *result,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
GVariant            **coproc_worker_pool_map             (CoprocWorkerPool     *self,
                                                          GVariant            **inputs,
                                                          gsize                 n_inputs,
                                                          guint                 chunk_size,
                                                          GCancellable         *cancellable,
                                                          gsize                *n_results,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage       **coproc_worker_pool_map_messages    (CoprocWorkerPool     *self,
                                                          CoprocMessage       **inputs,
                                                          gsize                 n_inputs,
                                                          guint                 chunk_size,
                                                          GCancellable         *cancellable,
                                                          gsize                *n_results,
                                                          GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMapOperation   *coproc_worker_pool_map_ordered     (CoprocWorkerPool     *self,
                                                          GVariant            **inputs,
                                                          gsize                 n_inputs,
                                                          guint                 chunk_size);
COPROC_AVAILABLE_IN_1_0
CoprocMapOperation   *coproc_worker_pool_map_unordered   (CoprocWorkerPool     *self,
                                                          GVariant            **inputs,
                                                          gsize                 n_inputs,
                                                          guint                 chunk_size);
COPROC_AVAILABLE_IN_1_0
CoprocMapOperation   *coproc_worker_pool_map_lazy        (CoprocWorkerPool     *self,
                                                          CoprocMapInputFunc    func,
                                                          gpointer              user_data,
                                                          GDestroyNotify        notify,
                                                          gboolean              ordered,
                                                          guint                 chunk_size);
COPROC_AVAILABLE_IN_1_0
CoprocMapOperation   *coproc_worker_pool_broadcast       (CoprocWorkerPool     *self,
                                                          GVariant             *payload);

G_END_DECLS
