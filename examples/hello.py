#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# The smallest host: starts a worker process from the plugin `echo`, asks it something, stops it.
#
# Run it with: meson devenv -C build /usr/bin/python3 "$PWD/examples/hello.py"
import os

import gi
gi.require_version('Coproc', '1')
from gi.repository import Coproc, GLib

SECOND = 1_000_000  # times are in microseconds

worker = Coproc.WorkerResource.new('echo', 'echo')
worker.start(None, None)

messenger = worker.get_messenger()
reply = messenger.call(GLib.Variant('s', 'Hello!'), None, 5 * SECOND, None)
print(f'Host {os.getpid()} asked worker {worker.get_pid()} and got: {reply.unpack()}')

worker.stop(SECOND)
print(f"The worker's exit status: {worker.get_exit_status()}")
