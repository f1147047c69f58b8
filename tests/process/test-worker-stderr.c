/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker prints, and a host whose own standard error takes nothing.
 */
#include "worker-util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECOND G_USEC_PER_SEC
#define WATCH_US (SECOND / 2) /* how long a test watches that nothing changes */
#define PROMPT_US (SECOND * 3 / 2) /* well before output that cannot be shown is given up */
#define SPAM_BLOCK 65536 /* after which what `hostile` spams begins again */

/* --- the modes --- */

static void
on_line (CoprocWorkerResource *worker, const char *line, gpointer user_data)
{
  g_assert_true (g_utf8_validate (line, -1, NULL));
  g_ptr_array_add (user_data, g_strdup (line));
}

static void
test_lines (void)
{
  CoprocWorkerResource *worker = new_worker ("print");
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  Exited exited = { 0 };

  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_CAPTURE, NULL);
  g_signal_connect (worker, "stderr-line", G_CALLBACK (on_line), lines);
  g_signal_connect (worker, "exited", G_CALLBACK (on_exited), &exited);
  start_worker (worker, NULL);
  await_message (worker, "printed");
  assert_stop (worker, 10 * SECOND);
  coproc_test_until (exited.n == 1);

  /* all of them before the end is told */
  g_assert_cmpuint (lines->len, ==, 6);
  g_assert_cmpstr (lines->pdata[0], ==, "on stdout");
  g_assert_cmpstr (lines->pdata[1], ==, "bad \357\277\275\357\277\275 bytes");
  g_assert_cmpuint (strlen (lines->pdata[2]), ==, 8192);
  g_assert_cmpuint (strlen (lines->pdata[3]), ==, 8192);
  g_assert_cmpuint (strlen (lines->pdata[4]), ==, 20000 - 2 * 8192);
  g_assert_cmpstr (lines->pdata[5], ==, "no newline");
  coproc_test_finalize (worker);
}

static void
run_printing_worker (CoprocStderrMode mode, gboolean inherit_stdout)
{
  CoprocWorkerResource *worker = new_worker ("print");

  g_object_set (worker, "stderr-mode", mode, "inherit-stdout", inherit_stdout, NULL);
  start_worker (worker, NULL);
  await_message (worker, "printed");
  assert_stop (worker, 10 * SECOND);
  coproc_test_finalize (worker);
}

