/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * libcoproc itself: a worker that is a process, with shared memory or over pipes; a worker that is a thread; and
 * messages that are filled in place. Received are the messages that are there, at once; requests are matched
 * with their replies.
 */
#include "bench-harness.h"

#include <coproc.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPIED 4096 /* bytes; from one thread to another, what is larger goes by reference */

typedef struct
{
  CoprocMessenger *messenger;
  CoprocWorkerResource *worker; /* the host's */
  CoprocMessage **messages;     /* taken at once, of which those before next were looked at */
  gsize n_messages;
  gsize next;
} End;

static void
check (gboolean ok, GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "libcoproc: %s\n", error != NULL ? error->message : "no error set");
  exit (1);
}

static End *
new_end (CoprocMessenger *messenger, CoprocWorkerResource *worker)
{
  End *self = g_new0 (End, 1);

  self->messenger = messenger;
  self->worker = worker;
  return self;
}

static void
clear_messages (End *self)
{
  for (gsize i = 0; i < self->n_messages; i++)
    coproc_message_unref (self->messages[i]);
  g_clear_pointer (&self->messages, g_free);
  self->n_messages = self->next = 0;
}

/* --- both ends --- */

static void
send_as (void *end, const void *data, size_t size, CoprocMessageKind kind)
{
  End *self = end;
  GError *error = NULL;
  gboolean ok = coproc_messenger_send_bytes_full (self->messenger, data, size, NULL, kind, INFINITY, NULL, &error);

  check (ok, error);
}

static void
send_one (void *end, const void *data, size_t size)
{
  send_as (end, data, size, COPROC_MESSAGE_KIND_NOREQUEST);
}

static void
request (void *end, const void *data, size_t size)
{
  send_as (end, data, size, COPROC_MESSAGE_KIND_REQUEST);
}

/* To the first request that was taken and is not answered. */
static void
reply (void *end, const void *data, size_t size)
{
  send_as (end, data, size, COPROC_MESSAGE_KIND_REPLY);
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;
  GError *error = NULL;
  gsize length;

  if (self->next == self->n_messages)
    {
      clear_messages (self);
      self->messages = coproc_messenger_receive_messages (self->messenger, NULL, 0, -1, NULL, &self->n_messages,
                                                          &error);
      check (self->messages != NULL, error);
    }
  return coproc_message_get_data (self->messages[self->next++], &length);
}

/* --- a thread --- */

static void
send_reference (void *end, const void *data, size_t size)
{
  End *self = end;
  g_autoptr (GBytes) bytes = NULL;
  GError *error = NULL;
  gboolean ok;

  if (size <= COPIED)
    {
      send_one (end, data, size);
      return;
    }
  bytes = g_bytes_new_static (data, size);
  ok = coproc_messenger_send_norequest (
      self->messenger, g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE), NULL, &error);
  check (ok, error);
}

/* --- in place: only the first bytes are written --- */

static void
send_in_place (void *end, const void *data, size_t size)
{
  End *self = end;
  GError *error = NULL;
  GBytes *bytes = coproc_messenger_alloc_bytes (self->messenger, size, &error);
  gboolean ok;

  check (bytes != NULL, error);
  memcpy ((guint8 *) g_bytes_get_data (bytes, NULL), data, BENCH_CONTROL);
  ok = coproc_messenger_send_bytes (self->messenger, g_bytes_get_data (bytes, NULL), size, NULL, &error);
  check (ok, error);
  g_bytes_unref (bytes);
}

/* --- starting, ending --- */

static void *
start_worker (CoprocWorkerResource *worker)
{
  GError *error = NULL;
  gboolean ok = coproc_worker_resource_start (worker, NULL, NULL, &error);

  check (ok, error);
  return new_end (coproc_worker_resource_get_messenger (worker), worker);
}

static void *
start_process (const char *const *argv, CoprocTransport transport)
{
  g_autofree char *program = g_file_read_link (argv[0], NULL);
  const char *const arguments[] = { program, argv[1], argv[2], argv[3], NULL };
  CoprocWorkerResource *worker = coproc_worker_resource_new_for_command (arguments);

  g_object_set (worker, "transport", transport, NULL);
  return start_worker (worker);
}

static void *
start_with_memory (const char *const *argv)
{
  return start_process (argv, COPROC_TRANSPORT_SHARED_MEMORY);
}

static void *
start_with_pipes (const char *const *argv)
{
  return start_process (argv, COPROC_TRANSPORT_PIPE);
}

static gboolean
run_thread (CoprocMessenger *messenger, GVariant *arguments, gpointer user_data, GError **error)
{
  End *self = new_end (messenger, NULL);

  bench_serve (self);
  clear_messages (self);
  g_free (self);
  return TRUE;
}

static void *
start_thread (const char *const *argv)
{
  return start_worker (coproc_worker_resource_new_for_function (run_thread, NULL, NULL));
}

static void *
open_end (bool host)
{
  GError *error = NULL;
  CoprocMessenger *messenger = coproc_worker_connect (COPROC_TYPE_PRIORITY_MESSENGER, NULL, &error);

  check (messenger != NULL, error);
  return new_end (messenger, NULL);
}

static void
close_end (void *end)
{
  End *self = end;
  GError *error = NULL;
  gboolean ok;

  clear_messages (self);
  if (self->worker != NULL)
    {
      ok = coproc_worker_resource_stop (self->worker, G_USEC_PER_SEC, &error);
      check (ok, error);
      g_object_unref (self->worker);
    }
  else
    {
      /* The host says goodbye first. */
      GVariant *more = coproc_messenger_receive_blocking (self->messenger, NULL, NULL, NULL);

      g_clear_pointer (&more, g_variant_unref);
      coproc_messenger_close (self->messenger);
      g_object_unref (self->messenger);
    }
  g_free (self);
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "libcoproc", .start = start_with_memory, .open = open_end, .close = close_end, .send = send_one,
      .receive = receive, .request = request, .reply = reply },
    { .name = "libcoproc-in-place", .start = start_with_memory, .open = open_end, .close = close_end,
      .send = send_in_place, .receive = receive, .touched = BENCH_CONTROL },
    { .name = "libcoproc-pipes", .start = start_with_pipes, .open = open_end, .close = close_end, .send = send_one,
      .receive = receive, .request = request, .reply = reply },
    { .name = "libcoproc-thread", .thread = true, .start = start_thread, .close = close_end, .send = send_reference,
      .receive = receive, .request = request, .reply = reply },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
