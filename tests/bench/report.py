# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Makes tables of what run.sh, pool.sh and python.sh have measured: report.py FILE [--json FILE] [--readme ROOT]

FILE has lines "PEER MEASUREMENT VALUE", several of each, or "PEER skipped REASON". Prints markdown. With --json the
medians are written, too; with --readme the tables and plots in README.md and in the pages are made anew.
"""

import argparse
import collections
import glob
import json
import os
import statistics
import sys

import report_goals
import report_messages
import report_plots
import report_pools
import report_python


class Results:
    """The medians, by peer and measurement, and why a peer was left out."""

    def __init__(self, lines):
        samples = collections.defaultdict(list)
        self.skipped = {}
        for line in lines:
            peer, measurement, value = line.split(maxsplit=2)
            if measurement == "skipped":
                self.skipped[peer] = value.strip()
            else:
                samples[peer, measurement].append(float(value))
        self.rounds = max((len(values) for values in samples.values()), default=0)
        self.medians = {key: statistics.median(values) for key, values in samples.items()}

    def get(self, peer, measurement):
        """The median, or None."""
        return self.medians.get((peer, measurement))

    def describe(self):
        """What is to be said below the tables."""
        skipped = "".join(f"Left out: {peer} ({reason}).\n" for peer, reason in sorted(self.skipped.items()))
        return f"Medians of {self.rounds} interleaved rounds.\n{skipped}"


def replace_figures(path, name, text):
    """Puts `text` between the markers of this name. Returns: whether the file has such markers"""
    begin, end = f"<!-- figures: {name} -->\n", f"<!-- end of figures: {name} -->"
    with open(path, encoding="utf-8") as file:
        content = file.read()
    if begin not in content:
        return False
    before, rest = content.split(begin, 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1])
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("--json")
    parser.add_argument("--readme", metavar="ROOT")
    options = parser.parse_args()

    with open(options.results, encoding="utf-8") as file:
        results = Results(file)
    tables = {}
    for module in report_goals, report_messages, report_pools, report_python:
        tables |= module.make_tables(results)
    for name, text in tables.items():
        if not name.endswith("-short"):
            print(text)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({
                "rounds": results.rounds,
                "medians": [{"peer": peer, "measurement": measurement, "value": value}
                            for (peer, measurement), value in results.medians.items()],
                "goals": report_goals.get_goals(results),
                "skipped": results.skipped,
            }, file, indent=1)
            file.write("\n")
    if options.readme:
        pages = os.path.join(options.readme, "introspection", "pages")
        for name, text in tables.items():
            found = [replace_figures(path, name, text)
                     for path in (os.path.join(options.readme, "README.md"), *glob.glob(os.path.join(pages, "*.md")))]
            if not any(found):
                sys.exit(f"no page has the figures {name}")
        report_plots.draw(results, pages)


if __name__ == "__main__":
    main()
