/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What arrives goes to the end of a GAsyncQueue. In order of arrival, messages are popped from its
 * head. In order of priority, all that has arrived is moved first: into a run, an array that is sorted
 * once, when nothing else is queued, else into a GSequence of levels, each of which is a queue in order
 * of arrival. All of a run has arrived before any of the levels, so it goes first inside one priority.
 * A level exists only while it has messages: memory follows what is queued.
 *
 * Replies have a lane of their own, so that they can be found among other messages; whichever lane's
 * first message has the lower priority value, or the lower serial, is the channel's next. Serials rise:
 * they are the order of arrival.
 */
#include "coproc-channel-private.h"

#include <math.h>

/* The messages of one priority; never empty. */
typedef struct
{
  double priority;
  GQueue messages; /* CoprocMessage, in order of arrival */
} CoprocLevel;

typedef struct
{
  double priority;
  CoprocMessage *message; /* (owned) */
} CoprocRunEntry;

#define RUN_ENTRY(self, i) (&g_array_index ((self)->run, CoprocRunEntry, (i)))
#define MAX_IDLE_RUN 256 /* entries that an empty run may keep allocated */

CoprocInvocation *
coproc_invocation_new (CoprocMessage *request)
{
  CoprocInvocation *self = g_slice_new0 (CoprocInvocation);

  g_atomic_ref_count_init (&self->ref_count);
  self->serial = request->serial;
  self->priority = request->priority;
  self->channel = request->channel != NULL ? g_ref_string_acquire (request->channel) : NULL;
  self->link.data = self;
  return self;
}

CoprocInvocation *
coproc_invocation_ref (CoprocInvocation *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_invocation_unref (CoprocInvocation *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->channel, g_ref_string_release);
  g_clear_object (&self->cancellable);
  g_slice_free (CoprocInvocation, self);
}

static void
level_free (gpointer data)
{
  CoprocLevel *level = data;

  g_queue_clear_full (&level->messages, (GDestroyNotify) coproc_message_unref);
  g_free (level);
}

static void
lane_init (CoprocLane *self)
{
  self->arrived = g_async_queue_new_full ((GDestroyNotify) coproc_message_unref);
}

static void
lane_clear (CoprocLane *self)
{
  if (self->run != NULL)
    for (guint i = self->run_next; i < self->run->len; i++)
      coproc_message_unref (RUN_ENTRY (self, i)->message);
  g_clear_pointer (&self->run, g_array_unref);
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
  g_queue_init (&level->messages);
  self->last_level = g_sequence_insert_before (place, level);
  return level;
}

static int
compare_run_entries (gconstpointer a, gconstpointer b)
{
  const CoprocRunEntry *left = a, *right = b;

  return (left->priority > right->priority) - (left->priority < right->priority);
}

/* Makes a run of what has arrived. The queue's lock is held. */
static void
fill_run (CoprocLane *self)
{
  gboolean sorted = TRUE;
  CoprocRunEntry entry, last = { .priority = -INFINITY };

  while ((entry.message = g_async_queue_try_pop_unlocked (self->arrived)) != NULL)
    {
      entry.priority = entry.message->priority;
      sorted = sorted && entry.priority >= last.priority;
      g_array_append_val (self->run, entry);
      last = entry;
    }
  if (!sorted)
    g_array_sort (self->run, compare_run_entries); /* it is stable */
}

/* Moves what has arrived into the run or the levels. */
static void
sort_arrived (CoprocLane *self)
{
  CoprocMessage *message;

  if (self->n_arrived == 0)
    return;

  self->n_arrived = 0;
  if (self->levels == NULL)
    {
      self->levels = g_sequence_new (level_free);
      self->run = g_array_new (FALSE, FALSE, sizeof (CoprocRunEntry));
    }

  g_async_queue_lock (self->arrived);
  if (self->run->len == 0 && g_sequence_is_empty (self->levels))
    fill_run (self);
  else
    while ((message = g_async_queue_try_pop_unlocked (self->arrived)) != NULL)
      g_queue_push_tail (&ensure_level (self, message->priority)->messages, message);
  g_async_queue_unlock (self->arrived);
}

/* The first level if it goes before the run, else NULL. */
static GSequenceIter *
first_level (CoprocLane *self)
{
  GSequenceIter *first = g_sequence_get_begin_iter (self->levels);
  CoprocLevel *level;

  if (g_sequence_iter_is_end (first))
    return NULL;

  level = g_sequence_get (first);
  if (self->run->len > 0 && RUN_ENTRY (self, self->run_next)->priority <= level->priority)
    return NULL;
  return first;
}

static CoprocMessage *
pop_run (CoprocLane *self)
{
  CoprocMessage *message = RUN_ENTRY (self, self->run_next)->message;

  if (++self->run_next == self->run->len)
    {
      self->run_next = 0;
      if (self->run->len > MAX_IDLE_RUN)
        {
          g_array_unref (self->run);
          self->run = g_array_new (FALSE, FALSE, sizeof (CoprocRunEntry));
        }
      else
        g_array_set_size (self->run, 0);
    }
  return message;
}

static CoprocMessage *
pop_level (CoprocLane *self, GSequenceIter *place)
{
  CoprocLevel *level = g_sequence_get (place);
  CoprocMessage *message = g_queue_pop_head (&level->messages);

  if (level->messages.length == 0)
    {
      if (self->last_level == place)
        self->last_level = NULL;
      g_sequence_remove (place);
    }
  return message;
}

static CoprocMessage *
lane_pop (CoprocLane *self, gboolean by_priority)
{
  GSequenceIter *place;

  if (by_priority && self->n_queued == 1 && self->n_arrived == 1)
    {
      self->n_arrived = 0; /* nothing to sort */
      by_priority = FALSE;
    }
  self->n_queued--;
  if (!by_priority)
    return g_async_queue_try_pop (self->arrived);

  sort_arrived (self);
  place = first_level (self);
  return place != NULL ? pop_level (self, place) : pop_run (self);
}

/* Only for a lane that has messages. */
static CoprocMessage *
lane_peek (CoprocLane *self, gboolean by_priority)
{
  CoprocMessage *message;
  GSequenceIter *place;
  CoprocLevel *level;

  if (!by_priority)
    {
      g_async_queue_lock (self->arrived);
      message = g_async_queue_try_pop_unlocked (self->arrived);
      g_async_queue_push_front_unlocked (self->arrived, message);
      g_async_queue_unlock (self->arrived);
      return message;
    }

  sort_arrived (self);
  place = first_level (self);
  if (place == NULL)
    return RUN_ENTRY (self, self->run_next)->message;
  level = g_sequence_get (place);
  return g_queue_peek_head (&level->messages);
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
    coproc_invocation_unref (link->data);
  lane_clear (&self->others);
  lane_clear (&self->replies);
  g_clear_pointer (&self->name, g_ref_string_release);
  g_free (self);
}

void
coproc_channel_push (CoprocChannel *self, CoprocMessage *message)
{
  CoprocLane *lane = coproc_message_is_reply (message) ? &self->replies : &self->others;

  self->n_queued++;
  lane->n_queued++;
  lane->n_arrived++;
  g_async_queue_push (lane->arrived, message);
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
