/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The part of the Python override that is in C. It does what _coproc_calls.py and _coproc_payload.py do, by
 * the same names, and no more: without it those are used.
 *
 * All functions are called with the GIL held; those that fail have set a Python exception.
 */
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef COPROC_NATIVE_MAIN
#define NO_IMPORT_PYGOBJECT
#endif
#include <pygobject.h>

#include <coproc.h>

G_BEGIN_DECLS

/* What the override has told of itself; set once, by set_up(). */
typedef struct
{
  PyTypeObject *message; /* (owned) its class of messages */
  PyTypeObject *variant; /* (owned) GLib.Variant */
  PyObject *raised;      /* (owned) a list: what signal handlers have raised while a call waited */
  unsigned long main_thread; /* whose calls these were */
  PyObject *from_glib;   /* (owned) gives the exception for a GLib.Error */
} CoprocNative;

extern CoprocNative coproc_native;

/* --- types --- */

typedef struct
{
  gsize alignment;
  gsize size;      /* 0: it is not fixed */
  const char *end; /* behind the code of the type */
} CoprocShape;

/* @code: that of a definite type, and maybe more behind it */
CoprocShape coproc_shape_of (const char *code);

static inline gsize
coproc_align (gsize at, gsize alignment)
{
  return (at + alignment - 1) & ~(alignment - 1);
}

/* The bytes for each framing offset of a container of @size bytes, @n_offsets offsets not counted. */
gsize       coproc_offset_width (gsize size, gsize n_offsets);

/* --- values --- */

/* Returns: (transfer full) (nullable): never floating. @messenger: (nullable): whose memory is used for many bytes */
GVariant   *coproc_native_to_variant (PyObject *value, CoprocMessenger *messenger);
PyObject   *coproc_native_from_variant (GVariant *variant);
PyObject   *coproc_native_from_message (CoprocMessage *message);

/* Whether @value is one that becomes an `ay` of consecutive bytes; @buffer is then to be released. Sets no
 * exception. */
gboolean    coproc_native_get_bytes (PyObject *value, Py_buffer *buffer);
/* The `ay` of such a value, without a copy if the library has its bytes; @buffer is released.
 * Returns: (transfer full) (nullable): never floating. @messenger: as above */
GVariant   *coproc_native_take_bytes (CoprocMessenger *messenger, PyObject *value, Py_buffer *buffer);

/* Memory of the messenger that the peer sees, of @size bytes. Returns: (transfer full) (nullable) */
GBytes     *coproc_native_alloc (CoprocMessenger *messenger, gsize size);
/* The bytes of @buffer in such memory, if there are so many that this pays. Returns: (transfer full) (nullable) */
GBytes     *coproc_native_lay_out (CoprocMessenger *messenger, const Py_buffer *buffer);

/* --- views of bytes --- */

extern PyTypeObject coproc_view_type;

/* Bytes that are few are copied, which is cheaper than to keep what they lie in.
 * @owner: (nullable): what @data lies in; NULL to have it copied */
PyObject   *coproc_native_view (GBytes *owner, gconstpointer data, gsize size, gboolean writable);
/* Returns: (transfer full) (nullable): the bytes of @buffer without a copy, if it was got from a view. */
GBytes     *coproc_native_find_bytes (PyObject *value, const Py_buffer *buffer);

#define COPROC_NATIVE_SMALL (16u << 10)
#define COPROC_NATIVE_LARGE (1u << 20)

/* --- calls --- */

extern PyMethodDef coproc_native_calls[];
extern PyMethodDef coproc_native_maps[];

/* Reads as many arguments as @format has letters, each to the place that is told for it: m a messenger, c a channel or
 * NULL, n a gint64, x a GCancellable or NULL, r a message, o any PyObject. They are valid as long as @args. */
gboolean    coproc_native_parse (const char *name, const char *format, PyObject *const *args, Py_ssize_t n, ...);

/* What these get is theirs: results, and the error that there is instead. */
PyObject   *coproc_native_end_send (GError *error);
PyObject   *coproc_native_end_receive (GVariant *variant, GError *error, PyObject *nothing);
PyObject   *coproc_native_end_receive_message (CoprocMessage *message, GError *error);
/* @wrap: makes an object of an item and takes the item; @release: drops one that is not made one any more */
PyObject   *coproc_native_end_receive_array (gpointer *items, gsize n, GError *error,
                                             PyObject *(*wrap) (gpointer item), GDestroyNotify release);
PyObject   *coproc_native_wrap_message (CoprocMessage *message);
PyObject   *coproc_native_wrap_variant (GVariant *variant);

G_END_DECLS
