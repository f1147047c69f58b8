#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures what the start of a worker costs, of each kind, beside what others offer, and what a call to
# it costs; prints one markdown table.
#
#   tests/bench/start.sh [--rounds N] [--builddir DIR]
#
# Each round starts each once. On a machine that others use, a ratio is worth more than a figure.
set -eu

. "$(dirname "$0")/common.sh"
build=$build-python
introspection=enabled # for the workers in Python and JavaScript
rounds=20
read_options "$@"
install_peers python3-gi gjs gobject-introspection libgirepository1.0-dev python3-dev python-gi-dev nodejs
build_bench
meson devenv -C "$build" tests/bench/bench-start "$rounds"
