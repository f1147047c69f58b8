# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The project's own goals for its speed, and which of them are reached."""

import dataclasses

from report_format import MISSING, make_table, show_number, show_rate, show_time

MIB = "MiB/s"
TIME = "µs"

# What it is | beside which peer and measurement | libcoproc's own | unit | what the ratio, or with `itself` the figure,
# has to be. Figures of bench-coproc over pipes are those of "coproc", over shared memory of "shared".
ROWS = """
64 B ping-pong, same core | pipe round-trip-same-core | coproc round-trip-same-core | µs | <= 1.4
64 B ping-pong, same core, as bytes | pipe round-trip-same-core | coproc round-trip-same-core-bytes | µs | <= 1.4
64 B ping-pong, same core; pipe with a thread beside | pipe-watched round-trip-same-core | coproc round-trip-same-core | µs | <= 1.4
64 B ping-pong, one core each, both sleep (spin-time 0) | pipe round-trip-64-b | coproc round-trip-two-cores-sleeping | µs | <= 1.4
64 B ping-pong, one core each, libcoproc spins, the pipe sleeps | pipe round-trip-64-b | coproc round-trip-two-cores | µs | <= 1.4
64 B ping-pong, one core each, both spin | pipe-spinning round-trip-64-b | coproc round-trip-two-cores | µs |
64 B call and reply, same core | pipe round-trip-same-core | coproc call-same-core | µs | <= 1.4
64 B call and reply, one core each, libcoproc spins, the pipe sleeps | pipe round-trip-64-b | coproc call-two-cores | µs | <= 1.4
64 B one way: send_bytes, received as bytes | pipe one-way-64-b | coproc bytes-to-bytes | 1/s | >= 0.8
64 B one way: send_bytes, received as bytes; pipe with a thread beside | pipe-watched one-way-64-b | coproc bytes-to-bytes | 1/s | >= 0.8
64 B one way: send_bytes, receive_messages | pipe one-way-64-b | coproc bytes-to-messages | 1/s | >= 0.8
64 B one way: send_bytes, receive_blocking | pipe one-way-64-b | coproc bytes-to-blocking | 1/s | >= 0.8
64 B one way: send_bytes, receive_available | pipe one-way-64-b | coproc bytes-to-available | 1/s | >= 0.8
64 B one way: send_norequest, receive_blocking | pipe one-way-64-b | coproc variant-to-blocking | 1/s | >= 0.8
64 B one way: send_norequest, receive_available | pipe one-way-64-b | coproc variant-to-available | 1/s | >= 0.8
64 B one way: send_request_multiple, 1,000 a call, received as bytes | pipe one-way-64-b | coproc multiple-to-bytes | 1/s | >= 3
64 B one way: send_request_multiple, 1,000 a call, receive_messages | pipe one-way-64-b | coproc multiple-to-messages | 1/s | >= 3
64 B one way: send_request_multiple, 1,000 a call, receive_available | pipe one-way-64-b | coproc multiple-to-available | 1/s | >= 3
64 requests of 64 B in flight, one call each | pipe in-flight | coproc in-flight | 1/s | >= 0.5
64 requests of 64 B in flight, sent in batches, as bytes | pipe in-flight | coproc in-flight-batch | 1/s | >= 0.5
64 requests of 64 B in flight, sent in batches, as bytes; pipe with a thread beside | pipe-watched in-flight | coproc in-flight-batch | 1/s | >= 0.5
1 MiB one way; both pipes hold 1 MiB | pipe-batched one-way-1-mib | coproc large | MiB/s | >= 0.8
shared memory: 64 B ping-pong, same core | pipe round-trip-same-core | shared round-trip-same-core | µs | <= 1.2
shared memory: 64 B ping-pong, one core each, both sleep | pipe round-trip-64-b | shared round-trip-two-cores-sleeping | µs | <= 1
shared memory: 64 B ping-pong, one core each, both awake; spinning pipe | pipe-spinning round-trip-64-b | shared round-trip-two-cores | µs | itself <= 0.6
shared memory: 64 B ping-pong as bytes, one core each, both awake; spinning pipe | pipe-spinning round-trip-64-b | shared round-trip-two-cores-bytes | µs | itself <= 0.6
shared memory: 64 B one way: send_bytes, received as bytes | pipe one-way-64-b | shared bytes-to-bytes | 1/s | itself >= 10e6
shared memory: 64 B one way: send_bytes, receive_messages | pipe one-way-64-b | shared bytes-to-messages | 1/s | itself >= 10e6
shared memory: 64 B one way: send_norequest, receive_blocking | pipe one-way-64-b | shared variant-to-blocking | 1/s | itself >= 4e6
shared memory: 64 requests of 64 B in flight, one call each | pipe in-flight | shared in-flight | 1/s | itself >= 4e6
shared memory: 64 requests of 64 B in flight, one call each, as bytes | pipe in-flight | shared in-flight-bytes | 1/s | itself >= 4e6
shared memory: 64 requests of 64 B in flight, sent in batches, as bytes | pipe in-flight | shared in-flight-batch | 1/s | itself >= 4e6
shared memory: 64 KiB one way, copied once; memcpy | memcpy one-way-64-kib | libcoproc one-way-64-kib | 1/s | >= 0.8
shared memory: 1 MiB one way, copied once; memcpy | memcpy one-way-1-mib | libcoproc one-way-1-mib | 1/s | >= 0.8
shared memory: 16 MiB one way, copied once; memcpy | memcpy one-way-16-mib | libcoproc one-way-16-mib | 1/s | >= 0.8
shared memory: 64 KiB one way, copied once; bare ring | ring-spinning one-way-64-kib | libcoproc one-way-64-kib | 1/s |
shared memory: 1 MiB one way, copied once; bare ring | ring-spinning one-way-1-mib | libcoproc one-way-1-mib | 1/s |
shared memory: 16 MiB one way, copied once; bare ring | ring-spinning one-way-16-mib | libcoproc one-way-16-mib | 1/s |
shared memory: 16 MiB one way, in place; 64 KiB in place | libcoproc-in-place one-way-64-kib | libcoproc-in-place one-way-16-mib | 1/s |
shared memory: 16 MiB one way, in place; 64 B of libcoproc | libcoproc one-way-64-b | libcoproc-in-place one-way-16-mib | 1/s | >= 0.333
threads: 64 B one way; GAsyncQueue | gasyncqueue one-way-64-b | libcoproc-thread one-way-64-b | 1/s | itself >= 4e6
receives of 100,000 queued, 4 priorities | - | coproc priority-4 | 1/s | itself >= 1e6
receives of 100,000 queued, all priorities distinct | - | coproc priority-distinct | 1/s | itself >= 1e6
"""

