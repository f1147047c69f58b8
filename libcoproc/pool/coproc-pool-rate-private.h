/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * How fast something goes: pure arithmetic.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Times are monotonic, in µs. */
typedef struct
{
  gint64 sampled_at;
  guint64 n_sampled;       /* done by then */
  double n;                /* what was done ... */
  double us;               /* ... in this time; the past counts less and less in both */
  gboolean finished;
} CoprocPoolRate;

void   coproc_pool_rate_init   (CoprocPoolRate *self, gint64 now);
/* By @now, @n_done have been done. To be told often. */
void   coproc_pool_rate_note   (CoprocPoolRate *self, gint64 now, guint64 n_done);
/* Nothing more will be done: the rate stays what it is. */
void   coproc_pool_rate_finish (CoprocPoolRate *self, gint64 now, guint64 n_done);
/* How many are done in a second. */
double coproc_pool_rate_get    (const CoprocPoolRate *self, gint64 now, guint64 n_done);
/* In how many µs @n_left more are done; -1: who knows? */
gint64 coproc_pool_rate_estimate (const CoprocPoolRate *self, gint64 now, guint64 n_done, guint64 n_left);

G_END_DECLS
