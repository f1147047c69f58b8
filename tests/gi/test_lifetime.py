# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Nothing is left of what was dropped: objects, descriptors, threads, processes, memory."""

import asyncio
import threading
import unittest

from coprocgi import Coproc, GLib, OVERRIDE, main, pair, string, until
from lifetime import N, LifetimeCase


class Lifetime(LifetimeCase):
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
