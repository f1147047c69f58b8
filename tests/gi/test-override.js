/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the JavaScript override adds to introspection.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';

import {equal, fails, pair, rejects, resident, run, test, truthy} from './tap.js';

const {Error: Codes, MessageKind} = Coproc;

test('errors/classes', () => {
    const [workerEnd, hostEnd] = pair();
    const error = fails(Codes.TIMED_OUT, () => hostEnd.receive_message('x', 1000));
    truthy(error instanceof Coproc.TimedOut && error instanceof Coproc.Error && error instanceof GLib.Error);
    truthy(!(error instanceof Coproc.Closed));
    equal(error.code, Codes.TIMED_OUT);
    workerEnd.send_error(new Coproc.PluginAbi('old'));
    truthy(fails(Codes.PLUGIN_ABI, () => hostEnd.receive_blocking()) instanceof Coproc.PluginAbi);
});

test('errors/exception-crosses', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request('?');
    workerEnd.reply_error(workerEnd.receive_message(), new TypeError('odd'));
    const error = fails(Codes.HANDLER, () => hostEnd.receive_remaining().next());
    truthy(error.message.startsWith('TypeError: odd\n\nTraceback'), error.message);
    truthy(error.message.includes('test-override.js'), error.message);
});

test('messages/attributes', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request({a: 1}, 'c', 2.5);
    const request = workerEnd.receive_message('c');
    equal([request.payload, request.channel, request.priority], [{a: 1}, 'c', 2.5]);
    equal([request.kind, request.bytes], [MessageKind.REQUEST, null]);
    workerEnd.reply(request, Uint8Array.of(1, 2));
    const reply = hostEnd.receive_message('c');
    equal(reply.reply_serial, request.serial);
    equal([[...reply.bytes], [...reply.payload]], [[1, 2], [1, 2]]);
});

test('messages/try-receive', () => {
    const [workerEnd, hostEnd] = pair();
    equal(workerEnd.try_receive('c', 'nothing'), 'nothing');
    hostEnd.send_norequest(null, 'c');
    equal(workerEnd.try_receive('c', 'nothing'), null);
});

test('messages/iterators', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    hostEnd.send_request_multiple([0, 1, 2, 3], 'r');
    for (const request of workerEnd.messages('r')) {
        if (request.payload === 1)
            workerEnd.reply_error(request, new RangeError('one'));
        else
            workerEnd.reply(request, request.payload);
        if (request.payload === 3)
            break;
    }
    const replies = hostEnd.receive_remaining('r');
    equal(replies.next(), {done: false, value: 0});
    fails(Codes.HANDLER, () => replies.next());
    equal([...replies], [2, 3]);
    hostEnd.send_norequest('last', 'r');
    hostEnd.close();
    equal([...workerEnd.messages('r')].map(message => message.payload), ['last']);
});

test('handlers/throws', async () => {
    const [workerEnd, hostEnd] = pair();
    workerEnd.connect('message::jobs', (messenger, message) => {
        if (message.payload === 'answered')
            messenger.reply(message, 'done');
        throw new RangeError('on purpose');
    });
    workerEnd.listen('jobs');
    for (const payload of ['?', 'answered'])
        GLib.test_expect_message('Gjs', GLib.LogLevelFlags.LEVEL_CRITICAL, '*on purpose*');
    const error = await rejects(Codes.HANDLER, hostEnd.call_async('?', 'jobs', 60e6));
    truthy(error.message.startsWith('RangeError: on purpose'), error.message);
    equal(await hostEnd.call_async('answered', 'jobs', 60e6), 'done');
    GLib.test_assert_expected_messages_internal('Gjs', 'test-override.js', 0, '');
});

test('handlers/rejects', async () => {
    const [workerEnd, hostEnd] = pair();
    workerEnd.connect('message::jobs', async (messenger, message) => {
        await hostEnd.send_message_async(Coproc.Message.new_full('on the way', 'news'));
        if (message.payload === '?')
            throw new RangeError('later on');
        messenger.reply(message, 'done');
    });
    workerEnd.listen('jobs');
    GLib.test_expect_message('Gjs', GLib.LogLevelFlags.LEVEL_WARNING, '*later on*');
    const error = await rejects(Codes.HANDLER, hostEnd.call_async('?', 'jobs', 60e6));
    truthy(error.message.startsWith('RangeError: later on'), error.message);
    equal(await hostEnd.call_async('!', 'jobs', 60e6), 'done');
    GLib.test_assert_expected_messages_internal('Gjs', 'test-override.js', 0, '');
});

test('promises/call', async () => {
    const [workerEnd, hostEnd] = pair();
    const serve = async () => {
        for await (const request of workerEnd.messages('jobs'))
            workerEnd.reply(request, request.payload * 2);
    };
    const served = serve();
    const calls = Array.from({length: 100}, (_, i) => hostEnd.call_async(i, 'jobs'));
    equal(await Promise.all(calls), Array.from({length: 100}, (_, i) => 2 * i));
    hostEnd.close();
    await served;
});

test('promises/errors', async () => {
    const [workerEnd, hostEnd] = pair();
    await rejects(Codes.TIMED_OUT, hostEnd.call_async('?', null, 1000));
    const cancellable = new Gio.Cancellable();
    const receive = hostEnd.receive_async('x', cancellable);
    cancellable.cancel();
    await rejects(Gio.IOErrorEnum.CANCELLED, receive, Gio.IOErrorEnum);
    workerEnd.close();
    await rejects(Codes.CLOSED, hostEnd.receive_message_async());
});

