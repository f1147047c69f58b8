/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Priorities: what waits in a channel is received lowest number first, and in the order of arrival
 * where the numbers are the same. A number under "priority" in a dictionary is its priority.
 *
 * Run it with: meson devenv -C build examples/priorities
 */
#include <coproc.h>

#include <stdio.h>

static gboolean
send (CoprocMessenger  *messenger,
      const char       *text,
      int               number,
      int               priority,
      GError          **error)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert_value (&dict, "text", g_variant_new_printf ("%s %d", text, number));
  g_variant_dict_insert (&dict, "priority", "i", priority);
  return coproc_messenger_send_request (messenger, g_variant_dict_end (&dict), NULL, error);
}

static gboolean
run (CoprocMessenger  *messenger,
     GError          **error)
{
  g_autoptr(GVariant) last = NULL;

  for (int i = 0; i < 3; i++)
    if (!send (messenger, "low", i, 2, error) || !send (messenger, "high", i, 1, error))
      return FALSE;

  /* Without a priority a message goes to the back: once it is answered, all the others are. A call
   * takes its own reply and leaves theirs in the channel, for us to see the order. */
  last = coproc_messenger_call (messenger, g_variant_new_string ("last"), NULL, -1, NULL, error);
  if (last == NULL)
    return FALSE;

  while (coproc_messenger_remaining (messenger, NULL) > 0)
    {
      g_autoptr(GVariant) reply = coproc_messenger_receive_remaining (messenger, NULL, NULL, error);
      const char *text = "";

      if (reply == NULL)
        return FALSE;
      g_variant_lookup (reply, "text", "&s", &text);
      printf ("%s\n", text);
    }
  return TRUE;
}

int
main (void)
{
  g_autoptr(CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
  g_autoptr(GError) error = NULL;

  if (!coproc_worker_resource_start (worker, NULL, NULL, &error)
      || !run (coproc_worker_resource_get_messenger (worker), &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  return 0;
}
