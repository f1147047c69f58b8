# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools of Python: that of the package coproc, and the two of the standard library: python-pools.py [--seconds X]

The tasks are so small that they show what the pool does. A pool has two workers.
"""

import concurrent.futures
import multiprocessing
import subprocess
import sys
import time

import coproc
from python_exchange import get_seconds


def square(x):
    return x * x


# How each maps: chunks of their own choice, which the executor does not have, or of one.
POOLS = {
    "python-package-pool": (coproc.Pool, lambda pool, items, chunk: pool.map(square, items, chunk), None),
    "python-pool": (multiprocessing.Pool, lambda pool, items, chunk: pool.map(square, items, chunk), None),
    "python-executor": (concurrent.futures.ProcessPoolExecutor,
                        lambda pool, items, chunk: list(pool.map(square, items, chunksize=chunk)), 1000),
}
# What a program has to import for it.
IMPORTS = {
    "python-package-pool": "coproc; coproc.Pool",
    "python-pool": "multiprocessing.pool",
    "python-executor": "concurrent.futures; concurrent.futures.ProcessPoolExecutor",
}


def measure_rate(run, pool, chunk, seconds):
    """Tasks each second: as many as take about that time."""
    n = 1000
    while True:
        begun = time.perf_counter()
        results = run(pool, range(n), chunk)
        spent = time.perf_counter() - begun
        if results != [x * x for x in range(n)]:
            sys.exit("A pool has lost something")
        if spent >= seconds:
            return n / spent
        n = int(n * min(10, 1 + seconds / spent))


def measure(name, seconds):
    make, run, automatic = POOLS[name]
    begun = time.perf_counter()
    with make(2) as pool:
        run(pool, range(2), 1)
        print(f"{name} pool-start {(time.perf_counter() - begun) * 1e6:.6g}")
        for measurement, chunk in ("map-automatic", automatic), ("map-1", 1):
            print(f"{name} {measurement} {measure_rate(run, pool, chunk, seconds):.6g}")
    program = f"import time; t = time.perf_counter(); import {IMPORTS[name]}; print(time.perf_counter() - t)"
    spent = float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    print(f"{name} pool-import {spent * 1e6:.6g}", flush=True)


if __name__ == "__main__":
    for name in POOLS:
        measure(name, get_seconds())
