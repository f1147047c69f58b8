/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-priority-messenger.h"

#include "coproc-messenger-private.h"

/**
 * CoprocPriorityMessenger:
 *
 * A [class@Coproc.Messenger] whose channels deliver the lowest priority value first, first-in-first-out inside one priority.
 *
 * Since: 1.0
 */
struct _CoprocPriorityMessenger
{
  CoprocMessenger parent_instance;
};

G_DEFINE_FINAL_TYPE (CoprocPriorityMessenger, coproc_priority_messenger, COPROC_TYPE_MESSENGER)

static void
coproc_priority_messenger_class_init (CoprocPriorityMessengerClass *klass)
{
}

static void
coproc_priority_messenger_init (CoprocPriorityMessenger *self)
{
  coproc_messenger_fix_discipline (COPROC_MESSENGER (self), TRUE);
}
