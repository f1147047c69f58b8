# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The program that a worker's process runs: takes up the connection to the host, learns from it what
to call, and calls it.
"""

import pickle
import sys
import time

from . import _process
from . import messenger as _messenger
from ._library import Coproc, GLib, pack_exception
from .exceptions import MessengerClosedError, ResourceRequestedClose

# A worker with priorities begins a little later than its host goes on, as with the original: what the
# host sends right after the start is there in its order, and not received one by one as it comes.
_HEAD_START = 0.005

_raw = Coproc.Messenger
_end = None  # this process's end of the connection


def own_messenger():
    """What the host's stand-in for the worker's messenger becomes here."""
    return _end


def main():
    """Ends the process."""
    global _end

    by_priority = sys.argv[1:2] == ["priority"]
    kind = Coproc.PriorityMessenger if by_priority else Coproc.MultiMessenger
    raw, arguments = Coproc.worker_connect(kind)
    for name in ("sys", "coproc"):  # what started this; the script's own come in their place
        vars(sys.modules["__main__"]).pop(name, None)
    of_pool = _process.unpack_argument(arguments)
    _end = _messenger.MultiMessenger._adopt_worker(raw)
    code = _run(_work, raw, by_priority) if of_pool is None else _run(_work_for_pool, raw, of_pool)
    _raw.close(raw)
    sys.exit(code)


def _prepare(raw):
    """What to call, as the host's first message says. None: the host was told what is wrong with it."""
    global _end

    request = _end._call(_messenger._receive_message, _messenger.START, -1, None)
    try:
        argv, messenger_type, work = _end._codec.loads(Coproc.Message.get_data(request))
        sys.argv[:] = argv
        _end = messenger_type._adopt_worker(raw)
        target, keywords = _end._codec.loads(work)
    except BaseException as error:
        _raw.reply_error(raw, request, pack_exception(error, pickle.dumps))
        return None
    _raw.reply(raw, request, GLib.Variant("()", ()))
    return target if keywords is None else lambda: target(_end, **keywords)


def _work(raw, by_priority):
    target = _prepare(raw)
    if target is not None:
        if by_priority:
            time.sleep(_HEAD_START)
        target()


def _work_for_pool(raw, data):
    from . import _pool_worker

    _pool_worker.run(raw, data)


def _run(work, *arguments):
    """The exit code. An exception is told to the host, and printed for whoever reads along."""
    try:
        work(*arguments)
    except (ResourceRequestedClose, MessengerClosedError):
        return 0  # the host has no more work
    except SystemExit as end:
        return end.code
    except BaseException as error:
        import traceback

        traceback.print_exc()
        try:
            _end.send_error(error, print_trace=False)
        except BaseException:
            pass  # the host is gone, or will learn of the exit code
        return 1
    return 0
