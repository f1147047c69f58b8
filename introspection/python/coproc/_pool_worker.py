# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What a worker of a pool does: applies functions to items, until its host wants no more of it."""

import pickle
import sys
import time

from . import _byvalue
from ._codec import WorkerCodec
from ._library import get_data, pack_exception
from ._log import Reader
from ._map import HEAD
from .exceptions import ResourceRequestedClose
from .messenger import _receive_message

_MAX_MAPS = 4  # that are known; more than one may go on at a time


class _Map:
    """What a worker knows of one map: its function, and what was sent by value for it."""

    def __init__(self, head):
        self._log = Reader(head.split()[1])
        self._scope = _byvalue.Scope()
        self.forget = self._scope.forget

    def catch_up(self):
        for definition in self._log.take():
            _byvalue.apply(definition, self._scope)

    @property
    def function(self):
        return self._scope.value


class _Maps:
    """The latest maps. `log` has what was sent for all of them."""

    def __init__(self, log):
        self._log = log
        self._maps = {}  # head -> map
        self._current = None

    def catch_up(self):
        """Takes up what is new."""
        for definition in self._log.take():
            _byvalue.apply(definition)
        if self._current is not None:
            self._current.catch_up()

    def get_function(self, head):
        """The function of a map, which is the current one from now on."""
        self._current = self._maps.get(head)
        if self._current is None:
            if len(self._maps) >= _MAX_MAPS:
                self._maps.pop(next(iter(self._maps))).forget()
            self._current = _Map(head)
            self.catch_up()
            self._maps[head] = self._current
        return self._current.function


def run(raw, data):
    """Does what the host's argument says."""
    path, sys.argv[:], messenger_type = pickle.loads(data)
    maps = _Maps(Reader(path))
    codec = WorkerCodec(maps.catch_up)
    messenger = codec.loads(messenger_type)._adopt(raw)
    messenger._codec = codec
    _serve(messenger, maps)


def _serve(messenger, maps):
    """Answers tasks with (seconds, results), or with (seconds, number of the item, exception)."""
    codec = messenger._codec
    while True:
        message = messenger._next(None, _receive_message)
        started = time.perf_counter()
        results = []
        try:
            data = get_data(message)
            function = maps.get_function(bytes(data[:HEAD]))
            add = results.append
            for item in codec.loads(data[HEAD:]):
                add(function(item))
            messenger._reply_data(codec.dumps((time.perf_counter() - started, results)))
        except (ResourceRequestedClose, BrokenPipeError):
            raise
        except BaseException as error:
            text = pack_exception(error, codec.dumps).message
            messenger._reply_data(codec.dumps((time.perf_counter() - started, len(results), text)))
