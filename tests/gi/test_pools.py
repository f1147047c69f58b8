# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools with the Python override."""

import array
import asyncio
import itertools
import os
import random
import signal
import threading

import callables
from coprocgi import Case, Coproc, Gio, GLib, main, until


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

    def test_plugin(self):
        with Coproc.WorkerPool.new("echo", "identity", 2) as pool:
            payloads = [None, {"a": [1, 2.5]}, "x", b"y"]
            self.assertEqual(pool.map(payloads), payloads)


class Blocks(Case):
    """Maps of Python functions, whose inputs go many to a message."""

    def map(self, function, *args, n_workers=2, **settings):
        with Coproc.WorkerPool.for_callable(function, n_workers) as pool:
            for name, value in settings.items():
                setattr(pool, name, value)
            results = pool.map(*args)
            return results, pool.n_done

    def test_many(self):
        n = 100000
        results, n_messages = self.map(callables.double, range(n))
        self.assertEqual(results, [2 * i for i in range(n)])
        self.assertLess(n_messages, n / 100)

    def test_chunk_size(self):
        """It says how many go into a message, at most."""
        for size, n_messages in (1, 1000), (10, 100), (300, 4):
            self.assertEqual(self.map(callables.double, range(1000), size), ([2 * i for i in range(1000)], n_messages))

    def test_kinds(self):
        """Inputs and results are what they are when they go alone."""
        values = [None, True, 7, 1 << 63, -1 << 63, 2.5, "text", b"bytes", (1, "two"), [1, "two"], {"a": [1]}, {1: ()},
                  array.array("d", [1, 2]), GLib.Variant("as", ["x"])] * 50
        with Coproc.WorkerPool.for_callable(callables.same, 2) as pool:
            alone = pool.map(values, 1)
            for chunk_size in 0, 3, 100:
                self.assertEqual(pool.map(values, chunk_size), alone)
                self.assertEqual([type(result) for result in pool.map(values, chunk_size)],
                                 [type(result) for result in alone])

    def test_large(self):
        """What is large goes in a message of its own, or of a few."""
        sizes = [0, 1, 1 << 10, 100 << 10, 3 << 20] * 20
        results, _ = self.map(callables.make_bytes, sizes)
        self.assertEqual([len(result) for result in results], sizes)
        self.assertEqual(self.map(len, [b"x" * size for size in sizes])[0], sizes)

    def test_slow(self):
        """What a worker has not begun after a while goes to whoever is free."""
        results, n_messages = self.map(callables.sleep_and_get_pid, [0.01] * 60)
        self.assertEqual(len(set(results)), 2)
        self.assertGreater(n_messages, 30)
        self.assertGreater(min(results.count(pid) for pid in set(results)), 15)

    def test_error(self):
        """It is that of the input that has failed, by its number, type and traceback."""
        for position in 0, 5, 4321, 9999:
            with self.assertRaises(ZeroDivisionError) as caught:
                self.map(callables.invert, [1] * position + [0] + [1] * (9999 - position))
            self.assertRegex(str(caught.exception), rf"^Item {position} \(worker \d+\): ZeroDivisionError: ")
            self.assertIn("callables.py", str(caught.exception.__cause__))
        with self.assertRaisesRegex(Coproc.Handler, r"^Item 70 \(.*TypeError: .* object"):
            self.map(callables.odd, [0] * 70 + [1] + [0] * 99)

    def test_own_text(self):
        """An error that looks like what is said of blocks."""
        for chunk_size in 1, 4:
            with self.assertRaisesRegex(Coproc.Error, r"^Item 2 \(worker \d+\): Item 7: no$"):
                self.map(callables.complain, ["", "", "Item 7: no", ""], chunk_size)

    def test_nothing_that_can_be_sent(self):
        self.assertRaises(TypeError, self.map, callables.double, [1] * 100 + [object()])
        self.assertRaises(OverflowError, self.map, callables.double, [1] * 100 + [1 << 64])

    def test_death(self):
        with self.assertRaisesRegex(Coproc.WorkerDied, r"^Items 0 to 9 \(worker \d+\): "):
            self.map(callables.die_of, [0] * 5 + [1] + [0] * 4, 10)

    def test_limits_of_tasks(self):
        """They are those of single inputs."""
        self.assertEqual(self.map(callables.double, range(50), max_tasks_per_worker=20)[1], 50)
        self.assertEqual(self.map(callables.sleep_and_get_pid, [0.1] * 10, 10, task_timeout=5000000)[1], 10)

    def test_cancelled(self):
        """A worker does not go on with a block that nobody waits for."""
        cancellable = Gio.Cancellable()
        with Coproc.WorkerPool.for_callable(callables.sleep_and_get_pid, 1) as pool:
            pool.cancel_grace = 60000000
            pid = pool.map([0])
            timer = threading.Timer(0.2, cancellable.cancel)
            timer.start()
            with self.assertRaises(GLib.Error) as caught:
                pool.map([0.001] * 100000, 0, cancellable)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
            timer.join()
            self.assertEqual(pool.map([0]), pid)

    def test_malformed(self):
        """What a worker sends as a block is read with care, whatever it is."""
        from gi.overrides import _coproc_blocks as blocks

        numbers = random.Random(6)
        block = [1, "two", [3.5, None, {"a": (True, b"x" * 20)}], {5: [6]}, GLib.Variant("m(nai)", (1, [2]))]
        data = bytearray(blocks._pack(block)[0].get_data_as_bytes().get_data())
        self.assertEqual(len(blocks._unpack(Coproc.Message(bytes(data)))), len(block))
        n_refused = 0
        for _ in range(3000):
            changed = data[:numbers.randrange(1, len(data) + 1)]
            for _ in range(numbers.randrange(4)):
                changed[numbers.randrange(len(changed))] = numbers.choice([0, 1, 8, 40, 41, 97, 109, 118, 255])
            try:
                self.assertIs(type(blocks._unpack(Coproc.Message(bytes(changed)))), list)
            except Exception:
                n_refused += 1
        self.assertGreater(n_refused, 1000)
        self.assertRaises(ValueError, blocks._unpack, Coproc.Message("no bytes"))

    def test_own_loop(self):
        """A function that has its own loop gets each input in a message."""
        self.assertEqual(sorted(self.map(callables.count, ["?"] * 50, n_workers=1)[0]), list(range(50)))


if __name__ == "__main__":
    main()
