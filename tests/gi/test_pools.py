# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools with the Python override."""

import asyncio
import itertools
import os
import signal
import threading
import time

import callables
from coprocgi import Case, Coproc, main, until


class Pool(Case):
    def test_map(self):
        with Coproc.WorkerPool.for_callable(callables.double, 2) as pool:
            self.assertEqual(pool.map(range(100)), [2 * i for i in range(100)])
            self.assertEqual(pool.map([]), [])
            self.assertEqual(pool.map(["a", [1], (1, 2)], chunk_size=1), ["aa", [1, 1], (1, 2, 1, 2)])

    def test_iterators(self):
        with Coproc.WorkerPool.for_callable(callables.double, 2) as pool:
            self.assertEqual(list(pool.map_ordered(range(50))), [2 * i for i in range(50)])
            self.assertEqual(sorted(pool.map_unordered(range(50))), [2 * i for i in range(50)])
            self.assertEqual(list(itertools.islice(pool.map_lazy(itertools.count()), 20)),
                             [2 * i for i in range(20)])

    def test_broadcast(self):
        with Coproc.WorkerPool.for_callable(callables.get_pid, 3) as pool:
            pids = list(pool.broadcast())
            self.assertEqual(len(set(pids)), 3)
            self.assertEqual(set(pool.broadcast("again")), set(pids))

    def test_workers(self):
        """The properties of what can be seen are attributes, and the one that dies says how."""
        exits = []
        with Coproc.WorkerPool.for_callable(callables.get_pid, 2) as pool:
            pool.connect("worker-exited", lambda _, *how: exits.append(how))
            until(lambda: [worker.state for worker in pool.workers] == [Coproc.WorkerState.RUNNING] * 2)
            self.assertEqual({worker.pid for worker in pool.workers}, set(pool.broadcast()))
            victim = pool.workers[0].pid
            os.kill(victim, signal.SIGKILL)
            until(lambda: exits)
            self.assertEqual(exits, [(victim, -1, signal.SIGKILL)])

    def test_lazy_input_fails(self):
        def inputs():
            yield 1
            raise KeyError("no more")

        with Coproc.WorkerPool.for_callable(callables.double, 1) as pool:
            results = pool.map_lazy(inputs())
            self.assertEqual(next(results), 2)
            self.assertRaises(KeyError, next, results)

    def test_errors(self):
        with Coproc.WorkerPool.for_callable(callables.fail, 1) as pool:
            with self.assertRaises(Coproc.Handler) as caught:
                pool.map(["this"])
            self.assertIn("KeyError", str(caught.exception))
            results = pool.map_ordered(["a", "b"])
            for name in ("a", "b"):
                with self.assertRaises(Coproc.Handler) as caught:
                    next(results)
                self.assertIn(repr(name), str(caught.exception))
            self.assertEqual(list(results), [])

    def test_asyncio(self):
        async def run():
            async with Coproc.WorkerPool.for_callable(callables.double, 2) as pool:
                self.assertEqual(await asyncio.gather(*map(pool.submit_async, range(50))),
                                 [2 * i for i in range(50)])
                self.assertEqual([result async for result in pool.map_ordered(range(20))],
                                 [2 * i for i in range(20)])
                self.assertEqual([result async for result in pool.broadcast(4)], [8, 8])

        asyncio.run(run())

    def test_interrupt(self):
        """Ctrl-C ends the wait for results."""
        with Coproc.WorkerPool.for_callable(callables.sleep, 1) as pool:
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            start = time.monotonic()
            self.assertRaises(KeyboardInterrupt, pool.map, [60])
            self.assertLess(time.monotonic() - start, 30)
            timer.join()

    def test_interrupt_start(self):
        """Ctrl-C ends a start, of workers that do not get ready."""
        pool = Coproc.WorkerPool.new_for_command(["/bin/sleep", "60"], 2)
        pool.get_model().props.start_timeout = -1
        timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        self.assertRaises(KeyboardInterrupt, pool.start)
        timer.join()
        self.assertEqual(pool.props.state, Coproc.WorkerState.FAILED)

    def test_plugin(self):
        with Coproc.WorkerPool.new("echo", "identity", 2) as pool:
            payloads = [None, {"a": [1, 2.5]}, "x", b"y"]
            self.assertEqual(pool.map(payloads), payloads)


if __name__ == "__main__":
    main()
