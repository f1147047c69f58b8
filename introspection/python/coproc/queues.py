# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Queues for programs that want them by themselves; messengers have the library's."""

import collections
import heapq
import itertools

from . import _priority


class BasicQueue:
    """First in, first out."""

    def __init__(self):
        self._items = collections.deque()

    def put(self, item):
        self._items.append(item)

    def get(self):
        if not self._items:
            raise IndexError("Cannot pop from empty queue")
        return self._items.popleft()

    def empty(self):
        return not self._items

    def size(self):
        return len(self._items)

    def __repr__(self):
        return f"{type(self).__name__}({list(self._items)!r})"


class PriorityQueue:
    """The lowest priority first, and first in, first out inside one priority."""

    def __init__(self):
        self._heap = []
        self._serials = itertools.count()

    def put(self, item, priority):
        heapq.heappush(self._heap, (_priority.check(priority), next(self._serials), item))

    def get(self):
        if not self._heap:
            raise IndexError("Cannot pop from empty queue")
        return heapq.heappop(self._heap)[2]

    def empty(self):
        return not self._heap

    def size(self):
        return len(self._heap)

    @property
    def ct(self):
        return len(self._heap)

    @property
    def current_priority(self):
        """That of the next item, None when there is none."""
        return self._heap[0][0] if self._heap else None

    @property
    def queues(self):
        """The items of each priority, in order."""
        levels = {}
        for priority, _, item in sorted(self._heap, key=lambda entry: entry[:2]):
            levels.setdefault(priority, collections.deque()).append(item)
        return levels

    def __repr__(self):
        return f"{type(self).__name__}(queues={self.queues!r})"


class MultiQueue:
    """A queue for each channel; an emptied one takes no room."""

    _queue_type = BasicQueue

    def __init__(self):
        self.queues = {}

    def put(self, item, channel_id=None):
        self._put(channel_id, item)

    def _put(self, channel_id, *item):
        queue = self.queues.get(channel_id)
        if queue is None:
            queue = self._queue_type()
            queue.put(*item)  # only what is taken makes a queue
            self.queues[channel_id] = queue
        else:
            queue.put(*item)

    def get(self, channel_id=None):
        queue = self[channel_id]
        item = queue.get()
        if queue.empty():
            self.queues.pop(channel_id, None)
        return item

    def empty(self, channel_id=None):
        return self.size(channel_id) == 0

    def size(self, channel_id=None):
        queue = self.queues.get(channel_id)
        return 0 if queue is None else queue.size()

    def __getitem__(self, channel_id):
        queue = self.queues.get(channel_id)
        return self._queue_type() if queue is None else queue

    def __contains__(self, channel_id):
        return channel_id in self.queues

    def __repr__(self):
        return f"{type(self).__name__}(queues={self.queues!r})"


class PriorityMultiQueue(MultiQueue):
    """A priority queue for each channel."""

    _queue_type = PriorityQueue

    def put(self, item, priority, channel_id=None):
        self._put(channel_id, item, priority)
