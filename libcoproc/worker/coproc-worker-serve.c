/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a worker does once it has met its host: it loads the plugin, greets, and runs an entry point, with
 * a loop around it when that is a task.
 */
#include "worker/coproc-worker-serve-private.h"

#include "coproc-error.h"
#include "messenger/coproc-messenger-private.h"
#include "worker/coproc-plugin-loader-private.h"

/* --- the loop around a task --- */

/* The result of a task, or why there is none: FALSE <=> error set. */
static GVariant *
call_task (const CoprocPluginEntry *entry,
           GVariant *arguments,
           CoprocMessenger *messenger,
           CoprocMessage *message,
           GError **error)
{
  g_autoptr (GCancellable) cancellable = NULL;
  GVariant *result;

  if (coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST)
    cancellable = coproc_messenger_dup_request_cancellable (messenger, message);
  if (cancellable == NULL)
    cancellable = g_cancellable_new ();

  result = entry->task (coproc_message_get_payload (message), arguments, cancellable, error);
  if (result != NULL)
    return g_variant_take_ref (result);

  if (error != NULL && *error == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_HANDLER, "Task '%s' failed without an error",
                 entry->name);
  return NULL;
}

/* Answers one message. What cannot be sent because the host is gone is told by the next receive. */
static void
serve_message (const CoprocPluginEntry *entry,
               GVariant *arguments,
               CoprocMessenger *messenger,
               CoprocMessage *message)
{
  gboolean is_request = coproc_message_get_kind (message) == COPROC_MESSAGE_KIND_REQUEST;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = call_task (entry, arguments, messenger, message, &error);

  if (result != NULL)
    {
      g_clear_error (&error);
      if (!is_request || coproc_messenger_reply (messenger, message, result, &error))
        return;
    }

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
greet_host (CoprocMessenger *messenger, const char *plugin, GError **error)
{
  GVariantDict extra;

  g_variant_dict_init (&extra, NULL);
  g_variant_dict_insert (&extra, "abi", "u", COPROC_PLUGIN_ABI);
  if (plugin != NULL)
    g_variant_dict_insert (&extra, "plugin", "s", plugin);

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
  if (entry != NULL && greet_host (messenger, plugin->descriptor->name, error))
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

  if (!greet_host (messenger, NULL, error))
    return;
  done = function (messenger, arguments, user_data, &local_error);
  end_entry (done, local_error, messenger, "function", error);
}
