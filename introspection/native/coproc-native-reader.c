/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

#include <string.h>

/* The serialised form of a GVariant. It has been found to be in normal form, which is not relied on: nothing outside
 * of it is read, whatever is in it. */
typedef struct
{
  GVariant *variant;
  const guint8 *data;
  GBytes *bytes; /* (nullable) (owned) the same as @data, once it is needed */
} Reader;

static PyObject *read_value (Reader *self, const char *code, gsize start, gsize end);

static PyObject *
refuse (void)
{
  PyErr_SetString (PyExc_ValueError, "A payload is not in normal form");
  return NULL;
}

static gsize
read_offset (const guint8 *place, gsize width)
{
  guint64 offset = 0;

  memcpy (&offset, place, width);
  return GUINT64_FROM_LE (offset);
}

#define READ(type, place) ({ type read_; memcpy (&read_, (place), sizeof read_); read_; })

/* @code: one of those of fixed size that are no container */
static PyObject *
read_number (char code, const guint8 *place)
{
  switch (code)
    {
    case 'b':
      return PyBool_FromLong (*place);
    case 'y':
      return PyLong_FromLong (*place);
    case 'n':
      return PyLong_FromLong (READ (gint16, place));
    case 'q':
      return PyLong_FromLong (READ (guint16, place));
    case 'i':
    case 'h':
      return PyLong_FromLong (READ (gint32, place));
    case 'u':
      return PyLong_FromUnsignedLong (READ (guint32, place));
    case 'x':
      return PyLong_FromLongLong (READ (gint64, place));
    case 't':
      return PyLong_FromUnsignedLongLong (READ (guint64, place));
    default: /* d */
      return PyFloat_FromDouble (READ (double, place));
    }
}

static PyObject *
read_string (Reader *self, gsize start, gsize end)
{
  if (start == end || self->data[end - 1] != '\0')
    return refuse ();
  return PyUnicode_DecodeUTF8 ((const char *) self->data + start, (Py_ssize_t) (end - start - 1), NULL);
}

static PyObject *
read_bytes (Reader *self, gsize start, gsize end)
{
  if (end - start >= COPROC_NATIVE_SMALL && self->bytes == NULL)
    self->bytes = g_variant_get_data_as_bytes (self->variant);
  return coproc_native_view (self->bytes, self->data + start, end - start, FALSE);
}

/* --- containers --- */

static PyObject *
read_fixed_array (Reader *self, const char *code, const CoprocShape *item, gsize start, gsize end)
{
  const Py_ssize_t n = (Py_ssize_t) ((end - start) / item->size);
  PyObject *list;

  if ((end - start) % item->size != 0)
    return refuse ();
  list = PyList_New (n);
  for (Py_ssize_t i = 0; list != NULL && i < n; i++)
    {
      const gsize at = start + (gsize) i * item->size;
      PyObject *value = *code == '(' || *code == '{' ? read_value (self, code, at, at + item->size)
                                                     : read_number (*code, self->data + at);

      if (value != NULL)
        PyList_SET_ITEM (list, i, value);
      else
        Py_CLEAR (list);
    }
  return list;
}

static PyObject *
read_offset_array (Reader *self, const char *code, const CoprocShape *item, gsize start, gsize end)
{
  const gsize width = coproc_offset_width (end - start, 0);
  gsize last, at = start;
  Py_ssize_t n;
  PyObject *list;

  if (start == end)
    return PyList_New (0);
  last = read_offset (self->data + end - width, width);
  if (last > end - start - width || (end - start - last) % width != 0)
    return refuse ();
  n = (Py_ssize_t) ((end - start - last) / width);
  list = PyList_New (n);
  for (Py_ssize_t i = 0; list != NULL && i < n; i++)
    {
      const gsize offset = read_offset (self->data + start + last + (gsize) i * width, width);
      PyObject *value;

      at = coproc_align (at, item->alignment);
      if (offset > last || at > start + offset)
        {
          Py_DECREF (list);
          return refuse ();
        }
      value = read_value (self, code, at, start + offset);
      if (value != NULL)
        PyList_SET_ITEM (list, i, value);
      else
        Py_CLEAR (list);
      at = start + offset;
    }
  return list;
}

/* @entries: (transfer full): a list of pairs */
static PyObject *
make_dict (PyObject *entries)
{
  PyObject *dict = PyDict_New ();

  for (Py_ssize_t i = 0; dict != NULL && i < PyList_GET_SIZE (entries); i++)
    {
      PyObject *entry = PyList_GET_ITEM (entries, i);

      if (PyDict_SetItem (dict, PyTuple_GET_ITEM (entry, 0), PyTuple_GET_ITEM (entry, 1)) != 0)
        Py_CLEAR (dict);
    }
  Py_DECREF (entries);
  return dict;
}

