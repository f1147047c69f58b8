# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Functions and classes by value: what a worker cannot import.

A worker does not run the host's script again. What the script defines (its functions and classes,
also lambdas and local ones, and the global variables that these use) is sent to the worker, once
each, in the order of its first use. The definitions travel on a channel of their own, before the
message that needs them; in the worker they become attributes of `__main__`, so that both processes
call them by the same name.

For one map of a pool what has no name in the script, such as a lambda, is sent anew, and forgotten afterwards: there may be
any number of them.

An object is sent in two steps, so that what refers to itself can be sent, too: first a skeleton
(the code of a function; the name, the bases and the slots of a class), then its state.
"""

import abc
import enum
import functools
import importlib
import io
import itertools
import marshal
import os
import pickle
import sys
import threading
import types
import weakref

PROTOCOL = 5

# In the host: what has been sent by value, to find what comes back. Both sides: key -> object.
_serials = itertools.count(1)
_home = weakref.WeakValueDictionary()
# In a worker: what the host has sent.
_received = {}
_received_keys = {}  # id -> key
_scope = None  # (nullable) whose definition is being taken up

# Attributes of a class that are made anew with it, or are of no use elsewhere.
_NOT_STATE = frozenset(
    "__dict__ __weakref__ __slots__ __doc__ __module__ __qualname__ __abstractmethods__ _abc_impl".split()
)
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)


def _main():
    return sys.modules["__main__"].__dict__


def _has_name(obj):
    """Whether it is found by its name in this process."""
    found = sys.modules.get(obj.__module__)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def _is_importable(obj):
    """Whether another process finds this very object by its name."""
    return obj.__module__ not in (None, "__main__", "__mp_main__") and _has_name(obj)


# --- in the process that defines ---


class Definitions:
    """What one worker has been told. `emit(bytes)` sends the worker a definition. `home` has been told what it
    knows besides: what has a name in the script, and its variables, are told there.

    Threads: any; what one has begun to tell is told before another refers to it.
    """

    def __init__(self, emit, home=None):
        self._emit = emit
        self._home = home
        self._lock = threading.RLock()  # of what follows, and of the order of what is sent
        self._sent = {}  # id -> (object, key): the object is kept, so that its id stays its own
        self._globals = {}  # name -> value

    def dumps(self, obj, buffers=None):
        """Pickles an object, after sending what it needs by value; `buffers` as that of Pickler's callback."""
        file = io.BytesIO()
        with self._lock:
            _Pickler(file, self, buffers).dump(obj)
        return file.getvalue()

    def set_value(self, value):
        """Sends what is the value of a scope there."""
        self._tell(_set_value, value)

    def _tell(self, *definition):
        self._emit(self.dumps(definition))

    def declare(self, obj):
        """The key of a function or class, which is sent if it has not been."""
        if self._home is not None and _has_name(obj):
            return self._home.declare(obj)
        entry = self._sent.get(id(obj))
        if entry is not None:
            return entry[1]
        key = _key_of(obj)
        self._sent[id(obj)] = (obj, key)
        try:
            if isinstance(obj, type):
                self._tell_class(obj, key)
            else:
                self._tell_function(obj, key)
        except BaseException:
            del self._sent[id(obj)]  # the next use tries, and tells why not, again
            raise
        return key

    # functions

    def _tell_function(self, function, key):
        code = function.__code__
        module = function.__globals__.get("__name__")
        by_module = module != "__main__" and getattr(sys.modules.get(module), "__dict__", None)
        own = by_module is function.__globals__
        self._tell(_make_function, key, marshal.dumps(code), function.__name__, module if own else None)
        if not own:
            self._tell_globals(function)
        cells = [_cell_content(cell) for cell in function.__closure__ or ()]
        self._tell(
            _fill_function,
            key,
            cells,
            function.__defaults__,
            function.__kwdefaults__,
            {name: getattr(function, name) for name in ("__qualname__", "__module__", "__doc__")},
            function.__dict__,
        )

    def _tell_globals(self, function):
        if self._home is not None:
            self._home._tell_globals(function)
            return
        variables = function.__globals__
        for name in sorted(_global_names(function.__code__)):
            if name not in variables or name == "__builtins__":
                continue
            value = variables[name]
            if name in self._globals and self._globals[name] is value:
                continue
            self._globals[name] = value
            try:
                self._tell(_set_global, name, value)
            except Exception as error:  # a lock, a file: the function may not need it there
                self._tell(_miss_global, name, f"{type(error).__name__}: {error}")
            if isinstance(value, types.ModuleType):
                self._tell_submodules(value, function.__code__)

    def _tell_submodules(self, module, code):
        """`import a.b` binds only a."""
        for name in _all_names(code):
            submodule = f"{module.__name__}.{name}"
            if submodule in sys.modules:
                self._tell(importlib.import_module, submodule)

    # classes

    def _tell_class(self, cls, key):
        attributes = dict(vars(cls))
        namespace = {name: attributes[name] for name in ("__doc__", "__slots__") if name in attributes}
        members = None
        if isinstance(cls, enum.EnumMeta):
            members = [(name, member._value_) for name, member in cls.__members__.items()]
            attributes = {
                name: value
                for name, value in attributes.items()
                if name not in cls.__members__ and not _is_made_by_enum(name)
            }
        bases = getattr(cls, "__orig_bases__", cls.__bases__)
        bases = cls.__bases__ if members is not None else bases
        names = (cls.__name__, cls.__qualname__, cls.__module__)
        self._tell(_make_class, key, type(cls), names, bases, namespace, members)
        state = {}
        for name, value in attributes.items():
            if name in _NOT_STATE or isinstance(value, _DESCRIPTORS):
                continue
            try:
                self.dumps(value)
                state[name] = value
            except Exception as error:
                raise pickle.PicklingError(f"{cls.__qualname__}.{name}: {error}") from error
        self._tell(_fill_class, key, state)


