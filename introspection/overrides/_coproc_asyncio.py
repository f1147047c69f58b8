# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Asynchronous calls of the library on the loop of asyncio.

The completions of the library come in a GMainContext. There is one for each asyncio loop, which polls its
descriptors as it polls any other; a loop that is GLib's own (gi.events) iterates one already.
"""

import asyncio
import ctypes
import os
import weakref

from gi.repository import Gio, GLib

from ._coproc_errors import from_glib

_OWNERLESS_POLLING = 1  # whoever attaches a source wakes the context up, though nobody iterates it
_MAX_FDS = 16
_BUSY = 64  # messages that are taken before others get their turn


class _PollFd(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_ushort), ("revents", ctypes.c_ushort)]


# PyGObject cannot call g_main_context_query(). The GIL is kept: none of these waits.
_glib = ctypes.PyDLL("libglib-2.0.so.0")
for _name, _result, _arguments in (
        ("new_with_flags", ctypes.c_void_p, (ctypes.c_int,)),
        ("unref", None, (ctypes.c_void_p,)),
        ("acquire", ctypes.c_int, (ctypes.c_void_p,)),
        ("release", None, (ctypes.c_void_p,)),
        ("push_thread_default", None, (ctypes.c_void_p,)),
        ("pop_thread_default", None, (ctypes.c_void_p,)),
        ("iteration", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
        ("prepare", ctypes.c_int, (ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))),
        ("query", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                                 ctypes.POINTER(_PollFd), ctypes.c_int))):
    _function = getattr(_glib, "g_main_context_" + _name)
    _function.restype = _result
    _function.argtypes = _arguments


class _Context:
    """The GMainContext of an asyncio loop, used in the loop's thread only."""

    def __init__(self, loop):
        self._loop = weakref.ref(loop)
        self._pointer = _glib.g_main_context_new_with_flags(_OWNERLESS_POLLING)
        self._fds = set()
        self._timer = None
        self._timeout = ctypes.c_int()
        self._table = (_PollFd * _MAX_FDS)()
        self._finalizer = weakref.finalize(self, _glib.g_main_context_unref, self._pointer)
        self._look(loop)

    def begin(self, start, *args):
        """Begins a call whose completion comes in this context."""
        _glib.g_main_context_push_thread_default(self._pointer)
        try:
            start(*args)
        finally:
            _glib.g_main_context_pop_thread_default(self._pointer)

    def dispatch(self):
        """Completes what is ready."""
        while _glib.g_main_context_iteration(self._pointer, False):
            pass
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            self._look(loop)

    def _look(self, loop):
        """Sees what the context waits for: descriptors, and the time."""
        _glib.g_main_context_acquire(self._pointer)
        try:
            _glib.g_main_context_prepare(self._pointer, None)
            n = _glib.g_main_context_query(self._pointer, GLib.MAXINT, self._timeout, self._table, _MAX_FDS)
        finally:
            _glib.g_main_context_release(self._pointer)
        fds = {self._table[i].fd for i in range(min(n, _MAX_FDS))}
        if fds != self._fds:
            for fd in self._fds - fds:
                loop.remove_reader(fd)
            for fd in fds - self._fds:
                loop.add_reader(fd, self.dispatch)
            self._fds = fds
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._timeout.value >= 0:
            self._timer = loop.call_later(self._timeout.value / 1000, self.dispatch)


class _Loop:
    """A loop of GLib's own, which iterates the context that is the thread's default."""

    @staticmethod
    def begin(start, *args):
        start(*args)


_contexts = weakref.WeakKeyDictionary()


def _get_context(loop):
    context = _contexts.get(loop)
    if context is None:
        is_glib = type(loop).__module__.startswith(("gi.events", "gbulb"))
        context = _contexts[loop] = _Loop if is_glib else _Context(loop)
    return context


def begin(loop, self, start, finish, args, convert, explain):
    """Begins an asynchronous call. Returns: a future of its result; to cancel it cancels the call.

    The last of `args` is the cancellable. `explain` may know a better reason for an error.
    """
    *args, cancellable = args
    if cancellable is None:
        cancellable = Gio.Cancellable.new()
    future = loop.create_future()

    def done(source, result):
        try:
            value = finish(source, result)
        except GLib.Error as error:
            error = from_glib(error)
            if not future.done():
                future.set_exception(error if explain is None else explain(source, error))
            return
        if not future.done():
            future.set_result(value if convert is None else convert(value))

    def ended(future):
        if future.cancelled():
            cancellable.cancel()

    future.add_done_callback(ended)
    _get_context(loop).begin(start, self, *args, cancellable, done)
    return future


class Waiter:
    """Waits until a messenger may have a message, for one coroutine at a time."""

    def __init__(self, messenger):
        self._loop = asyncio.get_running_loop()
        self._fd = os.dup(messenger.get_fd())  # each reader of a loop has a descriptor of its own
        self._future = None
        self._n_taken = 0
        self._finalizer = weakref.finalize(self, _forget, self._loop, self._fd)
        self._is_reading = False

    async def wait(self):
        self._n_taken = 0
        self._future = self._loop.create_future()
        if not self._is_reading:
            self._is_reading = True
            self._loop.add_reader(self._fd, _wake, weakref.ref(self))
        try:
            await self._future
        finally:
            self._future = None

    def wake(self):
        if self._future is None:  # nobody waits just now
            self._is_reading = False
            self._loop.remove_reader(self._fd)
        elif not self._future.done():
            self._future.set_result(None)

    async def give_way(self):
        """Lets others have their turn where messages come faster than they are taken."""
        self._n_taken += 1
        if self._n_taken >= _BUSY:
            self._n_taken = 0
            await asyncio.sleep(0)


def _wake(reference):
    waiter = reference()
    if waiter is not None:
        waiter.wake()


def _forget(loop, fd):
    """May be called in any thread, and after the loop has ended."""
    def close():
        loop.remove_reader(fd)
        os.close(fd)

    if loop.is_closed():
        os.close(fd)
    else:
        loop.call_soon_threadsafe(close)
