/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-transport-private.h"

#include <poll.h>
#include <string.h>

#include "coproc-error.h"
#include "wire/coproc-crate-private.h"

#define BIG (40 << 20)

static void
new_pair (CoprocTransportLink **one, CoprocTransportLink **other)
{
  g_autoptr(GError) error = NULL;

  g_assert_true (coproc_memory_transport_new_pair (one, other, &error));
  g_assert_no_error (error);
  /* both rely on their input fds */
  (*one)->ops->set_poller (*one, COPROC_POLLER_BACKGROUND, TRUE);
  (*other)->ops->set_poller (*other, COPROC_POLLER_BACKGROUND, TRUE);
}

static void
free_pair (CoprocTransportLink *one, CoprocTransportLink *other)
{
  one->ops->free (one);
  other->ops->free (other);
}

static gboolean
is_readable (int fd)
{
  struct pollfd pollfd = { .fd = fd, .events = POLLIN };

  return poll (&pollfd, 1, 0) == 1;
}

static void
queue_variant (CoprocTransportLink *link, guint64 serial, GVariant *payload)
{
  const CoprocFrame frame = {
    .kind = COPROC_FRAME_NOREQUEST,
    .serial = serial,
    .type = g_variant_get_type (payload),
    .data = g_variant_get_data (payload),
    .size = g_variant_get_size (payload),
    .variant = payload,
  };

  link->ops->queue (link, &frame);
}

/* The next frame's variant must be @payload itself. */
static void
assert_received (CoprocTransportLink *link, guint64 serial, GVariant *payload)
{
  g_autoptr(GError) error = NULL;
  gsize budget = COPROC_RECEIVE_BUDGET;
  CoprocFrame frame = { 0 };

  g_assert_cmpint (link->ops->receive (link, &budget, &frame, &error), ==, COPROC_RECEIVE_FRAME);
  g_assert_no_error (error);
  g_assert_cmpuint (frame.serial, ==, serial);
  g_assert_true (frame.variant == payload);
  g_variant_unref (frame.variant);
}

static void
assert_nothing (CoprocTransportLink *link, CoprocReceiveResult expected)
{
  g_autoptr(GError) error = NULL;
  gsize budget = COPROC_RECEIVE_BUDGET;
  CoprocFrame frame = { 0 };

  g_assert_cmpint (link->ops->receive (link, &budget, &frame, &error), ==, expected);
  g_assert_no_error (error);
}

static void
test_by_reference (void)
{
  static const char text[] = "never copied";
  g_autoptr(GBytes) bytes = g_bytes_new_static (text, sizeof text);
  g_autoptr(GVariant) payload
      = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  g_autoptr(GBytes) seen = NULL;
  CoprocTransportLink *one, *other;

  new_pair (&one, &other);
  g_assert_false (is_readable (other->ops->get_input_fd (other)));
  queue_variant (one, 1, payload);
  queue_variant (one, 2, payload);
  g_assert_cmpuint (one->n_unsent, >, 0);
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_DONE);
  g_assert_cmpuint (one->n_unsent, ==, 0);

  g_assert_true (is_readable (other->ops->get_input_fd (other)));
  assert_received (other, 1, payload);
  assert_received (other, 2, payload);
  assert_nothing (other, COPROC_RECEIVE_AGAIN);
  g_assert_false (is_readable (other->ops->get_input_fd (other)));

  seen = g_variant_get_data_as_bytes (payload);
  g_assert_true (seen == bytes);
  free_pair (one, other);
}

/* What has no GVariant is copied: its owner is the caller. */
static void
test_copied (void)
{
  char text[] = "name";
  CoprocFrame frame = { .kind = COPROC_FRAME_CHANNEL, .channel = 1, .data = text, .size = 4 };
  CoprocTransportLink *one, *other;
  gsize budget = COPROC_RECEIVE_BUDGET;

  new_pair (&one, &other);
  one->ops->queue (one, &frame);
  memset (text, 'x', sizeof text);
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_DONE);
  g_assert_cmpint (other->ops->receive (other, &budget, &frame, NULL), ==, COPROC_RECEIVE_FRAME);
  g_assert_cmpmem (frame.data, frame.size, "name", 4);
  g_assert_null (frame.variant);
  free_pair (one, other);
}

