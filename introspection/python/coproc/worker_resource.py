# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A worker: a process that runs a Python callable, and the host's end of the connection to it."""

import dataclasses
import sys
import typing

from . import _process
from ._library import SECOND, Coproc, GLib, call
from .exceptions import WorkerIsAlreadyAliveError, WorkerIsAlreadyDeadError, WorkerIsDeadError
from .messenger import START, PriorityMessenger

_raw = Coproc.WorkerResource
_METHODS = (None, "fork", "spawn", "forkserver")


@dataclasses.dataclass
class BaseWorkerProcess:
    """What classes of workers may derive from: has the one field `messenger`."""

    messenger: typing.Any


class _WorkerEnd:
    """Stands for the worker's messenger while the host makes an object that will run there."""

    def __reduce__(self):
        from . import _worker

        return _worker.own_messenger, ()

    def __repr__(self):
        return "<the worker's messenger>"


def _is_class_of_workers(target):
    return isinstance(target, type) and any("__call__" in vars(base) for base in target.__mro__)


def _check_keywords(target, keywords):
    """TypeError here, and not an end of the worker that nobody understands."""
    import inspect

    try:
        signature = inspect.signature(target)
    except ValueError:  # of some that are written in C
        return
    signature.bind(None, **keywords)


class WorkerResource:
    """Runs `target(messenger, **start_kwargs)` in a process of its own.

    Of a class with `__call__` an object is made, which is called:
    `target(messenger=…, **start_kwargs)()`. `method` may be any of multiprocessing's: a worker is
    always a fresh process, which inherits nothing that could be locked, and a script needs no
    `if __name__ == "__main__"`.
    """

    #: How long, in seconds, a worker has to end before it gets a SIGTERM, and again a SIGKILL.
    grace_period = 2.0

    def __init__(
        self,
        target=None,
        messenger_type=PriorityMessenger,
        method=None,
        _proc=None,
        _messenger=None,
        *,
        worker_process_type=None,
    ):
        if (target is None) == (worker_process_type is None):
            raise TypeError("a worker is made of a target, or of a worker_process_type")
        self.target = target if worker_process_type is None else worker_process_type
        self.messenger_type = messenger_type
        self.method = method
        self._worker = None  # the library's; a new one at each start
        self._proc = None
        self._messenger = None

    def __reduce__(self):
        raise TypeError("a worker belongs to the process that has started it: it cannot be pickled")

    def __repr__(self):
        state = "not started" if self._worker is None else "alive" if self.is_alive() else "ended"
        return f"<{type(self).__name__} {getattr(self.target, '__qualname__', self.target)} {state}>"

    def __enter__(self):
        if self.is_alive():
            raise WorkerIsAlreadyAliveError(
                f"Cannot enter context when worker is already alive: self.pid={self.pid}"
            )
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.terminate(check_alive=False)

    # --- starting ---

    def start(self, **worker_kwargs):
        """Starts the worker, and returns when it has taken up its target."""
        self._check_not_alive()
        if self.method not in _METHODS:
            raise ValueError(f"cannot find context for {self.method!r}")
        work = self._make_work(worker_kwargs)
        worker = _process.new_worker(self.messenger_type, self.grace_period)
        _process.flush_output()
        try:
            self._start(worker, work)
        except BaseException:
            _raw.stop(worker, 0)
            raise

    def _check_not_alive(self):
        if self.is_alive():
            raise WorkerIsAlreadyAliveError(
                f"Worker {self.pid} cannot be started because it is already alive."
            )

    def _make_work(self, keywords):
        """What the worker calls: (target, keywords), or (object, None)."""
        if _is_class_of_workers(self.target):
            return self.target(messenger=_WorkerEnd(), **keywords), None
        if not callable(self.target):
            raise TypeError(f"the target of a worker must be callable; {self.target!r} is not")
        _check_keywords(self.target, keywords)
        return self.target, keywords

    def _start(self, worker, work):
        call(_raw.start, worker, None, None)
        messenger = self.messenger_type._adopt_host(_raw.get_messenger(worker))
        codec = messenger._codec
        data = codec.dumps((sys.argv, self.messenger_type, codec.dumps(work)))
        payload = GLib.Variant.new_from_bytes(GLib.VariantType("ay"), GLib.Bytes.new(data), True)
        ask = Coproc.Messenger.call
        call(ask, messenger._messenger, payload, START, -1, None, loads=codec.loads, again=False)
        self._worker, self._messenger = worker, messenger
        self._proc = _process.WorkerProcess(worker)

    def reset_process(self, **worker_kwargs):
        """Ends the worker if it is alive, and starts it again."""
        self.terminate(check_alive=False)
        self.start(**worker_kwargs)

    def new_pair(self):
        """A connected pair of messengers of this worker's type: (process, resource)."""
        return self.messenger_type.new_pair()

    # --- ending ---

    def join(self, check_alive=True, timeout=None):
        """Asks the worker to end, and waits; what it still sends can be received afterwards.

        One that has ended already is fine, whatever `check_alive`. TimeoutError after `timeout`
        seconds: the worker is running then.
        """
        self._check_started()
        limit = -1 if timeout is None else max(int(timeout * SECOND), 0)
        call(_raw.join, self._worker, limit, None)

    def terminate(self, check_alive=True):
        """Ends the worker: a request to close; after the grace period SIGTERM; then SIGKILL.

        Returns when the process is gone: "closed", "terminated" or "killed", by what has ended it;
        None when there was nothing to end, which is an error if `check_alive`.
        """
        if check_alive:
            self._check_started()
        if not self.is_alive():
            if check_alive:
                raise WorkerIsAlreadyDeadError(
                    f"Worker {self.pid} cannot be terminated because it is already dead."
                )
            return None
        call(_raw.stop, self._worker, int(self.grace_period * SECOND))
        return self._proc.end

    # --- state ---

    def is_alive(self):
        """Whether the process runs."""
        return self._worker is not None and _raw.is_alive(self._worker)

    def _check_started(self):
        if self._worker is None:
            raise WorkerIsDeadError("The worker has not been started.")

    @property
    def messenger(self):
        """The host's end; after the worker's end it still has what came before."""
        self._check_started()
        return self._messenger

    @property
    def proc(self):
        """The process: pid, exitcode, is_alive(), join(), terminate(), kill()."""
        self._check_started()
        return self._proc

    @property
    def pid(self):
        """The number of the process, also after its end."""
        return self.proc.pid

    def process_exists(self):
        """Whether the worker has ever been started."""
        return self._worker is not None

    def check_process_exists(self):
        """WorkerIsDeadError when the worker has never been started."""
        self._check_started()


class LegacyWorkerResource(WorkerResource):
    """The WorkerResource of 0.2: `worker_process_type(messenger=…, **start_kwargs)` is made in the host at
    the start, and called in the worker.
    """

    def __init__(
        self,
        worker_process_type,
        messenger_type=PriorityMessenger,
        method=None,
        _proc=None,
        _messenger=None,
    ):
        super().__init__(worker_process_type, messenger_type, method)

    @property
    def worker_process_type(self):
        return self.target

    def _make_work(self, keywords):
        return self.target(messenger=_WorkerEnd(), **keywords), None
