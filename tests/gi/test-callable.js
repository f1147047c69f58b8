/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers that are functions and classes of ES modules.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
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

test('callable/alloc-bytes', () => withWorker('look', {}, messenger => {
    const size = 1 << 20;
    const ways = {
        bytes: data => messenger.send_bytes(data),
        payload: data => messenger.send_norequest(data),
        priority: data => messenger.send_norequest(data, null, 1),
        part: data => messenger.send_request(data.subarray(0, size / 2)),
        message: data => messenger.send_message(Coproc.Message.new_full(data), Coproc.MessageKind.NOREQUEST),
    };
    // What is sent from the library's memory is not copied: the worker sees what becomes of it.
    for (const [name, send] of Object.entries(ways)) {
        const data = messenger.alloc_bytes(size).fill(1);
        send(data);
        equal(messenger.call(null), 1, name);
        data[0] = 7;
        equal(messenger.call(null), 7, name);
        // What is not of that memory is copied before the call returns.
        const other = new Uint8Array(size).fill(2);
        send(other);
        other[0] = 7;
        equal(messenger.call(null), 2, name);
    }
}));

test('callable/bytes-back', () => withWorker('giveBack', {}, messenger => {
    for (const size of [0, 1, 16384, 500000]) {
        const data = new Uint8Array(size).fill(5);
        const back = messenger.call(data);
        equal([back.length, back.every(byte => byte === 5)], [size, true]);
        equal(messenger.call({a: [data, 'x']}).a[0].length, size);
        equal(messenger.call(back.subarray(size >> 1)).length, size - (size >> 1));
    }
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

test('callable/module-that-starts-itself', () => {
    const [file, stream] = Gio.File.new_tmp('coproc-XXXXXX.js');
    stream.close(null);
    file.replace_contents(`import Coproc from 'gi://Coproc?version=1';
        const worker = Coproc.WorkerResource.for_module(import.meta.url);
        worker.start();
        export default value => value;`, null, false, Gio.FileCreateFlags.NONE, null);
    Coproc.using(Coproc.WorkerResource.for_module(file.get_path()), worker => {
        const error = fails(Codes.HANDLER, () => worker.messenger.receive_blocking());
        truthy(error.message.includes('a module of its own'), error.message);
    });
    file.delete(null);
});

await run();
