/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The messenger from JavaScript.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {OVERRIDE, equal, fails, nextReply, number, pair, run, string, test, truthy, turn, unpack, until}
    from './tap.js';

const {MessageKind} = Coproc;
const unpackAll = payloads => payloads.map(unpack);

test('pair/types', () => {
    for (const type of [Coproc.Messenger, Coproc.PriorityMessenger, Coproc.MultiMessenger]) {
        const [workerEnd, hostEnd] = pair(type);
        truthy(workerEnd instanceof type && hostEnd instanceof type);
        equal(workerEnd.by_priority, type !== Coproc.MultiMessenger);
    }
});

test('pair/visible-on-return', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_norequest(string('a'), null);
    equal(workerEnd.available(null), 1);
    equal(unpack(workerEnd.try_receive(null)), 'a');
    equal(workerEnd.try_receive(null), null);
});

test('pair/payload-types', () => {
    const [workerEnd, hostEnd] = pair();
    const payloads = [
        new GLib.Variant('b', true),
        new GLib.Variant('d', -Infinity),
        string('grün'),
        new GLib.Variant('ms', null),
        new GLib.Variant('a{sv}', {a: number(1), b: string('two')}),
        new GLib.Variant('()', []),
    ];
    for (const payload of payloads) {
        hostEnd.send_norequest(payload, 'types');
        truthy(workerEnd.receive_message('types', -1, null).get_payload().equal(payload), payload.print(true));
    }
});

test('pair/no-variant', () => {
    const [, hostEnd] = pair();
    let thrown = null;
    try {
        hostEnd.send_norequest(OVERRIDE ? Symbol('no payload') : 'text', null);
    } catch (error) {
        thrown = error;
    }
    truthy(thrown !== null);
});

test('channels/separate', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_norequest(number(1), 'a');
    hostEnd.send_norequest(number(2), 'b');
    hostEnd.send_norequest(number(3), null);
    equal(unpack(workerEnd.receive_blocking('b', null)), 2);
    equal(unpack(workerEnd.receive_blocking(null, null)), 3);
    equal(unpack(workerEnd.receive_blocking('a', null)), 1);
});

test('channels/receive-available', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    equal(workerEnd.receive_available('n').length, 0);
    for (let i = 0; i < 10; i++)
        hostEnd.send_norequest(number(i), 'n');
    equal(unpackAll(workerEnd.receive_available('n')), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('channels/receive-messages', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    for (let i = 0; i < 10; i++)
        hostEnd.send_bytes(new Uint8Array([i, 0, i]), 'n');
    const first = workerEnd.receive_messages('n', 4, 5000000, null);
    const rest = workerEnd.receive_messages('n', 0, -1, null);
    equal([first.length, rest.length], [4, 6]);
    const got = [...first, ...rest].map(m => [...m.get_data()]);
    equal(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(i => [i, 0, i]));
    fails(Coproc.Error.TIMED_OUT, () => workerEnd.receive_messages('n', 0, 0, null));
});

test('channels/receive-any', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_norequest(string('x'), 'där');
    const message = workerEnd.receive_any(5000000, null);
    equal(message.get_channel(), 'där');
    equal(message.get_kind(), MessageKind.NOREQUEST);
    fails(Coproc.Error.TIMED_OUT, () => workerEnd.receive_any(0, null));
});

test('priorities/order', () => {
    const [workerEnd, hostEnd] = pair();
    for (const [value, priority] of [[1, 5], [2, -1], [3, Infinity], [4, -Infinity], [5, 5]]) {
        const message = Coproc.Message.new_full(number(value), 'p', priority);
        hostEnd.send_message(message, MessageKind.NOREQUEST);
    }
    hostEnd.send_norequest(number(6), 'p');
    equal(unpackAll(workerEnd.receive_available('p')), [4, 2, 1, 5, 3, 6]);
});

test('priorities/in-payload', () => {
    const [workerEnd, hostEnd] = pair();
    [3, 1, 2].forEach((priority, i) => hostEnd.send_norequest(new GLib.Variant('a{sv}', {
        i: number(i), priority: new GLib.Variant('d', priority),
    }), null));
    equal(workerEnd.receive_available(null).map(payload => unpack(payload).i), [1, 2, 0]);
});

test('priorities/nan', () => {
    const [, hostEnd] = pair();
    const message = Coproc.Message.new_full(number(1), 'p', NaN);
    fails(Coproc.Error.INVALID_PRIORITY, () => hostEnd.send_message(message, MessageKind.NOREQUEST));
    equal(hostEnd.messages_sent('p'), 0);
});

