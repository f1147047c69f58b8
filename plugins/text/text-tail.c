/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The worker `tail`, arguments {path, from-start (default: false)}: each line appended to the file
 * is a string on the channel "lines", until the host asks to close.
 *
 * What happens to the file is told on the channel "warnings", a string at a higher priority:
 * "truncated" (it is read again from its start), "vanished" (its name is gone; what is still
 * appended to it is read) and "reappeared" (there is a file of that name again, read from its start
 * if it is another one). A rotated file is both. A request on any channel is answered with
 * {offset}: how far the file has been read.
 */
#include "text-lines.h"
#include "text-options.h"
#include "text-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#define BUFFER_SIZE (64 * 1024)
#define READS_PER_LOOK 16
#define LOOK_INTERVAL (G_TIME_SPAN_SECOND / 10)

#define LINE_PRIORITY 1.0
#define WARNING_PRIORITY 0.0

typedef struct
{
  CoprocMessenger *messenger; /* (transfer none) */
  char *path;
  int fd;
  gint64 offset;              /* how far the file has been read */
  gboolean named;             /* the path leads to the open file */
  TextLines lines;
} Tail;

static void
tail_clear (Tail *self)
{
  if (self->fd >= 0)
    g_close (self->fd, NULL);
  text_lines_clear (&self->lines);
  g_free (self->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tail, tail_clear)

static gboolean
fail (const char  *what,
      const char  *path,
      GError     **error)
{
  const int saved_errno = errno;
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), "Cannot %s '%s': %s", what,
               name, g_strerror (saved_errno));
  return FALSE;
}

/* Non-blocking, so that a FIFO in the file's place cannot hold us up. -1 and error. */
static int
open_regular_file (const char  *path,
                   GError     **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;

  if (fd < 0 || fstat (fd, &status) != 0)
    fail ("open", path, error);
  else if (!S_ISREG (status.st_mode))
    {
      g_autofree char *name = g_filename_display_name (path);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "'%s' is not a regular file",
                   name);
    }
  else
    return fd;

  if (fd >= 0)
    g_close (fd, NULL);
  return -1;
}

static gboolean
tail_send (Tail        *self,
           GVariant    *payload,
           const char  *channel,
           double       priority,
           GError     **error)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (payload, channel, priority);

  return coproc_messenger_send_message (self->messenger, message, COPROC_MESSAGE_KIND_NOREQUEST,
                                        NULL, error);
}

static gboolean
tail_warn (Tail        *self,
           const char  *warning,
           GError     **error)
{
  return tail_send (self, g_variant_new_string (warning), "warnings", WARNING_PRIORITY, error);
}

static gboolean
tail_send_lines (Tail      *self,
                 gboolean   at_end,
                 GError   **error)
{
  char *line;
  gboolean ends;

  while ((line = text_lines_take (&self->lines, at_end, &ends)) != NULL)
    if (!tail_send (self, g_variant_new_take_string (line), "lines", LINE_PRIORITY, error))
      return FALSE;
  return TRUE;
}

/* Goes to the start of the file that is open: what the line before lacks will not come any more. */
static gboolean
tail_rewind (Tail    *self,
             GError **error)
{
  self->offset = 0;
  return tail_send_lines (self, TRUE, error);
}

/* Sends what has been appended, some of it if it is much: *more then. */
static gboolean
tail_read (Tail      *self,
           gboolean  *more,
           GError   **error)
{
  guint8 buffer[BUFFER_SIZE];

  *more = TRUE;
  for (guint i = 0; i < READS_PER_LOOK && *more; i++)
    {
      gssize n_read = pread (self->fd, buffer, sizeof buffer, self->offset);

      if (n_read < 0 && errno != EINTR)
        return fail ("read", self->path, error);
      if (n_read > 0)
        {
          self->offset += n_read;
          text_lines_put (&self->lines, buffer, n_read);
          if (!tail_send_lines (self, FALSE, error))
            return FALSE;
        }
      *more = n_read != 0;
    }
  return TRUE;
}

