/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * GDBus from peer to peer on a socket pair: each message is a signal with an `ay`, taken by a filter in GDBus's
 * thread and handed over by a GAsyncQueue. That is less than what a program with interfaces and a main loop pays.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <gio/gio.h>
#include <sys/socket.h>

#define UNFLUSHED (1 << 20) /* bytes that may wait in the connection: it has no limit of its own */
#define OVERHEAD 256        /* bytes, about, of a message's header */

typedef struct
{
  GDBusConnection *connection;
  GAsyncQueue *in;
  GVariant *latest;
  gsize n_unflushed;
} End;

static int sockets[2];

static void
check (gboolean ok, GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "GDBus: %s\n", error->message);
  exit (1);
}

static void
prepare (size_t size)
{
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
    bench_die ("socketpair");
}

static GDBusMessage *
take_message (GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer user_data)
{
  if (!incoming)
    return message;
  g_async_queue_push (user_data, g_variant_ref (g_dbus_message_get_body (message)));
  g_object_unref (message);
  return NULL;
}

static void *
open_end (bool host)
{
  End *self = g_new0 (End, 1);
  GError *error = NULL;
  GSocket *socket = g_socket_new_from_fd (sockets[host ? 0 : 1], &error);
  g_autofree char *guid = host ? g_dbus_generate_guid () : NULL;
  GDBusConnectionFlags flags = G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING
                               | (host ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
                                       : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT);

  check (socket != NULL, error);
  self->connection = g_dbus_connection_new_sync (G_IO_STREAM (g_socket_connection_factory_create_connection (socket)),
                                                 guid, flags, NULL, NULL, &error);
  check (self->connection != NULL, error);
  self->in = g_async_queue_new ();
  g_dbus_connection_add_filter (self->connection, take_message, self->in, NULL);
  g_dbus_connection_start_message_processing (self->connection);
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  End *self = end;
  g_autoptr (GDBusMessage) message = g_dbus_message_new_signal ("/peer", "org.example.Peer", "Message");
  GError *error = NULL;
  gboolean ok;

  g_dbus_message_set_body (
      message, g_variant_new ("(@ay)", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1)));
  ok = g_dbus_connection_send_message (self->connection, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
  check (ok, error);
  self->n_unflushed += size + OVERHEAD;
  if (self->n_unflushed < UNFLUSHED)
    return;
  ok = g_dbus_connection_flush_sync (self->connection, NULL, &error);
  check (ok, error);
  self->n_unflushed = 0;
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;
  g_autoptr (GVariant) body = NULL;
  gsize n;

  g_clear_pointer (&self->latest, g_variant_unref);
  body = g_async_queue_pop (self->in);
  self->latest = g_variant_get_child_value (body, 0);
  return g_variant_get_fixed_array (self->latest, &n, 1);
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "gdbus", .prepare = prepare, .open = open_end, .send = send_one, .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
