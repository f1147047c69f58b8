#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// The smallest host: starts a worker process from the plugin `echo`, asks it something, stops it.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/hello.js"
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';

const worker = Coproc.WorkerResource.new('echo', 'echo');
Coproc.using(worker, () => {
    const reply = worker.messenger.call('Hello!');
    const host = new Gio.Credentials().get_unix_pid();
    print(`Host ${host} asked worker ${worker.pid} and got: ${reply}`);
});
print(`The worker's exit status: ${worker.exit_status}`);
