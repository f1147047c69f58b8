# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""libcoproc in Python: with its override, and as the package coproc: peer-python.py [--seconds X]"""

import functools

import coproc
import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

from python_exchange import EXCHANGES, MORE, get_seconds, measure, serve  # noqa: E402


class OverrideSide:
    def __init__(self, messenger):
        messenger.max_message_size = 1 << 27
        self.send, self.receive = messenger.send_norequest, messenger.receive


class PackageSide:
    def __init__(self, messenger):
        self.send, self.receive = messenger.send_norequest, messenger.receive_blocking


def run_override(messenger, name):
    serve(OverrideSide(messenger), name)


def run_package(messenger, name):
    serve(PackageSide(messenger), name)


def connect_override(name):
    worker = Coproc.WorkerResource.for_callable(run_override)
    worker.start({"name": name})
    return OverrideSide(worker.messenger), worker.stop


def connect_package(name):
    worker = coproc.WorkerResource(functools.partial(run_package, name=name), coproc.MultiMessenger)
    worker.start()
    return PackageSide(worker.messenger), worker.terminate


if __name__ == "__main__":
    for peer, connect in ("python-override", connect_override), ("python-package", connect_package):
        for name, size in EXCHANGES + MORE:
            measure(peer, connect, name, size, get_seconds())
