#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures libcoproc in Python beside multiprocessing, concurrent.futures and Node, and prints tables in markdown.
#
#   tests/bench/python.sh [--rounds N] [--scale X] [--builddir DIR] [--json FILE] [--readme]
#
# The options are those of run.sh; --readme writes the tables of README.md and of the pages for Python.
set -eu

. "$(dirname "$0")/common.sh"
build=$build-python
introspection=enabled
read_options "$@"
install_peers python3-gi python3-numpy python3-dev python-gi-dev gobject-introspection libgirepository1.0-dev nodejs
build_bench
seconds=$(echo "$scale" | awk '{ print $1 / 5 }')

# Modules are compiled once, as those of an installed library are.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$build/pycache"

# in_build SCRIPT...: with the library that was just built
in_build () {
  meson devenv -C "$build" /usr/bin/python3 "$@"
}

round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  measure python-override in_build "$peers/peer-python.py" --seconds "$seconds"
  measure python /usr/bin/python3 "$peers/peer-multiprocessing.py" --seconds "$seconds"
  measure python-pools in_build "$peers/python-pools.py" --seconds "$seconds"
  if command -v node >/dev/null; then
    measure node node "$peers/peer-node.js" --seconds "$seconds"
  else
    skip node "no nodejs"
  fi
  round=$((round + 1))
done
report
