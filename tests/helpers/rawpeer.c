/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A peer that speaks bytes: it writes whatever frames its script (the variable RAWPEER_SCRIPT) says,
 * right or wrong, to the protocol's descriptors. It uses nothing of libcoproc.
 *
 *   rawpeer [IN_FD OUT_FD]      with other arguments it takes the place of coproc-worker
 *
 * Statements, separated by ";":
 *
 *   hello                       a proper greeting
 *   frame KEY=VALUE ...         a frame; see parse_field(). By default all is zero but the version,
 *                               and the length is right
 *   open N                      declares the channels 1 to N, named "c1" ...
 *   repeat N frame ...          that frame N times, serial counting up
 *   read KIND                   waits for a frame of that kind; its serial, if any, is then `last`
 *   cut N                       drops all but the next N bytes
 *   chunk N                     writes N bytes at a time from now on
 *   drip                        writes a byte each 20 ms from now on
 *   close in | close out
 *   exit N | kill N | pause | wait (for the end of the input, then exit 0)
 */
#include <glib.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 40
#define WORKER_IN_FD 10
#define WORKER_OUT_FD 11
#define DRIP_MS 20

typedef struct
{
  guint32 length; /* 0: what is right */
  guint8 version;
  guint8 kind;
  guint16 flags;
  guint32 channel;
  guint32 type;
  guint64 serial;
  guint64 reply_serial;
  double priority;
  guint8 padding;
  GByteArray *data;
} Frame;

static struct
{
  int in;
  int out;
  guint64 last_serial;
  gsize left;  /* bytes before the cut */
  gsize chunk; /* bytes in one write */
  gboolean drip;
} peer = { .left = G_MAXSIZE, .chunk = G_MAXSIZE };

static const char *const kinds[] = {
  "none", "hello", "goodbye", "settings", "channel", "type", "norequest",
  "request", "reply", "error-reply", "error", "close-request", "cancel",
};

static G_NORETURN void
end_at_once (int status)
{
  _exit (status);
}

static void
put_bytes (const guint8 *data, gsize size)
{
  size = MIN (size, peer.left);
  if (peer.left != G_MAXSIZE)
    peer.left -= size;
  while (size > 0)
    {
      gssize n = write (peer.out, data, MIN (size, peer.drip ? 1 : peer.chunk));

      if (n < 0 && errno == EPIPE)
        end_at_once (0);
      if (n < 0 && errno != EINTR && errno != EAGAIN)
        g_error ("write: %s", g_strerror (errno));
      if (n > 0)
        {
          data += n;
          size -= (gsize) n;
        }
      if (peer.drip || n < 0)
        poll (NULL, 0, peer.drip ? DRIP_MS : 1);
    }
}

/* What there is, or comes next. Returns: 0 at the end of the input */
static gsize
read_some (guint8 *data, gsize size)
{
  for (;;)
    {
      struct pollfd input = { .fd = peer.in, .events = POLLIN };
      gssize n;

      poll (&input, 1, -1);
      n = read (peer.in, data, size);
      if (n >= 0)
        return (gsize) n;
      if (errno != EINTR && errno != EAGAIN)
        return 0;
    }
}

/* Returns: FALSE at the end of the input */
static gboolean
get_bytes (guint8 *data, gsize size)
{
  while (size > 0)
    {
      gsize n = read_some (data, size);

      if (n == 0)
        return FALSE;
      data += n;
      size -= n;
    }
  return TRUE;
}

/* --- frames --- */

static void
put_frame (const Frame *frame)
{
  guint8 header[HEADER_SIZE];
  guint32 length = GUINT32_TO_LE (frame->length != 0 ? frame->length : HEADER_SIZE + frame->data->len);
  guint16 flags = GUINT16_TO_LE (frame->flags);
  guint32 channel = GUINT32_TO_LE (frame->channel);
  guint32 type = GUINT32_TO_LE (frame->type);
  guint64 serial = GUINT64_TO_LE (frame->serial);
  guint64 reply_serial = GUINT64_TO_LE (frame->reply_serial);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  memcpy (header, &length, 4);
  header[4] = frame->version;
  header[5] = frame->kind;
  memcpy (header + 6, &flags, 2);
  memcpy (header + 8, &channel, 4);
  memcpy (header + 12, &type, 4);
  memcpy (header + 16, &serial, 8);
  memcpy (header + 24, &reply_serial, 8);
  memcpy (header + 32, &frame->priority, 8);
  g_byte_array_append (bytes, header, sizeof header);
  g_byte_array_append (bytes, frame->data->data, frame->data->len);
  while (bytes->len % 8 != 0)
    g_byte_array_append (bytes, &frame->padding, 1);
  put_bytes (bytes->data, bytes->len);
}

