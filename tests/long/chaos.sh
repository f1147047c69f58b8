#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# A pool of 8 workers and 20,000 tasks, of which 2 % kill their worker, while others are killed at random: each task is
# done or told to be lost, and none is begun twice (fault B2). Once for each seed; the sums are printed.
#
# Environment: COPROC_BUILD: where to build, default build/. COPROC_SEEDS: the seeds, default 1 to 10.
set -eu

. "$(dirname "$0")/common"
seeds=${COPROC_SEEDS:-$(seq 1 10)}

install
build_in slow -Dintrospection=disabled

status=0
for seed in $seeds; do
  meson test -C "$build/slow" --no-rebuild --print-errorlogs --logbase "chaos-$seed" --timeout-multiplier 10 \
    --wrapper "env COPROC_TEST_SEED=$seed" --test-args='-m slow -p /coproc/pool/b2-chaos' pool-faults || status=$?
  grep '^# seed' "$build/slow/meson-logs/chaos-$seed"*.txt || status=1
done
exit "$status"
