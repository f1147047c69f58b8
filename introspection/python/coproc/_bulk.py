# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Bytes into the library: large ones without the copy that introspection makes."""

import ctypes

from ._library import Coproc

_SONAME = "libcoproc-1.so.0"

_send_bytes_full = Coproc.Messenger.send_bytes_full

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)

# Introspection has loaded it; this is the same one.
_send_large = ctypes.CDLL(_SONAME).coproc_messenger_send_bytes_full
_send_large.restype = ctypes.c_int
_send_large.argtypes = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_double,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.c_void_p,
)


def send(messenger, data, name, kind, priority):
    """Sends bytes and gives the number under which they were sent. GLib.Error."""
    serial = ctypes.c_uint64()
    pointer = _get_pointer(messenger.__gpointer__, None)
    channel = None if name is None else name.encode()
    if _send_large(pointer, data, len(data), channel, int(kind), priority, serial, None):
        return serial.value
    # nothing was sent: this tells why
    return _send_bytes_full(messenger, data, name, kind, priority)[1]
