#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# All tests of the library under valgrind, also those that take minutes there.
#
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${COPROC_BUILD:-$source_dir/build}

sh "$source_dir/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev valgrind

if [ ! -f "$build/valgrind/build.ninja" ]; then
  meson setup "$build/valgrind" "$source_dir" -Dexamples=false -Dintrospection=disabled
fi
meson compile -C "$build/valgrind"
meson test -C "$build/valgrind" --no-rebuild --print-errorlogs --setup valgrind --timeout-multiplier 60 \
  --suite unit --suite process --no-suite faults
