# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Functions applied to many items by several workers: the library's pool, and Python's functions in it."""

import itertools
import pickle
import sys

from . import _process
from ._codec import HostCodec
from ._library import SECOND, Coproc, GLib, call
from ._log import Log
from ._map import Map
from ._workers import Workers
from .exceptions import WorkerIsAlreadyAliveError, WorkerIsAlreadyDeadError, WorkerIsDeadError
from .messenger import MultiMessenger

_raw = Coproc.WorkerPool
_RUNNING = Coproc.WorkerState.RUNNING
_AHEAD = 12  # chunks for each worker that may be taken from an input ahead of the results


def _check_number(n):
    if n < 1:
        raise ValueError(f"a pool has at least one worker, not {n}")


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


class PoolWorker:
    """A place in a pool. Its worker is followed by another one when it ends unasked."""

    def __init__(self, place):
        self._place = place  # the library's

    @property
    def pid(self):
        """The number of the process; 0 while there is none."""
        return self._place.get_property("pid")

    @property
    def proc(self):
        """The process that is there now: pid, is_alive(), join(), terminate(), kill()."""
        return _process.PlaceProcess(self._place)

    def is_alive(self):
        """Whether the process runs."""
        return self._place.get_property("state") == _RUNNING

    def __repr__(self):
        return f"<{type(self).__name__} {self.pid or 'without a process'}>"


class Pool(Workers):
    """Workers that stay, and apply functions to items.

    `chunksize` is how many items a request has; None: as many as pay. A worker that ends is an error
    that names the items it was at; another one takes its place.
    """

    #: How long, in seconds, workers have to end before they get a SIGTERM, and again a SIGKILL.
    grace_period = 2.0

    def __init__(self, n, verbose=False, messenger_type=MultiMessenger):
        _check_number(n)
        self.n = n
        self.verbose = verbose
        self.messenger_type = messenger_type
        self._user_function = None
        self._pool = None  # the library's; a new one at each start
        self._context = None  # where it tells of its workers; iterated when somebody asks
        self._codec = None

    def __len__(self):
        return self.n

    # --- life ---

    def start(self, **start_kwargs):
        """Starts all workers, or none. `verbose` replaces what the pool was made with; its workers take nothing else."""
        if self.is_alive():
            raise WorkerIsAlreadyAliveError("The pool cannot be started because it is already alive.")
        self.verbose = start_kwargs.pop("verbose", self.verbose)
        for name in start_kwargs:
            raise TypeError(f"the workers of a pool take no argument {name!r}")
        log = Log()
        codec = HostCodec(log.append)
        context = GLib.MainContext.new()
        context.push_thread_default()
        try:
            model = _process.new_worker(self.messenger_type, self.grace_period)
            pool = _raw.new_for_model(model, self.n)
        finally:
            context.pop_thread_default()
        pool.set_property("max-pending", _AHEAD * self.n)
        data = pickle.dumps((log.path, sys.argv, codec.dumps(self.messenger_type)))
        _process.flush_output()
        call(_raw.start, pool, _process.pack_argument(data), None)
        self._pool, self._context, self._codec = pool, context, codec

    def join(self):
        """Asks all workers to end, and waits."""
        self._check_started()
        call(_raw.stop, self._pool, -1)

    def terminate(self, check_alive=True):
        """Ends all workers. WorkerIsAlreadyDeadError, if `check_alive`, when they have ended already."""
        if check_alive:
            self._check_started()
        if self.is_alive():
            call(_raw.stop, self._pool, int(self.grace_period * SECOND))
        elif check_alive:
            raise WorkerIsAlreadyDeadError("The pool cannot be terminated because it is already dead.")

    def is_alive(self):
        """Whether it runs: who has ended unasked is being replaced."""
        return self._pool is not None and self._pool.get_property("state") == _RUNNING

    def _check_started(self):
        if self._pool is None:
            raise WorkerIsDeadError("The pool has not been started.")

    @property
    def workers(self):
        """The places of the workers, once they have been started."""
        if self._pool is None:
            return []
        while self._context.pending():
            self._context.iteration(False)
        return [PoolWorker(place) for place in _raw.get_workers(self._pool)]

    # --- work ---

    def update_user_func(self, func):
        """The function for maps that are given None."""
        self._user_function = func

    def map(self, func, datas, chunksize=None):
        """[func(item) for item in datas], by the workers. The first exception ends it."""
        return _in_order(self._map(func, datas, chunksize))

    def map_unordered(self, func, datas, chunksize=None):
        """Yields the results as they come."""
        return _as_they_come(self._map(func, datas, chunksize))

    def _map(self, func, datas, chunksize):
        _check_chunksize(chunksize)
        func = self._user_function if func is None else func
        if not callable(func):
            raise TypeError(f"a map needs a function, not {func!r}")
        self._check_started()
        if not self.is_alive():
            self.start()
        return Map(self._pool, self.n, self._codec, func, datas, chunksize)


class LazyPool:
    """Starts workers for each map, and ends them after it."""

    def __init__(self, n, verbose=False):
        _check_number(n)
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
        return any(pool.is_alive() for pool in self._pools)

    def wait_until_dead(self):
        """Waits until no worker is alive: they are gone when a map is done."""
        for worker in self:
            worker.proc.join()

    @staticmethod
    def chunk_size_slice(n, chunk_size):
        """The slices of n items, chunk_size of them in each but the last."""
        _check_chunksize(chunk_size)
        return [slice(i, min(i + chunk_size, n), 1) for i in range(0, n, chunk_size)]
