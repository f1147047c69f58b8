# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Payloads as bytes.

Bytes travel as they are, everything else as a pickle, and large buffers that are in it behind it. These are told apart by
how they begin and end; bytes that happen to look like one of the others are pickled.
"""

import pickle
import struct

from . import _byvalue
from ._library import contains, copy, copy_array, send_parts

PROTOCOL = _byvalue.PROTOCOL
_ERRORS = (pickle.PicklingError, AttributeError, TypeError)  # of what has no name to be found by
_HEAD = b"\x80\x05"
_TAIL = b"."
_TAIL_OF_PARTS = b"|"
_MAIN = b"\x8c\x08__main__"  # in a pickle: what is named there can only be known to a worker by value

# A pickle with buffers: its head, padded; the number of buffers, the size of the pickle, and those of the buffers with
# whether they can be written to in the lowest bit; the pickle; the buffers, each aligned; its tail.
_SIZES = struct.Struct("<QQ")
_ALIGNMENT = 64
_LEAST = 16384  # bytes of a buffer that is not in the pickle
_SIMPLE = frozenset((bool, float, int, str, type(None)))  # have none


class _Buffers(list):
    """What pickle need not copy; pickle calls it for each buffer."""

    def __call__(self, buffer):
        try:
            view = buffer.raw()
        except BufferError:  # it is in pieces
            return True
        if view.nbytes < _LEAST:
            return True
        self.append(view)
        return False

    def join(self, data):
        """The parts of a payload, with the pickle."""
        n = len(self)
        head = struct.pack(f"<2s6x{2 + n}Q", _HEAD, n, len(data), *(2 * view.nbytes + (not view.readonly) for view in self))
        parts, at = [head, data], len(head) + len(data)
        for view in self:
            padding = -at % _ALIGNMENT
            parts += bytes(padding), view
            at += padding + view.nbytes
        return (*parts, _TAIL_OF_PARTS)


def _loads_parts(data):
    n, size = _SIZES.unpack_from(data, 8)
    at = 8 + _SIZES.size + 8 * n
    sizes = struct.unpack_from(f"<{n}Q", data, at - 8 * n)
    pickled, at = data[at:at + size], at + size
    buffers = []
    for size in sizes:
        at += -at % _ALIGNMENT
        make = copy_array if size & 1 else copy
        buffers.append(make(data[at:at + size // 2]))
        at += size // 2
    return pickle.loads(pickled, buffers=buffers)


class Marked:
    """A payload whose message is not what the library takes it for."""

    __slots__ = ("payload", "request_reply", "is_reply")

    def __init__(self, payload, request_reply, is_reply):
        self.payload = payload
        self.request_reply = request_reply
        self.is_reply = is_reply

    def __reduce__(self):
        return Marked, (self.payload, self.request_reply, self.is_reply)


def _dump_again(dumps, obj, buffers):
    if buffers is not None:
        buffers.clear()
    return dumps(obj, buffers)


class Codec:
    """For two ends in one process."""

    loads = staticmethod(pickle.loads)

    def dumps(self, obj, buffers=None):
        try:
            return pickle.dumps(obj, PROTOCOL, buffer_callback=buffers)
        except _ERRORS:
            return _dump_again(_byvalue.dumps_here, obj, buffers)

    def encode(self, payload):
        """Bytes, or a tuple of parts."""
        if type(payload) is bytes and not (payload[:2] == _HEAD and payload[-1:] in (_TAIL, _TAIL_OF_PARTS)):
            return payload
        if send_parts is None or type(payload) in _SIMPLE:
            return self.dumps(payload)
        buffers = _Buffers()
        data = self.dumps(payload, buffers)
        return buffers.join(data) if buffers else data

    def decode(self, data):
        if data[:2] == _HEAD:
            tail = data[-1:]
            if tail == _TAIL:
                return pickle.loads(data)
            if tail == _TAIL_OF_PARTS:
                return _loads_parts(data)
        return data if type(data) is bytes else copy(data)


class HostCodec(Codec):
    """What the worker cannot import is sent to it first, with `emit(bytes)`; and with that of `home` what is to stay."""

    def __init__(self, emit, home=None):
        self._definitions = _byvalue.Definitions(emit, home and home._definitions)

    def set_value(self, value):
        """Sends the value of a scope."""
        self._definitions.set_value(value)

    def dumps(self, obj, buffers=None):
        try:
            data = pickle.dumps(obj, PROTOCOL, buffer_callback=buffers)
        except _ERRORS:
            return _dump_again(self._definitions.dumps, obj, buffers)
        return _dump_again(self._definitions.dumps, obj, buffers) if contains(data, _MAIN) else data


class WorkerCodec(Codec):
    """`catch_up()` takes up the definitions that the host has sent: when one is missed."""

    def __init__(self, catch_up):
        _byvalue.on_unknown(catch_up)

    def dumps(self, obj, buffers=None):
        try:
            return pickle.dumps(obj, PROTOCOL, buffer_callback=buffers)
        except _ERRORS:
            return _dump_again(_byvalue.dumps_home, obj, buffers)
