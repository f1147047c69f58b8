/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-native.h"

#include <math.h>

/* Every call of the library may wait, and so releases the GIL. Each function here is called with exactly the arguments
 * that stand above it. */

/* --- sending --- */

/* Whether bytes have no priority of their own there, so that the library need not see them as a payload. */
static gboolean
is_plain (CoprocMessenger *messenger)
{
  const GType type = G_OBJECT_TYPE (messenger);

  return type == COPROC_TYPE_PRIORITY_MESSENGER || type == COPROC_TYPE_MULTI_MESSENGER;
}

/* Sends the bytes of @value, which @buffer was got from and which is released. Returns: the serial, or 0 with @error */
static guint64
send_buffer (CoprocMessenger    *messenger,
             PyObject           *value,
             Py_buffer          *buffer,
             const char         *channel,
             CoprocMessageKind   kind,
             double              priority,
             GError            **error)
{
  g_autoptr (GBytes) laid_out = NULL, found = coproc_native_find_bytes (value, buffer);
  const guint8 *data = buffer->buf;
  guint64 serial = 0;

  if (found == NULL)
    laid_out = coproc_native_lay_out (messenger, buffer);
  if (laid_out != NULL)
    data = g_bytes_get_data (laid_out, NULL);
  Py_BEGIN_ALLOW_THREADS
  coproc_messenger_send_bytes_full (messenger, data, (gsize) buffer->len, channel, kind, priority, &serial, error);
  Py_END_ALLOW_THREADS
  PyBuffer_Release (buffer);
  return serial;
}

/* @priority: (nullable): NULL for what the messenger makes of the payload */
static void
send_variant (CoprocMessenger  *messenger,
              GVariant         *variant,
              const char       *channel,
              gint64            kind,
              const double     *priority,
              GError          **error)
{
  g_autoptr (CoprocMessage) message = NULL;

  if (priority != NULL)
    {
      message = coproc_message_new_full (variant, channel, *priority);
      coproc_messenger_send_message (messenger, message, (CoprocMessageKind) kind, NULL, error);
    }
  else if (kind == COPROC_MESSAGE_KIND_REQUEST)
    coproc_messenger_send_request (messenger, variant, channel, error);
  else if (kind == COPROC_MESSAGE_KIND_REPLY)
    coproc_messenger_send_reply (messenger, variant, channel, error);
  else
    coproc_messenger_send_norequest (messenger, variant, channel, error);
}

/* send (messenger, payload, channel, kind, priority or None) */
static PyObject *
call_send (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autoptr (GVariant) variant = NULL;
  PyObject *payload, *given;
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  double priority = INFINITY;
  gint64 kind;
  Py_buffer buffer;

  if (!coproc_native_parse ("send", "mocno", args, n, &messenger, &payload, &channel, &kind, &given))
    return NULL;
  if (given != Py_None)
    priority = PyFloat_AsDouble (given);
  if (PyErr_Occurred () != NULL)
    return NULL;
  if ((given != Py_None || is_plain (messenger)) && coproc_native_get_bytes (payload, &buffer))
    {
      send_buffer (messenger, payload, &buffer, channel, (CoprocMessageKind) kind, priority, &error);
      return coproc_native_end_send (error);
    }
  variant = coproc_native_to_variant (payload, messenger);
  if (variant == NULL)
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  send_variant (messenger, variant, channel, kind, given != Py_None ? &priority : NULL, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_send (error);
}

/* Gets the bytes of whatever @value holds; one that has them in pieces is replaced by a copy (transfer full). */
static PyObject *
get_contiguous (PyObject *value, Py_buffer *buffer)
{
  PyObject *owner = PyMemoryView_Check (value) ? PyMemoryView_GetContiguous (value, PyBUF_READ, 'C') : Py_NewRef (value);

  if (owner != NULL && PyObject_GetBuffer (owner, buffer, PyBUF_SIMPLE) != 0)
    Py_CLEAR (owner);
  return owner;
}

/* send_bytes (messenger, data, channel): whatever the buffer holds */
static PyObject *
call_send_bytes (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  PyObject *data;
  Py_buffer buffer;

  if (!coproc_native_parse ("send_bytes", "moc", args, n, &messenger, &data, &channel))
    return NULL;
  data = get_contiguous (data, &buffer);
  if (data == NULL)
    return NULL;
  if (is_plain (messenger))
    send_buffer (messenger, data, &buffer, channel, COPROC_MESSAGE_KIND_NOREQUEST, INFINITY, &error);
  else
    {
      Py_BEGIN_ALLOW_THREADS
      coproc_messenger_send_bytes (messenger, buffer.buf, (gsize) buffer.len, channel, &error);
      Py_END_ALLOW_THREADS
      PyBuffer_Release (&buffer);
    }
  Py_DECREF (data);
  return coproc_native_end_send (error);
}

/* send_data (messenger, data, channel, kind, priority): bytes as any kind of message. Returns: the serial. Raises
 * GLib.Error itself: for who uses the library without the override. */
static PyObject *
call_send_data (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  PyObject *data, *priority;
  gint64 kind;
  guint64 serial;
  Py_buffer buffer;

  if (!coproc_native_parse ("send_data", "mocno", args, n, &messenger, &data, &channel, &kind, &priority)
      || PyObject_GetBuffer (data, &buffer, PyBUF_SIMPLE) != 0)
    return NULL;
  serial = send_buffer (messenger, data, &buffer, channel, (CoprocMessageKind) kind, PyFloat_AsDouble (priority), &error);
  if (pyg_error_check (&error))
    return NULL;
  return PyErr_Occurred () == NULL ? PyLong_FromUnsignedLongLong (serial) : NULL;
}

/* @parts: a tuple. Returns: how many bytes they have; -1 with an exception, and no buffer is held then */
static gssize
get_buffers (PyObject *parts, Py_buffer *buffers)
{
  gssize size = 0;

  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE (parts); i++)
    {
      if (PyObject_GetBuffer (PyTuple_GET_ITEM (parts, i), &buffers[i], PyBUF_SIMPLE) == 0)
        {
          size += buffers[i].len;
          continue;
        }
      while (i-- > 0)
        PyBuffer_Release (&buffers[i]);
      return -1;
    }
  return size;
}