def _key_of(obj):
    """The same for all workers, and the host's for what the host has sent."""
    key = _received_keys.get(id(obj))
    if key is not None:
        return key
    for key, known in _home.items():
        if known is obj:
            return key
    key = f"{os.getpid()}-{next(_serials)}"
    _home[key] = obj
    return key


def _cell_content(cell):
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _all_names(code):
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _all_names(constant)
    return names


def _global_names(code):
    import dis

    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _is_made_by_enum(name):
    if name.startswith("__"):
        return name in ("__new__", "__reduce_ex__")
    return name.startswith("_") and name.endswith("_") and name != "_missing_"


class _Pickler(pickle.Pickler):
    """Pickles, and sends by value what has to be."""

    def __init__(self, file, definitions, buffers):
        super().__init__(file, PROTOCOL, buffer_callback=buffers)
        self._definitions = definitions

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is types.FunctionType:
            if _is_importable(obj):
                return NotImplemented
            return _resolve, (self._definitions.declare(obj),)
        if issubclass(kind, type):
            if _is_importable(obj):
                return NotImplemented
            if obj.__module__ == "builtins":  # only the module types has its name
                return _reduce_member(types, obj)
            return _resolve, (self._definitions.declare(obj),)
        reduce = _REDUCERS.get(kind) or _REDUCERS_BY_NAME.get((kind.__module__, kind.__name__))
        return NotImplemented if reduce is None else reduce(obj)


def _reduce_module(module):
    return importlib.import_module, (module.__name__,)


def _reduce_method(method):
    return type(method), (method.__func__,)


def _reduce_property(prop):
    return property, (prop.fget, prop.fset, prop.fdel, prop.__doc__)


def _reduce_cached_property(prop):
    return _make_cached_property, (prop.func, prop.attrname)


def _reduce_cached_function(function):
    return _make_cached_function, (function.__wrapped__, function.cache_parameters())


def _reduce_proxy(proxy):
    return types.MappingProxyType, (dict(proxy),)


_REDUCERS = {
    types.ModuleType: _reduce_module,
    staticmethod: _reduce_method,
    classmethod: _reduce_method,
    property: _reduce_property,
    functools.cached_property: _reduce_cached_property,
    type(functools.lru_cache(len)): _reduce_cached_function,
    types.MappingProxyType: _reduce_proxy,
}


def _make_cached_property(function, name):
    prop = functools.cached_property(function)
    prop.attrname = name
    return prop


def _make_cached_function(function, parameters):
    return functools.lru_cache(**parameters)(function)


def _reduce_member(module, obj):
    return getattr, (module, next(name for name, value in vars(module).items() if value is obj))


def _reduce_dataclass_mark(obj):
    return _reduce_member(sys.modules["dataclasses"], obj)


def _reduce_type_variable(variable):
    return _make_type_variable, (
        variable.__name__,
        variable.__constraints__,
        variable.__bound__,
        variable.__covariant__,
        variable.__contravariant__,
    )


def _make_type_variable(name, constraints, bound, covariant, contravariant):
    import typing

    return typing.TypeVar(
        name, *constraints, bound=bound, covariant=covariant, contravariant=contravariant
    )


# Of modules that need not be imported for it.
_REDUCERS_BY_NAME = {
    ("dataclasses", "_FIELD_BASE"): _reduce_dataclass_mark,
    ("dataclasses", "_MISSING_TYPE"): _reduce_dataclass_mark,
    ("dataclasses", "_KW_ONLY_TYPE"): _reduce_dataclass_mark,
    ("dataclasses", "_HAS_DEFAULT_FACTORY_CLASS"): _reduce_dataclass_mark,
    ("typing", "TypeVar"): _reduce_type_variable,
}


