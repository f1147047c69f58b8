# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the start of a process costs in Python: start-peer.py fork|spawn

For each line of its input it starts a process, sends it something, waits for the answer, and prints how
many milliseconds that took. A line with a number makes it resident in so many bytes first.
"""

import multiprocessing
import sys
import time


def echo(connection):
    connection.send(connection.recv())


def start(context):
    begun = time.perf_counter()
    ours, theirs = context.Pipe()
    process = context.Process(target=echo, args=(theirs,))
    process.start()
    ours.send(1)
    ours.recv()
    taken = time.perf_counter() - begun
    process.join()
    return taken * 1e3


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    resident = b""
    for line in sys.stdin:
        if line.strip():
            resident = b"\x01" * int(line)
        print(start(context), flush=True)
