/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native-writer.h"

#include <string.h>

static gboolean write_value (CoprocWriter *self, PyObject *value, CoprocWritten *written);

/* --- single values --- */

static gboolean
write_integer (CoprocWriter *self, PyObject *value, CoprocWritten *written)
{
  int overflow;
  guint64 number = (guint64) PyLong_AsLongLongAndOverflow (value, &overflow);
  char code = 'x';

  if (overflow != 0)
    {
      code = 't';
      number = overflow > 0 ? PyLong_AsUnsignedLongLong (value) : 0;
      if (overflow < 0 || PyErr_Occurred () != NULL)
        {
          PyErr_SetString (PyExc_OverflowError, "An integer of a payload has at most 64 bits");
          return FALSE;
        }
    }
  memcpy (coproc_writer_add (self, sizeof number), &number, sizeof number);
  g_string_append_c (self->code, code);
  *written = (CoprocWritten) { 8, TRUE };
  return TRUE;
}

static void
write_double (CoprocWriter *self, double number)
{
  memcpy (coproc_writer_add (self, sizeof number), &number, sizeof number);
}

static gboolean
write_text (CoprocWriter *self, PyObject *value)
{
  Py_ssize_t length;
  const char *text = PyUnicode_AsUTF8AndSize (value, &length);

  if (text == NULL)
    return FALSE;
  if (memchr (text, '\0', (gsize) length) != NULL)
    {
      PyErr_SetString (PyExc_ValueError, "A string of a payload cannot have a NUL in it");
      return FALSE;
    }
  memcpy (coproc_writer_add (self, (gsize) length + 1), text, (gsize) length + 1);
  return TRUE;
}

static gboolean
write_glib (CoprocWriter *self, PyObject *value, CoprocWritten *written)
{
  GVariant *given = (GVariant *) ((PyGPointer *) value)->pointer;
  g_autoptr (GVariant) variant = NULL;
  CoprocShape shape;

  if (given == NULL)
    {
      PyErr_SetString (PyExc_TypeError, "A GLib.Variant is empty");
      return FALSE;
    }
  variant = g_variant_get_normal_form (given);
  g_variant_store (variant, coproc_writer_add (self, g_variant_get_size (variant)));
  g_string_append (self->code, g_variant_get_type_string (variant));
  shape = coproc_shape_of (g_variant_get_type_string (variant));
  *written = (CoprocWritten) { shape.alignment, shape.size > 0 };
  return TRUE;
}

/* --- containers --- */

static gboolean
write_variant (CoprocWriter *self, PyObject *value)
{
  const gsize mark = self->code->len;
  CoprocWritten written;
  gsize length;

  coproc_writer_align (self, 8);
  if (!write_value (self, value, &written))
    return FALSE;
  length = self->code->len - mark;
  *coproc_writer_add (self, 1) = '\0';
  memcpy (coproc_writer_add (self, length), self->code->str + mark, length);
  g_string_truncate (self->code, mark);
  return TRUE;
}

/* Whether all items are of exactly one type, which an array can have. */
static PyTypeObject *
find_item_type (PyObject *list)
{
  const Py_ssize_t n = PyList_GET_SIZE (list);
  PyTypeObject *type = n > 0 ? Py_TYPE (PyList_GET_ITEM (list, 0)) : NULL;

  if (type != &PyLong_Type && type != &PyFloat_Type && type != &PyUnicode_Type)
    return NULL;
  for (Py_ssize_t i = 1; i < n; i++)
    if (!Py_IS_TYPE (PyList_GET_ITEM (list, i), type))
      return NULL;
  return type;
}

/* Returns: FALSE when one is too large for the type; then nothing is written */
static gboolean
write_integers (CoprocWriter *self, PyObject *list)
{
  const gsize start = self->size;
  int overflow = 0;

  for (Py_ssize_t i = 0; i < PyList_GET_SIZE (list) && overflow == 0; i++)
    {
      const gint64 number = PyLong_AsLongLongAndOverflow (PyList_GET_ITEM (list, i), &overflow);

      memcpy (coproc_writer_add (self, sizeof number), &number, sizeof number);
    }
  if (overflow != 0)
    self->size = start;
  return overflow == 0;
}

static gboolean
write_texts (CoprocWriter *self, PyObject *list)
{
  const gsize start = self->size;
  const guint first = self->offsets->len;

  for (Py_ssize_t i = 0; i < PyList_GET_SIZE (list); i++)
    {
      if (!write_text (self, PyList_GET_ITEM (list, i)))
        return FALSE;
      coproc_writer_add_offset (self, self->size - start);
    }
  coproc_writer_end_offsets (self, start, first, FALSE);
  return TRUE;
}

static gboolean
write_variants (CoprocWriter *self, PyObject *list)
{
  const gsize start = self->size;
  const guint first = self->offsets->len;

  /* What is written may run code of Python's, which may change the list. */
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE (list); i++)
    {
      PyObject *item = Py_NewRef (PyList_GET_ITEM (list, i));
      const gboolean done = write_variant (self, item);

      Py_DECREF (item);
      if (!done)
        return FALSE;
      coproc_writer_add_offset (self, self->size - start);
    }
  coproc_writer_end_offsets (self, start, first, FALSE);
  return TRUE;
}

