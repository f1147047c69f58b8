/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The exchanges, with messengers at both ends.
 */
#include "bench-exchange.h"

#define BENCH_QUEUE 100000 /* messages queued on the priority channel */

void
bench_check (gboolean ok, GError *error)
{
  if (!ok)
    {
      fprintf (stderr, "bench-coproc: %s\n", error != NULL ? error->message : "no error set");
      exit (1);
    }
}

void
bench_touch_payload (GVariant *payload)
{
  bench_touch (g_variant_get_data (payload), g_variant_get_size (payload));
}

GVariant *
bench_new_payload (gsize size)
{
  gpointer data = g_malloc0 (size);

  return g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE,
                                                      g_free, data));
}

void
bench_send_small (CoprocMessenger *messenger)
{
  static const guint8 message[BENCH_SMALL];
  GError *error = NULL;
  gboolean ok = coproc_messenger_send_bytes (messenger, message, sizeof message, NULL, &error);

  bench_check (ok, error);
}

/* --- receivers, in the forms that the interface has --- */

void
bench_drain_blocking (CoprocMessenger *messenger, const char *channel, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) payload
          = coproc_messenger_receive_blocking (messenger, channel, NULL, &error);

      bench_check (payload != NULL, error);
      bench_touch_payload (payload);
    }
}

/* Without a GVariant for each message. */
void
bench_drain_bytes (CoprocMessenger *messenger, const char *channel, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, channel, -1, NULL, &error);
      const guint8 *data;
      gsize size;

      bench_check (message != NULL, error);
      data = coproc_message_get_data (message, &size);
      bench_touch (data, size);
    }
}

void
bench_drain_available (CoprocMessenger *messenger, const char *channel, long count)
{
  while (count > 0)
    {
      GError *error = NULL;
      GVariant **payloads;
      gsize n_payloads = 0;

      bench_check (coproc_messenger_await_available (messenger, -1, NULL, &error), error);
      payloads = coproc_messenger_receive_available (messenger, channel, &n_payloads, &error);
      bench_check (payloads != NULL, error);
      for (gsize i = 0; i < n_payloads; i++)
        {
          bench_touch_payload (payloads[i]);
          g_variant_unref (payloads[i]);
        }
      g_free (payloads);
      count -= (long) n_payloads;
    }
}

CoprocMessage **
bench_take_messages (CoprocMessenger *messenger, const char *channel, gsize *n)
{
  GError *error = NULL;
  CoprocMessage **messages = coproc_messenger_receive_messages (messenger, channel, 0, -1, NULL, n, &error);

  bench_check (messages != NULL, error);
  for (gsize i = 0; i < *n; i++)
    {
      gsize size;
      const guint8 *data = coproc_message_get_data (messages[i], &size);

      bench_touch (data, size);
    }
  return messages;
}

void
bench_drain_messages (CoprocMessenger *messenger, const char *channel, long count)
{
  while (count > 0)
    {
      gsize n;
      g_autofree CoprocMessage **messages = bench_take_messages (messenger, channel, &n);

      for (gsize i = 0; i < n; i++)
        coproc_message_unref (messages[i]);
      count -= (long) n;
    }
}

/* --- round trips --- */

static double
ping_pong (CoprocMessenger *messenger, long count, BenchDrain drain)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      bench_send_small (messenger);
      drain (messenger, NULL, 1);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

static void
pong (CoprocMessenger *messenger, long count, BenchDrain drain)
{
  for (long i = 0; i < count; i++)
    {
      drain (messenger, NULL, 1);
      bench_send_small (messenger);
    }
}

double
ping_pong_host (CoprocMessenger *messenger, long count)
{
  return ping_pong (messenger, count, bench_drain_blocking);
}

void
ping_pong_peer (CoprocMessenger *messenger, long count)
{
  pong (messenger, count, bench_drain_blocking);
}

/* The same without a GVariant. */
double
bytes_ping_pong_host (CoprocMessenger *messenger, long count)
{
  return ping_pong (messenger, count, bench_drain_bytes);
}

void
bytes_ping_pong_peer (CoprocMessenger *messenger, long count)
{
  pong (messenger, count, bench_drain_bytes);
}

/* The same with waits that sleep at once, as a plain read() does. */
double
sleeping_host (CoprocMessenger *messenger, long count)
{
  g_object_set (messenger, "spin-time", 0, NULL);
  return ping_pong_host (messenger, count);
}

void
sleeping_peer (CoprocMessenger *messenger, long count)
{
  g_object_set (messenger, "spin-time", 0, NULL);
  ping_pong_peer (messenger, count);
}

double
call_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (GVariant) answer
          = coproc_messenger_call (messenger, payload, NULL, -1, NULL, &error);

      bench_check (answer != NULL, error);
      bench_touch_payload (answer);
    }
  return (bench_now () - start) * 1e6 / (double) count;
}

void
echo_peer (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, NULL, -1, NULL, &error);
      GVariant *payload;

      bench_check (message != NULL, error);
      payload = coproc_message_get_payload (message);
      bench_touch_payload (payload);
      bench_check (coproc_messenger_reply (messenger, message, payload, &error), error);
    }
}

/* --- one way: the peer tells when it has got everything --- */

