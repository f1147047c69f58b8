/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The memory of the decoder: what is reused, what is shared, what is kept.
 */
#include <sys/resource.h>

#include "decoder-helpers.h"

static void
test_slab (void)
{
  CoprocSlab *slab = coproc_slab_new (100);

  g_assert_cmpuint (slab->size, ==, 100);
  g_assert_cmpuint (GPOINTER_TO_SIZE (slab->data) % 16, ==, 0);
  g_assert_false (coproc_slab_is_shared (slab));
  g_assert_true (coproc_slab_ref (slab) == slab);
  g_assert_true (coproc_slab_is_shared (slab));
  coproc_slab_unref (slab);
  g_assert_false (coproc_slab_is_shared (slab));
  memset (slab->data, 1, slab->size);
  coproc_slab_unref (slab);
  g_assert_null (coproc_slab_new (G_MAXSIZE));
  g_assert_null (coproc_slab_new (G_MAXSIZE - 16));
}

static void
test_slab_is_reused (void)
{
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  gpointer first;
  gsize size;
  CoprocFrame frame;

  for (guint i = 0; i < 20; i++)
    frame_builder_add_text (stream, header_for (COPROC_FRAME_NOREQUEST), "some bytes");
  first = coproc_decoder_get_space (decoder, &size, NULL);
  g_assert_cmpuint (size, ==, COPROC_SLAB_SIZE);

  for (guint i = 0; i < 1000; i++)
    {
      feed_array (decoder, stream);
      for (guint k = 0; k < 20; k++)
        assert_next (decoder, &frame, COPROC_DECODE_FRAME);
      assert_next (decoder, &frame, COPROC_DECODE_MORE);
      g_assert_true (coproc_decoder_get_space (decoder, &size, NULL) == first);
      g_assert_cmpuint (size, ==, COPROC_SLAB_SIZE);
    }
  coproc_decoder_free (decoder);
}

static GBytes *
keep (const CoprocFrame *frame)
{
  return g_bytes_new_with_free_func (frame->data, frame->size, (GDestroyNotify) coproc_slab_unref,
                                     coproc_slab_ref (frame->slab));
}

/* Keeps every 16th payload of a long stream, as slices of slabs. */
static void
test_slices_survive (void)
{
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autoptr(GPtrArray) slices = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  guint n_seen = 0;

  for (guint round = 0; round < 200; round++)
    {
      g_autoptr(GByteArray) stream = g_byte_array_new ();
      CoprocFrame frame;

      for (guint k = 0; k < 10; k++)
        {
          guint8 data[2500];

          memset (data, (int) ((round * 10 + k) % 251), sizeof data);
          frame_builder_add (stream, header_for (COPROC_FRAME_NOREQUEST), data, 1000 + k * 150);
        }
      for (gsize done = 0; done < stream->len;)
        {
          gsize n_fed = MIN (stream->len - done, 7777);

          feed (decoder, stream->data + done, n_fed);
          done += n_fed;
          while (coproc_decoder_next (decoder, &frame, NULL) == COPROC_DECODE_FRAME)
            if (n_seen++ % 16 == 0)
              g_ptr_array_add (slices, keep (&frame));
        }
    }
  coproc_decoder_free (decoder);

  g_assert_cmpuint (n_seen, ==, 2000);
  g_assert_cmpuint (slices->len, ==, 125);
  for (guint i = 0; i < slices->len; i++)
    {
      gsize size;
      const guint8 *data = g_bytes_get_data (slices->pdata[i], &size);

      g_assert_cmpuint (size, ==, 1000 + (i * 16 % 10) * 150);
      for (gsize k = 0; k < size; k++)
        g_assert_cmpuint (data[k], ==, i * 16 % 251);
    }
}

/* A value that is kept lives on its own; a small one does not hold a slab. */
static void
test_values_survive (void)
{
  for (gsize size = COPROC_SLAB_COPY_SIZE - 1; size <= COPROC_SLAB_COPY_SIZE + 1; size++)
    {
      CoprocDecoder *decoder = coproc_decoder_new (&defaults);
      g_autofree char *text = g_strnfill (size - 1, 't');
      g_autoptr(GByteArray) stream = new_typed ("s", text, size);
      g_autoptr(GVariant) kept = NULL;
      gpointer before, after;
      gsize n_space;
      CoprocFrame frame;

      before = coproc_decoder_get_space (decoder, &n_space, NULL);
      feed_array (decoder, stream);
      assert_next (decoder, &frame, COPROC_DECODE_FRAME);
      kept = g_variant_ref (frame.variant);
      g_assert_cmpint (coproc_slab_is_shared (frame.slab), ==, size > COPROC_SLAB_COPY_SIZE);
      after = coproc_decoder_get_space (decoder, &n_space, NULL);
      g_assert_cmpint (after == before, ==, size <= COPROC_SLAB_COPY_SIZE);
      memset (after, 'z', n_space);
      coproc_decoder_free (decoder);
      g_assert_cmpstr (g_variant_get_string (kept, NULL), ==, text);
    }
}

