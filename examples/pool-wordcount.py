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

with Coproc.WorkerPool.new('text', 'count', 0) as pool:
    results = pool.map_unordered({'path': path} for path in paths)
    for n in range(1, len(paths) + 1):
        try:
            counts = next(results)
            for key in KEYS:
                totals[key] += counts[key]
        except GLib.Error as error:
            print(error.message, file=sys.stderr)
            failed += 1
        if sys.stderr.isatty():
            filled = 40 * n // len(paths)
            print(f'\r[{"#" * filled:40}] {n} of {len(paths)}', end='', file=sys.stderr)
if sys.stderr.isatty():
    print(file=sys.stderr)

print(', '.join(f'{totals[key]} {key}' for key in KEYS), 'in', len(paths) - failed, 'files')
sys.exit(failed > 0)
