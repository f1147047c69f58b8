# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers of one kind, in which a program's own class runs."""

import dataclasses
import typing

from ._crew import Crew, Operation
from ._team import Team
from .messenger import PriorityMessenger
from .worker_resource import LegacyWorkerResource


@dataclasses.dataclass(eq=False)
class WorkerResourcePool(Team):
    """A list of workers that start and end together."""

    workers: typing.List[LegacyWorkerResource]
    start_kwargs: typing.Dict[str, typing.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def new(cls, n, worker_process_type, messenger_type=PriorityMessenger, **start_kwargs):
        """A pool of n workers, each of which calls `worker_process_type(messenger=…, **start_kwargs)()`."""
        workers = [LegacyWorkerResource(worker_process_type, messenger_type) for _ in range(n)]
        return cls(workers, start_kwargs)

    def set_start_kwargs(self, **start_kwargs):
        """What start() will start with, in place of what it was."""
        self.start_kwargs = start_kwargs

    def start(self, **start_kwargs):
        """Starts all workers; these arguments are merged over those that were set."""
        super().start(**{**self.start_kwargs, **start_kwargs})

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
