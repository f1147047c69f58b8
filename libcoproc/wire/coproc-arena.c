/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Shared blocks for large payloads.
 *
 * A block is in use as long as its owner holds it (to fill it, or because the application has it), or
 * more loans of it are out than have been returned. Returns are counted in shared memory, by the other
 * side; the owner looks at them when it needs a block.
 *
 * What the other side has read a moment ago is in its core's cache, and what was used long ago in none: either makes a
 * copy into it twice as long. So blocks go round in a window that is larger than a core's cache and smaller than the
 * one that cores share, and who is ahead waits for a moment before it copies to one beyond.
 */
#include "wire/coproc-arena-private.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wire/coproc-buddy-private.h"
#include "wire/coproc-fork-private.h"

/* Bytes in use beyond which no further block is taken, but for one that is larger itself, and for a second one as
 * large as the first; what is free and still resident is not more either. */
#define LIMIT (64u * 1024 * 1024)

/* Bytes in use up to which returns need not be looked at, and beyond which it is better to wait for one before a copy,
 * as long as there are two blocks of the size. */
#define WINDOW (8u * 1024 * 1024)

#define MAX_GAZE 100             /* looks for a return before the processor is offered to others: a few µs */

/* What such a wait may take: as long as is lost without it, and until a reader is awake. */
#define MIN_MOMENT 20            /* µs */
#define COPIED_PER_US 8192       /* bytes */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* In shared memory; the other side writes, the owner reads. */
typedef struct
{
  _Alignas (4096) _Atomic guint32 n_returns;                  /* of all blocks, modulo 2^32 */
  _Alignas (4096) _Atomic guint32 returns[COPROC_ARENA_UNITS]; /* of the block that begins at each unit */
} Control;

G_STATIC_ASSERT (sizeof (Control) == COPROC_ARENA_CONTROL_SIZE);

/* A block, by its first unit. */
typedef struct
{
  guint32 n_loans;       /* since it was taken */
  guint32 first_return;  /* what its returns were then */
  gboolean held;         /* by the owner */
} Block;

/* Which blocks are taken. */
typedef enum
{
  WITHIN_WINDOW,
  WITHIN_LIMIT,
} Reach;

struct _CoprocArena
{
  gatomicrefcount ref_count;
  CoprocForkGuard guard;      /* thread-safe by itself */
  gboolean disowned;          /* (immutable, but set in a child that was forked) it is another process's: nothing is
                                 given back */
  CoprocSharedMemory *memory; /* (owned) */
  Control *control;           /* shared */
  guint8 *units;              /* shared */

  /* The owner's; made with the first block. (lock) */
  GMutex lock;
  CoprocBuddy *buddy;         /* (nullable) */
  Block *blocks;              /* [COPROC_ARENA_UNITS] */
  guint8 *resident;           /* [COPROC_ARENA_UNITS] whether there is memory behind a unit */
  GArray *lent;               /* (element-type guint): blocks with loans */
  guint32 n_returns;          /* as last seen */
  guint32 n_returns_in_vain[2]; /* ... when it was waited for a return that did not come, by Reach; -1: not yet */
  gsize n_used;               /* units */
  gsize n_resident;           /* units */
  gsize limit;                /* bytes: LIMIT, or two of the largest blocks up to that */
};

static void
disown (gpointer object)
{
  ((CoprocArena *) object)->disowned = TRUE;
}

