/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the decoder makes of a stream, however it arrives.
 */
#include <malloc.h>
#include <stdio.h>

#include "decoder-helpers.h"

/* --- what is decoded --- */

static void
test_round_trip (void)
{
  g_autoptr(GByteArray) stream = new_script ();
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  CoprocFrame frame;

  feed_array (decoder, stream);
  for (guint8 kind = COPROC_FRAME_HELLO; kind <= COPROC_FRAME_LAST; kind++)
    {
      CoprocFrameHeader header = header_for (kind);
      CoprocFramePayload payload = coproc_frame_get_rule (kind)->payload;

      if (kind == COPROC_FRAME_TYPE)
        continue;
      assert_next (decoder, &frame, COPROC_DECODE_FRAME);
      g_assert_cmpuint (frame.kind, ==, kind);
      g_assert_cmpuint (frame.channel, ==, header.channel);
      g_assert_cmpuint (frame.serial, ==, header.serial);
      g_assert_cmpuint (frame.reply_serial, ==, header.reply_serial);
      g_assert_cmpfloat (frame.priority, ==, 0);
      g_assert_cmpuint (GPOINTER_TO_SIZE (frame.data) % COPROC_FRAME_ALIGNMENT, ==, 0);
      g_assert_true (frame.type == (payload == COPROC_FRAME_PAYLOAD_DATA ? COPROC_RAW_TYPE : NULL));
      g_assert_cmpint (frame.variant != NULL, ==,
                       payload == COPROC_FRAME_PAYLOAD_SETTINGS
                           || payload == COPROC_FRAME_PAYLOAD_ERROR);
      if (payload == COPROC_FRAME_PAYLOAD_NAME)
        g_assert_cmpmem (frame.data, frame.size, "results", 7);
      if (payload == COPROC_FRAME_PAYLOAD_DATA)
        g_assert_cmpmem (frame.data, frame.size, "0123456789", 10);
    }

  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  g_assert_cmpstr (g_variant_type_peek_string (frame.type), ==, "a{sv}");
  g_assert_cmpfloat (frame.priority, ==, -INFINITY);
  g_assert_true (g_variant_is_of_type (frame.variant, G_VARIANT_TYPE_VARDICT));
  g_assert_false (g_variant_is_floating (frame.variant));

  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  g_assert_cmpuint (frame.size, ==, 3000);
  assert_next (decoder, &frame, COPROC_DECODE_MORE);
  coproc_decoder_free (decoder);
}

/* --- A1: lengths, and every limit of a size --- */

static void
assert_length (const CoprocLimits *limits, CoprocFrameHeader header, guint64 length, int code)
{
  CoprocDecoder *decoder = coproc_decoder_new (limits);
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];
  g_autoptr(GByteArray) types = g_byte_array_new ();
  g_autoptr(GError) error = NULL;
  CoprocFrame frame;
  gsize n_space;

  header.version = COPROC_WIRE_VERSION;
  header.length = (guint32) length;
  coproc_frame_header_write (&header, bytes);
  add_type (types, 1, "as");
  feed_array (decoder, types);
  assert_next (decoder, &frame, COPROC_DECODE_MORE);

  feed (decoder, bytes, sizeof bytes);
  if (code < 0)
    {
      assert_next (decoder, &frame, COPROC_DECODE_MORE);
      if (length < 64 << 20)
        g_assert_nonnull (coproc_decoder_get_space (decoder, &n_space, NULL));
    }
  else
    {
      /* decided from the header alone */
      g_assert_cmpint (coproc_decoder_next (decoder, &frame, &error), ==, COPROC_DECODE_FAILED);
      g_assert_error (error, COPROC_ERROR, code);
      g_assert_nonnull (coproc_decoder_get_space (decoder, &n_space, NULL));
      g_assert_cmpuint (n_space, <=, COPROC_SLAB_SIZE);
    }
  coproc_decoder_free (decoder);
}

