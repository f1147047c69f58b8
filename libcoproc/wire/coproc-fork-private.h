/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A process that forks. Its child has copies of all objects, of no thread but the one that forked, and
 * shares connections and processes that are not its own: it must neither use them nor end them.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Makes a child's copy of an object one that has ended. All locks are held; it allocates nothing and calls nothing of
 * GLib that locks. What only a thread that is not there could free is lost. */
typedef void (*CoprocDisownFunc) (gpointer object);

/* The order in which the locks of objects are taken, here and everywhere. */
typedef enum
{
  COPROC_FORK_WORKER,
  COPROC_FORK_SUPERVISOR,
  COPROC_FORK_RUN,
  COPROC_FORK_PART,     /* what a run locks inside its own lock */
  COPROC_FORK_WRITE,    /* of an endpoint */
  COPROC_FORK_READ,     /* nobody has both of these */
  COPROC_FORK_ENDPOINT,
  COPROC_FORK_IO,
  COPROC_FORK_ARENA,
  COPROC_FORK_N_RANKS,
} CoprocForkRank;

/* One lock of an object. It is taken before a fork, so that no other thread is in the middle of something, and
 * given back on both sides of it. */
typedef struct
{
  GList link;              /* (mutex) of its rank */
  CoprocForkRank rank;
  GMutex *lock;
  CoprocDisownFunc disown; /* (nullable) */
} CoprocForkGuard;

/* Neither may be called with a lock held. */
void coproc_fork_guard_add    (CoprocForkGuard *self, CoprocForkRank rank, GMutex *lock, CoprocDisownFunc disown,
                               gpointer object);
void coproc_fork_guard_remove (CoprocForkGuard *self);

/* For who disowns: a descriptor stands for nothing from now on; its number stays taken. */
void coproc_fork_drop_fd      (int fd);

G_END_DECLS
