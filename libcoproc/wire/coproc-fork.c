/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A process that forks.
 */
#include "wire/coproc-fork-private.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static GMutex mutex;                         /* before all others */
static GQueue guards[COPROC_FORK_N_RANKS];   /* (mutex) CoprocForkGuard links */

static void
prepare (void)
{
  g_mutex_lock (&mutex);
  for (guint rank = 0; rank < COPROC_FORK_N_RANKS; rank++)
    for (GList *l = guards[rank].head; l != NULL; l = l->next)
      g_mutex_lock (((CoprocForkGuard *) l)->lock);
}

static void
resume (void)
{
  for (guint rank = COPROC_FORK_N_RANKS; rank-- > 0;)
    for (GList *l = guards[rank].head; l != NULL; l = l->next)
      g_mutex_unlock (((CoprocForkGuard *) l)->lock);
  g_mutex_unlock (&mutex);
}

static void
resume_child (void)
{
  for (guint rank = 0; rank < COPROC_FORK_N_RANKS; rank++)
    for (GList *l = guards[rank].head; l != NULL; l = l->next)
      {
        CoprocForkGuard *guard = (CoprocForkGuard *) l;

        if (guard->disown != NULL)
          guard->disown (l->data);
      }
  resume ();
}

void
coproc_fork_guard_add (CoprocForkGuard   *self,
                       CoprocForkRank     rank,
                       GMutex            *lock,
                       CoprocDisownFunc   disown,
                       gpointer           object)
{
  static gsize registered;

  /* so that a link is its guard */
  G_STATIC_ASSERT (G_STRUCT_OFFSET (CoprocForkGuard, link) == 0);

  if (g_once_init_enter (&registered))
    {
      pthread_atfork (prepare, resume, resume_child);
      g_once_init_leave (&registered, 1);
    }

  self->link.data = object;
  self->rank = rank;
  self->lock = lock;
  self->disown = disown;
  g_mutex_lock (&mutex);
  g_queue_push_tail_link (&guards[rank], &self->link);
  g_mutex_unlock (&mutex);
}

void
coproc_fork_guard_remove (CoprocForkGuard *self)
{
  g_mutex_lock (&mutex);
  g_queue_unlink (&guards[self->rank], &self->link);
  g_mutex_unlock (&mutex);
}

void
coproc_fork_drop_fd (int fd)
{
  const int null_fd = fd >= 0 ? open ("/dev/null", O_RDWR | O_CLOEXEC) : -1;

  if (null_fd < 0)
    return;
  dup3 (null_fd, fd, O_CLOEXEC);
  close (null_fd);
}
