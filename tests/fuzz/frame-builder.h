/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Streams of frames by hand, and what the decoder says of them: for the unit tests of the decoder,
 * the fuzz target and the generator of its corpus.
 */
#pragma once

#include <string.h>

#include "coproc-error.h"
#include "wire/coproc-frame-private.h"

/* Appends @header as it is, but for a version and a length that are 0: those are made right. */
static inline void
frame_builder_add (GByteArray *out, CoprocFrameHeader header, gconstpointer data, gsize size)
{
  static const guint8 zeros[COPROC_FRAME_ALIGNMENT] = { 0 };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];

  header.version = header.version == 0 ? COPROC_WIRE_VERSION : header.version;
  header.length = header.length == 0 ? COPROC_FRAME_HEADER_SIZE + (guint32) size : header.length;
  coproc_frame_header_write (&header, bytes);
  g_byte_array_append (out, bytes, sizeof bytes);
  if (size > 0)
    g_byte_array_append (out, data, (guint) size);
  g_byte_array_append (out, zeros, (guint) (coproc_frame_padded (size) - size));
}

static inline void
frame_builder_add_text (GByteArray *out, CoprocFrameHeader header, const char *text)
{
  frame_builder_add (out, header, text, strlen (text));
}

/* Sinks @variant. */
static inline void
frame_builder_add_variant (GByteArray *out, CoprocFrameHeader header, GVariant *variant)
{
  g_variant_ref_sink (variant);
  frame_builder_add (out, header, g_variant_get_data (variant), g_variant_get_size (variant));
  g_variant_unref (variant);
}

/* What a stream came to. */
typedef struct
{
  CoprocDecodeResult result; /* MORE or FAILED */
  gint code;                 /* of the error, -1: none */
  guint n_frames;
  guint64 hash;              /* of all frames with every byte of their payloads */
  gsize n_received;          /* of a partial frame */
  gsize n_announced;
} FrameVerdict;

#define FRAME_VERDICT_START G_GUINT64_CONSTANT (0xcbf29ce484222325)

static inline guint64
frame_hash (guint64 hash, gconstpointer data, gsize size)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

static inline void
frame_verdict_hash (FrameVerdict *verdict, gconstpointer data, gsize size)
{
  verdict->hash = frame_hash (verdict->hash, data, size);
}

/* Payloads that are kept while decoding goes on, and must not change. */
typedef struct
{
  CoprocSlab *slab;
  gconstpointer data;
  gsize size;
  guint64 hash;
} FrameSlice;

static inline void
frame_slice_keep (FrameSlice *slice, const CoprocFrame *frame)
{
  slice->slab = coproc_slab_ref (frame->slab);
  slice->data = frame->data;
  slice->size = frame->size;
  slice->hash = frame_hash (FRAME_VERDICT_START, frame->data, frame->size);
}

static inline void
frame_slice_drop (FrameSlice *slice)
{
  if (slice->slab == NULL)
    return;
  g_assert_true (frame_hash (FRAME_VERDICT_START, slice->data, slice->size) == slice->hash);
  g_clear_pointer (&slice->slab, coproc_slab_unref);
}

#define FRAME_N_SLICES 4

static inline void
frame_verdict_count (FrameVerdict *verdict, const CoprocFrame *frame)
{
  verdict->n_frames++;
  frame_verdict_hash (verdict, &frame->kind, sizeof frame->kind);
  frame_verdict_hash (verdict, &frame->flags, sizeof frame->flags);
  frame_verdict_hash (verdict, &frame->channel, sizeof frame->channel);
  frame_verdict_hash (verdict, &frame->serial, sizeof frame->serial);
  frame_verdict_hash (verdict, &frame->reply_serial, sizeof frame->reply_serial);
  frame_verdict_hash (verdict, &frame->priority, sizeof frame->priority);
  if (frame->type != NULL)
    frame_verdict_hash (verdict, g_variant_type_peek_string (frame->type),
                        g_variant_type_get_string_length (frame->type));
  frame_verdict_hash (verdict, frame->data, frame->size);
  if (frame->variant != NULL)
    {
      g_assert_cmpuint (g_variant_get_size (frame->variant), ==, frame->size);
      frame_verdict_hash (verdict, g_variant_get_data (frame->variant), frame->size);
    }
}

/* Takes every frame that is there; @slices: (nullable): keeps every other one for a while.
 * Returns: FALSE when the decoder has failed */
static inline gboolean
frame_verdict_drain (FrameVerdict *verdict, CoprocDecoder *decoder, FrameSlice *slices)
{
  g_autoptr(GError) error = NULL;
  CoprocFrame frame;

  while ((verdict->result = coproc_decoder_next (decoder, &frame, &error)) == COPROC_DECODE_FRAME)
    {
      frame_verdict_count (verdict, &frame);
      if (slices != NULL && verdict->n_frames % 2 == 0)
        {
          FrameSlice *slice = &slices[verdict->n_frames / 2 % FRAME_N_SLICES];

          frame_slice_drop (slice);
          frame_slice_keep (slice, &frame);
        }
    }

  if (verdict->result == COPROC_DECODE_MORE)
    return TRUE;

  g_assert_true (error != NULL && error->domain == COPROC_ERROR);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  verdict->code = error->code;
  return FALSE;
}

/* Feeds @data in pieces of at most @chunk bytes; 0: of random sizes that @seed determines. Keeps
 * payloads for a while when @seed is odd. */
static inline FrameVerdict
frame_verdict (const CoprocLimits *limits,
               const guint8 *data,
               gsize size,
               gsize chunk,
               guint32 seed)
{
  CoprocDecoder *decoder = coproc_decoder_new (limits);
  FrameVerdict verdict = { .code = -1, .hash = FRAME_VERDICT_START };
  FrameSlice slices[FRAME_N_SLICES] = { 0 };
  const gboolean keeps = seed % 2 == 1;
  gsize done = 0;

  while (frame_verdict_drain (&verdict, decoder, keeps ? slices : NULL) && done < size)
    {
      g_autoptr(GError) error = NULL;
      gsize n_space, n_fed;
      gpointer space = coproc_decoder_get_space (decoder, &n_space, &error);

      if (space == NULL)
        {
          verdict.code = error->code;
          break;
        }
      seed = seed * 1664525 + 1013904223;
      n_fed = MIN (chunk != 0 ? chunk : 1 + (seed >> 8) % 97, MIN (size - done, n_space));
      memcpy (space, data + done, n_fed);
      coproc_decoder_add (decoder, n_fed);
      done += n_fed;
    }

  if (!coproc_decoder_get_partial (decoder, &verdict.n_received, &verdict.n_announced))
    g_assert_cmpuint (verdict.n_announced, ==, 0);
  coproc_decoder_free (decoder);
  for (guint i = 0; i < FRAME_N_SLICES; i++)
    frame_slice_drop (&slices[i]);
  return verdict;
}

static inline gboolean
frame_verdict_equal (const FrameVerdict *a, const FrameVerdict *b)
{
  return a->result == b->result && a->code == b->code && a->n_frames == b->n_frames
         && a->hash == b->hash && a->n_received == b->n_received
         && a->n_announced == b->n_announced;
}
