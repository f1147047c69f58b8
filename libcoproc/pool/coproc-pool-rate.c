/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * At first the rate is the average since the beginning, then that of about the last MEMORY_US.
 */
#include "pool/coproc-pool-rate-private.h"

#define SAMPLE_US 100000.0
#define MEMORY_US 5e6

void
coproc_pool_rate_init (CoprocPoolRate *self, gint64 now)
{
  *self = (CoprocPoolRate) { .sampled_at = now };
}

static void
sample (CoprocPoolRate *self, gint64 now, guint64 n_done)
{
  const double us = (double) (now - self->sampled_at), kept = MEMORY_US / (MEMORY_US + us);

  self->n = kept * self->n + (double) (n_done - self->n_sampled);
  self->us = kept * self->us + us;
  self->n_sampled = n_done;
  self->sampled_at = now;
}

void
coproc_pool_rate_note (CoprocPoolRate *self, gint64 now, guint64 n_done)
{
  if (!self->finished && (double) (now - self->sampled_at) >= SAMPLE_US)
    sample (self, now, n_done);
}

void
coproc_pool_rate_finish (CoprocPoolRate *self, gint64 now, guint64 n_done)
{
  if (!self->finished)
    sample (self, now, n_done);
  self->finished = TRUE;
}

double
coproc_pool_rate_get (const CoprocPoolRate *self, gint64 now, guint64 n_done)
{
  CoprocPoolRate rate = *self;

  if (!rate.finished)
    sample (&rate, now, n_done);
  return rate.us > 0 ? rate.n / rate.us * G_USEC_PER_SEC : 0;
}

gint64
coproc_pool_rate_estimate (const CoprocPoolRate *self, gint64 now, guint64 n_done, guint64 n_left)
{
  const double rate = coproc_pool_rate_get (self, now, n_done);
  double us;

  if (n_left == 0)
    return 0;
  if (rate <= 0)
    return -1;
  us = (double) n_left / rate * G_USEC_PER_SEC;
  return us < (double) (G_MAXINT64 / 2) ? (gint64) us : -1;
}
