/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Whether a peer lives that neither speaks nor ends.
 */
#include "coproc-test.h"

#include <fcntl.h>
#include <unistd.h>

#include "messenger/coproc-endpoint-private.h"

#define INTERVAL_US 5000
#define LIMIT_US 100000

static void
on_silence (gpointer user_data)
{
  g_atomic_int_inc ((int *) user_data);
}

static void
watch (CoprocMessenger *messenger, CoprocHeartMode mode, int *n_silent)
{
  coproc_messenger_set_heartbeat (messenger, INTERVAL_US, LIMIT_US, mode, on_silence, n_silent, NULL);
}

static guint64
count_frames (CoprocMessenger *messenger)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (messenger);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&endpoint->read_lock);

  return endpoint->n_frames;
}

/* When the next @n looks of the background will be over. */
static void
await_looks (CoprocMessenger *messenger, guint n)
{
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (messenger);

  for (guint i = 0; i < n; i++)
    {
      gint64 next, now_next;

      g_mutex_lock (&endpoint->lock);
      next = now_next = endpoint->heart.next;
      g_mutex_unlock (&endpoint->lock);
      while (now_next == next)
        {
          coproc_test_turn (coproc_test_deadline (60000), "a look");
          g_mutex_lock (&endpoint->lock);
          now_next = endpoint->heart.next;
          g_mutex_unlock (&endpoint->lock);
        }
    }
}

/* A peer whose program does nothing answers all the same. */
static void
test_answered (void)
{
  CoprocMessenger *one, *other;
  int n_silent = 0;
  guint64 n_frames;

  coproc_test_new_pair (COPROC_TYPE_MESSENGER, &one, &other);
  g_object_set (other, "max-queued-messages", 2, NULL);
  watch (one, COPROC_HEART_ASKS, &n_silent);
  n_frames = count_frames (one);
  coproc_test_until (count_frames (one) >= n_frames + 2 * LIMIT_US / INTERVAL_US);
  g_assert_cmpint (g_atomic_int_get (&n_silent), ==, 0);
  coproc_messenger_set_heartbeat (one, 0, 0, COPROC_HEART_LISTENS, NULL, NULL, NULL);
  coproc_test_finalize_pair (one, other);
}

/* A pipe to a messenger whose other end is the caller's. */
static CoprocMessenger *
new_half (int *to_it, int *from_it)
{
  CoprocMessenger *messenger;
  int in[2], out[2];

  g_assert_true (coproc_unix_pipe (in, NULL) && coproc_unix_pipe (out, NULL));
  messenger = coproc_messenger_new_for_fds (COPROC_TYPE_MESSENGER, in[0], out[1], NULL);
  g_assert_nonnull (messenger);
  *to_it = in[1];
  *from_it = out[0];
  return messenger;
}

/* One that was never heard is waited for; once it has spoken its silence is told, once. */
static void
test_silent (void)
{
  int to_it, from_it, n_silent = 0;
  CoprocMessenger *messenger = new_half (&to_it, &from_it);

  watch (messenger, COPROC_HEART_ASKS, &n_silent);
  await_looks (messenger, 2 * LIMIT_US / INTERVAL_US);
  g_assert_cmpint (g_atomic_int_get (&n_silent), ==, 0);

  /* half a header is a sign of life */
  g_assert_cmpint (write (to_it, "\50\0\0\0", 4), ==, 4);
  coproc_test_until (g_atomic_int_get (&n_silent) > 0);
  g_assert_false (coproc_messenger_get_closed (messenger));

  close (to_it);
  close (from_it);
  coproc_test_finalize (messenger);
  g_assert_cmpint (n_silent, ==, 1);
}

/* Without pings the silence counts from the beginning: a host must greet. */
static void
test_listens (void)
{
  int to_it, from_it, n_silent = 0;
  CoprocMessenger *messenger = new_half (&to_it, &from_it);
  const gint64 start = g_get_monotonic_time ();

  watch (messenger, COPROC_HEART_LISTENS, &n_silent);
  coproc_test_until (g_atomic_int_get (&n_silent) > 0);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, LIMIT_US);
  close (to_it);
  close (from_it);
  coproc_test_finalize (messenger);
}

