/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Nothing is left of what was dropped. COPROC_TEST_N says how many of each are made;
 * tests/long/lifetimes.sh takes 10,000.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {equal, number, pair, promisify, resident, run, string, test, truthy, turn, unpack, until} from './tap.js';

promisify(Coproc.Messenger, 'call');

const N = Number(GLib.getenv('COPROC_TEST_N') ?? 200);

function count(path) {
    let n = 0;
    const folder = Gio.File.new_for_path(path)
        .enumerate_children('standard::name', Gio.FileQueryInfoFlags.NONE, null);
    while (folder.next_file(null))
        n++;
    folder.close(null);
    return n;
}

/** Makes and drops `n` of something; nothing may be left of it. */
function repeat(make, n) {
    const settle = fds => until(() => {
        System.gc();
        turn();
        return count('/proc/self/fd') <= fds;
    });
    for (let i = 0; i < Math.max(5, n / 20); i++)
        make();
    System.gc();
    turn();
    // The collector takes what lies about on the stack for references: a few pairs stay for a while.
    const fds = count('/proc/self/fd') + 40, threads = count('/proc/self/task') + 1, memory = resident();
    for (let i = 0; i < n; i++) {
        make();
        if (i % 50 === 0)
            settle(fds);
    }
    settle(fds);
    until(() => count('/proc/self/task') <= threads);
    truthy(resident() - memory < 16384 + n, `KiB more than before: ${resident() - memory}, which`);
}

test('lifetime/messengers', () => repeat(() => {
    const [workerEnd, hostEnd] = pair();
    let n = 0;
    workerEnd.connect('message::x', () => {
        n++;
        hostEnd.other = workerEnd;
    });
    hostEnd.connect('closed', () => hostEnd);
    workerEnd.listen('x');
    hostEnd.send_norequest(string('x'), 'x');
    until(() => n === 1);
}, N));

test('lifetime/workers', () => repeat(() => {
    const worker = Coproc.WorkerResource.new('echo', 'echo');
    worker.connect('exited', () => worker);
    worker.start(null, null);
    worker.get_messenger().call(string('x'), null, -1, null);
}, N < 1000 ? Math.max(10, N / 5) : N));

test('lifetime/promises', async () => {
    const before = count('/proc/self/fd');
    for (let i = 0; i < N; i++) {
        const [workerEnd, hostEnd] = pair();
        const answer = hostEnd.call_async(number(i), 'c', -1, null);
        workerEnd.reply(workerEnd.receive_message('c', -1, null), number(i));
        equal(unpack(await answer), i);
        if (i % 50 === 0) // the collector does not see how much a messenger holds
            System.gc();
    }
    until(() => {
        System.gc();
        return count('/proc/self/fd') <= before + 4;
    });
});

await run();
