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

. "$(dirname "$0")/common.sh"
read_options "$@"
install_peers g++ libboost-dev libzmq3-dev libnng-dev nodejs gnuplot-nox
install_peers iceoryx libiceoryx-binding-c-dev libiceoryx-posh-dev libiceoryx-hoofs-dev
build_bench
seconds=$(echo "$scale" | awk '{ print $1 / 5 }')

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
  measure_program iceoryx iceoryx libiceoryx-binding-c-dev
  measure python python3 "$peers/peer-multiprocessing.py" --seconds "$seconds"
  if command -v node >/dev/null; then
    measure node node "$peers/peer-node.js" --seconds "$seconds"
  else
    skip node "no nodejs"
  fi
  round=$((round + 1))
done

report