static void
queue_bytes (CoprocTransportLink *link, guint64 serial, gconstpointer data, gsize size)
{
  const CoprocFrame frame
      = { .kind = COPROC_FRAME_NOREQUEST, .serial = serial, .type = COPROC_RAW_TYPE, .data = data, .size = size };

  link->ops->queue (link, &frame);
  g_assert_cmpint (link->ops->flush (link, NULL), ==, COPROC_FLUSH_DONE);
}

/* The next frame's bytes must be @expected. (transfer full) what they lie in */
static CoprocSlab *
receive_bytes (CoprocTransportLink *link, gconstpointer expected, gsize size)
{
  gsize budget = COPROC_RECEIVE_BUDGET;
  CoprocFrame frame = { 0 };

  g_assert_cmpint (link->ops->receive (link, &budget, &frame, NULL), ==, COPROC_RECEIVE_FRAME);
  g_assert_cmpmem (frame.data, frame.size, expected, size);
  g_assert_cmpuint ((guintptr) frame.data % 8, ==, 0);
  g_assert_nonnull (frame.slab);
  return coproc_slab_ref (frame.slab);
}

/* Large ones lie in memory that the receiver may keep, and that is filled again when it does not. */
static void
test_slabs (void)
{
  const gsize size = COPROC_SLAB_SIZE / 2, large = 3 * COPROC_SLAB_SIZE;
  g_autofree guint8 *bytes = g_malloc (large);
  g_autoptr (CoprocSlab) kept = NULL;
  g_autoptr (GHashTable) slabs = g_hash_table_new (NULL, NULL);
  CoprocTransportLink *one, *other;

  new_pair (&one, &other);
  for (guint i = 1; i <= 100; i++)
    {
      g_autoptr (CoprocSlab) slab = NULL;

      memset (bytes, (int) i, size);
      queue_bytes (one, i, bytes, size);
      slab = receive_bytes (other, bytes, size);
      g_hash_table_add (slabs, slab);
      if (i == 1)
        kept = coproc_slab_ref (slab);
    }
  g_assert_cmpuint (g_hash_table_size (slabs), <=, 3);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpuint (kept->data[i], ==, 1);

  g_clear_pointer (&kept, coproc_slab_unref);
  memset (bytes, 7, large);
  queue_bytes (one, 101, bytes, large);
  kept = receive_bytes (other, bytes, large);
  free_pair (one, other);
  g_assert_cmpmem (kept->data, kept->size, bytes, large);
}

/* One that is never empty takes no more memory than what is in it at a time. */
static void
test_crate (void)
{
  static const guint8 bytes[512];
  const guint n_ahead = 20;
  CoprocFrame frame = { .kind = COPROC_FRAME_NOREQUEST, .data = bytes, .size = sizeof bytes };
  CoprocCrate crate = { 0 };

  for (guint64 i = 1; i <= 100 * n_ahead; i++)
    {
      CoprocFrame first;

      frame.serial = i;
      coproc_crate_add (&crate, &frame);
      if (i <= n_ahead)
        continue;
      coproc_crate_take (&crate, &first);
      g_assert_cmpuint (first.serial, ==, i - n_ahead);
      g_assert_cmpmem (first.data, first.size, bytes, sizeof bytes);
    }
  g_assert_cmpuint (crate.size, ==, n_ahead * (sizeof frame + sizeof bytes));
  g_assert_cmpuint (crate.capacity, <=, 4 * crate.size);
  coproc_crate_clear (&crate, NULL);
  g_assert_true (coproc_crate_is_empty (&crate));
}

/* Beyond its capacity a direction takes nothing until the reader has made room, and says when. */
static void
test_room (void)
{
  g_autoptr(GBytes) bytes = g_bytes_new_take (g_malloc0 (BIG), BIG);
  g_autoptr(GVariant) payload
      = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  CoprocTransportLink *one, *other;
  int room;

  new_pair (&one, &other);
  room = one->ops->get_output_fd (one);
  g_assert_cmpint (one->output_condition, ==, G_IO_IN);
  for (guint i = 1; i <= 4; i++)
    queue_variant (one, i, payload);
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_AGAIN);
  g_assert_cmpuint (one->n_unsent, >, 2 * BIG);
  g_assert_cmpuint (one->n_unsent, <, 3 * BIG);

  g_assert_false (is_readable (room));
  assert_received (other, 1, payload); /* what there is is taken at once */
  g_assert_true (is_readable (room));
  assert_received (other, 2, payload);
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_DONE);
  g_assert_false (is_readable (room));
  assert_received (other, 3, payload);
  assert_received (other, 4, payload);
  assert_nothing (other, COPROC_RECEIVE_AGAIN);
  free_pair (one, other);
}

