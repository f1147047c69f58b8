#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Ten thousand workers, started and killed, one after the other: descriptors, threads, mappings and resident memory stay
# as they were (fault B31). A hundred of them again under valgrind.
#
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

. "$(dirname "$0")/common"
install valgrind || echo "Without valgrind that part is skipped."
build_in slow -Dintrospection=disabled

meson test -C "$build/slow" --no-rebuild --print-errorlogs --timeout-multiplier 10 \
  --test-args='-m slow -p /coproc/fault-death/B31' fault-death
if command -v valgrind >/dev/null; then
  meson test -C "$build/slow" --no-rebuild --print-errorlogs --setup valgrind \
    --test-args='-m slow -p /coproc/fault-death/B31' fault-death
fi
