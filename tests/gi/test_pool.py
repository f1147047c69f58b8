# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Pools from Python, through introspection alone."""

import os
import signal
import threading
import weakref

from coprocgi import Case, Coproc, Gio, GLib, SECOND, main, number, until


def squares(n):
    return [number(i) for i in range(n)]


def unpack(results):
    return [result.unpack() for result in results]


class Pool(Case):
    def setUp(self):
        self.pool = Coproc.WorkerPool.new("echo", "identity", 2)

    def tearDown(self):
        self.pool.stop(SECOND)

    def start(self):
        self.assertTrue(self.pool.start(None, None))

    def test_life(self):
        pool = self.pool
        self.assertEqual(pool.props.state, Coproc.WorkerState.NEW)
        self.assertFails(Coproc.Error.NOT_ALIVE, pool.map, squares(1), 0, None)
        self.start()
        self.assertEqual(pool.props.state, Coproc.WorkerState.RUNNING)
        self.assertFails(Coproc.Error.ALREADY_ALIVE, pool.start, None, None)
        self.assertTrue(pool.stop(SECOND))
        self.assertEqual(pool.props.state, Coproc.WorkerState.EXITED)
        broken = Coproc.WorkerPool.new("echo", "nonesuch", 2)
        self.assertFails(Coproc.Error.PLUGIN_SYMBOL, broken.start, None, None)

    def test_map(self):
        self.start()
        for n in (0, 1, 3, 100):
            for chunk_size in (0, 1, 7):
                self.assertEqual(unpack(self.pool.map(squares(n), chunk_size, None)), list(range(n)))
        self.assertEqual(self.pool.props.n_done, 3 * 104)
        self.assertEqual(self.pool.props.n_pending, 0)

    def test_messages(self):
        self.start()
        inputs = [Coproc.Message.new_bytes(GLib.Bytes.new(bytes([i]) * 1000)) for i in range(20)]
        replies = self.pool.map_messages(inputs, 0, None)
        self.assertEqual([reply.get_bytes().get_data() for reply in replies],
                         [bytes([i]) * 1000 for i in range(20)])

    def test_operations(self):
        self.start()
        operation = self.pool.map_ordered(squares(30), 0)
        for i in range(30):
            result, index = operation.next(None)
            self.assertEqual((result.unpack(), index), (i, i))
        self.assertIsNone(operation.next(None)[0])
        operation = self.pool.map_unordered(squares(30), 0)
        got = dict()
        while (pair := operation.next(None))[0] is not None:
            got[pair[1]] = pair[0].unpack()
        self.assertEqual(got, {i: i for i in range(30)})
        self.assertEqual(operation.props.n_done, 30)
        self.assertEqual(operation.props.n_failed, 0)
        self.assertEqual(operation.props.n_total, 30)

    def test_broadcast(self):
        self.start()
        operation = self.pool.broadcast(number(7))
        got = set()
        while (pair := operation.next(None))[0] is not None:
            got.add((pair[0].unpack(), pair[1]))
        self.assertEqual(got, {(7, 0), (7, 1)})

    def test_progress(self):
        self.start()
        told = []
        operation = self.pool.map_unordered(squares(500), 1)
        operation.connect("progress", lambda op: told.append((op.props.n_done, op.props.rate, op.props.remaining_time)))
        until(lambda: told and told[-1][0] == 500)
        self.assertGreater(told[-1][1], 0)
        self.assertEqual(told[-1][2], 0)

    def test_lazy(self):
        self.start()
        threads, inputs = set(), iter(range(2000))

        def make(*_):
            threads.add(threading.get_ident())
            i = next(inputs, None)
            return None if i is None else number(i)

        operation = self.pool.map_lazy(make, None, True, 0)
        got = []
        while (result := operation.next(None)[0]) is not None:
            got.append(result.unpack())
        self.assertEqual(got, list(range(2000)))
        self.assertEqual(threads, {threading.get_ident()})

    def test_next_async(self):
        self.start()
        operation = self.pool.map_ordered(squares(5), 0)
        got = []

        def on_next(source, result):
            value, index = source.next_finish(result)
            if value is not None:
                got.append((value.unpack(), index, threading.get_ident()))
                source.next_async(None, on_next)
            else:
                got.append(None)

        operation.next_async(None, on_next)
        until(lambda: None in got)
        self.assertEqual(got[:-1], [(i, i, threading.get_ident()) for i in range(5)])

    def test_cancel(self):
        pool = Coproc.WorkerPool.new("text", "count", 1)
        pool.start(None, None)
        operation = pool.map_unordered([GLib.Variant("s", "not what it wants")] * 3, 0)
        self.assertEqual(operation.props.last_index, -1)
        failed = set()
        for _ in range(3):
            error = self.assertFails(Coproc.Error.INVALID_PAYLOAD, operation.next, None)
            self.assertIn(f"Item {operation.props.last_index} ", error.message)
            failed.add(operation.props.last_index)
        self.assertEqual(failed, {0, 1, 2})
        self.assertIsNone(operation.next(None)[0])
        operation = pool.map_unordered([GLib.Variant("s", "no")] * 1000, 0)
        operation.props.stop_on_error = True
        self.assertFails(Coproc.Error.INVALID_PAYLOAD, operation.next, None)
        operation = pool.map_unordered([GLib.Variant("s", "no")] * 1000, 0)
        operation.cancel()
        with self.assertRaises(GLib.Error) as caught:
            while True:
                try:
                    operation.next(None)
                except GLib.Error as error:
                    if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED):
                        raise
        pool.stop(SECOND)

    def test_submit(self):
        self.start()
        got = {}

        def on_done(source, result, key):
            got[key] = (source.submit_finish(result).unpack(), threading.get_ident())

        for i in range(20):
            self.pool.submit_async(number(i), float(i % 3), -1, None, on_done, i)
        until(lambda: len(got) == 20)
        self.assertEqual(got, {i: (i, threading.get_ident()) for i in range(20)})

    def test_async_life(self):
        got = []
        self.pool.start_async(None, None, lambda source, result: got.append(source.start_finish(result)))
        until(lambda: got)
        self.pool.stop_async(SECOND, None, lambda source, result: got.append(source.stop_finish(result)))
        until(lambda: len(got) == 2)
        self.assertEqual(got, [True, True])

    def test_model(self):
        self.pool.get_model().props.mode = Coproc.WorkerMode.THREAD
        self.start()
        self.assertEqual(unpack(self.pool.map(squares(50), 0, None)), list(range(50)))
        workers = self.pool.get_workers()
        until(lambda: len(workers) == 2)
        self.assertEqual([worker.props.pid for worker in workers], [0, 0])

    def test_workers_and_signals(self):
        told, exits = [], []
        self.pool.connect("progress", lambda pool: told.append(pool.props.n_done))
        self.pool.connect("worker-exited", lambda pool, *how: exits.append(how))
        self.start()
        workers = self.pool.get_workers()
        until(lambda: len(workers) == 2)
        self.pool.map(squares(100), 1, None)
        until(lambda: told and told[-1] == 100)
        self.assertEqual(sum(worker.props.tasks_done for worker in workers), 100)
        victim = workers[0].props.pid
        os.kill(victim, signal.SIGKILL)
        until(lambda: exits)
        self.assertEqual(exits, [(victim, -1, signal.SIGKILL)])
        self.assertEqual(len(self.pool.map(squares(100), 1, None)), 100)

    def test_drop(self):
        pool = Coproc.WorkerPool.new("echo", "identity", 2)
        pool.start(None, None)
        operation = pool.map_unordered(squares(1000), 0)
        gone = []
        weakref.finalize(pool, gone.append, True)
        del operation, pool
        until(lambda: gone)


if __name__ == "__main__":
    main()
