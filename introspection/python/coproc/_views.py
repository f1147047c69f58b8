# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What programs look at inside a messenger, and what is shown when one is printed."""

import collections


class Pipe:
    """Stands for the pipe of the original."""

    def __init__(self, messenger):
        self._messenger = messenger

    def poll(self, timeout=0):
        """Whether something can be received, be it the end; without waiting, or within so many seconds."""
        if self._messenger.pipe_poll() or not timeout:
            return self._messenger.pipe_poll()
        import select

        select.select([self.fileno()], [], [], timeout)
        return self._messenger.pipe_poll()

    def fileno(self):
        return self._messenger._messenger.get_fd()

    def close(self):
        self._messenger.close()

    @property
    def closed(self):
        return self._messenger.closed


class QueueView:
    """The queues of a messenger."""

    def __init__(self, messenger):
        self._messenger = messenger

    @property
    def queues(self):
        """The number of messages in each queue that has some."""
        sizes = ((channel, self.size(channel)) for channel in list(self._messenger._names))
        return {channel: size for channel, size in sizes if size}

    def size(self, channel_id=None):
        return self._messenger.queue_size(channel_id)

    def empty(self, channel_id=None):
        return self.size(channel_id) == 0

    def get(self, channel_id=None):
        """The next message, as a DataMessage."""
        return self._messenger.pop_from_queue(channel_id)

    def __contains__(self, channel_id):
        return not self.empty(channel_id)

    def __repr__(self):
        name = "PriorityMultiQueue" if self._messenger._by_priority else "MultiQueue"
        return f"{name}(queues={self.queues!r})"


class RequestCtr:
    """The counters of a messenger's channels, as they were when they were asked for."""

    def __init__(self, messenger):
        channels = list(messenger._names)
        counters = {
            "requests": messenger.requests_sent,
            "replies": messenger.replies_received,
            "sent": messenger.messages_sent,
            "received": messenger.messages_received,
        }
        for name, count in counters.items():
            counts = ((channel, count(channel)) for channel in channels)
            setattr(self, name, collections.Counter({channel: n for channel, n in counts if n}))

    def remaining(self, channel_id=None):
        return self.requests[channel_id] - self.replies[channel_id]

    def __repr__(self):
        return (
            f"RequestCtr(requests={self.requests!r}, replies={self.replies!r}, "
            f"sent={self.sent!r}, received={self.received!r})"
        )
