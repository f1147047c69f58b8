# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's multiprocessing.Pipe, with bytes and with objects that are pickled: peer-multiprocessing.py [--seconds X]"""

import multiprocessing

from python_exchange import EXCHANGES, MORE, OBJECTS, get_seconds, measure, serve


class Side:
    """One end of the pipe; messages are bytes, or are pickled."""

    def __init__(self, connection, pickled):
        self.send = connection.send if pickled else connection.send_bytes
        self.receive = connection.recv if pickled else connection.recv_bytes


def run(connection, pickled, name):
    serve(Side(connection, pickled), name)


def connect(pickled, name):
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.Process(target=run, args=(theirs, pickled, name), daemon=True)
    other.start()
    return Side(ours, pickled), other.join


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    for peer, pickled in ("python-bytes", False), ("python-pickle", True):
        for name, size in EXCHANGES + MORE:
            if pickled or name not in OBJECTS:
                measure(peer, lambda name: connect(pickled, name), name, size, get_seconds())