static gboolean
write_list (CoprocWriter *self, PyObject *list, CoprocWritten *written)
{
  PyTypeObject *type = find_item_type (list);
  const char *code = "av";
  gboolean done = TRUE;

  if (type == &PyLong_Type && write_integers (self, list))
    code = "ax";
  else if (type == &PyFloat_Type)
    {
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE (list); i++)
        write_double (self, PyFloat_AS_DOUBLE (PyList_GET_ITEM (list, i)));
      code = "ad";
    }
  else if (type == &PyUnicode_Type)
    {
      done = write_texts (self, list);
      code = "as";
    }
  else
    done = write_variants (self, list);
  g_string_append (self->code, code);
  *written = (CoprocWritten) { type == &PyUnicode_Type ? 1 : 8, FALSE };
  return done;
}

/* The code of what all keys are, or '\0' */
static char
find_key_code (PyObject *dict)
{
  PyTypeObject *type = NULL;
  PyObject *key;
  Py_ssize_t i = 0;

  while (PyDict_Next (dict, &i, &key, NULL))
    {
      if (type != NULL && !Py_IS_TYPE (key, type))
        return '\0';
      type = Py_TYPE (key);
    }
  if (type == NULL || type == &PyUnicode_Type)
    return 's';
  if (type == &PyLong_Type)
    return 'x';
  return type == &PyFloat_Type ? 'd' : '\0';
}

static gboolean
write_entry (CoprocWriter *self, char code, PyObject *key, PyObject *value)
{
  const gsize start = self->size;
  const guint first = self->offsets->len;
  int overflow = 0;

  if (code == 's')
    {
      if (!write_text (self, key))
        return FALSE;
      coproc_writer_add_offset (self, self->size - start);
    }
  else if (code == 'd')
    write_double (self, PyFloat_AS_DOUBLE (key));
  else
    {
      const gint64 number = PyLong_AsLongLongAndOverflow (key, &overflow);

      memcpy (coproc_writer_add (self, sizeof number), &number, sizeof number);
    }
  if (overflow != 0)
    {
      PyErr_SetString (PyExc_OverflowError, "An integer that is a key of a payload has 63 bits and a sign");
      return FALSE;
    }
  if (!write_variant (self, value))
    return FALSE;
  coproc_writer_end_offsets (self, start, first, FALSE);
  return TRUE;
}

static gboolean
write_entries (CoprocWriter *self, PyObject *dict, char code)
{
  const gsize start = self->size;
  const guint first = self->offsets->len;
  const Py_ssize_t n = PyDict_GET_SIZE (dict);
  PyObject *key, *value;
  Py_ssize_t i = 0;

  while (PyDict_Next (dict, &i, &key, &value))
    {
      gboolean done;

      Py_INCREF (key);
      Py_INCREF (value);
      coproc_writer_align (self, 8);
      done = write_entry (self, code, key, value);
      Py_DECREF (key);
      Py_DECREF (value);
      if (done && PyDict_GET_SIZE (dict) != n)
        {
          PyErr_SetString (PyExc_RuntimeError, "A dictionary has changed while it was made a payload");
          return FALSE;
        }
      if (!done)
        return FALSE;
      coproc_writer_add_offset (self, self->size - start);
    }
  coproc_writer_end_offsets (self, start, first, FALSE);
  return TRUE;
}

static gboolean
write_dict (CoprocWriter *self, PyObject *dict, CoprocWritten *written)
{
  const char code = find_key_code (dict);

  if (code == '\0')
    {
      PyErr_SetString (PyExc_TypeError,
                       "The keys of a dictionary in a payload are all str, all int or all float");
      return FALSE;
    }
  if (!write_entries (self, dict, code))
    return FALSE;
  g_string_append_printf (self->code, "a{%cv}", code);
  *written = (CoprocWritten) { 8, FALSE };
  return TRUE;
}

/* What a value is aligned to, where that is known before it is written; otherwise 8. */
static gsize
guess_alignment (PyObject *value)
{
  if (PyUnicode_CheckExact (value) || PyBytes_CheckExact (value) || PyByteArray_CheckExact (value)
      || PyBool_Check (value) || (PyMemoryView_Check (value) && PyMemoryView_GET_BUFFER (value)->itemsize == 1))
    return 1;
  return 8;
}

