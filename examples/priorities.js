#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// Priorities: what waits in a channel is received lowest number first, and in the order of arrival
// where the numbers are the same.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/priorities.js"
import Coproc from 'gi://Coproc?version=1';

const worker = Coproc.WorkerResource.new('echo', 'echo');
Coproc.using(worker, () => {
    const {messenger} = worker;
    for (let i = 0; i < 3; i++) {
        messenger.send_request(`low ${i}`, null, 2);
        messenger.send_request(`high ${i}`, null, 1);
    }

    // Without a priority a message goes to the back: once it is answered, all the others are. A call
    // takes its own reply and leaves theirs in the channel, for us to see the order.
    messenger.call('last');

    for (const reply of messenger.receive_remaining())
        print(reply);
});
