#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures what the start of a worker costs, of each kind, beside what others offer, and what a call to
# it costs; prints one markdown table.
#
#   tests/bench/start.sh [--rounds N] [--builddir DIR]
#
# Builds in release mode first. On a machine that others use, a ratio is worth more than a figure.
set -eu

usage () {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

source=$(cd "$(dirname "$0")/../.." && pwd)
build=${TMPDIR:-/tmp}/coproc-bench-start-$(id -u)
rounds=20
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --rounds) rounds=$2 ;;
    --builddir) build=$2 ;;
    *) usage ;;
  esac
  shift 2
done

sh "$source/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev python3-gi gjs \
  gobject-introspection libgirepository1.0-dev python3-dev python-gi-dev >&2 || :
# With bindings, for the workers in Python and JavaScript.
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" "$source" --buildtype=release -Dvapi=disabled -Ddocs=disabled -Dexamples=false >&2
fi
meson compile -C "$build" >&2
meson devenv -C "$build" tests/bench/bench-start "$rounds"
