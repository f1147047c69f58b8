# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the Python override adds to introspection."""

import array
import asyncio
import contextlib
import gc
import io
import pickle
import subprocess
import sys
import time

from coprocgi import Case, Coproc, Gio, GLib, SECOND, interrupt_soon, main, open_fds, pair, until


class Errors(Case):
    def test_classes(self):
        """There is a class for each code, named like it, which is one of Python's own where there is one."""
        for name in [name for name in vars(Coproc.Error) if name.isupper()]:
            kind = getattr(Coproc, "".join(part.capitalize() for part in name.split("_")))
            self.assertTrue(issubclass(kind, Coproc.Error) and issubclass(kind, GLib.Error), name)
        self.assertTrue(issubclass(Coproc.TimedOut, TimeoutError))
        self.assertTrue(issubclass(Coproc.Closed, ConnectionError))
        self.assertTrue(issubclass(Coproc.WorkerDied, ConnectionError))
        self.assertTrue(issubclass(Coproc.InvalidPriority, ValueError))

    def test_raised(self):
        worker_end, host_end = pair()
        with self.assertRaises(TimeoutError) as caught:
            host_end.receive("x", timeout=0.001)
        error = caught.exception
        self.assertIs(type(error), Coproc.TimedOut)
        self.assertTrue(error.matches(Coproc.error_quark(), Coproc.Error.TIMED_OUT))
        self.assertEqual(str(error), error.message)
        self.assertIn(error.message, repr(error))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), again.message, again.code), (type(error), error.message, error.code))
        with self.assertRaises(Coproc.InvalidPriority):
            host_end.send_norequest(1, priority=float("nan"))
        worker_end.close()
        with self.assertRaises(Coproc.Error):
            host_end.receive()

    def test_plugins(self):
        """They have attributes, and what cannot be inspected is told as all errors are."""
        names = {plugin.name: plugin for plugin in Coproc.Plugin.list()}
        echo = Coproc.Plugin.inspect(names["echo"].path)
        self.assertEqual((echo.name, sorted(echo.entry_points)), ("echo", ["echo", "identity", "sink"]))
        self.assertTrue(echo.version and echo.description)
        with self.assertRaises(Coproc.PluginNotFound):
            Coproc.Plugin.inspect("/no/such.so")
        with self.assertRaises(FileNotFoundError):
            Coproc.Plugin.inspect("/no/such.so")

    def test_default_code(self):
        self.assertEqual(Coproc.TimedOut("late").code, Coproc.Error.TIMED_OUT)
        worker_end, host_end = pair()
        worker_end.send_error(Coproc.PluginAbi("old"))
        self.assertRaises(Coproc.PluginAbi, host_end.receive)

    def test_foreign(self):
        """An error of another domain stays what it is."""
        worker_end, host_end = pair()
        worker_end.send_error(GLib.Error.new_literal(Gio.io_error_quark(), "hm", Gio.IOErrorEnum.BUSY))
        with self.assertRaises(GLib.Error) as caught:
            host_end.receive()
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))

    def test_exception_crosses(self):
        """With its type, if that is built in, its message and its traceback."""
        worker_end, host_end = pair()
        host_end.send_request("?")
        try:
            {}["no such key"]
        except KeyError as error:
            worker_end.reply_error(worker_end.receive_message(), error)
        with self.assertRaises(KeyError) as caught:
            next(host_end.receive_remaining())
        self.assertIsInstance(caught.exception, Coproc.Handler)
        self.assertEqual(caught.exception.message, "KeyError: 'no such key'")
        self.assertIn('{}["no such key"]', str(caught.exception.__cause__))


