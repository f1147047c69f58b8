/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a program: answers each request with its payload until it is asked to end, and then
 * exits with the code that its arguments name, silently (without a goodbye) if they say so; with `bulk` it
 * first sends that many bytes. Arguments of its command line are sent on the channel "argv" at the start.
 */
#include <coproc.h>

#include <stdlib.h>

static void
serve (CoprocMessenger *messenger)
{
  for (;;)
    {
      g_autoptr (CoprocMessage) message = coproc_messenger_receive_any (messenger, -1, NULL, NULL);

      if (message == NULL)
        return;
      coproc_messenger_reply (messenger, message, coproc_message_get_payload (message), NULL);
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GError) error = NULL;
  CoprocMessenger *messenger
      = coproc_worker_connect (COPROC_TYPE_PRIORITY_MESSENGER, &arguments, &error);
  gboolean silently = FALSE;
  gint32 code = 0, n_bytes = 0;

  if (messenger == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (arguments != NULL)
    {
      g_variant_lookup (arguments, "code", "i", &code);
      g_variant_lookup (arguments, "bulk", "i", &n_bytes);
      g_variant_lookup (arguments, "silently", "b", &silently);
    }
  if (argc > 1)
    coproc_messenger_send_norequest (messenger, g_variant_new_strv ((const char *const *) argv + 1, argc - 1),
                                     "argv", NULL);
  serve (messenger);
  if (n_bytes > 0)
    {
      g_autofree guint8 *bytes = g_malloc0 ((gsize) n_bytes);

      coproc_messenger_send_bytes (messenger, bytes, (gsize) n_bytes, "bulk", NULL);
    }
  if (silently)
    exit (code);
  coproc_messenger_close (messenger);
  g_object_unref (messenger);
  return code;
}