test('requests/reply', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request(string('ping'), 'r');
    equal(hostEnd.remaining('r'), 1);
    equal(unpack(workerEnd.receive_blocking('r', null)), 'ping');
    workerEnd.send_reply(string('pong'), 'r');
    equal(unpack(nextReply(hostEnd, 'r')), 'pong');
    equal(nextReply(hostEnd, 'r'), null);
    equal(hostEnd.replies_received('r'), 1);
});

test('requests/multiple', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request_multiple([1, 2, 3].map(number), 'm');
    for (let i = 0; i < 3; i++)
        workerEnd.send_reply(workerEnd.receive_blocking('m', null), 'm');
    const got = [];
    for (let v = nextReply(hostEnd, 'm'); v; v = nextReply(hostEnd, 'm'))
        got.push(unpack(v));
    equal(got, [1, 2, 3]);
});

test('requests/reply-to-message', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    const serials = [1, 2].map(i => {
        const [done, serial] = hostEnd.send_message(Coproc.Message.new_full(number(i), 'm', 0),
            MessageKind.REQUEST);
        truthy(done);
        return serial;
    });
    const requests = [1, 2].map(() => workerEnd.receive_message('m', -1, null));
    for (const request of requests.reverse())
        workerEnd.reply(request, request.get_payload());
    equal([1, 2].map(() => hostEnd.receive_message('m', -1, null).get_reply_serial()), serials.reverse());
    fails(Coproc.Error.FAILED, () => workerEnd.reply(requests[0], string('twice')));
});

test('requests/reply-multiple', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request_multiple([1, 2, 3].map(i => number(i)), 'm');
    const requests = workerEnd.receive_messages('m', 0, 5000000, null);
    workerEnd.reply_multiple(requests, requests.map(r => number(2 * r.get_payload().deepUnpack())));
    const replies = hostEnd.receive_messages('m', 0, 5000000, null);
    equal(replies.map(r => r.get_payload().deepUnpack()), [2, 4, 6]);
    fails(Coproc.Error.FAILED, () => workerEnd.reply_multiple([requests[0]], [number(1)]));
});

test('specials/error', () => {
    const [workerEnd, hostEnd] = pair();
    workerEnd.send_norequest(string('kept'), 's');
    workerEnd.send_error(new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND, 'no such thing'));
    const error = fails(Gio.IOErrorEnum.NOT_FOUND, () => hostEnd.available('s'), Gio.IOErrorEnum);
    equal(error.message, 'no such thing');
    equal(unpack(hostEnd.receive_blocking('s', null)), 'kept');
});

test('specials/error-reply', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request(string('x'), null);
    const request = workerEnd.receive_message(null, -1, null);
    workerEnd.reply_error(request, new GLib.Error(Coproc.Error, Coproc.Error.HANDLER, 'odd'));
    const error = fails(Coproc.Error.HANDLER, () => nextReply(hostEnd, null));
    truthy(error instanceof Coproc.Error);
    equal(hostEnd.remaining(null), 0);
});

test('specials/close-request', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_close_request();
    fails(Coproc.Error.CLOSE_REQUESTED, () => workerEnd.receive_blocking('elsewhere', null));
    truthy(workerEnd.get_close_requested() && workerEnd.close_requested);
});

test('closing/last-words', () => {
    const [workerEnd, hostEnd] = pair();
    workerEnd.send_norequest(string('a'), 'w');
    workerEnd.close();
    workerEnd.close();
    equal(unpack(hostEnd.receive_blocking('w', null)), 'a');
    fails(Coproc.Error.CLOSED, () => hostEnd.receive_blocking('w', null));
    truthy(hostEnd.closed && hostEnd.get_closed());
    fails(Coproc.Error.CLOSED, () => workerEnd.send_norequest(string('x'), null));
});

test('bytes/send-bytes', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_bytes(new Uint8Array([0, 1, 255]), 'bytes');
    const message = workerEnd.receive_message('bytes', -1, null);
    equal([...message.get_bytes().toArray()], [0, 1, 255]);
    hostEnd.send_bytes(new Uint8Array(0), 'bytes');
    equal(workerEnd.receive_message('bytes', -1, null).get_bytes().get_size(), 0);
});

