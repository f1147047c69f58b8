/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A worker that is a JavaScript program: answers each array of numbers with its median.
 *
 * A host starts it: meson devenv -C build examples/script-host gjs -m $PWD/examples/js-worker.js
 */
import Coproc from 'gi://Coproc?version=1';
import GLib from 'gi://GLib';

function median(numbers) {
    const sorted = numbers.sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// A number that is whole would be sent as an integer: the host wants a `d`.
const answer = numbers => new GLib.Variant('d', median(numbers));

const [messenger] = Coproc.worker_connect();
await Coproc.using(messenger, () => Coproc.serve(answer, messenger));
