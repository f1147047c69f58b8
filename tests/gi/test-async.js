/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What a messenger does later, from JavaScript: promises, signals, virtual functions, collected objects.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import System from 'system';

import {equal, fails, number, pair, promisify, rejects, run, string, test, truthy, turn, unpack, until}
    from './tap.js';

const {MessageKind} = Coproc;
const unpackAll = payloads => payloads.map(unpack);

promisify(Coproc.Messenger, 'receive', 'receive_message', 'call', 'send_message');

test('async/call', async () => {
    const [workerEnd, hostEnd] = pair();
    const calls = [1, 2, 3].map(i => hostEnd.call_async(number(i), 'c', -1, null));
    for (let i = 0; i < 3; i++) {
        const request = await workerEnd.receive_message_async('c', -1, null);
        workerEnd.reply(request, number(unpack(request.get_payload()) * 2));
    }
    equal(unpackAll(await Promise.all(calls)), [2, 4, 6]);
});

test('async/receive-and-send', async () => {
    const [workerEnd, hostEnd] = pair();
    const got = workerEnd.receive_async('r', null);
    truthy(await hostEnd.send_message_async(Coproc.Message.new_full(string('x'), 'r', 0),
        MessageKind.NOREQUEST, null));
    equal(unpack(await got), 'x');
});

test('async/cancel', async () => {
    const [, hostEnd] = pair();
    const cancellable = new Gio.Cancellable();
    const call = hostEnd.call_async(string('x'), null, -1, cancellable);
    cancellable.cancel();
    cancellable.cancel();
    await rejects(Gio.IOErrorEnum.CANCELLED, call, Gio.IOErrorEnum);
    fails(Gio.IOErrorEnum.CANCELLED, () => hostEnd.receive_blocking(null, cancellable), Gio.IOErrorEnum);
    await rejects(Coproc.Error.TIMED_OUT, hostEnd.call_async(string('x'), null, 1000, null));
    equal(hostEnd.remaining(null), 0);
});

test('signals/listen', () => {
    const [workerEnd, hostEnd] = pair();
    const got = [];
    workerEnd.connect('message::news', (messenger, message) => {
        truthy(messenger === workerEnd);
        got.push(unpack(message.get_payload()));
    });
    workerEnd.listen('news');
    for (let i = 0; i < 3; i++)
        hostEnd.send_norequest(number(i), 'news');
    hostEnd.send_norequest(string('b'), 'quiet');
    equal(got, []);
    until(() => got.length === 3);
    equal(got, [0, 1, 2]);
    equal(unpack(workerEnd.receive_blocking('quiet', null)), 'b');
    workerEnd.unlisten('news');
    hostEnd.send_norequest(string('c'), 'news');
    equal(unpack(workerEnd.receive_blocking('news', null)), 'c');
});

test('signals/error-received', () => {
    const [workerEnd, hostEnd] = pair();
    const got = [];
    hostEnd.connect('error-received', (_, error) => got.push(error));
    workerEnd.send_error(new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'hm'));
    until(() => got.length);
    equal(got[0].message, 'hm');
    truthy(got[0].matches(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));
});

test('signals/close', () => {
    const [workerEnd, hostEnd] = pair();
    const got = [];
    workerEnd.connect('close-requested', () => got.push('asked'));
    workerEnd.connect('notify::closed', () => got.push('notified'));
    workerEnd.connect('closed', (_, error) => got.push(error));
    hostEnd.send_close_request();
    until(() => got.length === 1);
    hostEnd.close();
    until(() => got.length === 3);
    equal(got.sort(), ['asked', 'notified', null].sort());
});

test('signals/exception-in-handler', () => {
    const [workerEnd, hostEnd] = pair();
    let n = 0;
    workerEnd.connect('message::x', () => {
        n++;
        throw new Error('on purpose');
    });
    workerEnd.listen('x');
    for (let i = 0; i < 3; i++) {
        GLib.test_expect_message('Gjs', GLib.LogLevelFlags.LEVEL_CRITICAL, '*on purpose*');
        hostEnd.send_norequest(number(i), 'x');
    }
    until(() => n === 3);
    GLib.test_assert_expected_messages_internal('Gjs', 'test-messenger.js', 0, '');
});

const Fixed = GObject.registerClass(class Fixed extends Coproc.Messenger {
    vfunc_get_priority(payload) {
        const text = unpack(payload);
        if (text === 'js')
            throw new Error('no such priority');
        if (text === 'glib')
            throw new GLib.Error(Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
        return [text !== 'false', text.length + 0.5];
    }
});

test('subclass/get-priority', () => {
    const [workerEnd, hostEnd] = pair(Fixed);
    truthy(hostEnd instanceof Fixed);
    for (const text of ['ccc', 'a', 'bb'])
        hostEnd.send_norequest(string(text), null);
    const got = [1, 2, 3].map(() => workerEnd.receive_message(null, 0, null));
    equal(got.map(m => unpack(m.get_payload())), ['a', 'bb', 'ccc']);
    equal(got.map(m => m.get_priority()), [1.5, 2.5, 3.5]);
});

test('subclass/errors', () => {
    const [, hostEnd] = pair(Fixed);
    fails(Gio.IOErrorEnum.BUSY, () => hostEnd.send_norequest(string('glib'), null), Gio.IOErrorEnum);
    fails(Coproc.Error.HANDLER, () => hostEnd.send_norequest(string('false'), null));
    let thrown = null;
    try {
        hostEnd.send_norequest(string('js'), null);
    } catch (error) {
        thrown = error;
    }
    truthy(`${thrown}`.includes('no such priority'), `${thrown}`);
    equal(hostEnd.messages_sent(null), 0);
});

/* Calls from a scope that is gone when it returns. (A promise would do, but it keeps its
 * object until the answer is there.) */
function callAndDrop(done) {
    const [, hostEnd] = pair();
    for (let i = 0; i < 5; i++)
        hostEnd.call_async(number(i), null, -1, null, done);
}

test('lifetime/pending-and-dropped', () => {
    const codes = [];
    callAndDrop((source, result) => {
        try {
            source.call_finish(result);
            codes.push('answered');
        } catch (error) {
            codes.push(error.matches(Coproc.Error, Coproc.Error.CLOSED));
        }
    });
    until(() => {
        System.gc();
        return codes.length >= 5;
    });
    turn();
    equal(codes, [true, true, true, true, true]);
});

test('lifetime/many-collected', () => {
    const count = () => [...fds()].length;
    const before = count();
    for (let i = 0; i < 50; i++) {
        const [workerEnd, hostEnd] = pair();
        workerEnd.listen('x');
        workerEnd.connect('message::x', () => hostEnd.close());
        hostEnd.send_norequest(string('x'), 'x');
    }
    until(() => {
        System.gc();
        return count() <= before + 4;
    });
});

function* fds() {
    const folder = Gio.File.new_for_path('/proc/self/fd')
        .enumerate_children('standard::name', Gio.FileQueryInfoFlags.NONE, null);
    for (let info = folder.next_file(null); info; info = folder.next_file(null))
        yield info.get_name();
    folder.close(null);
}

await run();
