/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that does what a worker must not do.
 *
 * It takes instructions, several separated by ";", from the start's argument `do`, before it serves;
 * then from strings that come on the channel "do", where the steps run while the request is
 * unanswered; and, while it is being loaded, from the variable HOSTILE_LOAD of its environment.
 * Requests on other channels are echoed.
 */
#include <coproc.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/coproc-shared-layout-private.h"

#define FIRST_PROTOCOL_FD 10
#define HEADER_SIZE 40
#define WIRE_VERSION 1
#define FRAME_KIND_REPLY 8
#define GRANDCHILD_SECONDS 60 /* a test that fails leaves nothing behind for longer */

/* What the steps of one instruction have to do with; request is the one that brought them. */
typedef struct
{
  CoprocMessenger *messenger; /* NULL while loading */
  CoprocMessage *request;     /* (nullable) */
  gboolean done;              /* the entry point shall return now */
  gboolean failed;            /* ... FALSE */
  gboolean ignore_close;
} Hostile;

typedef struct
{
  const char *name;
  void (*run) (Hostile *self, gint64 number);
} Step;

/* --- ends of the process --- */

static void
do_segv (Hostile *self, gint64 number)
{
  signal (SIGSEGV, SIG_DFL);
  raise (SIGSEGV);
}

static void
do_abort (Hostile *self, gint64 number)
{
  signal (SIGABRT, SIG_DFL);
  abort ();
}

static void
do_exit (Hostile *self, gint64 number)
{
  exit ((int) number);
}

static void
do_exit_now (Hostile *self, gint64 number)
{
  _exit ((int) number);
}

static void
do_quick_exit (Hostile *self, gint64 number)
{
  quick_exit ((int) number);
}

static void
do_pthread_exit (Hostile *self, gint64 number)
{
  pthread_exit (NULL);
}

static jmp_buf outside; /* in the entry point, around all that it does */

static void
do_longjmp (Hostile *self, gint64 number)
{
  longjmp (outside, 1);
}

static void
do_kill (Hostile *self, gint64 number)
{
  kill (getpid (), (int) number);
}

static void
do_return (Hostile *self, gint64 number)
{
  self->done = TRUE;
}

static void
do_fail (Hostile *self, gint64 number)
{
  self->done = TRUE;
  self->failed = TRUE;
}

/* --- not ending --- */

static void
do_pause (Hostile *self, gint64 number)
{
  for (;;)
    pause ();
}

static void
do_busy (Hostile *self, gint64 number)
{
  volatile guint64 counter = 0;

  for (;;)
    counter++;
}

static void
do_ignore_term (Hostile *self, gint64 number)
{
  signal (SIGTERM, SIG_IGN);
}

static void
do_ignore_close (Hostile *self, gint64 number)
{
  self->ignore_close = TRUE;
}

/* --- the protocol's descriptors --- */

