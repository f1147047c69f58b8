#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// Counts lines, words and bytes of files, as `wc` does, in a worker process: all requests are sent
// first, then their replies are collected.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/wordcount.js" "$PWD"/README.md ...
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';
import System from 'system';

const KEYS = ['lines', 'words', 'bytes'];

function printCounts(counts, name) {
    print(...KEYS.map(key => counts[key].toString().padStart(7)), name);
}

const worker = Coproc.WorkerResource.new('text', 'count');
worker.start(null, null);
const messenger = worker.get_messenger();

const paths = System.programArgs;
messenger.send_request_multiple(
    paths.map(path => new GLib.Variant('a{sv}', {path: new GLib.Variant('s', path)})), null);

const total = {lines: 0, words: 0, bytes: 0};
let failed = false;
while (messenger.remaining(null) > 0) {
    let reply;
    try {
        reply = messenger.receive_remaining(null, null).recursiveUnpack();
    } catch (error) {
        printerr(error.message);
        failed = true;
        continue;
    }
    printCounts(reply, reply.path);
    for (const key of KEYS)
        total[key] += reply[key];
}

if (paths.length > 1)
    printCounts(total, 'total');
System.exit(failed ? 1 : 0);
