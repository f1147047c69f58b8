# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers of one kind, in which a program's own class runs."""

import dataclasses
import typing

from ._crew import Crew, Operation, for_each
from .messenger import PriorityMessenger
from .worker_resource import LegacyWorkerResource


@dataclasses.dataclass(eq=False)
class WorkerResourcePool:
    """A list of workers that start and end together."""

    workers: typing.List[LegacyWorkerResource]
    start_kwargs: typing.Dict[str, typing.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def new(cls, n, worker_process_type, messenger_type=PriorityMessenger, **start_kwargs):
        """A pool of n workers, each of which calls `worker_process_type(messenger=…, **start_kwargs)()`."""
        workers = [LegacyWorkerResource(worker_process_type, messenger_type) for _ in range(n)]
        return cls(workers, start_kwargs)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.terminate(check_alive=False)

    def __iter__(self):
        return iter(self.workers)

    def __len__(self):
        return len(self.workers)

    def set_start_kwargs(self, **start_kwargs):
        """What start() will start with, in place of what it was."""
        self.start_kwargs = start_kwargs

    def start(self, **start_kwargs):
        """Starts all workers; these arguments are merged over those that were set."""
        keywords = {**self.start_kwargs, **start_kwargs}
        try:
            for_each(lambda worker: worker.start(**keywords), self.workers)
        except BaseException:
            self.terminate(check_alive=False)
            raise

    def join(self):
        """Asks all workers to end, and waits."""
        for_each(lambda worker: worker.join(), self.workers)

    def terminate(self, check_alive=True):
        """Ends all workers. WorkerIsAlreadyDeadError, if `check_alive`, when one had ended already."""
        for_each(lambda worker: worker.terminate(check_alive=check_alive), self.workers)

    def is_alive(self):
        """Whether all workers are alive."""
        return all(worker.is_alive() for worker in self.workers)

    def wait_until_dead(self):
        """Waits until no worker is alive; nobody is asked to end."""
        for worker in self.workers:
            if worker.process_exists():
                worker.proc.join()

    def apply_to_workers(self, func):
        """[func(worker) for each worker]"""
        return [func(worker) for worker in self.workers]

    def map_messages(self, data_iter, channel_id=None):
        """Sends the items of an iterable as requests, one at a time to each worker, and yields the
        replies as they come. What is no reply can be received from the worker's messenger.
        """
        crew = Crew(self.workers)
        for _, answer in Operation(crew, data_iter, channel_id):
            yield answer
