/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Tasks for the tests of pools. Each input is a number, or a vardict that says what is to happen on the
 * way to its result:
 *
 *   value: i    the number (the result is its square)
 *   log: s      a file to which the number is appended first: a record of what was begun
 *   sleep: x    µs, given up when the request is cancelled
 *   stuck: b    sleeps for ever, whatever comes
 *   wait: s     a file whose coming to be is waited for
 *   eat: t      bytes of memory that are kept
 *   die: i      a signal
 *   fail: s     an error
 *   want: s     another result: "pid", "count" (tasks of this worker so far), "argument"
 */
#include <coproc.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static guint n_tasks; /* of a worker process */

static void
append_to_log (const char *path, gint32 value)
{
  char line[16];
  int length = g_snprintf (line, sizeof line, "%d\n", value);
  int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

  /* one write each: lines of several workers do not mix */
  g_assert_cmpint (write (fd, line, (gsize) length), ==, length);
  close (fd);
}

/* Returns: FALSE with error set when it is cancelled */
static gboolean
pass_time (gint64 us, const char *path, GCancellable *cancellable, GError **error)
{
  const gint64 end = g_get_monotonic_time () + us;

  while (path != NULL ? access (path, F_OK) != 0 : g_get_monotonic_time () < end)
    {
      gint64 left = path != NULL ? 1000 : CLAMP (end - g_get_monotonic_time (), 1, 1000);

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      g_usleep ((gulong) left);
    }
  return TRUE;
}

static void
stay_stuck (void)
{
  signal (SIGTERM, SIG_IGN);
  for (;;)
    pause ();
}

static void
eat (guint64 size)
{
  static gpointer *eaten; /* each block begins with the one before it: all are kept */
  gpointer *block;

  if (size < sizeof eaten)
    return;
  block = g_malloc (size);
  memset (block, 1, size);
  *block = eaten;
  eaten = block;
}

static GVariant *
get_result (const char *want, gint32 value, GVariant *arguments)
{
  gint32 argument = -1;

  if (g_strcmp0 (want, "pid") == 0)
    return g_variant_new_int32 ((gint32) getpid ());
  if (g_strcmp0 (want, "count") == 0)
    return g_variant_new_int32 ((gint32) n_tasks);
  if (g_strcmp0 (want, "argument") == 0)
    {
      if (arguments != NULL)
        g_variant_lookup (arguments, "argument", "i", &argument);
      return g_variant_new_int32 (argument);
    }
  return g_variant_new_int32 (value * value);
}

static GVariant *
run_task (GVariant *input, GVariant *arguments, GCancellable *cancellable, GError **error)
{
  const char *log = NULL, *fail = NULL, *want = NULL, *wait = NULL;
  gint32 value = 0, signum = 0;
  gint64 sleep_us = 0;
  guint64 size = 0;
  gboolean stuck = FALSE;

  g_atomic_int_inc ((int *) &n_tasks);
  if (g_variant_is_of_type (input, G_VARIANT_TYPE_INT32))
    return get_result (NULL, g_variant_get_int32 (input), NULL);
  if (!coproc_payload_get (input, error, "a{sv}", NULL))
    return NULL;

  g_variant_lookup (input, "value", "i", &value);
  if (g_variant_lookup (input, "log", "&s", &log))
    append_to_log (log, value);
  if (g_variant_lookup (input, "sleep", "x", &sleep_us) && !pass_time (sleep_us, NULL, cancellable, error))
    return NULL;
  if (g_variant_lookup (input, "wait", "&s", &wait) && !pass_time (-1, wait, cancellable, error))
    return NULL;
  if (g_variant_lookup (input, "stuck", "b", &stuck) && stuck)
    stay_stuck ();
  if (g_variant_lookup (input, "eat", "t", &size))
    eat (size);
  if (g_variant_lookup (input, "die", "i", &signum))
    {
      signal (signum, SIG_DFL);
      raise (signum);
    }
  if (g_variant_lookup (input, "fail", "&s", &fail))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, fail);
      return NULL;
    }
  g_variant_lookup (input, "want", "&s", &want);
  return get_result (want, value, arguments);
}

/* For benchmarks: keeps the processor busy for as many µs as the input, of type `ay`, begins with in eight bytes of
 * little-endian order, and gives it back. */
static GVariant *
spin_task (GVariant *input, GVariant *arguments, GCancellable *cancellable, GError **error)
{
  const gint64 begin = g_get_monotonic_time ();
  gint64 us = 0;

  if (g_variant_get_size (input) >= sizeof us)
    memcpy (&us, g_variant_get_data (input), sizeof us);
  while (us > 0 && g_get_monotonic_time () - begin < us)
    ;
  return g_variant_ref (input);
}

/* A worker that talks: messages before and after each reply, and an error in between. */
static gboolean
chatty_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  for (;;)
    {
      g_autoptr (CoprocMessage) request = coproc_messenger_receive_any (messenger, -1, NULL, error);
      g_autoptr (GError) report = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "so much to do");
      gint32 value;

      if (request == NULL)
        return FALSE;
      value = g_variant_get_int32 (coproc_message_get_payload (request));
      if (!coproc_messenger_send_norequest (messenger, g_variant_new_string ("half done"), NULL, error)
          || !coproc_messenger_send_norequest (messenger, g_variant_new_double (0.5), "progress", error)
          || !coproc_messenger_send_error (messenger, report, error)
          || !coproc_messenger_reply (messenger, request, g_variant_new_int32 (value * value), error)
          || !coproc_messenger_send_norequest (messenger, g_variant_new_string ("done"), NULL, error))
        return FALSE;
    }
}

/* A worker that refuses to work. */
static gboolean
refuse_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, "it is Sunday");
  return FALSE;
}

COPROC_DEFINE_PLUGIN ("tasks",
                      "1.0",
                      "Tasks that do as they are told",
                      COPROC_TASK ("run", run_task, "does what its input says"),
                      COPROC_TASK ("spin", spin_task, "is busy for as long as its input says"),
                      COPROC_ENTRY_POINT ("chatty", chatty_run, "squares numbers and talks about it"),
                      COPROC_ENTRY_POINT ("refuse", refuse_run, "ends at once"))
