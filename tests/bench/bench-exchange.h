/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What bench-coproc measures: the two sides of each exchange. A host's returns the figure.
 */
#pragma once

#include <coproc.h>

#include "bench-util.h"

/* Ends the program, telling of @error, unless @ok. */
void   bench_check (gboolean ok, GError *error);

/* --- what exchanges are made of --- */

void            bench_touch_payload   (GVariant *payload);
GVariant       *bench_new_payload     (gsize size); /* an `ay`: (transfer full), not floating */
void            bench_send_small      (CoprocMessenger *messenger);
typedef void  (*BenchDrain)           (CoprocMessenger *messenger, const char *channel, long count);
void            bench_drain_blocking  (CoprocMessenger *messenger, const char *channel, long count);
void            bench_drain_bytes     (CoprocMessenger *messenger, const char *channel, long count);
void            bench_drain_available (CoprocMessenger *messenger, const char *channel, long count);
void            bench_drain_messages  (CoprocMessenger *messenger, const char *channel, long count);
/* As many as are there at a time, as messages. */
CoprocMessage **bench_take_messages   (CoprocMessenger *messenger, const char *channel, gsize *n);

/* --- bench-exchange.c --- */

double ping_pong_host (CoprocMessenger *messenger, long count);
void   ping_pong_peer (CoprocMessenger *messenger, long count);
double bytes_ping_pong_host (CoprocMessenger *messenger, long count);
void   bytes_ping_pong_peer (CoprocMessenger *messenger, long count);
double sleeping_host (CoprocMessenger *messenger, long count);
void   sleeping_peer (CoprocMessenger *messenger, long count);
double call_host (CoprocMessenger *messenger, long count);
void   echo_peer (CoprocMessenger *messenger, long count);
double send_bytes_host (CoprocMessenger *messenger, long count);
double send_variant_host (CoprocMessenger *messenger, long count);
double large_host (CoprocMessenger *messenger, long count);
double large_64_kib_host (CoprocMessenger *messenger, long count);
double large_16_mib_host (CoprocMessenger *messenger, long count);
double in_place_64_kib_host (CoprocMessenger *messenger, long count);
double in_place_1_mib_host (CoprocMessenger *messenger, long count);
double in_place_16_mib_host (CoprocMessenger *messenger, long count);
void   first_byte_peer (CoprocMessenger *messenger, long count);
void   blocking_peer (CoprocMessenger *messenger, long count);
void   bytes_peer (CoprocMessenger *messenger, long count);
void   messages_peer (CoprocMessenger *messenger, long count);
void   available_peer (CoprocMessenger *messenger, long count);
double priority_host (CoprocMessenger *messenger, long count);
void   priority_peer (CoprocMessenger *messenger, long count);

/* --- bench-exchange-requests.c --- */

double multiple_host (CoprocMessenger *messenger, long count);
void   multiple_payload_peer (CoprocMessenger *messenger, long count);
void   multiple_messages_peer (CoprocMessenger *messenger, long count);
void   multiple_bytes_peer (CoprocMessenger *messenger, long count);
double in_flight_host (CoprocMessenger *messenger, long count);
double in_flight_bytes_host (CoprocMessenger *messenger, long count);
void   bytes_echo_peer (CoprocMessenger *messenger, long count);
double in_flight_batch_host (CoprocMessenger *messenger, long count);
void   answer_peer (CoprocMessenger *messenger, long count);