static gboolean
write_tuple (CoprocWriter *self, PyObject *tuple, CoprocWritten *written)
{
  const Py_ssize_t n = PyTuple_GET_SIZE (tuple);
  const gsize start = self->size;
  const guint first = self->offsets->len;

  *written = (CoprocWritten) { 1, TRUE };
  g_string_append_c (self->code, '(');
  for (Py_ssize_t i = 0; i < n; i++)
    {
      PyObject *item = PyTuple_GET_ITEM (tuple, i);
      const gsize unaligned = self->size;
      gsize at;
      CoprocWritten member;

      coproc_writer_align (self, guess_alignment (item));
      at = self->size;
      if (!write_value (self, item, &member))
        return FALSE;
      coproc_writer_realign (self, unaligned, at, member.alignment);
      written->alignment = MAX (written->alignment, member.alignment);
      written->is_fixed = written->is_fixed && member.is_fixed;
      if (!member.is_fixed && i < n - 1)
        coproc_writer_add_offset (self, self->size - start);
    }
  g_string_append_c (self->code, ')');
  if (n == 0)
    *coproc_writer_add (self, 1) = '\0';
  else if (written->is_fixed)
    coproc_writer_pad (self, start + coproc_align (self->size - start, written->alignment));
  coproc_writer_end_offsets (self, start, first, TRUE);
  return TRUE;
}

/* --- values --- */

/* numpy's: a number, which is a buffer without dimensions; or rows of rows */
static gboolean
write_dimensions (CoprocWriter *self, PyObject *value, int n_dimensions, CoprocWritten *written)
{
  PyObject *plain = n_dimensions == 0 ? PyObject_CallMethod (value, "tolist", NULL) : PySequence_List (value);
  const gboolean done = plain != NULL && write_value (self, plain, written);

  Py_XDECREF (plain);
  return done;
}

/* Subclasses of the types that payloads have, and what has a buffer. */
static gboolean
write_other (CoprocWriter *self, PyObject *value, CoprocWritten *written)
{
  Py_buffer buffer;
  int n_dimensions;

  if (PyUnicode_Check (value))
    {
      g_string_append_c (self->code, 's');
      *written = (CoprocWritten) { 1, FALSE };
      return write_text (self, value);
    }
  if (PyLong_Check (value))
    return write_integer (self, value, written);
  if (PyFloat_Check (value))
    {
      g_string_append_c (self->code, 'd');
      *written = (CoprocWritten) { 8, TRUE };
      write_double (self, PyFloat_AS_DOUBLE (value));
      return TRUE;
    }
  if (PyList_Check (value))
    return write_list (self, value, written);
  if (PyTuple_Check (value))
    return write_tuple (self, value, written);
  if (PyDict_Check (value))
    return write_dict (self, value, written);
  if (PyObject_TypeCheck (value, coproc_native.variant))
    return write_glib (self, value, written);
  if (PyObject_GetBuffer (value, &buffer, PyBUF_FULL_RO) != 0)
    {
      PyErr_Format (PyExc_TypeError, "A value of type %s cannot be (part of) a payload", Py_TYPE (value)->tp_name);
      return FALSE;
    }
  n_dimensions = buffer.ndim;
  PyBuffer_Release (&buffer);
  return n_dimensions == 1 || PyMemoryView_Check (value) ? coproc_writer_add_buffer (self, value, written)
                                                         : write_dimensions (self, value, n_dimensions, written);
}

/* Adds the value where the writer is, which is aligned enough for it, and its code. */
static gboolean
write_value (CoprocWriter *self, PyObject *value, CoprocWritten *written)
{
  gboolean done;

  if (value == Py_None)
    {
      g_string_append (self->code, "mv");
      *written = (CoprocWritten) { 8, FALSE };
      return TRUE;
    }
  if (PyBool_Check (value))
    {
      *coproc_writer_add (self, 1) = value == Py_True;
      g_string_append_c (self->code, 'b');
      *written = (CoprocWritten) { 1, TRUE };
      return TRUE;
    }
  if (Py_EnterRecursiveCall (" while a payload is made") != 0)
    return FALSE;
  done = write_other (self, value, written);
  Py_LeaveRecursiveCall ();
  return done;
}

/* --- payloads --- */

GVariant *
coproc_native_to_variant (PyObject *value, CoprocMessenger *messenger)
{
  CoprocWriter self = { 0 };
  GVariant *variant = NULL;
  Py_buffer buffer;
  CoprocWritten written;

  if (Py_IS_TYPE (value, coproc_native.variant) && ((PyGPointer *) value)->pointer != NULL)
    return g_variant_ref ((GVariant *) ((PyGPointer *) value)->pointer);
  if (coproc_native_get_bytes (value, &buffer))
    return coproc_native_take_bytes (messenger, value, &buffer);

  self.room = 256;
  self.data = g_malloc (self.room);
  self.code = g_string_sized_new (32);
  self.offsets = g_array_new (FALSE, FALSE, sizeof (gsize));
  if (write_value (&self, value, &written))
    {
      gpointer data = g_steal_pointer (&self.data);

      variant = g_variant_new_from_data (G_VARIANT_TYPE (self.code->str), data, self.size, TRUE, g_free, data);
      g_variant_ref_sink (variant);
    }
  g_free (self.data);
  g_string_free (self.code, TRUE);
  g_array_unref (self.offsets);
  return variant;
}