static double
await_done (CoprocMessenger *messenger, double start, double amount)
{
  bench_drain_blocking (messenger, NULL, 1);
  return amount / (bench_now () - start);
}

double
send_bytes_host (CoprocMessenger *messenger, long count)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    bench_send_small (messenger);
  return await_done (messenger, start, (double) count);
}

static double
norequest_host (CoprocMessenger *messenger, GVariant *payload, long count)
{
  double start = bench_now ();

  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;

      bench_check (coproc_messenger_send_norequest (messenger, payload, NULL, &error), error);
    }
  return await_done (messenger, start, (double) count);
}

double
send_variant_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);

  return norequest_host (messenger, payload, count);
}

double
large_host (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_LARGE);

  return norequest_host (messenger, payload, count) * BENCH_LARGE / (1 << 20);
}

/* --- other sizes: copied once (MiB/s), or in place, where only the first bytes are written and read (1/s) --- */

static double
copied_host (CoprocMessenger *messenger, long count, gsize size)
{
  g_autoptr (GVariant) payload = bench_new_payload (size);

  return norequest_host (messenger, payload, count) * (double) size / (1 << 20);
}

double
large_64_kib_host (CoprocMessenger *messenger, long count)
{
  return copied_host (messenger, count, 64 << 10);
}

double
large_16_mib_host (CoprocMessenger *messenger, long count)
{
  return copied_host (messenger, count, 16 << 20);
}

static double
in_place_host (CoprocMessenger *messenger, long count, gsize size)
{
  const double start = bench_now ();
  GError *error = NULL;

  for (long i = 0; i < count; i++)
    {
      GBytes *bytes = coproc_messenger_alloc_bytes (messenger, size, &error);
      guint8 *data;

      bench_check (bytes != NULL, error);
      data = (guint8 *) g_bytes_get_data (bytes, NULL);
      memset (data, (int) i, 64);
      bench_check (coproc_messenger_send_bytes (messenger, data, size, NULL, &error), error);
      g_bytes_unref (bytes);
    }
  return await_done (messenger, start, (double) count);
}

double
in_place_64_kib_host (CoprocMessenger *messenger, long count)
{
  return in_place_host (messenger, count, 64 << 10);
}

double
in_place_1_mib_host (CoprocMessenger *messenger, long count)
{
  return in_place_host (messenger, count, 1 << 20);
}

double
in_place_16_mib_host (CoprocMessenger *messenger, long count)
{
  return in_place_host (messenger, count, 16 << 20);
}

void
first_byte_peer (CoprocMessenger *messenger, long count)
{
  for (long i = 0; i < count; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message = coproc_messenger_receive_message (messenger, NULL, -1, NULL, &error);

      bench_check (message != NULL, error);
      bench_touch (g_bytes_get_data (coproc_message_get_bytes (message), NULL), 1);
    }
  bench_send_small (messenger);
}

void
blocking_peer (CoprocMessenger *messenger, long count)
{
  bench_drain_blocking (messenger, NULL, count);
  bench_send_small (messenger);
}

void
bytes_peer (CoprocMessenger *messenger, long count)
{
  bench_drain_bytes (messenger, NULL, count);
  bench_send_small (messenger);
}

void
messages_peer (CoprocMessenger *messenger, long count)
{
  bench_drain_messages (messenger, NULL, count);
  bench_send_small (messenger);
}

void
available_peer (CoprocMessenger *messenger, long count)
{
  bench_drain_available (messenger, NULL, count);
  bench_send_small (messenger);
}

/* --- priorities: the peer fills the queue, then the clock runs for the receives; count is that of
 * different priorities --- */

double
priority_host (CoprocMessenger *messenger, long count)
{
  double start, taken;
  double last = -1;

  g_object_set (messenger, "max-queued-messages", (guint) BENCH_QUEUE + 1, NULL);
  bench_send_small (messenger);
  while (coproc_messenger_available (messenger, "queue", NULL) < BENCH_QUEUE)
    sched_yield ();
  start = bench_now ();
  for (long i = 0; i < BENCH_QUEUE; i++)
    {
      GError *error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_message (messenger, "queue", 0, NULL, &error);

      bench_check (message != NULL, error);
      if (coproc_message_get_priority (message) < last)
        {
          fprintf (stderr, "bench-coproc: a message came before a more urgent one\n");
          exit (1);
        }
      last = coproc_message_get_priority (message);
    }
  taken = bench_now () - start;
  return BENCH_QUEUE / taken;
}

void
priority_peer (CoprocMessenger *messenger, long count)
{
  g_autoptr (GVariant) payload = bench_new_payload (BENCH_SMALL);
  guint64 state = 1;

  bench_drain_blocking (messenger, NULL, 1);
  for (long i = 0; i < BENCH_QUEUE; i++)
    {
      g_autoptr (CoprocMessage) message = NULL;
      GError *error = NULL;

      /* Any odd step through a power of two gives each value once. */
      state = (state + 77951) & 0x1ffff;
      message = coproc_message_new_full (payload, "queue", (double) (state % (guint64) count));
      bench_check (coproc_messenger_send_message (messenger, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                            &error),
             error);
    }
}
