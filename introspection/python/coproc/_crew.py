# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Several workers that share tasks: who is asked what, and to whom each answer belongs.

Tasks are pulled: a worker gets the next one when it has answered, and a few ahead when it answers
fast. Several operations may go on at a time; one that is given up leaves nothing behind but answers
that nobody takes.

Threads: a crew is for one thread.
"""

import collections
import select

from ._library import Coproc, call
from .exceptions import WorkerDiedError
from .messenger import _REPLY, _REQUEST

_try_receive = Coproc.Messenger.try_receive_message
_get_fd = Coproc.Messenger.get_fd
_get_kind = Coproc.Message.get_kind
_get_reply_serial = Coproc.Message.get_reply_serial


class Member:
    """A worker, and what it has been asked."""

    def __init__(self, worker):
        self.worker = worker
        self.messenger = worker.messenger
        self.fd = _get_fd(self.messenger._messenger)
        self.pending = {}  # serial -> (operation, index), in the order of the requests

    def ask(self, operation, index, payload):
        serial = self.messenger._send(payload, operation.channel_id, _REQUEST)
        self.pending[serial] = (operation, index)
        operation.n_pending += 1

    def collect(self, channel_id):
        """Takes all answers that are there. What is no answer stays for whoever receives on the channel."""
        messenger = self.messenger
        name = messenger._name(channel_id)
        while True:
            message = call(_try_receive, messenger._messenger, name, loads=messenger._codec.loads)
            if message is None:
                return
            if _get_kind(message) != _REPLY:
                messenger._hold(name, message)
                continue
            operation, index = self.pending.pop(_get_reply_serial(message), (None, None))
            if operation is not None:
                operation.n_pending -= 1
                operation.settle(index, messenger._payload(message, channel_id))


class Crew:
    """The members, and the waiting for them."""

    def __init__(self, workers, new_member=Member):
        self.members = []
        self._new_member = new_member
        self._by_fd = {}
        self._poll = select.poll()
        for worker in workers:
            self.add(worker)

    def add(self, worker):
        """Takes a worker up, who was not there or had ended."""
        for member in [member for member in self.members if member.worker is worker]:
            self._lose(member, WorkerDiedError("The worker has been started again"))
        member = self._new_member(worker)
        self.members.append(member)
        self._by_fd[member.fd] = member
        self._poll.register(member.fd, select.POLLIN)

    def feed(self, operation):
        """Asks everybody who has room, those who have least first. An exception of the input leaves here."""
        hungry = [member for member in self.members if len(member.pending) < operation.depth]
        while hungry and not operation.exhausted:
            hungry.sort(key=lambda member: len(member.pending))
            for member in hungry:
                task = operation.next_task(member)
                if task is None:
                    return
                try:
                    member.ask(operation, *task)
                except BrokenPipeError as error:
                    self._lose(member, error)
                    index = operation.describe(task[0])
                    operation.error = operation.error or WorkerDiedError(f"{index} was not begun: {error}")
                    return
            hungry = [member for member in hungry if len(member.pending) < operation.depth]

    def collect(self, channel_id):
        """Waits until somebody has answered, and takes all answers that are there."""
        for fd, _ in self._poll.poll():
            member = self._by_fd[fd]
            try:
                member.collect(channel_id)
            except BrokenPipeError as error:
                self._lose(member, error)

    def _lose(self, member, error):
        """A worker has ended. Each operation that it worked for learns what it was at: the oldest of its
        requests, for it takes up the next one when it has answered.
        """
        self._poll.unregister(member.fd)
        del self._by_fd[member.fd]
        self.members.remove(member)
        not_begun = ""
        for operation, index in member.pending.values():
            operation.n_pending -= 1
            text = f"{operation.describe(index)}{not_begun}: {error}"
            operation.error = operation.error or WorkerDiedError(text)
            not_begun = " was not begun"


class Operation:
    """One pass over an input. Iterating gives (index, answer) as they come."""

    def __init__(self, crew, tasks, channel_id=None):
        self._crew = crew
        self._tasks = iter(tasks)
        self.channel_id = channel_id
        self.depth = 1  # requests that a member may have at a time when it is asked once more
        self.n_pending = 0
        self.n_tasks = 0
        self.exhausted = False
        self.error = None  # that ends it
        self.results = collections.deque()

    def next_task(self, member):
        """(index, payload) of the next request; None: there is none."""
        try:
            payload = next(self._tasks)
        except StopIteration:
            self.exhausted = True
            return None
        self.n_tasks += 1
        return self.n_tasks - 1, payload

    def settle(self, index, answer):
        self.results.append((index, answer))

    def describe(self, index):
        return f"item {index}"

    def __iter__(self):
        while True:
            if not self.exhausted and self.error is None:
                self._crew.feed(self)
            if self.results:
                yield self.results.popleft()
            elif self.error is not None:
                raise self.error
            elif self.exhausted and not self.n_pending:
                return
            elif not self._crew.members:
                raise WorkerDiedError("There is no worker left")
            else:  # also when all are busy for another operation
                self._crew.collect(self.channel_id)