static void
test_a1_length (void)
{
  const CoprocLimits small = { .max_message_size = 5000, .max_variant_size = 3000 };
  const CoprocLimits absurd = { .max_message_size = G_MAXUINT64, .max_variant_size = G_MAXUINT64 };
  CoprocFrameHeader variant = header_for (COPROC_FRAME_REQUEST);
  CoprocFrameHeader optional = { .kind = 77, .flags = COPROC_FRAME_FLAG_OPTIONAL };
  const CoprocLimits *const all[] = { &defaults, &small, &absurd };

  variant.type = 1;
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    {
      guint64 raw = MIN (all[i]->max_message_size, COPROC_MAX_PAYLOAD_SIZE);
      guint64 other = MIN (all[i]->max_variant_size, COPROC_MAX_PAYLOAD_SIZE);
      const struct
      {
        CoprocFrameHeader header;
        guint64 limit;
      } rows[] = {
        { header_for (COPROC_FRAME_NOREQUEST), raw },  { header_for (COPROC_FRAME_REQUEST), raw },
        { header_for (COPROC_FRAME_REPLY), raw },      { optional, raw },
        { variant, other },                            { header_for (COPROC_FRAME_ERROR), other },
        { header_for (COPROC_FRAME_ERROR_REPLY), other },
        { header_for (COPROC_FRAME_HELLO), other + COPROC_MAX_HANDSHAKE_SIZE },
        { header_for (COPROC_FRAME_SETTINGS), other + COPROC_MAX_HANDSHAKE_SIZE },
      };

      for (guint k = 0; k < G_N_ELEMENTS (rows); k++)
        {
          guint64 length = COPROC_FRAME_HEADER_SIZE + rows[k].limit;

          assert_length (all[i], rows[k].header, length - 1, -1);
          assert_length (all[i], rows[k].header, length, -1);
          assert_length (all[i], rows[k].header, length + 1, COPROC_ERROR_TOO_LARGE);
          assert_length (all[i], rows[k].header, 0xffffffff, COPROC_ERROR_TOO_LARGE);
        }
    }

  for (guint length = 0; length < COPROC_FRAME_HEADER_SIZE; length++)
    assert_length (&defaults, header_for (COPROC_FRAME_NOREQUEST), length, COPROC_ERROR_PROTOCOL);
}

static guint64
get_resident_size (void)
{
  g_autofree char *contents = NULL;
  guint64 n_pages = 0;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &contents, NULL, NULL));
  g_assert_cmpint (sscanf (contents, "%*u %" G_GUINT64_FORMAT, &n_pages), ==, 1);
  return n_pages * 4096;
}

static void
test_a2_drip (void)
{
  CoprocDecoder *decoders[64];
  CoprocFrameHeader header = header_for (COPROC_FRAME_NOREQUEST);
  guint8 bytes[COPROC_FRAME_HEADER_SIZE + 64] = { 0 };
  guint64 before;

  g_test_summary ("64 peers announce 16 MiB each and send 64 bytes: memory grows with those");
  before = get_resident_size ();
  header.version = COPROC_WIRE_VERSION;
  header.length = COPROC_FRAME_HEADER_SIZE + (16u << 20);
  coproc_frame_header_write (&header, bytes);
  for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
    {
      CoprocFrame frame;

      decoders[i] = coproc_decoder_new (&defaults);
      feed (decoders[i], bytes, COPROC_FRAME_HEADER_SIZE);
      for (guint k = 0; k < 64; k++)
        {
          assert_next (decoders[i], &frame, COPROC_DECODE_MORE);
          feed (decoders[i], bytes + COPROC_FRAME_HEADER_SIZE + k, 1);
        }
    }
  g_assert_cmpuint (get_resident_size (), <, before + (32u << 20));

  for (guint i = 0; i < G_N_ELEMENTS (decoders); i++)
    coproc_decoder_free (decoders[i]);
}

/* --- A3, A4: cuts and splits --- */