test('promises/send', async () => {
    const [workerEnd, hostEnd] = pair();
    truthy(await hostEnd.send_message_async(Coproc.Message.new_full(['x'], 's')));
    equal(await workerEnd.receive_async('s'), ['x']);
});

test('promises/callback', async () => {
    const [workerEnd, hostEnd] = pair();
    const reply = await new Promise(resolve => {
        hostEnd.call_async('?', 'c', -1, null, (source, result) => resolve(source.call_finish(result)));
        workerEnd.reply(workerEnd.receive_message('c'), {answer: 42});
    });
    equal(reply, {answer: 42});
});

test('promises/load', async () => {
    const workers = Array.from({length: 10}, () => Coproc.WorkerResource.new('echo', 'echo'));
    await Promise.all(workers.map(worker => worker.start_async()));
    const calls = Array.from({length: 1000}, (_, i) => workers[i % 10].messenger.call_async(i));
    equal(await Promise.all(calls), Array.from({length: 1000}, (_, i) => i));
    await Promise.all(workers.map(worker => worker.join_async()));
    equal(workers.map(worker => worker.exit_status), Array(10).fill(0));
});

test('using/worker', async () => {
    const worker = Coproc.WorkerResource.new('echo', 'echo');
    equal(Coproc.using(worker, () => worker.messenger.call('a')), 'a');
    truthy(!worker.is_alive());
    equal(await Coproc.using(worker, () => worker.messenger.call_async('b')), 'b');
    truthy(!worker.is_alive());
    let thrown = null;
    try {
        Coproc.using(worker, () => {
            throw new Error('on purpose');
        });
    } catch (error) {
        thrown = error;
    }
    equal([thrown.message, worker.is_alive(), worker.exit_status], ['on purpose', false, 0]);
});

test('using/messenger', () => {
    const [, hostEnd] = pair();
    Coproc.using(hostEnd, () => truthy(!hostEnd.closed));
    truthy(hostEnd.closed);
});

test('using/symbols', async () => {
    const dispose = Symbol.dispose ?? Symbol.for('dispose');
    const asyncDispose = Symbol.asyncDispose ?? Symbol.for('asyncDispose');
    const [, hostEnd] = pair();
    hostEnd[dispose]();
    truthy(hostEnd.closed);
    for (const resource of [Coproc.WorkerResource.new('echo', 'echo'), Coproc.WorkerPool.new('echo', 'identity', 1)]) {
        resource.start();
        resource[dispose]();
        equal(resource.state, Coproc.WorkerState.EXITED);
        await resource.start_async();
        await resource[asyncDispose]();
        equal(resource.state, Coproc.WorkerState.EXITED);
    }
});

test('promises/complete', () => {
    const [, gir] = GLib.file_get_contents(GLib.getenv('COPROC_TEST_GIR'));
    let kind = null, n = 0;
    for (const line of new TextDecoder().decode(gir).split('\n')) {
        kind = /<class name="(\w+)"/.exec(line)?.[1] ?? kind;
        const name = /<method name="(\w+_async)"/.exec(line)?.[1];
        if (name) {
            n++;
            truthy(!Coproc[kind].prototype[name].toString().includes('native symbol'), `${kind}.${name}()`);
        }
    }
    truthy(n >= 11);
});

test('bytes/not-copied', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_bytes(new Uint8Array(8 << 20).fill(7));
    const message = workerEnd.receive_message();
    const before = resident();
    const views = Array.from({length: 50}, () => message.bytes);
    equal(views.map(view => view[view.length - 1]), Array(50).fill(7));
    truthy(resident() - before < 100 << 10, 'KiB more'); // 50 copies would have 400 MiB
});

test('bytes/any-buffer', () => {
    const [workerEnd, hostEnd] = pair();
    for (const data of [Float64Array.of(1), new Uint8Array(8).buffer, new DataView(new ArrayBuffer(8)),
        new Array(8).fill(1)]) {
        hostEnd.send_bytes(data);
        equal(workerEnd.receive_blocking().length, 8);
    }
    for (const data of [Uint8Array.of(1, 2), Int8Array.of(1, 2), Uint8Array.of(1, 2).buffer]) {
        for (const priority of [null, -1]) {
            hostEnd.send_request(data, 'r', priority);
            const request = workerEnd.receive_message('r');
            equal([[...request.bytes], request.kind], [[1, 2], MessageKind.REQUEST]);
            equal(request.priority, priority ?? Infinity);
            workerEnd.send_reply(data, 'r');
            equal([...hostEnd.receive_remaining('r')].map(reply => [...reply]), [[1, 2]]);
        }
    }
});

test('bytes/priority-of-a-subclass', () => {
    const Shortest = GObject.registerClass(class extends Coproc.Messenger {
        vfunc_get_priority(payload) {
            return [true, payload.get_size()];
        }
    });
    const [workerEnd, hostEnd] = pair(Shortest);
    for (const size of [3, 1, 2])
        hostEnd.send_norequest(new Uint8Array(size));
    equal([1, 2, 3].map(() => workerEnd.receive_blocking().length), [1, 2, 3]);
});

test('requests/reply-multiple', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request_multiple(['a', 'b'], 'r');
    const requests = workerEnd.receive_messages('r');
    workerEnd.reply_multiple(requests, requests.map(request => ({to: request.payload})));
    equal([...hostEnd.receive_remaining('r')], [{to: 'a'}, {to: 'b'}]);
});

test('imports/legacy', () => {
    imports.gi.versions.Coproc = '1';
    truthy(imports.gi.Coproc.TimedOut === Coproc.TimedOut);
    const [, hostEnd] = imports.gi.Coproc.Messenger.new_pair(Coproc.Messenger).slice(1);
    truthy(typeof hostEnd.messages === 'function');
});

await run();
