#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# The tests under ThreadSanitizer, with a GLib that is instrumented, too: with the system's GLib it
# reports races that are none and misses those that are.
#
# Arguments: names of tests, default all those of units and processes.
# Environment: COPROC_BUILD: where to build, default build/.
set -eu

. "$(dirname "$0")/common"
glib=$build/glib-tsan

# Fetches Debian's source package of GLib, with lists of its own: the system's may have no deb-src.
fetch () {
  mkdir -p "$glib/lists/partial" "$glib/source"
  apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' | sort -u >"$glib/sources.list"
  set -- -qq -o "Dir::Etc::SourceList=$glib/sources.list" -o Dir::Etc::SourceParts=- \
    -o "Dir::State::Lists=$glib/lists" -o "Dir::Cache::SrcPkgCache=" -o "Dir::Cache::PkgCache=" \
    -o APT::Sandbox::User=root
  apt-get "$@" update
  (cd "$glib/source" && apt-get "$@" source glib2.0)
}

install dpkg-dev libffi-dev libpcre2-dev zlib1g-dev

if [ ! -f "$glib/done" ]; then
  ls -d "$glib"/source/glib2.0-*/ >/dev/null 2>&1 || fetch
  meson setup "$glib/build" "$glib"/source/glib2.0-*/ --prefix "$glib/prefix" --libdir lib \
    -Db_sanitize=thread -Db_lundef=false -Dbuildtype=debugoptimized -Dtests=false \
    -Dlibmount=disabled -Dselinux=disabled -Dnls=disabled >"$glib/build.log" 2>&1 \
    || { tail -n 50 "$glib/build.log"; exit 1; }
  meson install -C "$glib/build" >"$glib/build.log" 2>&1 || { tail -n 50 "$glib/build.log"; exit 1; }
  touch "$glib/done"
fi

export PKG_CONFIG_PATH="$glib/prefix/lib/pkgconfig"
export LD_LIBRARY_PATH="$glib/prefix/lib"
export G_SLICE=always-malloc
# A worker's standard error is the host's business, its exit code often no test's: reports go to files.
reports=$build/tsan-reports
suppressions=$source_dir/tests/long/tsan.supp
rm -rf "$reports"
mkdir -p "$reports"
TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1:suppressions=$suppressions:log_path=$reports/report${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
export TSAN_OPTIONS

build_in tsan -Db_sanitize=thread -Db_lundef=false -Dintrospection=disabled
[ $# -gt 0 ] || set -- --suite unit --suite process
status=0
meson test -C "$build/tsan" --no-rebuild --print-errorlogs --timeout-multiplier 4 \
  "$@" || status=$?
for report in "$reports"/report.*; do
  [ -f "$report" ] || continue
  cat "$report"
  status=1
done
exit "$status"
