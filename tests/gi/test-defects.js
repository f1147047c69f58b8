/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The defects of the model, by the names that the C tests have for them, as far as a binding can meet them.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {equal, fails, nextReply, number, pair, promisify, rejects, run, string, test, truthy, unpack, until}
    from './tap.js';

const SECOND = 1000000;
const PLUGINS = GLib.getenv('COPROC_TEST_PLUGINS');
const {Error: Codes, Message, MessageKind, MultiMessenger, WorkerPool, WorkerResource} = Coproc;
const BUSY = Gio.IOErrorEnum.BUSY;
const busy = () => new GLib.Error(Gio.IOErrorEnum, BUSY, 'busy');

promisify(Coproc.Messenger, 'call');

const receive = (messenger, channel) => unpack(messenger.receive_blocking(channel, null));
const repeat = (n, make) => Array.from({length: n}, (_, i) => make(i));

/* --- messengers --- */

test('m1-last-words', () => {
    const [worker, host] = pair(MultiMessenger);
    worker.send_norequest(string('1'), 'y');
    worker.send_norequest(string('2'), 'y');
    worker.close();
    equal(repeat(2, () => receive(host, 'y')), ['1', '2']);
    fails(Codes.CLOSED, () => host.receive_blocking('y', null));
});

test('m2-nothing-is-lost-by-an-error', () => {
    const [worker, host] = pair(MultiMessenger);
    worker.send_norequest(string('a'), 'x');
    worker.send_error(busy());
    worker.send_norequest(string('b'), 'x');
    worker.send_close_request();
    fails(BUSY, () => host.receive_available('x'), Gio.IOErrorEnum);
    fails(Codes.CLOSE_REQUESTED, () => host.receive_blocking('x', null));
    equal(host.messages_received('x'), 0);
    equal(host.receive_available('x').map(unpack), ['a', 'b']);
});

test('m3-no-lost-wake-up', () => {
    const [worker, host] = pair(MultiMessenger);
    host.send_norequest(string('queued'), 'x');
    equal(worker.available('x'), 1);
    truthy(worker.await_available(-1, null));
    truthy(worker.await_available(-1, null));
    equal(unpack(worker.try_receive('x')), 'queued');
});

test('m4-remaining', () => {
    const [worker, host] = pair(MultiMessenger);
    fails(Codes.FAILED, () => worker.send_reply(string('to nothing'), 'x'));
    fails(Codes.INVALID_PAYLOAD, () => host.send_request(string('?'), ''));
    equal(host.remaining('x'), 0);
    host.send_request_multiple(repeat(3, () => string('?')), 'x');
    worker.send_norequest(string('progress'), 'x');
    repeat(2, () => worker.receive_message('x', -1, null));
    worker.send_reply(string('r'), 'x');
    equal(unpack(nextReply(host, 'x')), 'r');
    equal(host.remaining('x'), 2);
    equal(receive(host, 'x'), 'progress');
    equal(host.remaining('x'), 2);
    worker.close();
    fails(Codes.CLOSED, () => nextReply(host, 'x'));
    equal(host.remaining('x'), 0);
});

test('m5-correlation', () => {
    const [worker, host] = pair();
    const serials = repeat(3, i =>
        host.send_message(Message.new_full(string('?'), 'x', 3 - i), MessageKind.REQUEST)[1]);
    for (let i = 0; i < 3; i++) {
        worker.receive_message('x', -1, null);
        worker.send_reply(number(i), 'x');
    }
    equal(repeat(3, () => host.receive_message('x', -1, null).get_reply_serial()), serials.reverse());
});

test('m6-errors-have-an-address', async () => {
    const [worker, host] = pair(MultiMessenger);
    const call = host.call_async(string('?'), 'x', -1, null);
    worker.reply_error(worker.receive_message('x', -1, null), busy());
    worker.send_norequest(string('for all'), 'x');
    equal(receive(host, 'x'), 'for all');
    await rejects(BUSY, call, Gio.IOErrorEnum);
    equal(host.try_receive('x'), null);
});

test('m8-an-error-is-only-returned', () => {
    const [worker, host] = pair(MultiMessenger);
    for (let code = -1; code <= 260; code++) {
        worker.send_error(new GLib.Error(GLib.SpawnError, code, `${code}`));
        fails(code, () => host.try_receive('x'), GLib.SpawnError);
    }
});

test('m9-both-pipes-full', () => {
    const ends = pair(MultiMessenger);
    const sent = ends.map(messenger => {
        messenger.high_water_mark = 4 << 20;
        messenger.send_timeout = 0;
        let n = 0;
        fails(Codes.WOULD_BLOCK, () => {
            for (; n < 10000; n++)
                messenger.send_bytes(new Uint8Array(65536), 'x');
        });
        truthy(n > 64);
        return n;
    });
    for (const i of [0, 1]) {
        for (let n = 0; n < sent[1 - i]; n++)
            ends[i].receive_message('x', 30 * SECOND, null);
        equal(ends[i].try_receive('x'), null);
    }
});

