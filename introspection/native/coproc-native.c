/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#define COPROC_NATIVE_MAIN
#include "coproc-native.h"

#include <string.h>
#include <sys/mman.h>

CoprocNative coproc_native;

#define LARGE (4u << 20)
#define HUGE_PAGE (2u << 20)

/* Memory that is new is found a page at a time, which takes longer than to fill it; a system that has large ones may
 * use them. */
static void
expect_writes (gpointer memory, gsize size)
{
  const guintptr first = ((guintptr) memory + HUGE_PAGE - 1) & ~(guintptr) (HUGE_PAGE - 1);

  if (size >= LARGE)
    (void) madvise ((gpointer) first, ((guintptr) memory + size - first) & ~(gsize) (HUGE_PAGE - 1), MADV_HUGEPAGE);
}

/* Fills a field of the state, which lasts as long as the process. */
static void
keep (gpointer field, PyObject *value)
{
  *(PyObject **) field = Py_NewRef (value);
}

/* set_up (class of messages, class of variants, list of what handlers raise, the main thread, function for errors) */
static PyObject *
native_set_up (PyObject *module, PyObject *args)
{
  PyObject *message, *variant, *raised, *from_glib;

  if (!PyArg_ParseTuple (args, "O!O!O!kO", &PyType_Type, &message, &PyType_Type, &variant, &PyList_Type, &raised,
                         &coproc_native.main_thread, &from_glib))
    return NULL;
  if (coproc_native.message == NULL)
    {
      keep (&coproc_native.message, message);
      keep (&coproc_native.variant, variant);
      keep (&coproc_native.raised, raised);
      keep (&coproc_native.from_glib, from_glib);
    }
  Py_RETURN_NONE;
}

/* to_variant (value): a GLib.Variant of it, which is itself if it is one */
static PyObject *
native_to_variant (PyObject *module, PyObject *value)
{
  GVariant *variant;

  if (Py_IS_TYPE (value, coproc_native.variant))
    return Py_NewRef (value);
  variant = coproc_native_to_variant (value, NULL);
  return variant != NULL ? coproc_native_wrap_variant (variant) : NULL;
}

/* from_variant (variant) */
static PyObject *
native_from_variant (PyObject *module, PyObject *value)
{
  if (!PyObject_TypeCheck (value, coproc_native.variant) || pyg_pointer_get_ptr (value) == NULL)
    {
      PyErr_Format (PyExc_TypeError, "A GLib.Variant is expected, not %s", Py_TYPE (value)->tp_name);
      return NULL;
    }
  return coproc_native_from_variant (pyg_pointer_get_ptr (value));
}

/* get_payload (message) */
static PyObject *
native_get_payload (PyObject *module, PyObject *value)
{
  CoprocMessage *message;

  return coproc_native_parse ("get_payload", "r", &value, 1, &message) ? coproc_native_from_message (message) : NULL;
}

/* get_bytes (message): None when the payload is no `ay` */
static PyObject *
native_get_bytes (PyObject *module, PyObject *value)
{
  CoprocMessage *message;

  if (!coproc_native_parse ("get_bytes", "r", &value, 1, &message))
    return NULL;
  if (coproc_message_get_bytes (message) == NULL)
    Py_RETURN_NONE;
  return coproc_native_from_message (message);
}

/* get_data (message): the bytes of a payload, as bytes if they are few, else as a memoryview of the library's memory; None
 * when there are none */
static PyObject *
native_get_data (PyObject *module, PyObject *value)
{
  CoprocMessage *message;
  const guint8 *data;
  gsize size;

  if (!coproc_native_parse ("get_data", "r", &value, 1, &message))
    return NULL;
  data = coproc_message_get_data (message, &size);
  if (data == NULL)
    Py_RETURN_NONE;
  return size < COPROC_NATIVE_SMALL ? PyBytes_FromStringAndSize ((const char *) data, (Py_ssize_t) size)
                                    : coproc_native_view (coproc_message_get_bytes (message), data, size, FALSE);
}

