/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Outcomes on their way to who wants them: in the order of the inputs, or as they come.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One of value and error is set. */
typedef struct
{
  guint64 index;           /* of the input */
  gpointer value;          /* (nullable) (owned) */
  GError *error;           /* (nullable) (owned) */
} CoprocOutcome;

/* A ring that grows. The owner has the lock. */
typedef struct
{
  gboolean ordered;
  GDestroyNotify free_value;
  CoprocOutcome *ring;     /* (nullable) `size` places; neither value nor error: none is there yet */
  gsize size;              /* a power of two, or 0 */
  guint64 n_put;
  guint64 n_popped;        /* the place of the next one is its remainder */
  guint64 last_index;      /* of what was popped last */
} CoprocResults;

void     coproc_results_init    (CoprocResults *self, gboolean ordered, GDestroyNotify free_value);
void     coproc_results_clear   (CoprocResults *self);
/* Takes @outcome; each index comes once. */
void     coproc_results_put     (CoprocResults *self, const CoprocOutcome *outcome);
gboolean coproc_results_can_pop (const CoprocResults *self);
gboolean coproc_results_pop     (CoprocResults *self, CoprocOutcome *outcome);

G_END_DECLS
