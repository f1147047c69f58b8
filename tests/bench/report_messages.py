# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""libcoproc beside its peers, message by message."""

from report_format import make_rows, make_table, show_bytes, show_rate, show_time

OWN = "libcoproc"
SIZES = {"64-b": ("64 B", 64), "4-kib": ("4 KiB", 4 << 10), "64-kib": ("64 KiB", 64 << 10),
         "1-mib": ("1 MiB", 1 << 20), "16-mib": ("16 MiB", 16 << 20)}
# In this order; the ones with a * are what nobody can use as they are: the limits.
PEERS = {
    "libcoproc": "**libcoproc**",
    "libcoproc-in-place": "libcoproc, filled in place",
    "libcoproc-pipes": "libcoproc, over pipes",
    "libcoproc-thread": "libcoproc, a thread",
    "iceoryx": "iceoryx, copied in",
    "iceoryx-in-place": "iceoryx, filled in place",
    "boost": "Boost message_queue",
    "libzmq": "libzmq",
    "nng": "nng",
    "gdbus": "GDBus, peer to peer",
    "giochannel": "GIOChannel",
    "mqueue": "POSIX mqueue",
    "gasyncqueue": "GAsyncQueue, a thread",
    "python-bytes": "Python Pipe, bytes",
    "python-pickle": "Python Pipe, pickled",
    "node-json": "Node fork, JSON",
    "node-advanced": "Node fork, advanced",
    "pipe": "bare pipe *",
    "pipe-batched": "bare pipe of 1 MiB, batched *",
    "ring-futex": "bare ring, sleeping *",
    "ring-spinning": "bare ring, spinning *",
}
# A thread is measured beside threads.
RIVALS = {peer: OWN for peer in PEERS if not peer.startswith(OWN)} | {
    "gasyncqueue": "libcoproc-thread", "iceoryx-in-place": "libcoproc-in-place"}
SHORT = ["libcoproc", "libcoproc-in-place", "iceoryx", "boost", "libzmq", "nng", "gdbus", "giochannel", "mqueue",
         "python-bytes", "node-advanced", "pipe", "ring-spinning"]


def rate_column(name):
    size = 64 << 20 if name == "64-mib" else SIZES[name][1]  # in Python only
    if size == 64:
        return f"one-way-{name}", show_rate, True
    return f"one-way-{name}", lambda value: show_bytes(value, size), True


def time_column(measurement):
    return measurement, show_time, False


def make_tables(results):
    if results.get(OWN, "one-way-64-b") is None:
        return {}
    latency = [time_column("round-trip-same-core"), time_column("round-trip-busy"),
               time_column("round-trip-both-busy"), *[time_column(f"round-trip-{name}") for name in SIZES]]
    rates = [*[rate_column(name) for name in SIZES], ("in-flight", show_rate, True)]
    cpu = [time_column(f"{measurement}-cpu") for measurement in
           ("round-trip-same-core", "round-trip-64-b", "one-way-64-b", "one-way-64-kib", "one-way-1-mib", "in-flight")]
    short = [time_column("round-trip-64-b"), time_column("round-trip-1-mib"), rate_column("64-b"), rate_column("1-mib"),
             ("in-flight", show_rate, True)]
    shown = {peer: PEERS[peer] for peer in SHORT}
    titles = [title for title, _ in SIZES.values()]
    tables = {
        "latency": make_table(["round trip", "64 B, one core", "64 B, other core busy", "64 B, both cores busy",
                               *titles],
                              make_rows(results, PEERS, RIVALS, latency)),
        "rates": make_table(["one way", *titles, "64 in flight"], make_rows(results, PEERS, RIVALS, rates)),
        "cpu": make_table(["CPU a message", "64 B round trip, one core", "64 B round trip", "64 B one way",
                           "64 KiB one way", "1 MiB one way", "64 in flight"], make_rows(results, PEERS, RIVALS, cpu)),
        "messages-short": make_table(["one core each", "64 B there and back", "1 MiB there and back", "64 B one way",
                                      "1 MiB one way", "64 requests in flight"],
                                     make_rows(results, shown, RIVALS, short)),
    }
    idle = results.get(OWN, "idle")
    notes = ""
    if idle is not None:
        notes += f"200 idle workers and their host take {show_time(idle)} of processor time in each second.\n"
    tables["notes"] = notes + results.describe()
    return tables
