# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The plots of the pages, by gnuplot."""

import os
import shutil
import subprocess
import sys

import report_pools
from report_messages import PEERS, SIZES

STYLE = """set terminal svg size 820,420 noenhanced font "sans-serif,13" background "white" linewidth 1.4
set output "{output}"
set key outside right top reverse Left spacing 1.2
set grid lc rgb "#dddddd"
set border lc rgb "#666666"
"""
LINES = {
    "libcoproc": "#d62728",
    "libcoproc-in-place": "#ff7f0e",
    "libcoproc-pipes": "#e377c2",
    "iceoryx": "#393b79",
    "boost": "#1f77b4",
    "libzmq": "#2ca02c",
    "nng": "#17becf",
    "gdbus": "#9467bd",
    "python-bytes": "#8c564b",
    "node-advanced": "#bcbd22",
    "pipe": "#7f7f7f",
    "ring-spinning": "#000000",
}
POOL_COLOURS = {
    "libcoproc-pool": "#d62728",
    "python-pool": "#1f77b4",
    "python-executor-100": "#2ca02c",
    "libcoproc-pool-1": "#ff7f0e",
    "python-pool-1": "#aec7e8",
    "python-executor-1": "#98df8a",
    "node-processes": "#bcbd22",
    "node-threads": "#8c564b",
    "parallel": "#7f7f7f",
    "libcoproc-pool-threads": "#e377c2",
    "gthreadpool": "#9467bd",
}
CASE_TITLES = {f"{length}-64-b": title for length, title in report_pools.LENGTHS.items()}


def run_gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plain(title):
    return title.replace("*", "").strip()


def draw_lines(results, output, title, label, get):
    """get(peer, size's name, size): the figure or None"""
    blocks, curves = [], []
    for number, (peer, colour) in enumerate(LINES.items()):
        points = [(size, get(peer, name, size)) for name, (_, size) in SIZES.items()]
        points = [(size, value) for size, value in points if value is not None]
        if not points:
            continue
        blocks.append(f"$data{number} << end\n" + "".join(f"{x} {y:.5g}\n" for x, y in points) + "end\n")
        width = 2.5 if peer == "libcoproc" else 1.2
        dash = 2 if PEERS[peer].endswith(" *") else 1
        name = plain(PEERS[peer])
        curves.append(f'$data{number} with linespoints lc rgb "{colour}" lw {width} dt {dash} pt 7 ps 0.5'
                      f' title "{name}"')
    ticks = ", ".join(f'"{title}" {size}' for title, size in SIZES.values())
    run_gnuplot("".join(blocks) + STYLE.format(output=output) + f"""set title "{title}"
set ylabel "{label}"
set logscale xy
set format y "%g"
set xtics ({ticks})
plot {", ".join(curves)}
""")


def draw_bars(results, output):
    """How many tasks of each length each pool runs, two workers each."""
    cases = [f"{length}-64-b" for length in report_pools.LENGTHS]
    peers = [peer for peer in report_pools.PEERS if results.get(peer, cases[0]) is not None]
    lines = [" ".join([f'"{CASE_TITLES[case]}"', *[f"{results.get(peer, case) or 'NaN'}" for peer in peers]])
             for case in cases]
    bars = []
    for number, peer in enumerate(peers):
        title = f'"{plain(report_pools.PEERS[peer])}"'
        xtic = ":xtic(1)" if number == 0 else ""
        bars.append(f'$data using {number + 2}{xtic} title {title} lc rgb "{POOL_COLOURS[peer]}"')
    run_gnuplot("$data << end\n" + "\n".join(lines) + "\nend\n" + STYLE.format(output=output) + f"""set key samplen 1
set title "Tasks of 64 bytes, two workers"
set ylabel "tasks each second"
set style data histogram
set style histogram cluster gap 1
set style fill solid
set logscale y
set yrange [50:*]
set format y "%.0s%c"
plot {", ".join(bars)}
""")


def draw(results, folder):
    has_messages = results.get("libcoproc", "one-way-64-b") is not None
    has_pools = results.get(report_pools.OWN, "empty-64-b") is not None
    if (has_messages or has_pools) and shutil.which("gnuplot") is None:
        sys.exit("no gnuplot: the plots are as they were")
    if has_messages:
        draw_lines(results, os.path.join(folder, "speed-latency.svg"), "There and back, one core each", "µs",
                   lambda peer, name, size: results.get(peer, f"round-trip-{name}"))

        def get_rate(peer, name, size):
            value = results.get(peer, f"one-way-{name}")
            return None if value is None else value * size / 2 ** 30

        draw_lines(results, os.path.join(folder, "speed-rate.svg"), "One way, one core each", "GiB/s", get_rate)
    if has_pools:
        draw_bars(results, os.path.join(folder, "speed-pools.svg"))
