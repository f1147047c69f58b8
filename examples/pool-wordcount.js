/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Counts lines, words and bytes of every file below a folder, in as many processes as there are
 * processors, with a progress bar where there is a terminal.
 *
 * Run it with: meson devenv -C build gjs -m "$PWD/examples/pool-wordcount.js" "$PWD"
 */
import Coproc from 'gi://Coproc?version=1';
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const KEYS = ['lines', 'words', 'bytes'];

function* files(folder) {
    const children = folder.enumerate_children('standard::*', Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, null);
    for (let info = children.next_file(null); info; info = children.next_file(null)) {
        const child = children.get_child(info);
        if (info.get_file_type() === Gio.FileType.DIRECTORY)
            yield* files(child);
        else if (info.get_file_type() === Gio.FileType.REGULAR)
            yield child.get_path();
    }
}

const inputs = [...files(Gio.File.new_for_path(ARGV[0] ?? '.'))].map(path => ({path}));
const totals = {lines: 0, words: 0, bytes: 0};
let failed = 0;

const stderr = Gio.UnixOutputStream.new(2, false);

function onProgress({n_done, n_total, rate, remaining_time}) {
    const filled = n_total ? Math.floor(40 * n_done / n_total) : 40;
    const left = n_done < n_total ? `, ${Math.round(remaining_time / 1e6)} s left ` : `${' '.repeat(11)}\n`;
    stderr.write_all(`\r[${'#'.repeat(filled).padEnd(40)}] ${Math.floor(filled * 100 / 40)} %, ${Math.round(rate)} files/s${left}`,
        null);
}

await Coproc.using(Coproc.WorkerPool.new('text', 'count', 0), async pool => {
    const operation = pool.map_unordered(inputs);
    if (GLib.log_writer_supports_color(2))
        operation.connect('progress', onProgress);
    const results = operation[Symbol.asyncIterator]();
    for (let n = 0; n < inputs.length; n++) {
        try {
            const counts = (await results.next()).value;
            for (const key of KEYS)
                totals[key] += counts[key];
        } catch (error) {
            printerr(error.message);
            failed++;
        }
    }
});
print(`${KEYS.map(key => `${totals[key]} ${key}`).join(', ')} in ${inputs.length - failed} files`);
System.exit(failed > 0 ? 1 : 0);
