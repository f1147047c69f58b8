/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Workers from JavaScript.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import System from 'system';

import {equal, fails, nextReply, number, promisify, rejects, run, string, test, truthy, turn, unpack, until}
    from './tap.js';

const SECOND = 1000000;
const {WorkerResource, WorkerState} = Coproc;

promisify(WorkerResource, 'start', 'join', 'stop');
promisify(Coproc.Messenger, 'call');

function echo() {
    const worker = WorkerResource.new('echo', 'echo');
    worker.start(null, null);
    return worker;
}

function kill(pid, signal) {
    truthy(GLib.spawn_command_line_sync(`kill -${signal} ${pid}`)[0]);
}

test('new', () => {
    const worker = WorkerResource.new('echo', 'echo');
    equal(worker.get_messenger(), null);
    equal(worker.get_pid(), 0);
    equal(worker.state, WorkerState.NEW);
    fails(Coproc.Error.NOT_ALIVE, () => worker.terminate());
    fails(Coproc.Error.NOT_ALIVE, () => worker.join(-1, null));
    truthy(worker.stop(SECOND));
});

test('echo', () => {
    const worker = echo();
    truthy(worker.is_alive());
    const messenger = worker.get_messenger();
    equal(messenger.peer_pid, worker.get_pid());
    messenger.send_request_multiple([1, 2, 3].map(number), 'jobs');
    const got = [];
    for (let v = nextReply(messenger, 'jobs'); v; v = nextReply(messenger, 'jobs'))
        got.push(unpack(v));
    equal(got, [1, 2, 3]);
    equal(unpack(messenger.call(string('x'), 'c', -1, null)), 'x');
    truthy(worker.stop(5 * SECOND));
    truthy(worker.stop(5 * SECOND));
    equal([worker.is_alive(), worker.get_exit_status(), worker.get_term_signal()], [false, 0, 0]);
    fails(Coproc.Error.CLOSED, () => messenger.receive_blocking(null, null));
});

test('launcher', () => {
    const {Launcher, LauncherQuoting} = Coproc;
    const launcher = Launcher.new(['sh', '-c', 'echo hello; eval "$0"'], LauncherQuoting.SHELL, false, false);
    equal(launcher.get_argv_prefix(), ['sh', '-c', 'echo hello; eval "$0"']);
    equal([launcher.get_quoting(), launcher.get_passes_fds(), launcher.get_kills_orphans()],
        [LauncherQuoting.SHELL, false, false]);
    const worker = WorkerResource.new('echo', 'echo');
    worker.launcher = launcher;
    equal(worker.launcher.get_quoting(), LauncherQuoting.SHELL);
    worker.start(null, null);
    equal(unpack(worker.get_messenger().call(string('x'), null, -1, null)), 'x');
    truthy(worker.stop(5 * SECOND));
    worker.launcher = Launcher.new(['no-such-launcher'], LauncherQuoting.ARGV, true, false);
    fails(Coproc.Error.SPAWN, () => worker.start(null, null));
});

test('rlimits', () => {
    const worker = WorkerResource.new('echo', 'echo');
    worker.rlimits = new GLib.Variant('a{st}', {nofile: 99});
    worker.start(null, null);
    const [, limits] = GLib.file_get_contents(`/proc/${worker.get_pid()}/limits`);
    truthy(/Max open files +99 +99 /.test(new TextDecoder().decode(limits)));
    truthy(worker.stop(5 * SECOND));
    worker.rlimits = new GLib.Variant('a{st}', {tea: 1});
    fails(Coproc.Error.FAILED, () => worker.start(null, null));
});

test('commands', () => {
    for (const line of GLib.getenv('COPROC_TEST_COMMANDS').split(';')) {
        const worker = WorkerResource.new_for_command(line.split(' '));
        worker.start(new GLib.Variant('a{sv}', {code: new GLib.Variant('i', 3)}), null);
        const messenger = worker.get_messenger();
        equal(messenger.peer_pid, worker.get_pid());
        equal(unpack(messenger.call(string('from JS'), 'c', 30 * SECOND, null)), 'from JS');
        truthy(worker.join(30 * SECOND, null));
        equal(worker.get_exit_status(), 3);
        fails(Coproc.Error.CLOSED, () => messenger.receive_blocking(null, null));
    }
});

