/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

#include <time.h>

/* A few milliseconds exact, and much cheaper than the exact time. */
static gint64
get_coarse_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
  return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* Whether it can be a payload for certain, of a few bytes. */
static gboolean
is_simple (PyObject *value)
{
  int overflow = 0;

  if (PyLong_CheckExact (value))
    PyLong_AsLongLongAndOverflow (value, &overflow);
  else
    return value == Py_None || PyBool_Check (value) || PyFloat_CheckExact (value);
  return overflow == 0;
}

/* Makes a payload of what has no size that is known. @size: (out): that of the payload */
static PyObject *
measure (PyObject *result, gint64 *size)
{
  GVariant *variant = NULL;

  *size = 0;
  if (result == NULL || is_simple (result))
    return result;
  variant = coproc_native_to_variant (result, NULL);
  Py_DECREF (result);
  if (variant == NULL)
    return NULL;
  *size = (gint64) g_variant_get_size (variant);
  return coproc_native_wrap_variant (variant);
}

/* apply (function, inputs, results, limit_us, max_bytes): @inputs and @results are lists */
static PyObject *
map_apply (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  PyObject *function, *inputs, *results;
  gint64 end, room, size;

  if (!coproc_native_parse ("apply", "ooonn", args, n, &function, &inputs, &results, &end, &room))
    return NULL;
  end += get_coarse_time ();
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE (inputs); i++)
    {
      PyObject *input = Py_NewRef (PyList_GET_ITEM (inputs, i));
      PyObject *result = measure (PyObject_CallOneArg (function, input), &size);
      const gboolean done = result != NULL && PyList_Append (results, result) == 0;

      Py_XDECREF (result);
      Py_DECREF (input);
      if (!done)
        return NULL;
      room -= size;
      if (room < 0 || get_coarse_time () > end)
        break;
    }
  Py_RETURN_NONE;
}

PyMethodDef coproc_native_maps[] = {
  { "apply", (PyCFunction) (void (*) (void)) map_apply, METH_FASTCALL, NULL },
  { NULL, NULL, 0, NULL },
};
