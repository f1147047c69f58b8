#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Priorities: what waits in a channel is received lowest number first, and in the order of arrival
# where the numbers are the same. A number under "priority" in a dictionary is its priority.
#
# Run it with: meson devenv -C build /usr/bin/python3 "$PWD/examples/priorities.py"
import gi
gi.require_version('Coproc', '1')
from gi.repository import Coproc, GLib

worker = Coproc.WorkerResource.new('echo', 'echo')
worker.start(None, None)
messenger = worker.get_messenger()

for i in range(3):
    for text, priority in ('low', 2), ('high', 1):
        messenger.send_request(GLib.Variant('a{sv}', {
            'text': GLib.Variant('s', f'{text} {i}'),
            'priority': GLib.Variant('i', priority),
        }), None)

# Without a priority a message goes to the back: once it is answered, all the others are. A call
# takes its own reply and leaves theirs in the channel, for us to see the order.
messenger.call(GLib.Variant('s', 'last'), None, -1, None)

while (reply := messenger.receive_remaining(None, None)) is not None:
    print(reply.unpack()['text'])
