#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// Priorities: what waits in a channel is received lowest number first, and in the order of arrival
// where the numbers are the same. A number under "priority" in a dictionary is its priority.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/priorities.js"
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';

const worker = Coproc.WorkerResource.new('echo', 'echo');
worker.start(null, null);
const messenger = worker.get_messenger();

for (let i = 0; i < 3; i++) {
    for (const [text, priority] of [['low', 2], ['high', 1]]) {
        messenger.send_request(new GLib.Variant('a{sv}', {
            text: new GLib.Variant('s', `${text} ${i}`),
            priority: new GLib.Variant('i', priority),
        }), null);
    }
}

// Without a priority a message goes to the back: once it is answered, all the others are. A call
// takes its own reply and leaves theirs in the channel, for us to see the order.
messenger.call(new GLib.Variant('s', 'last'), null, -1, null);

let reply;
while ((reply = messenger.receive_remaining(null, null)) !== null)
    print(reply.recursiveUnpack().text);
