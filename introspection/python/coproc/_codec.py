# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Payloads as bytes.

Bytes travel as they are, everything else as a pickle. The two are told apart by how a pickle of
protocol 5 begins and ends; bytes that happen to look like one are pickled.
"""

import pickle

from . import _byvalue
from ._library import copy

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


class Codec:
    """For two ends in one process."""

    loads = staticmethod(pickle.loads)

    def dumps(self, obj):
        try:
            return pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return _byvalue.dumps_here(obj)

    def encode(self, payload):
        if type(payload) is bytes and not (payload[:2] == _HEAD and payload[-1:] == _TAIL):
            return payload
        return self.dumps(payload)

    def decode(self, data):
        if data[:2] == _HEAD and data[-1:] == _TAIL:
            return pickle.loads(data)
        return data if type(data) is bytes else copy(data)


class HostCodec(Codec):
    """What the worker cannot import is sent to it first, with `emit(bytes)`; and with that of `home` what is to stay."""

    def __init__(self, emit, home=None):
        self._definitions = _byvalue.Definitions(emit, home and home._definitions)

    def set_value(self, value):
        """Sends the value of a scope."""
        self._definitions.set_value(value)

    def dumps(self, obj):
        try:
            data = pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return self._definitions.dumps(obj)
        return self._definitions.dumps(obj) if b"__main__" in data else data


class WorkerCodec(Codec):
    """`catch_up()` takes up the definitions that the host has sent: when one is missed."""

    def __init__(self, catch_up):
        _byvalue.on_unknown(catch_up)

    def dumps(self, obj):
        try:
            return pickle.dumps(obj, PROTOCOL)
        except _ERRORS:
            return _byvalue.dumps_home(obj)
