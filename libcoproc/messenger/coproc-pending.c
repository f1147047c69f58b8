/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Serials rise, and most requests are answered soon and in turn, so a request lies at its serial's place in a
 * table that grows with the number of them: no hash, no allocation. One whose place is needed by a
 * later one, since its reply takes long, moves to a hash table. Of the requests that were given up only
 * the serials are kept, in a ring of fixed size.
 */
#include "coproc-pending-private.h"

#include "wire/coproc-limits-private.h"

#define MIN_TABLE_SIZE 64u    /* powers of two */
#define MAX_TABLE_SIZE 65536u
#define MAX_ABANDONED 65536

G_STATIC_ASSERT (MAX_TABLE_SIZE == COPROC_MAX_PENDING_REQUESTS);

struct _CoprocPending
{
  CoprocPendingRequest *table; /* table_size places, that of a serial is its remainder; serial 0: free */
  guint table_size;
  GHashTable *late;          /* (owned) CoprocPendingRequest, whose first member the key is */
  guint n_requests;          /* in both */

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

  self->table_size = MIN_TABLE_SIZE;
  self->table = g_new0 (CoprocPendingRequest, self->table_size);
  self->late = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  return self;
}

void
coproc_pending_free (CoprocPending *self)
{
  g_clear_pointer (&self->abandoned, g_hash_table_unref);
  g_clear_pointer (&self->ring, g_free);
  g_clear_pointer (&self->late, g_hash_table_unref);
  g_clear_pointer (&self->table, g_free);
  g_free (self);
}

guint
coproc_pending_get_size (CoprocPending *self)
{
  return self->n_requests;
}

static CoprocPendingRequest *
place_of (CoprocPending *self, guint64 serial)
{
  return &self->table[serial & (self->table_size - 1)];
}

/* Requests at different places stay so. */
static void
grow_table (CoprocPending *self)
{
  g_autofree CoprocPendingRequest *old = g_steal_pointer (&self->table);
  const guint old_size = self->table_size;

  self->table_size *= 2;
  self->table = g_new0 (CoprocPendingRequest, self->table_size);
  for (guint i = 0; i < old_size; i++)
    if (old[i].serial != 0)
      *place_of (self, old[i].serial) = old[i];
}

void
coproc_pending_add (CoprocPending *self, guint64 serial, CoprocChannel *channel, gpointer call)
{
  CoprocPendingRequest *place = place_of (self, serial);

  while (place->serial != 0 && self->n_requests >= self->table_size / 2
         && self->table_size < MAX_TABLE_SIZE)
    {
      grow_table (self);
      place = place_of (self, serial);
    }
  if (place->serial != 0)
    g_hash_table_add (self->late, g_memdup2 (place, sizeof *place));

  *place = (CoprocPendingRequest) { .serial = serial, .channel = channel, .call = call };
  self->n_requests++;
}

void
coproc_pending_accept (CoprocPending *self, guint64 serial)
{
  CoprocPendingRequest *request = place_of (self, serial);

  if (request->serial != serial)
    request = g_hash_table_lookup (self->late, &serial);
  if (request != NULL)
    request->accepted = TRUE;
}

/* Takes the request of @serial out and copies it to @request. */
static gboolean
remove_request (CoprocPending *self, guint64 serial, CoprocPendingRequest *request)
{
  CoprocPendingRequest *place = place_of (self, serial);
  CoprocPendingRequest *late;

  if (serial == 0)
    return FALSE;
  if (place->serial == serial)
    {
      *request = *place;
      place->serial = 0;
    }
  else if ((late = g_hash_table_lookup (self->late, &serial)) != NULL)
    {
      *request = *late;
      g_hash_table_remove (self->late, &serial);
    }
  else
    return FALSE;
  self->n_requests--;
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

gboolean
coproc_pending_abandon (CoprocPending *self, guint64 serial)
{
  CoprocPendingRequest request;
  guint64 *place;

  if (!remove_request (self, serial, &request))
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
  GArray *requests = g_array_sized_new (FALSE, FALSE, sizeof (CoprocPendingRequest), self->n_requests);
  GHashTableIter iter;
  gpointer late;

  for (guint i = 0; i < self->table_size && requests->len < self->n_requests; i++)
    if (self->table[i].serial != 0)
      {
        g_array_append_val (requests, self->table[i]);
        self->table[i].serial = 0;
      }
  g_hash_table_iter_init (&iter, self->late);
  while (g_hash_table_iter_next (&iter, &late, NULL))
    g_array_append_vals (requests, late, 1);
  g_hash_table_remove_all (self->late);
  self->n_requests = 0;
  g_array_sort (requests, compare_serials);
  return requests;
}
