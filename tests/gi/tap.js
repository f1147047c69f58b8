/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A test harness in one screen: assertions, waiting with a deadline, TAP output.
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

/** Most tests run twice: with the library as introspection gives it, and with the override. */
export const OVERRIDE = GLib.getenv('COPROC_TEST_OVERRIDE') !== null;
if (OVERRIDE !== ('messages' in Coproc.Messenger.prototype))
    throw new Error(`the override is ${OVERRIDE ? 'missing' : 'not wanted'}`);

const cases = [];

export function test(name, body) {
    cases.push({name, body});
}

export function equal(actual, expected, what = '') {
    const [a, e] = [actual, expected].map(v => JSON.stringify(v) ?? String(v));
    if (a !== e)
        throw new Error(`${what} is ${a}, not ${e}`);
}

export function truthy(value, what = 'the value') {
    if (!value)
        throw new Error(`${what} is ${value}`);
}

/** Calls a function (or awaits a promise) that must fail, and returns the error. */
export function fails(code, body, domain = Coproc.Error) {
    try {
        body();
    } catch (error) {
        return expect(error, code, domain);
    }
    throw new Error('it did not fail');
}

export async function rejects(code, promise, domain = Coproc.Error) {
    try {
        await promise;
    } catch (error) {
        return expect(error, code, domain);
    }
    throw new Error('it did not fail');
}

function expect(error, code, domain) {
    if (!(error instanceof GLib.Error) || !error.matches(domain, code))
        throw new Error(`another error: ${error}`);
    return error;
}

/** Runs the main context until the condition holds. */
export function until(condition, seconds = 30) {
    const context = GLib.MainContext.default();
    const deadline = GLib.get_monotonic_time() + seconds * 1e6;
    const tick = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 10, () => GLib.SOURCE_CONTINUE);
    try {
        while (!condition()) {
            if (GLib.get_monotonic_time() > deadline)
                throw new Error('it did not happen in time');
            context.iteration(true);
        }
    } finally {
        GLib.source_remove(tick);
    }
}

export function turn() {
    while (GLib.MainContext.default().iteration(false))
        continue;
}

export const string = text => new GLib.Variant('s', text);
export const number = value => new GLib.Variant('x', value);

/** The value of a payload, which is a GLib.Variant only without the override. */
export const unpack = payload => payload instanceof GLib.Variant ? payload.recursiveUnpack() : payload;

/** The payload of the next reply, or null: with the override receive_remaining() is an iterator. */
export function nextReply(messenger, channel) {
    const replies = messenger.receive_remaining(channel, null);
    return OVERRIDE ? replies.next().value ?? null : replies;
}

/** Lets asynchronous methods give promises, which with the override they do. */
export function promisify(kind, ...names) {
    for (const name of OVERRIDE ? [] : names)
        Gio._promisify(kind.prototype, `${name}_async`, `${name}_finish`);
}

export function pair(type = Coproc.PriorityMessenger) {
    const [done, workerEnd, hostEnd] = Coproc.Messenger.new_pair(type);
    truthy(done, 'new_pair');
    return [workerEnd, hostEnd];
}

/** The memory of this process that is resident, in KiB. */
export function resident() {
    const [, text] = GLib.file_get_contents('/proc/self/statm');
    return Number(new TextDecoder().decode(text).split(' ')[1]) * 4;
}

/** Runs all tests, then ends the program. */
export async function run() {
    let n = 0, failed = 0;
    print(`1..${cases.length}`);
    for (const {name, body} of cases) {
        n++;
        try {
            await body();
            print(`ok ${n} ${name}`);
        } catch (error) {
            failed++;
            print(`not ok ${n} ${name}`);
            for (const line of `${error}\n${error.stack ?? ''}`.split('\n'))
                print(`# ${line}`);
        }
    }
    System.gc();
    System.exit(failed ? 1 : 0);
}
