# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What tests of lifetimes share.

COPROC_TEST_N says how many of each are made; tests/long/lifetimes.sh takes 10,000.
"""

import gc
import os
import weakref

from coprocgi import Case, open_fds, turn, until

N = int(os.environ.get("COPROC_TEST_N", 200))
GROWTH = 16384 + N  # KiB that may be kept: heaps do not give back everything, but a page for each would show


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def threads():
    return len(os.listdir("/proc/self/task"))


def has_child():
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None or True
    except ChildProcessError:
        return False


class LifetimeCase(Case):
    def repeat(self, make, n):
        """Makes and drops `n` of something, whose weak references it gives."""
        for _ in range(max(2, n // 20)):
            make()
        self.settle(0)
        fds, running, memory = open_fds(), threads(), resident()
        alive = weakref.WeakSet()
        for i in range(n):
            for thing in make():
                alive.add(thing)
            if i % 50 == 0:
                del thing
                self.settle(fds + 4)
        del thing
        self.settle(fds)
        until(lambda: (gc.collect(), len(alive) == 0)[1])
        until(lambda: not has_child())
        until(lambda: threads() <= running)
        self.assertLessEqual(resident() - memory, GROWTH)

    def settle(self, fds):
        """Lets go what is let go by the main context and the collector."""
        gc.collect()
        turn()
        if fds:
            until(lambda: (gc.collect(), open_fds() <= fds)[1])
