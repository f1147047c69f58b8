/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Fuzz target of the frame decoder: any bytes, fed in two different ways, must come to the same.
 * The first byte chooses the limits, the second the pieces.
 */
#include "frame-builder.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  CoprocLimits limits = COPROC_DEFAULT_LIMITS;
  FrameVerdict whole, pieces;

  if (size < 2)
    return 0;
  if ((data[0] & 1) != 0)
    {
      limits.max_message_size = 256;
      limits.max_variant_size = 128;
    }

  whole = frame_verdict (&limits, data + 2, size - 2, G_MAXSIZE, 0);
  pieces = frame_verdict (&limits, data + 2, size - 2, (data[1] >> 1) % 8 * (data[1] >> 4),
                          data[1]);
  if (!frame_verdict_equal (&whole, &pieces))
    g_error ("The verdict depends on how the bytes arrive");
  return 0;
}
