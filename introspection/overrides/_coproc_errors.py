# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Exception classes for the codes of the library's errors, and exceptions that cross from a worker.

An exception of a worker's Python code travels as an error of code HANDLER whose message is
"TYPE: TEXT", an empty line, and the traceback. Here it becomes a Handler that is an instance of the
built-in type of that name, too, and is caused by the worker's traceback.
"""

import builtins
import functools
import re

from gi.module import get_introspection_module
from gi.repository import GLib

from ._coproc_interrupt import pop, raised

_codes = get_introspection_module("Coproc").Error
_DOMAIN = GLib.quark_to_string(get_introspection_module("Coproc").error_quark())
_TRACE = "\n\nTraceback (most recent call last):\n"
_TYPE = r"(?:Item \d+ \(.*?\): |In worker \d+: )?([^:]*)"  # a pool says first which task, or which worker

_ALSO = {
    "TIMED_OUT": TimeoutError,
    "HANDSHAKE_TIMEOUT": TimeoutError,
    "CLOSED": ConnectionError,
    "WORKER_DIED": ConnectionError,
    "NOT_STARTED": ConnectionError,
    "WOULD_BLOCK": BlockingIOError,
    "TOO_LARGE": ValueError,
    "INVALID_PRIORITY": ValueError,
    "INVALID_PAYLOAD": ValueError,
    "PLUGIN_NOT_FOUND": FileNotFoundError,
}


class Error(GLib.Error):
    """An error of the library: one of its subclasses, named like the codes, which are attributes here.

    `message`, `domain` and `code` say what happened; `except GLib.Error` and `matches()` work, too.
    """

    def __init__(self, message="", domain=_DOMAIN, code=None):
        GLib.Error.__init__(self, message, domain, int(type(self).default if code is None else code))

    default = 0

    def __str__(self):
        return self.message

    def __repr__(self):
        return f"Coproc.{type(self).__name__}({self.message!r})"

    def __reduce__(self):
        return type(self), (self.message, self.domain, self.code)


class WorkerTraceback(Exception):
    """Where in the worker an exception came from: the cause of the host's one."""

    def __str__(self):
        return "in the worker\n" + self.args[0]


Error.__module__ = "gi.repository.Coproc"


def _make_classes():
    classes = {}
    for name in dir(_codes):
        if not name.isupper():
            continue
        code = getattr(_codes, name)
        setattr(Error, name, code)
        title = "".join(word.capitalize() for word in name.split("_"))
        bases = (Error, _ALSO[name]) if name in _ALSO else (Error,)
        classes[int(code)] = type(title, bases, {
            "__module__": "gi.repository.Coproc",
            "__doc__": f"The error of code {name}.",
            "default": code,
        })
    return classes


CLASSES = _make_classes()
_Handler = CLASSES[int(_codes.HANDLER)]


@functools.lru_cache(256)
def _find_class(name):
    """A class of both Handler and the built-in exception of that name."""
    builtin = getattr(builtins, name, None)
    if not (isinstance(builtin, type) and issubclass(builtin, Exception)):
        return _Handler
    try:
        kind = type(name, (_Handler, builtin), {"__module__": "gi.repository.Coproc"})
        kind("")
    except TypeError:  # a built-in type that cannot be combined, or wants other arguments
        return _Handler
    return kind


def from_glib(error):
    """The exception to raise for a GLib.Error."""
    if error.domain != _DOMAIN:
        return error
    head, mark, trace = error.message.partition(_TRACE)
    kind = CLASSES.get(error.code, Error)
    if kind is _Handler:
        kind = _find_class(re.match(_TYPE, head)[1])
    exception = kind(head, error.domain, error.code)
    exception.__suppress_context__ = True
    if mark:
        exception.__cause__ = WorkerTraceback(mark.lstrip("\n") + trace)
    return exception


def checked(function):
    """A function of the library that raises exception classes, and what a signal handler has raised."""
    def check(*args, **kwargs):
        try:
            result = function(*args, **kwargs)
        except GLib.Error as error:
            raise pop() or from_glib(error)
        if raised and (exception := pop()) is not None:
            raise exception
        return result
    return check


def to_glib(error):
    """What a handler's exception is sent as."""
    if isinstance(error, GLib.Error):
        return GLib.Error(error.message, error.domain, error.code)
    import traceback  # when it is needed: it takes long
    trace = "".join(traceback.format_tb(error.__traceback__))
    head = "".join(traceback.format_exception_only(type(error), error)).strip()
    return GLib.Error(f"{head}{_TRACE}{trace}", _DOMAIN, int(_codes.HANDLER))
