/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include <stdlib.h>

#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"
#include "wire/coproc-shared-layout-private.h"

/* --- construction --- */

CoprocMessenger *
coproc_messenger_new_for_transport (GType                 messenger_type,
                                    GMainContext         *context,
                                    CoprocTransportLink  *transport,
                                    GError              **error)
{
  g_autoptr (CoprocMessenger) self = g_object_new (messenger_type, NULL);

  if (context != NULL)
    coproc_endpoint_set_context (coproc_messenger_get_endpoint (self), context);
  if (!coproc_endpoint_connect (coproc_messenger_get_endpoint (self), transport, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* On @transport, or nothing at all when there is none. */
static CoprocMessenger *
new_for_transport_on (GType                 messenger_type,
                      GMainContext         *context,
                      CoprocTransportLink  *transport,
                      int                   in_fd,
                      int                   out_fd,
                      GError              **error)
{
  if (transport != NULL)
    return coproc_messenger_new_for_transport (messenger_type, context, transport, error);
  coproc_clear_fd (&in_fd);
  coproc_clear_fd (&out_fd);
  return NULL;
}

CoprocMessenger *
coproc_messenger_new_unannounced (GType                messenger_type,
                                  GMainContext        *context,
                                  int                  in_fd,
                                  int                  out_fd,
                                  CoprocSharedMemory  *memory,
                                  CoprocShareFlags     flags,
                                  GError             **error)
{
  CoprocTransportLink *transport;
  CoprocMessenger *self;

  if (memory != NULL && memory->size >= COPROC_SHARED_RINGS_END)
    transport = coproc_ring_transport_new (in_fd, out_fd, memory, flags, error);
  else
    transport = coproc_pipe_transport_new (in_fd, out_fd, error);
  self = new_for_transport_on (messenger_type, context, transport, in_fd, out_fd, error);
  if (self != NULL && (memory != NULL || (flags & COPROC_SHARE_AS_WORKER) != 0))
    coproc_messenger_set_status (self, memory, (flags & COPROC_SHARE_AS_WORKER) != 0);
  return self;
}

CoprocMessenger *
coproc_messenger_new_on_stdio (GType          messenger_type,
                               GMainContext  *context,
                               int            in_fd,
                               int            out_fd,
                               GError       **error)
{
  return new_for_transport_on (messenger_type, context, coproc_stdio_transport_new (in_fd, out_fd, error), in_fd,
                               out_fd, error);
}

/**
 * coproc_messenger_new_for_fds:
 * @messenger_type: [class@Coproc.Messenger] or a subclass
 * @in_fd: a file descriptor to read from
 * @out_fd: a file descriptor to write to
 * @error: return location for an error
 *
 * Makes a messenger on two descriptors: pipes, or sockets.
 *
 * The messenger owns both from now on, also when this fails; it makes them non-blocking.
 *
 * Errors: those of the system, as %G_IO_ERROR or %G_IO_CHANNEL_ERROR.
 *
 * Returns: (transfer full): the messenger
 *
 * Since: 1.0
 */
CoprocMessenger *
coproc_messenger_new_for_fds (GType messenger_type, int in_fd, int out_fd, GError **error)
{
  g_autoptr (CoprocMessenger) self = NULL;

  g_return_val_if_fail (g_type_is_a (messenger_type, COPROC_TYPE_MESSENGER), NULL);
  g_return_val_if_fail (in_fd >= 0 && out_fd >= 0, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = coproc_messenger_new_unannounced (messenger_type, NULL, in_fd, out_fd, NULL, COPROC_SHARE_AS_HOST, error);
  if (self != NULL)
    coproc_messenger_send_hello (self, NULL, NULL); /* a peer that is gone may have left messages */
  return g_steal_pointer (&self);
}

/**
 * coproc_messenger_new_pair:
 * @messenger_type: [class@Coproc.Messenger] or a subclass
 * @worker_end: (out) (transfer full): return location for one end
 * @host_end: (out) (transfer full): return location for the other end
 * @error: return location for an error
 *
 * Makes two messengers that are connected with each other.
 *
 * Errors: those of the system, as %G_IO_ERROR, %G_UNIX_ERROR or %G_IO_CHANNEL_ERROR.
 *
 * Returns: %TRUE on success
 *
 * Since: 1.0
 */
gboolean
coproc_messenger_new_pair (GType              messenger_type,
                           CoprocMessenger  **worker_end,
                           CoprocMessenger  **host_end,
                           GError           **error)
{
  g_autoptr (CoprocMessenger) worker = NULL;
  g_autoptr (CoprocMessenger) host = NULL;
  int to_worker[2], to_host[2];

  g_return_val_if_fail (g_type_is_a (messenger_type, COPROC_TYPE_MESSENGER), FALSE);
  g_return_val_if_fail (worker_end != NULL && host_end != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  *worker_end = *host_end = NULL;
  if (!coproc_unix_pipe (to_worker, error))
    return FALSE;
  if (!coproc_unix_pipe (to_host, error))
    {
      coproc_clear_fd (&to_worker[0]);
      coproc_clear_fd (&to_worker[1]);
      return FALSE;
    }

  worker = coproc_messenger_new_for_fds (messenger_type, to_worker[0], to_host[1], error);
  if (worker == NULL)
    {
      coproc_clear_fd (&to_host[0]);
      coproc_clear_fd (&to_worker[1]);
      return FALSE;
    }
  host = coproc_messenger_new_for_fds (messenger_type, to_host[0], to_worker[1], error);
  if (host == NULL)
    return FALSE;

  *worker_end = g_steal_pointer (&worker);
  *host_end = g_steal_pointer (&host);
  return TRUE;
}

/* --- for worker/ --- */

gboolean
coproc_messenger_send_hello (CoprocMessenger *self, GVariant *extra, GError **error)
{
  g_autoptr (GVariant) fields = extra != NULL ? g_variant_ref_sink (extra) : NULL;

  return coproc_endpoint_send_hello (coproc_messenger_get_endpoint (self), fields, error);
}

GVariant *
coproc_messenger_await_hello (CoprocMessenger  *self,
                              gint64            timeout_us,
                              GCancellable     *cancellable,
                              GError          **error)
{
  return coproc_endpoint_await_hello (coproc_messenger_get_endpoint (self), timeout_us, cancellable, error);
}

void
coproc_messenger_set_status (CoprocMessenger *self, CoprocSharedMemory *memory, gboolean is_worker)
{
  coproc_endpoint_set_status (coproc_messenger_get_endpoint (self), memory, is_worker);
}

gboolean
coproc_messenger_passes_references (CoprocMessenger *self)
{
  CoprocTransportLink *transport = coproc_messenger_get_endpoint (self)->transport;

  return transport != NULL && transport->by_reference;
}

void
coproc_messenger_set_end_func (CoprocMessenger  *self,
                               CoprocEndFunc     func,
                               gpointer          user_data,
                               GDestroyNotify    notify)
{
  coproc_endpoint_set_end_func (coproc_messenger_get_endpoint (self), func, user_data, notify);
}

void
coproc_messenger_set_heartbeat (CoprocMessenger    *self,
                                gint64              interval_us,
                                gint64              limit_us,
                                CoprocHeartMode     mode,
                                CoprocSilenceFunc   func,
                                gpointer            user_data,
                                GDestroyNotify      notify)
{
  coproc_endpoint_set_heartbeat (coproc_messenger_get_endpoint (self), interval_us, limit_us, mode, func,
                                 user_data, notify);
}

gboolean
coproc_messenger_is_owed (CoprocMessenger *self, guint64 *n_messages)
{
  return coproc_endpoint_is_owed (coproc_messenger_get_endpoint (self), n_messages);
}

gboolean
coproc_messenger_take_last_words (CoprocMessenger *self)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (self);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  coproc_endpoint_pump (endpoint, COPROC_PUMP_ALL);

  locker = g_mutex_locker_new (&endpoint->lock);
  return endpoint->peer_hello != NULL;
}

gboolean
coproc_messenger_settle (CoprocMessenger *self, const GError *reason)
{
  return coproc_endpoint_settle (coproc_messenger_get_endpoint (self), reason);
}

void
coproc_messenger_explain_end (CoprocMessenger *self, const GError *reason)
{
  coproc_endpoint_explain_end (coproc_messenger_get_endpoint (self), reason);
}

GCancellable *
coproc_messenger_dup_request_cancellable (CoprocMessenger *self, CoprocMessage *request)
{
  g_return_val_if_fail (request->invocation != NULL, NULL);

  return coproc_endpoint_dup_cancellable (coproc_messenger_get_endpoint (self), request->invocation);
}

gboolean
coproc_messenger_flush (CoprocMessenger *self, gint64 timeout_us, GError **error)
{
  return coproc_endpoint_flush (coproc_messenger_get_endpoint (self), timeout_us, error);
}

static CoprocEndpoint *exit_endpoint; /* (owned) for good */

static void
flush_at_exit (void)
{
  gboolean closed;

  g_mutex_lock (&exit_endpoint->lock);
  closed = coproc_endpoint_is_over_locked (exit_endpoint);
  g_mutex_unlock (&exit_endpoint->lock);
  if (closed)
    coproc_endpoint_flush (exit_endpoint, -1, NULL);
}

void
coproc_messenger_flush_at_exit (CoprocMessenger *self)
{
  g_return_if_fail (exit_endpoint == NULL);

  exit_endpoint = coproc_endpoint_ref (coproc_messenger_get_endpoint (self));
  atexit (flush_at_exit);
}
