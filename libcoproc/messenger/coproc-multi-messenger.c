/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-multi-messenger.h"

#include "coproc-messenger-private.h"

/**
 * CoprocMultiMessenger:
 *
 * A [class@Coproc.Messenger] whose channels deliver first-in-first-out per channel.
 *
 * Since: 1.0
 */
struct _CoprocMultiMessenger
{
  CoprocMessenger parent_instance;
};

G_DEFINE_FINAL_TYPE (CoprocMultiMessenger, coproc_multi_messenger, COPROC_TYPE_MESSENGER)

static void
coproc_multi_messenger_class_init (CoprocMultiMessengerClass *klass)
{
}

static void
coproc_multi_messenger_init (CoprocMultiMessenger *self)
{
  coproc_messenger_fix_discipline (COPROC_MESSENGER (self), FALSE);
}