static gboolean
is_same_file (const struct stat *a,
              const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The path leads to the open file again. */
static gboolean
tail_reappear (Tail    *self,
               GError **error)
{
  if (self->named)
    return TRUE;
  self->named = TRUE;
  return tail_warn (self, "reappeared", error);
}

/* The path did not lead to the open file a moment ago: was it moved or removed, is there another one? */
static gboolean
tail_follow_name (Tail               *self,
                  const struct stat  *opened,
                  GError            **error)
{
  struct stat named;
  int fd;

  if (self->named && !tail_warn (self, "vanished", error))
    return FALSE;
  self->named = FALSE;

  /* A file that cannot be opened now, perhaps half made, is looked at again the next time; and the
   * old one is read to its end first. */
  if (self->offset < opened->st_size || (fd = open_regular_file (self->path, NULL)) < 0)
    return TRUE;
  if (fstat (fd, &named) == 0 && is_same_file (&named, opened))
    {
      g_close (fd, NULL); /* it has come back meanwhile */
      return tail_reappear (self, error);
    }

  g_close (self->fd, NULL);
  self->fd = fd;
  return tail_rewind (self, error) && tail_reappear (self, error);
}

/* One look at the file: what has become of it, and what is new in it. */
static gboolean
tail_look (Tail      *self,
           gboolean  *more,
           GError   **error)
{
  struct stat opened, named;

  if (fstat (self->fd, &opened) != 0)
    return fail ("look at", self->path, error);

  if (opened.st_size < self->offset
      && !(tail_warn (self, "truncated", error) && tail_rewind (self, error)))
    return FALSE;

  if (stat (self->path, &named) == 0 && is_same_file (&named, &opened))
    {
      if (!tail_reappear (self, error))
        return FALSE;
    }
  else if (!tail_follow_name (self, &opened, error))
    return FALSE;

  return tail_read (self, more, error);
}

static gboolean
tail_answer (Tail           *self,
             CoprocMessage  *message,
             GError        **error)
{
  GVariantDict dict;

  if (coproc_message_get_kind (message) != COPROC_MESSAGE_KIND_REQUEST)
    return TRUE;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "offset", "t", (guint64) self->offset);
  return coproc_messenger_reply (self->messenger, message, g_variant_dict_end (&dict), error);
}

/* What was appended before the host asked to close is still sent. */
static gboolean
tail_finish (Tail    *self,
             GError **error)
{
  gboolean more = TRUE;

  while (more)
    if (!tail_look (self, &more, error))
      return FALSE;
  return tail_send_lines (self, TRUE, error);
}

gboolean
text_tail (CoprocMessenger  *messenger,
           GVariant         *arguments,
           GError          **error)
{
  g_auto(Tail) tail = { .messenger = messenger, .fd = -1, .named = TRUE };
  gboolean from_start = FALSE, more;

  text_lines_init (&tail.lines);
  if (!text_options_get_path (arguments, &tail.path, error)
      || !text_options_get_boolean (arguments, "from-start", &from_start, error)
      || (tail.fd = open_regular_file (tail.path, error)) < 0)
    return FALSE;
  if (!from_start && (tail.offset = lseek (tail.fd, 0, SEEK_END)) < 0)
    return fail ("find the end of", tail.path, error);

  /* The pause between two looks is a wait for the host. */
  while (tail_look (&tail, &more, error))
    {
      g_autoptr(GError) local_error = NULL;
      g_autoptr(CoprocMessage) message =
        coproc_messenger_receive_any (messenger, more ? 0 : LOOK_INTERVAL, NULL, &local_error);

      if (message != NULL)
        {
          if (!tail_answer (&tail, message, error))
            return FALSE;
        }
      else if (!g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
        {
          if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED)
              && !tail_finish (&tail, error))
            return FALSE;
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
  return FALSE;
}
