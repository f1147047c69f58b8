#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures libcoproc's pools beside others, two workers each, and prints tables in markdown.
#
#   tests/bench/pool.sh [--rounds N] [--scale X] [--builddir DIR] [--json FILE] [--readme]
#
# The options are those of run.sh.
set -eu

. "$(dirname "$0")/common.sh"
read_options "$@"
install_peers nodejs parallel gnuplot-nox
build_bench

plugin=$build/tests/helpers/plugins/tasks.so
seconds=$(echo "$scale" | awk '{ print $1 / 4 }')
round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  measure libcoproc-pool meson devenv -C "$build" "$bench/bench-pool-coproc" --seconds "$seconds" --plugin "$plugin"
  measure gthreadpool "$bench/bench-pool-gthreadpool" --seconds "$seconds"
  measure python-pool python3 "$peers/pool-python.py" --seconds "$seconds"
  if command -v node >/dev/null; then
    measure node node "$peers/pool-node.js" --seconds "$seconds"
  else
    skip node "no nodejs"
  fi
  if command -v parallel >/dev/null; then
    measure parallel sh "$peers/pool-parallel.sh" "$bench/pool-parallel-task"
  else
    skip parallel "no parallel"
  fi
  round=$((round + 1))
done
report
