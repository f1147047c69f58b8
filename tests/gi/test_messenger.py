# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The messenger from Python."""

import ctypes
import functools
import math
import os
import select
import signal
import threading
import time

from coprocgi import Case, Coproc, Gio, GLib, SECOND, main, next_reply, number, pair, string
from coprocgi import OVERRIDE, unpack

MIB = 1 << 20


class Pair(Case):
    def test_types(self):
        for kind in (Coproc.Messenger, Coproc.PriorityMessenger, Coproc.MultiMessenger):
            worker_end, host_end = pair(kind)
            self.assertIs(type(worker_end), kind)
            self.assertIs(type(host_end), kind)
            self.assertEqual(worker_end.props.by_priority, kind is not Coproc.MultiMessenger)

    def test_visible_on_return(self):
        worker_end, host_end = pair()
        self.assertTrue(host_end.send_norequest(string("a"), None))
        self.assertEqual(worker_end.available(None), 1)
        self.assertEqual(unpack(worker_end.try_receive(None)), "a")
        self.assertIsNone(worker_end.try_receive(None))

    def test_payload_types(self):
        worker_end, host_end = pair()
        for payload in (
            GLib.Variant("b", True),
            number(-(1 << 63)),
            GLib.Variant("t", (1 << 64) - 1),
            GLib.Variant("d", math.inf),
            string("grün"),
            GLib.Variant("mv", None),
            GLib.Variant("a{sv}", {"a": number(1), "b": string("two")}),
            GLib.Variant("(sad)", ("x", [1.0, 2.0])),
            GLib.Variant("()", ()),
        ):
            host_end.send_norequest(payload, "types")
            got = worker_end.receive_message("types", -1).get_payload()
            self.assertEqual(got.get_type_string(), payload.get_type_string())
            self.assertTrue(got.equal(payload))

    def test_for_fds(self):
        there, back = os.pipe(), os.pipe()
        one = Coproc.Messenger.new_for_fds(Coproc.PriorityMessenger, there[0], back[1])
        two = Coproc.Messenger.new_for_fds(Coproc.PriorityMessenger, back[0], there[1])
        one.send_request(string("ping"), "fds")
        self.assertEqual(unpack(two.receive_blocking("fds")), "ping")
        two.send_reply(string("pong"), "fds")
        self.assertEqual(unpack(next_reply(one, "fds")), "pong")

    def test_wrong_python_type(self):
        _, host_end = pair()
        with self.assertRaises(TypeError):
            host_end.send_norequest(object() if OVERRIDE else "no variant", None)


