#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures libcoproc beside other ways for processes to talk, and prints tables in markdown.
#
#   tests/bench/run.sh [--rounds N] [--scale X] [--builddir DIR] [--json FILE] [--readme]
#
# Builds in release mode first. Peers run interleaved, round by round, so that a disturbance hits
# all; each figure is the median of the rounds. On a machine that others use, a ratio is worth
# more than a figure, and differences below 1.4 are noise. --scale 0.5 takes half the time a round;
# --readme writes the tables and plots of README.md and of introspection/pages/speed.md anew.
set -eu

usage () {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

source=$(cd "$(dirname "$0")/../.." && pwd)
build=${TMPDIR:-/tmp}/coproc-bench-$(id -u)
rounds=5
scale=1
json=
readme=
while [ $# -gt 0 ]; do
  if [ "$1" = --readme ]; then
    readme=$source
    shift
    continue
  fi
  [ $# -ge 2 ] || usage
  case $1 in
    --rounds) rounds=$2 ;;
    --scale) scale=$2 ;;
    --builddir) build=$2 ;;
    --json) json=$2 ;;
    *) usage ;;
  esac
  shift 2
done

sh "$source/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev python3 util-linux >&2 || :
# Each of these is only a peer, or draws: without it the others are measured.
for package in g++ libboost-dev libzmq3-dev libnng-dev nodejs gnuplot-nox; do
  sh "$source/.ci/install.sh" "$package" >&2 || :
done
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" "$source" --buildtype=release -Dintrospection=disabled -Dvapi=disabled \
    -Ddocs=disabled -Dexamples=false >&2
else
  meson setup --reconfigure "$build" "$source" >&2 # libraries may have come
fi
meson compile -C "$build" >&2

results=$(mktemp)
trap 'rm -f "$results"' EXIT
bench=$build/tests/bench
peers=$source/tests/bench/peers
seconds=$(echo "$scale" | awk '{ print $1 / 4 }')

# skip PEER REASON: told in the report
skip () {
  grep -qx "$1 skipped $2" "$results" || echo "$1 skipped $2" >>"$results"
}

# measure PEER COMMAND...: one that fails is told of, and does not end the run
measure () {
  peer=$1
  shift
  "$@" >>"$results" || skip "$peer" "it failed"
}

# measure_program PEER NAME PACKAGE: a program that is there if its library was
measure_program () {
  if [ -x "$bench/bench-peer-$2" ]; then
    measure "$1" "$bench/bench-peer-$2" --seconds "$seconds"
  else
    skip "$1" "built without $3"
  fi
}

# measure_own NAME [OPTION]: the forms that the interface has, for the goals
measure_own () {
  name=$1
  shift
  "$bench/bench-coproc" "$@" --scale "$scale" | sed "s/^/$name /" >>"$results"
}

measure libcoproc "$bench/bench-idle"
round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  measure memcpy "$bench/bench-memcpy" --seconds "$seconds"
  measure pipe "$bench/bench-peer-pipe" --seconds "$seconds" --peer pipe
  measure pipe-batched "$bench/bench-peer-pipe" --seconds "$seconds" --peer pipe-batched
  measure libcoproc "$bench/bench-peer-coproc" --seconds "$seconds"
  measure pipe-watched "$bench/bench-peer-pipe" --seconds "$seconds" --peer pipe-watched \
    round-trip-same-core one-way-64-b in-flight
  measure pipe-spinning "$bench/bench-peer-pipe" --seconds "$seconds" --peer pipe-spinning round-trip-64-b
  measure_own coproc
  measure_own shared --shared-memory
  measure_program ring ring "a C compiler"
  measure_program giochannel giochannel GLib
  measure_program gasyncqueue async-queue GLib
  measure_program gdbus gdbus GIO
  measure_program mqueue mqueue librt
  measure_program libzmq zmq libzmq3-dev
  measure_program nng nng libnng-dev
  measure_program boost boost "libboost-dev and g++"
  measure python python3 "$peers/peer-multiprocessing.py" --seconds "$seconds"
  if command -v node >/dev/null; then
    measure node node "$peers/peer-node.js" --seconds "$seconds"
  else
    skip node "no nodejs"
  fi
  round=$((round + 1))
done

python3 "$source/tests/bench/report.py" "$results" ${json:+--json "$json"} ${readme:+--readme "$readme"}
