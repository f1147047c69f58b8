# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What goes wrong, and the requests to end that are raised like it.

Those that the original derived from BaseException still are: a worker's `except Exception` must not
swallow the request to close.
"""


class ResourceRequestedClose(BaseException):
    """The other side wishes that this process ends."""

    def __init__(self, message="Resource requested that this process close."):
        super().__init__(message)


class MessageNotRecognizedError(BaseException):
    """What came from the other side is no message."""


class WorkerIsAlreadyAliveError(BaseException):
    """A worker that runs cannot be started."""


class WorkerIsAlreadyDeadError(BaseException):
    """A worker that has ended cannot be terminated."""


class WorkerIsDeadError(BaseException):
    """The worker has never been started."""


class MemoryInfoNotAvailableError(BaseException):
    """There are no figures of memory to show."""


class CoprocError(RuntimeError):
    """Any other failure of the library; `code` is one of gi.repository.Coproc.Error."""

    code = None


class LimitExceededError(CoprocError, ValueError):
    """More than the other side, or this one, takes: too large, or too many."""


class MessengerClosedError(BrokenPipeError):
    """The other side has closed its messenger, or this one is closed."""


class WorkerDiedError(BrokenPipeError):
    """The other side's process has ended without closing its messenger; the text says how."""


class RemoteError(Exception):
    """An exception of the other side that cannot be raised here as what it is.

    Either it cannot be pickled or unpickled, or it would end this process (SystemExit) or mislead
    it (StopIteration). `type_name`, `message` and `traceback` are texts.
    """

    def __init__(self, type_name, message="", traceback=""):
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __reduce__(self):
        return type(self), (self.type_name, self.message, self.traceback)


class RemoteTraceback(Exception):
    """The cause of an exception that came from another process: where it was raised there."""

    def __str__(self):
        return "\n" + self.args[0]