test('thread', () => {
    const worker = Coproc.WorkerResource.new('echo', 'echo');
    worker.mode = Coproc.WorkerMode.THREAD;
    worker.start(null, null);
    equal(worker.get_pid(), 0);
    const reply = worker.get_messenger().call(new GLib.Variant('s', 'here'), 'channel', 10 * SECOND, null);
    equal(unpack(reply), 'here');
    worker.stop(SECOND);
    equal(worker.get_exit_status(), 0);
});

test('async', async () => {
    const worker = WorkerResource.new('echo', 'echo');
    const exits = [];
    worker.connect('exited', (_, status, signal) => exits.push([status, signal]));
    truthy(await worker.start_async(null, null));
    const calls = [1, 2, 3].map(i => worker.get_messenger().call_async(number(i), 'c', -1, null));
    equal((await Promise.all(calls)).map(unpack), [1, 2, 3]);
    truthy(await worker.join_async(30 * SECOND, null));
    truthy(await worker.stop_async(SECOND, null));
    until(() => exits.length);
    equal(exits, [[0, 0]]);
    equal(worker.state, WorkerState.EXITED);
});

test('join-keeps-replies', () => {
    const worker = echo();
    const messenger = worker.get_messenger();
    messenger.send_request_multiple([1, 2].map(number), 'j');
    // A close request overtakes what the worker has not received yet.
    until(() => messenger.available('j') === 2);
    truthy(worker.join(30 * SECOND, null));
    equal([1, 2].map(() => unpack(nextReply(messenger, 'j'))), [1, 2]);
    equal(nextReply(messenger, 'j'), null);
});

test('terminate', () => {
    const worker = echo();
    fails(Coproc.Error.ALREADY_ALIVE, () => worker.start(null, null));
    truthy(worker.terminate());
    truthy(!worker.is_alive());
    fails(Coproc.Error.NOT_ALIVE, () => worker.terminate());
});

test('killed', async () => {
    const worker = echo();
    const messenger = worker.get_messenger();
    const pid = worker.get_pid();
    kill(pid, 'STOP');
    const call = messenger.call_async(string('x'), null, -1, null);
    kill(pid, 'KILL');
    let error = null;
    try {
        await call;
    } catch (e) {
        error = e;
    }
    truthy(error.matches(Coproc.Error, Coproc.Error.WORKER_DIED) ||
        error.matches(Coproc.Error, Coproc.Error.NOT_STARTED), `${error}`);
    truthy(error.message.includes('signal KILL') && error.message.includes(`${pid}`), error.message);
    until(() => !worker.is_alive());
    equal([worker.get_exit_status(), worker.get_term_signal()], [-1, 9]);
});

test('restart', () => {
    const worker = echo();
    const first = worker.get_messenger();
    first.send_request(string('x'), 'r');
    kill(worker.get_pid(), 'KILL');
    until(() => !worker.is_alive());
    truthy(worker.start(null, null));
    const second = worker.get_messenger();
    truthy(first !== second);
    equal(second.requests_sent('r'), 0);
    equal(unpack(second.call(string('y'), 'r', -1, null)), 'y');
    worker.stop(SECOND);
});

test('restart-properties', () => {
    const worker = WorkerResource.new('echo', 'echo');
    equal(worker.restart_policy, Coproc.RestartPolicy.NEVER);
    equal([worker.max_restarts, worker.restart_window], [5, 30 * SECOND]);
    equal([worker.ping_timeout, worker.hang_timeout], [-1, -1]);
    worker.restart_policy = Coproc.RestartPolicy.ALWAYS;
    worker.max_restarts = 7;
    worker.restart_window = -1;
    worker.ping_timeout = SECOND;
    worker.hang_timeout = 2 * SECOND;
    equal(worker.restart_policy, Coproc.RestartPolicy.ALWAYS);
    equal([worker.max_restarts, worker.restart_window], [7, -1]);
    equal([worker.ping_timeout, worker.hang_timeout], [SECOND, 2 * SECOND]);
});

