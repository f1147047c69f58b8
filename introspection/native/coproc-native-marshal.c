/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

#include <stdarg.h>
#include <string.h>

/* --- arguments --- */

static gpointer
get_object (PyObject *value, GType type)
{
  GObject *object = PyObject_TypeCheck (value, &PyGObject_Type) ? pygobject_get (value) : NULL;

  if (object != NULL && G_TYPE_CHECK_INSTANCE_TYPE (object, type))
    return object;
  PyErr_Format (PyExc_TypeError, "A %s is expected, not %s", g_type_name (type), Py_TYPE (value)->tp_name);
  return NULL;
}

static gboolean
get_channel (PyObject *value, const char **channel)
{
  Py_ssize_t length;

  *channel = NULL;
  if (value == Py_None)
    return TRUE;
  if (!PyUnicode_Check (value))
    {
      PyErr_Format (PyExc_TypeError, "A channel is a str or None, not %s", Py_TYPE (value)->tp_name);
      return FALSE;
    }
  *channel = PyUnicode_AsUTF8AndSize (value, &length);
  if (*channel != NULL && strlen (*channel) != (gsize) length)
    {
      PyErr_SetString (PyExc_ValueError, "The name of a channel cannot have a NUL in it");
      return FALSE;
    }
  return *channel != NULL;
}

/* Of whichever class; there is one without the override, too. */
static CoprocMessage *
get_message (PyObject *value)
{
  CoprocMessage *message = NULL;

  if (pyg_boxed_check (value, COPROC_TYPE_MESSAGE))
    message = pyg_boxed_get (value, CoprocMessage);
  if (message == NULL)
    PyErr_Format (PyExc_TypeError, "A Coproc.Message is expected, not %s", Py_TYPE (value)->tp_name);
  return message;
}

static gboolean
get_number (PyObject *value, gint64 *number)
{
  *number = PyLong_AsLongLong (value);
  return *number != -1 || PyErr_Occurred () == NULL;
}

static gboolean
get_argument (char what, PyObject *value, gpointer place)
{
  switch (what)
    {
    case 'm':
      return (*(gpointer *) place = get_object (value, COPROC_TYPE_MESSENGER)) != NULL;
    case 'r':
      return (*(gpointer *) place = get_message (value)) != NULL;
    case 'x':
      *(gpointer *) place = value != Py_None ? get_object (value, G_TYPE_CANCELLABLE) : NULL;
      return *(gpointer *) place != NULL || value == Py_None;
    case 'c':
      return get_channel (value, place);
    case 'n':
      return get_number (value, place);
    default: /* o */
      *(PyObject **) place = value;
      return TRUE;
    }
}

gboolean
coproc_native_parse (const char *name, const char *format, PyObject *const *args, Py_ssize_t n, ...)
{
  gboolean done = (gsize) n == strlen (format);
  va_list places;

  if (!done)
    PyErr_Format (PyExc_TypeError, "%s() takes %zu arguments, not %zd", name, strlen (format), n);
  va_start (places, n);
  for (Py_ssize_t i = 0; done && i < n; i++)
    done = get_argument (format[i], args[i], va_arg (places, gpointer));
  va_end (places);
  return done;
}

/* --- results --- */

/* Raises what a signal handler has raised while a call of this thread waited. Returns: whether there was something */
static gboolean
raise_of_signals (void)
{
  const Py_ssize_t n = PyList_GET_SIZE (coproc_native.raised);
  PyObject *exception;

  if (n == 0 || PyThread_get_thread_ident () != coproc_native.main_thread)
    return FALSE;
  exception = Py_NewRef (PyList_GET_ITEM (coproc_native.raised, n - 1));
  if (PyList_SetSlice (coproc_native.raised, n - 1, n, NULL) == 0)
    PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  Py_DECREF (exception);
  return TRUE;
}

/* @error: (transfer full) */
static void
raise_error (GError *error)
{
  PyObject *type, *value, *traceback, *exception;

  pyg_error_check (&error);
  PyErr_Fetch (&type, &value, &traceback);
  PyErr_NormalizeException (&type, &value, &traceback);
  exception = PyObject_CallOneArg (coproc_native.from_glib, value);
  if (exception != NULL)
    PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  Py_XDECREF (exception);
  Py_XDECREF (type);
  Py_XDECREF (value);
  Py_XDECREF (traceback);
}

/* Whether a call has succeeded: neither failed, nor been interrupted. */
static gboolean
has_succeeded (GError *error)
{
  if (raise_of_signals ())
    g_clear_error (&error);
  else if (error != NULL)
    raise_error (error);
  return PyErr_Occurred () == NULL;
}

PyObject *
coproc_native_end_send (GError *error)
{
  return has_succeeded (error) ? Py_NewRef (Py_True) : NULL;
}

PyObject *
coproc_native_wrap_message (CoprocMessage *message)
{
  PyObject *object = coproc_native.message->tp_alloc (coproc_native.message, 0);

  if (object == NULL)
    {
      coproc_message_unref (message);
      return NULL;
    }
  ((PyGBoxed *) object)->boxed = message;
  ((PyGBoxed *) object)->gtype = COPROC_TYPE_MESSAGE;
  ((PyGBoxed *) object)->free_on_dealloc = TRUE;
  return object;
}

PyObject *
coproc_native_wrap_variant (GVariant *variant)
{
  PyGPointer *object = (PyGPointer *) coproc_native.variant->tp_alloc (coproc_native.variant, 0);

  if (object == NULL)
    {
      g_variant_unref (variant);
      return NULL;
    }
  object->pointer = variant; /* its class drops the reference */
  object->gtype = G_TYPE_VARIANT;
  return (PyObject *) object;
}

PyObject *
coproc_native_end_receive_message (CoprocMessage *message, GError *error)
{
  if (!has_succeeded (error))
    {
      g_clear_pointer (&message, coproc_message_unref);
      return NULL;
    }
  return message != NULL ? coproc_native_wrap_message (message) : Py_NewRef (Py_None);
}

PyObject *
coproc_native_end_receive (GVariant *variant, GError *error, PyObject *nothing)
{
  g_autoptr (GVariant) owned = variant;

  if (!has_succeeded (error))
    return NULL;
  return owned != NULL ? coproc_native_from_variant (owned) : Py_NewRef (nothing);
}

PyObject *
coproc_native_end_receive_array (gpointer       *items,
                                 gsize           n,
                                 GError         *error,
                                 PyObject *    (*wrap) (gpointer item),
                                 GDestroyNotify  release)
{
  PyObject *list = has_succeeded (error) ? PyList_New ((Py_ssize_t) n) : NULL;
  gsize i = 0;

  for (; list != NULL && i < n; i++)
    {
      PyObject *object = wrap (items[i]);

      if (object != NULL)
        PyList_SET_ITEM (list, (Py_ssize_t) i, object);
      else
        Py_CLEAR (list);
    }
  for (; i < n; i++)
    release (items[i]);
  g_free (items);
  return list;
}