static PyObject *
read_array (Reader *self, const char *code, gsize start, gsize end)
{
  const CoprocShape item = coproc_shape_of (code);
  PyObject *list;

  if (*code == 'y')
    return read_bytes (self, start, end);
  list = item.size > 0 ? read_fixed_array (self, code, &item, start, end)
                       : read_offset_array (self, code, &item, start, end);
  return list != NULL && *code == '{' ? make_dict (list) : list;
}

/* @code: that of the first member; the tuple's length is not known before */
static PyObject *
read_members (Reader *self, const char *code, gsize start, gsize end)
{
  const gsize width = coproc_offset_width (end - start, 0);
  gsize at = start, table = end;
  Py_ssize_t n = 0, i = 0;
  PyObject *tuple;

  for (const char *member = code; *member != ')' && *member != '}'; member = coproc_shape_of (member).end)
    n++;
  tuple = PyTuple_New (n);
  for (; tuple != NULL && i < n; i++)
    {
      const CoprocShape member = coproc_shape_of (code);
      PyObject *value;
      gsize stop;

      at = coproc_align (at, member.alignment);
      if (member.size > 0)
        stop = at + member.size;
      else if (i == n - 1)
        stop = table;
      else if (table - start < width)
        break;
      else
        {
          table -= width;
          stop = read_offset (self->data + table, width);
          stop = stop <= end - start ? start + stop : G_MAXSIZE;
        }
      if (at > stop || stop > table)
        break;
      value = read_value (self, code, at, stop);
      if (value != NULL)
        PyTuple_SET_ITEM (tuple, i, value);
      else
        Py_CLEAR (tuple);
      at = stop;
      code = member.end;
    }
  if (tuple == NULL || i == n)
    return tuple;
  Py_DECREF (tuple);
  return refuse ();
}

static PyObject *
read_variant (Reader *self, gsize start, gsize end)
{
  const char *first = (const char *) self->data + start, *behind;
  const char *mark = memrchr (first, '\0', end - start);
  g_autofree char *allocated = NULL;
  char few[16], *code = few;
  gsize length;

  if (mark == NULL)
    return refuse ();
  length = end - start - (gsize) (mark + 1 - first);
  if (length >= sizeof few)
    code = allocated = g_malloc (length + 1);
  memcpy (code, mark + 1, length);
  code[length] = '\0';
  if (!g_variant_type_string_scan (code, NULL, &behind) || *behind != '\0' || strpbrk (code, "*?r") != NULL)
    return refuse ();
  return read_value (self, code, start, start + (gsize) (mark - first));
}

static PyObject *
read_maybe (Reader *self, const char *code, gsize start, gsize end)
{
  if (start == end)
    Py_RETURN_NONE;
  return read_value (self, code, start, coproc_shape_of (code).size > 0 ? end : end - 1);
}

static PyObject *
read_container (Reader *self, const char *code, gsize start, gsize end)
{
  switch (*code)
    {
    case 'a':
      return read_array (self, code + 1, start, end);
    case 'm':
      return read_maybe (self, code + 1, start, end);
    case 'v':
      return read_variant (self, start, end);
    default: /* ( and { */
      return read_members (self, code + 1, start, end);
    }
}

/* The value of the bytes from @start to @end; of @code no more is read than one type. */
static PyObject *
read_value (Reader *self, const char *code, gsize start, gsize end)
{
  PyObject *value;

  switch (*code)
    {
    case 's':
    case 'o':
    case 'g':
      return read_string (self, start, end);
    case 'a':
    case 'm':
    case 'v':
    case '(':
    case '{':
      if (Py_EnterRecursiveCall (" while a payload is read") != 0)
        return NULL;
      value = read_container (self, code, start, end);
      Py_LeaveRecursiveCall ();
      return value;
    default:
      return coproc_shape_of (code).size == end - start ? read_number (*code, self->data + start) : refuse ();
    }
}

PyObject *
coproc_native_from_variant (GVariant *variant)
{
  /* It may have been made here; what is received has been checked. */
  g_autoptr (GVariant) normal = g_variant_get_normal_form (variant);
  const gsize size = g_variant_get_size (normal);
  Reader self = { normal, size > 0 ? g_variant_get_data (normal) : "", NULL };
  PyObject *value;

  if (self.data == NULL) /* so GLib has it where the size is not that of the type */
    return refuse ();
  value = read_value (&self, g_variant_get_type_string (normal), 0, size);
  g_clear_pointer (&self.bytes, g_bytes_unref);
  return value;
}

PyObject *
coproc_native_from_message (CoprocMessage *message)
{
  gsize size;
  const guint8 *data = coproc_message_get_data (message, &size);

  if (data == NULL)
    return coproc_native_from_variant (coproc_message_get_payload (message));
  return coproc_native_view (size < COPROC_NATIVE_SMALL ? NULL : coproc_message_get_bytes (message), data, size, FALSE);
}