POOL_ROWS = """
empty tasks, automatic chunks; multiprocessing.Pool | python-pool empty-64-b | libcoproc-pool empty-64-b | 1/s | itself >= 1e6
empty tasks, one a message; multiprocessing.Pool | python-pool-1 empty-64-b | libcoproc-pool-1 empty-64-b | 1/s | itself >= 250e3
tasks of 1 ms: 1,900 each second are an efficiency of 0.95 | python-pool 1-ms-64-b | libcoproc-pool 1-ms-64-b | 1/s | itself >= 1900
threads: empty tasks; GThreadPool | gthreadpool empty-64-b | libcoproc-pool-threads empty-64-b | 1/s | >= 1
threads: empty tasks of 64 KiB; GThreadPool | gthreadpool empty-64-kib | libcoproc-pool-threads empty-64-kib | 1/s | >= 1
threads: tasks of 1 ms; GThreadPool | gthreadpool 1-ms-64-b | libcoproc-pool-threads 1-ms-64-b | 1/s | itself >= 1900
"""


@dataclasses.dataclass
class Row:
    """One measurement of libcoproc, beside another one."""

    title: str
    other: list  # peer and measurement; empty where there is none
    own: list
    unit: str
    of_value: bool  # whether the goal is for the figure, not for the ratio
    sense: str      # "<=", ">=", or empty without a goal
    limit: float


def read_row(line):
    title, other, own, unit, wanted = (part.strip() for part in line.split("|"))
    words = wanted.split()
    return Row(title, [] if other == "-" else other.split(), own.split(), unit, "itself" in words,
               words[-2] if words else "", float(words[-1]) if words else 0)


def show(value, unit):
    if value is None:
        return MISSING
    if unit == MIB:
        return f"{value:.0f} MiB/s"
    return show_time(value) if unit == TIME else show_rate(value)


def show_wanted(row, reached):
    if not row.sense:
        return ""
    what = show(row.limit, row.unit) if row.of_value else f"{row.limit:g} ×"
    return f"{'≤' if row.sense == '<=' else '≥'} {what}, {'yes' if reached else 'NO'}"


def judge(row, own, ratio):
    """Returns: whether the goal is reached, or None where there is none"""
    figure = own if row.of_value else ratio
    if not row.sense or figure is None:
        return None
    return figure <= row.limit if row.sense == "<=" else figure >= row.limit


def measure_rows(results, rows):
    """Those that were measured: (row, the other's figure or None, its own, the ratio or None)"""
    for row in map(read_row, rows.strip().splitlines()):
        own = results.get(*row.own)
        other = results.get(*row.other) if row.other else None
        if own is not None:
            yield row, other, own, own / other if other else None


def get_goals(results):
    return [{"measurement": row.title, "unit": row.unit, "other": other, "libcoproc": own, "ratio": ratio,
             "wanted": f"{row.sense} {row.limit:g}" if row.sense else None, "reached": judge(row, own, ratio)}
            for row, other, own, ratio in measure_rows(results, ROWS.rstrip() + POOL_ROWS)]


def make_goals_table(results, rows):
    lines = [[row.title, show(other, row.unit), show(own, row.unit),
              MISSING if ratio is None else f"{show_number(ratio)} ×", show_wanted(row, judge(row, own, ratio))]
             for row, other, own, ratio in measure_rows(results, rows)]
    return make_table(["measurement", "the other", "libcoproc", "ratio", "wanted"], lines) if lines else None


def make_tables(results):
    tables = {"goals": make_goals_table(results, ROWS), "pool-goals": make_goals_table(results, POOL_ROWS)}
    return {name: table for name, table in tables.items() if table is not None}
