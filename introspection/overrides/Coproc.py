# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The Coproc namespace as Python programs like it.

Payloads are Python values, errors are exception classes, resources are context managers, asynchronous
methods can be awaited, and Ctrl-C ends a blocking call. Nothing is kept here: the objects are the
library's own, and a method that is not mentioned is the one of introspection.
"""

import functools
import math
import types

from gi.repository import GLib

from ..overrides import override
from . import _coproc_blocks, _coproc_errors, _coproc_interrupt
from ._coproc_base import begin, calls, check_all, complete, microseconds, pack_arguments, raw
from ._coproc_errors import Error, checked, to_glib
from ._coproc_pools import MapOperation, PoolWorker, WorkerPool

_NOREQUEST, _REQUEST, _REPLY = raw.MessageKind.NOREQUEST, raw.MessageKind.REQUEST, raw.MessageKind.REPLY

__all__ = ["Error", "MapOperation", "Message", "Messenger", "Plugin", "PoolWorker", "WorkerPool",
           "WorkerResource", "serve", "worker_connect"]

for _class in _coproc_errors.CLASSES.values():
    globals()[_class.__name__] = _class
    __all__.append(_class.__name__)
_ENDS = (_coproc_errors.CLASSES[int(raw.Error.CLOSED)], _coproc_errors.CLASSES[int(raw.Error.CLOSE_REQUESTED)])

_messenger = check_all(raw.Messenger)
_worker = check_all(raw.WorkerResource)
_plugin = check_all(raw.Plugin)


def _explain(messenger, error):
    """Why a call has failed: if the worker has ended, what it has said of that, which a receive would raise."""
    if isinstance(error, _ENDS):
        try:
            _messenger.available(messenger, None)
        except Exception as said:
            if not isinstance(said, _ENDS):
                return said
    return error


# --- messages ---

class Message(raw.Message):
    """A message: `Message(payload, channel, priority)`; it cannot be changed."""

    def __new__(cls, payload=None, channel=None, priority=math.inf):
        return raw.Message.new_full(calls.to_variant(payload), channel, priority)

    def __init__(self, *args, **kwargs):
        pass

    payload = property(calls.get_payload, doc="The payload as a Python value.")
    bytes = property(calls.get_bytes, doc="The payload of type `ay` as a read-only memoryview, which is a copy "
                     "only when it is small; None for any other.")
    channel = property(raw.Message.get_channel)
    priority = property(raw.Message.get_priority)
    kind = property(raw.Message.get_kind)
    serial = property(raw.Message.get_serial)
    reply_serial = property(raw.Message.get_reply_serial)

    def __repr__(self):
        channel = "" if self.channel is None else f" on {self.channel!r}"
        return f"<Coproc.Message: {self.kind.value_nick}{channel}, {self.get_payload().get_type_string()!r}>"


Message = override(Message)

if calls.__name__.endswith("_native"):
    calls.set_up(Message, GLib.Variant, _coproc_interrupt.raised, _coproc_interrupt.MAIN_THREAD,
                 _coproc_errors.from_glib)


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
        reply = calls.receive_remaining(*self._args, self)
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
            return calls.receive_message(self._messenger, self._channel, -1, None)
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
                message = calls.try_receive_message(self._messenger, self._channel)
                if message is not None:
                    await self._waiter.give_way()
                    return message
                await self._waiter.wait()
        except _ENDS:
            raise StopAsyncIteration from None


# --- messengers ---

class Messenger(raw.Messenger):
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
        return calls.send(self, payload, channel, _NOREQUEST, priority)

    def send_request(self, payload=None, channel=None, *, priority=None):
        """Sends a request; its reply is received on the same channel."""
        return calls.send(self, payload, channel, _REQUEST, priority)

    def send_request_multiple(self, payloads, channel=None):
        """Sends the requests of an iterable at once."""
        return calls.send_request_multiple(self, payloads, channel)

    def alloc_bytes(self, size):
        """Memory for bytes to send, as a writable memoryview: it is filled, and what is sent of it is not copied.

        It, and slices of it, can be sent by send_bytes(), send_norequest() and send_request(). After that the
        peer may be reading it.
        """
        return calls.alloc_bytes(self, size)

    def send_bytes(self, data, channel=None):
        """Sends what has a buffer, as bytes."""
        return calls.send_bytes(self, data, channel)

    def send_reply(self, payload=None, channel=None):
        """Answers the oldest request that was received on the channel."""
        return calls.send(self, payload, channel, _REPLY, None)

    def send_error(self, error):
        """Sends a GLib.Error, or another exception with its traceback, past all queues."""
        return _messenger.send_error(self, to_glib(error))

    def reply(self, request, payload=None):
        """Answers a request."""
        return calls.reply(self, request, payload)

    def reply_multiple(self, requests, payloads):
        """Answers requests at once, each with the payload of the same place."""
        return _messenger.reply_multiple(self, list(requests), [calls.to_variant(payload) for payload in payloads])

    def reply_error(self, request, error):
        """Answers a request with a GLib.Error, or with another exception and its traceback."""
        return _messenger.reply_error(self, request, to_glib(error))

    def receive(self, channel=None, timeout=None):
        """Waits for the next payload of a channel, at most `timeout` seconds."""
        return calls.receive(self, channel, microseconds(timeout, -1), None)

    def receive_blocking(self, channel=None, cancellable=None):
        """Waits for the next payload of a channel."""
        return calls.receive(self, channel, -1, cancellable)

    def receive_available(self, channel=None):
        """A list of all payloads that are there."""
        return calls.receive_available(self, channel)

    def try_receive(self, channel=None, default=None):
        """The next payload of a channel, or `default` when nothing is there."""
        message = calls.try_receive_message(self, channel)
        return default if message is None else calls.get_payload(message)

    def receive_remaining(self, channel=None, cancellable=None):
        """Iterates over the replies that are outstanding."""
        return _Replies(self, channel, cancellable)

    def receive_any(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for the next message of any channel."""
        return calls.receive_any(self, microseconds(timeout, timeout_us), cancellable)

    def receive_message(self, channel=None, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for the next message of a channel."""
        return calls.receive_message(self, channel, microseconds(timeout, timeout_us), cancellable)

    def receive_messages(self, channel=None, max_messages=0, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits for messages of a channel. Returns: a list of all that are there, at most `max_messages`."""
        return calls.receive_messages(self, channel, max_messages, microseconds(timeout, timeout_us),
                                       cancellable)

    def await_available(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Waits until some channel has a message."""
        return _messenger.await_available(self, microseconds(timeout, timeout_us), cancellable)

    def call(self, payload=None, channel=None, timeout_us=-1, cancellable=None, *, timeout=None):
        """Sends a request and waits for its own reply."""
        try:
            return calls.call(self, payload, channel, microseconds(timeout, timeout_us), cancellable)
        except _ENDS as error:
            raise _explain(self, error)

    def messages(self, channel=None):
        """The messages of a channel, for `for` and `async for`, until the peer has ended or asks to."""
        return _Messages(self, channel)

    def call_async(self, payload=None, channel=None, timeout_us=-1, cancellable=None, callback=None,
                   *user_data, timeout=None):
        """Sends a request; awaited, it gives the payload of its own reply."""
        return begin(self, raw.Messenger, "call",
                     (calls.to_variant(payload), channel, microseconds(timeout, timeout_us), cancellable),
                     callback, user_data, calls.from_variant, _explain)

    def call_finish(self, result):
        """The reply to a call_async() that was given a callback."""
        return calls.from_variant(_messenger.call_finish(self, result))

    def receive_async(self, channel=None, cancellable=None, callback=None, *user_data):
        """Awaited, it gives the next payload of a channel."""
        return begin(self, raw.Messenger, "receive", (channel, cancellable), callback, user_data,
                     calls.from_variant)

    def receive_finish(self, result):
        """What a receive_async() that was given a callback has received."""
        return calls.from_variant(_messenger.receive_finish(self, result))

    def receive_message_async(self, channel=None, timeout_us=-1, cancellable=None, callback=None,
                              *user_data, timeout=None):
        """Awaited, it gives the next message of a channel."""
        return begin(self, raw.Messenger, "receive_message",
                     (channel, microseconds(timeout, timeout_us), cancellable), callback, user_data)

    def send_message_async(self, message, kind=_NOREQUEST, cancellable=None, callback=None, *user_data):
        """Sends a message; awaited, it is sent or has failed."""
        return begin(self, raw.Messenger, "send_message", (message, kind, cancellable), callback,
                     user_data)


Messenger = complete(Messenger, _messenger)


# --- workers ---

class WorkerResource(raw.WorkerResource):
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

    messenger = property(raw.WorkerResource.get_messenger,
                         doc="The host's end of the connection; None before the first start.")
    pid = property(raw.WorkerResource.get_pid)
    exit_status = property(raw.WorkerResource.get_exit_status)
    term_signal = property(raw.WorkerResource.get_term_signal)

    @property
    def rlimits(self):
        """The limits on resources of the worker's process, as a dict."""
        limits = self.get_property("rlimits")
        return None if limits is None else calls.from_variant(limits)

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
        return _worker.start(self, pack_arguments(arguments), cancellable)

    def join(self, timeout_us=-1, cancellable=None, *, timeout=None):
        """Asks the worker to end and waits until it has."""
        return _worker.join(self, microseconds(timeout, timeout_us), cancellable)

    def stop(self, grace_us=None):
        """Ends the worker: it is asked, then terminated, then killed, each after the grace period."""
        return _worker.stop(self, self.grace_period if grace_us is None else grace_us)

    def start_async(self, arguments=None, cancellable=None, callback=None, *user_data):
        """Starts the worker; awaited, it is there."""
        return begin(self, raw.WorkerResource, "start", (pack_arguments(arguments), cancellable), callback,
                     user_data)

    def join_async(self, timeout_us=-1, cancellable=None, callback=None, *user_data, timeout=None):
        """Asks the worker to end; awaited, it has."""
        return begin(self, raw.WorkerResource, "join", (microseconds(timeout, timeout_us), cancellable),
                     callback, user_data)

    def stop_async(self, grace_us=None, cancellable=None, callback=None, *user_data):
        """Ends the worker as stop() does."""
        return begin(self, raw.WorkerResource, "stop",
                     (self.grace_period if grace_us is None else grace_us, cancellable), callback, user_data)


WorkerResource = complete(WorkerResource, _worker)


# --- plugins ---

class Plugin(raw.Plugin):
    """What a plugin says about itself."""

    name = property(raw.Plugin.get_name)
    version = property(raw.Plugin.get_version)
    description = property(raw.Plugin.get_description)
    path = property(raw.Plugin.get_path)
    entry_points = property(raw.Plugin.get_entry_points, doc="The names of its entry points.")

    @staticmethod
    def inspect(path):
        """Loads a plugin in a child process and tells what it says about itself."""
        return _plugin.inspect(path)

    @staticmethod
    def list():
        """Lists the plugins on the search path."""
        return _plugin.list()


Plugin = complete(Plugin, types.SimpleNamespace())


# --- functions ---

def worker_connect(messenger_type=raw.PriorityMessenger):
    """Takes up the connection of a worker program. Returns: the messenger, and the dict of arguments."""
    messenger, arguments = checked(raw.worker_connect)(messenger_type)
    return messenger, {} if arguments is None else calls.from_variant(arguments)


def serve(function, messenger):
    """Answers all requests with what a function makes of their payloads, until the host ends it.

    An exception of the function is the answer to that request; the host gets it with its traceback.
    """
    try:
        while True:
            request = calls.receive_any(messenger, -1, None)
            if request.get_kind() != _REQUEST:
                continue
            try:
                if request.get_channel() == _coproc_blocks.CHANNEL:
                    reply = _coproc_blocks.answer(function, request)
                else:
                    reply = function(request.payload)
            except Exception as error:
                _messenger.reply_error(messenger, request, to_glib(error))
                continue
            except BaseException as error:  # sys.exit(), say: who has asked is told before the end
                _messenger.reply_error(messenger, request, to_glib(error))
                raise
            try:
                calls.reply(messenger, request, reply)
            except _ENDS:
                raise
            except Exception as error:  # it is nothing that can be sent
                _messenger.reply_error(messenger, request, to_glib(error))
    except _ENDS:
        pass


_coproc_interrupt.install()
