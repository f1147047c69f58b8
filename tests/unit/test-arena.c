/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "wire/coproc-arena-private.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/coproc-shared-layout-private.h"

#define KIB ((gsize) 1024)
#define MIB (KIB * 1024)
#define LIMIT (64 * MIB)
#define WINDOW (8 * MIB)

/* The two sides of one direction, each with its own mapping. */
typedef struct
{
  CoprocSharedMemory *memory[2];
  CoprocArena *owner;
  CoprocArena *other;
} Arenas;

static CoprocArena *
view (CoprocSharedMemory *memory)
{
  return coproc_arena_new (memory, memory->data + COPROC_SHARED_CONTROL_TO_WORKER,
                           memory->data + COPROC_SHARED_BLOCKS_TO_WORKER);
}

static gboolean
arenas_open (Arenas *self)
{
  g_autoptr (GError) error = NULL;
  int fd;

  self->memory[0] = coproc_shared_memory_new (COPROC_SHARED_END, &fd, &error);
  if (self->memory[0] == NULL)
    {
      g_test_skip (error->message);
      return FALSE;
    }
  self->memory[1] = coproc_shared_memory_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (self->memory[1]->size, >=, COPROC_SHARED_END);
  self->owner = view (self->memory[0]);
  self->other = view (self->memory[1]);
  return TRUE;
}

static void
arenas_close (Arenas *self)
{
  coproc_arena_unref (self->owner);
  coproc_arena_unref (self->other);
  coproc_shared_memory_unref (self->memory[0]);
  coproc_shared_memory_unref (self->memory[1]);
}

/* A payload that lies elsewhere is copied once, and its block comes back with the last reference. */
static void
test_copied (void)
{
  g_autofree guint8 *data = g_malloc (100 * KIB);
  Arenas arenas;
  CoprocLoan loan;
  CoprocSlab *slab;

  if (!arenas_open (&arenas))
    return;
  memset (data, 7, 100 * KIB);
  g_assert_true (coproc_arena_lend (arenas.owner, data, 100 * KIB, &loan));
  memset (data, 8, 100 * KIB);
  slab = coproc_arena_borrow (arenas.other, &loan);
  g_assert_nonnull (slab);
  g_assert_cmpuint (slab->size, ==, 100 * KIB);
  memset (data, 7, 100 * KIB);
  g_assert_cmpmem (slab->data, slab->size, data, 100 * KIB);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 128 * KIB);
  coproc_slab_ref (slab);
  coproc_slab_unref (slab);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 128 * KIB);
  coproc_slab_unref (slab);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);
  arenas_close (&arenas);
}

/* A copy that is made beforehand is lent as it is. */
static void
test_copied_before (void)
{
  g_autofree guint8 *data = g_malloc (MIB);
  Arenas arenas;
  CoprocLoan loan;
  CoprocSlab *slab;
  gpointer copy;

  if (!arenas_open (&arenas))
    return;
  memset (data, 7, MIB);
  copy = coproc_arena_copy (arenas.owner, data, MIB, 0);
  g_assert_nonnull (copy);
  g_assert_null (coproc_arena_copy (arenas.owner, copy, MIB, 0)); /* there it is */
  g_assert_true (coproc_arena_lend (arenas.owner, copy, MIB, &loan));
  coproc_arena_release (arenas.owner, copy);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, MIB);
  slab = coproc_arena_borrow (arenas.other, &loan);
  g_assert_cmpmem (slab->data, slab->size, data, MIB);
  coproc_slab_unref (slab);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);
  arenas_close (&arenas);
}

/* What was allocated there is lent where it is, also in part and more than once; it is in use as long as either
 * side uses it. */
static void
test_in_place (void)
{
  Arenas arenas;
  CoprocLoan whole, part;
  CoprocSlab *slabs[2];
  GBytes *bytes;
  guint8 *data;

  if (!arenas_open (&arenas))
    return;
  bytes = coproc_arena_alloc (arenas.owner, MIB, 0);
  data = (guint8 *) g_bytes_get_data (bytes, NULL);
  data[0] = 1;
  data[MIB - 1] = 2;
  g_assert_true (coproc_arena_lend (arenas.owner, data, MIB, &whole));
  g_assert_true (coproc_arena_lend (arenas.owner, data + MIB - 10, 10, &part));
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, MIB); /* nothing was copied */
  slabs[0] = coproc_arena_borrow (arenas.other, &whole);
  slabs[1] = coproc_arena_borrow (arenas.other, &part);
  g_assert_cmpuint (slabs[0]->data[0], ==, 1);
  g_assert_cmpuint (slabs[1]->data[9], ==, 2);

  coproc_slab_unref (slabs[0]);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, MIB);
  coproc_slab_unref (slabs[1]);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, MIB); /* the owner has it */
  g_assert_true (coproc_arena_lend (arenas.owner, data, MIB, &whole));
  g_bytes_unref (bytes);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, MIB); /* the other side has it */
  coproc_slab_unref (coproc_arena_borrow (arenas.other, &whole));
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);
  arenas_close (&arenas);
}

