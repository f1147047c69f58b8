/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "messenger/coproc-channel-private.h"

#include <math.h>

static void
push_message (CoprocChannel *channel, CoprocMessage *message)
{
  CoprocChain chain = { NULL };

  coproc_chain_append (&chain, message);
  coproc_channel_push (channel, &chain, 1);
}

/* The serial tells the messages apart: it is their order of arrival. */
static void
push_kind (CoprocChannel *channel, CoprocFrameKind kind, guint64 serial, double priority)
{
  CoprocFrame frame = {
    .kind = kind,
    .serial = serial,
    .priority = priority,
    .data = "",
  };

  push_message (channel, coproc_message_new_from_frame (NULL, &frame, channel->name));
}

static void
push (CoprocChannel *channel, guint64 serial, double priority)
{
  push_kind (channel, COPROC_FRAME_NOREQUEST, serial, priority);
}

static void
assert_pop (CoprocChannel *channel, guint64 serial)
{
  guint n_queued = channel->n_queued;
  CoprocMessage *next = coproc_channel_peek (channel);
  g_autoptr(CoprocMessage) message = NULL;

  g_assert_cmpuint (channel->n_queued, ==, n_queued);
  message = coproc_channel_pop (channel);
  g_assert_nonnull (message);
  g_assert_true (next == message);
  g_assert_cmpuint (message->serial, ==, serial);
  g_assert_cmpuint (channel->n_queued, ==, n_queued - 1);
}

static void
assert_empty (CoprocChannel *channel)
{
  g_assert_cmpuint (channel->n_queued, ==, 0);
  g_assert_null (coproc_channel_peek (channel));
  g_assert_null (coproc_channel_pop (channel));
  g_assert_cmpuint (channel->n_queued, ==, 0);
}

static void
test_fifo (void)
{
  CoprocChannel *channel = coproc_channel_new ("work", FALSE);

  assert_empty (channel);
  for (guint i = 1; i <= 100; i++)
    push (channel, i, -(double) i);
  for (guint i = 1; i <= 100; i++)
    assert_pop (channel, i);
  assert_empty (channel);
  coproc_channel_free (channel);
}

static void
test_by_priority (void)
{
  CoprocChannel *channel = coproc_channel_new (NULL, TRUE);
  const double priorities[] = { INFINITY, 1, 0.0, -INFINITY, -0.0, 1, INFINITY, -1e300, 0.0 };
  const guint64 order[] = { 4, 8, 3, 5, 9, 2, 6, 1, 7 };

  assert_empty (channel);
  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    push (channel, i + 1, priorities[i]);
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    assert_pop (channel, order[i]);
  assert_empty (channel);
  coproc_channel_free (channel);
}

/* What arrives while the channel is being read takes its place among what is already sorted. */
static void
test_late_arrival (void)
{
  CoprocChannel *channel = coproc_channel_new (NULL, TRUE);

  push (channel, 1, 2);
  push (channel, 2, 4);
  assert_pop (channel, 1);
  push (channel, 3, 4); /* behind 2 */
  push (channel, 4, 3);
  push (channel, 5, 5);
  assert_pop (channel, 4);
  push (channel, 6, 4); /* behind 3 */
  push (channel, 7, 1);
  assert_pop (channel, 7);
  assert_pop (channel, 2);
  assert_pop (channel, 3);
  push (channel, 8, 5); /* behind 5 */
  assert_pop (channel, 6);
  assert_pop (channel, 5);
  push (channel, 9, 0);
  assert_pop (channel, 9);
  assert_pop (channel, 8);
  assert_empty (channel);
  push (channel, 10, 7);
  assert_pop (channel, 10);
  assert_empty (channel);
  coproc_channel_free (channel);
}

static int
compare_expected (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const CoprocMessage *left = a, *right = b;

  if (left->priority != right->priority)
    return left->priority < right->priority ? -1 : 1;
  return left->serial < right->serial ? -1 : left->serial > right->serial;
}