test('restarted', () => {
    const worker = WorkerResource.new('echo', 'echo');
    const told = [];
    worker.restart_policy = Coproc.RestartPolicy.ON_FAILURE;
    worker.max_restarts = 1;
    worker.connect('exited', (_, status, signal) => told.push([status, signal]));
    worker.connect('restarted', (_, count) => told.push(count));
    worker.start(null, null);
    const first = worker.get_messenger();
    first.send_request(string('x'), 'r');
    kill(worker.get_pid(), 'KILL');
    until(() => told.length === 2);
    equal(told, [[-1, 9], 1]);
    const second = worker.get_messenger();
    truthy(first !== second);
    equal([first.requests_sent('r'), second.requests_sent('r')], [1, 0]);
    equal(unpack(second.call(string('y'), 'r', -1, null)), 'y');

    kill(worker.get_pid(), 'KILL');
    until(() => !worker.is_alive());
    equal(worker.state, WorkerState.FAILED);
    fails(Coproc.Error.RESTART_LIMIT, () => second.receive_blocking(null, null));
    fails(Coproc.Error.RESTART_LIMIT, () => worker.join(-1, null));
});

test('not-started', () => {
    const worker = echo();
    const messenger = worker.get_messenger();
    kill(worker.get_pid(), 'STOP');
    messenger.send_request(string('x'), 'r');
    kill(worker.get_pid(), 'KILL');
    fails(Coproc.Error.NOT_STARTED, () => nextReply(messenger, 'r'));
    equal(nextReply(messenger, 'r'), null);
    worker.stop(SECOND);
});

test('messenger-signals', () => {
    const worker = echo();
    const messenger = worker.get_messenger();
    const got = [];
    messenger.connect('message::m', (_, message) => got.push(unpack(message.get_payload())));
    messenger.listen('m');
    messenger.send_request_multiple([1, 2].map(number), 'm');
    until(() => got.length === 2);
    equal(got, [1, 2]);
    worker.stop(SECOND);
});

test('max-message-size', () => {
    const size = 20 << 20;
    const worker = WorkerResource.new('echo', 'echo');
    worker.max_message_size = size;
    worker.start(null, null);
    const messenger = worker.get_messenger();
    equal(messenger.max_message_size, size);
    messenger.send_bytes(new Uint8Array(size), null);
    equal(messenger.receive_message(null, -1, null).get_bytes().get_size(), size);
    fails(Coproc.Error.TOO_LARGE, () => messenger.send_bytes(new Uint8Array(size + 1), null));
    worker.stop(SECOND);
});

test('messenger-type', () => {
    const Mine = GObject.registerClass(class MineWorker extends Coproc.Messenger {
        vfunc_get_priority(payload) {
            return [true, unpack(payload)];
        }
    });
    const worker = new WorkerResource({plugin: 'echo', entry_point: 'echo', messenger_type: Mine});
    worker.start(null, null);
    truthy(worker.get_messenger() instanceof Mine);
    equal(unpack(worker.get_messenger().call(number(1), null, -1, null)), 1);
    worker.stop(SECOND);
});

test('start-fails', async () => {
    const absent = WorkerResource.new('no-such-plugin', 'echo');
    fails(Coproc.Error.PLUGIN_NOT_FOUND, () => absent.start(null, null));
    equal(absent.state, WorkerState.FAILED);
    const worker = WorkerResource.new('echo', 'no-such-entry');
    await rejects(Coproc.Error.PLUGIN_SYMBOL, worker.start_async(null, null));
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    await rejects(Gio.IOErrorEnum.CANCELLED, WorkerResource.new('echo', 'echo')
        .start_async(null, cancellable), Gio.IOErrorEnum);
});

test('launcher-missing', () => {
    const worker = WorkerResource.new('echo', 'echo');
    worker.launcher = Coproc.Launcher.new(['no-such-launcher'], Coproc.LauncherQuoting.ARGV, true, false);
    fails(Coproc.Error.SPAWN, () => worker.start(null, null));
    worker.launcher = null;
    truthy(worker.start(null, null));
    worker.stop(SECOND);
});

test('ping-timeout', () => {
    const worker = WorkerResource.new('echo', 'echo');
    worker.ping_timeout = SECOND;
    worker.start(null, null);
    kill(worker.get_pid(), 'STOP');
    fails(Coproc.Error.WORKER_DIED, () => worker.get_messenger().receive_blocking(null, null));
    until(() => !worker.is_alive());
});

