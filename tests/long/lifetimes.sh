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

. "$(dirname "$0")/common"
install python3-gi gjs python3-dev python-gi-dev gobject-introspection libgirepository1.0-dev
build_in lifetimes -Ddocs=disabled -Dvapi=disabled
COPROC_TEST_N=10000
export COPROC_TEST_N
meson test -C "$build/lifetimes" --no-rebuild --print-errorlogs --timeout-multiplier 20 \
  python-lifetime python-lifetime-override gjs-lifetime gjs-lifetime-override python-package-lifetime
