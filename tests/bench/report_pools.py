# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""libcoproc's pools beside others."""

from report_format import make_rows, make_table, show_rate, show_time

OWN = "libcoproc-pool"
PEERS = {
    "libcoproc-pool": "**libcoproc**, automatic chunks",
    "python-pool": "Python Pool, automatic chunks",
    "python-executor-100": "Python Executor, chunks of 100",
    "libcoproc-pool-1": "**libcoproc**, one task a message",
    "python-pool-1": "Python Pool, chunks of 1",
    "python-executor-1": "Python Executor",
    "node-processes": "Node child_process",
    "node-threads": "Node worker_threads",
    "parallel": "GNU parallel, a process a task",
    "libcoproc-pool-threads": "**libcoproc**, threads",
    "gthreadpool": "GThreadPool",
}
# Those of one kind stand together.
RIVALS = {
    "python-pool": "libcoproc-pool",
    "python-executor-100": "libcoproc-pool",
    "python-pool-1": "libcoproc-pool-1",
    "python-executor-1": "libcoproc-pool-1",
    "node-processes": "libcoproc-pool-1",
    "node-threads": "libcoproc-pool-1",
    "parallel": "libcoproc-pool-1",
    "gthreadpool": "libcoproc-pool-threads",
}
LENGTHS = {"empty": "empty", "10-us": "10 µs", "1-ms": "1 ms", "mixed": "mixed"}
CASES = {f"{length}-{size}": f"{length_title}, {size_title}"
         for size, size_title in (("64-b", "64 B"), ("64-kib", "64 KiB"))
         for length, length_title in LENGTHS.items()}


# Where tasks run in the host's process, its time is theirs, too.
THREADS = ["node-threads", "libcoproc-pool-threads", "gthreadpool"]


def make_pool_table(results, head, cases, columns, peers=PEERS):
    return make_table([head, *[CASES[case] for case in cases]], make_rows(results, peers, RIVALS, columns))


def make_tables(results):
    if results.get(OWN, "empty-64-b") is None:
        return {}
    short = ["empty-64-b", "10-us-64-b", "1-ms-64-b", "mixed-64-b", "1-ms-64-kib"]
    return {
        "pools": make_pool_table(results, "tasks each second", CASES, [(case, show_rate, True) for case in CASES]),
        "pools-p99": make_pool_table(results, "99 of 100 take less", CASES,
                                     [(f"{case}-p99", show_time, False) for case in CASES]),
        "pools-cpu": make_pool_table(results, "the host's CPU a task", CASES,
                                     [(f"{case}-host-cpu", show_time, False) for case in CASES],
                                     {peer: title for peer, title in PEERS.items() if peer not in THREADS}),
        "pools-short": make_pool_table(results, "tasks each second", short,
                                       [(case, show_rate, True) for case in short]),
        "pools-notes": results.describe(),
    }
