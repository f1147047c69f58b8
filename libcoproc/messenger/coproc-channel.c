/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What arrives together goes to the end of a GAsyncQueue as one chain, and is taken from the run, a
 * chain in the lane's order. In order of arrival, the next chain becomes the run when that is empty. In
 * order of priority, all that has arrived is moved first: to the end of the run, sorted if nothing else is
 * queued, else, unless it belongs there anyway, into a GSequence of levels, each of which is a queue in
 * order of arrival. All of the run has arrived before any of the levels, so it goes first inside one
 * priority. A level exists only while it has messages: memory follows what is queued.
 *
 * Replies have a lane of their own, so that they can be found among other messages; whichever lane's
 * first message has the lower priority value, or the lower serial, is the channel's next. Serials rise:
 * they are the order of arrival.
 */
#include "coproc-channel-private.h"

#include <math.h>

/* The messages of one priority, in order of arrival; never empty. */
typedef struct
{
  double priority;
  CoprocChain messages;
} CoprocLevel;

CoprocInvocation *
coproc_invocation_new (CoprocChannel *channel, CoprocMessage *request, int n_refs)
{
  CoprocInvocation *self = g_slice_new (CoprocInvocation);

  *self = (CoprocInvocation) {
    .ref_count = n_refs,
    .serial = request->serial,
    .priority = request->priority,
    .channel = channel,
    .link = { .data = self },
  };
  return self;
}

