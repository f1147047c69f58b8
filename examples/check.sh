#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Runs one example and checks what it prints: check.sh EXAMPLE COMMAND...
# Where the command cannot be had, it is "skip" and the reason: exit status 77.
set -eu

example=$1
shift
if [ "$1" = skip ]; then
  echo "SKIP: $2"
  exit 77
fi

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Words are told apart as UTF-8, like the worker does.
LC_ALL=C.UTF-8
export LC_ALL

fail () {
  echo "FAILED: $*"
  for file in expected output errors; do
    [ -e "$work/$file" ] && sed "s/^/  $file: /" "$work/$file"
  done
  exit 1
}

# run STATUS COMMAND...: the exit status must be that.
run () {
  wanted=$1
  shift
  status=0
  "$@" >"$work/output" 2>"$work/errors" || status=$?
  [ "$status" -eq "$wanted" ] || fail "exit status $status, not $wanted: $*"
}

# same: the output must be what is on standard input, but for the amount of space.
same () {
  cat >"$work/expected"
  awk '{ $1 = $1; print }' "$work/output" | diff "$work/expected" - >"$work/diff" \
    || fail "the output is not as expected"
}

# has PATTERN: a line of the output must match.
has () {
  grep -Eq -- "$1" "$work/output" || fail "no line of the output matches: $1"
}

silent () {
  [ ! -s "$work/errors" ] || fail "something on standard error"
}

check_hello () {
  run 0 "$@"
  silent
  has '^Host [0-9]+ asked worker [0-9]+ and got: Hello!$'
  has "^The worker's exit status: 0\$"
  awk '/^Host/ { exit $2 == $5 }' "$work/output" || fail "host and worker are one process"
}

check_priorities () {
  run 0 "$@"
  silent
  printf '%s\n' 'high 0' 'high 1' 'high 2' 'low 0' 'low 1' 'low 2' | same
}

# with_files COMMAND...: real files, an empty one, one without a newline at its end, one of 2 MiB.
with_files () {
  "$@" "$here"/*.c "$here"/*.py "$here"/*.js "$here/own-plugin/README.md" \
    "$work/empty" "$work/short" "$work/long"
}

check_wordcount () {
  : >"$work/empty"
  printf 'no newline' >"$work/short"
  yes 'some words' | head -c 2097152 >"$work/long"
  run 0 with_files "$@"
  silent
  with_files wc | awk '{ $1 = $1; print }' | same
}

# A file that is not there: told, and the others are counted.
check_wordcount_missing () {
  run 1 "$@" "$here/hello.c" "$work/nonesuch" "$here/hello.py"
  grep -q nonesuch "$work/errors" || fail "the missing file is not named"
  wc "$here/hello.c" "$here/hello.py" | awk '{ $1 = $1; print }' | same
}

check_pool_wordcount () {
  mkdir -p "$work/tree/one/two"
  cp "$here"/*.c "$work/tree"
  cp "$here"/*.py "$work/tree/one"
  cp "$here"/*.js "$work/tree/one/two"
  : >"$work/tree/one/empty"
  run 0 "$@" "$work/tree"
  silent
  find "$work/tree" -type f -exec cat {} + | wc | tr '\n' ' ' >"$work/counts"
  find "$work/tree" -type f | wc -l >>"$work/counts"
  awk '{ print $1 " lines, " $2 " words, " $3 " bytes in " $4 " files" }' "$work/counts" | same

  # On a terminal: a bar that gets to its end.
  printf "'%s' " "$@" "$work/tree" >"$work/command"
  run 0 env TERM=xterm script -qec "$(cat "$work/command")" /dev/null
  tr '\r' '\n' <"$work/output" >"$work/lines"
  grep -Eq '^\[#{40}\] 100 %, [0-9]+ files/s' "$work/lines" || fail "the progress bar does not get to its end"
}

# hash_with_coreutils FILE...: what pool-hash does, by one process after the other.
hash_with_coreutils () {
  for file; do
    split -b 64K --filter=sha256sum "$file" | cut -d' ' -f1 | sha256sum | sed "s|-\$|$file|"
  done
}

check_pool_hash () {
  : >"$work/empty"
  printf 'no newline' >"$work/short"
  yes 'some words' | head -c 65536 >"$work/block"
  head -c 20000001 /dev/urandom >"$work/long"
  run 0 "$@" "$work/empty" "$work/short" "$work/block" "$work/long"
  silent
  hash_with_coreutils "$work/empty" "$work/short" "$work/block" "$work/long" | awk '{ $1 = $1; print }' | same

  run 1 "$@" "$work/nonesuch" "$work/short"
  grep -q nonesuch "$work/errors" || fail "the missing file is not named"
  hash_with_coreutils "$work/short" | awk '{ $1 = $1; print }' | same
}

check_errors () {
  run 0 "$@"
  silent
  has '^  coproc-error-quark 14: .*nonesuch'         # PLUGIN_NOT_FOUND
  has '^  g-io-error-quark 1: .*/nonesuch'           # NOT_FOUND
  has '^  alive: yes$'
  has '^  coproc-error-quark 9: .*path'              # INVALID_PAYLOAD
  has '^  ended with exit status 1, signal 0$'
  has '^  coproc-error-quark 1: '                    # CLOSED
  has '^  ended with exit status 0, signal 0$'
  has '^  coproc-error-quark 20: .*signal ABRT'      # WORKER_DIED
  has '^  ended with exit status -1, signal 6$'
}

