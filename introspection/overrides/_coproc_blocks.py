# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The inputs of a map, many to a message: for Python functions that take less time than a message does.

A block is a request on a channel of its own. Its bytes are a variant (`v`) of the list of inputs; those of its reply one
of the list of their results, as far as the worker has got: to the end, or until it has taken so long, or has so much to
send, that the other inputs had better be given to whoever is free. At least one result is there. The error of an input is
that of its block, and begins with its place in it.
"""

import math
import re

from gi.repository import GLib

from ._coproc_base import calls, raw
from ._coproc_errors import checked, to_glib

CHANNEL = "coproc-python-block"

_MOST = 8192  # inputs of a block
_MOST_BYTES = 256 << 10  # of inputs, and of results; one alone may have more
_MOST_US = 5000  # that a worker takes for a block, and for the input that it is at then

_BYTES, _VARIANT = GLib.VariantType("ay"), GLib.VariantType("v")
# What the library says of a block that has failed, and behind it the worker of the input.
_ITEM = r"Item (\d+)( \(.*?\): )"
_PLACE = r"Item (\d+): "


def _pack(values):
    variant = calls.to_variant(values)
    size = variant.get_size()
    data = GLib.Variant.new_variant(variant).get_data_as_bytes()
    return GLib.Variant.new_from_bytes(_BYTES, data, True), size


def _unpack(message):
    data = message.get_bytes()
    if data is not None:
        # Whether it is one at all is found out while it is read; GLib would look at each number once more before.
        values = calls.from_variant(GLib.Variant.new_from_bytes(_VARIANT, data, True))
        if type(values) is list:
            return values
    raise ValueError("What should be a block of a map is none")


# --- in the worker ---

def answer(function, request):
    """The reply to a block."""
    results = []
    try:
        calls.apply(function, _unpack(request), results, _MOST_US, _MOST_BYTES)
        return _pack(results)[0]
    except Exception as error:
        failure = to_glib(error)
        failure.message = f"Item {len(results)}: {failure.message}"
        raise failure from None


# --- in the host ---

class Map:
    """One map of a pool whose workers take blocks."""

    def __init__(self, pool, inputs, chunk_size):
        self._pool = pool
        self._inputs = [*inputs]
        self._results = [None] * len(self._inputs)
        self._most = min(chunk_size or _MOST, _MOST)  # inputs of a block
        # Each block is a part of what is left, so that the workers are done at the same time.
        self._parts = 1 if chunk_size else 4 * max(1, pool.n_workers)
        self._blocks = []  # of the round: (first, number of inputs)
        self._messages = []

    def run(self, cancellable):
        """All results. What is left of the blocks of a round is given out in the next one."""
        ranges = [(0, len(self._inputs))]
        while ranges:
            for begin, end in ranges:
                self._divide(begin, end)
            ranges = self._run_round(cancellable)
        return self._results

    def _divide(self, begin, end):
        while begin < end:
            n = max(1, min((end - begin) // self._parts, self._most))
            begin += self._add(begin, n)

    def _add(self, first, n):
        """Adds a block of n inputs, or of fewer that are not too large together. Returns: how many"""
        while n > 1:
            payload, size = _pack(self._inputs[first:first + n])
            if size <= _MOST_BYTES:
                break
            self._most = n = max(1, min(n // 2, n * _MOST_BYTES // size))
        if n == 1:
            message = raw.Message.new_full(calls.to_variant(self._inputs[first]), None, math.inf)
        else:
            message = raw.Message.new_full(payload, CHANNEL, math.inf)
        self._blocks.append((first, n))
        self._messages.append(message)
        return n

    @checked
    def _send(self, blocks, messages, cancellable):
        try:
            return raw.WorkerPool.map_messages(self._pool, messages, 1, cancellable)
        except GLib.Error as error:
            error.message = self._name_inputs(blocks, error.message)
            raise

    def _run_round(self, cancellable):
        """Returns: the ranges of inputs that have no result yet."""
        blocks, messages = self._blocks, self._messages
        self._blocks, self._messages = [], []
        replies = self._send(blocks, messages, cancellable)
        left, most = [], 1
        for (first, n), reply in zip(blocks, replies):
            if n == 1:
                self._results[first] = calls.get_payload(reply)
                continue
            results = _unpack(reply)
            if not 0 < len(results) <= n:
                raise ValueError(f"A block of {n} inputs has got {len(results)} results")
            self._results[first:first + len(results)] = results
            most = max(most, len(results))
            if len(results) < n:
                left.append((first + len(results), first + n))
        self._most = most
        return left

    @staticmethod
    def _name_inputs(blocks, message):
        """What the library says of a block, as it would say it of the input."""
        block = re.match(_ITEM, message)
        if block is None:
            return message
        first, n = blocks[int(block[1])]
        text = message[block.end():]
        place = re.match(_PLACE, text) if n > 1 else None
        if place is not None:
            return f"Item {first + int(place[1])}{block[2]}{text[place.end():]}"
        inputs = f"Item {first}" if n == 1 else f"Items {first} to {first + n - 1}"
        return f"{inputs}{block[2]}{text}"
