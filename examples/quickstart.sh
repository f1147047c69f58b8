#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# From a bare Debian 12 to files counted by a worker process, from C, Python and JavaScript:
#
#   sh examples/quickstart.sh
#
# Installs with apt what is missing (as root or with sudo) and builds into build/, or $COPROC_BUILD.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=${COPROC_BUILD:-$root/build}

# quietly COMMAND...: shows what the command has to say only if it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly () {
  "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

echo '== Packages'
sh "$root/.ci/install.sh" gcc libc6-dev pkg-config meson ninja-build libglib2.0-dev \
  gobject-introspection libgirepository1.0-dev python3-gi python3-dev python-gi-dev gjs
echo 'All there.'

echo "== Build in $build"
[ -e "$build/build.ninja" ] || quietly meson setup "$build" "$root" -Dtests=false -Ddocs=disabled
quietly meson compile -C "$build"
echo 'Done.'

# in_build TITLE COMMAND...: runs with the library that was just built, not installed.
in_build () {
  echo
  echo "== $1"
  shift
  meson devenv -C "$build" "$@" "$root/LICENSE" "$root/examples/hello.c" "$root/examples/hello.py"
}

echo
echo 'Three files, counted by a worker process (lines, words, bytes):'
in_build C "$build/examples/wordcount"
in_build Python /usr/bin/python3 "$root/examples/wordcount.py"
in_build JavaScript gjs -m "$root/examples/wordcount.js"
echo
echo 'It works. More to see: examples/*.c, *.py, *.js; the tests: sh tests/run.sh'
