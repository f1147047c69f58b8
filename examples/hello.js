#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// The smallest host: starts a worker process from the plugin `echo`, asks it something, stops it.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/hello.js"
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const SECOND = 1000000; // times are in microseconds

const worker = Coproc.WorkerResource.new('echo', 'echo');
worker.start(null, null);

const messenger = worker.get_messenger();
const reply = messenger.call(new GLib.Variant('s', 'Hello!'), null, 5 * SECOND, null);
const host = new Gio.Credentials().get_unix_pid();
print(`Host ${host} asked worker ${worker.get_pid()} and got: ${reply.unpack()}`);

worker.stop(SECOND);
print(`The worker's exit status: ${worker.get_exit_status()}`);
