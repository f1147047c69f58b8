# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""libcoproc in Python, beside what Python and Node have themselves."""

from report_format import make_rows, make_table, show_rate, show_time
from report_messages import rate_column, time_column

OWN = "python-override"
PEERS = {
    "python-override": "**libcoproc**",
    "python-package": "**package coproc**",
    "python-bytes": "Pipe, `send_bytes()`",
    "python-pickle": "Pipe, `send()`",
    "node-json": "Node fork, JSON",
    "node-advanced": "Node fork, advanced",
}
OURS = ("python-override", "python-package", "python-override-pool", "python-package-pool")
THEIRS = [peer for peer in PEERS if peer not in OURS]
COLUMNS = {
    "64 B there and back": time_column("round-trip-64-b"),
    "on one core": time_column("round-trip-same-core"),
    "a dict": time_column("round-trip-dict"),
    "with an array of 512 KiB": time_column("round-trip-array"),
    "1 MiB": time_column("round-trip-1-mib"),
    "64 B one way": rate_column("64-b"),
    "64 KiB": rate_column("64-kib"),
    "1 MiB one way": rate_column("1-mib"),
    "16 MiB": rate_column("16-mib"),
    "64 MiB": rate_column("64-mib"),
    "64 in flight": ("in-flight", show_rate, True),
}
POOLS = {
    "python-override-pool": "**`Coproc.WorkerPool`**",
    "python-package-pool": "**`coproc.Pool`**",
    "python-pool": "`multiprocessing.Pool`",
    "python-executor": "`ProcessPoolExecutor`",
    "python-gi": "two interpreters that import PyGObject",
}
POOL_COLUMNS = {
    "tasks, automatic chunks": ("map-automatic", show_rate, True),
    "tasks, chunks of 1": ("map-1", show_rate, True),
    "start to first results": ("pool-start", show_time, False),
    "import": ("pool-import", show_time, False),
}


def make_python_table(results, head, peers, own, columns):
    rivals = {peer: own for peer in peers if peer not in OURS}
    return make_table([head, *columns], make_rows(results, peers, rivals, list(columns.values())))


def make_tables(results):
    if results.get(OWN, "one-way-64-b") is None:
        return {}
    short = ("64 B there and back", "a dict", "64 B one way", "1 MiB one way", "64 MiB")
    theirs = {peer: PEERS[peer] for peer in THEIRS}
    pipes = {peer: title for peer, title in theirs.items() if not peer.startswith("node")}
    return {
        "python": make_python_table(results, "two processes", {OWN: PEERS[OWN]} | theirs, OWN, COLUMNS),
        "python-package": make_python_table(results, "two processes", {"python-package": PEERS["python-package"]} | pipes,
                                            "python-package", COLUMNS),
        "python-pools": make_python_table(results, "two workers", POOLS, "python-package-pool", POOL_COLUMNS),
        "python-short": make_python_table(results, "in Python", {OWN: PEERS[OWN]} | pipes, OWN,
                                          {title: COLUMNS[title] for title in short}),
    }