static void
test_a3_every_cut (void)
{
  g_autoptr(GByteArray) stream = new_script ();
  gsize boundary = 0;
  guint n_frames = 0;
  guint32 padded = COPROC_FRAME_HEADER_SIZE;

  for (gsize cut = 0; cut <= stream->len; cut++)
    {
      FrameVerdict verdict = frame_verdict (&defaults, stream->data, cut, G_MAXSIZE, 0);

      if (cut == boundary + padded && cut > boundary)
        {
          guint8 kind = stream->data[boundary + 5];

          n_frames += kind != COPROC_FRAME_TYPE && kind <= COPROC_FRAME_LAST;
          boundary = cut;
        }
      if (cut < stream->len && cut == boundary)
        {
          CoprocFrameHeader header;

          coproc_frame_header_read (&header, stream->data + boundary);
          padded = (guint32) coproc_frame_padded (header.length);
        }
      g_assert_cmpint (verdict.result, ==, COPROC_DECODE_MORE);
      g_assert_cmpuint (verdict.n_frames, ==, n_frames);
      g_assert_cmpuint (verdict.n_received, ==, cut - boundary);
      g_assert_cmpuint (verdict.n_announced, ==,
                        cut - boundary < COPROC_FRAME_HEADER_SIZE ? 0 : padded);
    }
  g_assert_cmpuint (boundary, ==, stream->len);
}

static void
test_a4_every_split (void)
{
  g_autoptr(GByteArray) stream = new_script ();
  g_autoptr(GByteArray) bad = new_script ();
  FrameVerdict whole, whole_bad;

  add_with_payload (bad, control (99));
  add_with_payload (bad, control (COPROC_FRAME_GOODBYE));
  whole = get_verdict (&defaults, stream);
  whole_bad = get_verdict (&defaults, bad);
  g_assert_cmpint (whole.code, ==, -1);
  g_assert_cmpint (whole_bad.code, ==, COPROC_ERROR_PROTOCOL);

  for (gsize chunk = 1; chunk <= 200; chunk++)
    {
      FrameVerdict verdict = frame_verdict (&defaults, stream->data, stream->len, chunk, 0);

      g_assert_true (frame_verdict_equal (&verdict, &whole));
    }
  for (guint i = 0; i < 1000; i++)
    {
      guint32 seed = (guint32) g_test_rand_int ();
      FrameVerdict verdict = frame_verdict (&defaults, stream->data, stream->len, 0, seed);
      FrameVerdict verdict_bad = frame_verdict (&defaults, bad->data, bad->len, 0, seed);

      g_assert_true (frame_verdict_equal (&verdict, &whole));
      g_assert_true (frame_verdict_equal (&verdict_bad, &whole_bad));
    }
}

/* The stream is longer than slabs are, with payloads of all sizes around theirs. */
static void
test_a4_long_stream (void)
{
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  g_autofree guint8 *filler = g_malloc (300000);
  FrameVerdict whole;

  for (guint i = 0; i < 300000; i++)
    filler[i] = (guint8) (i * 31 >> 3);
  for (gsize size = 1; size < 300000; size = size * 5 / 4 + 1)
    frame_builder_add (stream, header_for (COPROC_FRAME_NOREQUEST), filler, size);
  for (gssize offset = -24; offset <= 24; offset += 8)
    frame_builder_add (stream, header_for (COPROC_FRAME_NOREQUEST), filler,
                       (gsize) (COPROC_SLAB_SIZE - COPROC_FRAME_HEADER_SIZE + offset));

  whole = get_verdict (&defaults, stream);
  g_assert_cmpint (whole.code, ==, -1);
  for (gsize chunk = 64; chunk <= 200000; chunk = chunk * 3 / 2 + 1)
    {
      FrameVerdict verdict = frame_verdict (&defaults, stream->data, stream->len, chunk, 0);

      g_assert_true (frame_verdict_equal (&verdict, &whole));
    }
}

/* --- state --- */

static void
test_stays_failed (void)
{
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  g_autoptr(GError) first = NULL;
  CoprocFrame frame;
  gsize n_received, n_announced;

  add_with_payload (stream, control (99));
  add_with_payload (stream, control (COPROC_FRAME_GOODBYE));
  feed_array (decoder, stream);
  g_assert_cmpint (coproc_decoder_next (decoder, &frame, &first), ==, COPROC_DECODE_FAILED);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr(GError) again = NULL;

      feed_array (decoder, stream);
      g_assert_cmpint (coproc_decoder_next (decoder, &frame, &again), ==, COPROC_DECODE_FAILED);
      g_assert_cmpstr (again->message, ==, first->message);
      g_assert_true (again != first);
    }
  g_assert_cmpint (coproc_decoder_next (decoder, &frame, NULL), ==, COPROC_DECODE_FAILED);
  coproc_decoder_get_partial (decoder, &n_received, &n_announced);
  g_assert_cmpuint (n_announced, ==, 0);
  coproc_decoder_free (decoder);
}

