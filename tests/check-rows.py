# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Checks that each test that README.md names is there: check-rows.py README PROGRAM..."""

import re
import subprocess
import sys

readme, *programs = sys.argv[1:]
tests = []
for program in programs:
    listing = subprocess.run([program, "-l"], stdout=subprocess.PIPE, text=True, check=True)
    tests += [line for line in listing.stdout.splitlines() if line.startswith("/")]

with open(readme, encoding="utf-8") as file:
    names = re.findall(r"`(/coproc/[^`]+)`", file.read())
missing = [name for name in names if not any(test.startswith(name) for test in tests)]
for name in missing:
    print(f"{readme}: no test begins with {name}", file=sys.stderr)
sys.exit(1 if missing or not names else 0)