test('killed-during-call', async () => {
    const worker = echo();
    kill(worker.get_pid(), 'STOP');
    const calls = [1, 2, 3].map(i => worker.get_messenger().call_async(number(i), null, -1, null));
    kill(worker.get_pid(), 'KILL');
    for (const {status, reason} of await Promise.allSettled(calls)) {
        equal(status, 'rejected');
        truthy([Coproc.Error.WORKER_DIED, Coproc.Error.NOT_STARTED].includes(reason.code), reason);
        truthy(reason.message.includes('signal KILL'), reason.message);
    }
});

test('messenger-subclass', () => {
    const Mine = GObject.registerClass(class Mine extends Coproc.Messenger {
        vfunc_get_priority(payload) {
            return [true, payload.unpack()];
        }
    });
    const worker = WorkerResource.new('echo', 'echo');
    worker.messenger_type = Mine.$gtype;
    worker.start(null, null);
    const messenger = worker.get_messenger();
    truthy(messenger instanceof Mine);
    messenger.send_request_multiple([3, 1, 2].map(number), 'p');
    equal(unpack(messenger.call(number(9), null, -1, null)), 9);
    const priorities = [1, 2, 3].map(() => messenger.receive_message('p', -1, null).get_priority());
    equal(priorities, [...priorities].sort());
    worker.stop(SECOND);
});

test('dropped', () => {
    let worker = echo();
    const pid = worker.get_pid();
    worker = null;
    until(() => {
        System.gc();
        return !GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS);
    });
});

test('bad-arguments', () => {
    const worker = WorkerResource.new('echo', 'echo');
    fails(Coproc.Error.INVALID_PAYLOAD, () => worker.start(string('no dictionary'), null));
    truthy(!worker.is_alive());
    truthy(worker.start(new GLib.Variant('a{sv}', {any: number(1)}), null));
    worker.stop(SECOND);
});

test('cancelled-start', async () => {
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    const worker = WorkerResource.new('echo', 'echo');
    fails(Gio.IOErrorEnum.CANCELLED, () => worker.start(null, cancellable), Gio.IOErrorEnum);
    await rejects(Gio.IOErrorEnum.CANCELLED, worker.start_async(null, cancellable), Gio.IOErrorEnum);
    truthy(!worker.is_alive());
});

test('environment', () => {
    const worker = WorkerResource.new('echo', 'echo');
    worker.environment = ['PATH=/usr/bin', 'COPROC_TEST=1'];
    equal(worker.environment, ['PATH=/usr/bin', 'COPROC_TEST=1']);
    worker.start(null, null);
    const [, environ] = GLib.file_get_contents(`/proc/${worker.get_pid()}/environ`);
    truthy(new TextDecoder().decode(environ).split('\0').includes('COPROC_TEST=1'));
    worker.stop(SECOND);
});

test('inspect-fails', () => {
    fails(Coproc.Error.PLUGIN_NOT_FOUND, () => Coproc.Plugin.inspect('/no/such/file.so'));
    fails(Coproc.Error.PLUGIN_REFUSED, () => Coproc.Plugin.inspect('/etc/passwd'));
});

test('text-count', () => {
    const worker = WorkerResource.new('text', 'count');
    worker.start(null, null);
    const [file] = Gio.File.new_tmp('coproc-XXXXXX.txt');
    file.replace_contents('one two\nthree\n', null, false, Gio.FileCreateFlags.NONE, null);
    const payload = new GLib.Variant('a{sv}', {path: string(file.get_path())});
    const got = unpack(worker.get_messenger().call(payload, null, -1, null));
    equal([got.lines, got.words, got.bytes].map(Number), [2, 3, 14]);
    file.delete(null);
    worker.stop(SECOND);
});

test('plugins', () => {
    const plugins = [...Coproc.Plugin.list()];
    const plugin = plugins.find(p => p.get_name() === 'echo');
    truthy(plugins.some(p => p.get_name() === 'text'));
    equal(Coproc.Plugin.inspect(plugin.get_path()).get_entry_points().sort(), ['echo', 'identity', 'sink']);
    fails(Coproc.Error.PLUGIN_NOT_FOUND, () => Coproc.Plugin.inspect('/no/such.so'));
    turn();
});

await run();
