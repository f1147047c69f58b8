#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Counts lines, words and bytes of files, as `wc` does, in a worker process: all requests are sent
# first, then their replies are collected.
#
# Run it with: meson devenv -C build /usr/bin/python3 "$PWD/examples/wordcount.py" "$PWD"/README.md ...
import sys

import gi
gi.require_version('Coproc', '1')
from gi.repository import Coproc, GLib

KEYS = 'lines', 'words', 'bytes'


def print_counts(counts, name):
    print(*(f'{counts[key]:7}' for key in KEYS), name)


total = dict.fromkeys(KEYS, 0)
failed = False

with Coproc.WorkerResource.new('text', 'count') as worker:
    messenger = worker.messenger
    messenger.send_request_multiple({'path': path} for path in sys.argv[1:])

    while messenger.remaining() > 0:
        try:
            for counts in messenger.receive_remaining():
                print_counts(counts, counts['path'])
                for key in KEYS:
                    total[key] += counts[key]
        except GLib.Error as error:  # of one file; the others follow
            print(error.message, file=sys.stderr)
            failed = True

if len(sys.argv) > 2:
    print_counts(total, 'total')
sys.exit(failed)
