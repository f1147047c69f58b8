# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools of Python: of libcoproc, with its override and as the package coproc, and the two of the standard library:
python-pools.py [--seconds X]

The tasks are so small that they show what the pool does. A pool has two workers.
"""

import concurrent.futures
import multiprocessing
import statistics
import subprocess
import sys
import time

import coproc
import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

from python_exchange import get_seconds  # noqa: E402


def square(x):
    return x * x


# How each is made and maps: chunks of their own choice, which the executor does not have, or of one.
POOLS = {
    "python-override-pool": (lambda n: Coproc.WorkerPool.for_callable(square, n),
                             lambda pool, items, chunk: pool.map(items, chunk), 0),
    "python-package-pool": (coproc.Pool, lambda pool, items, chunk: pool.map(square, items, chunk), None),
    "python-pool": (multiprocessing.Pool, lambda pool, items, chunk: pool.map(square, items, chunk), None),
    "python-executor": (concurrent.futures.ProcessPoolExecutor,
                        lambda pool, items, chunk: list(pool.map(square, items, chunksize=chunk)), 1000),
}
# What a program has to import for it.
IMPORTS = {
    "python-override-pool": "import gi; gi.require_version('Coproc', '1'); from gi.repository import Coproc",
    "python-package-pool": "import coproc; coproc.Pool",
    "python-pool": "import multiprocessing.pool",
    "python-executor": "import concurrent.futures; concurrent.futures.ProcessPoolExecutor",
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


def measure_import(code):
    """The median of a few, as of modules that were imported before: the first one compiles them."""
    program = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    return statistics.median(
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout) for _ in range(5))


def measure_interpreters():
    """What workers that are fresh interpreters, and an import of libcoproc, begin with: PyGObject alone."""
    code = "from gi.repository import GLib"
    begun = time.perf_counter()
    for process in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]:
        process.wait()
    print(f"python-gi pool-start {(time.perf_counter() - begun) * 1e6:.6g}")
    print(f"python-gi pool-import {measure_import(code) * 1e6:.6g}", flush=True)


def measure(name, seconds):
    make, run, automatic = POOLS[name]
    begun = time.perf_counter()
    with make(2) as pool:
        run(pool, range(2), 1)
        print(f"{name} pool-start {(time.perf_counter() - begun) * 1e6:.6g}")
        for measurement, chunk in ("map-automatic", automatic), ("map-1", 1):
            print(f"{name} {measurement} {measure_rate(run, pool, chunk, seconds):.6g}")
    print(f"{name} pool-import {measure_import(IMPORTS[name]) * 1e6:.6g}", flush=True)


if __name__ == "__main__":
    for name in POOLS:
        measure(name, get_seconds())
    measure_interpreters()
