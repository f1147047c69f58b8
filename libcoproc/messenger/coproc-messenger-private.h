/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the layers above a messenger may do with it beyond its public interface.
 */
#pragma once

#include "messenger/coproc-messenger.h"
#include "wire/coproc-shared-memory-private.h"
#include "wire/coproc-transport-private.h"

G_BEGIN_DECLS

/* For the final subclasses, in their instance init: sets by-priority for good. */
void             coproc_messenger_fix_discipline   (CoprocMessenger *self, gboolean by_priority);

/* --- how a worker and its host meet (worker/) --- */

/* Like coproc_messenger_new_for_fds(), but no HELLO is sent before coproc_messenger_send_hello(). Its signals
 * are emitted in @context, NULL: the thread-default one of now. @memory: (nullable):
 * what a worker and its host share: its status page is used, and the rings and arenas where it has room for
 * them. */
CoprocMessenger *coproc_messenger_new_unannounced  (GType messenger_type, GMainContext *context, int in_fd, int out_fd, CoprocSharedMemory *memory, CoprocShareFlags flags, GError **error);

/* The same with a peer whose output may have other things in front. */
CoprocMessenger *coproc_messenger_new_on_stdio     (GType messenger_type, GMainContext *context, int in_fd, int out_fd, GError **error);

/* The same on a link that the messenger takes, also when this fails. */
CoprocMessenger *coproc_messenger_new_for_transport (GType messenger_type, GMainContext *context, CoprocTransportLink *transport, GError **error);

/* Sends this side's HELLO with @extra (a{sv}, nullable, floating consumed) beside the usual fields.
 * Every message sent before it would be refused. */
gboolean         coproc_messenger_send_hello       (CoprocMessenger *self, GVariant *extra, GError **error);

/* Waits for the peer's HELLO. (transfer full): its fields, a{sv}. An error frame that comes in its
 * place is the error; TIMED_OUT; the reason of the connection's end otherwise. */
GVariant        *coproc_messenger_await_hello      (CoprocMessenger *self, gint64 timeout_us, GCancellable *cancellable, GError **error);

/* What a worker (@is_worker) and its host share: there the one tells, and the other sees after a death,
 * which requests were taken up. With @memory (nullable) NULL the worker tells it by frames, before it goes on. Once,
 * before HELLO is sent. */
void             coproc_messenger_set_status       (CoprocMessenger *self, CoprocSharedMemory *memory, gboolean is_worker);

/* Whether the peer is in this process and gets the very GVariants that are sent. Any thread. */
gboolean         coproc_messenger_passes_references (CoprocMessenger *self);

/* Called once, from any thread, without a lock, when the connection has ended without a GOODBYE: the
 * stream ended, or the peer broke the protocol (@error, transfer none, says which). While a function
 * is set, the end is not yet told to anybody: what waits goes on waiting until
 * coproc_messenger_settle(). @func must not block. Set before the first frame is read. */
typedef void (*CoprocEndFunc) (const GError *error, gpointer user_data);
void             coproc_messenger_set_end_func     (CoprocMessenger *self, CoprocEndFunc func, gpointer user_data, GDestroyNotify notify);

/* Called once, in the background thread, without a lock, when nothing has come from the peer for a limit of
 * time although this side reads. @func must not block. */
typedef void (*CoprocSilenceFunc) (gpointer user_data);

/* What an end does for the heartbeat of a connection. */
typedef enum
{
  COPROC_HEART_LISTENS,    /* nothing */
  COPROC_HEART_ASKS,       /* it says PING each time, which the peer's library answers also while its program is busy */
  COPROC_HEART_TELLS,      /* it says PONG each time: a peer that asks hears of it also while nothing is read here, because
                              the inbound queues are full */
} CoprocHeartMode;

/* Watches whether the peer lives: looks each @interval_us whether something has come in, whatever it was, and
 * calls @func (nullable: nobody minds) when nothing has for @limit_us. For who asks, silence before the peer's first
 * word does not count (a start has its own timeout), for others it counts from now on. It does not count
 * while this process was stopped, or does not read because its queues are full. Ends with the connection. Any
 * thread; @interval_us 0: no more. */
void             coproc_messenger_set_heartbeat    (CoprocMessenger *self, gint64 interval_us, gint64 limit_us, CoprocHeartMode mode, CoprocSilenceFunc func, gpointer user_data, GDestroyNotify notify);

/* Whether the peer owes a reply and this side would see one: not while its queues are full. *n_messages: how many
 * messages have come in. Takes in what is there. Any thread. */
gboolean         coproc_messenger_is_owed          (CoprocMessenger *self, guint64 *n_messages);

/* The peer is known to be gone: takes in everything that is still in the link. Returns: whether it has
 * ever sent its HELLO. Any thread. */
gboolean         coproc_messenger_take_last_words  (CoprocMessenger *self);

/* The peer is known to be gone: takes in everything that is still in the link (whatever the limits;
 * it is bounded by what a link can hold), then ends the connection with @reason: every outstanding
 * request, every waiting call. Returns: FALSE, and has done nothing, when it had ended with a GOODBYE or by
 * close(). Any thread. */
gboolean         coproc_messenger_settle           (CoprocMessenger *self, const GError *reason);

/* The connection has ended; whoever tries to use it from now on fails with @reason. Any thread. */
void             coproc_messenger_explain_end      (CoprocMessenger *self, const GError *reason);

/* After coproc_messenger_close(): waits until everything is written. FALSE: TIMED_OUT, or the peer is gone. */
gboolean         coproc_messenger_flush            (CoprocMessenger *self, gint64 timeout_us, GError **error);

/* When the process exits after coproc_messenger_close(), it waits until everything is written. For one messenger of
 * the process. */
void             coproc_messenger_flush_at_exit    (CoprocMessenger *self);

/* The cancellable of a popped, unanswered request: cancelled when the requester gives up, or is gone (transfer full). */
GCancellable    *coproc_messenger_dup_request_cancellable (CoprocMessenger *self, CoprocMessage *request);

G_END_DECLS
