/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker prints.
 *
 * The background thread must never block on the host's standard error, which may be a pipe that
 * nobody reads: it writes only after poll() has said so, and not more than a pipe then takes. While
 * standard error takes nothing, nothing is read from the worker, so that nothing piles up here.
 */
#include "worker/coproc-stderr-tail-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "wire/coproc-fork-private.h"
#include "wire/coproc-io-private.h"
#include "wire/coproc-unix-private.h"

#define READ_SIZE 16384
#define FORWARD_SIZE 4096            /* what a pipe that polls writable takes without blocking */
#define FINISH_BUDGET (1 << 20)      /* bytes read after the writer's death: what a pipe can hold */
#define LINGER_US                                                                                  \
  (2 * G_USEC_PER_SEC) /* how long the rest of a dead worker's output waits for room */

struct _CoprocStderrTail
{
  gatomicrefcount ref_count;

  /* background thread only, once started */
  GMainContext *io;            /* (nullable) a user of the background thread until all is done */
  int fd;                      /* -1 when finished */
  gboolean forward;
  GSource *read_source;        /* (nullable) not there while output waits for room */
  GSource *write_source;       /* (nullable) on standard error, while output waits for room */
  GSource *linger_source;      /* (nullable) */
  GByteArray *output;          /* to be forwarded */
  GString *line;               /* the line that is being read */
  CoprocStderrLine func;
  gpointer user_data;
  GDestroyNotify notify;

  CoprocForkGuard guard;       /* thread-safe by itself */

  GMutex lock;
  GByteArray *kept;            /* (mutex lock) */
};

static void update_sources (CoprocStderrTail *self);

/* What a child of this process has of it reads nothing. */
static void
coproc_stderr_tail_disown (gpointer object)
{
  CoprocStderrTail *self = object;

  coproc_fork_drop_fd (self->fd);
  self->io = NULL;
}

CoprocStderrTail *
coproc_stderr_tail_new (int fd, gboolean forward, GError **error)
{
  CoprocStderrTail *self;
  GMainContext *io = NULL;

  if (coproc_unix_set_nonblock (fd, error))
    io = coproc_io_ref (error);
  if (io == NULL)
    {
      coproc_clear_fd (&fd);
      return NULL;
    }

  self = g_new0 (CoprocStderrTail, 1);
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->io = io;
  self->fd = fd;
  self->forward = forward;
  self->output = g_byte_array_new ();
  self->line = g_string_new (NULL);
  self->kept = g_byte_array_new ();
  coproc_fork_guard_add (&self->guard, COPROC_FORK_PART, &self->lock, coproc_stderr_tail_disown, self);

  return self;
}

