# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Payloads as bytes.

Bytes travel as they are, everything else as a pickle. The two are told apart by how a pickle of
protocol 5 begins and ends; bytes that happen to look like one are pickled.
"""

import pickle

from . import _byvalue

PROTOCOL = _byvalue.PROTOCOL
_ERRORS = (pickle.PicklingError, AttributeError, TypeError)  # of what has no name to be found by
_HEAD = b"\x80\x05"
_TAIL = b"."


class Marked:
    """A payload whose message is not what the library takes it for."""

    __slots__ = ("payload", "request_reply", "is_reply")

    def __init__(self, payload, request_reply, is_reply):
        self.payload = payload
        self.request_reply = request_reply
        self.is_reply = is_reply

    def __reduce__(self):
        return Marked, (self.payload, self.request_reply, self.is_reply)


def looks_pickled(data):
    return data[:2] == _HEAD and data[-1:] == _TAIL


class Codec:
    """For two ends in one process."""

    def dumps(self, obj):
        try:
            return pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return _byvalue.dumps_here(obj)

    def loads(self, data):
        return pickle.loads(data)

    def encode(self, payload):
        if type(payload) is bytes and not looks_pickled(payload):
            return payload
        return self.dumps(payload)

    def decode(self, data):
        """`data`: bytes, or a view that need not last."""
        if looks_pickled(data):
            return self.loads(data)
        return bytes(data)


class HostCodec(Codec):
    """What the worker cannot import is sent to it first, with `emit(bytes)`."""

    def __init__(self, emit):
        self._definitions = _byvalue.Definitions(emit)

    def dumps(self, obj):
        try:
            data = pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return self._definitions.dumps(obj)
        return self._definitions.dumps(obj) if b"__main__" in data else data


class WorkerCodec(Codec):
    """`catch_up()` takes up the definitions that the host has sent."""

    def __init__(self, catch_up):
        self._catch_up = catch_up

    def dumps(self, obj):
        try:
            return pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return _byvalue.dumps_home(obj)

    def loads(self, data):
        self._catch_up()
        return pickle.loads(data)