static guint8
parse_kind (const char *text)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i], text) == 0)
      return (guint8) i;
  return (guint8) g_ascii_strtoull (text, NULL, 0);
}

static guint64
parse_serial (const char *text)
{
  return strcmp (text, "last") == 0 ? peer.last_serial : g_ascii_strtoull (text, NULL, 0);
}

/* text:STRING (without the terminating 0) | hex:DIGITS | bytes:VALUE*N | variants:N, a byte in so
 * many variants, in the serialised form of type `v`. */
static void
parse_data (GByteArray *data, const char *text)
{
  const char *argument = strchr (text, ':');
  gsize length = 0;

  if (argument == NULL)
    g_error ("rawpeer: data=%s", text);
  argument++;
  if (g_str_has_prefix (text, "text:"))
    g_byte_array_append (data, (const guint8 *) argument, (guint) strlen (argument));
  else if (g_str_has_prefix (text, "hex:"))
    for (gsize i = 0; argument[i] != '\0' && argument[i + 1] != '\0'; i += 2)
      {
        guint8 byte = (guint8) (g_ascii_xdigit_value (argument[i]) << 4
                                | g_ascii_xdigit_value (argument[i + 1]));

        g_byte_array_append (data, &byte, 1);
      }
  else if (g_str_has_prefix (text, "bytes:"))
    {
      char *end;
      guint8 byte = (guint8) g_ascii_strtoull (argument, &end, 0);

      length = *end == '*' ? g_ascii_strtoull (end + 1, NULL, 0) : 1;
      g_byte_array_set_size (data, (guint) length);
      memset (data->data, byte, length);
    }
  else if (g_str_has_prefix (text, "variants:"))
    {
      g_byte_array_append (data, (const guint8 *) "\0\0y", 3);
      for (length = g_ascii_strtoull (argument, NULL, 0); length > 1; length--)
        g_byte_array_append (data, (const guint8 *) "\0v", 2);
    }
  else
    g_error ("rawpeer: data=%s", text);
}

static void
parse_field (Frame *frame, const char *key, const char *value)
{
  if (strcmp (key, "kind") == 0)
    frame->kind = parse_kind (value);
  else if (strcmp (key, "length") == 0)
    frame->length = (guint32) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "version") == 0)
    frame->version = (guint8) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "flags") == 0)
    frame->flags = (guint16) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "channel") == 0)
    frame->channel = (guint32) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "type") == 0)
    frame->type = (guint32) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "serial") == 0)
    frame->serial = parse_serial (value);
  else if (strcmp (key, "reply") == 0)
    frame->reply_serial = parse_serial (value);
  else if (strcmp (key, "priority") == 0)
    frame->priority = g_ascii_strtod (value, NULL);
  else if (strcmp (key, "padding") == 0)
    frame->padding = (guint8) g_ascii_strtoull (value, NULL, 0);
  else if (strcmp (key, "data") == 0)
    parse_data (frame->data, value);
  else
    g_error ("rawpeer: \"%s\" is no field", key);
}

static void
do_frame (const char *fields, guint64 count)
{
  g_auto (GStrv) words = g_strsplit (fields, " ", -1);
  Frame frame = { .version = 1, .data = g_byte_array_new () };

  for (guint i = 0; words[i] != NULL; i++)
    {
      char *equals = strchr (words[i], '=');

      if (*words[i] == '\0')
        continue;
      if (equals == NULL)
        g_error ("rawpeer: \"%s\" is no field", words[i]);
      *equals = '\0';
      parse_field (&frame, words[i], equals + 1);
    }
  for (guint64 i = 0; i < count; i++)
    {
      put_frame (&frame);
      frame.serial++;
    }
  g_byte_array_unref (frame.data);
}

