#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Priorities: what waits in a channel is received lowest number first, and in the order of arrival
# where the numbers are the same.
#
# Run it with: meson devenv -C build /usr/bin/python3 "$PWD/examples/priorities.py"
import gi
gi.require_version('Coproc', '1')
from gi.repository import Coproc

with Coproc.WorkerResource.new('echo', 'echo') as worker:
    messenger = worker.messenger

    for i in range(3):
        messenger.send_request(f'low {i}', priority=2)
        messenger.send_request(f'high {i}', priority=1)

    # Without a priority a message goes to the back: once it is answered, all the others are. A call
    # takes its own reply and leaves theirs in the channel, for us to see the order.
    messenger.call('last')

    for reply in messenger.receive_remaining():
        print(reply)
