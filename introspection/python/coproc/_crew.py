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
        self.depth = 1  # requests that it may have at a time

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
                operation.settle(self, index, messenger._payload(message, channel_id))


class Crew:
    """The members, and the waiting for them."""

    def __init__(self, workers):
        self.members = [Member(worker) for worker in workers]
        self._by_fd = {member.fd: member for member in self.members}
        self._poll = select.poll()
        for fd in self._by_fd:
            self._poll.register(fd, select.POLLIN)

    def feed(self, operation):
        """Asks everybody who has room, those who have least first. An exception of the input leaves here."""
        hungry = [member for member in self.members if len(member.pending) < member.depth]
        while hungry and not operation.exhausted:
            hungry.sort(key=lambda member: len(member.pending))
            for member in hungry:
                task = operation.next_task(member)
                if task is None:
                    return
                member.ask(operation, *task)
            hungry = [member for member in hungry if len(member.pending) < member.depth]

    def collect(self, channel_id, wait):
        """Takes the answers of those who have some; `wait`: at least until somebody has something."""
        for fd, _ in self._poll.poll(None if wait else 0):
            member = self._by_fd[fd]
            try:
                member.collect(channel_id)
            except BrokenPipeError as error:
                self._bury(member)
                if member.pending:
                    raise _name_item(error, member) from None

    def _bury(self, member):
        self._poll.unregister(member.fd)
        del self._by_fd[member.fd]
        self.members.remove(member)

    @property
    def n_alive(self):
        return len(self.members)


def _name_item(error, member):
    """The end of a worker as an exception that says what it was at: the oldest of its requests, for it
    takes up the next one when it has answered. All are given up.
    """
    (operation, index), *others = member.pending.values()
    for owner in (operation, *(owner for owner, _ in others)):
        owner.n_pending -= 1
    member.pending.clear()
    later = f" ({len(others)} more requests were not begun)" if others else ""
    return WorkerDiedError(f"{operation.describe(index)}{later}: {error}")


class Operation:
    """One pass over an input. Iterating gives (index, answer) as they come."""

    def __init__(self, crew, tasks, channel_id=None):
        self._crew = crew
        self._tasks = iter(tasks)
        self.channel_id = channel_id
        self.n_pending = 0
        self.n_tasks = 0
        self.exhausted = False
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

    def settle(self, member, index, answer):
        self.results.append((index, answer))

    def describe(self, index):
        return f"item {index}"

    def __iter__(self):
        crew = self._crew
        while True:
            if not self.exhausted:
                crew.feed(self)
            if self.results:
                yield self.results.popleft()
            elif self.n_pending:
                crew.collect(self.channel_id, wait=True)
            elif self.exhausted:
                return
            elif not crew.n_alive:
                raise WorkerDiedError("There is no worker left")
            else:  # all are busy for another operation
                crew.collect(self.channel_id, wait=True)
