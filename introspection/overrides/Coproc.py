# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The Coproc namespace as Python programs like it.

Payloads are Python values, errors are exception classes, resources are context managers, asynchronous
methods can be awaited, and Ctrl-C ends a blocking call. Nothing is kept here: the objects are the
library's own, and a method that is not mentioned is the one of introspection.
"""

import functools
import math
import sys
import types

from gi._gi import FunctionInfo
from gi.module import get_introspection_module
from gi.repository import GLib, GObject

from ..overrides import override
from . import _coproc_errors, _coproc_interrupt
from ._coproc_errors import Error, checked, to_glib

try:
    from . import _coproc_native as _calls
except ImportError:
    from . import _coproc_calls as _calls

_raw = get_introspection_module("Coproc")
_NOREQUEST, _REQUEST, _REPLY = _raw.MessageKind.NOREQUEST, _raw.MessageKind.REQUEST, _raw.MessageKind.REPLY

__all__ = ["Error", "MapOperation", "Message", "Messenger", "WorkerPool", "WorkerResource", "serve",
           "worker_connect"]

for _class in _coproc_errors.CLASSES.values():
    globals()[_class.__name__] = _class
    __all__.append(_class.__name__)
_ENDS = (_coproc_errors.CLASSES[int(_raw.Error.CLOSED)], _coproc_errors.CLASSES[int(_raw.Error.CLOSE_REQUESTED)])


# --- calling the library ---

def _check_all(kind):
    """What can fail of a class of the library, as `checked()` makes it."""
    return types.SimpleNamespace(**{
        name: checked(function) for name, function in vars(kind).items()
        if isinstance(function, FunctionInfo) and function.can_throw_gerror()})


_messenger = _check_all(_raw.Messenger)
_worker = _check_all(_raw.WorkerResource)
_pool = _check_all(_raw.WorkerPool)
_map = _check_all(_raw.MapOperation)


def _complete(kind, checked):
    """Gives a class what it does not define itself: checked methods, and properties as attributes."""
    for name, function in vars(checked).items():
        if name not in vars(kind) and vars(kind.__base__)[name].is_method():
            method = functools.partialmethod(function)
            method.__doc__ = vars(kind.__base__)[name].__doc__
            setattr(kind, name, method)
    for spec in GObject.list_properties(kind):
        name = spec.name.replace("-", "_")
        if not hasattr(kind, name):
            setattr(kind, name, _make_property(spec))
    return override(kind)


def _make_property(spec):
    writable = spec.flags & GObject.ParamFlags.WRITABLE and not spec.flags & GObject.ParamFlags.CONSTRUCT_ONLY
    return property(lambda self: self.get_property(spec.name),
                    (lambda self, value: self.set_property(spec.name, value)) if writable else None)


def _begin(self, kind, name, args, callback, user_data, convert=None):
    """Begins an asynchronous call: with a callback, as C has it, or to be awaited."""
    start = getattr(kind, name + "_async")
    if callback is None:
        asyncio = sys.modules.get("asyncio")
        loop = asyncio and asyncio._get_running_loop()
        if loop:
            from . import _coproc_asyncio
            return _coproc_asyncio.begin(loop, self, start, getattr(kind, name + "_finish"), args, convert,
                                         _explain if name == "call" else None)
    return start(self, *args, callback, *user_data)




def _explain(messenger, error):
    """Why a call has failed: if the worker has ended, what it has said of that, which a receive would raise."""
    if isinstance(error, _ENDS):
        try:
            _messenger.available(messenger, None)
        except Exception as said:
            if not isinstance(said, _ENDS):
                return said
    return error


def _microseconds(timeout, timeout_us):
    """`timeout` in seconds, if it is given, instead of `timeout_us`."""
    return timeout_us if timeout is None else max(0, int(timeout * 1e6))


def _pack_arguments(arguments):
    return None if arguments is None else _calls.to_variant(arguments)


# --- messages ---

class Message(_raw.Message):
    """A message: `Message(payload, channel, priority)`; it cannot be changed."""

    def __new__(cls, payload=None, channel=None, priority=math.inf):
        return _raw.Message.new_full(_calls.to_variant(payload), channel, priority)

    def __init__(self, *args, **kwargs):
        pass

    payload = property(_calls.get_payload, doc="The payload as a Python value.")
    bytes = property(_calls.get_bytes, doc="The payload of type `ay` as a read-only memoryview, which is a copy "
                     "only when it is small; None for any other.")
    channel = property(_raw.Message.get_channel)
    priority = property(_raw.Message.get_priority)
    kind = property(_raw.Message.get_kind)
    serial = property(_raw.Message.get_serial)
    reply_serial = property(_raw.Message.get_reply_serial)

    def __repr__(self):
        channel = "" if self.channel is None else f" on {self.channel!r}"
        return f"<Coproc.Message: {self.kind.value_nick}{channel}, {self.get_payload().get_type_string()!r}>"


Message = override(Message)

if _calls.__name__.endswith("_native"):
    _calls.set_up(Message, GLib.Variant, _coproc_interrupt.raised, _coproc_errors.from_glib)


def _handle(handler, messenger, message, *args):
    """Calls a handler of the signal `message`. Who has asked is told that it failed, and does not wait."""
    try:
        return handler(messenger, message, *args)
    except Exception as error:
        if message.get_kind() == _REQUEST:
            try:
                _messenger.reply_error(messenger, message, to_glib(error))
            except GLib.Error:
                pass  # it has been answered before, or nobody waits any more
        raise


class _Replies:
    """The replies that are outstanding, as they come. An error that a request was answered with is raised
    in its place; what is iterated over afterwards are the next ones."""

    def __init__(self, *args):
        self._args = args

    def __iter__(self):
        return self

    def __next__(self):
        reply = _calls.receive_remaining(*self._args, self)
        if reply is self:
            raise StopIteration
        return reply


class _Messages:
    """The messages of a channel until the peer has ended, or asks to: for both kinds of `for`."""

    def __init__(self, messenger, channel):
        self._messenger = messenger
        self._channel = channel
        self._waiter = None

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return _calls.receive_message(self._messenger, self._channel, -1, None)
        except _ENDS:
            raise StopIteration from None

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._waiter is None:
            from . import _coproc_asyncio
            self._waiter = _coproc_asyncio.Waiter(self._messenger)
        try:
            while True:
                message = _calls.try_receive_message(self._messenger, self._channel)
                if message is not None:
                    await self._waiter.give_way()
                    return message
                await self._waiter.wait()
        except _ENDS:
            raise StopAsyncIteration from None


# --- messengers ---

class Messenger(_raw.Messenger):
    """One end of a connection. A payload is None, bool, int, float, str, bytes, list, tuple, dict, what has
    a buffer, or a GLib.Variant; what is received is a Python value. Times are microseconds in
    `timeout_us`, seconds in `timeout`. What ends in `_async` can be awaited."""

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc_info):
        self.close()

    def connect(self, name, handler, *args):
        """As every object has it; a request whose handler raises is answered with that."""
        is_message = name.partition("::")[0] == "message"
        return super().connect(name, functools.partial(_handle, handler) if is_message else handler, *args)

    def send_norequest(self, payload=None, channel=None, *, priority=None):
        """Sends a message that expects no reply."""
        return _calls.send(self, payload, channel, _NOREQUEST, priority)

    def send_request(self, payload=None, channel=None, *, priority=None):
        """Sends a request; its reply is received on the same channel."""
        return _calls.send(self, payload, channel, _REQUEST, priority)

    def send_request_multiple(self, payloads, channel=None):
        """Sends the requests of an iterable at once."""
        return _calls.send_request_multiple(self, payloads, channel)

    def alloc_bytes(self, size):
        """Memory for bytes to send, as a writable memoryview: it is filled, and what is sent of it is not copied.

        It, and slices of it, can be sent by send_bytes(), send_norequest() and send_request(). After that the
        peer may be reading it.
        """
        return _calls.alloc_bytes(self, size)

    def send_bytes(self, data, channel=None):
        """Sends what has a buffer, as bytes."""
        return _calls.send_bytes(self, data, channel)

    def send_reply(self, payload=None, channel=None):
        """Answers the oldest request that was received on the channel."""
        return _calls.send(self, payload, channel, _REPLY, None)

    def send_error(self, error):
        """Sends a GLib.Error, or another exception with its traceback, past all queues."""
        return _messenger.send_error(self, to_glib(error))

    def reply(self, request, payload=None):
        """Answers a request."""
        return _calls.reply(self, request, payload)

    def reply_error(self, request, error):
        """Answers a request with a GLib.Error, or with another exception and its traceback."""
        return _messenger.reply_error(self, request, to_glib(error))

    def receive(self, channel=None, timeout=None):
        """Waits for the next payload of a channel, at most `timeout` seconds."""
        return _calls.receive(self, channel, _microseconds(timeout, -1), None)

    def receive_blocking(self, channel=None, cancellable=None):
        """Waits for the next payload of a channel."""
        return _calls.receive(self, channel, -1, cancellable)

    def receive_available(self, channel=None):
        """A list of all payloads that are there."""
        return _calls.receive_available(self, channel)

    def try_receive(self, channel=None, default=None):
        """The next payload of a channel, or `default` when nothing is there."""
        message = _calls.try_receive_message(self, channel)
        return default if message is None else _calls.get_payload(message)

    def receive_remaining(self, channel=None, cancellable=None):
        """Iterates over the replies that are outstanding."""
        return _Replies(self, channel, cancellable)

    def receive_any(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for the next message of any channel."""
        return _calls.receive_any(self, _microseconds(timeout, timeout_us), cancellable)

    def receive_message(self, channel=None, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for the next message of a channel."""
        return _calls.receive_message(self, channel, _microseconds(timeout, timeout_us), cancellable)

    def receive_messages(self, channel=None, max_messages=0, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for messages of a channel. Returns: a list of all that are there, at most `max_messages`."""
        return _calls.receive_messages(self, channel, max_messages, _microseconds(timeout, timeout_us),
                                       cancellable)

    def await_available(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits until some channel has a message."""
        return _messenger.await_available(self, _microseconds(timeout, timeout_us), cancellable)

    def call(self, payload=None, channel=None, timeout_us=-1, cancellable=None, *, timeout=None):
        """Sends a request and waits for its own reply."""
        try:
            return _calls.call(self, payload, channel, _microseconds(timeout, timeout_us), cancellable)
        except _ENDS as error:
            raise _explain(self, error)

    def messages(self, channel=None):
        """The messages of a channel, for `for` and `async for`, until the peer has ended or asks to."""
        return _Messages(self, channel)

    def call_async(self, payload=None, channel=None, timeout_us=-1, cancellable=None, callback=None,
                   *user_data, timeout=None):
        """Sends a request; awaited, it gives the payload of its own reply."""
        return _begin(self, _raw.Messenger, "call",
                      (_calls.to_variant(payload), channel, _microseconds(timeout, timeout_us), cancellable),
                      callback, user_data, _calls.from_variant)

    def call_finish(self, result):
        return _calls.from_variant(_messenger.call_finish(self, result))

    def receive_async(self, channel=None, cancellable=None, callback=None, *user_data):
        """Awaited, it gives the next payload of a channel."""
        return _begin(self, _raw.Messenger, "receive", (channel, cancellable), callback, user_data,
                      _calls.from_variant)

    def receive_finish(self, result):
        return _calls.from_variant(_messenger.receive_finish(self, result))

    def receive_message_async(self, channel=None, timeout_us=-1, cancellable=None, callback=None,
                              *user_data, timeout=None):
        """Awaited, it gives the next message of a channel."""
        return _begin(self, _raw.Messenger, "receive_message",
                      (channel, _microseconds(timeout, timeout_us), cancellable), callback, user_data)

    def send_message_async(self, message, kind=_NOREQUEST, cancellable=None, callback=None, *user_data):
        """Sends a message; awaited, it is sent or has failed."""
        return _begin(self, _raw.Messenger, "send_message", (message, kind, cancellable), callback,
                      user_data)


Messenger = _complete(Messenger, _messenger)


# --- workers ---

class WorkerResource(_raw.WorkerResource):
    """A worker: `with` and `async with` start it and stop it."""

    def __enter__(self):
        if not self.is_alive():
            self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    async def __aenter__(self):
        if not self.is_alive():
            await self.start_async()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop_async()

    messenger = property(_raw.WorkerResource.get_messenger,
                         doc="The host's end of the connection; None before the first start.")
    pid = property(_raw.WorkerResource.get_pid)
    exit_status = property(_raw.WorkerResource.get_exit_status)
    term_signal = property(_raw.WorkerResource.get_term_signal)

    @property
    def rlimits(self):
        """The limits on resources of the worker's process, as a dict."""
        limits = self.get_property("rlimits")
        return None if limits is None else _calls.from_variant(limits)

    @rlimits.setter
    def rlimits(self, limits):
        self.set_property("rlimits", None if limits is None else GLib.Variant("a{st}", limits))

    @classmethod
    def for_callable(cls, function):
        """A worker process that runs a Python function or class.

        One whose first parameter is called `messenger` gets the worker's end of the connection, and the
        arguments of the start as keyword arguments. Any other is called with the payload of each request,
        and what it returns is the reply; a class is called with the arguments first. It is imported in
        the worker by its name, or if that cannot be, carried there by cloudpickle.
        """
        from . import coproc_worker
        return cls.new_for_command(coproc_worker.get_command(function))

    def start(self, arguments=None, cancellable=None):
        """Starts the worker with a dict of arguments, and waits until it is there."""
        return _worker.start(self, _pack_arguments(arguments), cancellable)

    def join(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Asks the worker to end and waits until it has."""
        return _worker.join(self, _microseconds(timeout, timeout_us), cancellable)

    def stop(self, grace_us=None):
        """Ends the worker: it is asked, then terminated, then killed, each after the grace period."""
        return _worker.stop(self, self.grace_period if grace_us is None else grace_us)

    def start_async(self, arguments=None, cancellable=None, callback=None, *user_data):
        """Starts the worker; awaited, it is there."""
        return _begin(self, _raw.WorkerResource, "start", (_pack_arguments(arguments), cancellable), callback,
                      user_data)

    def join_async(self, timeout_us=-1, cancellable=None, callback=None, *user_data, timeout=None):
        """Asks the worker to end; awaited, it has."""
        return _begin(self, _raw.WorkerResource, "join", (_microseconds(timeout, timeout_us), cancellable),
                      callback, user_data)

    def stop_async(self, grace_us=None, cancellable=None, callback=None, *user_data):
        """Ends the worker as stop() does."""
        return _begin(self, _raw.WorkerResource, "stop",
                      (self.grace_period if grace_us is None else grace_us, cancellable), callback, user_data)


WorkerResource = _complete(WorkerResource, _worker)


# --- pools ---

class MapOperation(_raw.MapOperation):
    """The results of a map, for `for` and `async for`. What an input has failed with is raised in the place of
    its result; the next ones can be iterated over afterwards."""

    def __iter__(self):
        return self

    def __next__(self):
        result, _index = _map.next(self, None)
        if result is None:
            self._raise_of_inputs()
            raise StopIteration
        return _calls.from_variant(result)

    def __aiter__(self):
        return self

    async def __anext__(self):
        result = await self.next_async()
        if result is None:
            self._raise_of_inputs()
            raise StopAsyncIteration
        return _calls.from_variant(result[0])

    def next_async(self, cancellable=None, callback=None, *user_data):
        """Awaited, it gives the next result and its index, or None at the end."""
        return _begin(self, _raw.MapOperation, "next", (cancellable,), callback, user_data,
                      lambda result: None if result[0] is None else result)

    def _raise_of_inputs(self):
        """The iterable of a lazy map may have failed, which looks like its end to the library."""
        failures = self.__dict__.get("failures")
        if failures:
            raise failures.pop()


class WorkerPool(_raw.WorkerPool):
    """Workers that share tasks: `with` and `async with` start them and stop them."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    async def __aenter__(self):
        await self.start_async()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop_async()

    @classmethod
    def for_callable(cls, function, n_workers=0):
        """A pool of processes that call a Python function; see WorkerResource.for_callable()."""
        from . import coproc_worker
        return cls.new_for_command(coproc_worker.get_command(function), n_workers)

    def start(self, arguments=None, cancellable=None):
        """Starts the workers with a dict of arguments."""
        return _pool.start(self, _pack_arguments(arguments), cancellable)

    def stop(self, grace_us=None):
        """Ends the workers as WorkerResource.stop() does."""
        return _pool.stop(self, self.get_model().grace_period if grace_us is None else grace_us)

    def map(self, inputs, chunk_size=0, cancellable=None):
        """A list of the results of an iterable's items, in their order; raises what the first has failed with."""
        results = _pool.map(self, [_calls.to_variant(item) for item in inputs], chunk_size, cancellable)
        return [_calls.from_variant(result) for result in results]

    def map_ordered(self, inputs, chunk_size=0):
        """Iterates over the results in the order of the inputs."""
        return super().map_ordered([_calls.to_variant(item) for item in inputs], chunk_size)

    def map_unordered(self, inputs, chunk_size=0):
        """Iterates over the results as they come."""
        return super().map_unordered([_calls.to_variant(item) for item in inputs], chunk_size)

    def map_lazy(self, inputs, ordered=True, chunk_size=0):
        """Iterates over the results of an iterable of any length, which is not run far ahead of them."""
        items, failures = iter(inputs), []

        def make(*_):
            try:
                return _calls.to_variant(next(items))
            except StopIteration:
                pass
            except Exception as error:
                failures.append(error)
            return None

        operation = super().map_lazy(make, None, ordered, chunk_size)
        operation.failures = failures
        return operation

    def broadcast(self, payload=None):
        """Gives the same to every worker, and iterates over their replies as they come."""
        return super().broadcast(_calls.to_variant(payload))

    def start_async(self, arguments=None, cancellable=None, callback=None, *user_data):
        return _begin(self, _raw.WorkerPool, "start", (_pack_arguments(arguments), cancellable), callback,
                      user_data)

    def stop_async(self, grace_us=None, cancellable=None, callback=None, *user_data):
        return _begin(self, _raw.WorkerPool, "stop",
                      (self.get_model().grace_period if grace_us is None else grace_us, cancellable), callback,
                      user_data)

    def submit_async(self, payload=None, priority=math.inf, timeout_us=-1, cancellable=None, callback=None,
                     *user_data, timeout=None):
        """Gives a task to the next free worker; awaited, it gives its result."""
        return _begin(self, _raw.WorkerPool, "submit",
                      (_calls.to_variant(payload), priority, _microseconds(timeout, timeout_us), cancellable),
                      callback, user_data, _calls.from_variant)

    def submit_finish(self, result):
        return _calls.from_variant(_pool.submit_finish(self, result))


MapOperation = _complete(MapOperation, _map)
WorkerPool = _complete(WorkerPool, _pool)


def worker_connect(messenger_type=_raw.PriorityMessenger):
    """Takes up the connection of a worker program. Returns: the messenger, and the dict of arguments."""
    messenger, arguments = checked(_raw.worker_connect)(messenger_type)
    return messenger, {} if arguments is None else _calls.from_variant(arguments)


def serve(function, messenger):
    """Answers all requests with what a function makes of their payloads, until the host ends it.

    An exception of the function is the answer to that request; the host gets it with its traceback.
    """
    try:
        while True:
            request = _calls.receive_any(messenger, -1, None)
            if request.get_kind() != _REQUEST:
                continue
            try:
                reply = _calls.to_variant(function(request.payload))
            except Exception as error:
                _messenger.reply_error(messenger, request, to_glib(error))
            else:
                _calls.reply(messenger, request, reply)
    except _ENDS:
        pass


_coproc_interrupt.install()