static void
test_partial (void)
{
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  gsize n_received, n_announced;
  CoprocFrame frame;

  g_assert_false (coproc_decoder_get_partial (decoder, &n_received, &n_announced));
  frame_builder_add_text (stream, header_for (COPROC_FRAME_NOREQUEST), "twelve bytes");
  for (gsize i = 0; i < stream->len; i++)
    {
      assert_next (decoder, &frame, COPROC_DECODE_MORE);
      g_assert_cmpint (coproc_decoder_get_partial (decoder, &n_received, &n_announced), ==, i > 0);
      g_assert_cmpuint (n_received, ==, i);
      g_assert_cmpuint (n_announced, ==, i < COPROC_FRAME_HEADER_SIZE ? 0 : 56);
      feed (decoder, stream->data + i, 1);
    }
  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  assert_next (decoder, &frame, COPROC_DECODE_MORE);
  g_assert_false (coproc_decoder_get_partial (decoder, &n_received, &n_announced));
  coproc_decoder_free (decoder);
}

static void
test_set_limits (void)
{
  const CoprocLimits small = { .max_message_size = 9, .max_variant_size = 9 };
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  g_autoptr(GError) error = NULL;
  CoprocFrame frame;

  for (guint i = 0; i < 3; i++)
    frame_builder_add_text (stream, header_for (COPROC_FRAME_NOREQUEST), "ten bytes!");
  feed (decoder, stream->data, 60);
  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  coproc_decoder_set_limits (decoder, &small);
  feed (decoder, stream->data + 60, stream->len - 60);
  g_assert_cmpint (coproc_decoder_next (decoder, &frame, &error), ==, COPROC_DECODE_FAILED);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
  coproc_decoder_free (decoder);
}

/* The figure that the rest of the library is built upon; printed, and bounded generously. */
static void
test_speed (void)
{
  const guint n_rounds = 2000;
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  guint64 n_bytes = 0, n_frames = 0;
  gint64 begin;
  CoprocFrame frame;

  while (stream->len + 64 <= COPROC_SLAB_SIZE)
    frame_builder_add_text (stream, header_for (COPROC_FRAME_NOREQUEST),
                            "twenty-four bytes of it.");
  begin = get_cpu_time ();
  for (guint i = 0; i < n_rounds; i++)
    {
      feed_array (decoder, stream);
      while (coproc_decoder_next (decoder, &frame, NULL) == COPROC_DECODE_FRAME)
        {
          n_bytes += frame.size;
          n_frames++;
        }
    }
  begin = get_cpu_time () - begin;
  g_assert_cmpuint (n_frames, ==, n_rounds * 1024);
  g_assert_cmpuint (n_bytes, ==, n_frames * 24);
  g_test_message ("%.1f ns for a frame of 64 bytes", 1000.0 * (double) begin / (double) n_frames);
  g_assert_cmpint (begin, <, scale_time (2 * G_USEC_PER_SEC));
  coproc_decoder_free (decoder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* MALLOC_PERTURB_ would touch all memory that is asked for. */
  mallopt (M_PERTURB, 0);
  g_test_add_func ("/coproc/decoder/round-trip", test_round_trip);
  g_test_add_func ("/coproc/decoder/a1-length", test_a1_length);
  g_test_add_func ("/coproc/decoder/a2-drip", test_a2_drip);
  g_test_add_func ("/coproc/decoder/a3-every-cut", test_a3_every_cut);
  g_test_add_func ("/coproc/decoder/a4-every-split", test_a4_every_split);
  g_test_add_func ("/coproc/decoder/a4-long-stream", test_a4_long_stream);
  g_test_add_func ("/coproc/decoder/stays-failed", test_stays_failed);
  g_test_add_func ("/coproc/decoder/partial", test_partial);
  g_test_add_func ("/coproc/decoder/set-limits", test_set_limits);
  g_test_add_func ("/coproc/decoder/speed", test_speed);
  return g_test_run ();
}
