# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools, as SEMANTICS.md has them: section 1.4, and the rows L1 to L9 of section 2."""

import gc
import itertools
import os
import signal
import sys
import threading
import time
import weakref

from dropin import Case, coproc, main, open_fds, until


def square(x):
    return x * x


def nap(seconds):
    time.sleep(seconds)
    return seconds


def nap_and_tell(seconds):
    time.sleep(seconds)
    return os.getpid()


class OwnError(Exception):
    pass


def fail_at_three(x):
    if x == 3:
        raise OwnError("three", x)
    return x


def die_at_three(x):
    if x == 3:
        os._exit(5)
    return x


class Burden:
    """Counts how often it is sent, and how often it is made where it has come to."""

    n_sent = 0
    n_made = 0

    def __reduce__(self):
        self.n_sent += 1
        return make_burden, ()


def make_burden():
    Burden.n_made += 1
    return Burden()


class CannotBeMade:
    def __reduce__(self):
        return fail_to_make, ()


def fail_to_make():
    raise OwnError("not here")


class Late:
    def __init__(self, value):
        self.value = value


class Squarer(coproc.BaseWorkerProcess):
    def __call__(self):
        while True:
            data = self.messenger.receive_blocking()
            self.messenger.send_norequest(("progress", data))
            self.messenger.send_reply(data * data)


class Configured:
    def __init__(self, messenger, a=0, b=0):
        self.messenger = messenger
        self.sum = a + b

    def __call__(self):
        self.messenger.send_norequest(self.sum)
        self.messenger.receive_blocking()


