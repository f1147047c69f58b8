# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Nothing is left of what was dropped: objects, descriptors, threads, processes, memory.

COPROC_TEST_N says how many of each are made; tests/long/lifetimes.sh takes 10,000.
"""

import asyncio
import gc
import os
import threading
import unittest
import weakref

from coprocgi import Case, Coproc, GLib, OVERRIDE, main, open_fds, pair, string, turn, until

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


class Lifetime(Case):
    def repeat(self, make, n):
        """Makes and drops `n` of something, whose weak references it gives."""
        for _ in range(max(5, n // 20)):
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

    def test_messengers(self):
        def make():
            worker_end, host_end = pair()
            seen = []
            # A cycle through each: handlers that hold both ends, and an attribute.
            worker_end.connect("message::x", lambda *_: seen.append((worker_end, threading.get_ident())))
            host_end.connect("closed", lambda *_: seen.append(host_end))
            worker_end.other, host_end.other = host_end, worker_end
            worker_end.listen("x")
            host_end.send_norequest(string("x"), "x")
            host_end.call_async(string("?"), "y", -1, None, lambda *_: None)
            until(lambda: seen)
            self.assertEqual(seen[0][1], threading.get_ident())
            return worker_end, host_end

        self.repeat(make, N)

    def test_messages(self):
        """Payloads that outlive their messages and messengers."""
        kept = []

        def make():
            worker_end, host_end = pair()
            host_end.send_bytes(bytes(1 << 16), None)
            message = worker_end.receive_message(None, -1, None)
            kept.append((message.bytes if OVERRIDE else message.get_bytes()))
            del kept[:-3]
            return worker_end, host_end

        self.repeat(make, N)
        self.assertEqual(len(kept[0]) if OVERRIDE else kept[0].get_size(), 1 << 16)

    def test_workers(self):
        def make():
            worker = Coproc.WorkerResource.new("echo", "echo")
            worker.connect("exited", lambda *_: worker)
            worker.start(None, None)
            messenger = worker.get_messenger()
            messenger.call(string("x"), None, -1, None)
            return worker, messenger

        self.repeat(make, max(10, N // 5) if N < 1000 else N)

    @unittest.skipUnless(OVERRIDE, "for the override")
    def test_asyncio(self):
        async def run(made):
            worker_end, host_end = pair()
            made += worker_end, host_end
            call = host_end.call_async("?", "a")
            async for request in worker_end.messages("a"):
                worker_end.reply(request, "!")
                break
            await call
            forgotten = host_end.call_async("nobody answers", "b")
            forgotten.cancel()

        def make():
            made = []
            asyncio.run(run(made))
            return made

        self.repeat(make, N)

    def test_errors(self):
        def make():
            worker_end, host_end = pair()
            worker_end.close()
            for _ in range(10):
                self.assertRaises(GLib.Error, host_end.receive_blocking, None)
            return worker_end, host_end

        self.repeat(make, N)


if __name__ == "__main__":
    main()
