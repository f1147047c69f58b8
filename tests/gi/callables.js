/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Functions and classes that the tests run in worker processes.
 */
import GLib from 'gi://GLib';

export default function double(value) {
    return value * 2;
}

export const scale = (value, {factor = 1}) => value * factor;

export function later(value) {
    return new Promise(resolve => GLib.timeout_add(GLib.PRIORITY_DEFAULT, 1, () => {
        resolve(`${value}, later`);
        return GLib.SOURCE_REMOVE;
    }));
}

export function fail(value) {
    throw new RangeError(`not ${value}`);
}

export function odd(value) {
    return value ? Symbol('odd') : 'fine';
}

export function count(messenger, {start = 0}) {
    for (const request of messenger.messages())
        messenger.reply(request, start++);
}

export async function countLater(messenger) {
    let n = 0;
    for await (const request of messenger.messages('later'))
        messenger.reply(request, n++);
}

/** Holds a payload, and tells what its first byte is now. */
export function look(messenger) {
    let data = null;
    for (const message of messenger.messages()) {
        if (message.payload === null)
            messenger.reply(message, data[0]);
        else
            data = message.payload;
    }
}

/** Sends back what it has received, as it is there. */
export function giveBack(value) {
    return value;
}

export function refuse(messenger) {
    throw new TypeError('not today');
}

export class Adder {
    constructor({start = 0}) {
        this.total = start;
    }

    handle(value) {
        return this.total += value;
    }
}

export class Greeter {
    constructor(messenger, {greeting}) {
        this.messenger = messenger;
        this.greeting = greeting;
    }

    run() {
        for (const request of this.messenger.messages('names'))
            this.messenger.reply(request, `${this.greeting}, ${request.payload}!`);
    }
}
