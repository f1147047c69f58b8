/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the start of a process costs with Node's child_process.fork; see start-peer.py.
 */
'use strict';

const { fork } = require('child_process');
const readline = require('readline');

function start() {
    return new Promise(resolve => {
        const begun = process.hrtime.bigint();
        const child = fork(__filename, ['child']);
        let taken;
        child.on('message', () => {
            taken = Number(process.hrtime.bigint() - begun) / 1e6;
            child.disconnect();
        });
        child.on('exit', () => resolve(taken));
        child.send(1);
    });
}

async function main() {
    let resident = null;
    for await (const line of readline.createInterface({ input: process.stdin })) {
        if (line.trim())
            resident = Buffer.alloc(Number(line), 1);
        console.log(await start());
    }
    return resident;
}

if (process.argv[2] === 'child')
    process.on('message', message => process.send(message));
else
    main();
