/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Whether, and when, a worker that has ended is started again: pure, without clock or worker.
 */
#pragma once

#include "coproc-types.h"

G_BEGIN_DECLS

#define COPROC_DEFAULT_MAX_RESTARTS 5u
#define COPROC_DEFAULT_RESTART_WINDOW_US (30 * G_USEC_PER_SEC)
#define COPROC_RESTART_FIRST_DELAY_US (G_USEC_PER_SEC / 10)
#define COPROC_RESTART_LAST_DELAY_US (5 * G_USEC_PER_SEC)
#define COPROC_RESTART_HEALTHY_US (60 * G_USEC_PER_SEC)

/* What the application wants. */
typedef struct
{
  CoprocRestartPolicy policy;
  guint max_restarts;          /* so many within ... */
  gint64 window_us;            /* ... this time; -1: ever */
} CoprocRestartRules;

/* What has happened since the application's own start. Times are monotonic, in µs. */
typedef struct
{
  GArray *restarts;            /* gint64: when those that still count were decided, in order */
  guint n_in_a_row;            /* ends since the worker was last healthy */
  gint64 alive_since;          /* -1: it is not */
} CoprocRestartHistory;

typedef enum
{
  COPROC_RESTART_NO,           /* it has ended as it may */
  COPROC_RESTART_LATER,
  COPROC_RESTART_GIVE_UP,      /* it should be restarted, and was too often */
} CoprocRestartDecision;

/* What is said when @rules allow no more restarts after the end of @label, of @death. (transfer full) */
GError               *coproc_restart_rules_make_error (const CoprocRestartRules *rules, const char *label, const GError *death);

void                  coproc_restart_history_init  (CoprocRestartHistory *self);
void                  coproc_restart_history_clear (CoprocRestartHistory *self);
/* The application itself has begun anew. */
void                  coproc_restart_history_reset (CoprocRestartHistory *self);
/* The worker is ready. */
void                  coproc_restart_history_alive (CoprocRestartHistory *self, gint64 now);
/* The worker has ended, @failed or not, or could not be restarted (which is a failure). With LATER the
 * restart counts, and *delay_us is how long to wait for it. */
CoprocRestartDecision coproc_restart_history_ended (CoprocRestartHistory *self, const CoprocRestartRules *rules, gint64 now, gboolean failed, gint64 *delay_us);

G_END_DECLS
