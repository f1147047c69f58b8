# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The defects of the model, by the names that the C tests have for them, as far as a binding can meet them."""

import math
import os
import resource
import signal
import tempfile
import time

from coprocgi import Case, Coproc, Gio, GLib, SECOND, main, next_reply, number, pair, string, unpack, until

PLUGINS = os.environ["COPROC_TEST_PLUGINS"]
Error = Coproc.Error


class Messengers(Case):
    def setUp(self):
        self.worker, self.host = pair(Coproc.MultiMessenger)

    def tearDown(self):
        self.worker.close()
        self.host.close()

    def receive(self, messenger, channel):
        return unpack(messenger.receive_blocking(channel, None))

    def assertRaisesBusy(self, function, *args):
        with self.assertRaises(GLib.Error) as caught:
            function(*args)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))

    def test_m1_last_words(self):
        self.worker.send_norequest(string("1"), "y")
        self.worker.send_norequest(string("2"), "y")
        self.worker.close()
        self.assertEqual([self.receive(self.host, "y") for _ in range(2)], ["1", "2"])
        self.assertFails(Error.CLOSED, self.host.receive_blocking, "y", None)

    def test_m2_nothing_is_lost_by_an_error(self):
        self.worker.send_norequest(string("a"), "x")
        self.worker.send_error(GLib.Error.new_literal(Gio.io_error_quark(), "busy", Gio.IOErrorEnum.BUSY))
        self.worker.send_norequest(string("b"), "x")
        self.worker.send_close_request()
        self.assertRaisesBusy(self.host.receive_available, "x")
        self.assertFails(Error.CLOSE_REQUESTED, self.host.receive_blocking, "x", None)
        self.assertEqual(self.host.messages_received("x"), 0)
        self.assertEqual([unpack(payload) for payload in self.host.receive_available("x")], ["a", "b"])

    def test_m3_no_lost_wake_up(self):
        self.host.send_norequest(string("queued"), "x")
        self.assertEqual(self.worker.available("x"), 1)
        for _ in range(2):
            self.assertTrue(self.worker.await_available(-1, None))
        self.assertEqual(unpack(self.worker.try_receive("x")), "queued")

    def test_m4_remaining(self):
        self.assertFails(Error.FAILED, self.worker.send_reply, string("to nothing"), "x")
        self.assertFails(Error.INVALID_PAYLOAD, self.host.send_request, string("?"), "")
        self.assertEqual(self.host.remaining("x"), 0)
        self.host.send_request_multiple([string("?")] * 3, "x")
        self.worker.send_norequest(string("progress"), "x")
        for _ in range(2):
            self.worker.receive_message("x", -1, None)
        self.worker.send_reply(string("r"), "x")
        self.assertEqual(unpack(next_reply(self.host, "x")), "r")
        self.assertEqual(self.host.remaining("x"), 2)
        self.assertEqual(self.receive(self.host, "x"), "progress")
        self.assertEqual(self.host.remaining("x"), 2)
        self.worker.close()
        self.assertFails(Error.CLOSED, next_reply, self.host, "x")
        self.assertEqual(self.host.remaining("x"), 0)

    def test_m5_correlation(self):
        worker, host = pair(Coproc.PriorityMessenger)
        serials = [host.send_message(Coproc.Message.new_full(string("?"), "x", 3.0 - i), Coproc.MessageKind.REQUEST)[1]
                   for i in range(3)]
        for i in range(3):
            worker.receive_message("x", -1, None)
            worker.send_reply(number(i), "x")
        self.assertEqual([host.receive_message("x", -1, None).get_reply_serial() for _ in range(3)], serials[::-1])

    def test_m6_errors_have_an_address(self):
        errors = []

        def done(source, result):
            with self.assertRaises(GLib.Error) as caught:
                source.call_finish(result)
            errors.append(caught.exception)

        self.host.call_async(string("?"), "x", -1, None, done)
        request = self.worker.receive_message("x", -1, None)
        self.worker.reply_error(request, GLib.Error.new_literal(Gio.io_error_quark(), "busy", Gio.IOErrorEnum.BUSY))
        self.worker.send_norequest(string("for all"), "x")
        self.assertEqual(self.receive(self.host, "x"), "for all")
        until(lambda: errors)
        self.assertTrue(errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))
        self.assertIsNone(self.host.try_receive("x"))

    def test_m8_an_error_is_only_returned(self):
        for code in range(-1, 261):
            self.worker.send_error(GLib.Error.new_literal(GLib.spawn_error_quark(), str(code), code))
            with self.assertRaises(GLib.Error) as caught:
                self.host.try_receive("x")
            self.assertTrue(caught.exception.matches(GLib.spawn_error_quark(), code))

    def test_m9_both_pipes_full(self):
        """What does not fit waits for room without its sender; what is too much is refused, not waited for."""
        self.host.props.high_water_mark = self.worker.props.high_water_mark = 4 << 20
        self.host.props.send_timeout = self.worker.props.send_timeout = 0
        sent = {}
        for messenger in (self.host, self.worker):
            with self.assertRaises(GLib.Error) as caught:
                for sent[messenger] in range(1, 10000):
                    messenger.send_bytes(bytes(65536), "x")
            self.assertTrue(caught.exception.matches(Coproc.error_quark(), Error.WOULD_BLOCK))
            self.assertGreater(sent[messenger], 64)
        for receiver, sender in ((self.host, self.worker), (self.worker, self.host)):
            for _ in range(sent[sender] - 1):
                receiver.receive_message("x", 30 * SECOND, None)
            self.assertIsNone(receiver.try_receive("x"))

    def test_m10_no_starvation(self):
        self.worker.send_norequest(string("first"), "a")
        for _ in range(10000):
            self.worker.send_bytes(b"flood", "b")
        self.assertEqual(self.receive(self.host, "a"), "first")

    def test_m11_bounded(self):
        """A channel that is used once leaves nothing behind that counts."""
        self.worker.props.max_channels = 10
        self.host.available("c0")  # it takes in what it was told
        for i in range(10):
            self.host.send_norequest(string("x"), f"c{i}")
            self.worker.receive_blocking(f"c{i}", None)
        self.assertFails(Error.LIMIT, self.host.send_norequest, string("x"), "one too many")
        self.host.send_norequest(string("x"), "c0")

    def test_m13_priority_is_checked_at_the_sender(self):
        message = Coproc.Message.new_full(string("x"), "x", math.nan)
        self.assertFails(Error.INVALID_PRIORITY, self.host.send_message, message, Coproc.MessageKind.REQUEST)
        self.assertEqual((self.host.messages_sent("x"), self.host.remaining("x")), (0, 0))

    def test_m16_payloads_are_data(self):
        deep = GLib.Variant("y", 1)
        for _ in range(65):
            deep = GLib.Variant.new_variant(deep)
        self.assertFails(Error.INVALID_PAYLOAD, self.host.send_norequest, deep, "x")
        bad = GLib.Variant.new_from_bytes(GLib.VariantType("b"), GLib.Bytes.new(b"\2"), False)
        self.assertFails(Error.INVALID_PAYLOAD, self.host.send_norequest, bad, "x")
        self.host.send_bytes(b"cos\nsystem\n(S'false'\ntR.", "x")
        self.assertEqual(self.worker.receive_message("x", -1, None).get_bytes().get_data()[:3], b"cos")

    def test_m17_one_kind_of_end(self):
        self.worker.close()
        for function, args in ((self.host.receive_blocking, ("x", None)), (self.host.receive_any, (-1, None)),
                               (self.host.await_available, (-1, None)),
                               (self.host.send_norequest, (string("x"), "x")),
                               (self.host.call, (string("x"), "x", -1, None)),
                               (self.worker.receive_blocking, ("x", None))):
            self.assertFails(Error.CLOSED, function, *args)


