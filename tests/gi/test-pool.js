/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Pools from JavaScript, through introspection alone.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

import {equal, fails, number, rejects, run, string, test, truthy, until} from './tap.js';

const SECOND = 1000000;
const {WorkerPool, WorkerState} = Coproc;

for (const name of ['start', 'stop', 'submit'])
    Gio._promisify(WorkerPool.prototype, `${name}_async`, `${name}_finish`);
Gio._promisify(Coproc.MapOperation.prototype, 'next_async', 'next_finish');

function started() {
    const pool = WorkerPool.new('echo', 'identity', 2);
    truthy(pool.start(null, null));
    return pool;
}

function numbers(n) {
    return [...Array(n).keys()];
}

test('life', () => {
    const pool = WorkerPool.new('echo', 'identity', 2);
    equal(pool.state, WorkerState.NEW);
    fails(Coproc.Error.NOT_ALIVE, () => pool.map([number(1)], 0, null));
    truthy(pool.start(null, null));
    equal(pool.state, WorkerState.RUNNING);
    fails(Coproc.Error.ALREADY_ALIVE, () => pool.start(null, null));
    truthy(pool.stop(SECOND));
    equal(pool.state, WorkerState.EXITED);
});

test('map', () => {
    const pool = started();
    for (const n of [0, 1, 3, 100]) {
        for (const chunkSize of [0, 1, 7])
            equal(pool.map(numbers(n).map(number), chunkSize, null).map(v => v.deepUnpack()), numbers(n));
    }
    equal(pool.n_done, 3 * 104);
    pool.stop(SECOND);
});

test('operations', () => {
    const pool = started();
    let operation = pool.map_ordered(numbers(30).map(number), 0);
    for (let i = 0; i < 30; i++) {
        const [result, index] = operation.next(null);
        equal([result.deepUnpack(), index], [i, i]);
    }
    equal(operation.next(null)[0], null);
    operation = pool.map_unordered(numbers(30).map(number), 0);
    const got = [];
    for (let [result, index] = operation.next(null); result; [result, index] = operation.next(null))
        got[index] = result.deepUnpack();
    equal(got, numbers(30));
    equal([operation.n_done, operation.n_failed, operation.n_total], [30, 0, 30]);
    pool.stop(SECOND);
});

test('errors', () => {
    const pool = WorkerPool.new('text', 'count', 1);
    truthy(pool.start(null, null));
    const operation = pool.map_unordered(Array(3).fill(string('not what it wants')), 0);
    equal(operation.last_index, -1);
    const failed = [];
    for (let i = 0; i < 3; i++) {
        fails(Coproc.Error.INVALID_PAYLOAD, () => operation.next(null));
        failed.push(operation.last_index);
    }
    equal(failed.sort(), [0, 1, 2]);
    equal(operation.next(null)[0], null);
    pool.stop(SECOND);
});

test('progress', () => {
    const pool = started();
    let told = null;
    const operation = pool.map_unordered(numbers(500).map(number), 1);
    operation.connect('progress', ({n_done, rate, remaining_time}) => {
        told = [n_done, rate > 0, remaining_time];
    });
    until(() => told?.[0] === 500);
    equal(told, [500, true, 0]);
    pool.stop(SECOND);
});

test('broadcast', () => {
    const pool = started();
    const operation = pool.broadcast(number(7));
    const got = [operation.next(null), operation.next(null)];
    equal(got.map(([reply]) => reply.deepUnpack()), [7, 7]);
    equal(operation.next(null)[0], null);
    pool.stop(SECOND);
});

test('lazy', () => {
    const pool = started();
    let n = 0;
    const operation = pool.map_lazy(() => n < 1000 ? number(n++) : null, true, 0);
    const got = [];
    for (let [result] = operation.next(null); result; [result] = operation.next(null))
        got.push(result.deepUnpack());
    equal(got, numbers(1000));
    pool.stop(SECOND);
});

test('promises', async () => {
    const pool = WorkerPool.new('echo', 'identity', 2);
    truthy(await pool.start_async(null, null));
    const results = await Promise.all(numbers(20).map(i => pool.submit_async(number(i), i % 3, -1, null)));
    equal(results.map(v => v.deepUnpack()), numbers(20));
    const operation = pool.map_ordered(numbers(5).map(number), 0);
    for (let i = 0; i < 5; i++) {
        const [result, index] = await operation.next_async(null);
        equal([result.deepUnpack(), index], [i, i]);
    }
    equal((await operation.next_async(null))[0], null);
    truthy(await pool.stop_async(SECOND, null));
    await rejects(Coproc.Error.NOT_ALIVE, pool.submit_async(string('x'), 0, -1, null));
});

test('cancel', () => {
    const pool = started();
    const operation = pool.map_unordered(numbers(1000).map(number), 1);
    operation.next(null);
    operation.cancel();
    fails(Gio.IOErrorEnum.CANCELLED, () => {
        while (operation.next(null)[0] !== null)
            continue;
        throw new Error('it came to its end');
    }, Gio.IOErrorEnum);
    equal(pool.map(numbers(5).map(number), 0, null).length, 5);
    pool.stop(SECOND);
});

test('stop-on-error', () => {
    const pool = WorkerPool.new('text', 'count', 1);
    pool.start(null, null);
    const operation = pool.map_unordered(Array(1000).fill(string('no')), 0);
    operation.stop_on_error = true;
    fails(Coproc.Error.INVALID_PAYLOAD, () => operation.next(null));
    equal(operation.next(null)[0], null);
    pool.stop(SECOND);
});

test('model', () => {
    const pool = WorkerPool.new('echo', 'identity', 2);
    pool.get_model().mode = Coproc.WorkerMode.THREAD;
    pool.start(null, null);
    equal(pool.map(numbers(50).map(number), 0, null).map(v => v.deepUnpack()), numbers(50));
    const workers = pool.get_workers();
    until(() => workers.get_n_items() === 2);
    equal([0, 1].map(i => workers.get_item(i).pid), [0, 0]);
    pool.stop(SECOND);
});

test('drop', () => {
    let pool = started();
    const pids = [];
    until(() => pool.get_workers().get_n_items() === 2);
    for (let i = 0; i < 2; i++)
        pids.push(pool.get_workers().get_item(i).pid);
    let operation = pool.map_unordered(numbers(1000).map(number), 0);
    operation.next(null);
    operation = pool = null;
    until(() => {
        System.gc();
        return !pids.some(pid => GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS));
    });
});

test('workers and signals', async () => {
    const pool = WorkerPool.new('echo', 'identity', 2);
    const told = [], exits = [];
    pool.connect('progress', () => told.push(pool.n_done));
    pool.connect('worker-exited', (_, ...how) => exits.push(how));
    pool.start(null, null);
    const workers = pool.get_workers();
    until(() => workers.get_n_items() === 2);
    pool.map(numbers(100).map(number), 1, null);
    until(() => told.length > 0 && told[told.length - 1] === 100);
    const victim = workers.get_item(0).pid;
    truthy(GLib.spawn_command_line_sync(`kill -KILL ${victim}`)[0]);
    until(() => exits.length > 0);
    equal(exits, [[victim, -1, 9]]);
    equal(pool.map(numbers(10).map(number), 1, null).length, 10);
    pool.stop(SECOND);
});

await run();