/* send_parts (messenger, parts, channel, kind, priority): as send_data() what is in a tuple of buffers, one behind the
 * other */
static PyObject *
call_send_parts (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autofree Py_buffer *buffers = NULL;
  g_autoptr (GBytes) bytes = NULL;
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  PyObject *parts, *priority;
  gint64 kind;
  guint64 serial = 0;
  double urgency;
  gssize size;
  guint8 *at;

  if (!coproc_native_parse ("send_parts", "mocno", args, n, &messenger, &parts, &channel, &kind, &priority))
    return NULL;
  urgency = PyFloat_AsDouble (priority);
  if (PyErr_Occurred () != NULL)
    return NULL;
  if (!PyTuple_Check (parts))
    return PyErr_Format (PyExc_TypeError, "Parts are a tuple, not %s", Py_TYPE (parts)->tp_name);
  buffers = g_new (Py_buffer, PyTuple_GET_SIZE (parts));
  size = get_buffers (parts, buffers);
  if (size < 0)
    return NULL;
  if (size > 0)
    bytes = coproc_native_alloc (messenger, (gsize) size);
  if (bytes == NULL)
    bytes = g_bytes_new_take (g_malloc ((gsize) size), (gsize) size);
  at = (guint8 *) g_bytes_get_data (bytes, NULL);

  Py_BEGIN_ALLOW_THREADS
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE (parts); at += buffers[i++].len)
    memcpy (at, buffers[i].buf, (gsize) buffers[i].len);
  coproc_messenger_send_bytes_full (messenger, g_bytes_get_data (bytes, NULL), (gsize) size, channel,
                                    (CoprocMessageKind) kind, urgency, &serial, &error);
  Py_END_ALLOW_THREADS
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE (parts); i++)
    PyBuffer_Release (&buffers[i]);
  return pyg_error_check (&error) ? NULL : PyLong_FromUnsignedLongLong (serial);
}

/* Returns: (transfer full): the payloads of a list or a tuple; NULL with an exception */
static GPtrArray *
make_variants (PyObject *sequence, CoprocMessenger *messenger)
{
  g_autoptr (GPtrArray) variants = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  /* To make one may run code of Python's, which may change the list. */
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE (sequence); i++)
    {
      PyObject *item = Py_NewRef (PySequence_Fast_GET_ITEM (sequence, i));
      GVariant *variant = coproc_native_to_variant (item, messenger);

      Py_DECREF (item);
      if (variant == NULL)
        return NULL;
      g_ptr_array_add (variants, variant);
    }
  return g_steal_pointer (&variants);
}