CoprocArena *
coproc_arena_new (CoprocSharedMemory *memory, gpointer control, guint8 *blocks)
{
  CoprocArena *self = g_new0 (CoprocArena, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->memory = coproc_shared_memory_ref (memory);
  self->control = control;
  self->units = blocks;
  g_mutex_init (&self->lock);
  coproc_fork_guard_add (&self->guard, COPROC_FORK_ARENA, &self->lock, disown, self);
  /* A core of the process would have every block, and find memory for those that were never used. */
  (void) madvise (blocks, COPROC_ARENA_SIZE, MADV_DONTDUMP);
  (void) madvise (blocks, COPROC_ARENA_SIZE, MADV_HUGEPAGE); /* a hint: few systems have them here */
  return self;
}

CoprocArena *
coproc_arena_ref (CoprocArena *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_arena_unref (CoprocArena *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  if (self->buddy != NULL)
    {
      coproc_buddy_free (self->buddy);
      g_array_unref (self->lent);
      g_free (self->blocks);
      g_free (self->resident);
    }
  g_mutex_clear (&self->lock);
  coproc_shared_memory_unref (self->memory);
  g_free (self);
}

/* --- the owner's blocks --- */

static gboolean
is_out_locked (CoprocArena *self, guint unit)
{
  const Block *block = &self->blocks[unit];
  const guint32 n_returned = atomic_load_explicit (&self->control->returns[unit], memory_order_acquire)
                             - block->first_return;

  return (gint32) (block->n_loans - n_returned) > 0;
}

static void
give_locked (CoprocArena *self, guint unit)
{
  const guint n = 1u << coproc_buddy_give (self->buddy, unit);

  self->n_used -= n;
  if (self->n_resident * COPROC_ARENA_UNIT <= self->limit)
    return;
  if (madvise (self->units + (gsize) unit * COPROC_ARENA_UNIT, (gsize) n * COPROC_ARENA_UNIT, MADV_REMOVE) != 0)
    return;
  for (guint i = unit; i < unit + n; i++)
    {
      self->n_resident -= self->resident[i];
      self->resident[i] = FALSE;
    }
}

static void
collect_locked (CoprocArena *self)
{
  const guint32 n_returns = atomic_load_explicit (&self->control->n_returns, memory_order_acquire);

  if (n_returns == self->n_returns)
    return;
  self->n_returns = n_returns;
  for (guint i = self->lent->len; i > 0; i--)
    {
      const guint unit = g_array_index (self->lent, guint, i - 1);

      if (is_out_locked (self, unit))
        continue;
      g_array_remove_index_fast (self->lent, i - 1);
      self->blocks[unit].n_loans = 0;
      self->blocks[unit].first_return = atomic_load_explicit (&self->control->returns[unit], memory_order_relaxed);
      if (!self->blocks[unit].held)
        give_locked (self, unit);
    }
}

gsize
coproc_arena_get_used (CoprocArena *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->buddy != NULL)
    collect_locked (self);
  return self->n_used * COPROC_ARENA_UNIT;
}

/* Makes what the owner needs with its first block. */
static void
open_locked (CoprocArena *self)
{
  self->buddy = coproc_buddy_new (COPROC_ARENA_ORDERS);
  self->blocks = g_new0 (Block, COPROC_ARENA_UNITS);
  self->resident = g_new0 (guint8, COPROC_ARENA_UNITS);
  self->lent = g_array_new (FALSE, FALSE, sizeof (guint));
  self->n_returns_in_vain[WITHIN_WINDOW] = self->n_returns_in_vain[WITHIN_LIMIT] = G_MAXUINT32;
  self->limit = LIMIT;
}

/* A block of at least @size bytes, held. FALSE: there is none. */
static gboolean
take_locked (CoprocArena *self, gsize size, Reach reach, guint *unit)
{
  const gsize n_units = (size + COPROC_ARENA_UNIT - 1) / COPROC_ARENA_UNIT;
  const guint order = n_units <= 1 ? 0 : g_bit_storage (n_units - 1);
  const gsize n_bytes = (gsize) COPROC_ARENA_UNIT << order;
  gsize most;

  if (size > COPROC_ARENA_SIZE)
    return FALSE;
  if (self->buddy == NULL)
    open_locked (self);
  if (self->n_used * COPROC_ARENA_UNIT + n_bytes > WINDOW)
    collect_locked (self);
  /* a reader may hold one until it has the next */
  if (size <= LIMIT)
    self->limit = MAX (self->limit, 2 * n_bytes);
  most = reach == WITHIN_LIMIT ? self->limit : MIN (self->limit, MAX (WINDOW, 2 * n_bytes));
  if (self->n_used > 0 && self->n_used * COPROC_ARENA_UNIT + n_bytes > most)
    return FALSE;
  *unit = coproc_buddy_take (self->buddy, order);
  if (*unit == COPROC_BUDDY_NONE)
    return FALSE;

  self->n_used += (gsize) 1 << order;
  self->blocks[*unit].held = TRUE;
  self->blocks[*unit].n_loans = 0;
  self->blocks[*unit].first_return = atomic_load_explicit (&self->control->returns[*unit], memory_order_relaxed);
  return TRUE;
}

/* The owner has done with it. */
static void
release (CoprocArena *self, guint unit)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (self->disowned)
    return;
  self->blocks[unit].held = FALSE;
  if (self->blocks[unit].n_loans == 0)
    give_locked (self, unit);
}

