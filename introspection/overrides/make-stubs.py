#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Writes Coproc.pyi, from which editors complete: what the override and introspection have, as it is.

    make-stubs.py Coproc-1.gir OUTPUT
"""

import inspect
import re
import sys
import xml.etree.ElementTree

import gi

gi.require_version("Coproc", "1")
from gi._gi import FunctionInfo  # noqa: E402
from gi.repository import Coproc, GLib, GObject  # noqa: E402, F401

CORE = "{http://www.gtk.org/introspection/core/1.0}"

HEADER = '''\
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The types of gi.repository.Coproc with its override, written by make-stubs.py."""

from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, Iterator, List, Optional, Self, Tuple, Type

from gi.repository import Gio, GLib, GObject

Payload = Any  # None, bool, int, float, str, bytes, list, tuple, dict, a buffer, or GLib.Variant

class Messages(Iterator[Message], AsyncIterator[Message]): ...
'''

# What the parameters of the override's functions are, by their names.
PARAMETERS = {
    "arguments": "Optional[dict[str, Payload]]", "callback": "Optional[Callable[..., object]]",
    "cancellable": "Optional[Gio.Cancellable]", "channel": "Optional[str]", "chunk_size": "int", "data": "Any",
    "default": "Any", "error": "BaseException", "function": "Callable[..., Any]", "grace_us": "Optional[int]",
    "handler": "Callable[..., Any]", "inputs": "Iterable[Payload]", "kind": "MessageKind",
    "max_messages": "int", "message": "Message", "messenger": "Messenger", "messenger_type": "Type[Messenger]",
    "n_workers": "int", "name": "str", "ordered": "bool", "payload": "Payload", "payloads": "Iterable[Payload]",
    "priority": "Optional[float]", "request": "Message", "result": "Gio.AsyncResult", "size": "int",
    "timeout": "Optional[float]", "timeout_us": "int",
}

# What they return, where it is not what introspection says.
RETURNS = {
    "__aenter__": "Self", "__enter__": "Self", "__exit__": "None", "__aexit__": "None", "__aiter__": "Self",
    "__anext__": "Any", "__iter__": "Self", "__next__": "Any", "alloc_bytes": "memoryview",
    "connect": "int", "for_callable": "Self", "map": "List[Any]",
    "messages": "Messages", "receive": "Any", "receive_available": "List[Any]",
    "receive_messages": "List[Message]", "receive_remaining": "Iterator[Any]", "serve": "None",
    "try_receive": "Any", "worker_connect": "Tuple[Messenger, dict[str, Any]]",
}

# Properties of the override's own.
PROPERTIES = {
    "bytes": "Optional[memoryview]", "entry_points": "List[str]", "messenger": "Messenger", "payload": "Any",
    "rlimits": "Optional[dict[str, int]]", "workers": "List[PoolWorker]",
}

FIELDS = ("parent_class", "parent_instance")  # of the structures in C

NAMES = {"GType": "type", "Variant": "Any", "None": "None"}
FUNDAMENTAL = {
    "GStrv": "Optional[List[str]]", "GType": "type", "gboolean": "bool", "gchararray": "Optional[str]",
    "gdouble": "float", "gint": "int", "gint64": "int", "guint": "int", "guint64": "int",
}


def get_type(text):
    """A type of PyGObject's signatures in the terms of Python."""
    text = text.strip()
    if text.endswith(" or None"):
        kind = get_type(text[:-len(" or None")])
        return kind if kind == "Any" else f"Optional[{kind}]"
    if text.startswith("list") or text.startswith("{"):
        return "List[Any]" if text.startswith("list") else "dict[Any, Any]"
    if text == "GLib.Variant":
        return "Any"
    if text in ("int", "float", "str", "bool", "bytes", "None") or text.startswith(("Gio.", "GLib.", "GObject.")):
        return text
    if text.startswith("Coproc."):
        name = text[len("Coproc."):]
        return name if name in dir(Coproc) else "Callable[..., Any]"
    return NAMES.get(text, "Any")


def get_property_type(kind, name, value):
    """The type of a property of a class: a GObject's, or one that a getter of introspection's gives."""
    if name in PROPERTIES:
        return PROPERTIES[name]
    if isinstance(value.fget, FunctionInfo):
        return get_raw_signature(value.fget)[1]
    spec = kind.find_property(name.replace("_", "-"))
    if spec.value_type.name in FUNDAMENTAL:
        return FUNDAMENTAL[spec.value_type.name]
    text = get_type(spec.value_type.name.replace("Coproc", "Coproc.", 1))
    return text if text == "Any" or spec.value_type.is_a(GObject.TYPE_ENUM) else f"Optional[{text}]"


def get_raw_signature(function):
    """What PyGObject says of a function: NAME(PARAMETER:TYPE, ...) -> TYPE, NAME:TYPE..."""
    text = function.__doc__
    inside, _, results = text[text.index("(") + 1:].partition(")")
    parameters = []
    for part in filter(None, inside.split(", ")):
        name, _, kind = part.partition(":")
        if name.partition("=")[0] not in ("self", "user_data", "*user_data"):
            kind, optional, _default = kind.partition("=")
            kind = get_type(kind)
            parameters.append(f"{name}: Optional[{kind}] = ..." if optional else f"{name}: {kind}")
    # Once one has a default, those behind it must have one.
    for i, parameter in enumerate(parameters):
        if "= ..." not in parameter and any("= ..." in other for other in parameters[:i]):
            parameters[i] = parameter + " = ..."
    results = [get_type(result.rpartition(":")[2]) for result in results.replace("->", "", 1).split(", ")]
    result = results[0] if len(results) == 1 else f"Tuple[{', '.join(results)}]"
    return parameters, "None" if result == "Any" and "->" not in text else result


def get_python_signature(name, function):
    parameters = []
    for parameter in list(inspect.signature(function).parameters.values()):
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(text.startswith("*") for text in parameters):
            parameters.append("*")
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        text = f"{star}{parameter.name}: {PARAMETERS.get(parameter.name, 'Any')}"
        if parameter.default is not parameter.empty:
            text += " = ..."
        parameters.append(text)
    if name in RETURNS:
        return parameters, RETURNS[name]
    return parameters, "Awaitable[Any]" if name.endswith("_async") else "Any"


def in_python(text):
    """What the reference says, without the marks of its links and constants."""
    text = re.sub(r"\[property@Coproc\.(\w+):([\w-]+)\]", lambda link: link[1] + "." + link[2].replace("-", "_"), text)
    text = re.sub(r"\[\w+@(?:Coproc\.)?([\w.:-]+)\]", r"\1", text)
    text = text.replace("%NULL", "None").replace("%TRUE", "True").replace("%FALSE", "False")
    return re.sub(r"%COPROC_ERROR_(?=[A-Z])", "Error.", text).replace("@", "")


def read_docs(path):
    """The first paragraph of what the GIR says of each class, method and property."""
    docs = {}
    for parent in xml.etree.ElementTree.parse(path).getroot().iter():
        for child in parent:
            doc = child.find(CORE + "doc")
            if doc is not None and child.get("name") is not None:
                name = child.get("name").replace("-", "_")
                docs.setdefault((parent.get("name"), name), in_python(doc.text.split("\n\n")[0].strip()))
    return docs


class Writer:
    def __init__(self, docs):
        self.docs = docs
        self.lines = [HEADER]

    def add(self, indent, text, doc=None):
        self.lines.append("    " * indent + text)
        if doc:
            self.lines.append("    " * (indent + 1) + f'"""{doc}"""')

    def add_function(self, indent, owner, name, value):
        kind = inspect.getattr_static(owner, name) if inspect.isclass(owner) else value
        function = getattr(value, "__func__", value)
        if isinstance(function, FunctionInfo):
            parameters, result = get_raw_signature(function)
            static = not function.is_method()
        else:
            raw = next((vars(base)[name] for base in getattr(owner, "__mro__", ())
                        if isinstance(vars(base).get(name), FunctionInfo)), None)
            if raw is not None and "kwargs" in inspect.signature(function).parameters:  # as the library has it
                parameters, result = get_raw_signature(raw)
            else:
                parameters, result = get_python_signature(name, function)
                if name not in RETURNS and raw is not None and not name.endswith("_async"):
                    result = get_raw_signature(raw)[1]
            static = isinstance(kind, (staticmethod, classmethod))
        if indent and not static:
            parameters.insert(0, "self")
        elif indent:
            self.add(indent, "@classmethod")
            parameters.insert(0, "cls")
        doc = vars(function).get("__doc__", function.__doc__) if inspect.isfunction(function) else None
        doc = None if doc and doc.startswith(name + "(") else doc and inspect.cleandoc(doc)  # a signature is none
        doc = doc or self.docs.get((getattr(owner, "__name__", None), name))
        coroutine = "async " if inspect.iscoroutinefunction(function) else ""
        self.add(indent, f"{coroutine}def {name}({', '.join(parameters)}) -> {result}:" + ("" if doc else " ..."), doc)

    def add_class(self, name, kind):
        bases = [base for base in kind.__mro__[1:] if base.__module__.startswith("gi.") and base.__name__ != name]
        base = bases[0].__name__ if bases else "object"
        if base in ("Object", "GObject"):
            base = "GObject.Object"
        elif base not in dir(Coproc):
            base = "GLib.Error" if issubclass(kind, GLib.Error) else "object"
        builtin = [other.__name__ for other in kind.__bases__ if other.__module__ == "builtins" and other is not object]
        if issubclass(kind, (GObject.GEnum, GObject.GFlags)):
            base = "GObject.GFlags" if issubclass(kind, GObject.GFlags) else "GObject.GEnum"
        doc = vars(kind).get("__doc__") or ":Constructors:"
        doc = self.docs.get(("Coproc", name)) if doc.startswith(":Constructors:") else inspect.cleandoc(doc)
        self.add(0, f"\nclass {name}({', '.join([base, *builtin])}):", doc)
        if name == "Message":
            self.add(1, "def __init__(self, payload: Payload = ..., channel: Optional[str] = ..., "
                        "priority: float = ...) -> None: ...")
        elif base == "GObject.Object":
            self.add(1, "def __init__(self, **properties: Any) -> None: ...")
        length = len(self.lines)
        seen = set()
        for owner in kind.__mro__:
            if not owner.__module__.startswith(("gi.repository.Coproc", "gi.overrides.Coproc",
                                                "gi.overrides._coproc")):
                continue
            if owner.__name__ != name:
                break
            for member, value in sorted(vars(owner).items()):
                if member not in seen and member not in FIELDS and (not member.startswith("_") or member in RETURNS):
                    seen.add(member)
                    self.add_member(kind, member, value)
        if len(self.lines) == length:
            self.add(1, "...")

    def add_member(self, kind, name, value):
        if isinstance(value, property):
            doc = value.__doc__ if value.__doc__ and "->" not in value.__doc__ else None
            doc = doc or self.docs.get((kind.__name__, name)) or self.docs.get((kind.__name__, "get_" + name))
            text = get_property_type(kind, name, value)
            self.add(1, "@property")
            self.add(1, f"def {name}(self) -> {text}:" + ("" if doc else " ..."), doc)
            if value.fset is not None:
                self.add(1, f"@{name}.setter")
                self.add(1, f"def {name}(self, value: {text}) -> None: ...")
        elif isinstance(value, int):
            self.add(1, f"{name}: {kind.__name__ if isinstance(value, kind) else 'int'}")
        elif callable(getattr(kind, name)) and not name.startswith("do_"):
            self.add_function(1, kind, name, getattr(kind, name))


def main(gir, output):
    writer = Writer(read_docs(gir))
    names = [name for name in dir(Coproc) if not name.startswith("_")]
    for name in names:
        value = getattr(Coproc, name)
        if inspect.isclass(value) and not name.endswith("Class"):
            writer.add_class(name, value)
        elif inspect.isroutine(value) or isinstance(value, FunctionInfo):
            writer.add_function(0, Coproc, name, value)
        elif isinstance(value, int):
            writer.add(0, f"{name}: int")
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(writer.lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
