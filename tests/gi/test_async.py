# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Asynchronous calls, signals, subclasses and lifetimes from Python."""

import asyncio
import gc
import io
import sys
import threading
import weakref

from coprocgi import Case, Coproc, Gio, GLib, GObject, main, number, open_fds, pair, string
from coprocgi import turn, unpack, until


class Calls(Case):
    def test_call_async(self):
        worker_end, host_end = pair()
        results = []
        for i in range(10):
            host_end.call_async(number(i), "c", -1, None,
                                lambda source, result: results.append(source.call_finish(result)))
        for _ in range(10):
            request = worker_end.receive_message("c", -1)
            worker_end.reply(request, number(unpack(request.get_payload()) * 2))
        self.assertEqual(results, [])
        until(lambda: len(results) == 10)
        self.assertEqual(sorted(unpack(v) for v in results), [2 * i for i in range(10)])
        self.assertEqual(host_end.remaining("c"), 0)

    def test_receive_async(self):
        worker_end, host_end = pair()
        results = []
        worker_end.receive_async("r", None, lambda s, r: results.append(s.receive_finish(r)))
        worker_end.receive_message_async("r", -1, None,
                                         lambda s, r: results.append(s.receive_message_finish(r)))
        turn()
        self.assertEqual(results, [])
        host_end.send_norequest(string("1"), "r")
        host_end.send_norequest(string("2"), "r")
        until(lambda: len(results) == 2)
        self.assertEqual(unpack(results[0]), "1")
        self.assertEqual(unpack(results[1].get_payload()), "2")

    def test_send_message_async(self):
        worker_end, host_end = pair()
        results = []
        message = Coproc.Message.new_full(string("x"), "s", 1)
        host_end.send_message_async(message, Coproc.MessageKind.REQUEST, None,
                                    lambda s, r: results.append(s.send_message_finish(r)))
        self.assertEqual(results, [])
        until(lambda: results)
        self.assertEqual(results, [True])
        self.assertEqual(unpack(worker_end.receive_blocking("s")), "x")

    def test_timeout(self):
        _, host_end = pair()
        errors = self.errors_of(lambda done: host_end.call_async(string("x"), None, 10000, None, done),
                                Coproc.Messenger.call_finish)
        self.assertTrue(errors[0].matches(Coproc.error_quark(), Coproc.Error.TIMED_OUT))
        errors = self.errors_of(lambda done: host_end.receive_message_async(None, 0, None, done),
                                Coproc.Messenger.receive_message_finish)
        self.assertTrue(errors[0].matches(Coproc.error_quark(), Coproc.Error.TIMED_OUT))

    def errors_of(self, start, finish):
        errors = []

        def done(source, result):
            try:
                finish(source, result)
            except GLib.Error as error:
                errors.append(error)

        start(done)
        self.assertEqual(errors, [])
        until(lambda: errors)
        turn()
        self.assertEqual(len(errors), 1)
        return errors

    def test_cancel(self):
        _, host_end = pair()
        for when in ("before", "after", "twice"):
            cancellable = Gio.Cancellable()

            def start(done):
                if when == "before":
                    cancellable.cancel()
                host_end.call_async(string("x"), None, -1, cancellable, done)
                cancellable.cancel()
                if when == "twice":
                    cancellable.cancel()

            error = self.errors_of(start, Coproc.Messenger.call_finish)[0]
            self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
        self.assertEqual(host_end.remaining(None), 0)
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        self.assertCancelled(host_end.receive_blocking, None, cancellable)
        self.assertCancelled(host_end.call, string("x"), None, -1, cancellable)

    def test_cancel_blocked(self):
        worker_end, _ = pair()
        cancellable = Gio.Cancellable()
        threading.Timer(0.02, cancellable.cancel).start()
        self.assertCancelled(worker_end.receive_blocking, None, cancellable)

    def test_context(self):
        """A callback comes in the context that was the caller's default, in its thread."""
        worker_end, host_end = pair()
        seen = []

        def run():
            context = GLib.MainContext()
            context.push_thread_default()
            host_end.call_async(number(1), None, -1, None,
                                lambda s, r: seen.append((threading.get_ident(), s.call_finish(r))))
            until(lambda: seen, context)
            context.pop_thread_default()

        thread = threading.Thread(target=run)
        thread.start()
        request = worker_end.receive_blocking(None)
        worker_end.send_reply(request, None)
        thread.join()
        self.assertEqual(seen[0][0], thread.ident)
        self.assertEqual(unpack(seen[0][1]), 1)


