#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The libcoproc authors
//
// Counts lines, words and bytes of files, as `wc` does, in a worker process: all requests are sent
// first, then their replies are collected.
//
// Run it with: meson devenv -C build gjs -m "$PWD/examples/wordcount.js" "$PWD"/README.md ...
import Coproc from 'gi://Coproc?version=1';
import System from 'system';

const KEYS = ['lines', 'words', 'bytes'];

function printCounts(counts, name) {
    print(...KEYS.map(key => counts[key].toString().padStart(7)), name);
}

const paths = System.programArgs;
const total = {lines: 0, words: 0, bytes: 0};
let failed = false;

const worker = Coproc.WorkerResource.new('text', 'count');
Coproc.using(worker, () => {
    const {messenger} = worker;
    messenger.send_request_multiple(paths.map(path => ({path})));

    while (messenger.remaining() > 0) {
        try {
            for (const counts of messenger.receive_remaining()) {
                printCounts(counts, counts.path);
                for (const key of KEYS)
                    total[key] += counts[key];
            }
        } catch (error) { // of one file; the others follow
            printerr(error.message);
            failed = true;
        }
    }
});

if (paths.length > 1)
    printCounts(total, 'total');
System.exit(failed ? 1 : 0);
