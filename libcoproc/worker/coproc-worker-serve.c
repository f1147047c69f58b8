/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker does once it has met its host: it loads the plugin, greets, and runs an entry point, with
 * a loop around it when that is a task.
 */
#include "worker/coproc-worker-serve-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "worker/coproc-chunk-private.h"
#include "worker/coproc-plugin-loader-private.h"

/* --- the loop around a task --- */

/* The result of a task, or why there is none: NULL <=> error set. */
static GVariant *
call_task (const CoprocPluginEntry *entry,
           GVariant *arguments,
           GVariant *input,
           GCancellable *cancellable,
           GError **error)
{
  g_autoptr (GError) local_error = NULL;
  GVariant *result = entry->task (input, arguments, cancellable, &local_error);

  if (result != NULL)
    return g_variant_take_ref (result);

  if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  else
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER, "Task '%s' failed without an error",
                 entry->name);
  return NULL;
}

/* Puts the results of @items into their places. */
static void
call_for_items (const CoprocPluginEntry *entry,
                GVariant *arguments,
                CoprocChunkItem *items,
                guint n,
                GCancellable *cancellable)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GVariant) input = g_steal_pointer (&items[i].value);

      /* A host that sends errors as inputs gets them back. */
      if (input == NULL || g_cancellable_set_error_if_cancelled (cancellable, &items[i].error))
        continue;
      items[i].value = call_task (entry, arguments, input, cancellable, &items[i].error);
      if (items[i].value != NULL && !coproc_chunk_can_hold (items[i].value, &items[i].error))
        g_clear_pointer (&items[i].value, g_variant_unref);
    }
}

/* The results of a chunk of inputs, as a chunk. */
static GVariant *
call_for_chunk (const CoprocPluginEntry *entry,
                GVariant *arguments,
                GVariant *chunk,
                gboolean by_reference,
                GCancellable *cancellable,
                GError **error)
{
  guint n;
  CoprocChunkItem *shared = by_reference ? coproc_chunk_get_shared (chunk, &n) : NULL;
  g_autofree CoprocChunkItem *items = NULL;
  GVariant *results;

  if (shared != NULL)
    {
      call_for_items (entry, arguments, shared, n, cancellable);
      return g_variant_ref (chunk);
    }
  n = coproc_chunk_count (chunk);
  items = g_new (CoprocChunkItem, n);
  if (!coproc_chunk_unpack (chunk, items, n, error))
    return NULL;
  call_for_items (entry, arguments, items, n, cancellable);
  results = coproc_chunk_pack (items, n);
  for (guint i = 0; i < n; i++)
    coproc_chunk_item_clear (&items[i]);
  return results;
}

/* Answers one message. What cannot be sent because the host is gone is told by the next receive. */
static void
serve_message (const CoprocPluginEntry *entry,
               GVariant *arguments,
               CoprocMessenger *messenger,
               CoprocMessage *message)
{
  gboolean is_request = coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST;
  gboolean is_chunk = is_request && g_strcmp0 (coproc_message_get_channel (message), COPROC_CHUNK_CHANNEL) == 0;
  const gboolean by_reference = coproc_messenger_passes_references (messenger);
  GVariant *input = coproc_message_get_payload (message);
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  if (is_request)
    cancellable = coproc_messenger_dup_request_cancellable (messenger, message);
  if (cancellable == NULL)
    cancellable = g_cancellable_new ();
  result = is_chunk ? call_for_chunk (entry, arguments, input, by_reference, cancellable, &error)
                    : call_task (entry, arguments, input, cancellable, &error);

  if (result != NULL && (!is_request || coproc_messenger_reply (messenger, message, result, &error)))
    return;
  if (is_request)
    coproc_messenger_reply_error (messenger, message, error, NULL);
  else
    coproc_messenger_send_error (messenger, error, NULL);
}

/* Serves until the host asks to end, and then what it had sent before that. */
static gboolean
run_task (const CoprocPluginEntry *entry,
          CoprocMessenger *messenger,
          GVariant *arguments,
          GError **error)
{
  gboolean ending = FALSE;

  /* A host that does not read for a while is no reason to drop a result. */
  g_object_set (messenger, "send-timeout", G_GINT64_CONSTANT (-1), NULL);

  while (TRUE)
    {
      g_autoptr (GError) local_error = NULL;
      g_autoptr (CoprocMessage) message = NULL;

      message = coproc_messenger_receive_any (messenger, ending ? 0 : -1, NULL, &local_error);
      if (message != NULL)
        serve_message (entry, arguments, messenger, message);
      else if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED))
        ending = TRUE;
      else if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_CLOSED)
               || (ending && g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_TIMED_OUT)))
        return TRUE;
      else
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
    }
}

/* --- a worker --- */

static gboolean
greet_host (CoprocMessenger *messenger, const char *plugin, gboolean is_task, GError **error)
{
  GVariantDict extra;

  g_variant_dict_init (&extra, NULL);
  g_variant_dict_insert (&extra, "abi", "u", COPROC_PLUGIN_ABI);
  if (plugin != NULL)
    g_variant_dict_insert (&extra, "plugin", "s", plugin);
  if (is_task)
    g_variant_dict_insert (&extra, COPROC_CHUNK_FEATURE, "b", TRUE);

  return coproc_messenger_send_hello (messenger, g_variant_dict_end (&extra), error);
}

/* Whether @error is how a worker ends that was told to. */
static gboolean
is_clean_end (CoprocMessenger *messenger, const GError *error)
{
  return g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSE_REQUESTED)
         || (g_error_matches (error, COPROC_ERROR, COPROC_ERROR_CLOSED)
             && coproc_messenger_get_closed (messenger));
}

/* What an entry point has returned: *error is set unless that is a clean end. (transfer full) @local_error */
static void
end_entry (gboolean done, GError *local_error, CoprocMessenger *messenger, const char *name, GError **error)
{
  if (done || is_clean_end (messenger, local_error))
    g_clear_error (&local_error);
  else if (local_error == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER, "Entry point '%s' failed without an error",
                 name);
  else
    g_propagate_error (error, local_error);
}

static void
run_entry (const CoprocPluginEntry *entry,
           CoprocMessenger *messenger,
           GVariant *arguments,
           GError **error)
{
  GError *local_error = NULL;
  gboolean done;

  if (entry->task != NULL)
    done = run_task (entry, messenger, arguments, &local_error);
  else
    done = entry->run (messenger, arguments, &local_error);
  end_entry (done, local_error, messenger, entry->name, error);
}

void
coproc_worker_serve_plugin (const char       *plugin_name,
                            const char       *entry_point,
                            CoprocMessenger  *messenger,
                            GVariant         *arguments,
                            GError          **error)
{
  g_autoptr (CoprocLoadedPlugin) plugin = coproc_plugin_load (plugin_name, error);
  const CoprocPluginEntry *entry = NULL;

  if (plugin != NULL)
    entry = coproc_loaded_plugin_find (plugin, entry_point, error);
  if (entry != NULL && greet_host (messenger, plugin->descriptor->name, entry->task != NULL, error))
    run_entry (entry, messenger, arguments, error);
}

void
coproc_worker_serve_function (CoprocWorkerFunc   function,
                              gpointer           user_data,
                              CoprocMessenger   *messenger,
                              GVariant          *arguments,
                              GError           **error)
{
  GError *local_error = NULL;
  gboolean done;

  if (!greet_host (messenger, NULL, FALSE, error))
    return;
  done = function (messenger, arguments, user_data, &local_error);
  end_entry (done, local_error, messenger, "function", error);
}
