# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The plots of the pages, by gnuplot."""

import os
import shutil
import subprocess
import sys

from report_messages import PEERS, SIZES

STYLE = """set terminal svg size 760,440 font "sans-serif,13" background "white" linewidth 1.4
set output "{output}"
set key outside right top reverse Left spacing 1.2
set grid lc rgb "#dddddd"
set border lc rgb "#666666"
"""
LINES = {
    "libcoproc": "#d62728",
    "libcoproc-in-place": "#ff7f0e",
    "libcoproc-pipes": "#e377c2",
    "boost": "#1f77b4",
    "libzmq": "#2ca02c",
    "nng": "#17becf",
    "gdbus": "#9467bd",
    "python-bytes": "#8c564b",
    "node-advanced": "#bcbd22",
    "pipe": "#7f7f7f",
    "ring-spinning": "#000000",
}


def run_gnuplot(script):
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


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
        dash = 2 if PEERS[peer].endswith("*") else 1
        name = PEERS[peer].replace("**", "").replace(" *", "")
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


def draw(results, folder):
    if shutil.which("gnuplot") is None:
        sys.exit("no gnuplot: the plots are as they were")
    if results.get("libcoproc", "one-way-64-b") is not None:
        draw_lines(results, os.path.join(folder, "speed-latency.svg"), "There and back, one core each", "µs",
                   lambda peer, name, size: results.get(peer, f"round-trip-{name}"))

        def get_rate(peer, name, size):
            value = results.get(peer, f"one-way-{name}")
            return None if value is None else value * size / 2 ** 30

        draw_lines(results, os.path.join(folder, "speed-rate.svg"), "One way, one core each", "GiB/s", get_rate)