static int
find_out_fd (void)
{
  for (int fd = FIRST_PROTOCOL_FD; fd < FIRST_PROTOCOL_FD + 16; fd++)
    {
      struct stat info;

      if (fstat (fd, &info) == 0 && S_ISFIFO (info.st_mode)
          && (fcntl (fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
        return fd;
    }
  g_assert_not_reached ();
}

/* The library holds them open under their numbers, and polls them: they are replaced by a pipe of
 * our own that stays silent, which for the host is the same as closing them. */
static void
cut_off (gboolean outgoing)
{
  DIR *dir = opendir ("/proc/self/fd");
  struct dirent *entry;
  ino_t write_inodes[16];
  gsize n_write_inodes = 0;
  int found[16];
  gsize n_found = 0;
  int dead[2];

  g_assert (dir != NULL);
  while ((entry = readdir (dir)) != NULL)
    {
      int fd = atoi (entry->d_name);
      struct stat info;

      if (fd < FIRST_PROTOCOL_FD || fstat (fd, &info) < 0 || !S_ISFIFO (info.st_mode))
        continue;
      if ((fcntl (fd, F_GETFL) & O_ACCMODE) != O_RDONLY && n_write_inodes < G_N_ELEMENTS (write_inodes))
        write_inodes[n_write_inodes++] = info.st_ino;
      if (n_found < G_N_ELEMENTS (found))
        found[n_found++] = fd;
    }
  closedir (dir);
  g_assert (pipe2 (dead, O_CLOEXEC | O_NONBLOCK) == 0);
  for (gsize i = 0; i < n_found; i++)
    {
      struct stat info;
      gboolean is_out = FALSE;

      g_assert (fstat (found[i], &info) == 0);
      for (gsize j = 0; j < n_write_inodes; j++)
        is_out = is_out || write_inodes[j] == info.st_ino;
      if (is_out == outgoing)
        dup2 ((fcntl (found[i], F_GETFL) & O_ACCMODE) == O_RDONLY ? dead[0] : dead[1], found[i]);
    }
}

static void
do_close_in (Hostile *self, gint64 number)
{
  cut_off (FALSE);
}

static void
do_close_out (Hostile *self, gint64 number)
{
  cut_off (TRUE);
}

static void
do_close_both (Hostile *self, gint64 number)
{
  cut_off (FALSE);
  cut_off (TRUE);
}

/* The memory that is shared with the host. NULL: there is none. */
static guint8 *
find_memory (gsize *size)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      guint8 *from;

      if (strstr (lines[i], "/memfd:coproc") == NULL || strstr (lines[i], "rw-s") == NULL)
        continue;
      from = (guint8 *) g_ascii_strtoull (lines[i], NULL, 16);
      *size = (gsize) ((guint8 *) g_ascii_strtoull (strchr (lines[i], '-') + 1, NULL, 16) - from);
      return from;
    }
  return NULL;
}

/* All of it up to the end of the rings. That nobody expects it is the point of it: ThreadSanitizer is not told. */
__attribute__ ((no_sanitize_thread)) static void
do_scribble (Hostile *self, gint64 number)
{
  gsize size;
  guint8 *memory = find_memory (&size);

  g_assert (memory != NULL);
  for (gsize i = 0; i < MIN (size, COPROC_SHARED_RINGS_END); i++)
    memory[i] = (guint8) g_random_int ();
}

/* Writes to the stream behind the library's back, wherever it goes. */
static void
put_bytes (const guint8 *data, gsize size)
{
  gsize memory_size = 0;
  guint8 *memory = find_memory (&memory_size);

  if (memory != NULL && memory_size >= COPROC_SHARED_RINGS_END)
    {
      CoprocRingControl *control = (gpointer) (memory + COPROC_SHARED_RING_TO_HOST);
      guint8 *ring = memory + COPROC_SHARED_RING_TO_HOST + COPROC_RING_CONTROL_SIZE;
      const guint32 n_written = atomic_load (&control->n_written);

      for (gsize i = 0; i < size; i++)
        ring[(n_written + i) % COPROC_RING_SIZE] = data[i];
      atomic_store (&control->n_written, n_written + (guint32) size);
      data = (const guint8 *) "";
      size = 1; /* the bell */
    }
  for (gsize done = 0; done < size;)
    {
      gssize n = write (find_out_fd (), data + done, size - done);

      g_assert (n > 0 || errno == EINTR || errno == EAGAIN);
      done += (gsize) MAX (n, 0);
    }
}

/* --- too much --- */

static void
do_flood (Hostile *self, gint64 number)
{
  g_autoptr (GVariant) payload = g_variant_ref_sink (g_variant_new_uint64 (0));

  /* Each send that finds no room waits for the send-timeout, then it is tried again. */
  for (;;)
    {
      g_autoptr (GError) error = NULL;

      if (!coproc_messenger_send_norequest (self->messenger, payload, "flood", &error)
          && !g_error_matches (error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
        return;
    }
}

static void
spam (int fd, gint64 n_bytes)
{
  guint8 block[65536];

  for (gsize i = 0; i < sizeof block; i++)
    block[i] = (guint8) (i % 251 == '\n' ? 0xff : i % 251);
  while (n_bytes > 0)
    {
      gssize n = write (fd, block, MIN ((gsize) n_bytes, sizeof block));

      if (n < 0 && errno != EINTR)
        return;
      n_bytes -= MAX (n, 0);
    }
}

static void
do_spam_stdout (Hostile *self, gint64 number)
{
  spam (STDOUT_FILENO, number);
}

static void
do_spam_stderr (Hostile *self, gint64 number)
{
  spam (STDERR_FILENO, number);
}

static void
do_say (Hostile *self, gint64 number)
{
  g_printerr ("hostile says %" G_GINT64_FORMAT "\n", number);
}

static void
do_alloc (Hostile *self, gint64 number)
{
  memset (g_malloc ((gsize) number), 1, (gsize) number);
}

/* A process that has all that this one has: fork() would let the library let go of the connection. */
static pid_t
fork_fully (void)
{
  return (pid_t) syscall (SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* A grandchild that keeps every descriptor open. Its pid goes to the host first. */
static void
fork_sleep (Hostile *self, gboolean escape)
{
  pid_t pid = fork_fully ();

  if (pid == 0)
    {
      if (escape)
        setsid ();
      alarm (GRANDCHILD_SECONDS);
      do_pause (self, 0);
    }
  coproc_messenger_send_norequest (self->messenger, g_variant_new_int32 (pid), "grandchild", NULL);
}

static void
do_fork_sleep (Hostile *self, gint64 number)
{
  fork_sleep (self, FALSE);
}

/* Out of the process group: it outlives what is done to the worker's. */
static void
do_fork_escape (Hostile *self, gint64 number)
{
  fork_sleep (self, TRUE);
}

/* --- out of reach --- */

static void
do_mask (Hostile *self, gint64 number)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
}

static void
ignore_signal (int signum)
{
}

static void
do_handle (Hostile *self, gint64 number)
{
  for (int signum = 1; signum < NSIG; signum++)
    signal (signum, ignore_signal);
}

static void
do_closefrom (Hostile *self, gint64 number)
{
  for (int fd = (int) number; fd < 256; fd++)
    close (fd);
}

/* What a daemon does to be alone: two processes on, in a session of its own, with nothing open. */
static void
do_daemonise (Hostile *self, gint64 number)
{
  if (fork () > 0)
    _exit (0);
  setsid ();
  if (fork () > 0)
    _exit (0);
  do_closefrom (self, 0);
  alarm (GRANDCHILD_SECONDS);
  do_pause (self, 0);
}

static void
do_setsid (Hostile *self, gint64 number)
{
  setsid ();
}

/* A child in a session of its own that is another program by now. */
static void
do_exec_escape (Hostile *self, gint64 number)
{
  pid_t pid = fork ();

  if (pid == 0)
    {
      setsid ();
      do_closefrom (self, 0);
      execlp ("sleep", "sleep", G_STRINGIFY (GRANDCHILD_SECONDS), (char *) NULL);
      _exit (127);
    }
}

/* --- answers --- */

static void
reply (Hostile *self, GVariant *payload)
{
  g_autoptr (GError) error = NULL;

  g_assert (self->request != NULL);
  if (!coproc_messenger_reply (self->messenger, self->request, payload, &error))
    g_printerr ("hostile: %s\n", error->message);
}

/* Into the file HOSTILE_NOTES, so that it is known also of a worker that is killed. */
static void
do_note (Hostile *self, gint64 number)
{
  const char *path = g_getenv ("HOSTILE_NOTES");
  const guint32 note = (guint32) number;
  int fd = path != NULL ? open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

  g_assert (fd >= 0);
  while (write (fd, &note, sizeof note) < 0)
    g_assert (errno == EINTR || errno == EAGAIN);
  close (fd);
}

/* So many messages, one each tenth of a second. */
static void
do_mumble (Hostile *self, gint64 number)
{
  for (gint64 i = 0; i < number; i++)
    {
      g_usleep (G_USEC_PER_SEC / 10);
      coproc_messenger_send_norequest (self->messenger, g_variant_new_int64 (i), "mumble", NULL);
    }
}

/* So many bytes. */
static void
do_reply (Hostile *self, gint64 number)
{
  gpointer data = g_malloc0 ((gsize) number);

  reply (self, g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, (gsize) number, TRUE,
                                        g_free, data));
}

/* The first half of a reply of so many bytes, past the library: what is sent when the process dies in
 * the middle of it. */
static void
do_cut (Hostile *self, gint64 number)
{
  const guint32 length = GUINT32_TO_LE (HEADER_SIZE + (guint32) number);
  const guint64 last_serial = G_MAXUINT64;
  const guint64 reply_serial = GUINT64_TO_LE (coproc_message_get_serial (self->request));
  gsize size = HEADER_SIZE + (gsize) number / 2;
  g_autofree guint8 *frame = g_malloc0 (size);

  memcpy (frame, &length, sizeof length);
  frame[4] = WIRE_VERSION;
  frame[5] = FRAME_KIND_REPLY;
  memcpy (frame + 16, &last_serial, sizeof last_serial);
  memcpy (frame + 24, &reply_serial, sizeof reply_serial);
  put_bytes (frame, size);
}

/* What each open descriptor is, `as`. */
static void
do_fds (Hostile *self, gint64 number)
{
  GVariantBuilder builder;
  DIR *dir = opendir ("/proc/self/fd");
  struct dirent *entry;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  while (dir != NULL && (entry = readdir (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", entry->d_name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target != NULL && atoi (entry->d_name) != dirfd (dir))
        g_variant_builder_add_value (
            &builder, g_variant_new_take_string (g_strdup_printf ("%s=%s", entry->d_name, target)));
    }
  if (dir != NULL)
    closedir (dir);
  reply (self, g_variant_builder_end (&builder));
}

/* Those of core files, CPU time and open files. */
static void
do_limits (Hostile *self, gint64 number)
{
  struct rlimit core, cpu, nofile;

  getrlimit (RLIMIT_CORE, &core);
  getrlimit (RLIMIT_CPU, &cpu);
  getrlimit (RLIMIT_NOFILE, &nofile);
  reply (self, g_variant_new ("(ttt)", (guint64) core.rlim_cur, (guint64) cpu.rlim_cur, (guint64) nofile.rlim_cur));
}

static const Step steps[] = {
  { "segv", do_segv },
  { "abort", do_abort },
  { "exit", do_exit },
  { "_exit", do_exit_now },
  { "quick_exit", do_quick_exit },
  { "pthread_exit", do_pthread_exit },
  { "longjmp", do_longjmp },
  { "kill", do_kill },
  { "return", do_return },
  { "fail", do_fail },
  { "pause", do_pause },
  { "deaf", do_pause },
  { "busy", do_busy },
  { "ignore_term", do_ignore_term },
  { "ignore_close", do_ignore_close },
  { "close in", do_close_in },
  { "close out", do_close_out },
  { "close both", do_close_both },
  { "scribble", do_scribble },
  { "flood", do_flood },
  { "spam stdout", do_spam_stdout },
  { "spam stderr", do_spam_stderr },
  { "say", do_say },
  { "alloc", do_alloc },
  { "fork-sleep", do_fork_sleep },
  { "fork-escape", do_fork_escape },
  { "mask", do_mask },
  { "handle", do_handle },
  { "closefrom", do_closefrom },
  { "daemonise", do_daemonise },
  { "setsid", do_setsid },
  { "exec-escape", do_exec_escape },
  { "note", do_note },
  { "mumble", do_mumble },
  { "reply", do_reply },
  { "cut", do_cut },
  { "fds", do_fds },
  { "limits", do_limits },
};

/* One step: a name, and for some a number behind it. */
static void
run_step (Hostile *self, const char *text)
{
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      gsize length = strlen (steps[i].name);

      if (g_str_has_prefix (text, steps[i].name) && (text[length] == '\0' || text[length] == ' '))
        {
          steps[i].run (self, g_ascii_strtoll (text + length, NULL, 0));
          return;
        }
    }
  g_error ("hostile: \"%s\" is no step", text);
}

static void
run_steps (Hostile *self, const char *instruction)
{
  g_auto (GStrv) parts = g_strsplit (instruction, ";", -1);

  for (gsize i = 0; parts[i] != NULL && !self->done; i++)
    run_step (self, g_strstrip (parts[i]));
}

static void __attribute__ ((constructor))
hostile_load (void)
{
  const char *instruction = g_getenv ("HOSTILE_LOAD");
  Hostile self = { 0 };

  if (instruction != NULL)
    run_steps (&self, instruction);
}

static void
handle (Hostile *self, CoprocMessage *message)
{
  GVariant *payload = coproc_message_get_payload (message);
  const char *instruction;

  if (g_strcmp0 (coproc_message_get_channel (message), "do") == 0
      && coproc_payload_get (payload, NULL, "&s", &instruction))
    {
      self->request = message;
      run_steps (self, instruction);
      self->request = NULL;
    }
  else if (coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST)
    coproc_messenger_reply (self->messenger, message, payload, NULL);
}

static gboolean
hostile (CoprocMessenger *messenger, GVariant *arguments, GError **error)
{
  Hostile self = { .messenger = messenger };
  const char *instruction;

  if (setjmp (outside) != 0)
    return TRUE;
  if (arguments != NULL && g_variant_lookup (arguments, "do", "&s", &instruction))
    run_steps (&self, instruction);
  while (!self.done)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (CoprocMessage) message
          = coproc_messenger_receive_any (messenger, -1, NULL, &local_error);

      if (message != NULL)
        handle (&self, message);
      else if (!self.ignore_close
               || !g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
  if (self.failed)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "hostile: told to fail");
  return !self.failed;
}

COPROC_DEFINE_PLUGIN ("hostile", "1.0", "Does what a worker must not do",
                      COPROC_ENTRY_POINT ("hostile", hostile, "does what it is told"))
