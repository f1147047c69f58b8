# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The Python package beside multiprocessing and concurrent.futures: the same exchanges, in turns, in one run.

    meson devenv -C build/bench python3 $PWD/tests/bench/bench-python-package.py [ROUNDS [WHAT]]

prints a table of medians: how often a second (more is better), or how long (less is better). WHAT is a part
of the names of the rows that are wanted.
"""

import concurrent.futures
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import coproc

KIB = 1 << 10
MIB = 1 << 20


def square(x):
    return x * x


# Both sides of an exchange have a core each, where there are two. (A child has those of who has started it.)
CORES = os.environ.setdefault("BENCH_CORES", ",".join(map(str, sorted(os.sched_getaffinity(0)))))


def pin(core):
    cores = [int(number) for number in CORES.split(",")]
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def unpin():
    os.sched_setaffinity(0, {int(number) for number in CORES.split(",")})


# --- the other sides: each repeats what it gets, or swallows it until the end ---

END = b"end"


def coproc_echo(messenger):
    pin(1)
    while True:
        messenger.send_norequest(messenger.receive_blocking())


def coproc_sink(messenger):
    pin(1)
    while True:
        if messenger.receive_blocking() == END:
            messenger.send_norequest(END)


def pipe_echo(connection):
    pin(1)
    while True:
        connection.send(connection.recv())


def pipe_sink(connection):
    pin(1)
    while True:
        if connection.recv() == END:
            connection.send(END)


def pipe_bytes_echo(connection):
    pin(1)
    while True:
        connection.send_bytes(connection.recv_bytes())


def pipe_bytes_sink(connection):
    pin(1)
    while True:
        if connection.recv_bytes() == END:
            connection.send_bytes(END)


class Coproc:
    def __init__(self, target):
        self.worker = coproc.WorkerResource(target, coproc.MultiMessenger)
        self.worker.start()
        self.send, self.receive = self.worker.messenger.send_norequest, self.worker.messenger.receive_blocking
        pin(0)

    def end(self):
        unpin()
        self.worker.terminate()


class Pipe:
    def __init__(self, target, names=("send", "recv")):
        ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=target, args=(theirs,), daemon=True)
        self.process.start()
        self.send, self.receive = (getattr(ours, name) for name in names)
        pin(0)

    def end(self):
        unpin()
        self.process.kill()
        self.process.join()


def pipe_of_bytes(target):
    return Pipe(target, ("send_bytes", "recv_bytes"))


# --- what is measured: each gives a rate, or seconds ---


def round_trips(make, payload, n):
    def measure():
        peer = make()
        try:
            for i in range(n + 20):
                if i == 20:
                    started = time.perf_counter()
                peer.send(payload)
                peer.receive()
            return n / (time.perf_counter() - started)
        finally:
            peer.end()

    return measure


def one_way(make, payload, n):
    def measure():
        peer = make()
        try:
            for i in range(n + 2):
                if i == 2:
                    started = time.perf_counter()
                peer.send(payload)
            peer.send(END)
            peer.receive()
            return n / (time.perf_counter() - started)
        finally:
            peer.end()

    return measure


def start(make):
    def measure():
        started = time.perf_counter()
        peer = make()
        peer.send(END)
        peer.receive()
        elapsed = time.perf_counter() - started
        peer.end()
        return elapsed

    return measure


def tasks(make_map, n):
    def measure():
        with_pool, run = make_map()
        with with_pool as pool:
            run(pool, 2000)
            started = time.perf_counter()
            results = run(pool, n)
            elapsed = time.perf_counter() - started
        assert results == [x * x for x in range(n)]
        return n / elapsed

    return measure


def coproc_map(chunksize):
    return lambda: (coproc.Pool(2), lambda pool, n: pool.map(square, range(n), chunksize))


def multiprocessing_map(chunksize):
    return lambda: (multiprocessing.Pool(2), lambda pool, n: pool.map(square, range(n), chunksize))


def executor_map(chunksize):
    return lambda: (
        concurrent.futures.ProcessPoolExecutor(2),
        lambda pool, n: list(pool.map(square, range(n), chunksize=chunksize)),
    )


def import_time(names):
    def measure():
        program = f"import time; t = time.perf_counter(); import {names}; print(time.perf_counter() - t)"
        return float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)

    return measure


def spawned(target):
    """Pipe() with a process that does not come from a fork."""

    def make():
        before = multiprocessing.get_start_method()
        multiprocessing.set_start_method("spawn", force=True)
        try:
            return Pipe(target)
        finally:
            multiprocessing.set_start_method(before, force=True)

    return make


def get_rows():
    """(what, unit, of the package, its peer, of the peer)"""
    text, few = "x" * 10, os.urandom(64)
    for what, payload in (("a short text", text), ("64 B", few), ("a dict", {"a": 1, "b": [1, 2, 3]})):
        yield (f"round trip: {what}", "/s", round_trips(lambda: Coproc(coproc_echo), payload, 3000),
               "Pipe, send()", round_trips(lambda: Pipe(pipe_echo), payload, 3000))
    yield ("round trip: 64 B", "/s", round_trips(lambda: Coproc(coproc_echo), few, 3000),
           "Pipe, send_bytes()", round_trips(lambda: pipe_of_bytes(pipe_bytes_echo), few, 3000))
    yield ("one way: a short text", "/s", one_way(lambda: Coproc(coproc_sink), text, 20000),
           "Pipe, send()", one_way(lambda: Pipe(pipe_sink), text, 20000))
    yield ("one way: 64 B", "/s", one_way(lambda: Coproc(coproc_sink), few, 20000),
           "Pipe, send_bytes()", one_way(lambda: pipe_of_bytes(pipe_bytes_sink), few, 20000))
    for name, size, n in (("64 KiB", 64 * KIB, 3000), ("1 MiB", MIB, 500), ("16 MiB", 16 * MIB, 64),
                          ("64 MiB", 64 * MIB, 16)):
        payload = b"\1" * size
        yield (f"one way: bytes, {name}", "/s", one_way(lambda: Coproc(coproc_sink), payload, n),
               "Pipe, send()", one_way(lambda: Pipe(pipe_sink), payload, n))
        yield (f"one way: bytes, {name}", "/s", one_way(lambda: Coproc(coproc_sink), payload, n),
               "Pipe, send_bytes()", one_way(lambda: pipe_of_bytes(pipe_bytes_sink), payload, n))
    for what, chunk, n, executor_chunk in (("chunk 1", 1, 10000, 1), ("automatic chunks", None, 300000, 1000)):
        yield (f"Pool.map, {what}", " tasks/s", tasks(coproc_map(chunk), n),
               "multiprocessing.Pool", tasks(multiprocessing_map(chunk), n))
        yield (f"Pool.map, {what}", " tasks/s", tasks(coproc_map(chunk), n),
               f"ProcessPoolExecutor, chunk {executor_chunk}", tasks(executor_map(executor_chunk), n))
    yield ("start to first reply", "s", start(lambda: Coproc(coproc_sink)),
           "Process, spawn", start(spawned(pipe_sink)))
    yield ("start to first reply", "s", start(lambda: Coproc(coproc_sink)),
           "Process, fork", start(lambda: Pipe(pipe_sink)))
    yield ("import coproc and its messengers, workers", "s",
           import_time("coproc, coproc.messenger, coproc.worker_resource"),
           "import multiprocessing and what Pool needs", import_time("multiprocessing.pool"))


def show(value, unit):
    if unit == "s":
        return f"{value * 1e3:.1f} ms"
    if value >= 1e6:
        return f"{value / 1e6:.2f} M{unit.lstrip()}" if unit == "/s" else f"{value / 1e6:.2f} M{unit}"
    return f"{value:,.0f}{unit}" if value < 1e4 else f"{value / 1e3:,.1f} k{unit.lstrip()}"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    rows = [row for row in get_rows() if wanted in row[0]]
    figures = [([], []) for _ in rows]
    for _ in range(rounds):
        for (_, _, ours, _, theirs), (our_figures, their_figures) in zip(rows, figures):
            our_figures.append(ours())
            their_figures.append(theirs())
    print("| measurement | coproc | peer | its figure | coproc is so many times as fast |")
    print("|---|---|---|---|---|")
    for (what, unit, _, peer, _), pair in zip(rows, figures):
        ours, theirs = (statistics.median(values) for values in pair)
        ratio = theirs / ours if unit == "s" else ours / theirs
        print(f"| {what} | {show(ours, unit)} | {peer} | {show(theirs, unit)} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
