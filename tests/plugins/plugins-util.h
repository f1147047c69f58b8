/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker of a shipped plugin, with a file for it to read.
 */
#pragma once

#include <coproc-test.h>

#include <glib/gstdio.h>
#include <unistd.h>

#define PATIENCE (30 * G_TIME_SPAN_SECOND)

typedef struct
{
  CoprocWorkerResource *worker;
  CoprocMessenger *messenger; /* (transfer none) */
  char *dir;
  char *path;                 /* of a file in it */
} Fixture;

static inline void
set_up (Fixture       *f,
        gconstpointer  data)
{
  g_autoptr(GError) error = NULL;

  f->dir = g_dir_make_tmp ("test-plugins-XXXXXX", &error);
  g_assert_no_error (error);
  f->path = g_build_filename (f->dir, "file", NULL);
}

/* @arguments: (transfer full) (nullable) */
static inline void
start (Fixture    *f,
       const char *plugin,
       const char *entry_point,
       GVariant   *arguments)
{
  g_autoptr(GVariant) owned = arguments;
  g_autoptr(GError) error = NULL;

  f->worker = coproc_worker_resource_new (plugin, entry_point);
  g_object_set (f->worker, "mode", coproc_test_get_mode (), NULL);
  coproc_worker_resource_start (f->worker, owned, NULL, &error);
  g_assert_no_error (error);
  f->messenger = coproc_worker_resource_get_messenger (f->worker);
}

static inline void
tear_down (Fixture       *f,
           gconstpointer  data)
{
  g_autoptr(GError) error = NULL;

  if (f->worker != NULL)
    {
      coproc_worker_resource_stop (f->worker, PATIENCE, &error);
      g_assert_no_error (error);
      g_clear_object (&f->worker);
    }
  g_unlink (f->path);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->dir);
  g_free (f->path);
}

static inline void
write_file (Fixture    *f,
            const char *data,
            gssize      length)
{
  g_autoptr(GError) error = NULL;

  g_file_set_contents (f->path, data, length, &error);
  g_assert_no_error (error);
}

/* Parses @text, which may name the file as %s. */
static inline GVariant *
parse (Fixture    *f,
       const char *text)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) parts = g_strsplit (text, "%s", -1);
  g_autofree char *full = g_strjoinv (f->path, parts);
  GVariant *value = g_variant_parse (NULL, full, NULL, NULL, &error);

  g_assert_no_error (error);
  return value;
}

static inline GVariant *
call (Fixture   *f,
      GVariant  *payload,
      GError   **error)
{
  GVariant *reply = coproc_messenger_call (f->messenger, payload, NULL, PATIENCE, NULL, error);

  g_variant_unref (payload);
  return reply;
}

/* What is asked of an entry point, and the error that must come of it. */
typedef struct
{
  const char *entry_point;
  const char *payload;
  GQuark domain;
  int code;
  const char *says;
} BadRequest;

#define ADD(path, function) \
  g_test_add ("/coproc/plugins/" path, Fixture, NULL, set_up, function, tear_down)
