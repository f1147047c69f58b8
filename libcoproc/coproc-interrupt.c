/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-interrupt-private.h"

#define LOOK_INTERVAL (G_USEC_PER_SEC / 5)

/* A thread's, and used by it alone. */
typedef struct
{
  CoprocInterruptFunc function;
  gpointer user_data;
  GDestroyNotify notify; /* (nullable) */
  gboolean asking;       /* the function itself waits for something */
  gboolean interrupted;  /* it has said so, and the wait has not been told yet */
} CoprocInterrupt;

static void
coproc_interrupt_free (gpointer data)
{
  CoprocInterrupt *self = data;

  if (self->notify != NULL)
    self->notify (self->user_data);
  g_free (self);
}

static GPrivate interrupts = G_PRIVATE_INIT (coproc_interrupt_free);

/**
 * coproc_set_interrupt_func:
 * @function: (nullable) (scope notified) (closure user_data) (destroy notify): the function, or %NULL for none
 * @user_data: passed to @function
 * @notify: (nullable): called with @user_data when @function is not needed any more
 *
 * Sets what this thread is asked when a signal interrupts it while it waits in a call of this library.
 *
 * Without one, a wait goes on until it has what it waits for, as if no signal had come. A language whose signal
 * handlers run between two of its own instructions runs them in this function, so that a blocking call does not
 * keep them waiting, and ends the wait if one of them asks for that.
 *
 * It is asked a few times a second, too, in a wait that nothing interrupts: a signal may have come just before.
 *
 * A wait that is ended fails with %G_IO_ERROR_CANCELLED, just as if its cancellable had been cancelled.
 *
 * Threads: the function is the calling thread's, and is called in it.
 *
 * Since: 1.0
 */
void
coproc_set_interrupt_func (CoprocInterruptFunc function, gpointer user_data, GDestroyNotify notify)
{
  CoprocInterrupt *self = NULL;

  if (function != NULL)
    {
      self = g_new0 (CoprocInterrupt, 1);
      self->function = function;
      self->user_data = user_data;
      self->notify = notify;
    }
  g_private_replace (&interrupts, self);
}

void
coproc_interrupt_ask (void)
{
  CoprocInterrupt *self = g_private_get (&interrupts);
  gboolean interrupted;

  if (self == NULL || self->asking)
    return;
  self->asking = TRUE;
  interrupted = self->function (self->user_data);

  /* It may have been replaced by itself. */
  self = g_private_get (&interrupts);
  if (self == NULL)
    return;
  self->asking = FALSE;
  self->interrupted = interrupted;
}

gboolean
coproc_interrupt_take (GError **error)
{
  CoprocInterrupt *self = g_private_get (&interrupts);

  if (self == NULL || !self->interrupted)
    return FALSE;
  self->interrupted = FALSE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "A signal has ended the wait");
  return TRUE;
}

gint64
coproc_interrupt_limit (gint64 deadline)
{
  gint64 limit;

  if (g_private_get (&interrupts) == NULL)
    return deadline;
  limit = g_get_monotonic_time () + LOOK_INTERVAL;
  return deadline < 0 ? limit : MIN (deadline, limit);
}

void
coproc_interrupt_ask_at_limit (gint64 limit, gint64 deadline)
{
  if (limit != deadline && g_get_monotonic_time () >= limit)
    coproc_interrupt_ask ();
}

gboolean
coproc_interrupt_wait (GCond *cond, GMutex *mutex, gint64 deadline)
{
  const gint64 limit = coproc_interrupt_limit (deadline);
  gboolean in_time = TRUE;

  if (limit < 0)
    g_cond_wait (cond, mutex);
  else
    in_time = g_cond_wait_until (cond, mutex, limit) || limit != deadline;

  /* A signal looks like any other wake-up. */
  if (g_private_get (&interrupts) != NULL)
    {
      g_mutex_unlock (mutex);
      coproc_interrupt_ask ();
      g_mutex_lock (mutex);
    }
  return in_time;
}