test('bytes/alloc', () => {
    const [workerEnd, hostEnd] = pair();
    const bytes = hostEnd.alloc_bytes(100000);
    (OVERRIDE ? bytes : bytes.toArray()).fill(7);
    if (OVERRIDE)
        hostEnd.send_bytes(bytes);
    else
        hostEnd.send_message(Coproc.Message.new_bytes(bytes), MessageKind.NOREQUEST);
    const got = workerEnd.receive_message(null, -1, null).get_bytes().toArray();
    equal(got.length, 100000);
    truthy(got.every(byte => byte === 7), 'filled in place');
    fails(Coproc.Error.TOO_LARGE, () => hostEnd.alloc_bytes(2 ** 30 + 1));
});

test('bytes/any-kind', () => {
    const [workerEnd, hostEnd] = pair();
    const [done, serial] = hostEnd.send_bytes_full(new Uint8Array([1]), 'c', MessageKind.REQUEST, 2.5);
    truthy(done, 'sent');
    const request = workerEnd.receive_message('c', -1, null);
    equal([request.get_kind(), request.get_priority()], [MessageKind.REQUEST, 2.5]);
    workerEnd.send_bytes_full(new Uint8Array([2]), 'c', MessageKind.REPLY, Infinity);
    const reply = hostEnd.receive_reply('c', -1, null);
    equal([reply.get_kind(), reply.get_reply_serial()], [MessageKind.REPLY, serial]);
    equal([...reply.get_bytes().toArray()], [2]);
    equal(hostEnd.receive_reply('c', -1, null), null);
});

test('bytes/mebibyte-budget', () => {
    const [workerEnd, hostEnd] = pair();
    const data = new Uint8Array(1 << 20).map((_, i) => i * 7);
    const started = GLib.get_monotonic_time();
    for (let i = 0; i < 8; i++) {
        hostEnd.send_message(Coproc.Message.new_bytes(new GLib.Bytes(data)), MessageKind.NOREQUEST);
        const got = workerEnd.receive_message(null, -1, null).get_bytes().toArray();
        equal([got.length, got[12345]], [data.length, data[12345]]);
    }
    truthy(GLib.get_monotonic_time() - started < 5e6, 'the time for 8 MiB');
});

test('channels/await-available', () => {
    const [workerEnd, hostEnd] = pair();
    fails(Coproc.Error.TIMED_OUT, () => workerEnd.await_available(1000, null));
    hostEnd.send_norequest(string('x'), 'c');
    equal(workerEnd.available('c'), 1);
    truthy(workerEnd.await_available(0, null) && workerEnd.await_available(-1, null));
});

test('channels/empty-name', () => {
    const [, hostEnd] = pair();
    fails(Coproc.Error.INVALID_PAYLOAD, () => hostEnd.send_norequest(string('x'), ''));
});

test('priorities/multi-is-fifo', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    for (const [value, priority] of [[1, 5], [2, -1], [3, 0]])
        hostEnd.send_message(Coproc.Message.new_full(number(value), 'p', priority), MessageKind.NOREQUEST);
    equal(unpackAll(workerEnd.receive_available('p')), [1, 2, 3]);
});

test('priorities/message', () => {
    const message = Coproc.Message.new_full(string('y'), 'c', -2.5);
    equal([message.get_priority(), message.get_channel(), message.get_serial()], [-2.5, 'c', 0]);
    equal([message.get_bytes(), message.get_payload().unpack()], [null, 'y']);
    equal(Coproc.Message.new(string('x')).get_priority() === Infinity, true);
});

test('requests/reply-twice', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request(string('x'), null);
    const request = workerEnd.receive_message(null, -1, null);
    workerEnd.reply(request, string('y'));
    fails(Coproc.Error.FAILED, () => workerEnd.reply(request, string('z')));
    fails(Coproc.Error.FAILED, () => workerEnd.send_reply(string('z'), null));
    equal(unpack(nextReply(hostEnd, null)), 'y');
    equal(hostEnd.available(null), 0);
});

test('requests/counters', () => {
    const [workerEnd, hostEnd] = pair();
    for (const text of ['a', 'b'])
        hostEnd.send_request(string(text), 'c');
    hostEnd.send_norequest(string('c'), 'c');
    equal([hostEnd.requests_sent('c'), hostEnd.messages_sent('c'), hostEnd.requests_sent('other')], [2, 3, 0]);
    equal([workerEnd.available('c'), workerEnd.queue_size('c'), workerEnd.messages_received('c')], [3, 3, 0]);
    workerEnd.receive_blocking('c', null);
    workerEnd.send_reply(string('A'), 'c');
    equal([workerEnd.messages_received('c'), workerEnd.messages_sent('c')], [1, 1]);
    equal([hostEnd.available('c'), hostEnd.remaining('c')], [1, 2]);
    nextReply(hostEnd, 'c');
    equal([hostEnd.remaining('c'), hostEnd.replies_received('c')], [1, 1]);
});

