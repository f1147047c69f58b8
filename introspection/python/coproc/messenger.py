# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""One end of a connection: the messenger of the original, translated to the library's.

Threads: as the library's, every method may be called from any thread.
"""

import collections
import pickle
import sys
import weakref

from . import _byvalue, _channels, _priority
from ._codec import Codec, HostCodec, Marked, WorkerCodec
from ._library import (
    COPROC_DOMAIN,
    SECOND,
    Coproc,
    GLib,
    call,
    fail,
    get_data,
    pack_exception,
    send_data,
    send_parts,
    translate,
)
from ._views import Pipe, QueueView, RequestCtr

_raw = Coproc.Messenger
_receive_message = _raw.receive_message
_receive_reply = _raw.receive_reply
_available = _raw.available
_queue_size = _raw.queue_size
_get_kind = Coproc.Message.get_kind

_Kind = Coproc.MessageKind
_NOREQUEST, _REQUEST, _REPLY = _Kind.NOREQUEST, _Kind.REQUEST, _Kind.REPLY
_FAILED = int(Coproc.Error.FAILED)
_INFINITY = float("inf")
_WITHOUT_PRIORITY = frozenset((bool, bytes, dict, float, int, list, set, str, tuple, type(None)))

MAX_MESSAGE_SIZE = 1 << 30
_MAX_CHANNELS = 1 << 16

DEFINITIONS = _channels.PRIVATE + "definitions"
START = _channels.PRIVATE + "start"


class _NothingToAnswer(Exception):
    """No request of the channel is unanswered."""


class MultiMessenger:
    """Sends and receives on any number of channels, each first in, first out."""

    _by_priority = False
    _gtype = Coproc.MultiMessenger

    @classmethod
    def new_pair(cls):
        """Two connected messengers of this process: (process, resource)."""
        _, worker_end, host_end = _raw.new_pair(cls._gtype)
        pair = cls._adopt(worker_end), cls._adopt(host_end)
        for end in pair:
            end.pipe_poll()  # it learns what the other one takes
        return pair

    @classmethod
    def _adopt(cls, raw):
        """An end in one process with its other end."""
        self = cls.__new__(cls)
        self._set_up(raw)
        self._codec = Codec()
        return self

    @classmethod
    def _adopt_host(cls, raw):
        """The host's end of a connection to a worker."""
        self = cls._adopt(raw)
        own = weakref.ref(self)
        self._codec = HostCodec(lambda data: own()._send_data(data, DEFINITIONS, _NOREQUEST, _INFINITY))
        return self

    @classmethod
    def _adopt_worker(cls, raw):
        """The worker's end."""
        self = cls._adopt(raw)
        own = weakref.ref(self)
        self._codec = WorkerCodec(lambda: own()._take_definitions())
        self._has_definitions = True
        return self

    def _set_up(self, raw):
        self._messenger = raw
        self._names = {}  # channel -> its name
        self._unsolicited = collections.Counter()  # channel -> replies to nothing
        self._held = {}  # name -> messages that have left the queue, and are still to be received
        self._postponed = collections.deque()  # exceptions that the next receive call raises
        self._has_definitions = False
        raw.set_property("max-message-size", MAX_MESSAGE_SIZE)
        raw.set_property("max-channels", _MAX_CHANNELS)

    def __reduce__(self):
        raise TypeError("a messenger is one end of a connection: it cannot be pickled")

    def __repr__(self):
        # As the original shows itself: its pipe was one of multiprocessing.
        pipe = f"<multiprocessing.connection.Connection object at {id(self._messenger):#x}>"
        return f"{type(self).__name__}(pipe={pipe}, queue={self.queue!r}, request_ctr={self.request_ctr!r})"

    # --- sending ---

    def send_norequest(self, data, channel_id=None):
        """Sends a message that expects no reply."""
        self._send(data, channel_id, _NOREQUEST)

    def send_request(self, data, channel_id=None):
        """Sends a request; receive_remaining() awaits its reply."""
        self._send(data, channel_id, _REQUEST)

    def send_request_multiple(self, datas, channel_id=None):
        """Sends a request for each item of an iterable."""
        for data in datas:
            self._send(data, channel_id, _REQUEST)

    def send_reply(self, data, channel_id=None):
        """Answers the oldest unanswered request that was received on the channel.

        Without one it is sent all the same: the other side sees a reply, and counts it apart.
        """
        self.send_data_message(data, False, True, channel_id)

    def send_data_message(self, payload, request_reply, is_reply, channel_id=None):
        """The general form. What is both answers a request if one is unanswered, else it is one."""
        if not is_reply:
            self._send(payload, channel_id, _REQUEST if request_reply else _NOREQUEST)
            return
        try:
            marked = Marked(payload, True, True) if request_reply else payload
            self._send(marked, channel_id, _REPLY, payload)
        except _NothingToAnswer:
            kind = _REQUEST if request_reply else _NOREQUEST
            self._send(Marked(payload, bool(request_reply), True), channel_id, kind, payload)

    def send_close_request(self):
        """Asks the other side to end: its next receive call raises ResourceRequestedClose."""
        self._call(_raw.send_close_request)

    def send_error(self, exception, print_trace=True):
        """Sends an exception, which the other side's next receive call raises.

        While an exception is handled its traceback is printed, unless print_trace is False.
        """
        if not isinstance(exception, BaseException):
            raise TypeError(f"an exception is expected, not {type(exception).__name__}")
        if print_trace and sys.exc_info()[1] is not None:
            import traceback

            traceback.print_exc()
        self._call(_raw.send_error, pack_exception(exception, self._codec.dumps))

    def _send(self, payload, channel_id, kind, prioritised=None):
        """The number under which it was sent."""
        try:
            name = self._names[channel_id]
        except KeyError:
            name = self._name(channel_id)
        priority = _INFINITY
        if self._by_priority and type(payload) not in _WITHOUT_PRIORITY:
            priority = _priority.of(payload if prioritised is None else prioritised)
        return self._send_data(self._codec.encode(payload), name, kind, priority)

    def _send_data(self, data, name, kind, priority):
        send = send_parts if type(data) is tuple else send_data
        while True:
            try:
                return send(self._messenger, data, name, kind, priority)
            except GLib.Error as error:
                if kind == _REPLY and error.code == _FAILED and error.domain == COPROC_DOMAIN:
                    raise _NothingToAnswer from None
                fail(error, self._codec.loads)

    def _reply_data(self, data):
        self._send_data(data, None, _REPLY, _INFINITY)

    def _call(self, function, *arguments):
        return call(function, self._messenger, *arguments, loads=self._codec.loads)

    def _name(self, channel_id):
        try:
            return self._names[channel_id]
        except KeyError:
            name = self._names[channel_id] = _channels.name(channel_id)
            return name

    # --- receiving ---

    def available(self, channel_id=None):
        """How many messages are there on the channel, counting what is in the pipe."""
        name = self._name(channel_id)
        self._raise_postponed()
        if self._held.get(name):
            return len(self._held[name]) + _queue_size(self._messenger, name)
        return self._call(_available, name)

    def receive_available(self, channel_id=None):
        """Everything that is there on the channel, as a list; without waiting."""
        return self._decode_all(self._take_available(channel_id), channel_id, self._payload)

    def receive_available_messages(self, channel_id=None):
        """The same as DataMessages."""
        return self._decode_all(self._take_available(channel_id), channel_id, self._data_message)

    def receive_blocking(self, channel_id=None):
        """Waits for the next message of the channel."""
        return self._payload(self._next(channel_id, _receive_message), channel_id)

    def receive_message_blocking(self, channel_id=None):
        """The same as a DataMessage."""
        return self._data_message(self._next(channel_id, _receive_message), channel_id)

    def receive_remaining(self, channel_id=None):
        """The replies to all requests that are unanswered when a next one is asked for."""
        return self._remaining(channel_id, self._payload)

    def receive_remaining_messages(self, channel_id=None):
        """The same as DataMessages."""
        return self._remaining(channel_id, self._data_message)

    def _remaining(self, channel_id, decode):
        while True:
            message = self._next(channel_id, _receive_reply)
            if message is None:
                return
            yield decode(message, channel_id)

    def await_available(self):
        """Waits until a message is there on any channel; gives a channel that has one, if it is known."""
        while True:
            self._raise_postponed()
            if self._held:
                break
            self._take_definitions()
            self._call(_raw.await_available, -1, None)
            if self._has_definitions:  # it may have been one of them
                self._take_definitions()
                try:
                    self._call(_raw.await_available, 0, None)
                except TimeoutError:
                    continue
            break
        for channel_id, name in list(self._names.items()):
            if self._held.get(name) or _queue_size(self._messenger, name):
                return channel_id
        return None

    def pop_from_queue(self, channel_id=None):
        """Takes a message that has already been read from the pipe, as a DataMessage."""
        if not self.queue_size(channel_id):
            raise IndexError("Cannot pop from empty queue")
        return self._data_message(self._next(channel_id, _receive_message), channel_id)

    def _raise_postponed(self):
        if self._postponed:
            raise self._postponed.popleft()

    def _next(self, channel_id, receive):
        """Waits for the next message of a channel, or the next reply."""
        name = self._name(channel_id)
        self._raise_postponed()
        if self._held and receive is _receive_message:
            message = self._unhold(name)
            if message is not None:
                return message
        while True:
            try:
                return receive(self._messenger, name, -1, None)
            except GLib.Error as error:
                fail(error, self._codec.loads)

    def _take_available(self, channel_id):
        name = self._name(channel_id)
        n = self.available(channel_id)
        messages = []
        while self._held and len(messages) < n:
            message = self._unhold(name)
            if message is None:
                break
            messages.append(message)
        while len(messages) < n:
            try:
                messages.append(self._call(_receive_message, name, 0, None))
            except TimeoutError:  # another thread was faster
                break
            except BaseException as error:
                if not messages:
                    raise
                self._postponed.append(error)
                break
        return messages

    def _decode_all(self, messages, channel_id, decode):
        """What comes behind one that cannot be decoded is kept for the next call."""
        decoded = []
        for i, message in enumerate(messages):
            try:
                decoded.append(decode(message, channel_id))
            except BaseException:
                rest = messages[i:] if decoded else messages[i + 1 :]
                if rest:
                    held = self._held.setdefault(self._name(channel_id), collections.deque())
                    held.extendleft(reversed(rest))
                if not decoded:
                    raise
                break
        return decoded

    def _hold(self, name, message):
        """Keeps a message that has left its queue for the next receive call."""
        self._held.setdefault(name, collections.deque()).append(message)

    def _unhold(self, name):
        held = self._held.get(name)
        if held is None:
            return None
        message = held.popleft()
        if not held:
            del self._held[name]
        return message

    def _payload(self, message, channel_id):
        payload = self._codec.decode(get_data(message) or b"")
        return self._unmark(payload, channel_id).payload if type(payload) is Marked else payload

    def _data_message(self, message, channel_id):
        from .messages import DataMessage  # only who asks for messages needs it

        payload = self._codec.decode(get_data(message) or b"")
        if type(payload) is Marked:
            marked = self._unmark(payload, channel_id)
            return DataMessage(marked.payload, marked.request_reply, marked.is_reply, channel_id)
        kind = _get_kind(message)
        return DataMessage(payload, kind == _REQUEST, kind == _REPLY, channel_id)

    def _unmark(self, marked, channel_id):
        if not marked.request_reply:
            self._unsolicited[channel_id] += 1
        return marked

    def _take_definitions(self):
        while self._has_definitions and _queue_size(self._messenger, DEFINITIONS):
            try:
                message = _receive_message(self._messenger, DEFINITIONS, 0, None)
            except GLib.Error as error:  # it is not this call's
                self._postponed.append(translate(error, pickle.loads))
                continue
            _byvalue.apply(get_data(message))

    # --- counting ---

    def remaining(self, channel_id=None):
        """Requests on the channel that are not answered yet."""
        return _raw.remaining(self._messenger, self._name(channel_id))

    def requests_sent(self, channel_id=None):
        return _raw.requests_sent(self._messenger, self._name(channel_id))

    def replies_received(self, channel_id=None):
        """Replies that were received and that a request had asked for."""
        return _raw.replies_received(self._messenger, self._name(channel_id))

    def unsolicited_replies(self, channel_id=None):
        """Replies that were received and that nobody had asked for."""
        return self._unsolicited[channel_id]

    def messages_sent(self, channel_id=None):
        return _raw.messages_sent(self._messenger, self._name(channel_id))

    def messages_received(self, channel_id=None):
        return _raw.messages_received(self._messenger, self._name(channel_id))

    def queue_size(self, channel_id=None):
        """Messages of the channel that have been read from the pipe."""
        name = self._name(channel_id)
        return len(self._held.get(name, ())) + _queue_size(self._messenger, name)

    def pipe_poll(self):
        """Whether something can be received without waiting, be it the end."""
        return bool(self._postponed or self._held or _raw.pipe_poll(self._messenger))

    # --- state ---

    @property
    def send_timeout(self):
        """How long a send waits, in seconds, while 64 MiB are on their way and the other side does not
        receive; then it raises TimeoutError, and nothing was sent. None: for ever.
        """
        timeout = self._messenger.get_property("send-timeout")
        return None if timeout < 0 else timeout / SECOND

    @send_timeout.setter
    def send_timeout(self, seconds):
        timeout = -1 if seconds is None else int(seconds * SECOND)
        self._messenger.set_property("send-timeout", timeout)

    def close(self):
        """Ends the connection; what was sent still arrives."""
        _raw.close(self._messenger)

    @property
    def closed(self):
        """Whether the connection has ended."""
        return _raw.get_closed(self._messenger)

    @property
    def pipe(self):
        """What is left of the pipe: poll(), fileno(), close(), closed."""
        return Pipe(self)

    @property
    def queue(self):
        """A view of the queues: size(), empty(), get(), `in`."""
        return QueueView(self)

    @property
    def request_ctr(self):
        """A picture of the counters of all channels that were used."""
        return RequestCtr(self)


class PriorityMessenger(MultiMessenger):
    """Receives the lowest `priority` of a payload first; what has none comes last."""

    _by_priority = True
    _gtype = Coproc.PriorityMessenger