static void
do_hello (void)
{
  GVariantDict fields;
  g_autoptr (GVariant) payload = NULL;
  Frame frame = { .version = 1, .kind = parse_kind ("hello"), .data = g_byte_array_new () };

  g_variant_dict_init (&fields, NULL);
  g_variant_dict_insert (&fields, "version", "u", 1);
  g_variant_dict_insert (&fields, "abi", "u", 1);
  g_variant_dict_insert (&fields, "pid", "u", (guint32) getpid ());
  payload = g_variant_ref_sink (g_variant_dict_end (&fields));
  g_byte_array_append (frame.data, g_variant_get_data (payload), (guint) g_variant_get_size (payload));
  put_frame (&frame);
  g_byte_array_unref (frame.data);
}

static void
do_open (guint64 count)
{
  for (guint64 i = 1; i <= count; i++)
    {
      g_autofree char *fields = g_strdup_printf (
          "kind=channel channel=%" G_GUINT64_FORMAT " data=text:c%" G_GUINT64_FORMAT, i, i);

      do_frame (fields, 1);
    }
}

static void
do_read (const char *kind)
{
  guint8 wanted = parse_kind (kind);
  guint8 header[HEADER_SIZE];
  guint64 serial;

  do
    {
      guint32 length;
      g_autofree guint8 *rest = NULL;

      if (!get_bytes (header, sizeof header))
        end_at_once (0);
      memcpy (&length, header, 4);
      length = (GUINT32_FROM_LE (length) + 7) / 8 * 8 - HEADER_SIZE;
      rest = g_malloc (length + 1);
      if (!get_bytes (rest, length))
        end_at_once (0);
    }
  while (header[5] != wanted);
  memcpy (&serial, header + 16, 8);
  if (serial != 0)
    peer.last_serial = GUINT64_FROM_LE (serial);
}

/* --- the script --- */

static void
do_wait (void)
{
  guint8 block[65536];

  while (read_some (block, sizeof block) > 0)
    ;
  end_at_once (0);
}

static void
run_statement (const char *text)
{
  const char *argument = strchr (text, ' ');
  guint64 number;

  argument = argument != NULL ? argument + 1 : "";
  number = g_ascii_strtoull (argument, NULL, 0);
  if (strcmp (text, "hello") == 0)
    do_hello ();
  else if (g_str_has_prefix (text, "frame "))
    do_frame (argument, 1);
  else if (g_str_has_prefix (text, "repeat "))
    do_frame (strstr (argument, "frame ") + strlen ("frame "), number);
  else if (g_str_has_prefix (text, "open "))
    do_open (number);
  else if (g_str_has_prefix (text, "read "))
    do_read (argument);
  else if (g_str_has_prefix (text, "cut "))
    peer.left = number;
  else if (g_str_has_prefix (text, "chunk "))
    peer.chunk = number;
  else if (strcmp (text, "drip") == 0)
    peer.drip = TRUE;
  else if (strcmp (text, "close in") == 0)
    close (peer.in);
  else if (strcmp (text, "close out") == 0)
    close (peer.out);
  else if (g_str_has_prefix (text, "exit"))
    end_at_once ((int) number);
  else if (g_str_has_prefix (text, "kill "))
    {
      signal ((int) number, SIG_DFL); /* a sanitizer handles some */
      kill (getpid (), (int) number);
    }
  else if (strcmp (text, "pause") == 0)
    for (;;)
      pause ();
  else if (strcmp (text, "wait") == 0)
    do_wait ();
  else if (*text != '\0')
    g_error ("rawpeer: \"%s\" is no statement", text);
}

int
main (int argc, char **argv)
{
  const char *script = g_getenv ("RAWPEER_SCRIPT");
  g_auto (GStrv) statements = g_strsplit (script != NULL ? script : "", ";", -1);

  signal (SIGPIPE, SIG_IGN);
  peer.in = argc == 3 ? atoi (argv[1]) : WORKER_IN_FD;
  peer.out = argc == 3 ? atoi (argv[2]) : WORKER_OUT_FD;
  for (guint i = 0; statements[i] != NULL; i++)
    run_statement (g_strstrip (statements[i]));
  return 0;
}
