# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What every worker of a pool may have to know, whichever it is and whenever it has started.

A log is a file without a name in the host, which workers open and read when they come across something
that is new to them: each reads each record once, and only those who need it.
"""

import mmap
import os
import weakref

_PREFIX = 8  # bytes of the length before each record


class Log:
    """The host's end. Threads: whoever appends sees to it that nobody else does."""

    def __init__(self):
        self._file = open(os.memfd_create("coproc-log"), "wb")
        self._finalizer = weakref.finalize(self, self._file.close)
        self._end = 0
        self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"

    def append(self, data):
        """A record; it is there when its length is."""
        self._write(self._end + _PREFIX, data)
        self._write(self._end, len(data).to_bytes(_PREFIX, "little"))
        self._end += _PREFIX + len(data)

    def _write(self, offset, data):
        self._file.seek(offset)
        self._file.write(data)
        self._file.flush()

    def close(self):
        """Workers that have opened it may read on."""
        self._finalizer()


class Reader:
    """A worker's end."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._offset = 0
        weakref.finalize(self, os.close, self._fd)

    def take(self):
        """Yields the records that are new. Whoever takes one may take the next ones meanwhile."""
        while (record := self._next()) is not None:
            yield record

    def _next(self):
        if self._offset + _PREFIX > os.fstat(self._fd).st_size:
            return None
        with mmap.mmap(self._fd, 0, prot=mmap.PROT_READ) as data:
            begin = self._offset + _PREFIX
            length = int.from_bytes(data[self._offset:begin], "little")
            if not length:
                return None
            self._offset = begin + length
            return data[begin:self._offset]
