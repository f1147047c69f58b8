/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "worker/coproc-plugin.h"

#include <string.h>

#include "coproc-error.h"
#include "worker/coproc-plugin-inspect-private.h"
#include "worker/coproc-plugin-loader-private.h"

/**
 * CoprocPlugin:
 *
 * What a plugin says about itself.
 *
 * It is immutable, and the plugin is not loaded into this process: the library looks at it in a
 * child process, so that a plugin that crashes, exits or hangs as it is loaded is just an error.
 *
 * ```c
 * g_autoptr (CoprocPlugin) plugin = coproc_plugin_inspect ("echo", &error);
 *
 * if (plugin != NULL)
 *   g_print ("%s %s\n", coproc_plugin_get_name (plugin), coproc_plugin_get_version (plugin));
 * ```
 *
 * ```python
 * for plugin in Coproc.Plugin.list():
 *     print(plugin.props.name, plugin.get_entry_points())
 * ```
 *
 * Since: 1.0
 */
struct _CoprocPlugin
{
  GObject parent_instance;

  /* immutable after construction */
  char *path;
  char *name;
  char *version;
  char *description;
  char **entry_points;
  char **entry_descriptions;   /* in the same order */
};

G_DEFINE_FINAL_TYPE (CoprocPlugin, coproc_plugin, G_TYPE_OBJECT)

typedef enum
{
  PROP_PATH = 1,
  PROP_NAME,
  PROP_VERSION,
  PROP_DESCRIPTION,
} PluginProperty;

static GParamSpec *props[PROP_DESCRIPTION + 1];

static void
coproc_plugin_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  CoprocPlugin *self = COPROC_PLUGIN (object);

  switch ((PluginProperty) prop_id)
    {
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_VERSION:
      g_value_set_string (value, self->version);
      break;
    case PROP_DESCRIPTION:
      g_value_set_string (value, self->description);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
coproc_plugin_finalize (GObject *object)
{
  CoprocPlugin *self = COPROC_PLUGIN (object);

  g_free (self->path);
  g_free (self->name);
  g_free (self->version);
  g_free (self->description);
  g_strfreev (self->entry_points);
  g_strfreev (self->entry_descriptions);

  G_OBJECT_CLASS (coproc_plugin_parent_class)->finalize (object);
}

static void
coproc_plugin_class_init (CoprocPluginClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = coproc_plugin_get_property;
  object_class->finalize = coproc_plugin_finalize;

  /**
   * CoprocPlugin:path:
   *
   * The absolute path of the plugin's file.
   *
   * Since: 1.0
   */
  props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  /**
   * CoprocPlugin:name:
   *
   * The plugin's name, as it says itself.
   *
   * Since: 1.0
   */
  props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  /**
   * CoprocPlugin:version:
   *
   * The plugin's version.
   *
   * Since: 1.0
   */
  props[PROP_VERSION] = g_param_spec_string ("version", NULL, NULL, NULL, flags);
  /**
   * CoprocPlugin:description:
   *
   * What the plugin is for.
   *
   * Since: 1.0
   */
  props[PROP_DESCRIPTION] = g_param_spec_string ("description", NULL, NULL, NULL, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
coproc_plugin_init (CoprocPlugin *self)
{
}

static CoprocPlugin *
new_from_variant (GVariant *facts)
{
  CoprocPlugin *self = g_object_new (COPROC_TYPE_PLUGIN, NULL);
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) descriptions = g_strv_builder_new ();
  g_autoptr (GVariantIter) entries = NULL;
  const char *name, *description;

  g_variant_get (facts, COPROC_PLUGIN_FACTS_TYPE, &self->path, &self->name, &self->version,
                 &self->description, &entries);
  while (g_variant_iter_next (entries, "(&s&s)", &name, &description))
    {
      g_strv_builder_add (names, name);
      g_strv_builder_add (descriptions, description);
    }
  self->entry_points = g_strv_builder_end (names);
  self->entry_descriptions = g_strv_builder_end (descriptions);

  return self;
}

/**
 * coproc_plugin_inspect:
 * @path: the name of a plugin on the search path, or the absolute path of its file
 * @error: return location for an error
 *
 * Loads a plugin in a child process and tells what it says about itself.
 *
 * Errors: %COPROC_ERROR_PLUGIN_NOT_FOUND; %COPROC_ERROR_PLUGIN_REFUSED when the file may not be
 * loaded, or the child did not survive it; %COPROC_ERROR_PLUGIN_ABI; %COPROC_ERROR_PLUGIN_SYMBOL;
 * %COPROC_ERROR_HANDSHAKE_TIMEOUT when loading took longer than 10 seconds; %COPROC_ERROR_SPAWN;
 * %G_IO_ERROR_CANCELLED when the function of [func@Coproc.set_interrupt_func] ends the wait.
 *
 * Threads: any; blocks.
 *
 * Returns: (transfer full): the plugin
 *
 * Since: 1.0
 */
CoprocPlugin *
coproc_plugin_inspect (const char *path, GError **error)
{
  g_autoptr (GVariant) facts = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  facts = coproc_plugin_inspect_in_child (path, error);

  return facts != NULL ? new_from_variant (facts) : NULL;
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The files of @dir that may be plugins, sorted. */
static GPtrArray *
list_files (const char *dir)
{
  GPtrArray *files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) opened = g_dir_open (dir, 0, NULL);
  const char *name;

  while (opened != NULL && (name = g_dir_read_name (opened)) != NULL)
    if (*name != '.' && g_str_has_suffix (name, ".so"))
      g_ptr_array_add (files, g_build_filename (dir, name, NULL));
  g_ptr_array_sort (files, compare_paths);

  return files;
}

/* The name that a worker would be made with: that of the file without its decoration. */
static char *
name_of_file (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);

  base[strlen (base) - strlen (".so")] = '\0';

  return g_strdup (g_str_has_prefix (base, "lib") ? base + strlen ("lib") : base);
}

/**
 * coproc_plugin_list:
 * @error: return location for an error
 *
 * Lists the plugins on the search path.
 *
 * Where several files have one name the first is listed, as it is the one that would be used. What
 * cannot be loaded is left out.
 *
 * Errors: %COPROC_ERROR_SPAWN; %G_IO_ERROR_CANCELLED when the function of [func@Coproc.set_interrupt_func] ends
 * the wait.
 *
 * Threads: any; blocks while each of them is loaded in a child process.
 *
 * Returns: (transfer full): a list of [class@Coproc.Plugin]
 *
 * Since: 1.0
 */
GListModel *
coproc_plugin_list (GError **error)
{
  g_autoptr (GListStore) store = g_list_store_new (COPROC_TYPE_PLUGIN);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) dirs = coproc_plugin_dup_search_path ();

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  for (guint i = 0; dirs[i] != NULL; i++)
    {
      g_autoptr (GPtrArray) files = list_files (dirs[i]);

      for (guint j = 0; j < files->len; j++)
        {
          const char *path = files->pdata[j];
          g_autoptr (CoprocPlugin) plugin = NULL;
          g_autoptr (GError) local_error = NULL;

          if (!g_hash_table_add (seen, name_of_file (path)))
            continue;
          plugin = coproc_plugin_inspect (path, &local_error);
          if (plugin != NULL)
            g_list_store_append (store, plugin);
          else if (g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_SPAWN)
                   || g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            {
              g_propagate_error (error, g_steal_pointer (&local_error));
              return NULL;
            }
          else
            g_debug ("Not listed: %s", local_error->message);
        }
    }

  return G_LIST_MODEL (g_steal_pointer (&store));
}

