/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Looking at a plugin in a child process. The child writes one serialised GVariant of type `v`: the
 * facts, or an error. It is not trusted: constructors of the plugin run in it.
 */
#include "worker/coproc-plugin-inspect-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "coproc-error-private.h"
#include "coproc-interrupt-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-transport-private.h"
#include "wire/coproc-unix-private.h"
#include "worker/coproc-offspring-private.h"
#include "worker/coproc-plugin-loader-private.h"
#include "worker/coproc-process-private.h"
#include "worker/coproc-spawn-private.h"
#include "worker/coproc-stderr-tail-private.h"

#define DEADLINE_US (10 * G_USEC_PER_SEC)
#define REAP_US (5 * G_USEC_PER_SEC)  /* how long SIGKILL may take */
#define MAX_RESULT_SIZE (256 * 1024)
#define LAST_WORDS_SIZE 4096

/* --- the child --- */

static GVariant *
make_facts (CoprocLoadedPlugin *loaded)
{
  const CoprocPluginDescriptor *descriptor = loaded->descriptor;
  GVariantBuilder entries;

  g_variant_builder_init (&entries, G_VARIANT_TYPE ("a(ss)"));
  for (gsize i = 0; i < descriptor->n_entries; i++)
    g_variant_builder_add (&entries, "(ss)", descriptor->entries[i].name,
                           descriptor->entries[i].description);

  return g_variant_ref_sink (g_variant_new (COPROC_PLUGIN_FACTS_TYPE, loaded->path,
                                            descriptor->name, descriptor->version,
                                            descriptor->description, &entries));
}

static void
print_plugin (CoprocLoadedPlugin *loaded)
{
  const CoprocPluginDescriptor *descriptor = loaded->descriptor;

  g_print ("%s %s: %s\n%s\n", descriptor->name, descriptor->version, descriptor->description,
           loaded->path);
  for (gsize i = 0; i < descriptor->n_entries; i++)
    g_print ("  %s (%s): %s\n", descriptor->entries[i].name,
             descriptor->entries[i].task != NULL ? "task" : "worker",
             descriptor->entries[i].description);
}

static void
write_result (int fd, GVariant *result)
{
  g_autoptr (GVariant) wrapped = g_variant_ref_sink (g_variant_new_variant (result));
  const guint8 *data = g_variant_get_data (wrapped);
  gsize left = g_variant_get_size (wrapped);

  while (left > 0)
    {
      gssize n = write (fd, data, left);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return;
      data += n;
      left -= (gsize) n;
    }
}

int
coproc_plugin_inspect_main (const char *plugin, int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CoprocLoadedPlugin) loaded = coproc_plugin_load (plugin, &error);
  g_autoptr (GVariant) result = NULL;

  if (fd < 0)
    {
      if (loaded != NULL)
        print_plugin (loaded);
      else
        g_printerr ("%s\n", error->message);
      return loaded != NULL ? 0 : 1;
    }

  result = loaded != NULL ? make_facts (loaded) : coproc_error_to_variant (error);
  write_result (fd, result);
  coproc_clear_fd (&fd);

  return loaded != NULL ? 0 : 1;
}

/* --- the host --- */

/* One child. The thread that inspects and the process watch have a reference each. */
typedef struct
{
  CoprocProcess *process;      /* immutable */
  CoprocStderrTail *tail;      /* immutable */
  GMutex lock;
  GCond cond;
  gboolean ended;              /* (mutex lock) */
} Inspection;

static void
inspection_clear (gpointer data)
{
  Inspection *self = data;

  coproc_process_unref (self->process);
  coproc_stderr_tail_unref (self->tail);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
}

static void
inspection_unref (Inspection *self)
{
  g_atomic_rc_box_release_full (self, inspection_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Inspection, inspection_unref)

/* Background thread. */
static void
on_exited (CoprocProcess *process, gpointer user_data)
{
  Inspection *self = user_data;

  coproc_stderr_tail_finish (self->tail);
  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  inspection_unref (self);
  coproc_io_unref ();
}

static gboolean
launch_inspector (const char *plugin, const char *mark, int result_fd, int stderr_fd, GPid *pid, GError **error)
{
  g_autofree char *helper = coproc_spawn_dup_helper_path ();
  g_auto (GStrv) environment = coproc_spawn_dup_environment (NULL);
  const char *const argv[] = { helper, "--inspect", "--", plugin, NULL };

  environment = g_environ_setenv (environment, "COPROC_WORKER_FDS",
                                  "-1," G_STRINGIFY (COPROC_CHILD_OUT_FD), TRUE);
  environment = g_environ_setenv (environment, COPROC_MARK_VARIABLE, mark, TRUE);

  return coproc_spawn (&(CoprocLaunch) { .argv = argv,
                                         .envp = (const char *const *) environment,
                                         .in_fd = -1,
                                         .out_fd = result_fd,
                                         .memory_fd = -1,
                                         .stderr_fd = stderr_fd },
                       pid, error);
}

/* Takes @stderr_fds[0]; closes what the child has of the two pipes. */
static Inspection *
inspection_new (const char *plugin, int result_fds[2], int stderr_fds[2], GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autofree char *mark = coproc_offspring_new_mark ();
  GMainContext *io = coproc_io_ref (&local_error);
  CoprocStderrTail *tail = NULL;
  Inspection *self;
  GPid pid;

  if (io != NULL)
    tail = coproc_stderr_tail_new (g_steal_fd (&stderr_fds[0]), FALSE, &local_error);
  if (tail == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "A plugin cannot be looked at: %s",
                   local_error->message);
      if (io != NULL)
        coproc_io_unref ();
      return NULL;
    }
  if (!launch_inspector (plugin, mark, result_fds[1], stderr_fds[1], &pid, error))
    {
      coproc_stderr_tail_unref (tail);
      coproc_io_unref ();
      return NULL;
    }
  coproc_clear_fd (&result_fds[1]);
  coproc_clear_fd (&stderr_fds[1]);

  self = g_atomic_rc_box_new0 (Inspection);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->process = coproc_process_new (pid, mark);
  self->tail = tail;
  coproc_stderr_tail_start (tail, NULL, NULL, NULL);
  coproc_process_watch (self->process, io, TRUE, on_exited, g_atomic_rc_box_acquire (self));

  return self;
}

