# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The library underneath, and its errors as exceptions.

Its classes are those of introspection alone: what an override adds to them, or changes in them, is
not used, so that this package works with and without one.
"""

import os
import pickle
from base64 import b64decode, b64encode

import gi

gi.require_version("Coproc", "1")
from gi.module import get_introspection_module  # noqa: E402
from gi.repository import GLib  # noqa: E402

from . import _interrupt, exceptions  # noqa: E402

Coproc = get_introspection_module("Coproc")

_LARGE = 65536  # bytes; from here on a copy costs more than a call through ctypes


def _send_data(messenger, data, name, kind, priority):
    if len(data) < _LARGE:
        return Coproc.Messenger.send_bytes_full(messenger, data, name, kind, priority)[1]
    from ._bulk import send  # when it is needed: ctypes takes long to import

    return send(messenger, data, name, kind, priority)


try:  # the override's extension module, of which these do not need the override
    from gi.overrides._coproc_native import contains, copy, copy_array, get_data, send_data, send_parts
except ImportError:
    copy, copy_array, get_data, send_data = bytes, bytearray, Coproc.Message.get_data, _send_data
    contains, send_parts = bytes.__contains__, None

SECOND = 1000000

# The domain of an error that carries an exception. What a process does not know it does not take.
EXCEPTION_DOMAIN = "coproc-python-exception"
_EXCEPTION_QUARK = GLib.quark_from_string(EXCEPTION_DOMAIN)
_MAX_TEXT = 32768  # characters of a message, and of a traceback, that cross
_MAX_PICKLE = 262144  # bytes of an exception that cross

_CODE = Coproc.Error
COPROC_DOMAIN = GLib.quark_to_string(Coproc.error_quark())
_CLASSES = {
    int(_CODE.CLOSED): exceptions.MessengerClosedError,
    int(_CODE.WORKER_DIED): exceptions.WorkerDiedError,
    int(_CODE.NOT_STARTED): exceptions.WorkerDiedError,
    int(_CODE.CLOSE_REQUESTED): exceptions.ResourceRequestedClose,
    int(_CODE.TIMED_OUT): TimeoutError,
    int(_CODE.WOULD_BLOCK): TimeoutError,
    int(_CODE.HANDSHAKE_TIMEOUT): TimeoutError,
    int(_CODE.TOO_LARGE): exceptions.LimitExceededError,
    int(_CODE.LIMIT): exceptions.LimitExceededError,
    int(_CODE.PROTOCOL): exceptions.MessageNotRecognizedError,
    int(_CODE.REMOTE): exceptions.RemoteError,
}
_IO_DOMAIN = "g-io-error-quark"
_CANCELLED = 19  # G_IO_ERROR_CANCELLED


def translate(error, loads=None):
    """A GLib.Error as the exception to raise; with `loads` also one that an exception is in."""
    if error.domain == EXCEPTION_DOMAIN and loads is not None:
        return unpack_exception(error.message, loads)
    if error.domain != COPROC_DOMAIN:
        exception = exceptions.CoprocError(error.message)
    elif error.code == _CODE.CLOSE_REQUESTED:
        return exceptions.ResourceRequestedClose()
    else:
        exception = _CLASSES.get(error.code, exceptions.CoprocError)(error.message)
    if isinstance(exception, exceptions.CoprocError):
        exception.code = error.code
    return exception


# --- exceptions that cross ---

# Raised here, these would end or mislead a program that only wanted to know what happened.
_NOT_RAISED = (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, StopAsyncIteration)


def pack_exception(exception, dumps):
    """An exception as a GLib.Error: a text for everybody, and what Python makes of it again."""
    import traceback

    kind = type(exception)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(exception)
    except Exception:
        message = "(its text cannot be made)"
    trace = "".join(traceback.format_exception(kind, exception, exception.__traceback__))
    trace = f"In process {os.getpid()}:\n{trace[-_MAX_TEXT:]}"
    try:
        pickled = dumps(exception)
    except Exception:
        pickled = None
    if pickled is not None and len(pickled) > _MAX_PICKLE:
        pickled = None
    parts = (name, message[:_MAX_TEXT], trace, pickled)
    text = f"{name}: {parts[1]}".replace("\0", "\\0").encode(errors="replace").decode()
    return GLib.Error.new_literal(
        _EXCEPTION_QUARK, f"{text}\n{b64encode(pickle.dumps(parts)).decode()}", 0
    )


def unpack_exception(text, loads):
    name, message, trace, pickled = pickle.loads(b64decode(text.rpartition("\n")[2]))
    exception = None
    if pickled is not None:
        try:
            exception = loads(pickled)
        except Exception:
            pass
    if not isinstance(exception, BaseException):
        exception = exceptions.RemoteError(name, message, trace)
        exception.__cause__ = exceptions.RemoteTraceback(trace)
    elif isinstance(exception, _NOT_RAISED):
        inner = exception
        exception = exceptions.RemoteError(name, message, trace)
        exception.__cause__ = inner
    else:
        exception.__cause__ = exceptions.RemoteTraceback(trace)
    return exception


# --- calling ---

_interrupt.install()


def fail(error, loads=None, again=True):
    """Raises what a GLib.Error is. Returns when the call is to be made again: a signal has ended its
    wait, although no handler has raised anything.
    """
    exception = _interrupt.pop()
    if exception is not None:
        raise exception from None
    if not again or error.code != _CANCELLED or error.domain != _IO_DOMAIN:
        exception = translate(error, loads)
        raise exception from exception.__cause__


def call(function, *arguments, loads=None, again=True):
    """Calls a function of the library. In the main thread Ctrl-C works while it waits."""
    while True:
        try:
            return function(*arguments)
        except GLib.Error as error:
            fail(error, loads, again)