/* The fd tells of input only to who has said that he polls it. */
static void
test_poller (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_string ("text"));
  CoprocTransportLink *one, *other;
  int fd;

  new_pair (&one, &other);
  fd = other->ops->get_input_fd (other);
  g_assert_true (other->ops->set_poller (other, COPROC_POLLER_BACKGROUND, FALSE));
  queue_variant (one, 1, payload);
  g_assert_false (other->ops->has_input (other));
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_DONE);
  g_assert_true (other->ops->has_input (other));
  g_assert_false (is_readable (fd));
  g_assert_true (other->ops->set_poller (other, COPROC_POLLER_BACKGROUND, FALSE)); /* which is nothing to who does not poll */
  g_assert_false (other->ops->set_poller (other, COPROC_POLLER_WATCH, TRUE)); /* there is something already */
  g_assert_true (is_readable (fd));
  assert_received (other, 1, payload);
  assert_nothing (other, COPROC_RECEIVE_AGAIN);
  g_assert_false (other->ops->has_input (other));
  g_assert_false (is_readable (fd));
  free_pair (one, other);
}

/* A frame counts for all the memory that it takes: a flood of small ones is bounded, too. */
static void
test_small (void)
{
  const guint n_frames = 10000;
  const CoprocFrame frame = { .kind = COPROC_FRAME_NOREQUEST, .type = COPROC_RAW_TYPE, .data = "x", .size = 1 };
  CoprocTransportLink *one, *other;

  new_pair (&one, &other);
  for (guint i = 0; i < n_frames; i++)
    one->ops->queue (one, &frame);
  g_assert_cmpuint (one->n_unsent, >, n_frames * sizeof (CoprocFrame));
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_AGAIN);
  free_pair (one, other);
}

static void
test_end (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_string ("last words"));
  CoprocTransportLink *one, *other;

  new_pair (&one, &other);
  queue_variant (one, 1, payload);
  g_assert_cmpint (one->ops->flush (one, NULL), ==, COPROC_FLUSH_DONE);
  one->ops->shut_output (one);

  assert_received (other, 1, payload);
  assert_nothing (other, COPROC_RECEIVE_END);
  assert_nothing (other, COPROC_RECEIVE_END);
  g_assert_true (is_readable (other->ops->get_input_fd (other)));
  free_pair (one, other);
}

static void
test_reader_gone (void)
{
  g_autoptr(GVariant) payload = g_variant_ref_sink (g_variant_new_string ("to nobody"));
  g_autoptr(GError) error = NULL;
  CoprocTransportLink *one, *other;
  gboolean unread;

  new_pair (&one, &other);
  g_assert_false (one->ops->probe (one, &unread));
  other->ops->shut_input (other);
  g_assert_true (one->ops->probe (one, &unread));
  queue_variant (one, 1, payload);
  g_assert_cmpint (one->ops->flush (one, &error), ==, COPROC_FLUSH_FAILED);
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_CLOSED);
  free_pair (one, other);
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

/* What is given up is not dropped by the transport, whose caller holds a lock. */
static void
test_spent (void)
{
  GVariant *payload;
  CoprocTransportLink *one, *other;
  int n_freed = 0;

  new_pair (&one, &other);
  payload = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, "x", 1, TRUE, count, &n_freed));
  queue_variant (one, 1, payload);
  g_variant_unref (payload);
  one->ops->shut_output (one);
  g_assert_cmpuint (one->n_unsent, ==, 0);
  g_assert_cmpint (n_freed, ==, 0);
  g_assert_cmpuint (one->spent->len, ==, 1);
  free_pair (one, other);
  g_assert_cmpint (n_freed, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/memory-transport/by-reference", test_by_reference);
  g_test_add_func ("/coproc/memory-transport/copied", test_copied);
  g_test_add_func ("/coproc/memory-transport/slabs", test_slabs);
  g_test_add_func ("/coproc/memory-transport/crate", test_crate);
  g_test_add_func ("/coproc/memory-transport/room", test_room);
  g_test_add_func ("/coproc/memory-transport/poller", test_poller);
  g_test_add_func ("/coproc/memory-transport/small", test_small);
  g_test_add_func ("/coproc/memory-transport/end", test_end);
  g_test_add_func ("/coproc/memory-transport/reader-gone", test_reader_gone);
  g_test_add_func ("/coproc/memory-transport/spent", test_spent);

  return g_test_run ();
}
