/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The library's background thread. A thread and its context live together: when the last user has
 * gone they end, and a later user gets new ones.
 */
#include "wire/coproc-io-private.h"

#include <pthread.h>
#include <signal.h>

#include "wire/coproc-fork-private.h"
#include "wire/coproc-unix-private.h"

typedef struct
{
  GMainContext *context; /* immutable */
  GThread *thread;       /* immutable once the first user has it */
  int quit;              /* atomic */
  int detached;          /* atomic: nobody joins the thread, it frees this itself */
} CoprocIo;

static GMutex io_lock;
static CoprocIo *io;   /* (mutex io_lock) */
static guint io_users; /* (mutex io_lock) */

/* A child has no background thread, and its copies of the users have none: the first new user gets one. */
static void
coproc_io_disown (gpointer object)
{
  io = NULL;
  io_users = 0;
}

static void
coproc_io_free (CoprocIo *self)
{
  g_main_context_unref (self->context);
  g_free (self);
}

static gpointer
coproc_io_run (gpointer data)
{
  CoprocIo *self = data;

  while (!g_atomic_int_get (&self->quit))
    g_main_context_iteration (self->context, TRUE);

  if (g_atomic_int_get (&self->detached))
    coproc_io_free (self);
  return NULL;
}

static CoprocIo *
coproc_io_start (GError **error)
{
  CoprocWakeup probe = COPROC_WAKEUP_INIT;
  CoprocIo *self;
  sigset_t all, old;

  /* GLib aborts when it has no file descriptor for a new context: see first that there are some. */
  if (!coproc_wakeup_open (&probe, error))
    return NULL;
  coproc_wakeup_close (&probe);

  self = g_new0 (CoprocIo, 1);
  self->context = g_main_context_new ();

  /* The application's signals are not for this thread, and a SIGPIPE that its writes raise stays
   * pending here for ever, without harm. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &old);
  self->thread = g_thread_try_new ("coproc-io", coproc_io_run, self, error);
  pthread_sigmask (SIG_SETMASK, &old, NULL);

  if (self->thread == NULL)
    {
      coproc_io_free (self);
      return NULL;
    }
  return self;
}

GMainContext *
coproc_io_ref (GError **error)
{
  static CoprocForkGuard guard;
  static gsize guarded;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = NULL;

  if (g_once_init_enter (&guarded))
    {
      coproc_fork_guard_add (&guard, COPROC_FORK_IO, &io_lock, coproc_io_disown, NULL);
      g_once_init_leave (&guarded, 1);
    }
  locker = g_mutex_locker_new (&io_lock);

  if (io == NULL)
    {
      io = coproc_io_start (error);
      if (io == NULL)
        return NULL;
    }
  io_users++;
  return io->context;
}

void
coproc_io_unref (void)
{
  CoprocIo *last = NULL;

  g_mutex_lock (&io_lock);
  if (--io_users == 0)
    last = g_steal_pointer (&io);
  g_mutex_unlock (&io_lock);

  if (last == NULL)
    return;

  if (last->thread == g_thread_self ())
    {
      g_atomic_int_set (&last->detached, TRUE);
      g_thread_unref (last->thread);
      g_atomic_int_set (&last->quit, TRUE);
    }
  else
    {
      g_atomic_int_set (&last->quit, TRUE);
      g_main_context_wakeup (last->context);
      g_thread_join (last->thread);
      coproc_io_free (last);
    }
}

GSource *
coproc_io_add_timeout (GMainContext   *context,
                       gint64          delay_us,
                       GSourceFunc     func,
                       gpointer        data,
                       GDestroyNotify  notify)
{
  GSource *source = g_timeout_source_new ((guint) CLAMP ((delay_us + 999) / 1000, 0, G_MAXINT));

  g_source_set_static_name (source, "coproc timeout");
  g_source_set_callback (source, func, data, notify);
  g_source_attach (source, context);
  return source;
}
