# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's own pools of processes: pool-python.py [--seconds X]

Measures and prints as bench-pool.c does. Only standard modules.
"""

import concurrent.futures
import multiprocessing
import queue
import resource
import sys
import time

WORKERS = 2
IN_FLIGHT = 8
MOST = 1000000
MOST_BYTES = 256 << 20
CASES = [(f"{what}-{name}", size, us)
         for what, us in (("empty", 0), ("10-us", 10), ("1-ms", 1000), ("mixed", -1))
         for name, size in (("64-b", 64), ("64-kib", 64 << 10))]


def spin(data):
    """What a task does."""
    end = time.perf_counter() + int.from_bytes(data[:8], "little") / 1e6
    while time.perf_counter() < end:
        pass
    return data


def new_input(size, us, i):
    if us < 0:
        us = 1000 if i % 10 == 3 else 10
    return us.to_bytes(8, "little") + bytes(size - 8)


def get_cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Pool:
    """multiprocessing.Pool, with chunks that it chooses or of one task."""

    def __init__(self, chunk_size):
        self.pool = multiprocessing.Pool(WORKERS)
        self.chunk_size = chunk_size

    def map(self, inputs):
        return self.pool.map(spin, inputs, self.chunk_size)

    def submit(self, data, done):
        self.pool.apply_async(spin, (data,), callback=done)

    def close(self):
        self.pool.terminate()
        self.pool.join()


class Executor:
    """concurrent.futures.ProcessPoolExecutor: chunks are of one task unless it is told otherwise."""

    def __init__(self, chunk_size):
        self.pool = concurrent.futures.ProcessPoolExecutor(WORKERS)
        self.chunk_size = chunk_size

    def map(self, inputs):
        return list(self.pool.map(spin, inputs, chunksize=self.chunk_size))

    def submit(self, data, done):
        self.pool.submit(spin, data).add_done_callback(done)

    def close(self):
        self.pool.shutdown()


def time_map(pool, size, us, n):
    inputs = [new_input(size, us, i) for i in range(n)]
    cpu, begun = get_cpu_time(), time.perf_counter()
    pool.map(inputs)
    return time.perf_counter() - begun, get_cpu_time() - cpu


def measure_map(peer, pool, case, size, us, seconds):
    n, taken = 64, 0
    while taken < seconds / 10 and n * 4 <= MOST and n * 4 * size <= MOST_BYTES:
        n *= 4
        taken, cpu = time_map(pool, size, us, n)
    n = int(min(max(n * seconds / taken, 16), MOST, MOST_BYTES // size))
    taken, cpu = time_map(pool, size, us, n)
    print(f"{peer} {case} {n / taken:.6g}")
    print(f"{peer} {case}-host-cpu {cpu / n * 1e6:.6g}")


def measure_latency(peer, pool, case, size, us, seconds):
    done = queue.SimpleQueue()
    latencies = []
    end = time.perf_counter() + seconds

    def submit(i):
        begun = time.perf_counter()
        pool.submit(new_input(size, us, i), lambda _: done.put(begun))

    for i in range(IN_FLIGHT):
        submit(i)
    while time.perf_counter() < end:
        begun = done.get()
        latencies.append(time.perf_counter() - begun)
        i += 1
        submit(i)
    for _ in range(IN_FLIGHT):
        done.get()
    latencies.sort()
    print(f"{peer} {case}-p99 {latencies[len(latencies) * 99 // 100] * 1e6:.6g}", flush=True)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    seconds = float(sys.argv[2]) if len(sys.argv) == 3 and sys.argv[1] == "--seconds" else 0.5
    for peer, kind, chunk_size in (("python-pool", Pool, None), ("python-pool-1", Pool, 1),
                                   ("python-executor-1", Executor, 1), ("python-executor-100", Executor, 100)):
        for case, size, us in CASES:
            pool = kind(chunk_size)
            measure_map(peer, pool, case, size, us, seconds)
            measure_latency(peer, pool, case, size, us, seconds)
            pool.close()