/* send_request_multiple (messenger, payloads, channel): of any iterable */
static PyObject *
call_send_request_multiple (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autoptr (GPtrArray) variants = NULL;
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  PyObject *payloads;

  if (!coproc_native_parse ("send_request_multiple", "moc", args, n, &messenger, &payloads, &channel))
    return NULL;
  payloads = PySequence_Fast (payloads, "The payloads are to be an iterable");
  if (payloads == NULL)
    return NULL;
  variants = make_variants (payloads, messenger);
  Py_DECREF (payloads);
  if (variants == NULL)
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  coproc_messenger_send_request_multiple (messenger, (GVariant **) variants->pdata, variants->len, channel, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_send (error);
}

/* reply (messenger, request, payload) */
static PyObject *
call_reply (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autoptr (GVariant) variant = NULL;
  CoprocMessenger *messenger;
  CoprocMessage *request;
  GError *error = NULL;
  PyObject *payload;

  if (!coproc_native_parse ("reply", "mro", args, n, &messenger, &request, &payload))
    return NULL;
  variant = coproc_native_to_variant (payload, messenger);
  if (variant == NULL)
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  coproc_messenger_reply (messenger, request, variant, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_send (error);
}

/* call (messenger, payload, channel, timeout_us, cancellable) */
static PyObject *
call_call (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  g_autoptr (GVariant) variant = NULL;
  CoprocMessenger *messenger;
  GCancellable *cancellable;
  GError *error = NULL;
  const char *channel;
  PyObject *payload;
  GVariant *reply;
  gint64 timeout;

  if (!coproc_native_parse ("call", "mocnx", args, n, &messenger, &payload, &channel, &timeout, &cancellable))
    return NULL;
  variant = coproc_native_to_variant (payload, messenger);
  if (variant == NULL)
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  reply = coproc_messenger_call (messenger, variant, channel, timeout, cancellable, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive (reply, error, Py_None);
}

/* --- receiving --- */

/* receive_message (messenger, channel, timeout_us, cancellable) */
static PyObject *
call_receive_message (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GCancellable *cancellable;
  CoprocMessage *message;
  GError *error = NULL;
  const char *channel;
  gint64 timeout;

  if (!coproc_native_parse ("receive_message", "mcnx", args, n, &messenger, &channel, &timeout, &cancellable))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  message = coproc_messenger_receive_message (messenger, channel, timeout, cancellable, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive_message (message, error);
}

/* receive_any (messenger, timeout_us, cancellable) */
static PyObject *
call_receive_any (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GCancellable *cancellable;
  CoprocMessage *message;
  GError *error = NULL;
  gint64 timeout;

  if (!coproc_native_parse ("receive_any", "mnx", args, n, &messenger, &timeout, &cancellable))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  message = coproc_messenger_receive_any (messenger, timeout, cancellable, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive_message (message, error);
}

/* try_receive_message (messenger, channel): None when nothing is there */
static PyObject *
call_try_receive_message (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  CoprocMessage *message;
  GError *error = NULL;
  const char *channel;

  if (!coproc_native_parse ("try_receive_message", "mc", args, n, &messenger, &channel))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  message = coproc_messenger_try_receive_message (messenger, channel, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive_message (message, error);
}

static PyObject *
wrap_message (gpointer item)
{
  return coproc_native_wrap_message (item);
}

/* receive_messages (messenger, channel, max_messages, timeout_us, cancellable) */
static PyObject *
call_receive_messages (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GCancellable *cancellable;
  CoprocMessage **messages;
  GError *error = NULL;
  const char *channel;
  gint64 max, timeout;
  gsize n_messages = 0;

  if (!coproc_native_parse ("receive_messages", "mcnnx", args, n, &messenger, &channel, &max, &timeout, &cancellable))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  messages = coproc_messenger_receive_messages (messenger, channel, (gsize) max, timeout, cancellable, &n_messages,
                                                &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive_array ((gpointer *) messages, n_messages, error, wrap_message,
                                          (GDestroyNotify) coproc_message_unref);
}

static PyObject *
unwrap_variant (gpointer item)
{
  g_autoptr (GVariant) variant = item;

  return coproc_native_from_variant (variant);
}

/* receive_available (messenger, channel) */
static PyObject *
call_receive_available (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GError *error = NULL;
  const char *channel;
  GVariant **payloads;
  gsize n_payloads = 0;

  if (!coproc_native_parse ("receive_available", "mc", args, n, &messenger, &channel))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  payloads = coproc_messenger_receive_available (messenger, channel, &n_payloads, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive_array ((gpointer *) payloads, n_payloads, error, unwrap_variant,
                                          (GDestroyNotify) g_variant_unref);
}

/* receive (messenger, channel, timeout_us, cancellable): the payload of the next message */
static PyObject *
call_receive (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  PyObject *message = call_receive_message (module, args, n), *payload;

  if (message == NULL)
    return NULL;
  payload = coproc_native_from_message (((PyGBoxed *) message)->boxed);
  Py_DECREF (message);
  return payload;
}

/* receive_remaining (messenger, channel, cancellable, end): the payload of the next reply, or `end` */
static PyObject *
call_receive_remaining (PyObject *module, PyObject *const *args, Py_ssize_t n)
{
  CoprocMessenger *messenger;
  GCancellable *cancellable;
  GError *error = NULL;
  const char *channel;
  PyObject *end;
  GVariant *reply;

  if (!coproc_native_parse ("receive_remaining", "mcxo", args, n, &messenger, &channel, &cancellable, &end))
    return NULL;

  Py_BEGIN_ALLOW_THREADS
  reply = coproc_messenger_receive_remaining (messenger, channel, cancellable, &error);
  Py_END_ALLOW_THREADS
  return coproc_native_end_receive (reply, error, end);
}

#define CALL(name) { #name, (PyCFunction) (void (*) (void)) call_##name, METH_FASTCALL, NULL }

PyMethodDef coproc_native_calls[] = {
  CALL (call),
  CALL (receive),
  CALL (receive_any),
  CALL (receive_available),
  CALL (receive_message),
  CALL (receive_messages),
  CALL (receive_remaining),
  CALL (reply),
  CALL (send),
  CALL (send_bytes),
  CALL (send_data),
  CALL (send_parts),
  CALL (send_request_multiple),
  CALL (try_receive_message),
  { NULL, NULL, 0, NULL },
};
