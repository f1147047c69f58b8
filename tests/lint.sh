#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# What the sources of the library must not contain: lint.sh DIRECTORY
set -eu

status=0

# ban PATTERN WHY
ban () {
  if grep -rnE --include='*.[ch]' -- "$1" "$dir"; then
    echo "FAILED: $2"
    status=1
  fi
}

dir=$1
[ -f "$dir/coproc.h" ] || { echo "no sources in $dir"; exit 1; }

ban 'g_get_real_time|g_date_time_new_now|gettimeofday|CLOCK_REALTIME|[^_a-z]time \(' \
  'the date may jump: everything that takes time goes by the monotonic clock (B24)'

[ "$status" -eq 0 ] && echo "Nothing that is banned."
exit "$status"
