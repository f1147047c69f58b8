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


worker = Coproc.WorkerResource.new('text', 'count')
worker.start(None, None)
messenger = worker.get_messenger()

paths = sys.argv[1:]
messenger.send_request_multiple(
    [GLib.Variant('a{sv}', {'path': GLib.Variant('s', path)}) for path in paths], None)

total = dict.fromkeys(KEYS, 0)
failed = False
while messenger.remaining(None) > 0:
    try:
        reply = messenger.receive_remaining(None, None).unpack()
    except GLib.Error as error:
        print(error.message, file=sys.stderr)
        failed = True
        continue
    print_counts(reply, reply['path'])
    for key in KEYS:
        total[key] += reply[key]

if len(paths) > 1:
    print_counts(total, 'total')
sys.exit(failed)