void
coproc_invocation_unref (CoprocInvocation *self)
{
  /* who has the only reference stays alone */
  if (g_atomic_int_get (&self->ref_count) != 1 && !g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_clear_object (&self->cancellable);
  g_slice_free (CoprocInvocation, self);
}

/* --- chains --- */

static CoprocMessage *
chain_pop (CoprocChain *self)
{
  CoprocMessage *message = self->first;

  self->first = message->next;
  return message;
}

void
coproc_chain_free (gpointer first)
{
  CoprocChain chain = { .first = first };

  while (chain.first != NULL)
    coproc_message_unref (chain_pop (&chain));
}

/* Of equals, those of @a go first. */
static CoprocMessage *
merge (CoprocMessage *a, CoprocMessage *b)
{
  CoprocMessage *first, **end = &first;

  while (a != NULL && b != NULL)
    {
      CoprocMessage **lower = a->priority <= b->priority ? &a : &b;

      *end = *lower;
      end = &(*lower)->next;
      *lower = *end;
    }
  *end = a != NULL ? a : b;
  return first;
}

/* Sorts a chain by priority; equals keep their order. */
static void
chain_sort (CoprocChain *self)
{
  CoprocMessage *sorted[32] = { NULL }; /* 2^i messages at place i, those that came first last */
  CoprocMessage *all = NULL;

  while (self->first != NULL)
    {
      CoprocMessage *part = chain_pop (self);
      guint i;

      part->next = NULL;
      for (i = 0; sorted[i] != NULL; i++)
        part = merge (g_steal_pointer (&sorted[i]), part);
      sorted[i] = part;
    }
  for (guint i = 0; i < G_N_ELEMENTS (sorted); i++)
    all = merge (sorted[i], all);

  self->first = self->last = all;
  while (self->last->next != NULL)
    self->last = self->last->next;
}

/* --- lanes --- */

static void
level_free (gpointer data)
{
  CoprocLevel *level = data;

  coproc_chain_free (level->messages.first);
  g_free (level);
}

static void
lane_init (CoprocLane *self)
{
  self->arrived = g_async_queue_new_full (coproc_chain_free);
}

static void
lane_clear (CoprocLane *self)
{
  coproc_chain_free (self->run.first);
  g_clear_pointer (&self->levels, g_sequence_free);
  g_clear_pointer (&self->arrived, g_async_queue_unref);
}

static int
compare_levels (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const CoprocLevel *left = a, *right = b;

  return (left->priority > right->priority) - (left->priority < right->priority);
}

/* Whether a level of @priority is, or would stand, at @iter or directly behind it. */
static gboolean
is_place_of (GSequenceIter *iter, double priority)
{
  CoprocLevel *level = g_sequence_get (iter);
  GSequenceIter *next;

  if (level->priority == priority)
    return TRUE;
  if (level->priority > priority)
    return FALSE;
  next = g_sequence_iter_next (iter);
  return g_sequence_iter_is_end (next)
         || ((CoprocLevel *) g_sequence_get (next))->priority > priority;
}

/* The level of @priority, made if there is none. */
static CoprocLevel *
ensure_level (CoprocLane *self, double priority)
{
  CoprocLevel key = { .priority = priority };
  GSequenceIter *before, *place;
  CoprocLevel *level;

  if (self->levels == NULL)
    self->levels = g_sequence_new (level_free);
  if (self->last_level != NULL && is_place_of (self->last_level, priority))
    {
      before = self->last_level;
      place = g_sequence_iter_next (before);
    }
  else
    {
      place = g_sequence_search (self->levels, &key, compare_levels, NULL);
      before = g_sequence_iter_prev (place);
    }

  /* the iterator before the first is the first itself, or the end of an empty sequence */
  if (!g_sequence_iter_is_end (before))
    {
      level = g_sequence_get (before);
      if (level->priority == priority)
        {
          self->last_level = before;
          return level;
        }
    }

  level = g_new0 (CoprocLevel, 1);
  level->priority = priority;
  self->last_level = g_sequence_insert_before (place, level);
  return level;
}

static gboolean
has_levels (CoprocLane *self)
{
  return self->levels != NULL && !g_sequence_is_empty (self->levels);
}

/* Adds @chain to the levels, but what can go behind the run. */
static void
sort_in (CoprocLane *self, CoprocChain *chain)
{
  gboolean behind_run = !has_levels (self);

  while (chain->first != NULL)
    {
      CoprocMessage *message = chain_pop (chain);

      behind_run = behind_run && message->priority >= self->run.last->priority;
      if (behind_run)
        coproc_chain_append (&self->run, message);
      else
        coproc_chain_append (&ensure_level (self, message->priority)->messages, message);
    }
}

/* Takes all that has arrived as one chain. @is_sorted: (out): it is in order of priority already */
static CoprocChain
take_arrived (CoprocLane *self, gboolean *is_sorted)
{
  CoprocChain all = { NULL };
  CoprocMessage *first;

  *is_sorted = TRUE;
  g_async_queue_lock (self->arrived);
  while ((first = g_async_queue_try_pop_unlocked (self->arrived)) != NULL)
    {
      if (all.first == NULL)
        all.first = first;
      else
        {
          *is_sorted = *is_sorted && all.last->priority <= first->priority;
          all.last->next = first;
        }
      for (all.last = first; all.last->next != NULL; all.last = all.last->next)
        *is_sorted = *is_sorted && all.last->priority <= all.last->next->priority;
    }
  g_async_queue_unlock (self->arrived);
  return all;
}

/* Moves what has arrived to its place. */
static void
sort_arrived (CoprocLane *self)
{
  gboolean is_sorted;
  CoprocChain chain = take_arrived (self, &is_sorted);

  self->unsorted = FALSE;
  if (chain.first == NULL)
    return;
  if (self->run.first != NULL || has_levels (self))
    {
      sort_in (self, &chain);
      return;
    }
  self->run = chain;
  if (!is_sorted)
    chain_sort (&self->run);
}

/* The first level if it goes before the run, else NULL. */
static GSequenceIter *
first_level (CoprocLane *self)
{
  GSequenceIter *first;
  CoprocLevel *level;

  if (!has_levels (self))
    return NULL;

  first = g_sequence_get_begin_iter (self->levels);
  level = g_sequence_get (first);
  return self->run.first != NULL && self->run.first->priority <= level->priority ? NULL : first;
}

/* Where the lane's next message is the first; the lane has any. @place: (out): the level's place, NULL: the run */
static CoprocChain *
next_chain (CoprocLane *self, gboolean by_priority, GSequenceIter **place)
{
  *place = NULL;
  if (by_priority)
    {
      if (self->unsorted)
        sort_arrived (self);
      *place = first_level (self);
    }
  else if (self->run.first == NULL)
    self->run.first = g_async_queue_try_pop (self->arrived);
  return *place != NULL ? &((CoprocLevel *) g_sequence_get (*place))->messages : &self->run;
}

/* Removes a level that has become empty. */
static void
tidy_level (CoprocLane *self, GSequenceIter *place)
{
  if (((CoprocLevel *) g_sequence_get (place))->messages.first != NULL)
    return;
  if (self->last_level == place)
    self->last_level = NULL;
  g_sequence_remove (place);
}

static CoprocMessage *
lane_pop (CoprocLane *self, gboolean by_priority)
{
  GSequenceIter *place;
  CoprocMessage *message = chain_pop (next_chain (self, by_priority, &place));

  self->n_queued--;
  if (place != NULL)
    tidy_level (self, place);
  return message;
}

/* Only for a lane that has messages. */
static CoprocMessage *
lane_peek (CoprocLane *self, gboolean by_priority)
{
  GSequenceIter *place;

  return next_chain (self, by_priority, &place)->first;
}

CoprocChannel *
coproc_channel_new (const char *name, gboolean by_priority)
{
  CoprocChannel *self = g_new0 (CoprocChannel, 1);

  self->name = name != NULL ? g_ref_string_new (name) : NULL;
  self->by_priority = by_priority;
  lane_init (&self->others);
  lane_init (&self->replies);
  g_queue_init (&self->unanswered);
  g_queue_init (&self->receivers);
  return self;
}

void
coproc_channel_free (CoprocChannel *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->unanswered)) != NULL)
    {
      ((CoprocInvocation *) link->data)->answered = TRUE;
      coproc_invocation_unref (link->data);
    }
  lane_clear (&self->others);
  lane_clear (&self->replies);
  g_clear_pointer (&self->name, g_ref_string_release);
  g_free (self);
}

