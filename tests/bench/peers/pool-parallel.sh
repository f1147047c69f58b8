#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# GNU parallel with two jobs, where each task is a process: pool-parallel.sh TASK [N]
#
# TASK is the program pool-parallel-task; N tasks each. Prints lines as bench-pool.c does.
set -eu

task=$1
n=${2:-200}

# run NAME MICROSECONDS MICROSECONDS-OF-THE-TENTH
run () {
  begun=$(date +%s%N)
  awk -v n="$n" -v us="$2" -v tenth="$3" 'BEGIN { for (i = 0; i < n; i++) print i % 10 == 3 ? tenth : us }' \
    | parallel --will-cite --jobs 2 "$task" '{}'
  taken=$(($(date +%s%N) - begun))
  echo "parallel $1 $((n * 1000000000 / taken))"
}

run empty-64-b 0 0
run 10-us-64-b 10 10
run 1-ms-64-b 1000 1000
run mixed-64-b 10 1000