class Signals(Case):
    def test_listen(self):
        worker_end, host_end = pair()
        got, other = [], []
        worker_end.connect("message::news", lambda m, message: got.append(message))
        worker_end.connect("message::else", lambda m, message: other.append(message))
        worker_end.listen("news")
        host_end.send_norequest(string("a"), "news")
        host_end.send_norequest(string("b"), "quiet")
        self.assertEqual(got, [])
        until(lambda: got)
        self.assertEqual(unpack(got[0].get_payload()), "a")
        self.assertEqual(got[0].get_channel(), "news")
        self.assertEqual(other, [])
        with self.assertRaises(GLib.Error):
            worker_end.receive_blocking("news")
        self.assertEqual(unpack(worker_end.receive_blocking("quiet")), "b")
        worker_end.unlisten("news")
        host_end.send_norequest(string("c"), "news")
        self.assertEqual(unpack(worker_end.receive_blocking("news")), "c")
        turn()
        self.assertEqual(len(got), 1)

    def test_default_channel(self):
        worker_end, host_end = pair()
        got = []
        worker_end.connect("message", lambda m, message: got.append(unpack(message.get_payload())))
        worker_end.listen(None)
        host_end.send_norequest(string("a"), None)
        until(lambda: got)
        self.assertEqual(got, ["a"])

    def test_thread(self):
        """Signals come in the context of the construction, whoever sends."""
        made, seen = [], []
        ready, stop = threading.Event(), threading.Event()

        def run():
            context = GLib.MainContext()
            context.push_thread_default()
            worker_end, host_end = pair()
            worker_end.connect("message::t", lambda *_: seen.append(threading.get_ident()))
            worker_end.listen("t")
            made.extend((worker_end, host_end))
            ready.set()
            until(lambda: stop.is_set() or len(seen) == 5, context)
            context.pop_thread_default()

        thread = threading.Thread(target=run)
        thread.start()
        self.assertTrue(ready.wait(30))
        for i in range(5):
            made[1].send_norequest(number(i), "t")
        thread.join(60)
        stop.set()
        self.assertEqual(seen, [thread.ident] * 5)

    def test_error_received(self):
        worker_end, host_end = pair()
        got = []
        host_end.connect("error-received", lambda m, error: got.append(error))
        worker_end.send_error(GLib.Error.new_literal(Gio.io_error_quark(), "hm",
                                                     Gio.IOErrorEnum.FAILED))
        until(lambda: got)
        self.assertEqual(got[0].message, "hm")
        self.assertTrue(got[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.FAILED))

    def test_close_requested_and_closed(self):
        worker_end, host_end = pair()
        got = []
        worker_end.connect("close-requested", lambda m: got.append("asked"))
        worker_end.connect("notify::close-requested", lambda m, p: got.append("notified"))
        worker_end.connect("closed", lambda m, error: got.append(("closed", error)))
        host_end.send_close_request()
        until(lambda: "asked" in got and "notified" in got)
        host_end.close()
        until(lambda: len(got) == 3)
        self.assertEqual(got[2], ("closed", None))

    def test_exception_in_handler(self):
        """An exception in a handler is the handler's: messages go on."""
        worker_end, host_end = pair()
        got, stderr = [], sys.stderr

        def handler(messenger, message):
            got.append(unpack(message.get_payload()))
            raise ValueError("on purpose")

        worker_end.connect("message::x", handler)
        worker_end.listen("x")
        sys.stderr = io.StringIO()
        try:
            for i in range(3):
                host_end.send_norequest(number(i), "x")
            until(lambda: len(got) == 3)
            self.assertIn("on purpose", sys.stderr.getvalue())
        finally:
            sys.stderr = stderr
        self.assertEqual(got, [0, 1, 2])


class Fixed(Coproc.Messenger):
    """Gives each string the priority of its length."""

    def do_get_priority(self, payload):
        text = unpack(payload)
        if text == "python":
            raise ValueError("no such priority")
        if text == "glib":
            raise GLib.Error.new_literal(Gio.io_error_quark(), "busy", Gio.IOErrorEnum.BUSY)
        if text == "false":
            return False, 0.0
        return True, float(len(text)) + 0.5


class Subclass(Case):
    def test_get_priority(self):
        worker_end, host_end = pair(Fixed.__gtype__)
        self.assertIsInstance(host_end, Fixed)
        for text in ("ccc", "a", "bb"):
            host_end.send_norequest(string(text), None)
        host_end.send_message(Coproc.Message.new_full(string("dddd"), None, 2.0),
                              Coproc.MessageKind.NOREQUEST)
        got = [worker_end.receive_message(None, 0) for _ in range(4)]
        self.assertEqual([(unpack(m.get_payload()), m.get_priority()) for m in got],
                         [("a", 1.5), ("dddd", 2.0), ("bb", 2.5), ("ccc", 3.5)])

    def test_python_exception(self):
        _, host_end = pair(Fixed)
        stderr, sys.stderr = sys.stderr, io.StringIO()
        try:
            self.assertFails(Coproc.Error.HANDLER, host_end.send_norequest, string("python"), None)
        finally:
            sys.stderr = stderr
        self.assertFails(Coproc.Error.HANDLER, host_end.send_norequest, string("false"), None)
        self.assertEqual(host_end.messages_sent(None), 0)

    def test_glib_error(self):
        worker_end, host_end = pair(Fixed)
        with self.assertRaises(GLib.Error) as caught:
            host_end.send_norequest(string("glib"), None)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))
        self.assertEqual(worker_end.available(None), 0)

    def test_properties(self):
        class Named(Coproc.Messenger):
            label = GObject.Property(type=str, default="none")

        worker_end, _ = pair(Named)
        worker_end.label = "mine"
        self.assertEqual(worker_end.props.label, "mine")
        self.assertTrue(worker_end.props.by_priority)