static void
push_chain (CoprocChannel *channel, CoprocChain *chain, guint *n)
{
  if (*n > 0)
    coproc_channel_push (channel, chain, *n);
  *chain = (CoprocChain) { NULL };
  *n = 0;
}

/* Random traffic against a model: a list that is searched for its least element. */
static void
test_model (gconstpointer user_data)
{
  guint n_priorities = GPOINTER_TO_UINT (user_data);
  CoprocChannel *channel = coproc_channel_new ("model", TRUE);
  GSequence *model = g_sequence_new ((GDestroyNotify) coproc_message_unref);
  guint64 serial = 0;

  for (guint round = 0; round < 4000; round++)
    {
      guint n_pushes = g_test_rand_int_range (0, 12), n_pops = g_test_rand_int_range (0, 12);
      CoprocChain chain = { NULL };
      guint n_chained = 0;

      for (guint i = 0; i < n_pushes; i++)
        {
          CoprocFrame frame = {
            .kind = g_test_rand_bit () ? COPROC_FRAME_NOREQUEST : COPROC_FRAME_REPLY,
            .serial = ++serial,
            .priority = g_test_rand_int_range (0, n_priorities),
            .data = "",
          };
          CoprocMessage *message = coproc_message_new_from_frame (NULL, &frame, NULL);

          g_sequence_insert_sorted (model, coproc_message_ref (message), compare_expected, NULL);
          /* chains of different lengths, of one lane each */
          if (chain.first != NULL
              && (coproc_message_is_reply (chain.first) != coproc_message_is_reply (message) || g_test_rand_bit ()))
            push_chain (channel, &chain, &n_chained);
          coproc_chain_append (&chain, message);
          n_chained++;
        }
      push_chain (channel, &chain, &n_chained);
      for (guint i = 0; i < n_pops; i++)
        {
          GSequenceIter *first = g_sequence_get_begin_iter (model);
          g_autoptr(CoprocMessage) message = coproc_channel_pop (channel);

          if (message == NULL)
            {
              g_assert_true (g_sequence_is_empty (model));
              break;
            }
          g_assert_true (g_sequence_get (first) == message);
          g_sequence_remove (first);
          g_assert_cmpuint (channel->n_queued, ==, g_sequence_get_length (model));
        }
    }

  g_sequence_free (model);
  coproc_channel_free (channel); /* with what is left in it */
}

static void
assert_pop_reply (CoprocChannel *channel, guint64 serial)
{
  guint n_queued = channel->n_queued;
  g_autoptr(CoprocMessage) message = coproc_channel_pop_reply (channel);

  g_assert_nonnull (message);
  g_assert_cmpuint (message->serial, ==, serial);
  g_assert_cmpuint (channel->n_queued, ==, n_queued - 1);
}

/* Replies can be had alone; otherwise they have their place among the others. */
static void
test_replies (gconstpointer user_data)
{
  gboolean by_priority = GPOINTER_TO_INT (user_data);
  CoprocChannel *channel = coproc_channel_new (NULL, by_priority);

  g_assert_null (coproc_channel_pop_reply (channel));
  push (channel, 1, 2);
  g_assert_null (coproc_channel_pop_reply (channel));
  push_kind (channel, COPROC_FRAME_REPLY, 2, 2);
  push (channel, 3, 2);
  push_kind (channel, COPROC_FRAME_ERROR_REPLY, 4, 1);
  push_kind (channel, COPROC_FRAME_REPLY, 5, 2);
  push_kind (channel, COPROC_FRAME_REQUEST, 6, 1);
  push_kind (channel, COPROC_FRAME_REPLY, 7, 0);

  assert_pop_reply (channel, by_priority ? 7 : 2);
  assert_pop (channel, by_priority ? 4 : 1);
  assert_pop (channel, by_priority ? 6 : 3);
  assert_pop (channel, by_priority ? 1 : 4);
  assert_pop_reply (channel, by_priority ? 2 : 5);
  assert_pop (channel, by_priority ? 3 : 6);
  assert_pop_reply (channel, by_priority ? 5 : 7);
  g_assert_null (coproc_channel_pop_reply (channel));
  assert_empty (channel);
  coproc_channel_free (channel);
}