# --- in the process that uses ---


_catch_up = None


def on_unknown(catch_up):
    """Sets the function that takes up what the host has sent and nobody has needed yet."""
    global _catch_up

    _catch_up = catch_up


class Scope:
    """What is known for as long as it is needed: the functions and classes of one map, and its value."""

    def __init__(self):
        self.value = None
        self._objects = {}  # key -> object

    def add(self, key, obj):
        self._objects[key] = obj

    def forget(self):
        """What has been defined by another scope since is that one's."""
        for key, obj in self._objects.items():
            _received_keys.pop(id(obj), None)
            if _received.get(key) is obj:
                del _received[key]


def apply(definition, scope=None):
    """Takes up a definition, for a scope or for good."""
    global _scope

    outer, _scope = _scope, scope
    try:
        function, *arguments = pickle.loads(definition)
        _scope = scope  # to read it may have meant to take up others
        function(*arguments)
    finally:
        _scope = outer


def _resolve(key):
    """Called by unpickling, on either side."""
    if key not in _received and _catch_up is not None:
        _catch_up()
    found = _received.get(key)
    return _home[key] if found is None else found


def dumps_home(obj, buffers=None):
    """Pickles for the host, which knows its own functions and classes by their keys."""
    return _dump(_HomePickler, obj, buffers)


def _dump(pickler, obj, buffers):
    file = io.BytesIO()
    pickler(file, PROTOCOL, buffer_callback=buffers).dump(obj)
    return file.getvalue()


class _HomePickler(pickle.Pickler):
    def reducer_override(self, obj):
        key = _received_keys.get(id(obj))
        return NotImplemented if key is None else (_resolve, (key,))


def dumps_here(obj, buffers=None):
    """Pickles for this process itself, which has all functions and classes."""
    return _dump(_LocalPickler, obj, buffers)


class _LocalPickler(pickle.Pickler):
    def reducer_override(self, obj):
        if not isinstance(obj, (types.FunctionType, type)) or _has_name(obj):
            return NotImplemented
        return _resolve, (_key_of(obj),)


def _set_value(value):
    _scope.value = value


def _know(key, obj):
    _received[key] = obj
    _received_keys[id(obj)] = key
    if _scope is not None:
        _scope.add(key, obj)


def _receive(key, obj, qualname):
    _know(key, obj)
    if "." not in qualname and "<" not in qualname:
        _main()[qualname] = obj


def _make_function(key, code, name, module):
    code = marshal.loads(code)
    variables = _main() if module is None else importlib.import_module(module).__dict__
    cells = tuple(types.CellType() for _ in code.co_freevars)
    function = types.FunctionType(code, variables, name, None, cells)
    _know(key, function)


def _fill_function(key, cells, defaults, kwdefaults, names, attributes):
    function = _received[key]
    for cell, content in zip(function.__closure__ or (), cells):
        if content:
            cell.cell_contents = content[0]
    function.__defaults__ = defaults
    function.__kwdefaults__ = kwdefaults
    for name, value in names.items():
        setattr(function, name, value)
    function.__dict__.update(attributes)
    if function.__module__ == "__main__":
        _receive(key, function, function.__qualname__)


def _make_class(key, metaclass, names, bases, namespace, members):
    name, qualname, module = names
    if members is None:
        cls = types.new_class(name, bases, {"metaclass": metaclass}, lambda body: body.update(namespace))
    else:
        body = metaclass.__prepare__(name, bases)
        for member, value in members:
            body[member] = value
        cls = metaclass.__new__(metaclass, name, bases, body)
    cls.__qualname__ = qualname
    cls.__module__ = module
    _receive(key, cls, qualname if module == "__main__" else "<elsewhere>")


def _fill_class(key, state):
    cls = _received[key]
    for name, value in state.items():
        try:
            setattr(cls, name, value)
        except (AttributeError, TypeError):  # what the metaclass keeps for itself
            if not name.startswith("__"):
                raise
    if isinstance(cls, abc.ABCMeta):
        abc.update_abstractmethods(cls)


def _set_global(name, value):
    _main()[name] = value


class _Missing:
    """A global variable of the host's script that cannot be sent; whoever uses it is told why."""

    def __init__(self, name, reason):
        self.__dict__["_text"] = f"the global variable {name!r} of the host could not be sent: {reason}"

    def _refuse(self, *_arguments, **_keywords):
        raise NameError(self.__dict__["_text"])

    __getattr__ = __setattr__ = __call__ = __enter__ = __exit__ = __iter__ = __len__ = __getitem__ = _refuse
    __bool__ = __eq__ = __add__ = _refuse
    __hash__ = None


def _miss_global(name, reason):
    _main().setdefault(name, _Missing(name, reason))
