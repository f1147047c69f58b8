#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Counts what a message costs in this process, kernel aside, with callgrind.

    instructions.py [--check FILE] [--write FILE] BENCH_HOT

prints one markdown table: for each operation of bench-hot the instructions, allocations, locks and
system calls of one message of 64 bytes. The counts hardly depend on what else the machine does.

--check FILE: a test (TAP): each count of instructions is at most a tenth above that of the file, which
was made with the same compiler and GLib.
--write FILE: makes that file anew.
"""

import argparse
import collections
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 24
BATCH = 64  # HOT_BATCH of bench-hot.c
SLACK = 1.10

# What a call of each of these is counted as.
KINDS = {
    "allocations": {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"},
    "locks": {"g_mutex_lock", "g_mutex_trylock", "g_rec_mutex_lock", "g_async_queue_lock",
              "g_async_queue_push", "g_async_queue_try_pop", "g_bit_lock"},
    "system calls": {"read", "write", "writev", "poll", "ppoll", "sched_yield"},
}
COLUMNS = ["instructions", *KINDS]


def parse(path):
    """What a callgrind file has: instructions, and the calls of each function."""
    names, calls = {}, collections.Counter()
    total, callee = 0, None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if match := re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line):
                if match[3]:
                    # A function of several versions has a suffix: malloc@@GLIBC, memcpy'2.
                    names[match[2]] = re.split(r"[@']", match[3])[0]
                if match[1] == "cfn":
                    callee = names.get(match[2])
            elif match := re.match(r"calls=(\d+)", line):
                calls[callee] += int(match[1])
            elif match := re.match(r"(?:summary|totals): (\d+)", line):
                total = int(match[1])
    return {"instructions": total} | {
        kind: sum(calls[name] for name in names) for kind, names in KINDS.items()}


def run(options, program, operation, folder):
    # Each slice of GLib is an allocation, as it is in GLib 2.76 and later; nothing fills memory.
    environment = {**os.environ, "G_SLICE": "always-malloc"}
    for name in ("MALLOC_PERTURB_", "MALLOC_CHECK_", "G_DEBUG"):
        environment.pop(name, None)
    subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind", *options,
         program, operation, str(ROUNDS)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120, env=environment)


def count_instructions(program, operation, function):
    """Those of one message, in the function alone."""
    with tempfile.TemporaryDirectory() as folder:
        run([f"--toggle-collect={function}"], program, operation, folder)
        return round(parse(f"{folder}/callgrind")["instructions"] / ROUNDS / BATCH)


def count_calls(program, operation, function):
    """Those of one message by kind: medians, since writing files takes so long that the background
    thread steps in now and then."""
    with tempfile.TemporaryDirectory() as folder:
        run([f"--dump-before={function}", f"--dump-after={function}"], program, operation, folder)
        rounds = [parse(f"{folder}/callgrind.{2 * number}") for number in range(1, ROUNDS + 1)]
    return {kind: round(statistics.median(r[kind] for r in rounds) / BATCH, 2) for kind in KINDS}


def ask(program, option):
    return subprocess.run([program, option], check=True, capture_output=True, text=True,
                          timeout=60).stdout.strip()


def show(counts):
    print("| 64 B message |", " | ".join(COLUMNS), "|")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for operation, figures in counts.items():
        print("|", operation, "|", " | ".join(f"{figures[c]:g}" for c in COLUMNS), "|")


def check(counts, wanted):
    """Tells of each count by TAP. Returns: whether all are within bounds."""
    print(f"1..{len(counts)}")
    good = True
    for number, (operation, figures) in enumerate(counts.items(), 1):
        most = wanted.get(operation, {}).get("instructions", 0) * SLACK
        within = figures["instructions"] <= most
        good = good and within
        print("ok" if within else "not ok", number, operation,
              f"- {figures['instructions']} instructions, at most {most:.0f}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--check")
    parser.add_argument("--write")
    options = parser.parse_args()

    if shutil.which("valgrind") is None:
        print("1..0 # SKIP valgrind is not installed")
        return 0
    about = ask(options.program, "--about")
    wanted = None
    if options.check:
        with open(options.check, encoding="utf-8") as file:
            wanted = json.load(file)
        if wanted["about"] != about:
            print(f"1..0 # SKIP the counts are those of {wanted['about']}, this is {about}")
            return 0

    counts = {}
    for line in ask(options.program, "--list").splitlines():
        operation, function = line.split()
        # What is to be held is the highest of three: the background thread makes some difference.
        counts[operation] = {"instructions": max(
            count_instructions(options.program, operation, function)
            for _ in range(3 if options.write else 1))}
        if wanted is None:
            counts[operation] |= count_calls(options.program, operation, function)
    if wanted is not None:
        return 0 if check(counts, wanted["counts"]) else 1
    if options.write:
        with open(options.write, "w", encoding="utf-8") as file:
            json.dump({"about": about, "counts": counts}, file, indent=2)
            file.write("\n")
    show(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
