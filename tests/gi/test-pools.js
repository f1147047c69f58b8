/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Pools with the JavaScript override.
 */
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';

import {equal, fails, run, test, truthy, until} from './tap.js';

const MODULE = `${GLib.getenv('COPROC_TEST_SRCDIR')}/tests/gi/callables.js`;
const {WorkerPool} = Coproc;

test('pool/map', () => Coproc.using(WorkerPool.for_module(MODULE, 'default', 2), pool => {
    const inputs = Array.from({length: 50}, (_, i) => i);
    const doubled = inputs.map(i => 2 * i);
    equal(pool.map(inputs), doubled);
    equal(pool.map([]), []);
    equal([...pool.map_ordered(inputs)], doubled);
    equal([...pool.map_unordered(inputs)].sort((a, b) => a - b), doubled);
    equal([...pool.broadcast(7)], [14, 14]);
}));

test('pool/workers', () => Coproc.using(WorkerPool.new('echo', 'identity', 2), pool => {
    until(() => pool.workers.filter(worker => worker.state === Coproc.WorkerState.RUNNING).length === 2);
    truthy(pool.workers.every(worker => worker.pid > 0));
}));

test('pool/lazy', () => Coproc.using(WorkerPool.for_module(MODULE, 'default', 1), pool => {
    const got = [];
    for (const result of pool.map_lazy((function* () {
        for (let i = 0; ; i++)
            yield i;
    })())) {
        got.push(result);
        if (got.length === 10)
            break;
    }
    equal(got, Array.from({length: 10}, (_, i) => 2 * i));
    let thrown = null;
    try {
        for (const result of pool.map_lazy((function* () {
            yield 1;
            throw new Error('no more');
        })()))
            equal(result, 2);
    } catch (error) {
        thrown = error;
    }
    equal(thrown?.message, 'no more');
}));

test('pool/errors', () => Coproc.using(WorkerPool.for_module(MODULE, 'fail', 1), pool => {
    truthy(fails(Coproc.Error.HANDLER, () => pool.map(['this'])).message.includes('RangeError: not this'));
    const results = pool.map_ordered(['a', 'b'])[Symbol.iterator]();
    for (const name of ['a', 'b'])
        truthy(fails(Coproc.Error.HANDLER, () => results.next()).message.includes(`not ${name}`));
    truthy(results.next().done);
}));

test('pool/promises', () => Coproc.using(WorkerPool.new('echo', 'identity', 2), async pool => {
    const payloads = [null, {a: [1, 2.5]}, 'x', 7];
    equal(await Promise.all(payloads.map(payload => pool.submit_async(payload))), payloads);
    const got = [];
    for await (const result of pool.map_ordered(payloads))
        got.push(result);
    equal(got, payloads);
    for await (const result of pool.broadcast({a: 'b'}))
        got.push(result);
    equal(got.slice(payloads.length), [{a: 'b'}, {a: 'b'}]);
}));

await run();
