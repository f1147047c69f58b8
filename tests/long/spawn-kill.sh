#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Ten thousand workers, started and killed, one after the other: descriptors, threads, mappings and resident memory stay
# as they were (fault B31). A hundred of them again under valgrind.
#
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build=${COPROC_BUILD:-$source_dir/build}
mkdir -p "$build"
build=$(cd "$build" && pwd)

sh "$source_dir/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev valgrind \
  || echo "Without valgrind that part is skipped."

if [ ! -f "$build/slow/build.ninja" ]; then
  meson setup "$build/slow" "$source_dir" -Dexamples=false -Dintrospection=disabled
fi
meson compile -C "$build/slow"

meson test -C "$build/slow" --no-rebuild --print-errorlogs --timeout-multiplier 10 \
  --test-args='-m slow -p /coproc/fault-death/B31' fault-death
if command -v valgrind >/dev/null; then
  meson test -C "$build/slow" --no-rebuild --print-errorlogs --setup valgrind \
    --test-args='-m slow -p /coproc/fault-death/B31' fault-death
fi
