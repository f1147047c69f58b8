#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Builds the library and runs its tests: run.sh [long]
#
# Without an argument: all tests; unit, process and fuzzing tests again under AddressSanitizer and
# UBSan, most under valgrind; a build with clang. With `long`: the programs in tests/long.
#
# Environment: COPROC_BUILD: where to build, default build/.
# The last line is a plain `N passed, N failed, N skipped`.
set -eu

source_dir=$(cd "$(dirname "$0")/.." && pwd)
cd "$source_dir"
build=${COPROC_BUILD:-build}
mkdir -p "$build"
build=$(cd "$build" && pwd)
export COPROC_BUILD="$build"

passed=0
failed=0
skipped=0

note () {
  printf '\n== %s\n' "$*"
}

finish () {
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
  exit
}

# check NAME COMMAND...: a step that counts as one test.
check () {
  name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    echo "FAILED: $name"
    failed=$((failed + 1))
    return 1
  fi
}

# setup DIR [OPTION...]: configures and compiles; warnings are errors.
setup () {
  dir=$1
  shift
  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" "$@"
  else
    meson setup "$dir" --werror "$@"
  fi >"$dir.log" 2>&1 || { cat "$dir.log"; return 1; }
  meson compile -C "$dir" >"$dir.log" 2>&1 || { tail -n 100 "$dir.log"; return 1; }
}

# Adds up the results of the last run in DIR, whose log is NAME.junit.xml and NAME.json.
count () {
  counts=$(python3 - "$1/meson-logs/$2" <<'PYTHON'
import json
import re
import sys
import xml.etree.ElementTree


def tell_skips(program):
    pattern = r"(?:ok \d+ (\S+) |1\.\.0 )?#? ?SKIP:? ?(.*)"
    for line in program.get("stdout", "").splitlines():
        skip = re.match(pattern, line)
        if skip:
            print("skipped:", skip[1] or program["name"], "-", skip[2], file=sys.stderr)


# What a test prints may have bytes in it that XML must not have.
with open(sys.argv[1] + ".junit.xml", encoding="utf-8", errors="replace") as file:
    text = re.sub("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "?", file.read())
passed = failed = skipped = 0
bad = {}
for suite in xml.etree.ElementTree.fromstring(text.encode()):
    name, tests, missed = suite.get("name"), int(suite.get("tests")), int(suite.get("skipped"))
    bad[name] = int(suite.get("failures")) + int(suite.get("errors"))
    failed += bad[name]
    skipped += missed
    passed += tests - bad[name] - missed
# A program may fail although each test that it told of has passed, or tell of none.
with open(sys.argv[1] + ".json", encoding="utf-8") as log:
    for line in log:
        program = json.loads(line)
        tell_skips(program)
        if program["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
            continue
        suite = program["name"].split(":")[0] + "." + program["name"]
        if suite in bad:
            failed += bad[suite] == 0
        elif program["result"] not in ("FAIL", "ERROR"):
            # meson has put it down as one that has passed.
            failed += 1
            passed -= 1
print(passed, failed, skipped)
PYTHON
  ) || { failed=$((failed + 1)); return; }
  # Three numbers.
  # shellcheck disable=SC2086
  set -- $counts
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

# run DIR LOG [ARGUMENT...]: runs tests and counts them.
run () {
  dir=$1
  log=$2
  shift 2
  # Of an earlier run.
  rm -f "$dir/meson-logs/$log.json" "$dir/meson-logs/$log.junit.xml"
  before=$failed
  status=0
  meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || status=$?
  count "$dir" "$log"
  if [ "$status" -ne 0 ] && [ "$failed" -eq "$before" ]; then
    failed=$((failed + 1))
  fi
}

sh .ci/install.sh gcc libc6-dev meson ninja-build pkg-config libglib2.0-dev python3 \
  clang valgrind gjs python3-gi python-gi-dev python3-dev python3-cloudpickle python3-gbulb python3-numpy gir1.2-glib-2.0 \
  gobject-introspection libgirepository1.0-dev \
  valac gi-docgen binutils bubblewrap \
  || echo "Not everything could be installed: what needs it is skipped."
for tool in meson python3; do
  if ! command -v "$tool" >/dev/null; then
    echo "FAILED: nothing can be built or counted without $tool"
    failed=$((failed + 1))
    finish
  fi
done

if [ "${1:-}" = long ]; then
  for script in tests/long/*.sh; do
    note "$script"
    check "$script" sh "$script" || :
  done
  finish
fi

note "The tests"
check "build with gcc" setup "$build/test" || finish
run "$build/test" testlog

note "The tests of memory and undefined behaviour"
sanitizers=address,undefined
if check "build with sanitizers" setup "$build/asan" -Db_sanitize=$sanitizers -Db_lundef=false \
  -Dexamples=false; then
  export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
  export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
  run "$build/asan" testlog --timeout-multiplier 3 --suite unit --suite process --suite fuzz
  unset ASAN_OPTIONS UBSAN_OPTIONS
fi

note "The tests with valgrind, without those that take minutes there"
if command -v valgrind >/dev/null; then
  # Names have no spaces.
  # shellcheck disable=SC2046
  run "$build/test" testlog-valgrind --setup valgrind $(meson test -C "$build/test" --list \
    --suite unit --suite process --no-suite faults --no-suite memory --no-suite ring --no-suite pipe 2>/dev/null \
    | sed -n 's,.* / ,,p' | grep -vx -e fault-flow -e fault-system)
else
  echo "valgrind is not installed"
  skipped=$((skipped + 1))
fi

note "A release build with clang"
if command -v clang >/dev/null; then
  CC=clang
  export CC
  check "build with clang" setup "$build/clang" --buildtype=release -Dintrospection=disabled || :
else
  echo "clang is not installed"
  skipped=$((skipped + 1))
fi

finish
