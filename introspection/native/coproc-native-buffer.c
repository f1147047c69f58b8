/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native-writer.h"

#include <string.h>

/* The code of the numbers in a buffer, or '\0' for what has none; 'f' stands for those that become 'd'. */
static char
find_number (const Py_buffer *buffer)
{
  const char *format = buffer->format != NULL ? buffer->format : "B";
  static const char *const signed_codes[] = { NULL, "y", "n", NULL, "i", NULL, NULL, NULL, "x" };
  static const char *const unsigned_codes[] = { NULL, "y", "q", NULL, "u", NULL, NULL, NULL, "t" };

  format += strspn (format, "<=@");
  if (format[0] == '\0' || format[1] != '\0' || buffer->itemsize < 1 || buffer->itemsize > 8)
    return '\0';
  if (*format == '?' && buffer->itemsize == 1)
    return 'b';
  if (*format == 'c' && buffer->itemsize == 1)
    return 'y';
  if (*format == 'f' || *format == 'd')
    return *format;
  if (strchr ("bhilq", *format) != NULL && signed_codes[buffer->itemsize] != NULL)
    return *signed_codes[buffer->itemsize];
  if (strchr ("BHILQ", *format) != NULL && unsigned_codes[buffer->itemsize] != NULL)
    return *unsigned_codes[buffer->itemsize];
  return '\0';
}

static gboolean
write_numbers (CoprocWriter *self, const Py_buffer *buffer, CoprocWritten *written)
{
  const char code = find_number (buffer);
  const gsize n = buffer->itemsize > 0 ? (gsize) (buffer->len / buffer->itemsize) : 0;
  guint8 *place;

  if (code == '\0' || buffer->ndim != 1)
    {
      PyErr_Format (PyExc_TypeError, "A buffer of format '%s' and %d dimensions cannot be a payload",
                    buffer->format != NULL ? buffer->format : "B", buffer->ndim);
      return FALSE;
    }
  place = coproc_writer_add (self, code == 'f' ? n * sizeof (double) : (gsize) buffer->len);
  if (PyBuffer_ToContiguous (place, (Py_buffer *) buffer, buffer->len, 'C') != 0)
    return FALSE;
  for (gsize i = n; code == 'f' && i-- > 0;)
    {
      float narrow;

      memcpy (&narrow, place + i * sizeof narrow, sizeof narrow);
      memcpy (place + i * sizeof (double), &(double) { narrow }, sizeof (double));
    }
  for (gsize i = 0; code == 'b' && i < n; i++)
    place[i] = place[i] != 0;
  g_string_append_c (self->code, 'a');
  g_string_append_c (self->code, code == 'f' ? 'd' : code);
  *written = (CoprocWritten) { coproc_shape_of (self->code->str + self->code->len - 1).alignment, FALSE };
  return TRUE;
}

gboolean
coproc_writer_add_buffer (CoprocWriter *self, PyObject *value, CoprocWritten *written)
{
  Py_buffer buffer;
  gboolean done;

  if (PyObject_GetBuffer (value, &buffer, PyBUF_FULL_RO) != 0)
    return FALSE;
  done = write_numbers (self, &buffer, written);
  PyBuffer_Release (&buffer);
  return done;
}

gboolean
coproc_native_get_bytes (PyObject *value, Py_buffer *buffer)
{
  if (PyBytes_CheckExact (value) || PyByteArray_CheckExact (value))
    return PyObject_GetBuffer (value, buffer, PyBUF_SIMPLE) == 0;
  if (!PyObject_CheckBuffer (value) || PyObject_TypeCheck (value, coproc_native.variant))
    return FALSE;
  if (PyObject_GetBuffer (value, buffer, PyBUF_FULL_RO) == 0)
    {
      if (buffer->ndim == 1 && find_number (buffer) == 'y' && PyBuffer_IsContiguous (buffer, 'C'))
        return TRUE;
      PyBuffer_Release (buffer);
    }
  PyErr_Clear ();
  return FALSE;
}

GBytes *
coproc_native_alloc (CoprocMessenger *messenger, gsize size)
{
  gint64 send_timeout;
  GBytes *bytes;

  g_object_get (messenger, "send-timeout", &send_timeout, NULL);
  if (send_timeout == 0) /* nothing is to be waited for, not even memory */
    return NULL;
  Py_BEGIN_ALLOW_THREADS
  bytes = coproc_messenger_alloc_bytes (messenger, size, NULL);
  Py_END_ALLOW_THREADS
  return bytes;
}

GBytes *
coproc_native_lay_out (CoprocMessenger *messenger, const Py_buffer *buffer)
{
  const gsize size = (gsize) buffer->len;
  GBytes *bytes = messenger != NULL && size >= COPROC_NATIVE_LARGE ? coproc_native_alloc (messenger, size) : NULL;

  if (bytes == NULL)
    return NULL;
  Py_BEGIN_ALLOW_THREADS
  memcpy ((gpointer) g_bytes_get_data (bytes, NULL), buffer->buf, size);
  Py_END_ALLOW_THREADS
  return bytes;
}

GVariant *
coproc_native_take_bytes (CoprocMessenger *messenger, PyObject *value, Py_buffer *buffer)
{
  g_autoptr (GBytes) bytes = coproc_native_find_bytes (value, buffer);

  if (bytes == NULL)
    bytes = coproc_native_lay_out (messenger, buffer);
  if (bytes == NULL)
    bytes = g_bytes_new (buffer->buf, (gsize) buffer->len);
  PyBuffer_Release (buffer);
  return g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
}
