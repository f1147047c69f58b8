/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * GIOChannel on two pipes, as it is used without much thought: buffered, flushed after each message.
 */
#include "bench-harness.h"

#include "bench-util.h"

#include <glib.h>

typedef struct
{
  GIOChannel *in;
  GIOChannel *out;
  gchar *data;
} End;

static int there[2], back[2];
static size_t message_size;

static void
make_pipes (size_t size)
{
  if (pipe (there) < 0 || pipe (back) < 0)
    bench_die ("pipe");
  message_size = MAX (size, BENCH_CONTROL);
}

static GIOChannel *
new_channel (int fd)
{
  GIOChannel *channel = g_io_channel_unix_new (fd);

  g_io_channel_set_encoding (channel, NULL, NULL);
  return channel;
}

static void *
open_end (bool host)
{
  End *self = g_new (End, 1);

  self->in = new_channel (host ? back[0] : there[0]);
  self->out = new_channel (host ? there[1] : back[1]);
  self->data = g_malloc (message_size);
  return self;
}

static void
send_one (void *end, const void *data, size_t size)
{
  End *self = end;
  gsize n;

  if (g_io_channel_write_chars (self->out, data, (gssize) size, &n, NULL) != G_IO_STATUS_NORMAL || n != size
      || g_io_channel_flush (self->out, NULL) != G_IO_STATUS_NORMAL)
    bench_die ("g_io_channel_write_chars");
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;
  gsize n;

  if (g_io_channel_read_chars (self->in, self->data, size, &n, NULL) != G_IO_STATUS_NORMAL || n != size)
    bench_die ("g_io_channel_read_chars");
  return self->data;
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "giochannel", .prepare = make_pipes, .open = open_end, .send = send_one, .receive = receive },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