class Channels(Case):
    def test_separate(self):
        worker_end, host_end = pair()
        host_end.send_norequest(number(1), "a")
        host_end.send_norequest(number(2), "b")
        host_end.send_norequest(number(3), None)
        self.assertEqual(unpack(worker_end.receive_blocking("b")), 2)
        self.assertEqual(unpack(worker_end.receive_blocking(None)), 3)
        self.assertEqual(unpack(worker_end.receive_blocking("a")), 1)

    def test_receive_available(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        self.assertEqual(worker_end.receive_available("n"), [])
        for i in range(10):
            host_end.send_norequest(number(i), "n")
        got = worker_end.receive_available("n")
        self.assertEqual([unpack(v) for v in got], list(range(10)))
        self.assertEqual(worker_end.available("n"), 0)

    def test_receive_messages(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        for i in range(10):
            host_end.send_bytes(bytes([i, 0, i]), "n")
        first = worker_end.receive_messages("n", 4, 5 * SECOND, None)
        rest = worker_end.receive_messages("n", 0, -1, None)
        self.assertEqual((len(first), len(rest)), (4, 6))
        self.assertEqual([bytes(m.get_data()) for m in first + rest],
                         [bytes([i, 0, i]) for i in range(10)])
        self.assertEqual([m.get_serial() for m in first + rest], list(range(1, 11)))
        self.assertFails(Coproc.Error.TIMED_OUT, worker_end.receive_messages, "n", 0, 0, None)

    def test_receive_any(self):
        worker_end, host_end = pair()
        host_end.send_norequest(string("x"), "där")
        message = worker_end.receive_any(5 * SECOND)
        self.assertEqual(message.get_channel(), "där")
        self.assertEqual(message.get_kind(), Coproc.MessageKind.NOREQUEST)
        self.assertFails(Coproc.Error.TIMED_OUT, worker_end.receive_any, 0)

    def test_await_available(self):
        worker_end, host_end = pair()
        self.assertFails(Coproc.Error.TIMED_OUT, worker_end.await_available, 1000)
        host_end.send_norequest(string("x"), "c")
        self.assertEqual(worker_end.available("c"), 1)
        self.assertTrue(worker_end.await_available(0))
        self.assertTrue(worker_end.await_available(-1))

    def test_empty_name(self):
        _, host_end = pair()
        self.assertFails(Coproc.Error.INVALID_PAYLOAD, host_end.send_norequest, string("x"), "")


class Priorities(Case):
    def send(self, messenger, value, priority, channel="p"):
        message = Coproc.Message.new_full(number(value), channel, priority)
        return messenger.send_message(message, Coproc.MessageKind.NOREQUEST)

    def test_order(self):
        worker_end, host_end = pair()
        for value, priority in ((1, 5.0), (2, -1.0), (3, math.inf), (4, -math.inf), (5, 5.0)):
            self.send(host_end, value, priority)
        host_end.send_norequest(number(6), "p")
        got = [unpack(v) for v in worker_end.receive_available("p")]
        self.assertEqual(got, [4, 2, 1, 5, 3, 6])

    def test_multi_is_fifo(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        for value, priority in ((1, 5.0), (2, -1.0), (3, 0.0)):
            self.send(host_end, value, priority)
        got = [unpack(v) for v in worker_end.receive_available("p")]
        self.assertEqual(got, [1, 2, 3])

    def test_in_payload(self):
        worker_end, host_end = pair()
        for i, priority in enumerate((3.0, 1.0, 2.0)):
            payload = {"i": number(i), "priority": GLib.Variant("d", priority)}
            host_end.send_norequest(GLib.Variant("a{sv}", payload), None)
        host_end.send_norequest(GLib.Variant("a{sv}", {"i": number(3), "priority": number(0)}), None)
        got = [unpack(v)["i"] for v in worker_end.receive_available(None)]
        self.assertEqual(got, [3, 1, 2, 0])

    def test_nan(self):
        worker_end, host_end = pair()
        self.assertFails(Coproc.Error.INVALID_PRIORITY, self.send, host_end, 1, math.nan)
        self.assertEqual(host_end.messages_sent("p"), 0)
        self.assertEqual(worker_end.available("p"), 0)

    def test_message(self):
        message = Coproc.Message.new(string("x"))
        self.assertEqual(message.get_priority(), math.inf)
        self.assertIsNone(message.get_channel())
        self.assertIsNone(message.get_bytes())
        self.assertEqual(unpack(message.get_payload()), "x")
        self.assertEqual(message.get_serial(), 0)
        message = Coproc.Message.new_full(string("y"), "c", -2.5)
        self.assertEqual(message.get_priority(), -2.5)
        self.assertEqual(message.get_channel(), "c")


class Requests(Case):
    def test_reply(self):
        worker_end, host_end = pair()
        host_end.send_request(string("ping"), "r")
        self.assertEqual(host_end.remaining("r"), 1)
        self.assertEqual(unpack(worker_end.receive_blocking("r")), "ping")
        worker_end.send_reply(string("pong"), "r")
        self.assertEqual(unpack(next_reply(host_end, "r")), "pong")
        self.assertEqual(host_end.remaining("r"), 0)
        self.assertIsNone(next_reply(host_end, "r"))

    def test_multiple(self):
        worker_end, host_end = pair()
        host_end.send_request_multiple([number(i) for i in range(100)], "m")
        self.assertEqual(host_end.remaining("m"), 100)
        for _ in range(100):
            request = worker_end.receive_blocking("m")
            worker_end.send_reply(number(unpack(request) * 2), "m")
        got = []
        while True:
            reply = next_reply(host_end, "m")
            if reply is None:
                break
            got.append(unpack(reply))
        self.assertEqual(got, [2 * i for i in range(100)])
        self.assertTrue(host_end.send_request_multiple([], "m"))

    def test_reply_to_message(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        serials = []
        for i in range(3):
            message = Coproc.Message.new_full(number(i), "m", 0)
            done, serial = host_end.send_message(message, Coproc.MessageKind.REQUEST)
            self.assertTrue(done)
            serials.append(serial)
        self.assertEqual(len(set(serials)), 3)
        requests = [worker_end.receive_message("m", -1) for _ in range(3)]
        for request in reversed(requests):
            self.assertEqual(request.get_kind(), Coproc.MessageKind.REQUEST)
            worker_end.reply(request, number(10 + unpack(request.get_payload())))
        replies = [host_end.receive_message("m", -1) for _ in range(3)]
        self.assertEqual([unpack(r.get_payload()) for r in replies], [12, 11, 10])
        self.assertEqual([r.get_reply_serial() for r in replies], serials[::-1])
        self.assertEqual(replies[0].get_kind(), Coproc.MessageKind.REPLY)

    def test_reply_multiple(self):
        worker_end, host_end = pair()
        host_end.send_request_multiple([number(i) for i in range(20)], "m")
        requests = worker_end.receive_messages("m", 0, 5 * SECOND, None)
        self.assertEqual(len(requests), 20)
        worker_end.reply_multiple(requests, [number(2 * r.get_payload().unpack()) for r in requests])
        replies = host_end.receive_messages("m", 0, 5 * SECOND, None)
        self.assertEqual([r.get_payload().unpack() for r in replies], [2 * i for i in range(20)])
        self.assertFails(Coproc.Error.FAILED, worker_end.reply_multiple, requests[:1], [number(1)])

    def test_reply_twice(self):
        worker_end, host_end = pair()
        host_end.send_request(string("x"), None)
        request = worker_end.receive_message(None, -1)
        worker_end.reply(request, string("y"))
        self.assertFails(Coproc.Error.FAILED, worker_end.reply, request, string("z"))
        self.assertFails(Coproc.Error.FAILED, worker_end.send_reply, string("z"), None)
        self.assertEqual(unpack(next_reply(host_end, None)), "y")
        self.assertEqual(host_end.available(None), 0)

    def test_counters(self):
        worker_end, host_end = pair()
        host_end.send_request(string("a"), "c")
        host_end.send_request(string("b"), "c")
        host_end.send_norequest(string("c"), "c")
        self.assertEqual(host_end.requests_sent("c"), 2)
        self.assertEqual(host_end.messages_sent("c"), 3)
        self.assertEqual(worker_end.available("c"), 3)
        self.assertEqual(worker_end.queue_size("c"), 3)
        self.assertEqual(worker_end.messages_received("c"), 0)
        worker_end.receive_blocking("c")
        worker_end.send_reply(string("A"), "c")
        self.assertEqual(worker_end.messages_received("c"), 1)
        self.assertEqual(worker_end.messages_sent("c"), 1)
        self.assertEqual(host_end.available("c"), 1)
        self.assertEqual(host_end.remaining("c"), 2)
        next_reply(host_end, "c")
        self.assertEqual(host_end.remaining("c"), 1)
        self.assertEqual(host_end.replies_received("c"), 1)
        self.assertEqual(host_end.requests_sent("other"), 0)

    def test_call(self):
        worker_end, host_end = pair()

        def answer():
            for _ in range(2):
                request = worker_end.receive_blocking("call")
                worker_end.send_reply(number(unpack(request) + 1), "call")

        thread = threading.Thread(target=answer)
        thread.start()
        self.assertEqual(unpack(host_end.call(number(1), "call", 30 * SECOND)), 2)
        self.assertEqual(unpack(host_end.call(number(2), "call", -1)), 3)
        thread.join()
        self.assertEqual(host_end.remaining("call"), 0)

    def test_call_timeout(self):
        _, host_end = pair()
        self.assertFails(Coproc.Error.TIMED_OUT, host_end.call, number(1), None, 20000)
        self.assertEqual(host_end.remaining(None), 0)


class Specials(Case):
    def test_error(self):
        worker_end, host_end = pair()
        worker_end.send_norequest(string("kept"), "s")
        worker_end.send_error(GLib.Error.new_literal(Gio.io_error_quark(), "no such thing",
                                                     Gio.IOErrorEnum.NOT_FOUND))
        with self.assertRaises(GLib.Error) as caught:
            host_end.available("s")
        error = caught.exception
        self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))
        self.assertEqual(error.message, "no such thing")
        self.assertEqual(unpack(host_end.receive_blocking("s")), "kept")

    def test_unknown_domain(self):
        worker_end, host_end = pair()
        worker_end.send_error(GLib.Error.new_literal(GLib.quark_from_string("nobody-knows"), "hm", 7))
        # Both ends live here, so the domain is known.
        with self.assertRaises(GLib.Error) as caught:
            host_end.receive_blocking(None)
        self.assertEqual(caught.exception.domain, "nobody-knows")
        self.assertEqual(caught.exception.code, 7)

    def test_error_reply(self):
        worker_end, host_end = pair()
        host_end.send_request_multiple([number(i) for i in range(3)], "e")
        for i in range(3):
            request = worker_end.receive_message("e", -1)
            if i == 1:
                report = GLib.Error.new_literal(Coproc.error_quark(), "odd", Coproc.Error.HANDLER)
                worker_end.reply_error(request, report)
            else:
                worker_end.reply(request, request.get_payload())
        self.assertEqual(len(host_end.receive_available("e")), 1)
        self.assertEqual(host_end.remaining("e"), 2)
        error = self.assertFails(Coproc.Error.HANDLER, next_reply, host_end, "e")
        self.assertEqual(error.message, "odd")
        self.assertEqual(unpack(next_reply(host_end, "e")), 2)
        self.assertIsNone(next_reply(host_end, "e"))

    def test_close_request(self):
        worker_end, host_end = pair()
        host_end.send_norequest(string("kept"), None)
        host_end.send_close_request()
        self.assertFails(Coproc.Error.CLOSE_REQUESTED, worker_end.receive_blocking, "elsewhere")
        self.assertTrue(worker_end.get_close_requested())
        self.assertTrue(worker_end.props.close_requested)
        self.assertFalse(host_end.get_close_requested())
        self.assertEqual(unpack(worker_end.receive_blocking(None)), "kept")

    def test_wakes_blocked(self):
        worker_end, host_end = pair()
        failures = []

        def receive():
            try:
                worker_end.receive_blocking("never")
            except GLib.Error as error:
                failures.append(error)

        thread = threading.Thread(target=receive)
        thread.start()
        host_end.send_close_request()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertTrue(failures[0].matches(Coproc.error_quark(), Coproc.Error.CLOSE_REQUESTED))


class Closing(Case):
    def test_last_words(self):
        worker_end, host_end = pair()
        worker_end.send_norequest(string("a"), "w")
        worker_end.send_norequest(string("b"), "w")
        worker_end.close()
        worker_end.close()
        self.assertTrue(worker_end.get_closed())
        self.assertEqual(unpack(host_end.receive_blocking("w")), "a")
        self.assertEqual(unpack(host_end.receive_blocking("w")), "b")
        self.assertFails(Coproc.Error.CLOSED, host_end.receive_blocking, "w")
        self.assertTrue(host_end.get_closed())
        self.assertTrue(host_end.props.closed)

    def test_send_after_close(self):
        worker_end, host_end = pair()
        host_end.close()
        self.assertFails(Coproc.Error.CLOSED, host_end.send_norequest, string("x"), None)
        self.assertFails(Coproc.Error.CLOSED, host_end.call, string("x"), None, -1)

    def test_outstanding(self):
        worker_end, host_end = pair()
        host_end.send_request(string("x"), "o")
        worker_end.close()
        self.assertFails(Coproc.Error.CLOSED, next_reply, host_end, "o")
        self.assertEqual(host_end.remaining("o"), 0)


class Bytes(Case):
    def test_send_bytes(self):
        worker_end, host_end = pair()
        for data in (b"", b"\0", bytes(range(256)), bytearray(b"abc")):
            host_end.send_bytes(bytes(data), "bytes")
            message = worker_end.receive_message("bytes", -1)
            self.assertEqual(message.get_bytes().get_data() or b"", bytes(data))
            self.assertEqual(message.get_payload().get_type_string(), "ay")

    def test_send_bytes_full(self):
        worker_end, host_end = pair()
        done, serial = host_end.send_bytes_full(b"1", "c", Coproc.MessageKind.REQUEST, 2.5)
        self.assertTrue(done)
        request = worker_end.receive_message("c", -1)
        self.assertEqual((request.get_kind(), request.get_priority()), (Coproc.MessageKind.REQUEST, 2.5))
        worker_end.send_bytes_full(b"2", "c", Coproc.MessageKind.REPLY, math.inf)
        reply = host_end.receive_reply("c", -1)
        self.assertEqual((reply.get_kind(), reply.get_reply_serial()), (Coproc.MessageKind.REPLY, serial))
        self.assertEqual(reply.get_bytes().get_data(), b"2")
        self.assertIsNone(host_end.receive_reply("c", -1))

    def test_new_bytes(self):
        worker_end, host_end = pair()
        message = Coproc.Message.new_bytes(GLib.Bytes.new(b"12345"))
        host_end.send_message(message, Coproc.MessageKind.NOREQUEST)
        got = worker_end.receive_message(None, -1)
        self.assertEqual(got.get_bytes().get_data(), b"12345")
        # The payload of a received message gives them without a cost per byte, too.
        self.assertEqual(got.get_payload().get_data_as_bytes().get_data(), b"12345")

    def test_alloc_bytes(self):
        """Memory that is filled in place, through a memoryview of it."""
        worker_end, host_end = pair()
        data = host_end.alloc_bytes(MIB)
        if OVERRIDE:
            view, send = data, lambda: host_end.send_bytes(data)
        else:
            glib = ctypes.CDLL("libglib-2.0.so.0")
            glib.g_bytes_get_data.restype = ctypes.c_void_p
            address = glib.g_bytes_get_data(ctypes.c_void_p(hash(data)), None)
            view = memoryview((ctypes.c_uint8 * data.get_size()).from_address(address)).cast("B")
            message = Coproc.Message.new_bytes(data)
            send = functools.partial(host_end.send_message, message, Coproc.MessageKind.NOREQUEST)
        view[:] = bytes(range(256)) * (MIB // 256)
        send()
        got = worker_end.receive_message(None, -1).get_bytes()
        self.assertTrue(got.get_data() == bytes(range(256)) * (MIB // 256))
        self.assertFails(Coproc.Error.TOO_LARGE, host_end.alloc_bytes, 2**30 + 1)

    def test_mebibyte_budget(self):
        """Eight mebibytes there and back cost milliseconds each, not seconds."""
        worker_end, host_end = pair()
        data = os.urandom(MIB)
        started = time.process_time()
        for _ in range(8):
            host_end.send_bytes(data, "big")
            got = worker_end.receive_message("big", -1).get_bytes()
            worker_end.send_message(Coproc.Message.new_bytes(got), Coproc.MessageKind.NOREQUEST)
            back = host_end.receive_message(None, -1).get_bytes().get_data()
            self.assertTrue(back == data)
        self.assertLess(time.process_time() - started, 2.0)

    def test_too_large(self):
        worker_end, host_end = pair()
        worker_end.props.max_message_size = 4096
        # The limit is told in a frame, which the host reads with its next receive call.
        self.assertEqual(host_end.available(None), 0)
        self.assertFails(Coproc.Error.TOO_LARGE, host_end.send_bytes, bytes(4097), None)
        self.assertTrue(host_end.send_bytes(bytes(64), None))


class Descriptor(Case):
    def test_select(self):
        worker_end, host_end = pair()
        fd = worker_end.get_fd()
        self.assertIsNone(worker_end.try_receive("f"))
        self.assertEqual(select.select([fd], [], [], 0), ([], [], []))
        host_end.send_norequest(string("x"), "f")
        self.assertEqual(select.select([fd], [], [], 30)[0], [fd])
        self.assertEqual(unpack(worker_end.try_receive("f")), "x")
        self.assertIsNone(worker_end.try_receive("f"))
        self.assertEqual(worker_end.get_fd(), fd)

    def test_closed(self):
        worker_end, host_end = pair()
        fd = worker_end.get_fd()
        self.assertIsNone(worker_end.try_receive(None))
        host_end.close()
        self.assertEqual(select.select([fd], [], [], 30)[0], [fd])
        self.assertFails(Coproc.Error.CLOSED, worker_end.try_receive, None)

    def test_interrupt(self):
        """What makes Ctrl-C work at once: to wait in Python, then to ask."""
        worker_end, _ = pair()
        fd = worker_end.get_fd()
        self.assertIsNone(worker_end.try_receive(None))
        rung = []
        before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1) or 1 / 0)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            with self.assertRaises(ZeroDivisionError):
                select.select([fd], [], [], 30)
        finally:
            signal.signal(signal.SIGALRM, before)
        self.assertEqual(rung, [1])

    def test_pipe_poll(self):
        worker_end, host_end = pair()
        # What a side says first, its greeting, can be read, too.
        worker_end.available(None)
        self.assertFalse(worker_end.pipe_poll())
        host_end.send_norequest(string("x"), None)
        self.assertTrue(worker_end.pipe_poll())
        worker_end.receive_blocking(None)
        self.assertFalse(worker_end.pipe_poll())


class Threads(Case):
    def test_many(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        n_threads, n_messages = 4, 250
        got = []
        lock = threading.Lock()

        def send(sender):
            for i in range(n_messages):
                host_end.send_norequest(GLib.Variant("(ii)", (sender, i)), "t")

        def receive():
            for _ in range(n_messages * n_threads // 2):
                payload = unpack(worker_end.receive_blocking("t"))
                with lock:
                    got.append(payload)

        threads = [threading.Thread(target=send, args=(i,)) for i in range(n_threads)]
        threads += [threading.Thread(target=receive) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(got), [(s, i) for s in range(n_threads) for i in range(n_messages)])


if __name__ == "__main__":
    main()