/**
 * coproc_plugin_get_path:
 * @self: a plugin
 *
 * Gets the absolute path of the plugin's file.
 *
 * Returns: (transfer none): the path
 *
 * Since: 1.0
 */
const char *
coproc_plugin_get_path (CoprocPlugin *self)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);

  return self->path;
}

/**
 * coproc_plugin_get_name:
 * @self: a plugin
 *
 * Gets the plugin's name, as it says itself.
 *
 * Returns: (transfer none): the name
 *
 * Since: 1.0
 */
const char *
coproc_plugin_get_name (CoprocPlugin *self)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);

  return self->name;
}

/**
 * coproc_plugin_get_version:
 * @self: a plugin
 *
 * Gets the plugin's version.
 *
 * Returns: (transfer none): the version
 *
 * Since: 1.0
 */
const char *
coproc_plugin_get_version (CoprocPlugin *self)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);

  return self->version;
}

/**
 * coproc_plugin_get_description:
 * @self: a plugin
 *
 * Gets what the plugin is for.
 *
 * Returns: (transfer none): the description
 *
 * Since: 1.0
 */
const char *
coproc_plugin_get_description (CoprocPlugin *self)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);

  return self->description;
}

/**
 * coproc_plugin_get_entry_points:
 * @self: a plugin
 *
 * Gets the names of the plugin's entry points, in the plugin's order.
 *
 * Returns: (transfer none) (array zero-terminated=1): the names
 *
 * Since: 1.0
 */
const char * const *
coproc_plugin_get_entry_points (CoprocPlugin *self)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);

  return (const char *const *) self->entry_points;
}

/**
 * coproc_plugin_get_entry_point_description:
 * @self: a plugin
 * @entry_point: the name of an entry point
 *
 * Gets what an entry point does.
 *
 * Returns: (transfer none) (nullable): the description, %NULL if there is no such entry point
 *
 * Since: 1.0
 */
const char *
coproc_plugin_get_entry_point_description (CoprocPlugin *self, const char *entry_point)
{
  g_return_val_if_fail (COPROC_IS_PLUGIN (self), NULL);
  g_return_val_if_fail (entry_point != NULL, NULL);

  for (guint i = 0; self->entry_points[i] != NULL; i++)
    if (strcmp (self->entry_points[i], entry_point) == 0)
      return self->entry_descriptions[i];

  return NULL;
}