check_mainloop () {
  TMPDIR=$work
  export TMPDIR
  run 0 "$@"
  silent
  for i in 1 2 3 4 5; do has "^signal message::lines: tick $i\$"; done
  has '^answer: the worker has read [0-9]+ bytes$'
  has '^signal exited: status 0, after [0-9]+ ticks$'
}

check_supervised () {
  run 0 "$@"
  silent
  has '^40 answers of 40, [0-9]+ restarts$'
  has '^Asked again: [0-9]+ that no worker had seen, [0-9]+ that one had died over$'
}

check_thread_or_process () {
  run 0 "$@"
  silent
  has '^process: +process id +[1-9][0-9]*, started in +[0-9.]+ ms, round trip +[0-9.]+ µs$'
  has '^thread: +process id +0, started in +[0-9.]+ ms, round trip +[0-9.]+ µs$'
}

check_script_host () {
  run 0 "$@"
  silent
  printf '%s\n' 'The median is 3' "The worker's exit status: 0" | same
}

# install_to BUILDDIR PREFIX LIBDIR LIBEXECDIR: an installation that is moved to another place only so as not to
# touch the system's.
install_to () {
  builddir=$1 prefix=$2 libdir=$3 libexecdir=$4
  destdir=$work/root
  run 0 meson install -C "$builddir" --no-rebuild --quiet --destdir "$destdir"
  mkdir "$work/pkgconfig"
  sed "s|^prefix=.*|prefix=$destdir$prefix|" "$destdir$libdir/pkgconfig/coproc-1.pc" \
    >"$work/pkgconfig/coproc-1.pc"
  PKG_CONFIG_PATH=$work/pkgconfig
  LD_LIBRARY_PATH=$destdir$libdir
  COPROC_WORKER_HOST=$destdir$libexecdir/coproc-1/coproc-worker
  COPROC_PLUGIN_TRUST=any
  export PKG_CONFIG_PATH LD_LIBRARY_PATH COPROC_WORKER_HOST COPROC_PLUGIN_TRUST
  unset COPROC_PLUGIN_PATH
}

# check.sh own-plugin BUILDDIR PREFIX LIBDIR LIBEXECDIR: as a stranger does it
check_own_plugin () {
  install_to "$@"
  run 0 sh "$here/own-plugin/build.sh" "$work/own"
  silent
  cd "$work/own"
  run 0 ./own-plugin reverse.so 'Hello, worker!' 'äöü'
  silent
  printf '%s\n' '!rekrow ,olleH' 'üöä' | same
}

# check.sh installed BUILDDIR PREFIX LIBDIR LIBEXECDIR DATADIR PYTHONDIR PYTHON: what was installed is all that the
# bindings and the Python package need.
check_installed () {
  install_to "$@"
  GI_TYPELIB_PATH=$destdir$libdir/girepository-1.0
  PYTHONPATH=$destdir$6
  XDG_DATA_DIRS=$destdir$5:/usr/share
  COPROC_PLUGIN_PATH=$destdir$libdir/coproc-1/plugins
  export GI_TYPELIB_PATH PYTHONPATH XDG_DATA_DIRS COPROC_PLUGIN_PATH
  unset GJS_PATH
  cd "$work"
  cat >package.py <<'PYTHON'
import coproc

def double(messenger):
    while True:
        messenger.send_reply(messenger.receive_blocking() * 2)

with coproc.WorkerResource(double) as worker:
    worker.messenger.send_request(21)
    print(*worker.messenger.receive_remaining())
PYTHON
  run 0 "$7" package.py
  silent
  echo 42 | same
  run 0 "$7" "$here/hello.py"
  silent
  if command -v gjs >/dev/null; then
    run 0 gjs -m "$here/hello.js"
    silent
  fi
  run 0 "$7" -c 'import gi; gi.require_version("Coproc", "1"); import gi.repository.Coproc, sys
print(sys.modules["gi.overrides.Coproc"].__file__)'
  grep -q "^$destdir" "$work/output" || fail "another override was found"
}

case $example in
  hello | priorities | errors | mainloop) "check_$example" "$@" ;;
  pool-wordcount) check_pool_wordcount "$@" ;;
  pool-hash) check_pool_hash "$@" ;;
  supervised) check_supervised "$@" ;;
  thread-or-process) check_thread_or_process "$@" ;;
  script-host) check_script_host "$@" ;;
  wordcount) check_wordcount "$@"; check_wordcount_missing "$@" ;;
  own-plugin) check_own_plugin "$@" ;;
  installed) check_installed "$@" ;;
  *) fail "no such example: $example" ;;
esac
echo "ok: $example"
