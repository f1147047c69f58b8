# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""One pass over an input: the library's map operation, whose tasks are chunks of items."""

import itertools
import pickle
import re

from . import _library
from ._codec import HostCodec
from ._library import Coproc, GLib
from ._log import Log

_map_lazy = Coproc.WorkerPool.map_lazy
_next = Coproc.MapOperation.next
_cancel = Coproc.MapOperation.cancel
_from_bytes = GLib.Variant.new_from_bytes
_BYTES = GLib.VariantType("ay")

_CHUNK_SECONDS = 0.002  # how long a chunk should take a worker: long beside what a message costs
_MAX_CHUNK = 4096
_ITEM = "^Item [0-9]+"  # what the library says of a task, by its number

HEAD = 64  # bytes before each task: what the map is called, and where its function and what that needs can be read

_serials = itertools.count(1)


class Map:
    """Applies a function to items. Iterating gives (number of the first item, results), as they come.

    It is for one thread, and for one iteration.
    """

    def __init__(self, pool, n_workers, codec, function, datas, chunksize):
        self._pool = pool
        self._codec = codec
        self._function = function
        self._head = None  # of the tasks
        self._items = iter(datas)
        self._chunksize = chunksize
        self._seconds = None  # that an item takes, the mean of late
        self._n_items = 0  # taken from the input
        self._n_tasks = 0
        self._chunks = {}  # number of the task -> (first item, items), until it has ended
        self._failure = None  # of the input, or of pickling it
        try:
            self._largest = max(1, len(datas) // (4 * n_workers))
        except TypeError:
            self._largest = _MAX_CHUNK

    def __iter__(self):
        log = Log()
        self._codec = HostCodec(log.append, self._codec)
        self._codec.set_value(self._function)
        self._head = f"{next(_serials)} {log.path}".encode().ljust(HEAD)
        operation = _map_lazy(self._pool, self._make_task, None, False, 1)
        try:
            while True:
                try:
                    variant, index = _next(operation, None)
                except GLib.Error as error:
                    self._fail(error, operation.get_property("last-index"))
                    continue
                if self._failure is not None:
                    raise self._failure
                if variant is None:
                    return
                yield self._settle(index, variant.get_data_as_bytes().get_data())
        finally:
            _cancel(operation)
            log.close()

    def _make_task(self, *_):
        """The next chunk; None: there is none. Called by the library, while somebody waits for a result."""
        try:
            items = list(itertools.islice(self._items, self._chunksize or self._choose_size()))
            if not items:
                return None
            data = self._head + self._codec.dumps(items)
        except BaseException as error:
            self._failure = error
            return None
        self._chunks[self._n_tasks] = self._n_items, len(items)
        self._n_tasks += 1
        self._n_items += len(items)
        return _from_bytes(_BYTES, GLib.Bytes.new(data), True)

    def _choose_size(self):
        if self._seconds is None:
            return 1
        return max(1, min(int(_CHUNK_SECONDS / self._seconds), self._largest, _MAX_CHUNK))

    def _settle(self, index, data):
        first, n = self._chunks.pop(index)
        answer = pickle.loads(data)
        if len(answer) == 3:
            _, n, text = answer
            exception = _library.unpack_exception(text, pickle.loads)
            exception.item_index = first + n
            raise exception
        seconds = max(answer[0] / n, 1e-7)
        self._seconds = seconds if self._seconds is None else (3 * self._seconds + seconds) / 4
        return first, answer[1]

    def _fail(self, error, index):
        """Raises what a GLib.Error is. Returns when only a signal has ended the wait."""
        if index in self._chunks:
            first, n = self._chunks[index]
            items = f"item {first}" if n == 1 else f"items {first} to {first + n - 1}"
            error.message = re.sub(_ITEM, items, error.message)
        if error.matches(Coproc.error_quark(), Coproc.Error.RESTART_LIMIT):
            error.message = error.message.partition("\n")[0]  # behind it, the exception is in the worker's own form
        _library.fail(error, pickle.loads)