class Lifetime(Case):
    def collect(self, reference):
        gc.collect()
        until(lambda: gc.collect() >= 0 and reference() is None)

    def test_collected(self):
        fds = open_fds()
        worker_end, host_end = pair()
        references = [weakref.ref(worker_end), weakref.ref(host_end)]
        host_end.send_request(string("x"), None)
        del worker_end, host_end
        for reference in references:
            self.collect(reference)
        until(lambda: open_fds() <= fds)

    def test_cycle(self):
        """A handler that refers to its own messenger does not keep it."""
        fds = open_fds()
        references = []
        for _ in range(20):
            worker_end, host_end = pair()
            worker_end.listen("x")
            worker_end.connect("message::x", lambda m, message, end=worker_end: end)
            worker_end.friend, host_end.friend = host_end, worker_end
            references.append(weakref.ref(worker_end))
        del worker_end, host_end
        for reference in references:
            self.collect(reference)
        until(lambda: open_fds() <= fds + 2)

    def pending(self, drop):
        worker_end, host_end = pair()
        codes = []

        def done(finish):
            def callback(source, result):
                try:
                    finish(source, result)
                    codes.append(None)
                except GLib.Error as error:
                    codes.append(error.matches(Coproc.error_quark(), Coproc.Error.CLOSED))
            return callback

        for i in range(5):
            host_end.call_async(number(i), "p", -1, None, done(Coproc.Messenger.call_finish))
            host_end.receive_async("q", None, done(Coproc.Messenger.receive_finish))
        drop(worker_end, host_end)
        return codes

    def test_pending_and_closed(self):
        codes = self.pending(lambda worker_end, host_end: host_end.close())
        until(lambda: len(codes) == 10)
        turn()
        self.assertEqual(codes, [True] * 10)

    def test_pending_and_peer_gone(self):
        codes = self.pending(lambda worker_end, host_end: worker_end.close())
        until(lambda: len(codes) == 10)
        turn()
        self.assertEqual(codes, [True] * 10)

    def test_pending_and_dropped(self):
        """The collector takes both ends: each callback comes once, with CLOSED."""
        codes = self.pending(lambda worker_end, host_end: None)
        gc.collect()
        until(lambda: len(codes) == 10)
        turn()
        self.assertEqual(codes, [True] * 10)

    def test_pending_in_cycle(self):
        def drop(worker_end, host_end):
            host_end.self = host_end
            worker_end.friend = host_end

        codes = self.pending(drop)
        gc.collect()
        until(lambda: len(codes) == 10)
        turn()
        self.assertEqual(codes, [True] * 10)

    def test_dropped_in_callback(self):
        worker_end, host_end = pair()
        holder, seen = [host_end], []

        def callback(source, result):
            holder.clear()
            try:
                source.call_finish(result)
            except GLib.Error as error:
                # Not the error itself: its traceback refers to the source.
                seen.append(error.matches(Coproc.error_quark(), Coproc.Error.TIMED_OUT))

        host_end.call_async(string("x"), None, 1000, None, callback)
        reference = weakref.ref(host_end)
        del host_end
        until(lambda: seen)
        self.assertEqual(seen, [True])
        self.collect(reference)

    def test_dropped_in_thread(self):
        codes = []

        def run():
            codes.append(self.pending(lambda worker_end, host_end: None))

        context = GLib.MainContext.default()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        gc.collect()
        until(lambda: len(codes[0]) == 10, context)
        self.assertEqual(codes[0], [True] * 10)


class Asyncio(Case):
    def test_add_reader(self):
        """Stock asyncio, no GLib loop: get_fd() and try_receive()."""
        worker_end, host_end = pair()

        async def receive(messenger, channel):
            loop = asyncio.get_running_loop()
            while True:
                payload = messenger.try_receive(channel)
                if payload is not None:
                    return unpack(payload)
                readable = loop.create_future()
                loop.add_reader(messenger.get_fd(),
                                lambda: readable.done() or readable.set_result(None))
                await readable
                loop.remove_reader(messenger.get_fd())

        async def worker():
            for _ in range(200):
                worker_end.send_norequest(number(await receive(worker_end, "a") + 1), "b")

        async def host():
            value = 0
            for _ in range(200):
                host_end.send_norequest(number(value), "a")
                value = await receive(host_end, "b")
            return value

        async def both():
            return (await asyncio.wait_for(asyncio.gather(worker(), host()), 60))[1]

        self.assertEqual(asyncio.run(both()), 200)


if __name__ == "__main__":
    main()
