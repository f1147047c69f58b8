/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Requests lie in blocks that are kept until the end and go round through a free list: a request costs
 * no allocation once as many have been outstanding before. Of the requests that were given up only
 * the serials are kept, in a ring of fixed size.
 */
#include "coproc-pending-private.h"

#define REQUESTS_PER_BLOCK 64
#define MAX_ABANDONED 65536

typedef union _CoprocPendingSlot CoprocPendingSlot;
union _CoprocPendingSlot
{
  CoprocPendingRequest request; /* in use */
  CoprocPendingSlot *next_free; /* not in use */
};

struct _CoprocPending
{
  GHashTable *requests;      /* guint64 serial → CoprocPendingSlot, whose first member the key is */
  GPtrArray *blocks;         /* (owned) arrays of REQUESTS_PER_BLOCK slots */
  CoprocPendingSlot *free_slots;

  guint64 *ring;             /* (nullable) MAX_ABANDONED serials, 0: its reply has come; made on demand */
  guint ring_next;           /* the slot to be written next, which holds the oldest once all are written */
  guint ring_filled;         /* slots that have been written */
  GHashTable *abandoned;     /* set of guint64 serials: pointers into the ring */
  guint64 forgotten;         /* the highest serial that had to leave the ring without its reply */
};

CoprocPending *
coproc_pending_new (void)
{
  CoprocPending *self = g_new0 (CoprocPending, 1);

  self->requests = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->blocks = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
coproc_pending_free (CoprocPending *self)
{
  g_clear_pointer (&self->abandoned, g_hash_table_unref);
  g_clear_pointer (&self->ring, g_free);
  g_clear_pointer (&self->requests, g_hash_table_unref);
  g_clear_pointer (&self->blocks, g_ptr_array_unref);
  g_free (self);
}

guint
coproc_pending_get_size (CoprocPending *self)
{
  return g_hash_table_size (self->requests);
}

static CoprocPendingSlot *
take_slot (CoprocPending *self)
{
  CoprocPendingSlot *slot;

  if (self->free_slots == NULL)
    {
      CoprocPendingSlot *block = g_new (CoprocPendingSlot, REQUESTS_PER_BLOCK);

      g_ptr_array_add (self->blocks, block);
      for (guint i = 0; i < REQUESTS_PER_BLOCK; i++)
        {
          block[i].next_free = self->free_slots;
          self->free_slots = &block[i];
        }
    }

  slot = self->free_slots;
  self->free_slots = slot->next_free;
  return slot;
}

static void
give_slot_back (CoprocPending *self, CoprocPendingSlot *slot)
{
  slot->next_free = self->free_slots;
  self->free_slots = slot;
}

void
coproc_pending_add (CoprocPending *self, guint64 serial, CoprocChannel *channel, double priority, gpointer call)
{
  CoprocPendingSlot *slot = take_slot (self);

  slot->request = (CoprocPendingRequest) {
    .serial = serial,
    .channel = channel,
    .priority = priority,
    .call = call,
  };
  g_hash_table_add (self->requests, slot);
}

/* Takes the request of @serial out and, if @request is not NULL, copies it there. */
static gboolean
remove_request (CoprocPending *self, guint64 serial, CoprocPendingRequest *request)
{
  gpointer key;

  if (!g_hash_table_steal_extended (self->requests, &serial, &key, NULL))
    return FALSE;

  if (request != NULL)
    *request = ((CoprocPendingSlot *) key)->request;
  give_slot_back (self, key);
  return TRUE;
}

CoprocPendingResult
coproc_pending_take (CoprocPending *self, guint64 serial, CoprocPendingRequest *request)
{
  gpointer key;

  if (remove_request (self, serial, request))
    return COPROC_PENDING_FOUND;

  if (self->abandoned != NULL
      && g_hash_table_steal_extended (self->abandoned, &serial, &key, NULL))
    {
      *(guint64 *) key = 0;
      return COPROC_PENDING_ABANDONED;
    }
  if (serial != 0 && serial <= self->forgotten)
    return COPROC_PENDING_ABANDONED;
  return COPROC_PENDING_UNKNOWN;
}

void
coproc_pending_retract (CoprocPending *self, guint64 serial)
{
  remove_request (self, serial, NULL);
}

gboolean
coproc_pending_abandon (CoprocPending *self, guint64 serial)
{
  guint64 *place;

  if (!remove_request (self, serial, NULL))
    return FALSE;

  if (self->ring == NULL)
    {
      self->ring = g_new (guint64, MAX_ABANDONED);
      self->abandoned = g_hash_table_new (g_int64_hash, g_int64_equal);
    }

  place = &self->ring[self->ring_next];
  if (self->ring_filled < MAX_ABANDONED)
    self->ring_filled++;
  else if (*place != 0)
    {
      g_hash_table_remove (self->abandoned, place);
      self->forgotten = MAX (self->forgotten, *place);
    }
  *place = serial;
  g_hash_table_add (self->abandoned, place);
  self->ring_next = (self->ring_next + 1) % MAX_ABANDONED;
  return TRUE;
}

static int
compare_serials (gconstpointer a, gconstpointer b)
{
  const CoprocPendingRequest *left = a, *right = b;

  return (left->serial > right->serial) - (left->serial < right->serial);
}

GArray *
coproc_pending_steal_all (CoprocPending *self)
{
  GArray *requests = g_array_sized_new (FALSE, FALSE, sizeof (CoprocPendingRequest),
                                        coproc_pending_get_size (self));
  GHashTableIter iter;
  gpointer slot;

  g_hash_table_iter_init (&iter, self->requests);
  while (g_hash_table_iter_next (&iter, &slot, NULL))
    {
      g_array_append_val (requests, ((CoprocPendingSlot *) slot)->request);
      g_hash_table_iter_steal (&iter);
      give_slot_back (self, slot);
    }
  g_array_sort (requests, compare_serials);
  return requests;
}
