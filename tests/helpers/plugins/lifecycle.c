/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A plugin whose workers end in every way that a host must cope with.
 */
#include <coproc.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

G_NORETURN static void
wait_for_ever (void)
{
  while (TRUE)
    pause ();
}

/* Leaves a file behind, named by the argument, as the last thing it does: proof of a clean end. */
static gboolean
leave_file (GVariant *arguments, const char *text, GError **error)
{
  const char *path;

  if (arguments == NULL || !g_variant_lookup (arguments, "path", "&s", &path))
    return TRUE;
  return g_file_set_contents (path, text, -1, error);
}

/* Answers requests until it is told to end, then cleans up. */
static gboolean
clean_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (CoprocMessage) message = NULL;

  while ((message = coproc_messenger_receive_any (messenger, -1, NULL, &local_error)) != NULL)
    {
      if (coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST
          && !coproc_messenger_reply (messenger, message, coproc_message_get_payload (message),
                                      error))
        return FALSE;
      g_clear_pointer (&message, coproc_message_unref);
    }
  if (!leave_file (arguments, "clean", error))
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Says its arguments and ends. */
static gboolean
say_arguments (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_autofree char *cwd = g_get_current_dir ();
  const char *variable = g_getenv ("LIFECYCLE");

  if (!coproc_messenger_send_norequest (
          messenger, arguments != NULL ? arguments : g_variant_new_string ("none"), NULL, error))
    return FALSE;
  return coproc_messenger_send_norequest (
      messenger, g_variant_new ("(ss)", cwd, variable != NULL ? variable : ""), "surroundings",
      error);
}

/* Answers five requests, whoever asks it to end meanwhile, sends a lot more, and ends. */
static gboolean
last_words (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_autofree guint8 *data = g_malloc0 (1 << 20);
  guint n_answered = 0;

  while (n_answered < 5)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (GVariant) request
          = coproc_messenger_receive_blocking (messenger, NULL, NULL, &local_error);

      if (request != NULL)
        {
          if (!coproc_messenger_send_reply (messenger, request, NULL, error))
            return FALSE;
          n_answered++;
        }
      else if (!g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
  return coproc_messenger_send_bytes (messenger, data, 1 << 20, "bulk", error);
}

static gboolean
fail_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for this");
  return FALSE;
}

static gboolean
fail_silently (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  return FALSE;
}

/* Ends the process in the way that the argument names, once a message has come. */
static gboolean
die_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) message = coproc_messenger_receive_blocking (messenger, NULL, NULL, error);
  gint32 signum = 0, code = 0;

  if (message == NULL)
    return FALSE;
  g_printerr ("these are the last words\n");
  if (g_variant_lookup (arguments, "signal", "i", &signum))
    {
      signal (signum, SIG_DFL);
      raise (signum);
    }
  g_variant_lookup (arguments, "code", "i", &code);
  exit (code);
}

/* Neither a close request nor SIGTERM ends it. */
static gboolean
stubborn_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  signal (SIGTERM, SIG_IGN);
  if (!coproc_messenger_send_norequest (messenger, g_variant_new_string ("ready"), NULL, error))
    return FALSE;
  wait_for_ever ();
}

static void
write_all (const char *data, gsize size)
{
  while (size > 0)
    {
      gssize n = write (STDERR_FILENO, data, size);

      if (n <= 0)
        return;
      data += n;
      size -= (gsize) n;
    }
}

/* Prints to both streams, a line that is no UTF-8, one that is long, and one that is not ended. */
static gboolean
print_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  g_autofree char *long_line = g_strnfill (20000, 'x');

  printf ("on stdout\n");
  fflush (stdout);
  write_all ("bad \xff\xfe bytes\n", 13);
  write_all (long_line, 20000);
  write_all ("\nno newline", 11);
  return coproc_messenger_send_norequest (messenger, g_variant_new_string ("printed"), NULL, error);
}

/* Closes its connection and lives on. A pipe takes its place, so that the library does not notice. */
static gboolean
cut_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  int fds[2];

  if (pipe (fds) != 0)
    return FALSE;
  dup2 (fds[0], 10);
  dup2 (fds[1], 11);
  wait_for_ever ();
}

/* Sends what is no frame and lives on. */
static gboolean
garble_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  const char garbage[64] = "this is not a frame, whatever it looks like";

  if (write (11, garbage, sizeof garbage) != sizeof garbage)
    return FALSE;
  wait_for_ever ();
}

/* Leaves a process behind that holds everything it was given open, which fork() would make it let go of. */
static gboolean
daemon_run (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  pid_t pid = (pid_t) syscall (SYS_clone, SIGCHLD, 0, 0, 0, 0);

  if (pid == 0)
    {
      fcntl (11, F_SETFD, 0);
      wait_for_ever ();
    }
  if (!coproc_messenger_send_norequest (messenger, g_variant_new_int32 (pid), NULL, error))
    return FALSE;
  _exit (3);
}

static GVariant *
answer_task (GVariant *input, GVariant *arguments, GCancellable *cancellable, GError **error)
{
  const char *text;

  if (!coproc_payload_get (input, error, "&s", &text))
    return NULL;
  if (g_str_equal (text, "nothing"))
    return NULL;
  if (g_str_equal (text, "fail"))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "it is not there");
      return NULL;
    }
  if (g_str_equal (text, "wait"))
    {
      while (!g_cancellable_set_error_if_cancelled (cancellable, error))
        g_usleep (1000);
      return NULL;
    }
  return g_variant_new_string (text);
}

COPROC_DEFINE_PLUGIN ("lifecycle",
                      "1.2",
                      "Workers that end in many ways",
                      COPROC_ENTRY_POINT ("clean", clean_run, "cleans up when it is told to end"),
                      COPROC_ENTRY_POINT ("arguments",
                                          say_arguments,
                                          "says what it was started with"),
                      COPROC_ENTRY_POINT ("last-words", last_words, "sends a lot and ends"),
                      COPROC_ENTRY_POINT ("fail", fail_run, "fails"),
                      COPROC_ENTRY_POINT ("fail-silently", fail_silently, "fails without an error"),
                      COPROC_ENTRY_POINT ("die", die_run, "dies"),
                      COPROC_ENTRY_POINT ("stubborn", stubborn_run, "must be killed"),
                      COPROC_ENTRY_POINT ("print", print_run, "prints"),
                      COPROC_ENTRY_POINT ("cut", cut_run, "closes its connection"),
                      COPROC_ENTRY_POINT ("garble", garble_run, "breaks the protocol"),
                      COPROC_ENTRY_POINT ("daemon", daemon_run, "leaves a process behind"),
                      COPROC_TASK ("answer", answer_task, "answers, or fails"))