CoprocStderrTail *
coproc_stderr_tail_ref (CoprocStderrTail *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
coproc_stderr_tail_unref (CoprocStderrTail *self)
{
  gboolean uses_io;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  coproc_fork_guard_remove (&self->guard);
  coproc_clear_fd (&self->fd);
  g_byte_array_unref (self->output);
  g_byte_array_unref (self->kept);
  g_string_free (self->line, TRUE);
  g_mutex_clear (&self->lock);
  uses_io = self->io != NULL;
  g_free (self);
  if (uses_io)
    coproc_io_unref ();
}

static void
drop_source (GSource **source)
{
  if (*source == NULL)
    return;

  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
keep (CoprocStderrTail *self, const guint8 *data, gsize size)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_byte_array_append (self->kept, data, (guint) size);
  /* Trimmed at twice the size, so that each byte is moved once at most. */
  if (self->kept->len > 2 * COPROC_STDERR_TAIL_SIZE)
    g_byte_array_remove_range (self->kept, 0, self->kept->len - COPROC_STDERR_TAIL_SIZE);
}

static void
tell_line (CoprocStderrTail *self)
{
  g_autofree char *text = g_utf8_make_valid (self->line->str, (gssize) self->line->len);

  g_string_truncate (self->line, 0);
  self->func (text, self->user_data);
}

static void
split_lines (CoprocStderrTail *self, const char *data, gsize size)
{
  const char *end = data + size;

  while (data < end)
    {
      const char *newline = memchr (data, '\n', (gsize) (end - data));
      gsize room = COPROC_STDERR_MAX_LINE - self->line->len;
      gsize length = (gsize) ((newline != NULL ? newline : end) - data);

      g_string_append_len (self->line, data, (gssize) MIN (length, room));
      data += MIN (length, room);
      if (length > room)
        tell_line (self);
      else if (newline != NULL)
        {
          tell_line (self);
          data++;
        }
    }
}

/* One read. FALSE: the end of the pipe; *n_read 0: nothing there. */
static gboolean
read_some (CoprocStderrTail *self, gsize *n_read)
{
  guint8 buffer[READ_SIZE];
  gssize n;

  *n_read = 0;
  do
    n = read (self->fd, buffer, sizeof buffer);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return TRUE;
  if (n <= 0)
    return FALSE;

  *n_read = (gsize) n;
  keep (self, buffer, (gsize) n);
  if (self->func != NULL)
    split_lines (self, (const char *) buffer, (gsize) n);
  if (self->forward)
    g_byte_array_append (self->output, buffer, (guint) n);
  return TRUE;
}

/* Writes what standard error takes without waiting. */
static void
forward_some (CoprocStderrTail *self)
{
  guint done = 0;

  while (done < self->output->len)
    {
      struct pollfd poll_fd = { .fd = STDERR_FILENO, .events = POLLOUT };
      gssize n = -1;

      if (poll (&poll_fd, 1, 0) == 0)
        break;
      if ((poll_fd.revents & POLLOUT) != 0)
        {
          n = write (STDERR_FILENO, self->output->data + done,
                     MIN (self->output->len - done, FORWARD_SIZE));
          if (n < 0 && errno == EINTR)
            continue;
          if (n < 0 && errno == EAGAIN)
            break;
        }
      if (n <= 0)
        {
          /* Standard error is closed: there is nobody to show it to. */
          self->forward = FALSE;
          done = self->output->len;
          break;
        }
      done += (guint) n;
    }

  if (done > 0)
    g_byte_array_remove_range (self->output, 0, done);
}

static gboolean
on_input (int fd, GIOCondition condition, gpointer user_data)
{
  CoprocStderrTail *self = user_data;
  gsize n_read;

  if (!read_some (self, &n_read))
    {
      coproc_stderr_tail_finish (self);
      return G_SOURCE_REMOVE;
    }
  forward_some (self);
  update_sources (self);

  return G_SOURCE_CONTINUE;
}

static gboolean
on_room (int fd, GIOCondition condition, gpointer user_data)
{
  CoprocStderrTail *self = user_data;

  forward_some (self);
  update_sources (self);

  return G_SOURCE_CONTINUE;
}

static gboolean
on_lingered (gpointer user_data)
{
  CoprocStderrTail *self = user_data;

  g_byte_array_set_size (self->output, 0);
  update_sources (self);

  return G_SOURCE_REMOVE;
}

static GSource *
add_fd_source (CoprocStderrTail *self, int fd, GIOCondition condition, GUnixFDSourceFunc func)
{
  GSource *source = g_unix_fd_source_new (fd, condition);

  g_source_set_static_name (source, "coproc stderr");
  g_source_set_callback (source, G_SOURCE_FUNC (func), coproc_stderr_tail_ref (self),
                         (GDestroyNotify) coproc_stderr_tail_unref);
  g_source_attach (source, self->io);

  return source;
}

/* Reads while nothing waits for room, writes while something does. */
static void
update_sources (CoprocStderrTail *self)
{
  gboolean waits = self->output->len > 0;
  gboolean reads = self->fd >= 0 && !waits;

  if (waits && self->write_source == NULL)
    self->write_source = add_fd_source (self, STDERR_FILENO, G_IO_OUT, on_room);
  if (reads && self->read_source == NULL)
    self->read_source = add_fd_source (self, self->fd, G_IO_IN, on_input);
  if (!reads)
    drop_source (&self->read_source);
  if (!waits)
    drop_source (&self->write_source);
  if (self->fd < 0 && waits && self->linger_source == NULL)
    self->linger_source = coproc_io_add_timeout (self->io, LINGER_US, on_lingered,
                                                 coproc_stderr_tail_ref (self),
                                                 (GDestroyNotify) coproc_stderr_tail_unref);
  if (!waits)
    drop_source (&self->linger_source);
  if (self->fd < 0 && !waits && self->io != NULL)
    {
      self->io = NULL;
      coproc_io_unref ();
    }
}

static gboolean
on_start (gpointer user_data)
{
  update_sources (user_data);

  return G_SOURCE_REMOVE;
}

void
coproc_stderr_tail_start (CoprocStderrTail *self,
                          CoprocStderrLine func,
                          gpointer user_data,
                          GDestroyNotify notify)
{
  /* Goes after the source does, whoever is the last user of the background thread meanwhile. */
  g_autoptr (GMainContext) context = g_main_context_ref (self->io);
  g_autoptr (GSource) source G_GNUC_UNUSED = NULL;

  self->func = func;
  self->user_data = user_data;
  self->notify = notify;
  source = coproc_io_add_timeout (context, 0, on_start, coproc_stderr_tail_ref (self),
                                  (GDestroyNotify) coproc_stderr_tail_unref);
}

void
coproc_stderr_tail_finish (CoprocStderrTail *self)
{
  gsize budget = FINISH_BUDGET, n_read = 1;

  if (self->fd < 0)
    return;

  while (budget > 0 && n_read > 0 && read_some (self, &n_read))
    budget -= MIN (budget, n_read);
  if (self->func != NULL && self->line->len > 0)
    tell_line (self);
  if (self->notify != NULL)
    self->notify (self->user_data);
  self->func = NULL;

  /* The source first: the descriptor's number may be another file's as soon as it is closed. */
  drop_source (&self->read_source);
  coproc_clear_fd (&self->fd);
  forward_some (self);
  update_sources (self);
}

char *
coproc_stderr_tail_dup_text (CoprocStderrTail *self, gsize max_bytes)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  const char *text = (const char *) self->kept->data;
  gsize length = self->kept->len;

  if (length > max_bytes)
    {
      const char *start = text + (length - max_bytes);
      const char *newline = memchr (start, '\n', max_bytes);

      if (newline != NULL && newline + 1 < text + length)
        start = newline + 1;
      length -= (gsize) (start - text);
      text = start;
    }
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
    length--;

  return length > 0 ? g_utf8_make_valid (text, (gssize) length) : g_strdup ("");
}
