# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# What run.sh, pool.sh and python.sh share; they read this.

source=$(cd "$(dirname "$0")/../.." && pwd)
build=$source/build/bench
rounds=5
scale=1
json=
readme=
introspection=disabled
peers=$source/tests/bench/peers

usage () {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

# read_options OPTION...
read_options () {
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
}

# install_peers PACKAGE...: each is only a peer, or draws; without it the others are measured
install_peers () {
  for package; do
    sh "$source/.ci/install.sh" "$package" >&2 || :
  done
}

# In release mode, and so that the results have a place.
build_bench () {
  sh "$source/.ci/install.sh" gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev python3 util-linux >&2 || :
  if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$source" --buildtype=release "-Dintrospection=$introspection" -Dvapi=disabled \
      -Ddocs=disabled -Dexamples=false >&2
  else
    meson setup --reconfigure "$build" "$source" >&2 # libraries may have come
  fi
  meson compile -C "$build" bench >&2
  bench=$build/tests/bench
  results=$(mktemp)
  trap 'rm -f "$results"' EXIT
}

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

report () {
  python3 "$source/tests/bench/report.py" "$results" ${json:+--json "$json"} ${readme:+--readme "$readme"}
}