class Messages(Case):
    def test_attributes(self):
        worker_end, host_end = pair()
        host_end.send_request({"a": 1}, "c", priority=2.5)
        message = worker_end.receive_message("c")
        self.assertEqual((message.payload, message.channel, message.priority), ({"a": 1}, "c", 2.5))
        self.assertEqual(message.kind, Coproc.MessageKind.REQUEST)
        self.assertIsNone(message.bytes)
        self.assertGreater(message.serial, 0)
        self.assertIn("'c'", repr(message))
        worker_end.reply(message, b"done")
        reply = host_end.receive_message("c")
        self.assertEqual(reply.reply_serial, message.serial)
        self.assertEqual(reply.bytes, b"done")
        self.assertEqual(reply.payload, b"done")

    def test_new(self):
        worker_end, host_end = pair()
        self.assertTrue(host_end.send_message(Coproc.Message(["x"], "c", 1), Coproc.MessageKind.NOREQUEST))
        self.assertEqual(worker_end.receive("c"), ["x"])
        self.assertEqual(Coproc.Message(1).priority, float("inf"))

    def test_properties(self):
        worker_end, host_end = pair()
        self.assertFalse(host_end.closed)
        self.assertTrue(host_end.by_priority)
        host_end.high_water_mark = 12345
        self.assertEqual(host_end.props.high_water_mark, 12345)
        with self.assertRaises(AttributeError):
            host_end.closed = True

    def test_rlimits(self):
        worker = Coproc.WorkerResource.new("echo", "echo")
        self.assertIsNone(worker.rlimits)
        worker.rlimits = {"nofile": 99}
        self.assertEqual(worker.rlimits, {"nofile": 99})

    def test_with(self):
        worker_end, host_end = pair()
        with host_end as same:
            self.assertIs(same, host_end)
        self.assertTrue(host_end.closed)
        self.assertRaises(Coproc.Closed, worker_end.receive)

    def test_send_bytes(self):
        """Buffers are bytes here, whatever they hold, and cost nothing by the piece."""
        worker_end, host_end = pair(Coproc.MultiMessenger)
        data = bytes(range(256)) * 4096
        for kind in (bytes, bytearray, memoryview, lambda data: array.array("d", data)):
            start = time.monotonic()
            for _ in range(10):
                host_end.send_bytes(kind(data))
                self.assertEqual(worker_end.receive(), data)
            self.assertLess(time.monotonic() - start, 5)

    def test_bytes_of_each_kind(self):
        worker_end, host_end = pair()
        for priority in (None, 2.0):
            host_end.send_request(b"?", "b", priority=priority)
            request = worker_end.receive_message("b")
            self.assertEqual((request.kind, request.bytes), (Coproc.MessageKind.REQUEST, b"?"))
            self.assertEqual(request.priority, priority or float("inf"))
            worker_end.reply(request, b"!")
            self.assertEqual(list(host_end.receive_remaining("b")), [b"!"])
            host_end.send_norequest(b".", "b", priority=priority)
            message = worker_end.receive_message("b")
            self.assertEqual((message.kind, message.bytes), (Coproc.MessageKind.NOREQUEST, b"."))

    def test_reply_multiple(self):
        """Replies are values, too, of any iterable."""
        worker_end, host_end = pair()
        host_end.send_request_multiple(["a", "b"], "r")
        requests = worker_end.receive_messages("r", 2)
        self.assertTrue(worker_end.reply_multiple(requests, ({"to": request.payload} for request in requests)))
        self.assertEqual(list(host_end.receive_remaining("r")), [{"to": "a"}, {"to": "b"}])

    def test_try_receive(self):
        """A payload of None is not nothing."""
        worker_end, host_end = pair()
        nothing = object()
        self.assertIs(worker_end.try_receive(default=nothing), nothing)
        host_end.send_norequest(None)
        self.assertIsNone(worker_end.try_receive(default=nothing))

    def test_iterators(self):
        worker_end, host_end = pair(Coproc.MultiMessenger)
        host_end.send_request_multiple(range(5), "r")
        for request in worker_end.messages("r"):
            if request.payload == 2:
                worker_end.reply_error(request, ValueError("two"))
            else:
                worker_end.reply(request, request.payload)
            if request.payload == 4:
                break
        replies = host_end.receive_remaining("r")
        self.assertEqual([next(replies), next(replies)], [0, 1])
        self.assertRaises(ValueError, next, replies)
        self.assertEqual(list(replies), [3, 4])
        self.assertEqual(list(replies), [])
        host_end.send_norequest("last", "r")
        host_end.close()
        self.assertEqual([message.payload for message in worker_end.messages("r")], ["last"])


