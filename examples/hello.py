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
from gi.repository import Coproc

with Coproc.WorkerResource.new('echo', 'echo') as worker:
    reply = worker.messenger.call('Hello!', timeout=5)
    print(f'Host {os.getpid()} asked worker {worker.pid} and got: {reply}')

print(f"The worker's exit status: {worker.exit_status}")