class Workers(Case):
    def new(self, entry_point):
        worker = Coproc.WorkerResource.new(f"{PLUGINS}/lifecycle.so", entry_point)
        worker.props.grace_period = SECOND // 5
        worker.props.stderr_mode = Coproc.StderrMode.CAPTURE
        self.addCleanup(worker.stop, 0)
        return worker

    def start(self, entry_point, **arguments):
        worker = self.new(entry_point)
        worker.start(GLib.Variant("a{sv}", arguments) if arguments else None, None)
        return worker, worker.get_messenger()

    def test_w1_clean_up(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "left-behind")
            worker, _ = self.start("clean", path=GLib.Variant("s", path))
            self.assertTrue(worker.stop(10 * SECOND))
            self.assertEqual(worker.get_exit_status(), 0)
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), "clean")

    def test_w2_stop_waits(self):
        worker = self.new("clean")
        for end in (lambda: worker.stop(10 * SECOND), worker.terminate) * 3:
            worker.start(None, None)
            pid = worker.get_pid()
            self.assertFails(Error.ALREADY_ALIVE, worker.start, None, None)
            self.assertTrue(end())
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_w3_join_keeps_replies(self):
        worker, messenger = self.start("last-words")
        messenger.send_request_multiple([GLib.Variant("u", i) for i in range(5)], None)
        self.assertTrue(worker.join(60 * SECOND, None))
        self.assertEqual([unpack(next_reply(messenger)) for _ in range(5)], list(range(5)))
        self.assertEqual(messenger.receive_message("bulk", -1, None).get_bytes().get_size(), 1 << 20)
        self.assertFails(Error.CLOSED, messenger.receive_blocking, "bulk", None)

    def test_w3_join_keeps_errors(self):
        worker, messenger = self.start("fail")
        self.assertTrue(worker.join(60 * SECOND, None))
        self.assertEqual(worker.get_exit_status(), 1)
        with self.assertRaises(GLib.Error) as caught:
            messenger.receive_blocking(None, None)
        self.assertTrue(caught.exception.matches(GLib.file_error_quark(), GLib.FileError.NOSPC))
        self.assertFails(Error.CLOSED, messenger.receive_blocking, None, None)

    def test_w4_join_after_end(self):
        worker = self.new("clean")
        self.assertFails(Error.NOT_ALIVE, worker.join, -1, None)
        for wait in (True, False):
            worker.start(None, None)
            worker.get_messenger().send_close_request()
            if wait:
                until(lambda: not worker.is_alive())
            self.assertTrue(worker.join(60 * SECOND, None))
            self.assertTrue(worker.join(0, None))

    def test_w5_exited(self):
        for key, value, words in (("code", 3, "exit code 3"), ("signal", signal.SIGSEGV, "signal SEGV")):
            exits = []
            worker = self.new("die")
            worker.connect("exited", lambda _, *how: exits.append(how))
            worker.start(GLib.Variant("a{sv}", {key: GLib.Variant("i", value)}), None)
            error = self.assertFails(Error.WORKER_DIED, worker.get_messenger().call, string("?"), None, -1, None)
            self.assertIn(words, error.message)
            until(lambda: exits)
            self.assertEqual(exits, [(3, 0) if key == "code" else (-1, signal.SIGSEGV)])

    def test_w8_escalates(self):
        worker, messenger = self.start("stubborn")
        self.assertEqual(unpack(messenger.receive_blocking(None, None)), "ready")
        self.assertTrue(worker.stop(SECOND // 10))
        self.assertEqual(worker.get_term_signal(), signal.SIGKILL)

    def test_w11_start_fails(self):
        for name, code in (("no-symbol", Error.PLUGIN_SYMBOL), ("wrong-abi", Error.PLUGIN_ABI),
                           ("ctor-segv", Error.PLUGIN_REFUSED)):
            worker = Coproc.WorkerResource.new(f"{PLUGINS}/{name}.so", "any")
            worker.props.stderr_mode = Coproc.StderrMode.CAPTURE
            self.assertFails(code, worker.start, None, None)

    def test_w12_teardown(self):
        worker = self.new("clean")
        self.assertTrue(worker.stop(0))
        worker.start(None, None)
        os.kill(worker.get_pid(), signal.SIGKILL)
        for _ in range(2):
            self.assertTrue(worker.stop(10 * SECOND))
        self.assertEqual(worker.get_term_signal(), signal.SIGKILL)

    def test_w13_close_is_normal(self):
        worker, messenger = self.start("clean")
        os.kill(worker.get_pid(), signal.SIGINT)
        self.assertEqual(unpack(messenger.call(string("still here"), None, -1, None)), "still here")
        self.assertTrue(worker.join(60 * SECOND, None))
        self.assertEqual(worker.get_exit_status(), 0)


class Pools(Case):
    @classmethod
    def setUpClass(cls):
        cls.pool = Coproc.WorkerPool.new(f"{PLUGINS}/tasks.so", "run", 2)
        cls.pool.get_model().props.stderr_mode = Coproc.StderrMode.CAPTURE
        cls.pool.start(None, None)

    @classmethod
    def tearDownClass(cls):
        cls.pool.stop(SECOND)

    @staticmethod
    def squares(n):
        return [GLib.Variant("i", i) for i in range(n)]

    @staticmethod
    def orders(**what):
        return GLib.Variant("a{sv}", what)

    def map(self, inputs):
        return [unpack(result) for result in self.pool.map(inputs, 0, None)]

    @staticmethod
    def results(operation):
        """(index, result or error) as they come"""
        while True:
            try:
                result = Coproc.MapOperation.next(operation, None)
            except GLib.Error as error:
                yield operation.get_property("last-index"), error
                continue
            if result[0] is None:
                return
            yield result[1], unpack(result[0])

    def test_l1_few_inputs(self):
        for n in range(4):
            self.assertEqual(self.map(self.squares(n)), [i * i for i in range(n)])

    def test_l2_abandoned(self):
        operation = self.pool.map_unordered(self.squares(1000), 1)
        next(self.results(operation))
        operation.cancel()
        del operation
        self.assertEqual(self.map(self.squares(5)), [0, 1, 4, 9, 16])

    def test_l3_no_busy_waiting(self):
        before = resource.getrusage(resource.RUSAGE_SELF)
        started = time.monotonic()
        self.map([self.orders(sleep=GLib.Variant("x", 400000))] * 2)
        after = resource.getrusage(resource.RUSAGE_SELF)
        self.assertGreaterEqual(time.monotonic() - started, 0.4)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0.2)

    def test_l6_crash(self):
        inputs = self.squares(6)
        inputs[3] = self.orders(die=GLib.Variant("i", signal.SIGKILL))
        got = dict(self.results(self.pool.map_unordered(inputs, 1)))
        error = got.pop(3)
        self.assertTrue(error.matches(Coproc.error_quark(), Error.WORKER_DIED), repr(error))
        self.assertIn("Item 3 ", error.message)
        self.assertEqual(got, {i: i * i for i in (0, 1, 2, 4, 5)})

    def test_l8_completion_order(self):
        inputs = [self.orders(value=GLib.Variant("i", i), sleep=GLib.Variant("x", sleep))
                  for i, sleep in enumerate((600000, 10000))]
        self.assertEqual([index for index, _ in self.results(self.pool.map_unordered(inputs, 1))], [1, 0])

    def test_l9_errors(self):
        inputs = self.squares(5)
        inputs[1] = inputs[4] = self.orders(fail=GLib.Variant("s", "so it goes"))
        got = dict(self.results(self.pool.map_ordered(inputs, 0)))
        for i in (1, 4):
            error = got.pop(i)
            self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))
        self.assertEqual(got, {0: 0, 2: 4, 3: 9})


if __name__ == "__main__":
    main()
