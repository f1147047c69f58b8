# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A worker process that runs a Python function or class.

    python3 -m gi.overrides.coproc_worker MODULE:NAME
    python3 -m gi.overrides.coproc_worker FILE.py:NAME

is a command for Coproc.WorkerResource.new_for_command(), in any language; a Python host lets
Coproc.WorkerResource.for_callable() make it. What becomes of the function is told there.
"""

import base64
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys

_CHUNK = 100000  # bytes of one argument of a command; the system takes 128 KiB
_loading = []  # what this worker imports just now


# --- in the host ---

def _is_found(name, module_name, function):
    """Whether a worker that imports the module finds the function under its name."""
    value = sys.modules.get(module_name)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value is function


def _get_reference(function):
    """MODULE:NAME or FILE.py:NAME, or None for what has no name of its own."""
    name = getattr(function, "__qualname__", None)
    module = getattr(function, "__module__", None)
    if name is None or not _is_found(name, module, function):
        return None
    if module != "__main__":
        return f"{module}:{name}"
    main = sys.modules["__main__"]
    if main.__spec__ is not None:  # python3 -m MODULE
        return f"{main.__spec__.name}:{name}"
    path = os.path.abspath(getattr(main, "__file__", "<stdin>"))
    return f"{path}:{name}" if os.path.isfile(path) else None


def get_command(function):
    """The command of a worker that runs a function, a class, or an object that can be called."""
    if not callable(function):
        raise TypeError(f"{function!r} cannot be called")
    if _loading:  # each worker would have one in its turn
        raise RuntimeError("A worker that is imported starts workers: what the program does belongs behind "
                           "if __name__ == '__main__':")
    command = [sys.executable, "-m", "gi.overrides.coproc_worker", "--path", os.pathsep.join(sys.path)]
    reference = _get_reference(function)
    if reference is not None:
        return command + [reference]
    try:
        import cloudpickle
    except ImportError:
        raise TypeError(f"{function!r} has no name that a worker could import it by, and cloudpickle, which "
                        "could carry it there, is not installed") from None
    code = base64.b85encode(cloudpickle.dumps(function)).decode()
    return command + ["--pickled"] + [code[i:i + _CHUNK] for i in range(0, len(code), _CHUNK)]


# --- in the worker ---

def _import_file(path):
    """Imports a program as a module, so that it does not take itself for the program."""
    name = os.path.splitext(os.path.basename(path))[0]
    loader = importlib.machinery.SourceFileLoader("__coproc_main__", path)  # whatever the file is called
    spec = importlib.util.spec_from_file_location("__coproc_main__", path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load(reference):
    """What MODULE:NAME or FILE.py:NAME refers to."""
    place, mark, name = reference.rpartition(":")
    if not mark:
        raise ValueError(f"'{reference}' is neither MODULE:NAME nor FILE.py:NAME")
    _loading.append(place)
    is_file = os.sep in place or place.endswith(".py")
    value = _import_file(place) if is_file else importlib.import_module(place)
    _loading.pop()
    for part in name.split("."):
        value = getattr(value, part)
    return value


def takes_messenger(function):
    """Whether it is a worker with a loop of its own, whose first parameter is its messenger."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return parameters[:1] == ["messenger"]


def run(function, messenger, arguments):
    """Runs a worker to its end."""
    from gi.repository import Coproc
    if takes_messenger(function):
        worker = function(messenger, **arguments)
        # A class with a messenger is a worker when it is called the second time.
        if inspect.isclass(function) and callable(worker):
            worker()
        return
    if inspect.isclass(function):
        Coproc.serve(function(**arguments), messenger)
    elif arguments:
        Coproc.serve(lambda payload: function(payload, **arguments), messenger)
    else:
        Coproc.serve(function, messenger)


def _parse(argv):
    if argv[:1] == ["--path"]:
        sys.path[:] = argv[1].split(os.pathsep)
        argv = argv[2:]
    if argv[:1] == ["--pickled"] and len(argv) > 1:
        # Of the host that has started this process, and could as well have started any other program.
        import pickle
        return pickle.loads(base64.b85decode("".join(argv[1:])))
    if len(argv) != 1:
        raise SystemExit(__doc__)
    return load(argv[0])


def main(argv):
    import gi
    gi.require_version("Coproc", "1")
    from gi.repository import Coproc, GLib

    messenger, arguments = Coproc.worker_connect()
    with messenger:
        try:
            run(_parse(argv), messenger, arguments)
        except Coproc.CloseRequested:
            pass
        except Exception as error:
            try:
                messenger.send_error(error)
            except GLib.Error:
                pass  # the host has gone, or does not listen any more
            return 1
    return 0


if __name__ == "__main__":
    from gi.overrides import coproc_worker  # the one that the override imports, too
    sys.exit(coproc_worker.main(sys.argv[1:]))
