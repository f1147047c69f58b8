/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A process that forks. Its child has copies of all objects, of no thread but the one that forked, and
 * shares connections and processes that are not its own: it must neither use them nor end them.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  COPROC_FORK_PREPARE, /* takes the object's locks, so that no other thread is in the middle of something */
  COPROC_FORK_PARENT,  /* gives them back */
  COPROC_FORK_CHILD,   /* gives them back, and makes the copy one that has ended: no allocation, no call of GLib
                          that locks. What only a thread that is not here could free is lost. */
} CoprocForkStep;

typedef void (*CoprocForkFunc) (gpointer object, CoprocForkStep step);

/* The order in which the locks of objects are taken, here and everywhere. */
typedef enum
{
  COPROC_FORK_WORKER,
  COPROC_FORK_SUPERVISOR,
  COPROC_FORK_RUN,
  COPROC_FORK_PART,     /* what a run locks inside its own lock */
  COPROC_FORK_ENDPOINT,
  COPROC_FORK_IO,
  COPROC_FORK_N_RANKS,
} CoprocForkRank;

/* Part of an object. */
typedef struct
{
  GList link;              /* (mutex) of its rank */
  CoprocForkRank rank;
  CoprocForkFunc func;
} CoprocForkGuard;

/* No lock may be held. */
void coproc_fork_guard_add    (CoprocForkGuard *self, CoprocForkRank rank, CoprocForkFunc func, gpointer object);
void coproc_fork_guard_remove (CoprocForkGuard *self);

/* A func for an object of which a child needs nothing but its lock, a GMutex. */
void coproc_fork_keep_lock    (gpointer mutex, CoprocForkStep step);

/* Of a COPROC_FORK_CHILD: what stands for a descriptor is nothing from now on, and the number stays taken. */
void coproc_fork_drop_fd      (int fd);

G_END_DECLS
