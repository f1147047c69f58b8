/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A message: an immutable payload with its channel, priority and place in an exchange.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <coproc-types.h>

G_BEGIN_DECLS

#define COPROC_TYPE_MESSAGE (coproc_message_get_type ())

typedef struct _CoprocMessage CoprocMessage;

COPROC_AVAILABLE_IN_1_0
GType              coproc_message_get_type         (void) G_GNUC_CONST;

COPROC_AVAILABLE_IN_1_0
CoprocMessage     *coproc_message_new              (GVariant      *payload);
COPROC_AVAILABLE_IN_1_0
CoprocMessage     *coproc_message_new_bytes        (GBytes        *bytes);
COPROC_AVAILABLE_IN_1_0
CoprocMessage     *coproc_message_new_full         (GVariant      *payload,
                                                    const char    *channel,
                                                    double         priority);
COPROC_AVAILABLE_IN_1_0
CoprocMessage     *coproc_message_ref              (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
void               coproc_message_unref            (CoprocMessage *self);

COPROC_AVAILABLE_IN_1_0
GVariant          *coproc_message_get_payload      (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
GBytes            *coproc_message_get_bytes        (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
const guint8      *coproc_message_get_data         (CoprocMessage *self,
                                                    gsize         *length);
COPROC_AVAILABLE_IN_1_0
const char        *coproc_message_get_channel      (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
double             coproc_message_get_priority     (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
CoprocMessageKind  coproc_message_get_kind         (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
guint64            coproc_message_get_serial       (CoprocMessage *self);
COPROC_AVAILABLE_IN_1_0
guint64            coproc_message_get_reply_serial (CoprocMessage *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CoprocMessage, coproc_message_unref)

G_END_DECLS
