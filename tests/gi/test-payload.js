/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * JavaScript values as payloads: what GLib makes of them, what comes back, and what it costs.
 */
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';

import {equal, pair, run, test, truthy} from './tap.js';

const MIB = 1 << 20;

/** As JSON, with what JSON does not have. */
const show = value => JSON.stringify(value, (_, v) => {
    if (typeof v === 'bigint')
        return `${v}n`;
    return ArrayBuffer.isView(v) ? `bytes ${[...v]}` : v;
});

function cross(value) {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    hostEnd.send_norequest(value, 'p');
    const message = workerEnd.receive_message('p');
    return [message.payload, message.get_payload()];
}

function check(value, code, expected = value) {
    const [got, variant] = cross(value);
    equal(variant.get_type_string(), code, show(value));
    equal(show(got), show(expected), show(value));
    return variant;
}

test('payload/values', () => {
    for (const [value, code] of [
        [null, 'mv'], [true, 'b'], [0, 'x'], [-7, 'x'], [1.5, 'd'], [2 ** 53 - 1, 'x'], ['', 's'], ['grün', 's'],
        [new Uint8Array(0), 'ay'], [Uint8Array.of(0, 255), 'ay'], [[], 'av'], [[1, 2], 'ax'], [[1, 2.5], 'ad'],
        [['a', ''], 'as'], [[1, 'a', null], 'av'], [{}, 'a{sv}'], [{a: {b: [null, Uint8Array.of(1)]}}, 'a{sv}'],
        [[[1], [2, 3]], 'av'], [-(2n ** 63n), 'x'], [2n ** 64n - 1n, 't'],
    ])
        check(value, code);
    check(undefined, 'mv', null);
    check(7n, 'x', 7);
    check(new Map([['a', 1]]), 'a{sv}', {a: 1});
});

test('payload/buffers', () => {
    check(Float64Array.of(0.5, 1), 'ad', [0.5, 1]);
    check(Float32Array.of(0.5), 'ad', [0.5]);
    check(Int16Array.of(-1), 'an', [-1]);
    check(BigInt64Array.of(5n), 'ax', [5]);
    check(new Uint8Array([1, 2, 3, 4]).subarray(1, 3), 'ay', Uint8Array.of(2, 3));
    check(new Uint8Array([1, 2]).buffer, 'ay', Uint8Array.of(1, 2));
});

test('payload/variants', () => {
    check(new GLib.Variant('q', 7), 'q', 7);
    check({a: new GLib.Variant('(is)', [1, 'x'])}, 'a{sv}', {a: [1, 'x']});
    for (const [code, value] of [
        ['(yd)', [1, 0.5]], ['a(ys)', [[1, 'a'], [2, 'b']]], ['a(yx)', [[1, 2], [1, 2]]], ['mi', null], ['mi', 4],
        ['ms', 'x'], ['ab', [true, false]], ['(bms)', [true, null]], ['((yy)(qs)x)', [[1, 2], [6, '7'], 8]],
        ['aad', [[1], [], [2.5]]], ['(ss)', ['a', 'b']], ['()', []],
    ])
        check(new GLib.Variant(code, value), code, value);
});

test('payload/as-glib-does', () => {
    const of = value => new GLib.Variant('s', value);
    for (const size of [10, 250, 300, 65500, 65600]) {
        const text = 'x'.repeat(size);
        truthy(check(['y', text, ''], 'as').equal(new GLib.Variant('as', ['y', text, ''])));
        truthy(check({[text]: text, b: 'c'}, 'a{sv}').equal(new GLib.Variant('a{sv}', {[text]: of(text), b: of('c')})));
        truthy(check([text, 1], 'av').equal(new GLib.Variant('av', [of(text), new GLib.Variant('x', 1)])));
    }
});

test('payload/refused', () => {
    const [, hostEnd] = pair();
    for (const value of [Symbol('x'), () => 1, 2n ** 64n, 'a\0b', new Date(), new Map([[1, 2]]), [Symbol('x')]]) {
        let thrown = null;
        try {
            hostEnd.send_norequest(value);
        } catch (error) {
            thrown = error;
        }
        truthy(thrown !== null, typeof value);
    }
    equal(hostEnd.messages_sent(), 0);
});

test('payload/budget', () => {
    const [workerEnd, hostEnd] = pair(Coproc.MultiMessenger);
    hostEnd.max_variant_size = workerEnd.max_variant_size = 16 * MIB;
    for (const [value, seconds] of [[new Uint8Array(MIB), 1], [new Float64Array(MIB / 8), 4]]) {
        const start = GLib.get_monotonic_time();
        for (let i = 0; i < 20; i++) {
            hostEnd.send_norequest(value);
            equal(workerEnd.receive_blocking().length, value.length);
        }
        truthy(GLib.get_monotonic_time() - start < seconds * 1e6, `the time for 20 MiB of ${value.constructor.name}`);
    }
});

await run();
