# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools: maps as iterables, and what can be seen of the workers."""

import math
import types

from . import _coproc_blocks
from ._coproc_base import begin, calls, check_all, complete, microseconds, pack_arguments, raw

_pool = check_all(raw.WorkerPool)
_map = check_all(raw.MapOperation)


class MapOperation(raw.MapOperation):
    """The results of a map, for `for` and `async for`. What an input has failed with is raised in the place of
    its result; the next ones can be iterated over afterwards."""

    def __iter__(self):
        return self

    def __next__(self):
        result, _index = _map.next(self, None)
        if result is None:
            self._raise_of_inputs()
            raise StopIteration
        return calls.from_variant(result)

    def __aiter__(self):
        return self

    async def __anext__(self):
        result = await self.next_async()
        if result is None:
            self._raise_of_inputs()
            raise StopAsyncIteration
        return calls.from_variant(result[0])

    def next_async(self, cancellable=None, callback=None, *user_data):
        """Awaited, it gives the next result and its index, or None at the end."""
        return begin(self, raw.MapOperation, "next", (cancellable,), callback, user_data,
                     lambda result: None if result[0] is None else result)

    def _raise_of_inputs(self):
        """The iterable of a lazy map may have failed, which looks like its end to the library."""
        failures = self.__dict__.get("failures")
        if failures:
            raise failures.pop()


class WorkerPool(raw.WorkerPool):
    """Workers that share tasks: `with` and `async with` start them and stop them."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    async def __aenter__(self):
        await self.start_async()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop_async()

    @property
    def workers(self):
        """A list of what can be seen of the workers; it is up to date while the main context is iterated."""
        return [*self.get_workers()]

    @classmethod
    def for_callable(cls, function, n_workers=0):
        """A pool of processes that call a Python function; see WorkerResource.for_callable()."""
        from . import coproc_worker
        pool = cls.new_for_command(coproc_worker.get_command(function), n_workers)
        pool._takes_blocks = not coproc_worker.takes_messenger(function)
        return pool

    def start(self, arguments=None, cancellable=None):
        """Starts the workers with a dict of arguments."""
        return _pool.start(self, pack_arguments(arguments), cancellable)

    def stop(self, grace_us=None):
        """Ends the workers as WorkerResource.stop() does."""
        return _pool.stop(self, self.get_model().grace_period if grace_us is None else grace_us)

    def map(self, inputs, chunk_size=0, cancellable=None):
        """A list of the results of an iterable's items, in their order; raises what the first has failed with.

        Up to `chunk_size` items of a Python function go into one message, which is one task in the figures of the
        pool; 0: as suits them. Where each item has to be a task, for `task_timeout` or `max_tasks_per_worker`, each
        goes alone.
        """
        if chunk_size != 1 and self._may_use_blocks():
            return _coproc_blocks.Map(self, inputs, chunk_size).run(cancellable)
        results = _pool.map(self, [calls.to_variant(item) for item in inputs], chunk_size, cancellable)
        return [calls.from_variant(result) for result in results]

    _takes_blocks = False

    def _may_use_blocks(self):
        return self._takes_blocks and self.task_timeout < 0 and not self.max_tasks_per_worker

    def map_ordered(self, inputs, chunk_size=0):
        """Iterates over the results in the order of the inputs."""
        return super().map_ordered([calls.to_variant(item) for item in inputs], chunk_size)

    def map_unordered(self, inputs, chunk_size=0):
        """Iterates over the results as they come."""
        return super().map_unordered([calls.to_variant(item) for item in inputs], chunk_size)

    def map_lazy(self, inputs, ordered=True, chunk_size=0):
        """Iterates over the results of an iterable of any length, which is not run far ahead of them."""
        items, failures = iter(inputs), []

        def make(*_):
            try:
                return calls.to_variant(next(items))
            except StopIteration:
                pass
            except Exception as error:
                failures.append(error)
            return None

        operation = super().map_lazy(make, None, ordered, chunk_size)
        operation.failures = failures
        return operation

    def broadcast(self, payload=None):
        """Gives the same to every worker, and iterates over their replies as they come."""
        return super().broadcast(calls.to_variant(payload))

    def start_async(self, arguments=None, cancellable=None, callback=None, *user_data):
        """Starts the workers; awaited, they are there."""
        return begin(self, raw.WorkerPool, "start", (pack_arguments(arguments), cancellable), callback,
                     user_data)

    def stop_async(self, grace_us=None, cancellable=None, callback=None, *user_data):
        """Ends the workers as stop() does."""
        return begin(self, raw.WorkerPool, "stop",
                     (self.get_model().grace_period if grace_us is None else grace_us, cancellable), callback,
                     user_data)

    def submit_async(self, payload=None, priority=math.inf, timeout_us=-1, cancellable=None, callback=None,
                     *user_data, timeout=None):
        """Gives a task to the next free worker; awaited, it gives its result."""
        return begin(self, raw.WorkerPool, "submit",
                     (calls.to_variant(payload), priority, microseconds(timeout, timeout_us), cancellable),
                     callback, user_data, calls.from_variant)

    def submit_finish(self, result):
        """The result of a submit_async() that was given a callback."""
        return calls.from_variant(_pool.submit_finish(self, result))


MapOperation = complete(MapOperation, _map)
WorkerPool = complete(WorkerPool, _pool)


class PoolWorker(raw.PoolWorker):
    """What can be seen of one worker of a pool."""


PoolWorker = complete(PoolWorker, types.SimpleNamespace())
