#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# The tests of processes at their full size: floods of ten seconds, half a gigabyte of output, ten
# thousand deaths; and those that run with refused system calls with more seeds.
#
# Environment: COPROC_BUILD: where to build, default build/. COPROC_SEEDS: the seeds, default 3 to 20.
set -eu

. "$(dirname "$0")/common"
seeds=${COPROC_SEEDS:-$(seq 3 20)}

install
build_in slow -Dintrospection=disabled

status=0
meson test -C "$build/slow" --no-rebuild --print-errorlogs --num-processes 1 --timeout-multiplier 10 \
  --suite process --no-suite faults --test-args='-m slow' || status=$?

for seed in $seeds; do
  echo "Seed $seed"
  meson test -C "$build/slow" --no-rebuild --print-errorlogs --logbase "seed-$seed" \
    --wrapper "env COPROC_FAULT=$seed,30" \
    fault-death-with-faults-1 fault-payloads-with-faults-1 messenger-threads-with-faults-2 || status=$?
done
exit "$status"
