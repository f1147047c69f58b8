/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Streams for the tests of the decoder, and what they come to.
 */
#pragma once

#include <math.h>
#include <time.h>

#include "../fuzz/frame-builder.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED TRUE
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED FALSE
#endif

static const CoprocLimits defaults = COPROC_DEFAULT_LIMITS;

/* Of this thread, in µs: what others do on the machine does not count. */
static inline gint64
get_cpu_time (void)
{
  struct timespec now;

  g_assert_cmpint (clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now), ==, 0);
  return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* Times are those of an ordinary build: a sanitizer or valgrind takes its multiple. */
static inline gint64
scale_time (gint64 time_us)
{
  const char *preload = g_getenv ("LD_PRELOAD");

  if (preload != NULL && strstr (preload, "vgpreload") != NULL)
    return 100 * time_us;
  return IS_SANITIZED ? 10 * time_us : time_us;
}

static inline CoprocFrameHeader
control (guint8 kind)
{
  return (CoprocFrameHeader) { .kind = kind };
}

/* A valid header of @kind. */
static inline CoprocFrameHeader
header_for (guint8 kind)
{
  const CoprocFrameRule *rule = coproc_frame_get_rule (kind);
  CoprocFrameHeader header = { .kind = kind };

  if ((rule->required & COPROC_FRAME_FIELD_CHANNEL) != 0)
    header.channel = 3;
  if ((rule->required & COPROC_FRAME_FIELD_TYPE) != 0)
    header.type = 1;
  if ((rule->required & COPROC_FRAME_FIELD_SERIAL) != 0)
    header.serial = 17;
  if ((rule->required & COPROC_FRAME_FIELD_REPLY_SERIAL) != 0)
    header.reply_serial = 16;
  return header;
}

/* A frame with @header and a payload that suits its kind. */
static inline void
add_with_payload (GByteArray *out, CoprocFrameHeader header)
{
  switch (coproc_frame_get_rule (header.kind)->payload)
    {
    case COPROC_FRAME_PAYLOAD_SETTINGS:
      frame_builder_add_variant (out, header, g_variant_new_parsed ("{'version': <uint32 1>}"));
      break;
    case COPROC_FRAME_PAYLOAD_ERROR:
      frame_builder_add_variant (out, header,
                                 g_variant_new ("(sis)", "g-io-error-quark", 1, "gone"));
      break;
    case COPROC_FRAME_PAYLOAD_NAME:
      frame_builder_add_text (out, header, "results");
      break;
    case COPROC_FRAME_PAYLOAD_TYPE:
      frame_builder_add_text (out, header, "s");
      break;
    case COPROC_FRAME_PAYLOAD_DATA:
      frame_builder_add_text (out, header, "0123456789");
      break;
    case COPROC_FRAME_PAYLOAD_EMPTY:
    case COPROC_FRAME_PAYLOAD_UNKNOWN:
    default:
      frame_builder_add (out, header, NULL, 0);
      break;
    }
}

static inline void
add_type (GByteArray *out, guint32 number, const char *type)
{
  const CoprocFrameHeader header = { .kind = COPROC_FRAME_TYPE, .type = number };

  frame_builder_add_text (out, header, type);
}

/* All kinds, a skipped one, and payloads of several sizes. */
static inline GByteArray *
new_script (void)
{
  GByteArray *out = g_byte_array_new ();
  CoprocFrameHeader typed = header_for (COPROC_FRAME_REQUEST);
  const CoprocFrameHeader optional = { .kind = 200, .flags = COPROC_FRAME_FLAG_OPTIONAL };
  guint8 filler[3000];

  memset (filler, 'f', sizeof filler);
  for (guint8 kind = COPROC_FRAME_HELLO; kind <= COPROC_FRAME_LAST; kind++)
    add_with_payload (out, header_for (kind));
  frame_builder_add_text (out, optional, "?");
  add_type (out, 2, "a{sv}");
  typed.type = 2;
  typed.priority = -INFINITY;
  frame_builder_add_variant (out, typed, g_variant_new_parsed ("{'k': <(1, 'x')>}"));
  frame_builder_add (out, header_for (COPROC_FRAME_NOREQUEST), filler, sizeof filler);
  return out;
}

/* What the whole stream comes to when it arrives at once. Any other way must come to the same. */
static inline FrameVerdict
get_verdict (const CoprocLimits *limits, GByteArray *stream)
{
  FrameVerdict whole = frame_verdict (limits, stream->data, stream->len, G_MAXSIZE, 0);
  FrameVerdict bytes = frame_verdict (limits, stream->data, stream->len, 1, 0);

  g_assert_true (frame_verdict_equal (&whole, &bytes));
  return whole;
}

static inline void
assert_accepted (const CoprocLimits *limits, GByteArray *stream, guint n_frames)
{
  FrameVerdict verdict = get_verdict (limits, stream);

  g_assert_cmpint (verdict.code, ==, -1);
  g_assert_cmpuint (verdict.n_frames, ==, n_frames);
  g_assert_cmpuint (verdict.n_received, ==, 0);
}

static inline void
assert_refused (const CoprocLimits *limits, GByteArray *stream, CoprocError code)
{
  FrameVerdict verdict = get_verdict (limits, stream);

  g_assert_cmpint (verdict.result, ==, COPROC_DECODE_FAILED);
  g_assert_cmpint (verdict.code, ==, code);
}

static inline void
assert_header (CoprocFrameHeader header, int code)
{
  g_autoptr(GByteArray) stream = g_byte_array_new ();

  add_with_payload (stream, header);
  if (code < 0)
    {
      FrameVerdict verdict = get_verdict (&defaults, stream);

      g_assert_cmpint (verdict.code, ==, -1);
    }
  else
    assert_refused (&defaults, stream, code);
}

/* Puts bytes into the decoder, as many at a time as it has room for. */
static inline void
feed (CoprocDecoder *decoder, const guint8 *data, gsize size)
{
  while (size > 0)
    {
      gsize n_space;
      guint8 *space = coproc_decoder_get_space (decoder, &n_space, NULL);
      gsize n_fed = MIN (size, n_space);

      g_assert_nonnull (space);
      memcpy (space, data, n_fed);
      coproc_decoder_add (decoder, n_fed);
      data += n_fed;
      size -= n_fed;
    }
}

static inline void
feed_array (CoprocDecoder *decoder, GByteArray *stream)
{
  feed (decoder, stream->data, stream->len);
}

static inline void
assert_next (CoprocDecoder *decoder, CoprocFrame *frame, CoprocDecodeResult expected)
{
  g_autoptr(GError) error = NULL;

  g_assert_cmpint (coproc_decoder_next (decoder, frame, &error), ==, expected);
  g_assert_cmpint (error != NULL, ==, expected == COPROC_DECODE_FAILED);
}

static inline GByteArray *
new_typed (const char *type, gconstpointer data, gsize size)
{
  GByteArray *stream = g_byte_array_new ();
  CoprocFrameHeader header = header_for (COPROC_FRAME_NOREQUEST);

  add_type (stream, 1, type);
  header.type = 1;
  frame_builder_add (stream, header, data, size);
  return stream;
}
