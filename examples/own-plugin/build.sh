#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Builds the plugin and its host into a folder (the current one by default), against the libcoproc
# that pkg-config finds.
set -eu

source=$(cd "$(dirname "$0")" && pwd)
output=${1:-.}
flags=$(pkg-config --cflags coproc-1)
libs=$(pkg-config --libs coproc-1)

mkdir -p "$output"
# The flags are lists of words.
# shellcheck disable=SC2086
{
  ${CC:-cc} -Wall -fPIC -shared -o "$output/reverse.so" "$source/reverse.c" $flags $libs
  ${CC:-cc} -Wall -o "$output/own-plugin" "$source/own-plugin.c" $flags $libs
}
