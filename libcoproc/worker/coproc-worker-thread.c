/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a thread of the host. It does what a worker process does, with two differences:
 * its link is in memory, so that payloads cross by reference, and it can only be asked to end.
 */
#include "worker/coproc-worker-run-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "messenger/coproc-multi-messenger.h"
#include "messenger/coproc-priority-messenger.h"
#include "wire/coproc-io-private.h"
#include "worker/coproc-worker-connect-private.h"
#include "worker/coproc-worker-serve-private.h"

/* The thread's own, until it is done; then the background thread's. */
typedef struct
{
  CoprocWorkerRun *run;            /* (owned) */
  CoprocTransportLink *link;       /* (nullable) (owned) */
  CoprocSharedMemory *memory;      /* (owned) */
  GType messenger_type;
  char *plugin;                    /* (nullable) */
  char *entry_point;               /* (nullable) */
  CoprocWorkerFunction *function;  /* (nullable) (owned) */
  CoprocExit status;
} ThreadJob;

static void
thread_job_free (gpointer data)
{
  ThreadJob *self = data;

  if (self->link != NULL)
    self->link->ops->free (self->link);
  coproc_shared_memory_unref (self->memory);
  g_clear_pointer (&self->function, coproc_worker_function_unref);
  coproc_worker_run_unref (self->run);
  g_free (self->plugin);
  g_free (self->entry_point);
  g_free (self);
}

/* Background thread. */
static gboolean
on_thread_done (gpointer user_data)
{
  ThreadJob *job = user_data;

  coproc_worker_run_ended (job->run, job->status);
  return G_SOURCE_REMOVE;
}

/* Everything that runs code of the plugin, or of the application. Its messenger has the thread's own
 * context, as that of a process has its main one. */
static gboolean
serve (ThreadJob *job)
{
  CoprocTransportLink *link = g_steal_pointer (&job->link);
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocMessenger) messenger
      = coproc_messenger_new_for_transport (job->messenger_type, NULL, link, &error);

  if (messenger == NULL)
    return FALSE;
  coproc_messenger_set_status (messenger, job->memory, TRUE);
  if (!coproc_worker_await_greeting (messenger, NULL, &arguments, &error))
    return FALSE;

  if (job->function != NULL)
    coproc_worker_serve_function (job->function->func, job->function->user_data, messenger, arguments,
                                  &error);
  else
    coproc_worker_serve_plugin (job->plugin, job->entry_point, messenger, arguments, &error);
  coproc_worker_leave_host (messenger, error);

  return error == NULL;
}

static gpointer
run_thread (gpointer user_data)
{
  ThreadJob *job = user_data;
  /* The end may be told, and the background thread's last user gone with it, before the source has been let go
   * of here. */
  g_autoptr (GMainContext) io = g_main_context_ref (job->run->io);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) source = g_idle_source_new ();
  gboolean clean;

  g_main_context_push_thread_default (context);
  clean = serve (job);
  g_main_context_pop_thread_default (context);

  /* What frees it is the application's: not for the background thread. */
  g_clear_pointer (&job->function, coproc_worker_function_unref);
  job->status = (CoprocExit) { .kind = COPROC_EXIT_CODE, .value = clean ? 0 : 1 };
  g_source_set_static_name (source, "coproc worker thread");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_thread_done, job, thread_job_free);
  g_source_attach (source, io);

  return NULL;
}

static ThreadJob *
thread_job_new (CoprocWorkerRun *run, CoprocTransportLink *link)
{
  const CoprocWorkerSetup *setup = run->setup;
  ThreadJob *self = g_new0 (ThreadJob, 1);
  gboolean by_priority;

  /* Both ends deliver in the same order. */
  g_object_get (run->messenger, "by-priority", &by_priority, NULL);
  self->messenger_type = by_priority ? COPROC_TYPE_PRIORITY_MESSENGER : COPROC_TYPE_MULTI_MESSENGER;
  self->run = coproc_worker_run_ref (run);
  self->link = link;
  self->memory = coproc_shared_memory_new_local (COPROC_STATUS_PAGE_SIZE);
  coproc_messenger_set_status (run->messenger, self->memory, FALSE);
  self->plugin = g_strdup (setup->plugin);
  self->entry_point = g_strdup (setup->entry_point);
  if (setup->function != NULL)
    self->function = g_atomic_rc_box_acquire (setup->function);
  return self;
}

gboolean
coproc_worker_run_launch_thread (CoprocWorkerRun *self, GError **error)
{
  CoprocTransportLink *near_end = NULL, *far_end = NULL;
  g_autoptr (GError) local_error = NULL;
  GThread *thread = NULL;
  ThreadJob *job;

  self->io = coproc_io_ref (&local_error);
  if (self->io != NULL && coproc_memory_transport_new_pair (&near_end, &far_end, &local_error))
    self->messenger = coproc_messenger_new_for_transport (self->setup->messenger_type, self->setup->context,
                                                          near_end, &local_error);
  if (self->messenger != NULL)
    {
      job = thread_job_new (self, g_steal_pointer (&far_end));
      thread = g_thread_try_new ("coproc-worker", run_thread, job, &local_error);
      if (thread == NULL)
        thread_job_free (job);
    }
  if (far_end != NULL)
    far_end->ops->free (far_end);
  if (thread == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "A worker thread cannot be started: %s",
                   local_error->message);
      return FALSE;
    }

  g_thread_unref (thread);
  g_mutex_lock (&self->lock);
  coproc_worker_run_launched_locked (self);
  g_mutex_unlock (&self->lock);
  return TRUE;
}