/* The value of a frame belongs to the decoder until its next call, whichever that is. */
static void
test_value_is_dropped (void)
{
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  g_autofree char *text = g_strnfill (5000, 't');
  g_autoptr(GByteArray) stream = new_typed ("s", text, 5001);
  gpointer before;
  gsize n_space;
  CoprocFrame frame;

  before = coproc_decoder_get_space (decoder, &n_space, NULL);
  feed_array (decoder, stream);
  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  g_assert_true (coproc_slab_is_shared (frame.slab));
  g_assert_true (coproc_decoder_get_space (decoder, &n_space, NULL) == before);
  g_assert_cmpuint (n_space, ==, COPROC_SLAB_SIZE);
  coproc_decoder_free (decoder);
}

static void
test_large_frame (void)
{
  const gsize size = 1024 * 1024 + 3;
  const gsize padded = coproc_frame_padded (COPROC_FRAME_HEADER_SIZE + size);
  g_autofree guint8 *data = g_malloc0 (size);
  g_autoptr(GByteArray) stream = g_byte_array_new ();
  CoprocDecoder *decoder = coproc_decoder_new (&defaults);
  CoprocFrame frame;
  gsize n_space;

  frame_builder_add (stream, header_for (COPROC_FRAME_NOREQUEST), data, size);
  feed (decoder, stream->data, 1000);
  assert_next (decoder, &frame, COPROC_DECODE_MORE);

  /* the rest of this frame, and not a byte more, is read into a slab of its own */
  g_assert_nonnull (coproc_decoder_get_space (decoder, &n_space, NULL));
  g_assert_cmpuint (n_space, ==, padded - 1000);
  feed (decoder, stream->data + 1000, padded - 1000);
  assert_next (decoder, &frame, COPROC_DECODE_FRAME);
  g_assert_cmpuint (frame.slab->size, ==, padded);
  g_assert_cmpmem (frame.data, frame.size, data, size);

  assert_next (decoder, &frame, COPROC_DECODE_MORE);
  g_assert_nonnull (coproc_decoder_get_space (decoder, &n_space, NULL));
  g_assert_cmpuint (n_space, ==, COPROC_SLAB_SIZE);
  coproc_decoder_free (decoder);
}

static void
test_no_memory (void)
{
  const struct rlimit limit = { 512u << 20, 512u << 20 };
  const CoprocLimits large = { .max_message_size = 1u << 30, .max_variant_size = 1u << 20 };
  CoprocDecoder *decoder;
  CoprocFrameHeader header = header_for (COPROC_FRAME_NOREQUEST);
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];
  g_autoptr(GError) error = NULL;
  CoprocFrame frame;
  gsize n_space;

  if (!g_test_subprocess ())
    {
      if (IS_SANITIZED)
        {
          g_test_skip ("a sanitizer needs the address space");
          return;
        }
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
      g_test_trap_assert_passed ();
      return;
    }

  g_assert_cmpint (setrlimit (RLIMIT_AS, &limit), ==, 0);
  decoder = coproc_decoder_new (&large);
  header.version = COPROC_WIRE_VERSION;
  header.length = COPROC_FRAME_HEADER_SIZE + (1u << 30);
  coproc_frame_header_write (&header, bytes);
  feed (decoder, bytes, sizeof bytes);
  assert_next (decoder, &frame, COPROC_DECODE_MORE);
  g_assert_null (coproc_decoder_get_space (decoder, &n_space, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT);
  coproc_decoder_free (decoder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/slab/life", test_slab);
  g_test_add_func ("/coproc/decoder/slab-is-reused", test_slab_is_reused);
  g_test_add_func ("/coproc/decoder/slices-survive", test_slices_survive);
  g_test_add_func ("/coproc/decoder/values-survive", test_values_survive);
  g_test_add_func ("/coproc/decoder/value-is-dropped", test_value_is_dropped);
  g_test_add_func ("/coproc/decoder/large-frame", test_large_frame);
  g_test_add_func ("/coproc/decoder/no-memory", test_no_memory);
  return g_test_run ();
}
