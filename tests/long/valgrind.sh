#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# All tests of the library under valgrind, also those that take minutes there.
#
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

. "$(dirname "$0")/common"
install valgrind
build_in valgrind -Dintrospection=disabled
meson test -C "$build/valgrind" --no-rebuild --print-errorlogs --setup valgrind --timeout-multiplier 60 \
  --suite unit --suite process --no-suite faults