test('requests/call-timeout', () => {
    const [, hostEnd] = pair();
    fails(Coproc.Error.TIMED_OUT, () => hostEnd.call(number(1), null, 20000, null));
    equal(hostEnd.remaining(null), 0);
});

test('specials/unknown-domain', () => {
    const [workerEnd, hostEnd] = pair();
    const domain = GLib.quark_from_string('nobody-knows');
    workerEnd.send_error(new GLib.Error(domain, 7, 'hm'));
    // Both ends live here, so the domain is known.
    equal(fails(7, () => hostEnd.receive_blocking(null, null), domain).message, 'hm');
});

test('closing/send-after-close', () => {
    const [, hostEnd] = pair();
    hostEnd.close();
    fails(Coproc.Error.CLOSED, () => hostEnd.send_norequest(string('x'), null));
    fails(Coproc.Error.CLOSED, () => hostEnd.call(string('x'), null, -1, null));
});

test('closing/outstanding', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_request(string('x'), 'o');
    workerEnd.close();
    fails(Coproc.Error.CLOSED, () => nextReply(hostEnd, 'o'));
    equal(hostEnd.remaining('o'), 0);
});

test('bytes/send-bytes-full', () => {
    const [workerEnd, hostEnd] = pair();
    const [, serial] = hostEnd.send_bytes_full(Uint8Array.of(1), 'c', MessageKind.REQUEST, 2.5);
    const request = workerEnd.receive_message('c', -1, null);
    equal([request.get_kind(), request.get_priority()], [MessageKind.REQUEST, 2.5]);
    workerEnd.send_bytes_full(Uint8Array.of(2), 'c', MessageKind.REPLY, Infinity);
    const reply = hostEnd.receive_reply('c', -1, null);
    equal([reply.get_kind(), reply.get_reply_serial()], [MessageKind.REPLY, serial]);
    equal([...reply.get_data()], [2]);
    equal(hostEnd.receive_reply('c', -1, null), null);
});

test('bytes/new-bytes', () => {
    const [workerEnd, hostEnd] = pair();
    hostEnd.send_message(Coproc.Message.new_bytes(new GLib.Bytes([1, 2, 3])), MessageKind.NOREQUEST);
    const got = workerEnd.receive_message(null, -1, null);
    equal([...got.get_bytes().toArray()], [1, 2, 3]);
    equal([...got.get_payload().get_data_as_bytes().toArray()], [1, 2, 3]);
});

test('bytes/too-large', () => {
    const [workerEnd, hostEnd] = pair();
    workerEnd.max_message_size = 4096;
    equal(hostEnd.available(null), 0); // it takes in what it was told
    fails(Coproc.Error.TOO_LARGE, () => hostEnd.send_bytes(new Uint8Array(4097), null));
    truthy(hostEnd.send_bytes(new Uint8Array(4096), null));
});

test('descriptor/poll', () => {
    const [workerEnd, hostEnd] = pair();
    const source = GLib.unix_fd_source_new(workerEnd.get_fd(), GLib.IOCondition.IN);
    let n = 0;
    equal(workerEnd.try_receive('f'), null);
    source.set_callback(() => {
        n++;
        return GLib.SOURCE_REMOVE;
    });
    source.attach(null);
    turn();
    equal(n, 0);
    hostEnd.send_norequest(string('x'), 'f');
    until(() => n === 1);
    equal(unpack(workerEnd.try_receive('f')), 'x');
    equal(workerEnd.try_receive('f'), null);
    hostEnd.close();
    fails(Coproc.Error.CLOSED, () => {
        for (;;)
            workerEnd.try_receive(null);
    });
});

test('descriptor/pipe-poll', () => {
    const [workerEnd, hostEnd] = pair();
    // What a side says first, its greeting, can be read, too.
    workerEnd.available(null);
    truthy(!workerEnd.pipe_poll());
    hostEnd.send_norequest(string('x'), null);
    truthy(workerEnd.pipe_poll());
    workerEnd.receive_blocking(null, null);
    truthy(!workerEnd.pipe_poll());
});

await run();