test('m10-no-starvation', () => {
    const [worker, host] = pair(MultiMessenger);
    worker.send_norequest(string('first'), 'a');
    for (let i = 0; i < 10000; i++)
        worker.send_bytes(Uint8Array.of(1), 'b');
    equal(receive(host, 'a'), 'first');
});

test('m11-bounded', () => {
    const [worker, host] = pair(MultiMessenger);
    worker.max_channels = 10;
    host.available('c0'); // it takes in what it was told
    for (let i = 0; i < 10; i++) {
        host.send_norequest(string('x'), `c${i}`);
        worker.receive_blocking(`c${i}`, null);
    }
    fails(Codes.LIMIT, () => host.send_norequest(string('x'), 'one too many'));
    host.send_norequest(string('x'), 'c0');
});

test('m13-priority-is-checked-at-the-sender', () => {
    const [, host] = pair();
    fails(Codes.INVALID_PRIORITY, () =>
        host.send_message(Message.new_full(string('x'), 'x', NaN), MessageKind.REQUEST));
    equal([host.messages_sent('x'), host.remaining('x')], [0, 0]);
});

test('m16-payloads-are-data', () => {
    const [worker, host] = pair(MultiMessenger);
    let deep = new GLib.Variant('y', 1);
    for (let i = 0; i < 65; i++)
        deep = GLib.Variant.new_variant(deep);
    fails(Codes.INVALID_PAYLOAD, () => host.send_norequest(deep, 'x'));
    const bad = GLib.Variant.new_from_bytes(new GLib.VariantType('b'), new GLib.Bytes([2]), false);
    fails(Codes.INVALID_PAYLOAD, () => host.send_norequest(bad, 'x'));
    host.send_norequest(string('(() => { throw 1; })()'), 'x');
    equal(receive(worker, 'x'), '(() => { throw 1; })()');
});

test('m17-one-kind-of-end', () => {
    const [worker, host] = pair(MultiMessenger);
    worker.close();
    for (const call of [
        () => host.receive_blocking('x', null),
        () => host.receive_any(-1, null),
        () => host.await_available(-1, null),
        () => host.send_norequest(string('x'), 'x'),
        () => host.call(string('x'), 'x', -1, null),
        () => worker.receive_blocking('x', null),
    ])
        fails(Codes.CLOSED, call);
});

/* --- workers --- */

function newWorker(entryPoint) {
    const worker = WorkerResource.new(`${PLUGINS}/lifecycle.so`, entryPoint);
    worker.grace_period = SECOND / 5;
    worker.stderr_mode = Coproc.StderrMode.CAPTURE;
    return worker;
}

function start(worker, args = null) {
    worker.start(args && new GLib.Variant('a{sv}', args), null);
    return worker.get_messenger();
}

function kill(pid, signal) {
    truthy(GLib.spawn_command_line_sync(`kill -${signal} ${pid}`)[0]);
}

test('w1-clean-up', () => {
    const folder = GLib.dir_make_tmp(null);
    const path = `${folder}/left-behind`;
    const worker = newWorker('clean');
    start(worker, {path: string(path)});
    truthy(worker.stop(10 * SECOND));
    equal(worker.get_exit_status(), 0);
    equal(new TextDecoder().decode(GLib.file_get_contents(path)[1]), 'clean');
    GLib.unlink(path);
    GLib.rmdir(folder);
});

test('w2-stop-waits', () => {
    const worker = newWorker('clean');
    for (const end of [() => worker.stop(10 * SECOND), () => worker.terminate()]) {
        start(worker);
        const pid = worker.get_pid();
        fails(Codes.ALREADY_ALIVE, () => start(worker));
        truthy(end());
        truthy(!GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS));
    }
});

test('w3-join-keeps-replies', () => {
    const worker = newWorker('last-words');
    const messenger = start(worker);
    messenger.send_request_multiple(repeat(5, i => new GLib.Variant('u', i)), null);
    truthy(worker.join(60 * SECOND, null));
    equal(repeat(5, () => unpack(nextReply(messenger, null))), [0, 1, 2, 3, 4]);
    equal(messenger.receive_message('bulk', -1, null).get_bytes().get_size(), 1 << 20);
    fails(Codes.CLOSED, () => messenger.receive_blocking('bulk', null));
});

test('w3-join-keeps-errors', () => {
    const worker = newWorker('fail');
    const messenger = start(worker);
    truthy(worker.join(60 * SECOND, null));
    equal(worker.get_exit_status(), 1);
    fails(GLib.FileError.NOSPC, () => messenger.receive_blocking(null, null), GLib.FileError);
    fails(Codes.CLOSED, () => messenger.receive_blocking(null, null));
});

