/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

/* Bytes of the library as a buffer of Python. What is seen of it is a memoryview of it. */
typedef struct
{
  PyObject_HEAD
  GBytes *owner;       /* (owned) */
  gconstpointer data;  /* in @owner */
  gsize size;
  gboolean writable;
} CoprocView;

static void
view_dealloc (PyObject *object)
{
  g_bytes_unref (((CoprocView *) object)->owner);
  PyObject_Free (object);
}

static int
view_get_buffer (PyObject *object, Py_buffer *buffer, int flags)
{
  CoprocView *self = (CoprocView *) object;

  return PyBuffer_FillInfo (buffer, object, (gpointer) self->data, (Py_ssize_t) self->size, !self->writable, flags);
}

static PyBufferProcs view_as_buffer = { .bf_getbuffer = view_get_buffer };

PyTypeObject coproc_view_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "gi.overrides._coproc_native.View",
  .tp_doc = PyDoc_STR ("Bytes that the library holds; a memoryview shows them."),
  .tp_basicsize = sizeof (CoprocView),
  .tp_dealloc = view_dealloc,
  .tp_as_buffer = &view_as_buffer,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

PyObject *
coproc_native_view (GBytes *owner, gconstpointer data, gsize size, gboolean writable)
{
  PyObject *base, *view;

  if (owner == NULL || (size < COPROC_NATIVE_SMALL && !writable))
    base = PyBytes_FromStringAndSize (data, (Py_ssize_t) size);
  else
    {
      CoprocView *self = PyObject_New (CoprocView, &coproc_view_type);

      if (self == NULL)
        return NULL;
      self->owner = g_bytes_ref (owner);
      self->data = data;
      self->size = size;
      self->writable = writable;
      base = (PyObject *) self;
    }
  if (base == NULL)
    return NULL;
  view = PyMemoryView_FromObject (base);
  Py_DECREF (base);
  return view;
}

GBytes *
coproc_native_find_bytes (PyObject *value, const Py_buffer *buffer)
{
  PyObject *base;

  if (!PyMemoryView_Check (value))
    return NULL;
  base = PyMemoryView_GET_BASE (value);
  if (base == NULL || !Py_IS_TYPE (base, &coproc_view_type))
    return NULL;
  return g_bytes_new_with_free_func (buffer->buf, (gsize) buffer->len, (GDestroyNotify) g_bytes_unref,
                                     g_bytes_ref (((CoprocView *) base)->owner));
}
