/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * One end of a connection: named channels, priorities, requests and replies.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <messenger/coproc-message.h>

G_BEGIN_DECLS

#define COPROC_TYPE_MESSENGER (coproc_messenger_get_type ())
COPROC_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (CoprocMessenger, coproc_messenger, COPROC, MESSENGER, GObject)

/**
 * CoprocMessengerClass:
 * @parent_class: the parent class
 * @get_priority: gives a payload without an explicit priority its priority; called in the sending
 *   thread, never under a lock
 *
 * The class of [class@Coproc.Messenger].
 *
 * Since: 1.0
 */
struct _CoprocMessengerClass
{
  GObjectClass parent_class;

  /**
   * CoprocMessengerClass::get_priority:
   * @self: a messenger
   * @payload: the payload about to be sent
   * @priority: (out): return location for its priority; lower goes first
   * @error: return location for an error
   *
   * Gives a payload without an explicit priority its priority.
   *
   * The default looks for a number under `"priority"` in a payload of type `a{sv}` and otherwise
   * gives +infinity, the back of the queue. %FALSE without an error becomes
   * %COPROC_ERROR_HANDLER.
   *
   * Returns: %TRUE if @priority is set, %FALSE with @error set otherwise
   *
   * Since: 1.0
   */
  gboolean (*get_priority) (CoprocMessenger  *self,
                            GVariant         *payload,
                            double           *priority,
                            GError          **error);

  /*< private >*/
  gpointer padding[8];
};

COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_new_pair                (GType                 messenger_type,
                                                            CoprocMessenger     **worker_end,
                                                            CoprocMessenger     **host_end,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessenger  *coproc_messenger_new_for_fds             (GType                 messenger_type,
                                                            int                   in_fd,
                                                            int                   out_fd,
                                                            GError              **error);

COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_norequest          (CoprocMessenger      *self,
                                                            GVariant             *payload,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_request            (CoprocMessenger      *self,
                                                            GVariant             *payload,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_request_multiple   (CoprocMessenger      *self,
                                                            GVariant            **payloads,
                                                            gsize                 n_payloads,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_reply              (CoprocMessenger      *self,
                                                            GVariant             *payload,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
GBytes           *coproc_messenger_alloc_bytes             (CoprocMessenger      *self,
                                                            gsize                 size,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_bytes              (CoprocMessenger      *self,
                                                            const guint8         *data,
                                                            gsize                 length,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_bytes_full         (CoprocMessenger      *self,
                                                            const guint8         *data,
                                                            gsize                 length,
                                                            const char           *channel,
                                                            CoprocMessageKind     kind,
                                                            double                priority,
                                                            guint64              *serial,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_message            (CoprocMessenger      *self,
                                                            CoprocMessage        *message,
                                                            CoprocMessageKind     kind,
                                                            guint64              *serial,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_error              (CoprocMessenger      *self,
                                                            const GError         *report,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_close_request      (CoprocMessenger      *self,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_reply                   (CoprocMessenger      *self,
                                                            CoprocMessage        *request,
                                                            GVariant             *payload,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_reply_multiple          (CoprocMessenger      *self,
                                                            CoprocMessage       **requests,
                                                            gsize                 n_requests,
                                                            GVariant            **payloads,
                                                            gsize                 n_payloads,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_reply_error             (CoprocMessenger      *self,
                                                            CoprocMessage        *request,
                                                            const GError         *report,
                                                            GError              **error);

COPROC_AVAILABLE_IN_1_0
gssize            coproc_messenger_available               (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
GVariant        **coproc_messenger_receive_available       (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            gsize                *n_payloads,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_try_receive             (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage    *coproc_messenger_try_receive_message     (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
int               coproc_messenger_get_fd                  (CoprocMessenger      *self);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_receive_blocking        (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_receive_remaining       (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage    *coproc_messenger_receive_reply           (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage    *coproc_messenger_receive_any             (CoprocMessenger      *self,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage    *coproc_messenger_receive_message         (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
CoprocMessage   **coproc_messenger_receive_messages        (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            gsize                 max_messages,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            gsize                *n_messages,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_await_available         (CoprocMessenger      *self,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_call                    (CoprocMessenger      *self,
                                                            GVariant             *payload,
                                                            const char           *channel,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GError              **error);

COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_receive_async           (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            GCancellable         *cancellable,
                                                            GAsyncReadyCallback   callback,
                                                            gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_receive_finish          (CoprocMessenger      *self,
                                                            GAsyncResult         *result,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_receive_message_async   (CoprocMessenger      *self,
                                                            const char           *channel,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GAsyncReadyCallback   callback,
                                                            gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
CoprocMessage    *coproc_messenger_receive_message_finish  (CoprocMessenger      *self,
                                                            GAsyncResult         *result,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_call_async              (CoprocMessenger      *self,
                                                            GVariant             *payload,
                                                            const char           *channel,
                                                            gint64                timeout_us,
                                                            GCancellable         *cancellable,
                                                            GAsyncReadyCallback   callback,
                                                            gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
GVariant         *coproc_messenger_call_finish             (CoprocMessenger      *self,
                                                            GAsyncResult         *result,
                                                            GError              **error);
COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_send_message_async      (CoprocMessenger      *self,
                                                            CoprocMessage        *message,
                                                            CoprocMessageKind     kind,
                                                            GCancellable         *cancellable,
                                                            GAsyncReadyCallback   callback,
                                                            gpointer              user_data);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_send_message_finish     (CoprocMessenger      *self,
                                                            GAsyncResult         *result,
                                                            GError              **error);

COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_listen                  (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_unlisten                (CoprocMessenger      *self,
                                                            const char           *channel);

COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_remaining               (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_requests_sent           (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_replies_received        (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_messages_sent           (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_messages_received       (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
guint64           coproc_messenger_queue_size              (CoprocMessenger      *self,
                                                            const char           *channel);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_pipe_poll               (CoprocMessenger      *self);

COPROC_AVAILABLE_IN_1_0
void              coproc_messenger_close                   (CoprocMessenger      *self);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_get_closed              (CoprocMessenger      *self);
COPROC_AVAILABLE_IN_1_0
gboolean          coproc_messenger_get_close_requested     (CoprocMessenger      *self);

G_END_DECLS
