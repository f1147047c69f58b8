/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Pools of Node's worker_threads and of its child processes. It has none of its own: this one keeps two tasks with each
 * of two workers, so that none waits for the host. pool-node.js [--seconds X]
 *
 * Measures and prints as bench-pool.c does.
 */
'use strict';

const { fork } = require('child_process');
const { Worker, isMainThread, parentPort } = require('worker_threads');

const WORKERS = 2;
const WINDOW = 2;
const IN_FLIGHT = 8;
const MOST = 1000000;
const MOST_BYTES = 256 << 20;
const LENGTHS = { 'empty': 0, '10-us': 10, '1-ms': 1000, 'mixed': -1 };
const SIZES = { '64-b': 64, '64-kib': 64 << 10 };

function now() {
    return Number(process.hrtime.bigint()) / 1e9;
}

function getCpuTime() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
}

/* What a task does. */
function spin(data) {
    const us = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
    const end = now() + us / 1e6;
    while (us > 0 && now() < end)
        ;
    return data;
}

function newInput(size, us, i) {
    const data = new Uint8Array(size);
    new DataView(data.buffer).setUint32(0, us >= 0 ? us : i % 10 === 3 ? 1000 : 10, true);
    return data;
}

class Pool {
    constructor(kind) {
        this.waiting = [];
        this.first = 0;
        this.workers = Array.from({ length: WORKERS }, () => this.newWorker(kind));
    }

    newWorker(kind) {
        const running = [];
        const worker = kind === 'threads' ? new Worker(__filename)
            : fork(__filename, ['child'], { serialization: 'advanced' });
        const post = kind === 'threads' ? data => worker.postMessage(data) : data => worker.send(data);
        const self = {
            running,
            take: (data, done) => {
                running.push(done);
                post(data);
            },
            end: () => kind === 'threads' ? worker.terminate() : worker.disconnect(),
        };
        worker.on('message', result => {
            running.shift()(result);
            if (this.first < this.waiting.length) {
                const [data, done] = this.waiting[this.first++];
                self.take(data, done);
            }
        });
        return self;
    }

    submit(data, done) {
        for (let window = 1; window <= WINDOW; window++) {
            const worker = this.workers.find(one => one.running.length < window);
            if (worker) {
                worker.take(data, done);
                return;
            }
        }
        if (this.first > 1000 && this.first === this.waiting.length) {
            this.waiting = [];
            this.first = 0;
        }
        this.waiting.push([data, done]);
    }

    map(inputs) {
        return new Promise(resolve => {
            const results = new Array(inputs.length);
            let left = inputs.length;
            inputs.forEach((data, i) => this.submit(data, result => {
                results[i] = result;
                if (--left === 0)
                    resolve(results);
            }));
        });
    }

    end() {
        return Promise.all(this.workers.map(worker => worker.end()));
    }
}

async function timeMap(pool, size, us, n) {
    const inputs = Array.from({ length: n }, (_, i) => newInput(size, us, i));
    const cpu = getCpuTime(), begun = now();
    await pool.map(inputs);
    return [now() - begun, getCpuTime() - cpu];
}

async function measureMap(peer, pool, name, size, us, seconds) {
    let n = 64, taken = 0, cpu = 0;
    while (taken < seconds / 10 && n * 4 <= MOST && n * 4 * size <= MOST_BYTES) {
        n *= 4;
        [taken] = await timeMap(pool, size, us, n);
    }
    n = Math.floor(Math.min(Math.max(n * seconds / taken, 16), MOST, MOST_BYTES / size));
    [taken, cpu] = await timeMap(pool, size, us, n);
    console.log(`${peer} ${name} ${(n / taken).toPrecision(6)}`);
    console.log(`${peer} ${name}-host-cpu ${(cpu / n * 1e6).toPrecision(6)}`);
}

async function measureLatency(peer, pool, name, size, us, seconds) {
    const latencies = [];
    const end = now() + seconds;
    let number = 0;

    async function keepOne() {
        while (now() < end) {
            const input = newInput(size, us, number++);
            const begun = now();
            await new Promise(resolve => pool.submit(input, resolve));
            latencies.push(now() - begun);
        }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, keepOne));
    latencies.sort((a, b) => a - b);
    console.log(`${peer} ${name}-p99 ${(latencies[Math.floor(latencies.length * 0.99)] * 1e6).toPrecision(6)}`);
}

async function main(seconds) {
    for (const kind of ['threads', 'processes'])
        for (const [what, us] of Object.entries(LENGTHS))
            for (const [name, size] of Object.entries(SIZES)) {
                const pool = new Pool(kind);
                await measureMap(`node-${kind}`, pool, `${what}-${name}`, size, us, seconds);
                await measureLatency(`node-${kind}`, pool, `${what}-${name}`, size, us, seconds);
                await pool.end();
            }
}

if (!isMainThread)
    parentPort.on('message', data => parentPort.postMessage(spin(data)));
else if (process.argv[2] === 'child')
    process.on('message', data => process.send(spin(data)));
else
    main(process.argv[2] === '--seconds' ? Number(process.argv[3]) : 0.5);