test('w4-join-after-end', () => {
    const worker = newWorker('clean');
    fails(Codes.NOT_ALIVE, () => worker.join(-1, null));
    for (const wait of [true, false]) {
        start(worker).send_close_request();
        if (wait)
            until(() => !worker.is_alive());
        truthy(worker.join(60 * SECOND, null));
        truthy(worker.join(0, null));
    }
});

test('w5-exited', () => {
    for (const [key, value, words, how] of [['code', 3, 'exit code 3', [3, 0]], ['signal', 11, 'signal SEGV', [-1, 11]]]) {
        const exits = [];
        const worker = newWorker('die');
        worker.connect('exited', (_, ...end) => exits.push(end));
        const messenger = start(worker, {[key]: new GLib.Variant('i', value)});
        const error = fails(Codes.WORKER_DIED, () => messenger.call(string('?'), null, -1, null));
        truthy(error.message.includes(words), error.message);
        until(() => exits.length > 0);
        equal(exits, [how]);
    }
});

test('w8-escalates', () => {
    const worker = newWorker('stubborn');
    equal(receive(start(worker), null), 'ready');
    truthy(worker.stop(SECOND / 10));
    equal(worker.get_term_signal(), 9);
});

test('w11-start-fails', () => {
    for (const [name, code] of [['no-symbol', Codes.PLUGIN_SYMBOL], ['wrong-abi', Codes.PLUGIN_ABI],
        ['ctor-segv', Codes.PLUGIN_REFUSED]]) {
        const worker = WorkerResource.new(`${PLUGINS}/${name}.so`, 'any');
        worker.stderr_mode = Coproc.StderrMode.CAPTURE;
        fails(code, () => start(worker));
    }
});

test('w12-teardown', () => {
    const worker = newWorker('clean');
    truthy(worker.stop(0));
    start(worker);
    kill(worker.get_pid(), 'KILL');
    truthy(worker.stop(10 * SECOND));
    truthy(worker.stop(10 * SECOND));
    equal(worker.get_term_signal(), 9);
});

test('w13-close-is-normal', () => {
    const worker = newWorker('clean');
    const messenger = start(worker);
    kill(worker.get_pid(), 'INT');
    equal(unpack(messenger.call(string('still here'), null, -1, null)), 'still here');
    truthy(worker.join(60 * SECOND, null));
    equal(worker.get_exit_status(), 0);
});

/* --- pools --- */

let pool = null;

/** The pool of the tests, which is started when it is first wanted. */
function getPool() {
    if (pool === null) {
        pool = WorkerPool.new(`${PLUGINS}/tasks.so`, 'run', 2);
        pool.get_model().stderr_mode = Coproc.StderrMode.CAPTURE;
        pool.start(null, null);
    }
    return pool;
}

const squares = n => repeat(n, i => new GLib.Variant('i', i));
const orders = what => new GLib.Variant('a{sv}', what);
const mapAll = inputs => getPool().map(inputs, 0, null).map(unpack);

/** [index, result or error] as they come. */
function* results(operation) {
    for (;;) {
        let result;
        try {
            result = operation.next(null);
        } catch (error) {
            yield [operation.last_index, error];
            continue;
        }
        if (result[0] === null)
            return;
        yield [result[1], unpack(result[0])];
    }
}

test('l1-few-inputs', () => {
    for (let n = 0; n < 4; n++)
        equal(mapAll(squares(n)), repeat(n, i => i * i));
});

test('l2-abandoned', () => {
    const operation = getPool().map_unordered(squares(1000), 1);
    results(operation).next();
    operation.cancel();
    equal(mapAll(squares(5)), [0, 1, 4, 9, 16]);
});

test('l6-crash', () => {
    const inputs = squares(6);
    inputs[3] = orders({die: new GLib.Variant('i', 9)});
    const got = new Map(results(getPool().map_unordered(inputs, 1)));
    const error = got.get(3);
    truthy(error.matches(Codes, Codes.WORKER_DIED) && error.message.startsWith('Item 3 '), error.message);
    equal([0, 1, 2, 4, 5].map(i => got.get(i)), [0, 1, 4, 16, 25]);
});

test('l8-completion-order', () => {
    const inputs = [600000, 10000].map(sleep => orders({sleep: new GLib.Variant('x', sleep)}));
    equal([...results(getPool().map_unordered(inputs, 1))].map(([index]) => index), [1, 0]);
});

test('l9-errors', () => {
    const inputs = squares(5);
    inputs[1] = inputs[4] = orders({fail: string('so it goes')});
    const got = new Map(results(getPool().map_ordered(inputs, 0)));
    for (const i of [1, 4])
        truthy(got.get(i).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND));
    equal([0, 2, 3].map(i => got.get(i)), [0, 4, 9]);
    getPool().stop(SECOND);
});

await run();
