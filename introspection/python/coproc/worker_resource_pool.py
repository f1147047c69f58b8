# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers of one kind, in which a program's own class runs."""

import dataclasses
import select
import threading
import typing

from ._library import Coproc
from ._workers import Workers
from .exceptions import WorkerDiedError
from .messenger import PriorityMessenger, _REPLY, _REQUEST
from .worker_resource import LegacyWorkerResource

_try_receive = Coproc.Messenger.try_receive_message
_get_kind = Coproc.Message.get_kind
_get_reply_serial = Coproc.Message.get_reply_serial


@dataclasses.dataclass(eq=False)
class WorkerResourcePool(Workers):
    """A list of workers that start and end together."""

    workers: typing.List[LegacyWorkerResource]
    start_kwargs: typing.Dict[str, typing.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def new(cls, n, worker_process_type, messenger_type=PriorityMessenger, **start_kwargs):
        """A pool of n workers, each of which calls `worker_process_type(messenger=…, **start_kwargs)()`."""
        workers = [LegacyWorkerResource(worker_process_type, messenger_type) for _ in range(n)]
        return cls(workers, start_kwargs)

    def __len__(self):
        return len(self.workers)

    def set_start_kwargs(self, **start_kwargs):
        """What start() will start with, in place of what it was."""
        self.start_kwargs = start_kwargs

    def start(self, **start_kwargs):
        """Starts all workers, or none; these arguments are merged over those that were set."""
        for worker in self.workers:
            worker._check_not_alive()
        start_kwargs = {**self.start_kwargs, **start_kwargs}
        try:
            _for_each(lambda worker: worker.start(**start_kwargs), self.workers)
        except BaseException:
            self.terminate(check_alive=False)
            raise

    def join(self):
        """Asks all workers to end, and waits."""
        _for_each(lambda worker: worker.join(), self.workers)

    def terminate(self, check_alive=True):
        """Ends all workers. WorkerIsAlreadyDeadError, if `check_alive`, when one had ended already."""
        _for_each(lambda worker: worker.terminate(check_alive=check_alive), self.workers)

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
        items = enumerate(data_iter)
        desks = {}
        poll = select.poll()
        for worker in self.workers:
            desk = _Desk(worker, channel_id)
            desks[desk.fd] = desk
            poll.register(desk.fd, select.POLLIN)
            desk.ask(items)
        ready = list(desks)
        while True:
            for fd in ready:
                desk = desks[fd]
                try:
                    answers = desk.collect()
                except BrokenPipeError as error:
                    if desk.serial is not None:
                        raise WorkerDiedError(f"item {desk.index}: {error}") from None
                    poll.unregister(fd)  # nobody asks it any more
                    continue
                if answers:
                    desk.ask(items)
                yield from answers
            if all(desk.serial is None for desk in desks.values()):
                return
            ready = [fd for fd, _ in poll.poll()]


class _Desk:
    """A worker, and the request that it is at."""

    def __init__(self, worker, channel_id):
        self._messenger = worker.messenger
        self._channel_id = channel_id
        self.fd = self._messenger._messenger.get_fd()
        self.serial = None  # of the request
        self.index = None  # of its item

    def ask(self, items):
        """Sends the next item, if there is one."""
        for self.index, data in items:
            try:
                self.serial = self._messenger._send(data, self._channel_id, _REQUEST)
            except BrokenPipeError as error:
                raise WorkerDiedError(f"item {self.index} was not begun: {error}") from None
            return

    def collect(self):
        """Takes everything that is there. Gives the answer, in a list, if it is among that; what is no reply
        stays for whoever receives on the channel, and the replies to earlier requests are for nobody.
        """
        messenger = self._messenger
        name = messenger._name(self._channel_id)
        answers = []
        while (message := messenger._call(_try_receive, name)) is not None:
            if _get_kind(message) != _REPLY:
                messenger._hold(name, message)
            elif _get_reply_serial(message) == self.serial:
                self.serial = None
                answers.append(messenger._payload(message, self._channel_id))
        return answers


def _for_each(function, items):
    """[function(item) for item in items], all at once; raises the first exception when all are done."""
    items = list(items)
    if len(items) < 2:
        return [function(item) for item in items]
    outcomes = [None] * len(items)

    def run(i):
        try:
            outcomes[i] = (function(items[i]), None)
        except BaseException as error:
            outcomes[i] = (None, error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, error in outcomes:
        if error is not None:
            raise error
    return [result for result, _ in outcomes]
