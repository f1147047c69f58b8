/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Loading a plugin: the bytes are checked before they are mapped, the descriptor before it is used.
 */
#include "worker/coproc-plugin-loader-private.h"

#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coproc-error.h"
#include "wire/coproc-unix-private.h"

#define MAX_PROGRAM_HEADERS 1024
#define MAX_ENTRY_POINTS 1024

/* The ELF header of this very library, put here by the linker: what a file for this machine has. */
extern const ElfW (Ehdr) __ehdr_start __attribute__ ((visibility ("hidden")));

static gboolean
refuse (GError **error, const char *path, const char *why)
{
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED, "Plugin file '%s' %s", path, why);
  return FALSE;
}

static gboolean
read_at (int fd, gpointer buffer, gsize size, guint64 offset)
{
  return offset <= G_MAXINT64 && pread (fd, buffer, size, (off_t) offset) == (gssize) size;
}

/* Whether [@offset, @offset + @length) lies in a file of @size bytes. */
static gboolean
lies_within (guint64 offset, guint64 length, guint64 size)
{
  return offset <= size && length <= size - offset;
}

static gboolean
check_elf_header (const ElfW (Ehdr) *header, guint64 size, const char *path, GError **error)
{
  if (memcmp (header->e_ident, ELFMAG, SELFMAG) != 0)
    return refuse (error, path, "is not an ELF file");
  if (header->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS]
      || header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA]
      || header->e_machine != __ehdr_start.e_machine)
    return refuse (error, path, "is for another kind of machine");
  if (header->e_type != ET_DYN)
    return refuse (error, path, "is not a shared object");
  if (header->e_phentsize != sizeof (ElfW (Phdr)) || header->e_phnum == 0
      || header->e_phnum > MAX_PROGRAM_HEADERS)
    return refuse (error, path, "has no valid program headers");
  if (!lies_within (header->e_phoff, (guint64) header->e_phnum * header->e_phentsize, size)
      || !lies_within (header->e_shoff, (guint64) header->e_shnum * header->e_shentsize, size))
    return refuse (error, path, "is truncated");

  return TRUE;
}

gboolean
coproc_plugin_check_elf (int fd, const char *path, GError **error)
{
  g_autofree ElfW (Phdr) *segments = NULL;
  ElfW (Ehdr) header;
  struct stat st;

  if (fstat (fd, &st) != 0 || !read_at (fd, &header, sizeof header, 0))
    return refuse (error, path, "is not an ELF file");
  if (!check_elf_header (&header, (guint64) st.st_size, path, error))
    return FALSE;

  segments = g_new (ElfW (Phdr), header.e_phnum);
  if (!read_at (fd, segments, header.e_phnum * sizeof *segments, header.e_phoff))
    return refuse (error, path, "is truncated");
  for (guint i = 0; i < header.e_phnum; i++)
    if (!lies_within (segments[i].p_offset, segments[i].p_filesz, (guint64) st.st_size))
      return refuse (error, path, "is truncated");

  return TRUE;
}

static gboolean
check_string (const char *string, gboolean may_be_empty)
{
  return string != NULL && (may_be_empty || *string != '\0') && g_utf8_validate (string, -1, NULL);
}

gboolean
coproc_plugin_check_descriptor (const CoprocPluginDescriptor *descriptor,
                                const char *path,
                                GError **error)
{
  if (descriptor->magic != COPROC_PLUGIN_MAGIC)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_ABI,
                   "Plugin '%s' has a descriptor of another kind", path);
      return FALSE;
    }
  if (descriptor->abi != COPROC_PLUGIN_ABI
      || descriptor->descriptor_size != sizeof (CoprocPluginDescriptor)
      || descriptor->entry_size != sizeof (CoprocPluginEntry))
    {
      g_set_error (
          error, COPROC_ERROR, COPROC_ERROR_PLUGIN_ABI,
          "Plugin '%s' was built for plugin interface %u (sizes %u, %u); this is %u (%zu, %zu)",
          path, descriptor->abi, descriptor->descriptor_size, descriptor->entry_size,
          COPROC_PLUGIN_ABI, sizeof (CoprocPluginDescriptor), sizeof (CoprocPluginEntry));
      return FALSE;
    }
  if (!check_string (descriptor->name, FALSE) || !check_string (descriptor->version, TRUE)
      || !check_string (descriptor->description, TRUE))
    return refuse (error, path, "has a descriptor with invalid texts");
  if (descriptor->entries == NULL || descriptor->n_entries == 0
      || descriptor->n_entries > MAX_ENTRY_POINTS)
    return refuse (error, path, "has no valid list of entry points");

  for (gsize i = 0; i < descriptor->n_entries; i++)
    {
      const CoprocPluginEntry *entry = &descriptor->entries[i];

      if (!check_string (entry->name, FALSE) || !check_string (entry->description, TRUE)
          || (entry->run == NULL) == (entry->task == NULL))
        return refuse (error, path, "has an invalid entry point");
      for (gsize j = 0; j < i; j++)
        if (strcmp (entry->name, descriptor->entries[j].name) == 0)
          return refuse (error, path, "has two entry points of one name");
    }

  return TRUE;
}