/* Not more than the limit is in use, but for one block that is larger itself; and the memory behind what is free
 * is given back. */
static void
test_limit (void)
{
  GBytes *bytes[64] = { NULL };
  GBytes *large;
  Arenas arenas;

  if (!arenas_open (&arenas))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (bytes); i++)
    {
      bytes[i] = coproc_arena_alloc (arenas.owner, MIB, 0);
      g_assert_nonnull (bytes[i]);
    }
  g_assert_null (coproc_arena_alloc (arenas.owner, MIB, 0));
  for (guint i = 0; i < G_N_ELEMENTS (bytes); i++)
    g_bytes_unref (bytes[i]);
  large = coproc_arena_alloc (arenas.owner, 2 * LIMIT, 0);
  g_assert_nonnull (large);
  g_assert_null (coproc_arena_alloc (arenas.owner, 1, 0));
  g_bytes_unref (large);
  g_assert_null (coproc_arena_alloc (arenas.owner, COPROC_ARENA_SIZE + 1, 0));
  g_assert_null (coproc_arena_alloc (arenas.owner, G_MAXSIZE, 0));
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);
  arenas_close (&arenas);
}

/* Blocks that come back go round in the window; where none does, those beyond are taken all the same. */
static void
test_window (void)
{
  g_autofree guint8 *data = g_malloc0 (64 * KIB);
  const guint n_blocks = WINDOW / (64 * KIB);
  CoprocLoan loans[LIMIT / (64 * KIB)];
  Arenas arenas;

  if (!arenas_open (&arenas))
    return;
  for (guint i = 0; i < 3 * n_blocks; i++)
    {
      g_assert_true (coproc_arena_lend (arenas.owner, data, 64 * KIB, &loans[i]));
      coproc_slab_unref (coproc_arena_borrow (arenas.other, &loans[i]));
      g_assert_cmpuint (loans[i].block, <, n_blocks);
      if (i > 0)
        g_assert_cmpuint (loans[i].block, !=, loans[i - 1].block);
    }
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (loans); i++)
    g_assert_true (coproc_arena_lend (arenas.owner, data, 64 * KIB, &loans[i]));
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, LIMIT);
  arenas_close (&arenas);
}

/* Two that a reader may have in its hands, of up to the limit each; it is not wider for what came before them. */
static void
test_two_large (void)
{
  const gsize sizes[] = { LIMIT / 2 + 1, LIMIT };
  Arenas arenas;

  if (!arenas_open (&arenas))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      GBytes *first = coproc_arena_alloc (arenas.owner, sizes[i], 0);
      GBytes *second = coproc_arena_alloc (arenas.owner, sizes[i], 0);

      g_assert_nonnull (first);
      g_assert_nonnull (second);
      g_assert_null (coproc_arena_alloc (arenas.owner, 1, 0));
      g_bytes_unref (first);
      g_bytes_unref (second);
    }
  arenas_close (&arenas);
}

/* The block lives on with whoever has it, whatever has become of the connection. */
static void
test_outlives (void)
{
  Arenas arenas;
  CoprocLoan loan;
  CoprocSlab *slab;
  GBytes *bytes;

  if (!arenas_open (&arenas))
    return;
  bytes = coproc_arena_alloc (arenas.owner, MIB, 0);
  memset ((gpointer) g_bytes_get_data (bytes, NULL), 9, MIB);
  g_assert_true (coproc_arena_lend (arenas.owner, g_bytes_get_data (bytes, NULL), MIB, &loan));
  slab = coproc_arena_borrow (arenas.other, &loan);
  arenas_close (&arenas);
  g_assert_cmpmem (slab->data, slab->size, g_bytes_get_data (bytes, NULL), MIB);
  coproc_slab_unref (slab);
  g_bytes_unref (bytes);
}

