/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The smallest workers that are of use: one sends everything back, one only counts, and a task
 * does nothing at all.
 */
#include <coproc.h>

/* The worker `echo`: a request is answered with its payload, on its channel; any other message is
 * sent back as it came. Both keep their priority. Ends with the error of the receive: a close
 * request, when the host wants no more. */
static gboolean
echo_run (CoprocMessenger  *messenger,
          GVariant         *arguments,
          GError          **error)
{
  for (;;)
    {
      g_autoptr(CoprocMessage) message = coproc_messenger_receive_any (messenger, -1, NULL, error);
      gboolean sent;

      if (message == NULL)
        return FALSE;

      if (coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST)
        sent = coproc_messenger_reply (messenger, message, coproc_message_get_payload (message),
                                       error);
      else
        sent = coproc_messenger_send_message (messenger, message, COPROC_MESSAGE_KIND_NOREQUEST,
                                              NULL, error);
      if (!sent)
        return FALSE;
    }
}

typedef struct
{
  guint64 messages;
  guint64 requests;
  guint64 bytes;
} SinkCounts;

static GVariant *
sink_counts_to_variant (const SinkCounts *counts)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "messages", "t", counts->messages);
  g_variant_dict_insert (&dict, "requests", "t", counts->requests);
  g_variant_dict_insert (&dict, "bytes", "t", counts->bytes);
  return g_variant_dict_end (&dict);
}

static gboolean
sink_is_question (CoprocMessage *message)
{
  return coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST
         && g_strcmp0 (coproc_message_get_channel (message), "count") == 0;
}

/* The worker `sink`: counts what it gets and answers nothing but a request on the channel "count",
 * with {messages, requests, bytes}. There is no order between channels, so a question is kept until
 * nothing else is waiting: then all that was sent before it is counted. Questions do not count. */
static gboolean
sink_run (CoprocMessenger  *messenger,
          GVariant         *arguments,
          GError          **error)
{
  g_autoptr(GPtrArray) questions =
    g_ptr_array_new_with_free_func ((GDestroyNotify) coproc_message_unref);
  SinkCounts counts = { 0, };

  for (;;)
    {
      g_autoptr(GError) local_error = NULL;
      g_autoptr(CoprocMessage) message =
        coproc_messenger_receive_any (messenger, questions->len > 0 ? 0 : -1, NULL, &local_error);

      if (message == NULL)
        {
          if (!g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT))
            {
              g_propagate_error (error, g_steal_pointer (&local_error));
              return FALSE;
            }

          for (guint i = 0; i < questions->len; i++)
            if (!coproc_messenger_reply (messenger, g_ptr_array_index (questions, i),
                                         sink_counts_to_variant (&counts), error))
              return FALSE;
          g_ptr_array_set_size (questions, 0);
        }
      else if (sink_is_question (message))
        g_ptr_array_add (questions, g_steal_pointer (&message));
      else
        {
          counts.messages++;
          counts.requests += coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST;
          counts.bytes += g_variant_get_size (coproc_message_get_payload (message));
        }
    }
}

/* The task `identity`: what a task costs when it costs nothing. */
static GVariant *
identity (GVariant      *input,
          GVariant      *arguments,
          GCancellable  *cancellable,
          GError       **error)
{
  return g_variant_ref (input);
}

COPROC_DEFINE_PLUGIN ("echo", "1.0", "Sends back what it is sent",
                      COPROC_ENTRY_POINT ("echo", echo_run, "Answers requests with their payload"),
                      COPROC_ENTRY_POINT ("sink", sink_run, "Counts what it gets"),
                      COPROC_TASK ("identity", identity, "Gives its input back"))