/* Waits until there is something to read, or until @deadline. FALSE: a signal has ended the wait, and @error is set. */
static gboolean
await_input (int fd, gint64 deadline, GError **error)
{
  const gint64 limit = coproc_interrupt_limit (deadline);

  coproc_transport_poll (fd, -1, limit);
  coproc_interrupt_ask_at_limit (limit, deadline);
  return !coproc_interrupt_take (error);
}

/* Reads what the child writes until it closes the pipe. FALSE: it has not in time, or a signal has ended the wait, and
 * only then @error is set. */
static gboolean
read_result (int fd, GByteArray *result, gint64 deadline, GError **error)
{
  while (result->len <= MAX_RESULT_SIZE)
    {
      guint8 buffer[4096];
      gssize n;

      if (g_get_monotonic_time () >= deadline || !await_input (fd, deadline, error))
        return FALSE;
      n = read (fd, buffer, sizeof buffer);
      if (n < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      if (n <= 0)
        return TRUE;
      g_byte_array_append (result, buffer, (guint) n);
    }

  return TRUE;
}

/* Kills the child unless it ends by itself before @deadline, or a signal ends the wait for that, which is no error: the
 * child has said what it had to say. Afterwards it is reaped. */
static void
wait_for_child (Inspection *self, gint64 deadline)
{
  gint64 last = g_get_monotonic_time () + REAP_US;

  g_mutex_lock (&self->lock);
  while (!self->ended && g_get_monotonic_time () < deadline && !coproc_interrupt_take (NULL))
    coproc_interrupt_wait (&self->cond, &self->lock, deadline);
  if (!self->ended)
    {
      coproc_process_signal (self->process, SIGKILL);
      last = g_get_monotonic_time () + REAP_US;
    }
  while (!self->ended && g_cond_wait_until (&self->cond, &self->lock, last))
    ;
  g_mutex_unlock (&self->lock);
}

/* What the child has written, checked. */
static GVariant *
parse_result (GByteArray *array, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new (array->data, array->len);
  g_autoptr (GVariant) wrapped = NULL;
  g_autoptr (GVariant) result = NULL;

  wrapped = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARIANT, bytes, FALSE));
  if (array->len > 0 && g_variant_is_normal_form (wrapped))
    {
      result = g_variant_get_variant (wrapped);
      if (g_variant_is_of_type (result, G_VARIANT_TYPE (COPROC_PLUGIN_FACTS_TYPE)))
        return g_steal_pointer (&result);
      if (g_variant_is_of_type (result, COPROC_ERROR_VARIANT_TYPE))
        {
          g_propagate_error (error, coproc_error_from_variant (result));
          return NULL;
        }
    }

  return NULL;
}

/* The child has said nothing of use. */
static void
set_child_error (Inspection *self, const char *plugin, gboolean in_time, GError **error)
{
  CoprocExit status = coproc_process_get_exit (self->process);
  g_autofree char *how = coproc_exit_describe (&status, FALSE);
  g_autofree char *text = coproc_stderr_tail_dup_text (self->tail, LAST_WORDS_SIZE);
  const char *intro = *text != '\0' ? "\nIts stderr ends with:\n" : "";

  if (!in_time)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDSHAKE_TIMEOUT,
                 "Plugin '%s' was not loaded within %d s%s%s", plugin,
                 (int) (DEADLINE_US / G_USEC_PER_SEC), intro, text);
  else
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
                 "Process %d died while loading plugin '%s': %s%s%s",
                 (int) coproc_process_get_pid (self->process), plugin, how, intro, text);
}

GVariant *
coproc_plugin_inspect_in_child (const char *plugin, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + DEADLINE_US;
  int result_fds[2] = { -1, -1 }, stderr_fds[2] = { -1, -1 };
  g_autoptr (Inspection) inspection = NULL;
  g_autoptr (GByteArray) result = g_byte_array_new ();
  g_autoptr (GError) local_error = NULL;
  GVariant *facts = NULL;
  gboolean in_time = FALSE;

  if (coproc_unix_pipe (result_fds, &local_error) && coproc_unix_pipe (stderr_fds, &local_error))
    inspection = inspection_new (plugin, result_fds, stderr_fds, &local_error);
  if (inspection != NULL)
    {
      in_time = coproc_unix_set_nonblock (result_fds[0], &local_error)
                && read_result (result_fds[0], result, deadline, &local_error);
      wait_for_child (inspection, in_time ? deadline : 0);
      if (in_time)
        facts = parse_result (result, &local_error);
      if (facts == NULL && local_error == NULL)
        set_child_error (inspection, plugin, in_time, &local_error);
    }
  for (guint i = 0; i < 2; i++)
    {
      coproc_clear_fd (&result_fds[i]);
      coproc_clear_fd (&stderr_fds[i]);
    }

  if (local_error != NULL && local_error->domain != COPROC_ERROR
      && !g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_SPAWN, "A plugin cannot be looked at: %s",
                 local_error->message);
  else if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));

  return facts;
}
