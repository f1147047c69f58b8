#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Installs the Debian packages that it is given, those that are missing: install.sh PACKAGE...
set -eu

if ! command -v apt-get >/dev/null; then
  echo "No apt-get here; these Debian packages are needed, by whatever name: $*" >&2
  exit 0
fi

missing=
for package; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed \
    || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# give_up REASON: what the user can do about it comes last.
give_up () {
  cat "$log" >&2
  echo "$1 As root, run:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
  exit 1
}

as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null \
    || give_up "Packages are missing, and there is no sudo to install them."
  as_root=sudo
fi

echo "Installing:$missing"
# The names are a list of words.
# shellcheck disable=SC2086
{
  $as_root apt-get -qq update \
    && $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install $missing
} >"$log" 2>&1 || give_up "Packages could not be installed."