static void
test_inherit (void)
{
  if (g_test_subprocess ())
    {
      run_printing_worker (COPROC_STDERR_MODE_INHERIT, FALSE);
      return;
    }
  g_test_trap_subprocess (NULL, 60 * SECOND, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*on stdout\n*xxxx\nno newline*");
}

static void
test_discard (void)
{
  if (g_test_subprocess ())
    {
      run_printing_worker (COPROC_STDERR_MODE_DISCARD, FALSE);
      return;
    }
  g_test_trap_subprocess (NULL, 60 * SECOND, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr_unmatched ("*on stdout*");
}

static void
test_inherit_stdout (void)
{
  if (g_test_subprocess ())
    {
      run_printing_worker (COPROC_STDERR_MODE_DISCARD, TRUE);
      return;
    }
  g_test_trap_subprocess (NULL, 60 * SECOND, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stdout ("*on stdout\n*");
  g_test_trap_assert_stderr_unmatched ("*no newline*");
}

/* --- a standard error that takes nothing --- */

/* Standard error of this process, replaced by a pipe. Nothing may be asserted that is likely to
 * fail while it is full: the message would wait, too. */
typedef struct
{
  int saved;
  int reader; /* -1: closed */
  gsize n_filled;
} Blockage;

static void
blockage_open (Blockage *self)
{
  const guint8 filler[4096] = { 0 };
  gsize size = sizeof filler;
  int fds[2];
  gssize n;

  g_assert_no_errno (pipe2 (fds, O_CLOEXEC | O_NONBLOCK));
  self->n_filled = 0;
  while ((n = write (fds[1], filler, size)) > 0 || size > 1)
    {
      self->n_filled += (gsize) MAX (n, 0);
      if (n < 0)
        size = 1;
    }
  g_assert_cmpint (errno, ==, EAGAIN);
  /* as a shell leaves it: a write waits */
  g_assert_no_errno (fcntl (fds[1], F_SETFL, 0));
  self->reader = fds[0];
  self->saved = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  g_assert_cmpint (self->saved, >=, 0);
  g_assert_no_errno (dup2 (fds[1], STDERR_FILENO));
  close (fds[1]);
}

static void
blockage_close (Blockage *self)
{
  g_assert_no_errno (dup2 (self->saved, STDERR_FILENO));
  close (self->saved);
  if (self->reader >= 0)
    close (self->reader);
}

/* In a process of its own, which is killed if it blocks. */
static gboolean
runs_in_parent (void)
{
  if (g_test_subprocess ())
    return FALSE;

  g_test_trap_subprocess (NULL, 60 * SECOND * (coproc_test_is_slow () ? 5 : 1), 0);
  g_test_trap_assert_passed ();
  return TRUE;
}

static CoprocWorkerResource *
start_printer (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_hostile ();

  g_object_set (worker, "stderr-mode", COPROC_STDERR_MODE_INHERIT, NULL);
  coproc_fault_start (worker, NULL);
  return worker;
}

static void
test_blocked (void)
{
  const guint n_threads = coproc_test_count_threads ();
  CoprocWorkerResource *worker, *other;
  g_autoptr (GError) error = NULL;
  Blockage blockage;
  guint64 rss;
  gint64 start, end;

  g_test_summary ("The worker that prints waits; the host and its other workers do not, and a stop "
                  "takes no longer than ever");
  if (runs_in_parent ())
    return;

  blockage_open (&blockage);
  other = coproc_fault_new_hostile ();
  coproc_fault_start (other, NULL);
  worker = start_printer ();
  rss = coproc_fault_get_rss ();
  coproc_fault_order (worker, "spam stderr 67108864");
  end = g_get_monotonic_time () + WATCH_US;
  do
    coproc_fault_ping (other);
  while (g_get_monotonic_time () < end);
  coproc_fault_assert_rss (rss, 8 * 1024);

  /* It is in the middle of a write, and hears of no close request. */
  start = g_get_monotonic_time ();
  g_assert_true (coproc_worker_resource_stop (worker, SECOND / 10, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (PROMPT_US));
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGTERM);
  g_assert_true (coproc_worker_resource_join (worker, 0, NULL, &error));
  coproc_test_finalize (worker);

  coproc_fault_ping (other);
  coproc_fault_release (other);
  /* nobody waits for ever for what could not be shown */
  coproc_test_until (coproc_test_count_threads () == n_threads);
  blockage_close (&blockage);
}

static void
test_blocked_end (void)
{
  CoprocWorkerResource *worker;
  g_autoptr (GError) error = NULL;
  Blockage blockage;
  gint64 start;
  GPid pid;

  g_test_summary ("A death is told at once, with what was printed, although that cannot be shown");
  if (runs_in_parent ())
    return;

  blockage_open (&blockage);
  worker = start_printer ();
  pid = coproc_worker_resource_get_pid (worker);
  start = g_get_monotonic_time ();
  coproc_fault_order (worker, "spam stderr 4096; say 42; exit 3");
  error = coproc_fault_receive_error (coproc_worker_resource_get_messenger (worker));
  g_assert_true (coproc_worker_resource_join (worker, 60 * SECOND, NULL, NULL));
  g_assert_cmpint (g_get_monotonic_time () - start, <, coproc_fault_limit (PROMPT_US));
  coproc_fault_assert_died (error, pid, "exit code 3");
  g_assert_nonnull (strstr (error->message, "hostile says 42"));
  coproc_fault_release (worker);
  blockage_close (&blockage);
}

/* What comes out of the pipe, up to @size bytes. */
static GByteArray *
read_output (int fd, gsize size)
{
  GByteArray *output = g_byte_array_new ();
  gint64 deadline = coproc_test_deadline (30000);

  while (output->len < size)
    {
      guint8 buffer[4096];
      gssize n = read (fd, buffer, MIN (sizeof buffer, size - output->len));

      if (n > 0)
        g_byte_array_append (output, buffer, (guint) n);
      else
        coproc_test_turn (deadline, "a worker's output");
    }
  return output;
}

static void
test_blocked_for_a_while (void)
{
  const gsize n_spam = 300000;
  const char *first = "hostile says 42\n", *last = "hostile says 43\n";
  CoprocTestResult result = { 0 };
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger;
  g_autoptr (GByteArray) output = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *at;
  Blockage blockage;

  g_test_summary ("Once there is room, all comes, in order");
  if (runs_in_parent ())
    return;

  blockage_open (&blockage);
  worker = start_printer ();
  messenger = coproc_worker_resource_get_messenger (worker);
  coproc_messenger_call_async (
      messenger, g_variant_new_string ("say 42; spam stderr 300000; say 43; reply 1"), "do",
      60 * SECOND, NULL, coproc_test_result_store, &result);
  output = read_output (blockage.reader,
                        blockage.n_filled + strlen (first) + n_spam + strlen (last));
  reply = coproc_messenger_call_finish (messenger, coproc_test_result_wait (&result), &error);
  blockage_close (&blockage);

  g_assert_no_error (error);
  at = output->data + blockage.n_filled;
  g_assert_cmpmem (at, strlen (first), first, strlen (first));
  at += strlen (first);
  for (gsize i = 0; i < n_spam; i++)
    {
      const guint8 value = (guint8) (i % SPAM_BLOCK % 251);

      g_assert_cmpuint (at[i], ==, value == '\n' ? 0xff : value);
    }
  at += n_spam;
  g_assert_cmpmem (at, strlen (last), last, strlen (last));
  coproc_test_result_clear (&result);
  coproc_fault_release (worker);
}

static void
test_closed (void)
{
  g_autoptr (GByteArray) filler = NULL;
  CoprocWorkerResource *worker;
  Blockage blockage;

  g_test_summary ("Where nobody will ever read it, it is thrown away, without a SIGPIPE");
  if (runs_in_parent ())
    return;

  g_assert_true (signal (SIGPIPE, SIG_DFL) != SIG_ERR);
  blockage_open (&blockage);
  /* with room in it: it is the write that finds out */
  filler = read_output (blockage.reader, blockage.n_filled);
  close (blockage.reader);
  blockage.reader = -1;
  worker = start_printer ();
  coproc_fault_order (worker, "spam stderr 4194304");
  coproc_fault_ping (worker);
  coproc_fault_release (worker);
  blockage_close (&blockage);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);

  coproc_test_add ("/coproc/worker/stderr/lines", test_lines);
  coproc_test_add ("/coproc/worker/stderr/inherit", test_inherit);
  coproc_test_add ("/coproc/worker/stderr/discard", test_discard);
  coproc_test_add ("/coproc/worker/stderr/inherit-stdout", test_inherit_stdout);
  coproc_test_add ("/coproc/worker/stderr/blocked", test_blocked);
  coproc_test_add ("/coproc/worker/stderr/blocked-end", test_blocked_end);
  coproc_test_add ("/coproc/worker/stderr/blocked-for-a-while", test_blocked_for_a_while);
  coproc_test_add ("/coproc/worker/stderr/closed", test_closed);

  return g_test_run ();
}
