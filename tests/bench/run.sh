#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Measures libcoproc beside bare pipes and prints one markdown table with ratios.
#
#   tests/bench/run.sh [--rounds N] [--scale X] [--builddir DIR] [--json FILE]
#
# Builds in release mode first. Peers run interleaved, round by round, so that a disturbance hits
# both; each figure is the median of the rounds. On a machine that others use, a ratio is worth
# more than a figure, and differences below 1.4 are noise.
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
while [ $# -gt 0 ]; do
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

sh "$source/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev >&2 || :
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" "$source" --buildtype=release -Dintrospection=disabled -Dvapi=disabled \
    -Ddocs=disabled >&2
fi
meson compile -C "$build" >&2

results=$(mktemp)
trap 'rm -f "$results"' EXIT
bench=$build/tests/bench
round=1
while [ "$round" -le "$rounds" ]; do
  echo "round $round of $rounds" >&2
  "$bench/bench-pipe" --scale "$scale" | sed 's/^/pipe /' >>"$results"
  "$bench/bench-coproc" --scale "$scale" | sed 's/^/coproc /' >>"$results"
  "$bench/bench-coproc" --shared-memory --scale "$scale" | sed 's/^/shared /' >>"$results"
  round=$((round + 1))
done

# Each row: title; who and what is above and below the ratio's line; unit; what is wanted.
awk -v json="$json" -v rounds="$rounds" '
  function median(key,   values, n, i, j, swap) {
    n = split(samples[key], values, " ")
    for (i = 2; i <= n; i++)
      for (j = i; j > 1 && values[j - 1] + 0 > values[j] + 0; j--) {
        swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
      }
    return n == 0 ? "" : n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
  }
  function show(value, unit) {
    if (value == "") return "–"
    if (unit == "µs" || unit == "ms") return sprintf("%.2f %s", value, unit)
    if (unit == "MiB/s") return sprintf("%.0f %s", value, unit)
    return value >= 1e6 ? sprintf("%.2f M/s", value / 1e6) : sprintf("%.0f k/s", value / 1e3)
  }
  # sense: "<=" or ">="; of: "ratio" (libcoproc to the other) or "value"
  function row(title, other, own, unit, sense, wanted, of,   a, b, ratio, figure, verdict, text) {
    a = other == "" ? "" : median(other); b = median(own)
    ratio = a == "" ? "" : b / a
    figure = of == "value" ? b : ratio
    verdict = wanted == "" ? "" : (sense == "<=" ? figure <= wanted : figure >= wanted) ? "yes" : "NO"
    text = wanted == "" ? "" : sense == "<=" ? "≤ " : "≥ "
    if (wanted != "") text = text (of == "value" ? show(wanted, unit) : wanted " ×") ", " verdict
    printf "| %s | %s | %s | %s | %s |\n", title, show(a, unit), show(b, unit),
           ratio == "" ? "–" : sprintf("%.2f ×", ratio), text
    if (json != "") {
      printf "%s  {\"measurement\": \"%s\", \"unit\": \"%s\", \"other\": %s, \"libcoproc\": %s, " \
             "\"ratio\": %s, \"wanted\": %s, \"reached\": %s}", comma, title,
             unit == "" ? "1/s" : unit, a == "" ? "null" : a, b, ratio == "" ? "null" : ratio,
             wanted == "" ? "null" : "\"" sense " " wanted "\"",
             verdict == "" ? "null" : verdict == "yes" ? "true" : "false" > json
      comma = ",\n"
    }
  }
  { samples[$1 " " $2] = samples[$1 " " $2] " " $3 }
  END {
    print "| measurement | bare pipe | libcoproc | ratio | wanted |"
    print "|---|---|---|---|---|"
    if (json != "") print "[" > json
    row("64 B ping-pong, same core", "pipe round-trip-same-core", "coproc round-trip-same-core", "µs", "<=", 1.4)
    row("64 B ping-pong, same core; pipe with a thread beside", "pipe round-trip-same-core-watched", "coproc round-trip-same-core", "µs", "<=", 1.4)
    row("64 B ping-pong, one core each, both sleep (spin-time 0)", "pipe round-trip-two-cores", "coproc round-trip-two-cores-sleeping", "µs", "<=", 1.4)
    row("64 B ping-pong, one core each, libcoproc spins, the pipe sleeps", "pipe round-trip-two-cores", "coproc round-trip-two-cores", "µs", "<=", 1.4)
    row("64 B ping-pong, one core each, both spin", "pipe round-trip-two-cores-spinning", "coproc round-trip-two-cores", "µs", "", "")
    row("64 B call and reply, same core", "pipe round-trip-same-core", "coproc call-same-core", "µs", "<=", 1.4)
    row("64 B call and reply, one core each, libcoproc spins, the pipe sleeps", "pipe round-trip-two-cores", "coproc call-two-cores", "µs", "<=", 1.4)
    row("64 B one way: send_bytes, received as bytes", "pipe one-way", "coproc bytes-to-bytes", "", ">=", 0.8)
    row("64 B one way: send_bytes, received as bytes; pipe with a thread beside", "pipe one-way-watched", "coproc bytes-to-bytes", "", ">=", 0.8)
    row("64 B one way: send_bytes, receive_messages", "pipe one-way", "coproc bytes-to-messages", "", ">=", 0.8)
    row("64 B one way: send_bytes, receive_blocking", "pipe one-way", "coproc bytes-to-blocking", "", ">=", 0.8)
    row("64 B one way: send_bytes, receive_available", "pipe one-way", "coproc bytes-to-available", "", ">=", 0.8)
    row("64 B one way: send_norequest, receive_blocking", "pipe one-way", "coproc variant-to-blocking", "", ">=", 0.8)
    row("64 B one way: send_norequest, receive_available", "pipe one-way", "coproc variant-to-available", "", ">=", 0.8)
    row("64 B one way: send_request_multiple, received as bytes", "pipe one-way", "coproc multiple-to-bytes", "", ">=", 3)
    row("64 B one way: send_request_multiple, receive_messages", "pipe one-way", "coproc multiple-to-messages", "", ">=", 3)
    row("64 B one way: send_request_multiple, receive_available", "pipe one-way", "coproc multiple-to-available", "", ">=", 3)
    row("64 requests of 64 B in flight, one call each", "pipe in-flight", "coproc in-flight", "", ">=", 0.5)
    row("64 requests of 64 B in flight, sent in batches, as bytes", "pipe in-flight", "coproc in-flight-batch", "", ">=", 0.5)
    row("64 requests of 64 B in flight, sent in batches, as bytes; pipe with a thread beside", "pipe in-flight-watched", "coproc in-flight-batch", "", ">=", 0.5)
    row("1 MiB one way", "pipe large", "coproc large", "MiB/s", ">=", 0.8)
    row("shared memory: 64 B ping-pong, same core", "pipe round-trip-same-core", "shared round-trip-same-core", "µs", "<=", 1.2)
    row("shared memory: 64 B ping-pong, one core each, both sleep", "pipe round-trip-two-cores", "shared round-trip-two-cores-sleeping", "µs", "<=", 1)
    row("shared memory: 64 B ping-pong, one core each, both awake", "pipe round-trip-two-cores-spinning", "shared round-trip-two-cores", "µs", "<=", 0.6, "value")
    row("shared memory: 64 B ping-pong as bytes, one core each, both awake", "pipe round-trip-two-cores-spinning", "shared round-trip-two-cores-bytes", "µs", "<=", 0.6, "value")
    row("shared memory: 64 B one way: send_bytes, received as bytes", "pipe one-way", "shared bytes-to-bytes", "", ">=", 10e6, "value")
    row("shared memory: 64 B one way: send_bytes, receive_messages", "pipe one-way", "shared bytes-to-messages", "", ">=", 10e6, "value")
    row("shared memory: 64 B one way: send_norequest, receive_blocking", "pipe one-way", "shared variant-to-blocking", "", ">=", 4e6, "value")
    row("shared memory: 64 requests of 64 B in flight, one call each", "pipe in-flight", "shared in-flight", "", ">=", 4e6, "value")
    row("shared memory: 64 requests of 64 B in flight, one call each, as bytes", "pipe in-flight", "shared in-flight-bytes", "", ">=", 4e6, "value")
    row("shared memory: 64 requests of 64 B in flight, sent in batches, as bytes", "pipe in-flight", "shared in-flight-batch", "", ">=", 4e6, "value")
    row("shared memory: 64 KiB one way, copied once", "", "shared large-64-kib", "MiB/s", "", "")
    row("shared memory: 1 MiB one way, copied once", "pipe large", "shared large", "MiB/s", "", "")
    row("shared memory: 16 MiB one way, copied once", "", "shared large-16-mib", "MiB/s", "", "")
    row("shared memory: 64 KiB one way, in place", "", "shared in-place-64-kib", "", "", "")
    row("shared memory: 1 MiB one way, in place", "", "shared in-place-1-mib", "", "", "")
    row("shared memory: 16 MiB one way, in place", "", "shared in-place-16-mib", "", "", "")
    row("receives of 100,000 queued, 4 priorities", "", "coproc priority-4", "", ">=", 1e6, "value")
    row("receives of 100,000 queued, all priorities distinct", "", "coproc priority-distinct", "", ">=", 1e6, "value")
    if (json != "") { print "\n]" > json; close(json) }
    printf "\nMedians of %d interleaved rounds; both processes pinned. A thread beside: each process of the\n", rounds
    printf "bare pipe has a second thread that polls it, to know when the other one is gone.\n"
  }' "$results"
