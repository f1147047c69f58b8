# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the classes of the override share: methods that raise exception classes, properties as attributes, and
asynchronous methods that can be awaited."""

import sys
import types

from gi._gi import FunctionInfo
from gi.module import get_introspection_module
from gi.repository import GObject

from ..overrides import override
from ._coproc_errors import checked

try:
    from . import _coproc_native as calls
except ImportError:
    from . import _coproc_calls as calls  # noqa: F401

raw = get_introspection_module("Coproc")

# Where programs find the classes, and override() looks for the namespace.
_MODULE = "gi.overrides.Coproc"


def check_all(kind):
    """What can fail of a class of the library, as `checked()` makes it."""
    return types.SimpleNamespace(**{
        name: checked(function) for name, function in vars(kind).items()
        if isinstance(function, FunctionInfo) and function.can_throw_gerror()})


def complete(kind, checked):
    """Gives a class what it does not define itself: checked methods, and properties as attributes."""
    for name, function in vars(checked).items():
        if name not in vars(kind) and vars(kind.__base__)[name].is_method():
            setattr(kind, name, _make_method(kind, name, function))
    for spec in GObject.list_properties(kind):
        name = spec.name.replace("-", "_")
        if not hasattr(kind, name):
            setattr(kind, name, _make_property(spec))
    kind.__module__ = _MODULE
    return override(kind)


def _make_method(kind, name, function):
    """A method of the library's, with what introspection says of its parameters."""
    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)
    method.__name__, method.__qualname__ = name, f"{kind.__name__}.{name}"
    method.__module__, method.__doc__ = _MODULE, vars(kind.__base__)[name].__doc__
    return method


def _make_property(spec):
    writable = spec.flags & GObject.ParamFlags.WRITABLE and not spec.flags & GObject.ParamFlags.CONSTRUCT_ONLY
    return property(lambda self: self.get_property(spec.name),
                    (lambda self, value: self.set_property(spec.name, value)) if writable else None)


def begin(self, kind, name, args, callback, user_data, convert=None, explain=None):
    """Begins an asynchronous call: with a callback, as C has it, or to be awaited.

    `convert` makes of its result what is awaited; `explain` may know a better reason for its error.
    """
    start = getattr(kind, name + "_async")
    if callback is None:
        asyncio = sys.modules.get("asyncio")
        loop = asyncio and asyncio._get_running_loop()
        if loop:
            from . import _coproc_asyncio
            return _coproc_asyncio.begin(loop, self, start, getattr(kind, name + "_finish"), args, convert,
                                         explain)
    return start(self, *args, callback, *user_data)


def microseconds(timeout, timeout_us):
    """`timeout` in seconds, if it is given, instead of `timeout_us`."""
    return timeout_us if timeout is None else max(0, int(timeout * 1e6))


def pack_arguments(arguments):
    return None if arguments is None else calls.to_variant(arguments)
