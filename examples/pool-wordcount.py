#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Counts lines, words and bytes of every file below a folder, in as many processes as there are
# processors, with a progress bar where there is a terminal.
#
# Run it with: meson devenv -C build /usr/bin/python3 "$PWD/examples/pool-wordcount.py" "$PWD"
import os
import sys

import gi
gi.require_version('Coproc', '1')
from gi.repository import Coproc, GLib

KEYS = 'lines', 'words', 'bytes'
folder = sys.argv[1] if len(sys.argv) > 1 else '.'
paths = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
paths = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]

totals = dict.fromkeys(KEYS, 0)
failed = 0
context = GLib.MainContext.default()


def on_progress(operation):
    done, total = operation.props.n_done, operation.props.n_total
    filled = 40 * done // total if total else 40
    left = f', {operation.props.remaining_time / 1e6:.0f} s left ' if done < total else ' ' * 11 + '\n'
    print(f'\r[{"#" * filled:40}] {filled * 100 // 40:3} %, {operation.props.rate:.0f} files/s{left}', end='',
          file=sys.stderr)


with Coproc.WorkerPool.new('text', 'count', 0) as pool:
    results = pool.map_unordered({'path': path} for path in paths)
    if sys.stderr.isatty():
        results.connect('progress', on_progress)
    for _ in paths:
        try:
            counts = next(results)
            for key in KEYS:
                totals[key] += counts[key]
        except GLib.Error as error:
            print(error.message, file=sys.stderr)
            failed += 1
        context.iteration(False)  # there is no main loop here: this lets it tell of its progress
    while context.iteration(False):
        pass

print(', '.join(f'{totals[key]} {key}' for key in KEYS), 'in', len(paths) - failed, 'files')
sys.exit(failed > 0)