/* A level, and the memory of a long queue, is gone when it is empty. */
static void
test_keeps_nothing (void)
{
  CoprocChannel *channel = coproc_channel_new (NULL, TRUE);

  for (guint i = 0; i < 2000; i++)
    push (channel, i, i % 1000);
  coproc_channel_peek (channel);
  for (guint i = 0; i < 2000; i++)
    push (channel, i, i % 1000);
  coproc_channel_peek (channel);
  g_assert_cmpint (g_sequence_get_length (channel->others.levels), ==, 1000);
  while (channel->n_queued > 0)
    coproc_message_unref (coproc_channel_pop (channel));
  g_assert_true (g_sequence_is_empty (channel->others.levels));
  g_assert_null (channel->others.run.first);
  assert_empty (channel);
  coproc_channel_free (channel);
}

static void
test_100000_priorities (void)
{
  const guint n = 100000;
  CoprocChannel *channel = coproc_channel_new (NULL, TRUE);
  double last = -INFINITY, seconds;

  g_test_summary ("100,000 messages of as many priorities are queued, in two halves, and popped in "
                  "order in well under a second");

  g_test_timer_start ();
  for (guint i = 0; i < n; i++)
    {
      push (channel, i, (i * 7919) % n);
      if (i == n / 2)
        coproc_channel_peek (channel);
    }
  for (guint i = 0; i < n; i++)
    {
      g_autoptr(CoprocMessage) message = coproc_channel_pop (channel);

      g_assert_cmpfloat (message->priority, >, last);
      last = message->priority;
    }
  seconds = g_test_timer_elapsed ();

  assert_empty (channel);
  coproc_channel_free (channel);
  if (g_test_perf ())
    {
      g_test_minimized_result (seconds, "%u distinct priorities: %g s", n, seconds);
      g_assert_cmpfloat (seconds, <, 1.0);
    }
}

static void
test_free_with_content (void)
{
  CoprocChannel *fifo = coproc_channel_new ("a", FALSE), *sorted = coproc_channel_new ("b", TRUE);
  CoprocInvocation *invocation;
  CoprocMessage *request;

  for (guint i = 0; i < 10; i++)
    {
      push (fifo, i, 0);
      push (sorted, i, i % 3);
      if (i == 5)
        coproc_message_unref (coproc_channel_pop (sorted));
    }
  request = coproc_channel_pop (fifo);
  invocation = coproc_invocation_new (fifo, request, 2);
  g_queue_push_tail_link (&fifo->unanswered, &invocation->link);
  coproc_message_unref (request);

  coproc_channel_free (fifo);
  coproc_channel_free (sorted);
  g_assert_true (invocation->answered); /* nobody looks for its channel any more */
  g_assert_cmpint (g_atomic_int_get (&invocation->ref_count), ==, 1);
  coproc_invocation_unref (invocation);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/coproc/channel/fifo", test_fifo);
  g_test_add_func ("/coproc/channel/by-priority", test_by_priority);
  g_test_add_func ("/coproc/channel/late-arrival", test_late_arrival);
  g_test_add_data_func ("/coproc/channel/model/4", GUINT_TO_POINTER (4), test_model);
  g_test_add_data_func ("/coproc/channel/model/1000", GUINT_TO_POINTER (1000), test_model);
  g_test_add_data_func ("/coproc/channel/replies/fifo", GINT_TO_POINTER (FALSE), test_replies);
  g_test_add_data_func ("/coproc/channel/replies/by-priority", GINT_TO_POINTER (TRUE), test_replies);
  g_test_add_func ("/coproc/channel/keeps-nothing", test_keeps_nothing);
  g_test_add_func ("/coproc/channel/100000-priorities", test_100000_priorities);
  g_test_add_func ("/coproc/channel/free-with-content", test_free_with_content);

  return g_test_run ();
}