/* A child is forked that drops either. */
static void
drop_in_child (GBytes *bytes, CoprocSlab *slab)
{
  const pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      g_clear_pointer (&bytes, g_bytes_unref);
      g_clear_pointer (&slab, coproc_slab_unref);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

/* What such a child drops stays in use. */
static void
test_fork (void)
{
  const gsize size = 2 * LIMIT; /* so large that the memory behind it would be given back at once */
  Arenas arenas;
  CoprocLoan loan;
  CoprocSlab *slab;
  GBytes *bytes;
  guint8 *data;

  if (!arenas_open (&arenas))
    return;
  bytes = coproc_arena_alloc (arenas.owner, size, 0);
  data = (guint8 *) g_bytes_get_data (bytes, NULL);
  data[0] = data[size - 1] = 7;
  drop_in_child (bytes, NULL);
  g_assert_cmpuint (data[0], ==, 7);
  g_assert_cmpuint (data[size - 1], ==, 7);

  g_assert_true (coproc_arena_lend (arenas.owner, data, MIB, &loan));
  slab = coproc_arena_borrow (arenas.other, &loan);
  g_bytes_unref (bytes);
  drop_in_child (NULL, slab);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, size);
  coproc_slab_unref (slab);
  g_assert_cmpuint (coproc_arena_get_used (arenas.owner), ==, 0);
  arenas_close (&arenas);
}

/* A20: a loan that is not within the arena is refused. */
static void
test_a20_loans (void)
{
  static const CoprocLoan loans[] = {
    { .offset = COPROC_ARENA_SIZE, .size = 1 },
    { .offset = COPROC_ARENA_SIZE - 1, .size = 2 },
    { .offset = 1, .size = COPROC_ARENA_SIZE },
    { .offset = 0, .size = COPROC_ARENA_SIZE + 1 },
    { .offset = G_MAXUINT64, .size = 2 },
    { .offset = 2, .size = G_MAXUINT64 },
    { .offset = 0, .size = 1, .block = COPROC_ARENA_UNITS },
    { .offset = 0, .size = 1, .block = G_MAXUINT64 },
  };
  const CoprocLoan all = { .offset = 0, .size = COPROC_ARENA_SIZE, .block = COPROC_ARENA_UNITS - 1 };
  Arenas arenas;
  CoprocSlab *slab;

  if (!arenas_open (&arenas))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (loans); i++)
    g_assert_null (coproc_arena_borrow (arenas.other, &loans[i]));
  slab = coproc_arena_borrow (arenas.other, &all);
  g_assert_cmpuint (slab->data[COPROC_ARENA_SIZE - 1], ==, 0);
  coproc_slab_unref (slab);
  arenas_close (&arenas);
}

/* A20: a peer that returns what it has not, or more than once: the owner never gives away what it holds itself. */
static void
test_a20_returns (void)
{
  Arenas arenas;
  guint32 *control;

  if (!arenas_open (&arenas))
    return;
  control = (gpointer) (arenas.memory[1]->data + COPROC_SHARED_CONTROL_TO_WORKER);
  for (guint turn = 0; turn < 200; turn++)
    {
      GBytes *bytes = coproc_arena_alloc (arenas.owner, MIB, 0);
      CoprocLoan loan;
      GBytes *other;

      for (gsize i = 0; i < COPROC_ARENA_CONTROL_SIZE / sizeof *control; i++)
        control[i] = g_random_int ();
      g_assert_nonnull (bytes);
      g_assert_true (coproc_arena_lend (arenas.owner, g_bytes_get_data (bytes, NULL), MIB, &loan));
      other = coproc_arena_alloc (arenas.owner, MIB, 0);
      if (other != NULL)
        g_assert_true (g_bytes_get_data (other, NULL) != g_bytes_get_data (bytes, NULL));
      g_clear_pointer (&other, g_bytes_unref);
      g_bytes_unref (bytes);
      if (coproc_arena_get_used (arenas.owner) > LIMIT / 2)
        break; /* what it is made to believe that it has lent is lost to it */
    }
  arenas_close (&arenas);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coproc/arena/copied", test_copied);
  g_test_add_func ("/coproc/arena/copied-before", test_copied_before);
  g_test_add_func ("/coproc/arena/in-place", test_in_place);
  g_test_add_func ("/coproc/arena/limit", test_limit);
  g_test_add_func ("/coproc/arena/window", test_window);
  g_test_add_func ("/coproc/arena/two-large", test_two_large);
  g_test_add_func ("/coproc/arena/outlives", test_outlives);
  g_test_add_func ("/coproc/arena/fork", test_fork);
  g_test_add_func ("/coproc/arena/A20/loans", test_a20_loans);
  g_test_add_func ("/coproc/arena/A20/returns", test_a20_returns);
  return g_test_run ();
}
