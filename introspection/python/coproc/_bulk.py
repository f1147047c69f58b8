# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Large payloads into the library, without the copy that introspection makes; where there is no extension module."""

import ctypes

from ._library import GLib


class _Error(ctypes.Structure):
    _fields_ = (("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p))


_ErrorPointer = ctypes.POINTER(_Error)

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)

# Introspection has loaded both; these are the same ones.
_free_error = ctypes.CDLL("libglib-2.0.so.0").g_error_free
_free_error.restype = None
_free_error.argtypes = (_ErrorPointer,)
_send = ctypes.CDLL("libcoproc-1.so.0").coproc_messenger_send_bytes_full
_send.restype = ctypes.c_int
_send.argtypes = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_double,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(_ErrorPointer),
)


def send(messenger, data, name, kind, priority):
    """Messenger.send_bytes_full() of the library. Gives the number; raises GLib.Error."""
    pointer = _get_pointer(messenger.__gpointer__, None)
    channel = None if name is None else name.encode()
    serial = ctypes.c_uint64()
    failure = _ErrorPointer()
    if _send(pointer, data, len(data), channel, int(kind), priority, serial, failure):
        return serial.value
    error = failure.contents
    exception = GLib.Error(error.message.decode(), GLib.quark_to_string(error.domain), error.code)
    _free_error(failure)
    raise exception
