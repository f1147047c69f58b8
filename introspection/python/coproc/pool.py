# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Functions applied to many items by several workers."""

import itertools
import pickle
import time

from . import _library
from ._crew import Crew, Member, Operation
from ._team import Team, for_each
from .exceptions import ResourceRequestedClose
from .messenger import MultiMessenger, _NOREQUEST, _receive_message
from .worker_resource import WorkerResource

_CHUNK_SECONDS = 0.002  # how long a chunk should take a worker: long beside what a message costs
_AHEAD_SECONDS = 0.001  # so much work may wait in a worker that answers fast
_MAX_CHUNK = 4096
_MAX_DEPTH = 64
_FUNCTION, _ITEMS = 0, 1


# --- in the worker ---


def _serve(messenger):
    """Answers (items) with (seconds, results), or with (seconds, number of the item, exception)."""
    function = None
    codec = messenger._codec
    while True:
        message = messenger._next(None, _receive_message)
        started = time.perf_counter()
        results = []
        try:
            what, value = messenger._payload(message, None)
            if what == _FUNCTION:
                function = value
                continue
            add = results.append
            for item in value:
                add(function(item))
            data = codec.dumps((time.perf_counter() - started, results))
        except ResourceRequestedClose:
            raise
        except BaseException as error:
            text = _library.pack_exception(error, codec.dumps).message
            data = codec.dumps((time.perf_counter() - started, len(results), text))
        messenger._reply_data(data)


# --- in the host ---


class _Member(Member):
    """One who knows a function."""

    function = None


class _Map(Operation):
    """Applies a function to items, several of them in a request."""

    def __init__(self, crew, function, datas, chunksize):
        super().__init__(crew, datas)
        self._function = function
        self._chunksize = chunksize
        self._seconds = None  # that an item takes, the mean of late
        try:
            self._largest = max(1, len(datas) // (4 * max(1, len(crew.members))))
        except TypeError:
            self._largest = _MAX_CHUNK

    def next_task(self, member):
        """(index of the first item, payload)"""
        size = self._chunksize or self._choose_size()
        items = list(itertools.islice(self._tasks, size))
        if len(items) < size:
            self.exhausted = True
        if not items:
            return None
        index = self.n_tasks
        self.n_tasks += len(items)
        if member.function is not self._function:
            member.messenger._send((_FUNCTION, self._function), None, _NOREQUEST)
            member.function = self._function
        return (index, len(items)), (_ITEMS, items)

    def _choose_size(self):
        if self._seconds is None:
            return 1
        return max(1, min(int(_CHUNK_SECONDS / self._seconds), self._largest, _MAX_CHUNK))

    def settle(self, index, answer):
        first, n = index
        seconds = max(answer[0] / n, 1e-7)
        self._seconds = seconds if self._seconds is None else (3 * self._seconds + seconds) / 4
        self.depth = max(1, min(int(_AHEAD_SECONDS / (self._seconds * n)) + 1, _MAX_DEPTH))
        self.results.append((first, answer))

    def describe(self, index):
        first, n = index
        return f"item {first}" if n == 1 else f"items {first} to {first + n - 1}"

    def __iter__(self):
        """(number of the first item, results)"""
        for first, answer in super().__iter__():
            if len(answer) == 3:
                _, n, text = answer
                raise _raised_by_item(text, first + n)
            yield first, answer[1]


def _raised_by_item(text, index):
    exception = _library.unpack_exception(text, pickle.loads)
    exception.item_index = index
    return exception


def _check_chunksize(chunksize):
    if chunksize is not None and (not isinstance(chunksize, int) or chunksize < 1):
        raise ValueError(f"the size of a chunk is a number from 1 on, not {chunksize!r}")


def _in_order(chunks):
    """The results in the order of their items."""
    return list(itertools.chain.from_iterable(results for _, results in sorted(chunks, key=_first)))


def _first(chunk):
    return chunk[0]


def _as_they_come(chunks):
    for _, results in chunks:
        yield from results


class Pool(Team):
    """Workers that stay, and apply functions to items.

    `chunksize` is how many items a request has; None: as many as pay. A worker that ends is an error
    that names the items it had; the next map starts another in its place.
    """

    def __init__(self, n, verbose=False, messenger_type=MultiMessenger):
        if n < 1:
            raise ValueError(f"a pool has at least one worker, not {n}")
        self.verbose = verbose
        self.workers = [WorkerResource(_serve, messenger_type) for _ in range(n)]
        self._crew = None
        self._function = None

    def start(self):
        """Starts all workers, or none."""
        super().start()
        self._crew = None

    def update_user_func(self, func):
        """The function for maps that are given None."""
        self._function = func

    def map(self, func, datas, chunksize=None):
        """[func(item) for item in datas], by the workers. The first exception ends it."""
        return _in_order(self._map(func, datas, chunksize))

    def map_unordered(self, func, datas, chunksize=None):
        """Yields the results as they come."""
        return _as_they_come(self._map(func, datas, chunksize))

    def _map(self, func, datas, chunksize):
        _check_chunksize(chunksize)
        func = self._function if func is None else func
        if not callable(func):
            raise TypeError(f"a map needs a function, not {func!r}")
        return _Map(self._prepare_crew(), func, datas, chunksize)

    def _prepare_crew(self):
        """Those who are there; whoever has ended without being asked is started again."""
        for worker in self.workers:
            worker.check_process_exists()
        there = self.workers if self._crew is None else [member.worker for member in self._crew.members]
        gone = [worker for worker in self.workers if worker not in there or not worker.is_alive()]
        if gone:
            for_each(lambda worker: worker.reset_process(), gone)
        if self._crew is None:
            self._crew = Crew(self.workers, _Member)
        else:
            for worker in gone:
                self._crew.add(worker)
        return self._crew


class LazyPool:
    """Starts workers for each map, and ends them after it."""

    def __init__(self, n, verbose=False):
        if n < 1:
            raise ValueError(f"a pool has at least one worker, not {n}")
        self.n = n
        self.verbose = verbose
        self._pools = set()  # those at work

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def __iter__(self):
        return itertools.chain.from_iterable(self._pools)

    def map(self, func, datas, chunksize=1, channel_id=None):
        """[func(item) for item in datas], by new workers."""
        return _in_order(self._map(func, datas, chunksize, channel_id))

    def map_unordered(self, func, datas, chunksize=1, channel_id=None):
        """Yields the results as they come."""
        return _as_they_come(self._map(func, datas, chunksize, channel_id))

    def _map(self, func, datas, chunksize, channel_id):
        _check_chunksize(chunksize)
        hash(channel_id)
        return self._run(func, datas, chunksize)

    def _run(self, func, datas, chunksize):
        n = self.n
        if hasattr(datas, "__len__"):
            n = min(n, -(-len(datas) // (chunksize or 1)))
        if n == 0:
            return
        pool = Pool(n, self.verbose)
        self._pools.add(pool)
        try:
            with pool:
                yield from pool._map(func, datas, chunksize)
        finally:
            self._pools.discard(pool)

    def is_alive(self):
        """Whether workers are at work."""
        return any(worker.is_alive() for worker in self)

    def wait_until_dead(self):
        """Waits until no worker is alive: they are gone when a map is done."""
        for worker in self:
            if worker.process_exists():
                worker.proc.join()

    @staticmethod
    def chunk_size_slice(n, chunk_size):
        """The slices of n items, chunk_size of them in each but the last."""
        _check_chunksize(chunk_size)
        return [slice(i, min(i + chunk_size, n), 1) for i in range(0, n, chunk_size)]
