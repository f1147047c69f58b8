# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The calls of a messenger that matter for speed, with Python values as payloads.

The extension module _coproc_native has the same functions in C, and is used in place of these where it is there.
Arguments are by position, all of them; times are microseconds.
"""

import math
import time

from gi.module import get_introspection_module

from ._coproc_errors import checked
from ._coproc_payload import from_variant, map_bytes, to_variant, view

_raw = get_introspection_module("Coproc")
_NOREQUEST, _REQUEST = _raw.MessageKind.NOREQUEST, _raw.MessageKind.REQUEST

# Those whose priority of bytes is known without asking. (The classes must not be looked at before there is the
# override of the one that they are derived from.)
_PLAIN = ("CoprocPriorityMessenger", "CoprocMultiMessenger")


# --- sending ---

_send_bytes_full = checked(_raw.Messenger.send_bytes_full)
_send_bytes = checked(_raw.Messenger.send_bytes)
_send_norequest = checked(_raw.Messenger.send_norequest)
_send_request = checked(_raw.Messenger.send_request)
_send_reply = checked(_raw.Messenger.send_reply)
_send_message = checked(_raw.Messenger.send_message)
_send_request_multiple = checked(_raw.Messenger.send_request_multiple)
_alloc_bytes = checked(_raw.Messenger.alloc_bytes)
_reply = checked(_raw.Messenger.reply)
_call = checked(_raw.Messenger.call)


def send(messenger, payload, channel, kind, priority):
    """A `priority` of None is what the messenger makes of the payload."""
    if type(payload) is bytes and (priority is not None or messenger.__gtype__.name in _PLAIN):
        # The library reads them where they are.
        _send_bytes_full(messenger, payload, channel, kind, math.inf if priority is None else priority)
    elif priority is not None:
        _send_message(messenger, _raw.Message.new_full(to_variant(payload), channel, priority), kind)
    elif kind == _NOREQUEST:
        _send_norequest(messenger, to_variant(payload), channel)
    else:
        (_send_request if kind == _REQUEST else _send_reply)(messenger, to_variant(payload), channel)
    return True


def send_bytes(messenger, data, channel):
    """Sends what a buffer has, whatever that is."""
    # PyGObject takes any other buffer apart byte by byte.
    return _send_bytes(messenger, data if type(data) is bytes else memoryview(data).tobytes(), channel)


def send_request_multiple(messenger, payloads, channel):
    return _send_request_multiple(messenger, [to_variant(payload) for payload in payloads], channel)


def reply(messenger, request, payload):
    return _reply(messenger, request, to_variant(payload))


def call(messenger, payload, channel, timeout_us, cancellable):
    return from_variant(_call(messenger, to_variant(payload), channel, timeout_us, cancellable))


def alloc_bytes(messenger, size):
    """A memoryview of memory of the library's, for bytes to send."""
    if size < 1:
        raise ValueError("There is no memory of less than a byte")
    return map_bytes(_alloc_bytes(messenger, size))


# --- receiving ---

receive_any = checked(_raw.Messenger.receive_any)
receive_message = checked(_raw.Messenger.receive_message)
receive_messages = checked(_raw.Messenger.receive_messages)
try_receive_message = checked(_raw.Messenger.try_receive_message)
_receive_available = checked(_raw.Messenger.receive_available)
_receive_remaining = checked(_raw.Messenger.receive_remaining)


def receive(messenger, channel, timeout_us, cancellable):
    """The payload of the next message."""
    return get_payload(receive_message(messenger, channel, timeout_us, cancellable))


def receive_available(messenger, channel):
    return [from_variant(variant) for variant in _receive_available(messenger, channel)]


def receive_remaining(messenger, channel, cancellable, end):
    """The payload of the next reply; `end` when none is outstanding."""
    variant = _receive_remaining(messenger, channel, cancellable)
    return end if variant is None else from_variant(variant)


# --- messages ---

def get_payload(message):
    data = message.get_bytes()
    return from_variant(message.get_payload()) if data is None else view(data)


def get_bytes(message):
    """None when the payload is no `ay`."""
    data = message.get_bytes()
    return None if data is None else view(data)


# --- maps ---

def apply(function, inputs, results, limit_us, max_bytes):
    """Appends what the function makes of each input; until the last one, or one of the limits is reached.

    What is not a simple value becomes a payload at once: so its size is known, and whether it can be one.
    """
    end = time.monotonic() + limit_us / 1e6
    for item in inputs:
        result = function(item)
        if not (result is None or type(result) in (bool, float) or type(result) is int and abs(result) < 1 << 63):
            result = to_variant(result)
            max_bytes -= result.get_size()
        results.append(result)
        if max_bytes < 0 or time.monotonic() > end:
            return
