# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's multiprocessing.Pipe, with bytes and with objects that are pickled: peer-multiprocessing.py [--seconds X]

Measures and prints as bench-harness.c does. Only standard modules.
"""

import multiprocessing
import os
import resource
import statistics
import sys
import time

LAST = 1
END = b"end"
WINDOW = 64
CORES = sorted(os.sched_getaffinity(0))
EXCHANGES = [
    ("round-trip-same-core", 64), ("round-trip-64-b", 64), ("round-trip-4-kib", 4 << 10),
    ("round-trip-64-kib", 64 << 10), ("round-trip-1-mib", 1 << 20), ("round-trip-16-mib", 16 << 20),
    ("round-trip-busy", 64),
    ("one-way-64-b", 64), ("one-way-4-kib", 4 << 10), ("one-way-64-kib", 64 << 10),
    ("one-way-1-mib", 1 << 20), ("one-way-16-mib", 16 << 20),
    ("in-flight", 64),
]


def pin(name, host):
    if name == "round-trip-busy":
        os.sched_setaffinity(0, CORES)
    else:
        os.sched_setaffinity(0, [CORES[0] if host or name == "round-trip-same-core" else CORES[-1]])


def get_cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def keep_busy():
    os.sched_setaffinity(0, [CORES[-1]])
    while True:
        pass


class Side:
    """One end of the pipe; messages are bytes, or are pickled."""

    def __init__(self, connection, pickled):
        self.send = connection.send if pickled else connection.send_bytes
        self.receive = connection.recv if pickled else connection.recv_bytes


def serve(connection, pickled, name):
    pin(name, False)
    side = Side(connection, pickled)
    while side.receive() != END:
        side.send(b"begin")
        cpu = get_cpu_time()
        last = False
        while not last:
            message = side.receive()
            last = message[0] == LAST
            if not name.startswith("one-way"):
                side.send(message)
        side.send(str(get_cpu_time() - cpu).encode())


def round_trip(side, message, last, until, busy):
    samples = []
    while not samples or time.perf_counter() < until:
        begun = time.perf_counter()
        side.send(message)
        side.receive()
        samples.append(time.perf_counter() - begun)
    side.send(last)
    side.receive()
    middle = statistics.mean(samples) if busy else statistics.median(samples)
    return len(samples) + 1, middle * 1e6


def one_way(side, message, last, until):
    n = 1
    while time.perf_counter() < until:
        for _ in range(max(1, (64 << 10) // len(message))):
            side.send(message)
            n += 1
    side.send(last)
    return n, None


def in_flight(side, message, last, until):
    n = WINDOW
    for _ in range(WINDOW - 1):
        side.send(message)
    while time.perf_counter() < until:
        for _ in range(100):
            side.send(message)
            side.receive()
        n += 100
    side.send(last)
    for _ in range(WINDOW):
        side.receive()
    return n, None


def exchange(side, name, size, seconds):
    """Returns: the figure, and the processor time of a message on both sides in µs"""
    message, last = bytes(size), bytes([LAST]) + bytes(size - 1)
    side.send(b"begin")
    side.receive()
    cpu, begun = get_cpu_time(), time.perf_counter()
    if name.startswith("round-trip"):
        n, value = round_trip(side, message, last, begun + seconds, name.endswith("busy"))
    elif name == "in-flight":
        n, value = in_flight(side, message, last, begun + seconds)
    else:
        n, value = one_way(side, message, last, begun + seconds)
    other_cpu = float(side.receive())
    if value is None:
        value = n / (time.perf_counter() - begun)
    return value, (get_cpu_time() - cpu + other_cpu) / n * 1e6


def measure(peer, pickled, name, size, seconds):
    ours, theirs = multiprocessing.Pipe()
    busy = multiprocessing.Process(target=keep_busy, daemon=True) if name.endswith("busy") else None
    if busy is not None:
        busy.start()
    other = multiprocessing.Process(target=serve, args=(theirs, pickled, name), daemon=True)
    other.start()
    pin(name, True)
    side = Side(ours, pickled)
    exchange(side, name, size, seconds / 2)
    value, cpu = exchange(side, name, size, seconds)
    print(f"{peer} {name} {value:.6g}")
    print(f"{peer} {name}-cpu {cpu:.6g}", flush=True)
    side.send(END)
    other.join()
    if busy is not None:
        busy.kill()
        busy.join()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    seconds = float(sys.argv[2]) if len(sys.argv) == 3 and sys.argv[1] == "--seconds" else 0.2
    for peer, pickled in ("python-bytes", False), ("python-pickle", True):
        for name, size in EXCHANGES:
            measure(peer, pickled, name, size, seconds)
