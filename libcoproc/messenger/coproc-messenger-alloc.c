/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-error.h"
#include "messenger/coproc-endpoint-private.h"
#include "messenger/coproc-messenger.h"

/**
 * coproc_messenger_alloc_bytes:
 * @self: a messenger
 * @size: how many bytes, at least 1
 * @error: return location for an error
 *
 * Makes memory for a large payload, to be filled in place and then sent without being copied.
 *
 * The content is not defined at first. The bytes may be written to until they are sent, with
 * [method@Coproc.Messenger.send_message] and [ctor@Coproc.Message.new_bytes], or, as long as they are held, with
 * [method@Coproc.Messenger.send_bytes]; after that the peer may be reading them, and has its own view of the same
 * memory. They may be sent more than once, in part, and by another messenger, which copies them.
 *
 * Where the peer shares memory with this process and @size is at least 64 KiB, the memory is shared, and is used again
 * when the last holder at either end has dropped it. Otherwise, and when too much of it is in use, it is ordinary
 * memory, and all works in the same way.
 *
 * ```c
 * g_autoptr (GBytes) bytes = coproc_messenger_alloc_bytes (messenger, n_pixels * 4, &error);
 * g_autoptr (CoprocMessage) message = coproc_message_new_bytes (bytes);
 *
 * render ((guint8 *) g_bytes_get_data (bytes, NULL), n_pixels);
 * coproc_messenger_send_message (messenger, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL, &error);
 * ```
 *
 * With their overrides Python gets a writable `memoryview` and JavaScript a `Uint8Array` instead of the bytes. Without
 * them, in JavaScript the `toArray()` of the bytes is an array over the memory itself; in Python `get_data()` copies, and
 * a view of the memory itself takes
 *
 * ```python
 * glib = ctypes.CDLL("libglib-2.0.so.0")
 * glib.g_bytes_get_data.restype = ctypes.c_void_p
 * address = glib.g_bytes_get_data(ctypes.c_void_p(hash(data)), None)
 * view = memoryview((ctypes.c_uint8 * data.get_size()).from_address(address)).cast("B")
 * ```
 *
 * Errors: %COPROC_ERROR_TOO_LARGE for more than a payload may have; %COPROC_ERROR_LIMIT when there is no memory.
 *
 * Threads: any.
 *
 * Returns: (transfer full): the bytes
 *
 * Since: 1.0
 */
GBytes *
coproc_messenger_alloc_bytes (CoprocMessenger *self, gsize size, GError **error)
{
  GBytes *bytes;
  gpointer data;

  g_return_val_if_fail (COPROC_IS_MESSENGER (self), NULL);
  g_return_val_if_fail (size > 0, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (size > COPROC_MAX_PAYLOAD_SIZE)
    {
      g_set_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE,
                   "%" G_GSIZE_FORMAT " bytes are more than a payload may have", size);
      return NULL;
    }
  bytes = coproc_endpoint_alloc (coproc_messenger_get_endpoint (self), size);
  if (bytes != NULL)
    return bytes;

  data = g_try_malloc (size);
  if (data != NULL)
    return g_bytes_new_take (data, size);
  g_set_error (error, COPROC_ERROR, COPROC_ERROR_LIMIT, "There is no memory for %" G_GSIZE_FORMAT " bytes", size);
  return NULL;
}