class Handlers(Case):
    """What raises in a handler is told to whoever waits for it, and printed."""

    def call(self, handler):
        worker_end, host_end = pair()
        worker_end.connect("message::jobs", handler)
        worker_end.listen("jobs")
        results = []
        host_end.call_async("?", "jobs", 60 * SECOND, None,
                            lambda source, result: results.append(self.finish(source, result)))
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            until(lambda: results)
        return results[0], printed.getvalue()

    def finish(self, source, result):
        try:
            return source.call_finish(result)
        except GLib.Error as error:
            return error

    def test_raises(self):
        def handler(messenger, message):
            raise ValueError("on purpose")

        error, printed = self.call(handler)
        self.assertIsInstance(error, ValueError)
        self.assertIsInstance(error, Coproc.Handler)
        self.assertIn("on purpose", str(error))
        self.assertIn("ValueError: on purpose", printed)

    def test_raises_after_the_reply(self):
        def handler(messenger, message):
            messenger.reply(message, "done")
            raise ValueError("too late")

        self.assertEqual(self.call(handler)[0], "done")

    def test_priority(self):
        """A virtual function that raises something is an error of the send."""
        class Odd(Coproc.Messenger):
            def do_get_priority(self, payload):
                raise ValueError("on purpose")

        worker_end, host_end = pair(Odd)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertRaises(Coproc.Handler, host_end.call, "?")
            self.assertRaises(Coproc.Handler, host_end.send_norequest, b"?")
            self.assertRaises(Coproc.Handler, host_end.send_request, b"?")
        self.assertEqual(host_end.messages_sent(), 0)


