/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-transport-private.h"

#include <errno.h>
#include <poll.h>

#include "coproc-config.h"
#include "coproc-error.h"
#include "coproc-interrupt-private.h"
#include "wire/coproc-fork-private.h"

void
coproc_transport_poll (int fd, int wake_fd, gint64 deadline)
{
  struct pollfd pollfds[] = {
    { .fd = fd, .events = POLLIN },
    { .fd = wake_fd, .events = POLLIN },
  };
  gint64 rest = deadline < 0 ? -1 : MAX (deadline - g_get_monotonic_time (), 0);
  int n;

#if HAVE_PPOLL
  const struct timespec timeout = { rest / G_USEC_PER_SEC, rest % G_USEC_PER_SEC * 1000 };

  n = ppoll (pollfds, G_N_ELEMENTS (pollfds), rest < 0 ? NULL : &timeout, NULL);
#else
  n = poll (pollfds, G_N_ELEMENTS (pollfds),
            rest < 0 ? -1 : (int) MIN ((rest + 999) / 1000, G_MAXINT));
#endif
  if (n < 0 && errno == EINTR)
    coproc_interrupt_ask ();
}

void
coproc_transport_spend (GPtrArray **spent, GVariant *variant)
{
  if (*spent == NULL)
    *spent = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_ptr_array_add (*spent, variant);
}

/* --- a link of another process --- */

static gboolean
disowned_declare_type (CoprocTransportLink *self, const GVariantType *type, GError **error)
{
  return TRUE;
}

static void
disowned_queue (CoprocTransportLink *self, const CoprocFrame *frame)
{
}

static CoprocFlushResult
disowned_flush (CoprocTransportLink *self, GError **error)
{
  return COPROC_FLUSH_DONE;
}

static gboolean
disowned_probe (CoprocTransportLink *self, gboolean *unread)
{
  *unread = FALSE;
  return FALSE;
}

static void
disowned_do_nothing (CoprocTransportLink *self)
{
}

static CoprocReceiveResult
disowned_receive (CoprocTransportLink *self, gsize *budget, CoprocFrame *frame, GError **error)
{
  return COPROC_RECEIVE_END;
}

static void
disowned_get_cut (CoprocTransportLink *self, GError **error)
{
}

static void
disowned_set_limits (CoprocTransportLink *self, const CoprocLimits *limits)
{
}

static void
disowned_wait (CoprocTransportLink *self, const int *woken, int wake_fd, gint64 deadline)
{
}

static gboolean
disowned_has_input (CoprocTransportLink *self)
{
  return FALSE;
}

static int
disowned_get_fd (CoprocTransportLink *self)
{
  return -1;
}

void
coproc_transport_disown (CoprocTransportLink *self)
{
  static const CoprocTransportOps disowned_ops = {
    .declare_type = disowned_declare_type,
    .queue = disowned_queue,
    .flush = disowned_flush,
    .probe = disowned_probe,
    .shut_output = disowned_do_nothing,
    .receive = disowned_receive,
    .get_cut = disowned_get_cut,
    .set_limits = disowned_set_limits,
    .shut_input = disowned_do_nothing,
    .wait = disowned_wait,
    .has_input = disowned_has_input,
    .get_input_fd = disowned_get_fd,
    .get_output_fd = disowned_get_fd,
    .free = disowned_do_nothing,
  };

  coproc_fork_drop_fd (self->ops->get_input_fd (self));
  coproc_fork_drop_fd (self->ops->get_output_fd (self));
  self->ops = &disowned_ops;
  self->n_unsent = 0;
}
