# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Exchanges of two Python processes, measured and printed as bench-harness.c does it.

A side has send() and receive(); connect(name) starts the other side, which calls serve(), and gives this one and what ends
it. Only standard modules, and numpy if it is there.
"""

import multiprocessing
import os
import resource
import statistics
import sys
import time

try:
    import numpy
except ImportError:
    numpy = None

LAST = 1
END = b"end"
WINDOW = 64
# A child has the cores of who has started it, which may be on one alone by then.
CORES = [int(core) for core in
         os.environ.setdefault("BENCH_CORES", ",".join(map(str, sorted(os.sched_getaffinity(0))))).split(",")]
EXCHANGES = [
    ("round-trip-same-core", 64), ("round-trip-64-b", 64), ("round-trip-4-kib", 4 << 10),
    ("round-trip-64-kib", 64 << 10), ("round-trip-1-mib", 1 << 20), ("round-trip-16-mib", 16 << 20),
    ("round-trip-busy", 64),
    ("one-way-64-b", 64), ("one-way-4-kib", 4 << 10), ("one-way-64-kib", 64 << 10),
    ("one-way-1-mib", 1 << 20), ("one-way-16-mib", 16 << 20),
    ("in-flight", 64),
]
# Of Python only; those with objects, which not all can send.
MORE = [("round-trip-dict", 0), ("one-way-64-mib", 64 << 20)]
OBJECTS = ["round-trip-dict", "round-trip-array"]
if numpy is not None:
    MORE.append(("round-trip-array", 1 << 19))


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


def new_message(name, size, is_last):
    """Bytes, of which the first tells whether they are the last; or a dict, maybe with an array."""
    if name == "round-trip-dict":
        return {"last": is_last, "name": "value", "number": 42, "list": [1, 2.5, None]}
    if name == "round-trip-array":
        return {"last": is_last, "array": numpy.full(size, 2, "u1")}
    return bytes([LAST if is_last else 0]) + b"\2" * (size - 1)


def serve(side, name):
    pin(name, False)
    while side.receive() != END:
        side.send(b"begin")
        cpu = get_cpu_time()
        last = False
        while not last:
            message = side.receive()
            last = message["last"] if type(message) is dict else message[0] == LAST
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
    message, last = new_message(name, size, False), new_message(name, size, True)
    side.send(b"begin")
    side.receive()
    cpu, begun = get_cpu_time(), time.perf_counter()
    if name.startswith("round-trip"):
        n, value = round_trip(side, message, last, begun + seconds, name.endswith("busy"))
    elif name == "in-flight":
        n, value = in_flight(side, message, last, begun + seconds)
    else:
        n, value = one_way(side, message, last, begun + seconds)
    other_cpu = float(bytes(side.receive()))
    if value is None:
        value = n / (time.perf_counter() - begun)
    return value, (get_cpu_time() - cpu + other_cpu) / n * 1e6


def measure(peer, connect, name, size, seconds):
    busy = multiprocessing.Process(target=keep_busy, daemon=True) if name.endswith("busy") else None
    if busy is not None:
        busy.start()
    side, end = connect(name)
    pin(name, True)
    exchange(side, name, size, seconds / 2)
    value, cpu = exchange(side, name, size, seconds)
    print(f"{peer} {name} {value:.6g}")
    print(f"{peer} {name}-cpu {cpu:.6g}", flush=True)
    side.send(END)
    end()
    os.sched_setaffinity(0, CORES)
    if busy is not None:
        busy.kill()
        busy.join()


def get_seconds():
    return float(sys.argv[2]) if len(sys.argv) == 3 and sys.argv[1] == "--seconds" else 0.2
