#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
#
# Workers behind a real ssh: a server of its own, on a port of this machine's loopback, with keys that are thrown away.
#
# Environment: COPROC_BUILD: where to build, default build/. COPROC_SSH_PORT: default 22022.
set -eu

. "$(dirname "$0")/common"
port=${COPROC_SSH_PORT:-22022}

install openssh-server openssh-client
if [ ! -x /usr/sbin/sshd ]; then
  echo "There is no sshd: skipped"
  exit 0
fi

build_in slow -Dintrospection=disabled

dir=$(mktemp -d)
clean_up () {
  if [ -f "$dir/pid" ]; then
    kill "$(cat "$dir/pid")"
  fi
  rm -rf "$dir"
}
trap clean_up EXIT

ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
cat >"$dir/sshd" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $dir/host
AuthorizedKeysFile $dir/user.pub
PidFile $dir/pid
StrictModes no
UsePAM no
PermitRootLogin yes
END
cat >"$dir/ssh" <<END
Host worker
  HostName 127.0.0.1
  Port $port
  IdentityFile $dir/user
  UserKnownHostsFile $dir/known
  StrictHostKeyChecking no
  BatchMode yes
  LogLevel ERROR
END
mkdir -p /run/sshd 2>/dev/null || :
/usr/sbin/sshd -f "$dir/sshd"

COPROC_TEST_REMOTE="ssh -T -F $dir/ssh worker"
export COPROC_TEST_REMOTE
meson test -C "$build/slow" --no-rebuild --print-errorlogs --test-args='-p /coproc/launcher/stdio/remote' launcher
grep -q '^ok 1 /coproc/launcher/stdio/remote$' "$build/slow/meson-logs/testlog.txt"
