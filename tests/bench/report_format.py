# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""How the reports show figures."""

MISSING = "–"


def show_number(value):
    """Three digits that say something."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def show_time(us):
    if us is None:
        return MISSING
    return f"{show_number(us / 1e3)} ms" if us >= 1e3 else f"{show_number(us)} µs"


def show_rate(per_second):
    """Things each second."""
    if per_second is None:
        return MISSING
    if per_second >= 1e6:
        return f"{show_number(per_second / 1e6)} M/s"
    if per_second >= 1e3:
        return f"{show_number(per_second / 1e3)} k/s"
    return f"{show_number(per_second)} /s"


def show_bytes(per_second, size):
    """Messages of a size each second, as bytes."""
    return MISSING if per_second is None else f"{show_number(per_second * size / 2 ** 30)} GiB/s"


def make_table(head, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [head, *rows]]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines) + "\n"


def show_beside(text, value, own, more_is_better):
    """A figure, with how many times better libcoproc's own is; where it is the other's that is better, in bold."""
    if value is None or own is None:
        return text
    ratio = own / value if more_is_better else value / own
    text = f"{text} ({show_number(ratio)} ×)"
    return f"**{text}**" if ratio < 1 else text


def make_rows(results, peers, rivals, columns):
    """Lines of a table: peers with their titles; libcoproc's that they stand beside; columns are of a measurement, a
    function that shows a figure, and whether more is better."""
    rows = []
    for peer, title in peers.items():
        cells = []
        for measurement, show, more_is_better in columns:
            value = results.get(peer, measurement)
            own = results.get(rivals[peer], measurement) if peer in rivals else None
            cells.append(show_beside(show(value), value, own, more_is_better))
        if any(cell != MISSING for cell in cells):
            rows.append([title, *cells])
    return rows
