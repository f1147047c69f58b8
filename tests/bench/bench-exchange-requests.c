/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The exchanges of requests and replies, many at a time.
 */
#include "bench-exchange.h"

#include <math.h>

#define BENCH_ROUND 50000  /* requests: less than may be unanswered */
#define BENCH_CALL 1000    /* ... of which so many are sent in one call: their arrays stay in a core's cache */

/* --- many requests in each call; count is that of rounds; the answers come when the clock stands --- */

double
multiple_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);
  GVariant *payloads[BENCH_CALL];
  double taken = 0;

  for (gsize i = 0; i < BENCH_CALL; i++)
    payloads[i] = payload;
  for (long round = 0; round < count; round++)
    {
      GError *error = NULL;
      double start = bench_now ();
      GVariant *item;

      for (int i = 0; i < BENCH_ROUND / BENCH_CALL; i++)
        bench_check (coproc_messenger_send_request_multiple (messenger, payloads, BENCH_CALL, "work", &error), error);
      bench_drain_blocking (messenger, NULL, 1);
      taken += bench_now () - start;
      bench_send_small (messenger);
      while ((item = coproc_messenger_receive_remaining (messenger, "work", NULL, &error)) != NULL)
        g_variant_unref (item);
      bench_check (error == NULL, error);
    }
  return (double) count * BENCH_ROUND / taken;
}

/* Takes one round of requests with @take, tells the host, and answers. */
static void
serve_rounds (CoprocMessenger *messenger, long count, void (*take) (CoprocMessenger *messenger))
{
  g_autoptr (GVariant) answer = bench_new_payload (1);

  for (long round = 0; round < count; round++)
    {
      GError *error = NULL;

      take (messenger);
      bench_send_small (messenger);
      bench_drain_blocking (messenger, NULL, 1);
      for (long i = 0; i < BENCH_ROUND; i++)
        bench_check (coproc_messenger_send_reply (messenger, answer, "work", &error), error);
    }
}

static void
take_payloads (CoprocMessenger *messenger)
{
  bench_drain_available (messenger, "work", BENCH_ROUND);
}

static void
take_bytes (CoprocMessenger *messenger)
{
  bench_drain_bytes (messenger, "work", BENCH_ROUND);
}

static void
take_batches (CoprocMessenger *messenger)
{
  bench_drain_messages (messenger, "work", BENCH_ROUND);
}

void
multiple_messages_peer (CoprocMessenger *messenger, long count)
{
  serve_rounds (messenger, count, take_batches);
}

void
multiple_payload_peer (CoprocMessenger *messenger, long count)
{
  serve_rounds (messenger, count, take_payloads);
}

void
multiple_bytes_peer (CoprocMessenger *messenger, long count)
{
  serve_rounds (messenger, count, take_bytes);
}

/* --- a window of requests in flight --- */

static void
send_request (CoprocMessenger *messenger, GVariant *payload)
{
  GError *error = NULL;

  bench_check (coproc_messenger_send_request (messenger, payload, NULL, &error), error);
}

double
in_flight_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);
  long sent = 0;
  double start = bench_now ();

  for (; sent < BENCH_WINDOW && sent < count; sent++)
    send_request (messenger, payload);
  for (long answered = 0; answered < count; answered++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) answer
          = coproc_messenger_receive_remaining (messenger, NULL, NULL, &error);

      bench_check (answer != NULL, error);
      bench_touch_payload (answer);
      if (sent < count)
        {
          send_request (messenger, payload);
          sent++;
        }
    }
  return (double) count / (bench_now () - start);
}

/* Bytes, without a GVariant at either end. */
static void
send_bytes_as (CoprocMessenger *messenger, CoprocMessageKind kind)
{
  static const guint8 message[BENCH_SMALL];
  GError *error = NULL;
  gboolean ok = coproc_messenger_send_bytes_full (messenger, message, sizeof message, NULL, kind, INFINITY, NULL, &error);

  bench_check (ok, error);
}

double
in_flight_bytes_host (CoprocMessenger *messenger, long count)
{
  long sent = 0;
  double start = bench_now ();

  for (; sent < BENCH_WINDOW && sent < count; sent++)
    send_bytes_as (messenger, COPROC_MESSAGE_KIND_REQUEST);
  for (long answered = 0; answered < count; answered++)
    {
      bench_drain_bytes (messenger, NULL, 1);
      if (sent < count)
        {
          send_bytes_as (messenger, COPROC_MESSAGE_KIND_REQUEST);
          sent++;
        }
    }
  return (double) count / (bench_now () - start);
}

void
bytes_echo_peer (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      bench_drain_bytes (messenger, NULL, 1);
      send_bytes_as (messenger, COPROC_MESSAGE_KIND_REPLY);
    }
}

/* As many requests in one call as answers have come. */
double
in_flight_batch_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);
  GVariant *payloads[BENCH_WINDOW];
  long n = MIN (BENCH_WINDOW, count), sent = 0, answered = 0;
  double start = bench_now ();

  for (gsize i = 0; i < BENCH_WINDOW; i++)
    payloads[i] = payload;
  while (answered < count)
    {
      GError *error = NULL;
      CoprocMessage **answers;
      gsize n_answers;

      n = MIN (n, count - sent);
      bench_check (coproc_messenger_send_request_multiple (messenger, payloads, (gsize) n, NULL, &error),
                   error);
      sent += n;
      answers = bench_take_messages (messenger, NULL, &n_answers);
      for (gsize i = 0; i < n_answers; i++)
        coproc_message_unref (answers[i]);
      g_free (answers);
      n = (long) n_answers;
      answered += n;
    }
  return (double) count / (bench_now () - start);
}

/* Takes the requests that are there and answers them in one call. */
void
answer_peer (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) answer = bench_new_payload (BENCH_SMALL);
  GVariant *answers[BENCH_WINDOW];

  for (gsize i = 0; i < BENCH_WINDOW; i++)
    answers[i] = answer;
  while (count > 0)
    {
      GError *error = NULL;
      gsize n;
      g_autofree CoprocMessage **requests = bench_take_messages (messenger, NULL, &n);

      bench_check (coproc_messenger_reply_multiple (messenger, requests, n, answers, n, &error), error);
      for (gsize i = 0; i < n; i++)
        coproc_message_unref (requests[i]);
      count -= (long) n;
    }
}
