/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Where plugins are looked for, and which files are trusted.
 *
 * A plugin is code, so whoever can write its file, or any directory on the way to it, runs code as
 * this user. The path is therefore walked one component at a time, each opened relative to the one
 * before without following symbolic links, and each looked at through its descriptor.
 */
#include "coproc-config.h"

#include "worker/coproc-plugin-loader-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_GETAUXVAL
#include <sys/auxv.h>
#endif

#include "coproc-error.h"
#include "wire/coproc-unix-private.h"

const char *
coproc_trusted_getenv (const char *name)
{
#ifdef HAVE_GETAUXVAL
  if (getauxval (AT_SECURE) != 0)
    return NULL;
#else
  if (geteuid () != getuid () || getegid () != getgid ())
    return NULL;
#endif
  return g_getenv (name);
}

/* For development: the files of a build tree may lie in a directory that others can write to. */
static gboolean
trusts_any_owner (void)
{
  return g_strcmp0 (coproc_trusted_getenv ("COPROC_PLUGIN_TRUST"), "any") == 0;
}

char **
coproc_plugin_dup_search_path (void)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  const char *variable = coproc_trusted_getenv ("COPROC_PLUGIN_PATH");

  if (variable != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (variable, ":", -1);

      for (guint i = 0; parts[i] != NULL; i++)
        if (parts[i][0] == '/')
          g_strv_builder_add (builder, parts[i]);
    }
  g_strv_builder_add (builder, COPROC_PLUGIN_DIR);

  return g_strv_builder_end (builder);
}

static void
set_open_error (GError **error, const char *path, int errsv)
{
  gboolean missing = errsv == ENOENT || errsv == ENOTDIR;

  g_set_error (error, COPROC_ERROR,
               missing ? COPROC_ERROR_PLUGIN_NOT_FOUND : COPROC_ERROR_PLUGIN_REFUSED,
               "Plugin file '%s' cannot be opened: %s", path, g_strerror (errsv));
}

static gboolean
refuse (GError **error, const char *path, const char *component, const char *why)
{
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
               "Plugin file '%s' is refused: '%s' %s", path, component, why);
  return FALSE;
}

/* One component of @path, as it was opened. */
static gboolean
check_component (const struct stat *st,
                 gboolean is_last,
                 const char *component,
                 const char *path,
                 GError **error)
{
  if (S_ISLNK (st->st_mode))
    return refuse (error, path, component, "is a symbolic link");
  if (!is_last && !S_ISDIR (st->st_mode))
    {
      set_open_error (error, path, ENOTDIR);
      return FALSE;
    }
  if (is_last && !S_ISREG (st->st_mode))
    return refuse (error, path, component, "is not a regular file");
  if (st->st_uid != 0 && st->st_uid != geteuid ())
    return refuse (error, path, component, "belongs to another user");
  if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return refuse (error, path, component, "can be written to by others");

  return TRUE;
}

/* Opens @name in @dir_fd for reading, which must be the file that @checked tells of. */
static int
open_checked_file (int dir_fd,
                   const char *name,
                   const struct stat *checked,
                   const char *path,
                   GError **error)
{
  struct stat st;
  int fd = openat (dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    {
      set_open_error (error, path, errno);
      return -1;
    }
  if (fstat (fd, &st) != 0 || st.st_dev != checked->st_dev || st.st_ino != checked->st_ino)
    {
      refuse (error, path, name, "changed while it was looked at");
      coproc_clear_fd (&fd);
    }

  return fd;
}

static int
open_by_components (const char *path, GError **error)
{
  g_auto (GStrv) components = g_strsplit (path + 1, "/", -1);
  struct stat st;
  int dir_fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = -1;

  if (dir_fd < 0 || fstat (dir_fd, &st) != 0)
    {
      set_open_error (error, path, errno);
      coproc_clear_fd (&dir_fd);
      return -1;
    }
  if (!check_component (&st, FALSE, "/", path, error))
    {
      coproc_clear_fd (&dir_fd);
      return -1;
    }

  for (guint i = 0; components[i] != NULL; i++)
    {
      const char *name = components[i];
      gboolean is_last = components[i + 1] == NULL;
      int fd;

      if (*name == '\0')
        continue;
      if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
        {
          refuse (error, path, name, "is not a plain component");
          break;
        }
      fd = openat (dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0 || fstat (fd, &st) != 0)
        {
          set_open_error (error, path, errno);
          coproc_clear_fd (&fd);
          break;
        }
      if (!check_component (&st, is_last, name, path, error))
        {
          coproc_clear_fd (&fd);
          break;
        }
      if (is_last)
        result = open_checked_file (dir_fd, name, &st, path, error);
      coproc_clear_fd (&dir_fd);
      dir_fd = fd;
    }
  coproc_clear_fd (&dir_fd);

  return result;
}

static int
open_trusting (const char *path, GError **error)
{
  struct stat st;
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    {
      set_open_error (error, path, errno);
      return -1;
    }
  if (fstat (fd, &st) != 0 || !S_ISREG (st.st_mode))
    {
      refuse (error, path, path, "is not a regular file");
      coproc_clear_fd (&fd);
    }

  return fd;
}

static int
open_path (const char *path, GError **error)
{
  return trusts_any_owner () ? open_trusting (path, error) : open_by_components (path, error);
}

static int
open_name (const char *name, char **path, GError **error)
{
  static const char *const prefixes[] = { "", "lib" };
  g_auto (GStrv) dirs = coproc_plugin_dup_search_path ();
  g_autofree char *tried = NULL;

  for (guint i = 0; dirs[i] != NULL; i++)
    for (guint j = 0; j < G_N_ELEMENTS (prefixes); j++)
      {
        g_autofree char *candidate = g_strconcat (dirs[i], "/", prefixes[j], name, ".so", NULL);
        g_autoptr (GError) local_error = NULL;
        int fd = open_path (candidate, &local_error);

        if (fd >= 0)
          {
            *path = g_steal_pointer (&candidate);
            return fd;
          }
        if (!g_error_matches (local_error, COPROC_ERROR, COPROC_ERROR_PLUGIN_NOT_FOUND))
          {
            g_propagate_error (error, g_steal_pointer (&local_error));
            return -1;
          }
      }

  tried = g_strjoinv (":", dirs);
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_NOT_FOUND,
               "No plugin '%s' in %s", name, tried);
  return -1;
}

int
coproc_plugin_open_file (const char *plugin, char **path, GError **error)
{
  int fd;

  *path = NULL;
  if (*plugin == '\0' || *plugin == '.' || (*plugin != '/' && strchr (plugin, '/') != NULL))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
                   "'%s' is neither the name of a plugin nor an absolute path", plugin);
      return -1;
    }
  if (*plugin != '/')
    return open_name (plugin, path, error);

  if (!g_str_has_suffix (plugin, ".so"))
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
                   "Plugin file '%s' does not end in '.so'", plugin);
      return -1;
    }
  fd = open_path (plugin, error);
  if (fd >= 0)
    *path = g_strdup (plugin);

  return fd;
}