static PyObject *
copy_buffer (PyObject *value, PyObject *(*make) (const char *data, Py_ssize_t size))
{
  PyObject *copy;
  Py_buffer buffer;

  if (PyObject_GetBuffer (value, &buffer, PyBUF_SIMPLE) != 0)
    return NULL;
  copy = make (NULL, buffer.len);
  if (copy != NULL)
    {
      char *place = PyBytes_Check (copy) ? PyBytes_AS_STRING (copy) : PyByteArray_AS_STRING (copy);

      Py_BEGIN_ALLOW_THREADS
      expect_writes (place, (gsize) buffer.len);
      memcpy (place, buffer.buf, (gsize) buffer.len);
      Py_END_ALLOW_THREADS
    }
  PyBuffer_Release (&buffer);
  return copy;
}

/* copy (buffer): bytes */
static PyObject *
native_copy (PyObject *module, PyObject *value)
{
  return copy_buffer (value, PyBytes_FromStringAndSize);
}

/* copy_array (buffer): a bytearray */
static PyObject *
native_copy_array (PyObject *module, PyObject *value)
{
  return copy_buffer (value, PyByteArray_FromStringAndSize);
}

/* contains (bytes, part): as `part in bytes`; much faster where the first byte of the part is rare */
static PyObject *
native_contains (PyObject *module, PyObject *args)
{
  const char *data, *part, *end;
  Py_ssize_t size, part_size;

  if (!PyArg_ParseTuple (args, "y#y#", &data, &size, &part, &part_size))
    return NULL;
  end = data + size - part_size;
  while (part_size > 0 && data <= end && (data = memchr (data, *part, (gsize) (end - data) + 1)) != NULL)
    {
      if (memcmp (data, part, (gsize) part_size) == 0)
        Py_RETURN_TRUE;
      data++;
    }
  return PyBool_FromLong (part_size == 0);
}

/* alloc_bytes (messenger, size): memory of the library's, for bytes to send */
static PyObject *
native_alloc_bytes (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autoptr (GBytes) bytes = NULL;
  CoprocMessenger *messenger;
  GError *error = NULL;
  gint64 size;

  if (!coproc_native_parse ("alloc_bytes", "mn", args, n, &messenger, &size))
    return NULL;
  if (size < 1)
    {
      PyErr_SetString (PyExc_ValueError, "There is no memory of less than a byte");
      return NULL;
    }
  bytes = coproc_messenger_alloc_bytes (messenger, (gsize) size, &error);
  if (bytes == NULL)
    return coproc_native_end_receive (NULL, error, Py_None);
  return coproc_native_view (bytes, g_bytes_get_data (bytes, NULL), (gsize) size, TRUE);
}

static PyMethodDef native_functions[] = {
  { "set_up", native_set_up, METH_VARARGS, NULL },
  { "to_variant", native_to_variant, METH_O, NULL },
  { "from_variant", native_from_variant, METH_O, NULL },
  { "get_payload", native_get_payload, METH_O, NULL },
  { "get_bytes", native_get_bytes, METH_O, NULL },
  { "get_data", native_get_data, METH_O, NULL },
  { "contains", native_contains, METH_VARARGS, NULL },
  { "copy", native_copy, METH_O, NULL },
  { "copy_array", native_copy_array, METH_O, NULL },
  { "alloc_bytes", (PyCFunction) (void (*) (void)) native_alloc_bytes, METH_FASTCALL, NULL },
  { NULL, NULL, 0, NULL },
};

static struct PyModuleDef native_module = {
  PyModuleDef_HEAD_INIT,
  .m_name = "_coproc_native",
  .m_doc = PyDoc_STR ("What the override of Coproc does in C, see _coproc_calls."),
  .m_size = -1,
  .m_methods = native_functions,
};

PyMODINIT_FUNC PyInit__coproc_native (void);

PyMODINIT_FUNC
PyInit__coproc_native (void)
{
  PyObject *gobject = pygobject_init (3, 42, 0), *module = NULL;

  Py_XDECREF (gobject);
  if (gobject != NULL && PyType_Ready (&coproc_view_type) == 0)
    module = PyModule_Create (&native_module);
  if (module != NULL
      && (PyModule_AddFunctions (module, coproc_native_calls) != 0
          || PyModule_AddFunctions (module, coproc_native_maps) != 0))
    Py_CLEAR (module);
  return module;
}
