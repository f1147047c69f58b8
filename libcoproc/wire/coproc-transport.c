/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-transport-private.h"

#include <errno.h>
#include <poll.h>

#include "coproc-config.h"
#include "coproc-interrupt-private.h"

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