/* Who does not read, because its queues are full, hears nothing and judges nobody. */
static void
test_stalled (void)
{
  CoprocMessenger *one, *other;
  int n_silent = 0;

  coproc_test_new_pair (COPROC_TYPE_MESSENGER, &one, &other);
  g_object_set (one, "max-queued-messages", 2, NULL);
  for (guint i = 0; i < 5; i++)
    g_assert_true (coproc_messenger_send_norequest (other, g_variant_new_uint32 (i), NULL, NULL));
  coproc_test_until (coproc_messenger_queue_size (one, NULL) == 2);
  watch (one, COPROC_HEART_LISTENS, &n_silent);
  await_looks (one, 2 * LIMIT_US / INTERVAL_US);
  g_assert_cmpint (g_atomic_int_get (&n_silent), ==, 0);

  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (GVariant) payload = coproc_messenger_receive_blocking (one, NULL, NULL, NULL);

      g_assert_cmpuint (g_variant_get_uint32 (payload), ==, i);
    }
  coproc_test_until (g_atomic_int_get (&n_silent) == 1);
  coproc_test_finalize_pair (one, other);
}

/* So it must speak without being asked. */
static void
test_tells (void)
{
  CoprocMessenger *one, *other;
  int n_silent = 0;

  coproc_test_new_pair (COPROC_TYPE_MESSENGER, &one, &other);
  g_object_set (other, "max-queued-messages", 2, NULL);
  coproc_messenger_set_heartbeat (other, INTERVAL_US, LIMIT_US, COPROC_HEART_TELLS, NULL, NULL, NULL);
  watch (one, COPROC_HEART_ASKS, &n_silent);
  for (guint i = 0; i < 5; i++)
    g_assert_true (coproc_messenger_send_norequest (one, g_variant_new_uint32 (i), NULL, NULL));
  coproc_test_until (coproc_messenger_queue_size (other, NULL) == 2);
  await_looks (one, 3 * LIMIT_US / INTERVAL_US);
  g_assert_cmpint (g_atomic_int_get (&n_silent), ==, 0);

  coproc_messenger_set_heartbeat (other, 0, 0, COPROC_HEART_LISTENS, NULL, NULL, NULL);
  coproc_test_until (g_atomic_int_get (&n_silent) == 1);
  coproc_test_finalize_pair (one, other);
}

/* Pings are not answered into an output that nobody reads. */
static void
test_bounded (void)
{
  int to_it, from_it;
  CoprocMessenger *messenger = new_half (&to_it, &from_it);
  CoprocEndpoint *endpoint = coproc_messenger_get_endpoint (messenger);
  const CoprocFrameHeader ping
      = { .length = COPROC_FRAME_HEADER_SIZE, .version = COPROC_WIRE_VERSION, .kind = COPROC_FRAME_PING };
  guint8 bytes[COPROC_FRAME_HEADER_SIZE];
  const guint n_pings = 20000;

  coproc_frame_header_write (&ping, bytes);
  for (guint i = 0; i < n_pings; i++)
    g_assert_cmpint (write (to_it, bytes, sizeof bytes), ==, sizeof bytes);
  coproc_test_until (count_frames (messenger) == n_pings);
  g_mutex_lock (&endpoint->write_lock);
  g_assert_cmpuint (endpoint->transport->n_unsent, <=, COPROC_FRAME_HEADER_SIZE);
  g_mutex_unlock (&endpoint->write_lock);
  close (to_it);
  close (from_it);
  coproc_test_finalize (messenger);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  coproc_test_add ("/coproc/heartbeat/answered", test_answered);
  coproc_test_add ("/coproc/heartbeat/silent", test_silent);
  coproc_test_add ("/coproc/heartbeat/listens", test_listens);
  coproc_test_add ("/coproc/heartbeat/stalled", test_stalled);
  coproc_test_add ("/coproc/heartbeat/tells", test_tells);
  coproc_test_add ("/coproc/heartbeat/bounded", test_bounded);
  return g_test_run ();
}
