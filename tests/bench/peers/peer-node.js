/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Node's child_process.fork, with both of its ways to serialise: peer-node.js [--seconds X]
 *
 * Measures and prints as bench-harness.c does: strings as JSON, Buffers with the "advanced" serialisation.
 */
'use strict';

const { fork, spawn, spawnSync } = require('child_process');
const { readFileSync } = require('fs');

const WINDOW = 64;
const KIB = 1024;
const EXCHANGES = {
    'round-trip-same-core': 64, 'round-trip-64-b': 64, 'round-trip-4-kib': 4 * KIB,
    'round-trip-64-kib': 64 * KIB, 'round-trip-1-mib': KIB * KIB, 'round-trip-16-mib': 16 * KIB * KIB,
    'round-trip-busy': 64,
    'one-way-64-b': 64, 'one-way-4-kib': 4 * KIB, 'one-way-64-kib': 64 * KIB,
    'one-way-1-mib': KIB * KIB, 'one-way-16-mib': 16 * KIB * KIB,
    'in-flight': 64,
};

/* The cores that may be used: all of them, and the first and the last. */
function getCores() {
    const [, list] = readFileSync('/proc/self/status', 'utf8').match(/Cpus_allowed_list:\s*(\S+)/);
    const numbers = list.split(/[-,]/);
    return { all: list, first: numbers[0], last: numbers[numbers.length - 1] };
}

function getCpuTime() {
    const { userCPUTime, systemCPUTime } = process.resourceUsage();
    return (userCPUTime + systemCPUTime) / 1e6;
}

function now() {
    return Number(process.hrtime.bigint()) / 1e9;
}

function isLast(message) {
    return typeof message === 'string' ? message.charCodeAt(0) === 49 : message[0] === 49;
}

function newMessage(mode, size, first) {
    const text = first + '2'.repeat(size - 1);
    return mode === 'json' ? text : Buffer.from(text);
}

function serve(name) {
    let cpu = null;
    process.on('message', message => {
        if (message === 'begin') {
            process.send(message);
            cpu = getCpuTime();
            return;
        }
        const last = isLast(message);
        if (!name.startsWith('one-way'))
            process.send(message);
        if (last)
            process.send({ cpu: getCpuTime() - cpu });
    });
}

/* One end of the channel, whose messages can be awaited. */
class Side {
    constructor(child) {
        this.child = child;
        this.messages = [];
        this.waiting = null;
        child.on('message', message => {
            if (this.waiting === null)
                this.messages.push(message);
            else {
                const { waiting } = this;
                this.waiting = null;
                waiting(message);
            }
        });
    }

    receive() {
        if (this.messages.length > 0)
            return this.messages.shift();
        return new Promise(resolve => {
            this.waiting = resolve;
        });
    }

    send(message) {
        return this.child.send(message);
    }

    sendAndFlush(message) {
        return new Promise(resolve => this.child.send(message, resolve));
    }
}

async function roundTrip(side, message, last, until, busy) {
    const samples = [];
    do {
        const begun = now();
        side.send(message);
        await side.receive();
        samples.push(now() - begun);
    } while (now() < until);
    side.send(last);
    await side.receive();
    samples.sort((a, b) => a - b);
    const mean = samples.reduce((a, b) => a + b) / samples.length;
    const middle = busy ? mean : samples[samples.length >> 1];
    return [samples.length + 1, middle * 1e6];
}

async function oneWay(side, message, last, until, size) {
    const batch = Math.max(1, 64 * KIB / size);
    let n = 1;
    do {
        for (let i = 1; i < batch; i++)
            side.send(message);
        await side.sendAndFlush(message);
        n += batch;
    } while (now() < until);
    side.send(last);
    return [n, null];
}

async function inFlight(side, message, last, until) {
    let n = WINDOW;
    for (let i = 0; i < WINDOW - 1; i++)
        side.send(message);
    do {
        for (let i = 0; i < 100; i++) {
            side.send(message);
            await side.receive();
        }
        n += 100;
    } while (now() < until);
    side.send(last);
    for (let i = 0; i < WINDOW; i++)
        await side.receive();
    return [n, null];
}

/* Returns: the figure, and the processor time of a message on both sides in µs */
async function exchange(side, mode, name, seconds) {
    const size = EXCHANGES[name];
    const message = newMessage(mode, size, '0'), last = newMessage(mode, size, '1');

    side.send('begin');
    await side.receive();
    let cpu = getCpuTime();
    const begun = now();
    const run = name.startsWith('round-trip') ? roundTrip : name === 'in-flight' ? inFlight : oneWay;
    let [n, value] = await run(side, message, last, begun + seconds,
        run === roundTrip ? name === 'round-trip-busy' : size);
    const other = await side.receive();
    if (value === null)
        value = n / (now() - begun);
    cpu = getCpuTime() - cpu + other.cpu;
    return [value, cpu / n * 1e6];
}

async function host(mode, name, otherCores, seconds) {
    const child = fork(__filename, ['serve', name], {
        serialization: mode,
        execPath: 'taskset',
        execArgv: ['-c', otherCores, process.execPath],
    });
    const side = new Side(child);

    await exchange(side, mode, name, seconds / 2);
    const [value, cpu] = await exchange(side, mode, name, seconds);
    console.log(`node-${mode} ${name} ${value.toPrecision(6)}`);
    console.log(`node-${mode} ${name}-cpu ${cpu.toPrecision(6)}`);
    child.disconnect();
}

function measure(mode, name, seconds) {
    const cores = getCores();
    const busy = name === 'round-trip-busy';
    const load = busy ? spawn('taskset', ['-c', cores.last, 'sh', '-c', 'while :; do :; done']) : null;
    const ours = busy ? cores.all : cores.first;
    const theirs = busy ? cores.all : name === 'round-trip-same-core' ? cores.first : cores.last;
    const program = [process.execPath, __filename, 'host', mode, name, theirs, seconds];
    const { status } = spawnSync('taskset', ['-c', ours, ...program], { stdio: 'inherit', timeout: 60000 });
    load?.kill('SIGKILL');
    if (status !== 0)
        console.error(`node-${mode} ${name}: status ${status}`);
}

const [, , role, ...rest] = process.argv;
if (role === 'serve')
    serve(rest[0]);
else if (role === 'host')
    host(rest[0], rest[1], rest[2], Number(rest[3]));
else
    for (const mode of ['json', 'advanced'])
        for (const name of Object.keys(EXCHANGES))
            measure(mode, name, role === '--seconds' ? rest[0] : '0.2');
