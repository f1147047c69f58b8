/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are functions and classes of ES modules.
 */
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';

import {equal, fails, run, test, truthy} from './tap.js';

const MODULE = `${GLib.getenv('COPROC_TEST_SRCDIR')}/tests/gi/callables.js`;
const {Error: Codes} = Coproc;

/** Runs a test with the messenger of a worker. */
function withWorker(name, args, body) {
    const worker = Coproc.WorkerResource.for_module(MODULE, name);
    worker.start(args);
    return Coproc.using(worker, () => body(worker.messenger, worker));
}

test('callable/function', () => withWorker('default', {}, (messenger, worker) => {
    equal(messenger.call(21), 42);
    equal(messenger.call(1, 'any channel'), 2);
    worker.join();
    equal(worker.exit_status, 0);
}));

test('callable/arguments', () => withWorker('scale', {factor: 3}, messenger => equal(messenger.call(2), 6)));

test('callable/promise', () => withWorker('later', {}, messenger => equal(messenger.call('x'), 'x, later')));

test('callable/class', () => withWorker('Adder', {start: 10}, messenger => {
    equal([messenger.call(1), messenger.call(2)], [11, 13]);
}));

test('callable/own-loop', () => withWorker('count', {start: 5}, (messenger, worker) => {
    equal([messenger.call(), messenger.call()], [5, 6]);
    worker.join();
    equal(worker.exit_status, 0);
}));

test('callable/own-async-loop', () => withWorker('countLater', {}, async (messenger, worker) => {
    equal([messenger.call(null, 'later'), await messenger.call_async(null, 'later')], [0, 1]);
    await worker.join_async();
    equal(worker.exit_status, 0);
}));

test('callable/class-with-messenger', () => withWorker('Greeter', {greeting: 'Hi'}, messenger => {
    equal(messenger.call('you', 'names'), 'Hi, you!');
}));

test('callable/exception', () => withWorker('fail', {}, (messenger, worker) => {
    const error = fails(Codes.HANDLER, () => messenger.call('this'));
    truthy(error instanceof Coproc.Handler);
    truthy(error.message.startsWith('RangeError: not this\n'), error.message);
    truthy(/fail@.*callables\.js/.test(error.message), error.message);
    truthy(worker.is_alive());
    fails(Codes.HANDLER, () => messenger.call('that'));
}));

test('callable/reply-cannot-be-sent', () => withWorker('odd', {}, messenger => {
    fails(Codes.HANDLER, () => messenger.call(true));
    equal(messenger.call(false), 'fine');
}));

test('callable/exception-at-the-start', () => withWorker('refuse', {}, messenger => {
    truthy(fails(Codes.HANDLER, () => messenger.receive_blocking()).message.includes('not today'));
}));

test('callable/no-such-export', () => withWorker('nonesuch', {}, messenger => {
    truthy(fails(Codes.HANDLER, () => messenger.receive_blocking()).message.includes('nonesuch'));
}));

await run();