/* Finds the memory now, where there may be too little of it: an access that finds none is a SIGBUS. */
static gboolean
make_resident (CoprocArena *self, guint unit, gsize size)
{
  const guint n = (guint) ((size + COPROC_ARENA_UNIT - 1) / COPROC_ARENA_UNIT);
  guint n_missing = 0;

  for (guint i = unit; i < unit + n; i++)
    n_missing += !self->resident[i];
  if (n_missing == 0)
    return TRUE;
  if (madvise (self->units + (gsize) unit * COPROC_ARENA_UNIT, (gsize) n * COPROC_ARENA_UNIT,
               MADV_POPULATE_WRITE) != 0
      && errno != EINVAL) /* a system that cannot tell */
    return FALSE;

  g_mutex_lock (&self->lock);
  self->n_resident += n_missing;
  memset (self->resident + unit, TRUE, n);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* Until the other side may have returned something beyond the @n_returns that are known, or for a moment. */
static void
await_return (CoprocArena *self, guint32 n_returns)
{
  for (guint i = 0; i < MAX_GAZE; i++)
    {
      if (atomic_load_explicit (&self->control->n_returns, memory_order_relaxed) != n_returns)
        return;
      coproc_shared_memory_relax ();
    }
  sched_yield ();
}

/* The other side may be about to return a block: waits at most @patience µs for one. */
static gboolean
take_in_time (CoprocArena *self, gsize size, Reach reach, gint64 patience, guint *unit)
{
  gint64 deadline = 0, now = 0;
  gboolean taken, waits;
  guint32 n_returns = 0;

  do
    {
      if (deadline != 0)
        await_return (self, n_returns);
      g_mutex_lock (&self->lock);
      taken = take_locked (self, size, reach, unit);
      waits = !taken && patience > 0 && size <= LIMIT && self->lent->len > 0
              && self->n_returns != self->n_returns_in_vain[reach];
      now = waits ? g_get_monotonic_time () : 0;
      n_returns = self->n_returns;
      if (deadline == 0)
        deadline = now + patience;
      if (waits && now >= deadline)
        {
          self->n_returns_in_vain[reach] = self->n_returns;
          waits = FALSE;
        }
      g_mutex_unlock (&self->lock);
    }
  while (waits);
  return taken;
}

/* A held block with memory behind it; before all others one @within. */
static gboolean
take (CoprocArena *self, gsize size, Reach within, gint64 patience, guint *unit)
{
  if ((within == WITHIN_LIMIT
       || !take_in_time (self, size, within, MIN (patience, MIN_MOMENT + (gint64) (size / COPIED_PER_US)), unit))
      && !take_in_time (self, size, WITHIN_LIMIT, patience, unit))
    return FALSE;
  if (make_resident (self, *unit, size))
    return TRUE;
  release (self, *unit);
  return FALSE;
}

/* --- what the application fills --- */

typedef struct
{
  CoprocArena *arena; /* (owned) */
  guint unit;
} Hold;

static void
hold_free (gpointer data)
{
  Hold *hold = data;

  release (hold->arena, hold->unit);
  coproc_arena_unref (hold->arena);
  g_free (hold);
}

GBytes *
coproc_arena_alloc (CoprocArena *self, gsize size, gint64 patience)
{
  Hold *hold;
  guint unit;

  if (size == 0 || !take (self, size, WITHIN_LIMIT, patience, &unit))
    return NULL;
  hold = g_new (Hold, 1);
  hold->arena = coproc_arena_ref (self);
  hold->unit = unit;
  return g_bytes_new_with_free_func (self->units + (gsize) unit * COPROC_ARENA_UNIT, size, hold_free, hold);
}

/* --- loans --- */

/* Whether the bytes lie in the blocks. */
static gboolean
has_bytes (CoprocArena *self, gconstpointer data, gsize size)
{
  const guintptr offset = (guintptr) data - (guintptr) self->units;

  return offset < COPROC_ARENA_SIZE && size <= COPROC_ARENA_SIZE - offset;
}

/* A held block that @data is copied to. */
static gboolean
take_copy (CoprocArena *self, gconstpointer data, gsize size, gint64 patience, guint *unit)
{
  if (size == 0 || !take (self, size, WITHIN_WINDOW, patience, unit))
    return FALSE;
  memcpy (self->units + (gsize) *unit * COPROC_ARENA_UNIT, data, size);
  return TRUE;
}

gpointer
coproc_arena_copy (CoprocArena *self, gconstpointer data, gsize size, gint64 patience)
{
  guint unit;

  if (has_bytes (self, data, size) || !take_copy (self, data, size, patience, &unit))
    return NULL;
  return self->units + (gsize) unit * COPROC_ARENA_UNIT;
}

void
coproc_arena_release (CoprocArena *self, gpointer copy)
{
  release (self, (guint) (((guintptr) copy - (guintptr) self->units) / COPROC_ARENA_UNIT));
}

static void
note_loan_locked (CoprocArena *self, guint unit)
{
  if (self->blocks[unit].n_loans++ == 0)
    g_array_append_val (self->lent, unit);
}

/* Whether the bytes lie in a block, which is lent then. */
static gboolean
lend_in_place (CoprocArena *self, gconstpointer data, gsize size, CoprocLoan *loan)
{
  const guintptr offset = (guintptr) data - (guintptr) self->units;
  guint first, order;
  gboolean found = FALSE;

  if (!has_bytes (self, data, size))
    return FALSE;
  g_mutex_lock (&self->lock);
  if (self->buddy != NULL && coproc_buddy_find (self->buddy, (guint) (offset / COPROC_ARENA_UNIT), &first, &order)
      && offset + size <= ((guintptr) first + (1u << order)) * COPROC_ARENA_UNIT)
    {
      note_loan_locked (self, first);
      *loan = (CoprocLoan) { .offset = offset, .size = size, .block = first };
      found = TRUE;
    }
  g_mutex_unlock (&self->lock);
  return found;
}

gboolean
coproc_arena_lend (CoprocArena *self, gconstpointer data, gsize size, CoprocLoan *loan)
{
  guint unit;

  if (lend_in_place (self, data, size, loan))
    return TRUE;
  if (!take_copy (self, data, size, 0, &unit))
    return FALSE;

  *loan = (CoprocLoan) { .offset = (gsize) unit * COPROC_ARENA_UNIT, .size = size, .block = unit };
  g_mutex_lock (&self->lock);
  note_loan_locked (self, unit);
  self->blocks[unit].held = FALSE;
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* --- the other side --- */

typedef struct
{
  CoprocSlab slab;
  CoprocArena *arena; /* (owned) */
  guint32 block;
} Borrowed;

static void
give_back (CoprocSlab *slab)
{
  Borrowed *self = (Borrowed *) slab;
  Control *control = self->arena->control;

  if (!self->arena->disowned)
    {
      atomic_fetch_add_explicit (&control->returns[self->block], 1, memory_order_release);
      atomic_fetch_add_explicit (&control->n_returns, 1, memory_order_release);
    }
  coproc_arena_unref (self->arena);
  g_free (self);
}

CoprocSlab *
coproc_arena_borrow (CoprocArena *self, const CoprocLoan *loan)
{
  Borrowed *borrowed;

  if (loan->size > COPROC_ARENA_SIZE || loan->offset > COPROC_ARENA_SIZE - loan->size
      || loan->block >= COPROC_ARENA_UNITS)
    return NULL;

  borrowed = g_new0 (Borrowed, 1);
  g_atomic_ref_count_init (&borrowed->slab.ref_count);
  borrowed->slab.size = loan->size;
  borrowed->slab.data = self->units + loan->offset;
  borrowed->slab.release = give_back;
  borrowed->arena = coproc_arena_ref (self);
  borrowed->block = (guint32) loan->block;
  return &borrowed->slab;
}