class Asyncio(Case):
    """Stock asyncio, without a loop of GLib's."""

    def test_call(self):
        async def run():
            async with Coproc.WorkerResource.new("echo", "echo") as worker:
                self.assertTrue(worker.is_alive())
                call = worker.messenger.call_async
                self.assertEqual(await call({"a": [1, None]}, "c"), {"a": [1, None]})
                self.assertEqual(await asyncio.gather(*map(call, range(100))), list(range(100)))
            self.assertFalse(worker.is_alive())
            self.assertEqual(worker.exit_status, 0)

        asyncio.run(run())

    def test_load(self):
        """1,000 calls at a time over 10 workers."""
        async def run():
            workers = [Coproc.WorkerResource.new("echo", "echo") for _ in range(10)]
            await asyncio.gather(*[worker.start_async() for worker in workers])
            calls = [workers[i % 10].messenger.call_async(i, timeout=60) for i in range(1000)]
            self.assertEqual(await asyncio.gather(*calls), list(range(1000)))
            await asyncio.gather(*[worker.join_async() for worker in workers])
            self.assertEqual([worker.exit_status for worker in workers], [0] * 10)

        asyncio.run(run())

    def test_messages(self):
        async def serve(messenger):
            async for request in messenger.messages("jobs"):
                messenger.reply(request, request.payload * 2)

        async def run():
            worker_end, host_end = pair()
            server = asyncio.create_task(serve(worker_end))
            self.assertEqual(await asyncio.gather(*[host_end.call_async(i, "jobs") for i in range(300)]),
                             [2 * i for i in range(300)])
            await asyncio.sleep(0)
            self.assertEqual(await host_end.call_async("ab", "jobs"), "abab")
            host_end.close()
            await asyncio.wait_for(server, 30)

        asyncio.run(run())

    def test_two_channels(self):
        """Each of two loops over one messenger gets its own, and neither keeps the other busy."""
        async def collect(messenger, channel, n):
            got = []
            async for message in messenger.messages(channel):
                got.append(message.payload)
                if len(got) == n:
                    return got

        async def run():
            worker_end, host_end = pair(Coproc.MultiMessenger)
            tasks = [asyncio.create_task(collect(worker_end, channel, 3)) for channel in ("a", "b")]
            for i in range(3):
                host_end.send_norequest(i, "b")
                await asyncio.sleep(0.001)
                host_end.send_norequest(-i, "a")
                await asyncio.sleep(0.001)
            self.assertEqual(await asyncio.wait_for(asyncio.gather(*tasks), 30), [[0, -1, -2], [0, 1, 2]])

        asyncio.run(run())

    def test_errors(self):
        async def run():
            worker_end, host_end = pair()
            with self.assertRaises(TimeoutError):
                await host_end.call_async("?", timeout=0.01)
            call = host_end.call_async("?", "e")
            worker_end.reply_error(worker_end.receive_message("e"), ValueError("bad"))
            with self.assertRaises(ValueError):
                await call
            with self.assertRaises(Coproc.PluginNotFound):
                await Coproc.WorkerResource.new("nonesuch", "x").start_async()
            waiting = asyncio.create_task(self.first(host_end))
            await asyncio.sleep(0.01)
            worker_end.close()
            self.assertIsNone(await asyncio.wait_for(waiting, 30))
            with self.assertRaises(ConnectionError):
                await host_end.receive_async()

        asyncio.run(run())

    async def first(self, messenger):
        async for message in messenger.messages():
            return message

    def test_cancel(self):
        """To cancel the task is to cancel the call."""
        async def run():
            worker_end, host_end = pair()
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(host_end.call_async("?", "c"), 0.01)
            deadline = time.monotonic() + 30
            while host_end.remaining("c") > 0 and time.monotonic() < deadline:
                await asyncio.sleep(0.001)
            self.assertEqual(host_end.remaining("c"), 0)
            cancellable = Gio.Cancellable()
            call = host_end.receive_async("c", cancellable)
            cancellable.cancel()
            with self.assertRaises(GLib.Error) as caught:
                await call
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

        asyncio.run(run())

    def test_many_loops(self):
        """Nothing is left of a loop that has ended."""
        def descriptors():
            async def run():
                worker_end, host_end = pair()
                call = host_end.call_async("?")
                async for request in worker_end.messages():
                    worker_end.reply(request, "!")
                    break
                self.assertEqual(await call, "!")
                del call, request, worker_end, host_end

            asyncio.run(run())
            gc.collect()
            return open_fds()

        descriptors()
        before = descriptors()
        for _ in range(20):
            descriptors()
        until(lambda: (gc.collect(), open_fds() <= before)[1])

    def run_on(self, policy):
        """Runs calls on a loop of GLib's own, which iterates the context that completions come in."""
        async def run():
            async with Coproc.WorkerResource.new("echo", "echo") as worker:
                self.assertEqual(await asyncio.gather(*map(worker.messenger.call_async, range(10))),
                                 list(range(10)))
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(worker.messenger.receive_async("x"), 0.01)
                worker.messenger.send_request("!", "m")
                async for message in worker.messenger.messages("m"):
                    break
                self.assertEqual(message.payload, "!")

        from gi.overrides import _coproc_asyncio
        asyncio.set_event_loop_policy(policy)
        try:
            loop = policy.get_event_loop()
            self.assertIs(_coproc_asyncio._get_context(loop), _coproc_asyncio._Loop)
            loop.run_until_complete(asyncio.wait_for(run(), 60))
            loop.close()
        finally:
            asyncio.set_event_loop_policy(None)

    def test_gi_events(self):
        try:
            from gi.events import GLibEventLoopPolicy
        except ImportError:
            from events_standin import GLibEventLoopPolicy
        self.run_on(GLibEventLoopPolicy())

    def test_gbulb(self):
        try:
            from gbulb import GLibEventLoopPolicy
        except ImportError:
            self.skipTest("gbulb is not installed")
        self.run_on(GLibEventLoopPolicy())

    def test_interrupt(self):
        """Ctrl-C cancels the main task, as it does without this library."""
        async def run():
            worker_end, host_end = pair()
            interrupt_soon()
            await host_end.receive_async()

        self.assertRaises(KeyboardInterrupt, asyncio.run, run())


class Import(Case):
    def test_light(self):
        """The import loads nothing that is needed only by some."""
        code = ("import gi, sys; gi.require_version('Coproc', '1'); from gi.repository import Coproc;"
                "print(sorted({'asyncio', 'ctypes', 'inspect', 'multiprocessing', 'pickle', 'socket'}"
                " & set(sys.modules)))")
        bare = "import gi, sys; from gi.repository import GLib, Gio"
        loaded = [subprocess.run([sys.executable, "-c", code.replace("import gi, sys", prefix)], check=True,
                                 capture_output=True, text=True).stdout for prefix in ("import gi, sys", bare)]
        self.assertEqual(loaded[0], loaded[1])


if __name__ == "__main__":
    main()