class Pools(Case):
    @classmethod
    def setUpClass(cls):
        cls.pool = coproc.Pool(3)
        cls.pool.start()

    @classmethod
    def tearDownClass(cls):
        cls.pool.terminate(check_alive=False)
        del cls.pool

    def setUp(self):
        # One may be in the place of one that has ended, or still be at what the last test gave up.
        until(lambda: all(worker.is_alive() for worker in self.pool)
              and self.pool._pool.get_property("n-pending") == 0)

    def test_map(self):
        for n in (0, 1, 2, 3, 7, 100):
            for chunksize in (None, 1, 2, 1000):
                self.assertEqual(self.pool.map(square, range(n), chunksize), [x * x for x in range(n)])
        self.assertEqual(self.pool.map(str, iter("abc")), ["a", "b", "c"])
        self.assertEqual(sorted(self.pool.map_unordered(square, range(50))), [x * x for x in range(50)])
        offset = 5
        self.assertEqual(self.pool.map(lambda x: x + offset, [1, 2]), [6, 7])
        self.assertEqual(self.pool.map(fail_at_three, [[1], None, "x"]), [[1], None, "x"])

    def test_iter(self):
        workers = list(self.pool)
        self.assertEqual(len(workers), 3)
        self.assertTrue(all(worker.is_alive() for worker in workers))
        self.assertTrue(self.pool.is_alive())

    def test_update_user_func(self):
        self.assertRaises(TypeError, self.pool.map, "no function", [1])
        self.pool.update_user_func(square)
        self.assertEqual(self.pool.map(None, [3]), [9])

    def test_not_started(self):
        pool = coproc.Pool(2)
        self.assertRaises(coproc.WorkerIsDeadError, pool.map, square, [1])
        self.assertRaises(coproc.WorkerIsDeadError, pool.join)
        self.assertRaises(coproc.WorkerIsDeadError, pool.terminate)
        pool.terminate(check_alive=False)
        self.assertRaises(ValueError, coproc.Pool, 0)

    def test_messenger_type(self):
        with coproc.Pool(1, messenger_type=coproc.PriorityMessenger) as pool:
            self.assertEqual(pool.map(square, range(20)), [x * x for x in range(20)])
            pool.join()
            self.assertFalse(pool.is_alive())

    def test_function_s_exception(self):
        for chunksize in (1, 4, None):
            with self.assertRaises(OwnError) as caught:
                self.pool.map(fail_at_three, range(20), chunksize)
            self.assertEqual(caught.exception.args, ("three", 3))
            self.assertEqual(caught.exception.item_index, 3)
            self.assertIn("fail_at_three", str(caught.exception.__cause__))

    def test_result_that_cannot_be_pickled(self):
        with self.assertRaises(TypeError):
            self.pool.map(lambda x: threading.Lock(), [1])
        self.assertEqual(self.pool.map(square, [2]), [4])

    def test_input_that_fails(self):
        def numbers():
            yield 1
            raise OwnError("from the input")

        self.assertRaises(OwnError, self.pool.map, square, numbers())
        self.assertEqual(self.pool.map(square, [2]), [4])

    def test_exit_in_a_function(self):
        """M8: it does not end the host."""
        with self.assertRaises(coproc.RemoteError) as caught:
            self.pool.map(lambda x: sys.exit(3), [1])
        self.assertIsInstance(caught.exception.__cause__, SystemExit)

    def test_what_a_function_needs_is_sent_once(self):
        burden = Burden()
        counts = self.pool.map(lambda x: burden.n_made, range(200), chunksize=1)
        self.assertEqual((burden.n_sent, set(counts)), (1, {1}))

    def test_arguments_of_start(self):
        pool = coproc.Pool(1)
        self.assertRaisesRegex(TypeError, "'other'", pool.start, other=1)
        self.assertFalse(pool.is_alive())
        pool.start(verbose=True)
        self.assertTrue(pool.verbose)
        pool.terminate()

    def test_workers_that_cannot_begin(self):
        class Unusual(coproc.MultiMessenger):
            broken = CannotBeMade()

        with coproc.Pool(1, messenger_type=Unusual) as pool:
            with self.assertRaisesRegex((OwnError, coproc.CoprocError), "not here$"):
                pool.map(square, [1])

    def test_definitions_on_the_way(self):
        """What the input needs is met when the map has begun; whoever comes later is told, too."""
        def items():
            yield 1
            yield Late(2)

        for _ in range(2):
            self.assertEqual(self.pool.map(lambda x: getattr(x, "value", x), items(), chunksize=1), [1, 2])
            with self.assertRaises(coproc.WorkerDiedError):
                self.pool.map(lambda x: os._exit(x), [5])

    def test_large(self):
        data = bytes(20 << 20)
        for result in self.pool.map_unordered(lambda x: x[1:], [data] * 4, chunksize=1):
            self.assertEqual(len(result), len(data) - 1)

    def test_descriptors(self):
        self.pool.map(square, [1])
        before = open_fds()
        for i in range(20):
            self.pool.map(lambda x: x + i, [1, 2])
            next(self.pool.map_unordered(square, range(10)))
        until(lambda: open_fds() <= before)

    def test_fresh_functions(self):
        """What is sent for one map only is not kept, neither here nor there."""
        def get_sizes(data):
            function = lambda _: (len(data), len(coproc._byvalue._received))  # noqa: E731
            known = self.pool.map(function, range(4), chunksize=1)
            logs = [name for name in os.listdir("/proc/self/fd") if "coproc-log" in read_link(f"/proc/self/fd/{name}")]
            return weakref.ref(function), max(n for _, n in known), sum(
                os.stat(f"/proc/self/fd/{name}").st_size for name in logs)

        def read_link(path):
            try:
                return os.readlink(path)
            except FileNotFoundError:  # that of the listing
                return ""

        data = bytes(100000)
        sizes = [get_sizes(data) for _ in range(30)]
        gc.collect()
        self.assertEqual([alive() for alive, _, _ in sizes], [None] * 30)
        self.assertLessEqual(sizes[-1][1], sizes[5][1])
        self.assertEqual(sizes[-1][2], sizes[0][2])

    def test_items_by_value(self):
        """Functions and classes among the items, which the map's own function does not tell of."""
        class Local:
            def __init__(self, value):
                self.value = value

        items = (part for i in range(10) for part in (Local(i), lambda i=i: i))
        results = self.pool.map(lambda x: x() if callable(x) else x, items, chunksize=1)
        self.assertEqual([part.value if i % 2 == 0 else part for i, part in enumerate(results)],
                         [i // 2 for i in range(20)])
        self.assertTrue(all(type(part) is Local for part in results[::2]))
        self.assertEqual(self.pool.map(lambda x: x.value, results[::2]), list(range(10)))

    def test_many_maps_at_a_time(self):
        """More than a worker keeps the functions of."""
        maps = [self.pool.map_unordered(lambda x, n=n: (n, x), range(20), chunksize=1) for n in range(7)]
        results = [[] for _ in maps]
        for _ in range(20):
            for n, one in enumerate(maps):
                results[n].append(next(one))
        for n, one in enumerate(results):
            self.assertEqual(sorted(one), [(n, x) for x in range(20)])

    def test_interrupt(self):
        class Stop(Exception):
            pass

        def stop(*_):
            raise Stop

        old = signal.signal(signal.SIGALRM, stop)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            self.assertRaises(Stop, self.pool.map, nap, [2] * 3, 1)
        finally:
            signal.signal(signal.SIGALRM, old)
        self.assertEqual(self.pool.map(square, range(4)), [0, 1, 4, 9])

    def test_two_at_a_time(self):
        first = self.pool.map_unordered(square, range(20), chunksize=1)
        second = self.pool.map_unordered(str, range(20), chunksize=1)
        pairs = list(itertools.zip_longest(first, second))
        self.assertEqual(sorted(pair[0] for pair in pairs), [x * x for x in range(20)])
        self.assertEqual({pair[1] for pair in pairs}, {str(x) for x in range(20)})

    # --- the rows of section 2 ---

    def test_L1_fewer_items_than_workers(self):
        self.assertEqual(self.pool.map(square, []), [])
        self.assertEqual(self.pool.map(square, [2]), [4])
        self.assertEqual(list(self.pool.map_unordered(square, [])), [])
        lazy = coproc.LazyPool(4)
        self.assertEqual(lazy.map(square, []), [])
        self.assertEqual(lazy.map(square, [3]), [9])
        self.assertEqual(lazy.map(square, range(10), chunksize=5), [x * x for x in range(10)])

    def test_L2_no_stale_results(self):
        abandoned = self.pool.map_unordered(square, range(10, 100), chunksize=1)
        next(abandoned)
        self.assertEqual(self.pool.map(square, range(5)), [0, 1, 4, 9, 16])
        abandoned.close()
        with self.assertRaises(OwnError):
            self.pool.map(fail_at_three, range(10), chunksize=1)
        self.assertEqual(self.pool.map(square, range(10, 16)), [100, 121, 144, 169, 196, 225])

    def test_L3_waiting_takes_no_processor(self):
        started = time.process_time()
        self.assertEqual(self.pool.map(nap, [0.4, 0.4, 0.4], chunksize=1), [0.4] * 3)
        self.assertLess(time.process_time() - started, 0.2)

    def test_L4_lazy_back_to_back(self):
        lazy = coproc.LazyPool(3)
        with lazy as same:
            self.assertIs(same, lazy)
        for i in range(3):
            self.assertEqual(lazy.map(square, range(i, i + 4)), [x * x for x in range(i, i + 4)])
            self.assertFalse(lazy.is_alive())
        lazy.wait_until_dead()
        results = lazy.map_unordered(square, range(6))
        first = next(results)
        self.assertTrue(lazy.is_alive())
        self.assertEqual(len(list(lazy)), 3)
        self.assertEqual(sorted([first, *results]), [x * x for x in range(6)])
        self.assertEqual(list(lazy), [])

    def test_L5_channel(self):
        lazy = coproc.LazyPool(2)
        self.assertEqual(lazy.map(square, range(4), channel_id="some"), [0, 1, 4, 9])
        self.assertRaises(TypeError, lazy.map, square, range(4), channel_id=[])

    def test_L6_a_worker_ends(self):
        with self.assertRaisesRegex(coproc.WorkerDiedError, "item 3.*5") as caught:
            self.pool.map(die_at_three, range(4), chunksize=1)
        self.assertIsInstance(caught.exception, BrokenPipeError)
        self.assertEqual(self.pool.map(square, range(30)), [x * x for x in range(30)])
        self.assertTrue(self.pool.is_alive())

    def test_L6_between_maps(self):
        """One that is gone is replaced, and a map that goes on beside it is not disturbed, or told."""
        beside = self.pool.map_unordered(nap_and_tell, [0.05] + [0.5] * 8, chunksize=1)
        free = next(beside)  # the other ones are at work
        process = next(worker.proc for worker in self.pool if worker.pid != free)
        process.kill()
        until(lambda: not process.is_alive())
        self.assertEqual(self.pool.map(square, range(30)), [x * x for x in range(30)])
        self.assertTrue(self.pool.is_alive())
        with self.assertRaisesRegex(coproc.WorkerDiedError, "^items? [0-9]+"):
            list(beside)

    def test_L7_progress_is_no_result(self):
        with coproc.WorkerResourcePool.new(2, Squarer) as pool:
            results = list(pool.map_messages(iter(range(6))))
            self.assertEqual(sorted(results), [x * x for x in range(6)])
            progress = [payload for worker in pool for payload in worker.messenger.receive_available()]
            self.assertEqual(sorted(progress), [("progress", x) for x in range(6)])
            self.assertEqual(list(pool.map_messages([])), [])
            self.assertEqual(list(pool.map_messages([7])), [49])

    def test_L8_completion_order(self):
        started = time.monotonic()
        times = [(result, time.monotonic() - started)
                 for result in self.pool.map_unordered(nap, [0.6, 0.3, 0.01], chunksize=1)]
        self.assertEqual([result for result, _ in times], [0.01, 0.3, 0.6])
        self.assertLess(times[0][1], 0.59)

    def test_L9_validation(self):
        for chunksize in (0, -1, 1.5, "1"):
            self.assertRaises(ValueError, self.pool.map, square, [1], chunksize)
            self.assertRaises(ValueError, coproc.LazyPool(2).map, square, [1], chunksize)
        self.assertEqual(coproc.LazyPool(2).map(square, iter(range(5))), [0, 1, 4, 9, 16])
        self.assertEqual(coproc.LazyPool.chunk_size_slice(7, 3), [slice(0, 3, 1), slice(3, 6, 1), slice(6, 7, 1)])
        self.assertEqual(coproc.LazyPool.chunk_size_slice(0, 3), [])
        self.assertRaises(ValueError, coproc.LazyPool.chunk_size_slice, 7, 0)

    def test_L9_input_is_streamed(self):
        """No more is taken from the input than the workers have room for."""
        taken = itertools.count()
        results = self.pool.map_unordered(nap, (next(taken) * 0 + 0.02 for _ in range(1000)), chunksize=1)
        for _ in range(5):
            next(results)
        results.close()
        self.assertLess(next(taken), 50)


class WorkerPools(Case):
    def test_start_arguments(self):
        pool = coproc.WorkerResourcePool.new(2, Configured, coproc.MultiMessenger, a=1)
        self.assertEqual((len(list(pool)), pool.start_kwargs), (2, {"a": 1}))
        self.assertFalse(pool.is_alive())
        pool.start(b=10)
        try:
            self.assertTrue(pool.is_alive())
            self.assertEqual(pool.apply_to_workers(lambda worker: worker.messenger.receive_blocking()), [11, 11])
            self.assertRaises(coproc.WorkerIsAlreadyAliveError, pool.start)
            self.assertTrue(pool.is_alive())
        finally:
            pool.terminate(check_alive=False)
        self.assertFalse(pool.is_alive())
        self.assertRaises(coproc.WorkerIsAlreadyDeadError, pool.terminate)
        pool.set_start_kwargs(b=5)
        with pool:
            self.assertEqual(pool.apply_to_workers(lambda worker: worker.messenger.receive_blocking()), [5, 5])
            pool.join()
            pool.wait_until_dead()
        self.assertRaises(TypeError, pool.start, wrong=1)
        until(lambda: not pool.is_alive())

    def test_never_started(self):
        pool = coproc.WorkerResourcePool.new(2, Squarer)
        for function in (pool.join, pool.terminate):
            self.assertRaises(coproc.WorkerIsDeadError, function)
        with self.assertRaises(coproc.WorkerIsDeadError):
            list(pool.map_messages(iter([1])))

    def test_channel(self):
        class Other(coproc.BaseWorkerProcess):
            def __call__(self):
                while True:
                    self.messenger.send_reply(-self.messenger.receive_blocking("c"), "c")

        with coproc.WorkerResourcePool.new(2, Other) as pool:
            self.assertEqual(sorted(pool.map_messages(range(5), channel_id="c")), [-4, -3, -2, -1, 0])

    def test_a_worker_s_error(self):
        class Bad(coproc.BaseWorkerProcess):
            def __call__(self):
                self.messenger.receive_blocking()
                raise OwnError("bad")

        with coproc.WorkerResourcePool.new(2, Bad) as pool:
            with self.assertRaises(OwnError):
                list(pool.map_messages(range(5)))


if __name__ == "__main__":
    main()
