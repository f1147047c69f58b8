# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The process of a worker, and how it is started."""

import os
import select
import signal
import sys

from ._library import SECOND, Coproc, GLib
from .messenger import MAX_MESSAGE_SIZE

_raw = Coproc.WorkerResource
_PROGRAM = "import sys; sys.path[:] = {path!r}; import coproc._worker; coproc._worker.main()"
_ARGUMENT = "coproc-pool"  # of a worker that belongs to a pool
_START_TIMEOUT = 120 * SECOND  # an interpreter may be slow to come up on a busy machine


def new_worker(messenger_type, grace_period):
    """The library's worker for an interpreter like this one."""
    worker = _raw.new_for_command(_command(messenger_type._by_priority))
    worker.set_property("messenger-type", messenger_type._gtype)
    worker.set_property("inherit-stdout", True)
    worker.set_property("start-timeout", _START_TIMEOUT)
    worker.set_property("max-message-size", MAX_MESSAGE_SIZE)
    worker.set_property("grace-period", int(grace_period * SECOND))
    return worker


def _command(by_priority):
    from subprocess import _args_from_interpreter_flags  # as multiprocessing has it

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = [entry or os.getcwd() for entry in sys.path]
    if root not in path:
        path.append(root)
    kind = "priority" if by_priority else "fifo"
    return [sys.executable, *_args_from_interpreter_flags(), "-c", _PROGRAM.format(path=path), kind]


def pack_argument(data):
    """What a worker is started with that learns from bytes what it has to do."""
    value = GLib.Variant.new_from_bytes(GLib.VariantType("ay"), GLib.Bytes.new(data), True)
    return GLib.Variant("a{sv}", {_ARGUMENT: value})


def unpack_argument(arguments):
    """In the worker: these bytes, or None."""
    value = arguments and arguments.lookup_value(_ARGUMENT, GLib.VariantType("ay"))
    return value and value.get_data_as_bytes().get_data()


def flush_output():
    """What this process has printed comes before what the worker prints."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, or it is closed


class _Process:
    """A process, as multiprocessing shows one; `pid` and `is_alive()` are those of what it is known by."""

    daemon = True

    def join(self, timeout=None):
        """Waits for the end without asking for it; at most so many seconds."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_alive():
                select.select([fd], [], [], timeout)
        finally:
            os.close(fd)

    def _kill(self, number):
        if self.is_alive():
            os.kill(self.pid, number)

    def terminate(self):
        self._kill(signal.SIGTERM)

    def kill(self):
        self._kill(signal.SIGKILL)


class WorkerProcess(_Process):
    """That of a worker; it is known beyond its end."""

    def __init__(self, worker):
        self._worker = worker
        self.pid = _raw.get_pid(worker)

    def is_alive(self):
        return _raw.is_alive(self._worker)

    @property
    def exitcode(self):
        """None while it runs; -N when signal N has ended it."""
        if self.is_alive():
            return None
        return -_raw.get_term_signal(self._worker) or _raw.get_exit_status(self._worker)

    @property
    def end(self):
        """By which step of terminate() it has ended."""
        how = {signal.SIGTERM: "terminated", signal.SIGKILL: "killed"}
        return how.get(_raw.get_term_signal(self._worker), "closed")

    def __repr__(self):
        return f"<Process pid={self.pid} exitcode={self.exitcode}>"


class PlaceProcess(_Process):
    """That which was at a place of a pool when this was made."""

    def __init__(self, place):
        self._place = place
        self.pid = place.get_property("pid")

    def is_alive(self):
        return self.pid != 0 and self._place.get_property("pid") == self.pid

    def __repr__(self):
        return f"<Process pid={self.pid}>"
