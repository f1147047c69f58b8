# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What a worker of a pool does: applies functions to items, until its host wants no more of it."""

import pickle
import sys
import time

from . import _byvalue
from ._codec import WorkerCodec
from ._library import Coproc, pack_exception
from ._log import Reader
from .exceptions import ResourceRequestedClose
from .messenger import _receive_message

_get_data = Coproc.Message.get_data
_MAX_FUNCTIONS = 4  # that are kept; a map has one, and several maps may go on at a time


def run(raw, data):
    """Does what the host's argument says."""
    path, sys.argv[:], messenger_type = pickle.loads(data)
    log = Reader(path)

    def catch_up():
        for definition in log.take():
            _byvalue.apply(definition)

    codec = WorkerCodec(catch_up)
    messenger = codec.loads(messenger_type)._adopt(raw)
    messenger._codec = codec
    _serve(messenger)


def _serve(messenger):
    """Answers (function, items) with (seconds, results), or with (seconds, number of the item, exception)."""
    functions = {}
    codec = messenger._codec
    while True:
        message = messenger._next(None, _receive_message)
        started = time.perf_counter()
        results = []
        try:
            key, items = codec.loads(_get_data(message))
            function = functions.get(key) or _take_function(functions, key, codec)
            add = results.append
            for item in items:
                add(function(item))
            messenger._reply_data(codec.dumps((time.perf_counter() - started, results)))
        except (ResourceRequestedClose, BrokenPipeError):
            raise
        except BaseException as error:
            text = pack_exception(error, codec.dumps).message
            messenger._reply_data(codec.dumps((time.perf_counter() - started, len(results), text)))


def _take_function(functions, key, codec):
    if len(functions) >= _MAX_FUNCTIONS:
        del functions[next(iter(functions))]
    _, path = key
    for data in Reader(path).take():
        functions[key] = codec.loads(data)
    return functions[key]
