#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# 10,000 messengers and 10,000 workers made and dropped, in Python without and with the override, in JavaScript
# without and with it, and 10,000 messengers, 1,000 workers and 100 pools of the Python package: nothing is left
# of them. For C there is spawn-kill.sh.
#
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${COPROC_BUILD:-$source_dir/build}

sh "$source_dir/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev python3-gi gjs \
  python3-dev python-gi-dev gobject-introspection libgirepository1.0-dev

if [ ! -f "$build/lifetimes/build.ninja" ]; then
  meson setup "$build/lifetimes" "$source_dir" -Dexamples=false -Ddocs=disabled -Dvapi=disabled
fi
meson compile -C "$build/lifetimes"
COPROC_TEST_N=10000
export COPROC_TEST_N
meson test -C "$build/lifetimes" --no-rebuild --print-errorlogs --timeout-multiplier 20 \
  python-lifetime python-lifetime-override gjs-lifetime gjs-lifetime-override python-package-lifetime