/* A module that is in the process for good. */
typedef struct
{
  dev_t device;
  ino_t inode;
  gpointer descriptor;  /* (nullable) what its symbol is */
  GModule *module;
} Resident;

/* (residents_lock) */
static GMutex residents_lock;
static GArray *residents; /* (nullable) Resident */

/* Loads what @fd is, whatever lies at @path by now; by path only where there is no /proc. Neither GModule
 * nor the C library opens a name twice, so each load has a name of its own. (residents_lock) */
static GModule *
open_module_locked (int fd, const char *path, GError **error)
{
  g_autoptr (GString) by_fd = g_string_new ("/proc/self/fd/");
  g_autoptr (GError) local_error = NULL;
  gboolean has_proc;
  GModule *module;

  for (guint i = 0; i < residents->len; i++)
    g_string_append (by_fd, "./");
  g_string_append_printf (by_fd, "%d", fd);
  has_proc = access (by_fd->str, R_OK) == 0;

  module = g_module_open_full (has_proc ? by_fd->str : path, G_MODULE_BIND_LOCAL, &local_error);
  if (module == NULL)
    g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_REFUSED,
                 "Plugin file '%s' cannot be loaded: %s", path, local_error->message);

  return module;
}

/* The module of @fd, loaded now or before. NULL with error set; what is wrong with a module that has been
 * loaded is for the caller to find. */
static const Resident *
ensure_resident_locked (int fd, const char *path, GError **error)
{
  Resident resident = { 0 };
  struct stat st;

  if (residents == NULL)
    residents = g_array_new (FALSE, FALSE, sizeof (Resident));
  if (fstat (fd, &st) == 0)
    {
      resident.device = st.st_dev;
      resident.inode = st.st_ino;
    }
  for (guint i = 0; i < residents->len; i++)
    {
      const Resident *other = &g_array_index (residents, Resident, i);

      if (other->device == resident.device && other->inode == resident.inode)
        return other;
    }

  if (!coproc_plugin_check_elf (fd, path, error)
      || (resident.module = open_module_locked (fd, path, error)) == NULL)
    return NULL;
  g_module_make_resident (resident.module);
  if (!g_module_symbol (resident.module, COPROC_PLUGIN_DESCRIPTOR_SYMBOL, &resident.descriptor))
    resident.descriptor = NULL;
  g_array_append_val (residents, resident);
  return &g_array_index (residents, Resident, residents->len - 1);
}

CoprocLoadedPlugin *
coproc_plugin_load (const char *plugin, GError **error)
{
  g_autoptr (CoprocLoadedPlugin) self = g_new0 (CoprocLoadedPlugin, 1);
  const Resident *resident;
  int fd = coproc_plugin_open_file (plugin, &self->path, error);

  if (fd < 0)
    return NULL;
  g_mutex_lock (&residents_lock);
  resident = ensure_resident_locked (fd, self->path, error);
  if (resident != NULL)
    self->descriptor = resident->descriptor;
  g_mutex_unlock (&residents_lock);
  coproc_clear_fd (&fd);

  if (resident == NULL)
    return NULL;
  if (self->descriptor == NULL)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_SYMBOL,
                   "'%s' is not a plugin: it has no symbol '%s'", self->path,
                   COPROC_PLUGIN_DESCRIPTOR_SYMBOL);
      return NULL;
    }
  if (!coproc_plugin_check_descriptor (self->descriptor, self->path, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
coproc_loaded_plugin_free (CoprocLoadedPlugin *self)
{
  g_free (self->path);
  g_free (self);
}

const CoprocPluginEntry *
coproc_loaded_plugin_find (CoprocLoadedPlugin *self, const char *entry_point, GError **error)
{
  for (gsize i = 0; i < self->descriptor->n_entries; i++)
    if (strcmp (self->descriptor->entries[i].name, entry_point) == 0)
      return &self->descriptor->entries[i];

  g_set_error (error, COPROC_ERROR, COPROC_ERROR_PLUGIN_SYMBOL,
               "Plugin '%s' (%s) has no entry point '%s'", self->descriptor->name, self->path,
               entry_point);
  return NULL;
}
