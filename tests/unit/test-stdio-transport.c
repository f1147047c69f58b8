/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What comes before the frames on a standard output.
 */
#include "coproc-test.h"

#include <string.h>
#include <unistd.h>

#include "wire/coproc-transport-private.h"
#include "wire/coproc-unix-private.h"

#define PREAMBLE "\x1e" "coproc-1 begins\r\n\0\xff\x7f"
#define PREAMBLE_SIZE (sizeof PREAMBLE - 1)
#define MAX_NOISE 65536

/* A link, and the peer's ends of it. */
typedef struct
{
  CoprocTransportLink *link;
  int to_link;
  int from_link;
} Setup;

static void
setup_open (Setup *self)
{
  g_autoptr (GError) error = NULL;
  int in[2], out[2];

  g_assert_true (coproc_unix_pipe (in, &error) && coproc_unix_pipe (out, &error));
  self->link = coproc_stdio_transport_new (in[0], out[1], &error);
  g_assert_no_error (error);
  self->to_link = in[1];
  self->from_link = out[0];
}

static void
setup_close (Setup *self)
{
  self->link->ops->free (self->link);
  close (self->to_link);
  close (self->from_link);
}

static CoprocReceiveResult
receive (Setup *self, CoprocFrame *frame, GError **error)
{
  gsize budget = COPROC_RECEIVE_BUDGET;

  return self->link->ops->receive (self->link, &budget, frame, error);
}

/* Writes @data in pieces of @chunk bytes, and has each read. Returns: the last result; *n_pongs: how many frames came,
 * which must be PONGs */
static CoprocReceiveResult
feed (Setup *self, const guint8 *data, gsize size, gsize chunk, guint *n_pongs, GError **error)
{
  CoprocReceiveResult result = COPROC_RECEIVE_AGAIN;

  *n_pongs = 0;
  for (gsize at = 0; at < size && result == COPROC_RECEIVE_AGAIN; at += chunk)
    {
      const gsize n = MIN (chunk, size - at);
      CoprocFrame frame = { 0 };

      g_assert_cmpint (write (self->to_link, data + at, n), ==, n);
      while ((result = receive (self, &frame, error)) == COPROC_RECEIVE_FRAME)
        {
          g_assert_cmpint (frame.kind, ==, COPROC_FRAME_PONG);
          ++*n_pongs;
        }
    }
  return result;
}

static void
append_pongs (GByteArray *stream, guint n)
{
  const CoprocFrameHeader pong
      = { .length = COPROC_FRAME_HEADER_SIZE, .version = COPROC_WIRE_VERSION, .kind = COPROC_FRAME_PONG };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];

  coproc_frame_header_write (&pong, bytes);
  for (guint i = 0; i < n; i++)
    g_byte_array_append (stream, bytes, sizeof bytes);
}

static GByteArray *
new_stream (const char *noise, gsize n_noise)
{
  GByteArray *stream = g_byte_array_new ();

  g_byte_array_append (stream, (const guint8 *) noise, (guint) n_noise);
  g_byte_array_append (stream, (const guint8 *) PREAMBLE, PREAMBLE_SIZE);
  append_pongs (stream, 3);
  return stream;
}

static void
assert_found (const char *noise, gsize n_noise)
{
  const gsize chunks[] = { 1, 7, PREAMBLE_SIZE, 4096, 60000 };

  for (guint i = n_noise > 10000 ? 3 : 0; i < G_N_ELEMENTS (chunks); i++)
    {
      g_autoptr (GByteArray) stream = new_stream (noise, n_noise);
      g_autoptr (GError) error = NULL;
      guint n_pongs;
      Setup setup;

      setup_open (&setup);
      g_assert_cmpint (feed (&setup, stream->data, stream->len, chunks[i], &n_pongs, &error), ==, COPROC_RECEIVE_AGAIN);
      g_assert_no_error (error);
      g_assert_cmpuint (n_pongs, ==, 3);
      /* noise is no sign of life */
      g_assert_cmpuint (setup.link->n_received, ==, 3 * COPROC_FRAME_HEADER_SIZE);
      setup_close (&setup);
    }
}

static void
test_found (void)
{
  g_autofree char *much = g_strnfill (MAX_NOISE, 'x');

  assert_found ("", 0);
  assert_found ("Welcome\n", 8);
  assert_found ("\x1e", 1);
  assert_found ("\x1e\x1e\x1e" "coproc", 9);
  assert_found (PREAMBLE, PREAMBLE_SIZE - 1); /* all but its last byte */
  assert_found ("\x1e" "coproc-1 begins\n", 17); /* what a terminal makes of it */
  assert_found (much, MAX_NOISE);
}

/* The limit is exact, also where noise looks like the beginning of the preamble. */
static void
test_too_much (void)
{
  const char *fillers[] = { "x", "\x1e", ("\x1e" "coproc-1 beg") };

  for (guint i = 0; i < G_N_ELEMENTS (fillers); i++)
    {
      g_autofree char *noise = g_malloc (MAX_NOISE + 1);
      g_autoptr (GByteArray) stream = NULL;
      g_autoptr (GError) error = NULL;
      guint n_pongs;
      Setup setup;

      for (gsize at = 0; at <= MAX_NOISE; at++)
        noise[at] = fillers[i][at % strlen (fillers[i])];
      assert_found (noise, MAX_NOISE);

      stream = new_stream (noise, MAX_NOISE + 1);
      setup_open (&setup);
      g_assert_cmpint (feed (&setup, stream->data, stream->len, 4096, &n_pongs, &error), ==, COPROC_RECEIVE_FAILED);
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
      g_assert_cmpuint (n_pongs, ==, 0);
      setup_close (&setup);
    }
}

/* A stream that ends before anything has come, or in the middle of it. */
static void
test_end (void)
{
  for (gsize n = 0; n <= PREAMBLE_SIZE; n++)
    {
      g_autoptr (GError) error = NULL;
      CoprocFrame frame = { 0 };
      Setup setup;

      setup_open (&setup);
      g_assert_cmpint (write (setup.to_link, PREAMBLE, n), ==, n);
      coproc_clear_fd (&setup.to_link);
      while (receive (&setup, &frame, &error) == COPROC_RECEIVE_AGAIN)
        ;
      g_assert_cmpint (receive (&setup, &frame, &error), ==, COPROC_RECEIVE_END);
      g_assert_no_error (error);
      setup_close (&setup);
    }
}

static void
test_written (void)
{
  g_autoptr (GError) error = NULL;
  char buffer[2 * PREAMBLE_SIZE];
  int fds[2];

  g_assert_true (coproc_unix_pipe (fds, NULL));
  g_assert_true (coproc_stdio_write_preamble (fds[1], &error));
  g_assert_no_error (error);
  g_assert_cmpint (read (fds[0], buffer, sizeof buffer), ==, PREAMBLE_SIZE);
  g_assert_cmpmem (buffer, PREAMBLE_SIZE, PREAMBLE, PREAMBLE_SIZE);
  g_assert_false (coproc_stdio_write_preamble (fds[0], &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/stdio-transport/found", test_found);
  coproc_test_add ("/coproc/stdio-transport/too-much", test_too_much);
  coproc_test_add ("/coproc/stdio-transport/end", test_end);
  coproc_test_add ("/coproc/stdio-transport/written", test_written);
  return g_test_run ();
}