void
coproc_channel_push (CoprocChannel *self, const CoprocChain *chain, guint n)
{
  CoprocLane *lane = coproc_message_is_reply (chain->first) ? &self->replies : &self->others;

  self->n_queued += n;
  lane->n_queued += n;
  lane->unsorted = TRUE;
  g_async_queue_push (lane->arrived, chain->first);
}

/* The lane that has the channel's next message; one of them must have any. */
static CoprocLane *
next_lane (CoprocChannel *self)
{
  const CoprocMessage *other, *reply;

  if (self->replies.n_queued == 0)
    return &self->others;
  if (self->others.n_queued == 0)
    return &self->replies;

  other = lane_peek (&self->others, self->by_priority);
  reply = lane_peek (&self->replies, self->by_priority);
  if (self->by_priority && other->priority != reply->priority)
    return other->priority < reply->priority ? &self->others : &self->replies;
  return other->serial < reply->serial ? &self->others : &self->replies;
}

CoprocMessage *
coproc_channel_pop (CoprocChannel *self)
{
  if (self->n_queued == 0)
    return NULL;

  self->n_queued--;
  return lane_pop (next_lane (self), self->by_priority);
}

guint
coproc_channel_pop_run (CoprocChannel *self, CoprocMessage **messages, guint max)
{
  CoprocLane *lane = self->n_queued > 0 ? next_lane (self) : NULL;
  GSequenceIter *place;
  CoprocMessage *first;
  CoprocChain *chain;
  guint n = 0;

  if (lane == NULL)
    return 0;
  chain = next_chain (lane, self->by_priority, &place);
  if (place != NULL || has_levels (lane) || lane->n_queued < self->n_queued)
    max = 1;
  while (n < max && (first = chain->first) != NULL && first->kind != COPROC_FRAME_ERROR_REPLY)
    {
      messages[n++] = first;
      chain->first = first->next;
    }
  self->n_queued -= n;
  lane->n_queued -= n;
  if (place != NULL)
    tidy_level (lane, place);
  return n;
}

CoprocMessage *
coproc_channel_pop_reply (CoprocChannel *self)
{
  if (self->replies.n_queued == 0)
    return NULL;

  self->n_queued--;
  return lane_pop (&self->replies, self->by_priority);
}

CoprocMessage *
coproc_channel_peek (CoprocChannel *self)
{
  return self->n_queued > 0 ? lane_peek (next_lane (self), self->by_priority) : NULL;
}
