# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Messengers, as SEMANTICS.md has them: section 1.1, and the rows M1 to M19 of section 2."""

import collections
import contextlib
import dataclasses
import decimal
import enum
import fractions
import io
import math
import os
import pickle
import threading
import time

from dropin import Case, Pair, coproc, main, open_fds, until

import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

MIB = 1 << 20


@dataclasses.dataclass
class Item:
    text: str
    priority: float = 0


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Key:
    number: int
    name: str


class Grid:
    """Has buffers as arrays do that pickle need not copy."""

    def __init__(self, *buffers):
        self.buffers = buffers

    def __reduce_ex__(self, protocol):
        return Grid, tuple(pickle.PickleBuffer(buffer) for buffer in self.buffers)

    def __eq__(self, other):
        return [bytes(buffer) for buffer in self.buffers] == [bytes(buffer) for buffer in other.buffers]


class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


class Unpicklable(Exception):
    def __init__(self):
        super().__init__("has a lock")
        self.lock = threading.Lock()


class Messenger(Pair):
    def test_payloads(self):
        for payload in (None, 1, "text", 1.5, True, [1, [2]], {"a": (1, 2)}, {1, 2}, Item("x"), Colour.RED,
                        bytearray(b"abc"), collections.Counter("aab"), b"", b"bytes", b"\x80\x05.",
                        pickle.dumps("a pickle", 5), os.urandom(70000), [os.urandom(70000)]):
            self.process.send_norequest(payload)
            got = self.resource.receive_blocking()
            self.assertEqual((got, type(got)), (payload, type(payload)))

    def test_buffers(self):
        """Large ones travel beside the pickle, and are what they are within one."""
        large = bytearray(os.urandom(3 * MIB + 5))
        for grids in (
            [Grid(bytearray(b"few"))],
            [Grid(large)],
            [Grid(large, bytearray(), bytes(20000), large[:20000]), Grid(bytearray(16384)), {"text": "x" * 70000}],
            [Grid(bytearray([i]) * 20000) for i in range(200)],
        ):
            self.process.send_request(grids)
            got = self.resource.receive_blocking()
            self.assertEqual(got, grids)
            for grid, there in zip(grids, got):
                for buffer, copy in zip(getattr(grid, "buffers", ()), getattr(there, "buffers", ())):
                    self.assertEqual(memoryview(copy).readonly, memoryview(buffer).readonly)
            self.resource.send_reply(got)
            self.assertEqual(self.process.receive_blocking(), grids)
        for likely in (b"\x80\x05|", b"\x80\x05" + bytes(70000) + b"|"):
            self.process.send_norequest(likely)
            self.assertEqual(self.resource.receive_blocking(), likely)

    def test_buffers_without_waiting(self):
        """Nothing is waited for, not even memory."""
        self.process.send_timeout = 0
        grid = Grid(bytearray(MIB))
        self.process.send_norequest(grid)
        self.assertEqual(self.resource.receive_blocking(), grid)

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        square = numpy.arange(90000.0).reshape(300, 300)
        fixed = square.copy()
        fixed.flags.writeable = False
        for array in (square, square.T, square[::2, ::3], fixed, numpy.arange(3), numpy.array([None, "x"] * 50000)):
            self.process.send_norequest({"array": array})
            got = self.resource.receive_blocking()["array"]
            self.assertTrue((got == array).all())
            self.assertEqual((got.dtype, got.flags.writeable), (array.dtype, array.flags.writeable))

    def test_sends_return_none(self):
        for send, args in (
            (self.process.send_norequest, (1,)),
            (self.process.send_request, (1,)),
            (self.process.send_request_multiple, (iter([1, 2]),)),
            (self.process.send_reply, (1,)),
            (self.process.send_data_message, (1, False, False)),
            (self.process.send_error, (ValueError(),)),
            (self.process.send_close_request, ()),
        ):
            self.assertIsNone(send(*args))

    def test_channels(self):
        class Number(enum.IntEnum):
            ONE = 1

        Point = collections.namedtuple("Point", "x y")
        same = (
            (None,), ("text",), ("",), (1, 1.0, True, decimal.Decimal(1), fractions.Fraction(1), Number.ONE),
            (0.5, fractions.Fraction(1, 2)), ((1, "a"), (1.0, "a"), Point(1, "a")), (frozenset((1, 2)),),
            (b"text",), (Colour.RED,), (Key(1, "x"), Key(1, "x")), (math.inf,), (10**30,), (int,), (len,),
            ("x" * 5000,), ("\x01n1",), ("\x02start",), ("a\nb",), ("\ud800",), ((),), (range(3),), (2j,),
        )
        for equal in same:
            for sent in equal:
                self.process.send_norequest(sent, channel_id=sent)
        for equal in same:
            self.assertEqual(self.resource.available(equal[-1]), len(equal), equal)
            self.assertEqual(self.resource.receive_available(equal[0]), list(equal))

    def test_unhashable_channel(self):
        for send in (self.process.send_norequest, self.process.send_request, self.process.send_reply):
            with self.assertRaises(TypeError):
                send("x", [])
        self.assertFalse(self.resource.pipe_poll())
        self.assertEqual(self.process.request_ctr.sent, {})

    def test_receive_available(self):
        self.assertEqual(self.resource.receive_available(), [])
        self.assertEqual(self.resource.receive_available_messages(), [])
        self.process.send_norequest(1)
        self.process.send_request(2)
        self.assertEqual(self.resource.available(), 2)
        first, second = self.resource.receive_available_messages()
        self.assertEqual((first.payload, first.request_reply, first.is_reply), (1, False, False))
        self.assertEqual((second.payload, second.request_reply, second.is_reply), (2, True, False))
        self.assertEqual((first.channel_id, first.mtype), (None, coproc.MessageType.DATA))
        self.assertEqual(first.priority, math.inf)

    def test_requests(self):
        replies = self.resource.receive_remaining("c")  # made before the requests, it still works
        self.resource.send_request_multiple((i for i in range(3)), channel_id="c")
        self.resource.send_request(3, "other")
        self.assertEqual((self.resource.remaining("c"), self.resource.remaining("other")), (3, 1))
        for i in self.process.receive_available("c"):
            self.process.send_reply(i * 10, "c")
        self.assertEqual(self.resource.remaining("c"), 3)  # they count when they are received
        self.assertEqual(list(replies), [0, 10, 20])
        self.assertEqual(self.resource.remaining("c"), 0)
        self.assertEqual(list(self.resource.receive_remaining("c")), [])

    def test_receive_remaining_messages(self):
        self.resource.send_request("q")
        message = self.process.receive_message_blocking()
        self.assertTrue(message.request_reply)
        self.process.send_reply("r")
        (reply,) = self.resource.receive_remaining_messages()
        self.assertEqual((reply.payload, reply.is_reply, reply.request_reply), ("r", True, False))

    def test_counters(self):
        self.resource.send_request(1, "x")
        self.resource.send_norequest(2, "x")
        self.process.receive_available("x")
        self.process.send_reply(1, "x")
        self.resource.receive_blocking("x")
        self.assertEqual(self.resource.requests_sent("x"), 1)
        self.assertEqual(self.resource.replies_received("x"), 1)
        self.assertEqual(self.resource.messages_sent("x"), 2)
        self.assertEqual(self.resource.messages_received("x"), 1)
        self.assertEqual(self.process.messages_received("x"), 2)
        counters = self.resource.request_ctr
        self.assertEqual((counters.requests, counters.sent), ({"x": 1}, {"x": 2}))
        self.assertEqual(self.resource.requests_sent(), 0)

    def test_pop_from_queue(self):
        with self.assertRaisesRegex(IndexError, "Cannot pop from empty queue"):
            self.resource.pop_from_queue()
        self.process.send_norequest("x")
        self.assertEqual(self.resource.available(), 1)
        self.assertEqual(self.resource.queue_size(), 1)
        self.assertEqual(self.resource.pop_from_queue().payload, "x")

    def test_pipe_poll(self):
        self.assertFalse(self.resource.pipe_poll())
        self.process.send_norequest("x")
        self.assertTrue(self.resource.pipe_poll())
        self.assertTrue(self.resource.pipe.poll())
        self.resource.receive_blocking()
        self.process.close()
        until(self.resource.pipe_poll)  # also at the end

    def test_priorities(self):
        for text, priority in (("low", 1), ("high", 0), ("low 2", 1), ("lowest", 2.5), ("high 2", False)):
            self.process.send_norequest(Item(text, priority))
        self.process.send_norequest("none")
        got = self.resource.receive_available()
        self.assertEqual([item.text for item in got[:5]], ["high", "high 2", "low", "low 2", "lowest"])
        self.assertEqual(got[5], "none")

    def test_replies_to_nothing(self):
        self.process.send_reply("unasked")
        message = self.resource.receive_message_blocking()
        self.assertEqual((message.payload, message.is_reply, message.request_reply), ("unasked", True, False))

    def test_both_flags(self):
        self.process.send_data_message("both", True, True)
        message = self.resource.receive_message_blocking()
        self.assertEqual((message.is_reply, message.request_reply), (True, True))
        self.resource.send_data_message("again", True, True)
        (answer,) = self.process.receive_remaining_messages()
        self.assertEqual((answer.payload, answer.is_reply, answer.request_reply), ("again", True, True))

    def test_repr(self):
        """Exactly what the page shows."""
        self.assertRegex(
            repr(self.resource),
            r"^PriorityMessenger\(pipe=<multiprocessing\.connection\.Connection object at 0x[0-9a-f]+>, "
            r"queue=PriorityMultiQueue\(queues=\{\}\), request_ctr=RequestCtr\(requests=Counter\(\), "
            r"replies=Counter\(\), sent=Counter\(\), received=Counter\(\)\)\)$",
        )

    def test_cannot_be_pickled(self):
        self.assertRaises(TypeError, pickle.dumps, self.resource)

    def test_undecodable_payload_loses_no_other(self):
        """What cannot be unpickled is raised where it is; what is around it is received."""
        for i in range(2):
            self.process.send_norequest(i)
            self.process.send_norequest(_Explosive())
        self.process.send_norequest(2)
        self.assertEqual(self.resource.receive_available(), [0])
        self.assertRaises(ZeroDivisionError, self.resource.receive_blocking)
        self.assertEqual(self.resource.available(), 3)
        self.assertEqual(self.resource.receive_blocking(), 1)
        self.assertRaises(ZeroDivisionError, self.resource.receive_available)
        self.assertEqual(self.resource.receive_available(), [2])

    def test_dropped_messengers(self):
        """What nobody refers to any more has nothing open."""
        self.messenger_type.new_pair()
        before = open_fds()
        for _ in range(200):
            process, resource = self.messenger_type.new_pair()
            process.send_norequest(Item("x"))
            self.assertEqual(resource.receive_blocking().text, "x")
        del process, resource
        until(lambda: open_fds() <= before)

    def test_others_run_meanwhile(self):
        """A call that waits does not hold Python's lock."""
        counted = []

        def count():
            while len(counted) < 1000:
                counted.append(time.monotonic())
            self.process.send_norequest("counted")

        thread = threading.Thread(target=count)
        thread.start()
        self.assertEqual(self.resource.receive_blocking(), "counted")
        thread.join()

    # --- the rows of section 2 ---

    def test_M1_last_words(self):
        self.resource.send_request("q")
        self.process.receive_blocking()
        self.process.send_reply("reply")
        self.process.send_norequest("last")
        self.process.close()
        until(lambda: self.resource.closed)
        self.assertEqual(list(self.resource.receive_remaining()), ["reply"])
        self.assertEqual(self.resource.receive_available(), ["last"])
        self.assertRaises(BrokenPipeError, self.resource.receive_blocking)
        self.assertRaises(BrokenPipeError, self.resource.receive_available)

    def test_M2_error_between_messages(self):
        self.process.send_norequest("a")
        self.process.send_error(KeyError("between"))
        self.process.send_close_request()
        self.process.send_norequest("b")
        self.assertRaises(KeyError, self.resource.available, "any channel")
        self.assertRaises(coproc.ResourceRequestedClose, self.resource.receive_available)
        self.assertEqual(self.resource.receive_available(), ["a", "b"])

    def test_M3_await_what_is_queued(self):
        self.process.send_norequest("x", "a")
        self.assertEqual(self.resource.available("a"), 1)
        self.assertEqual(self.resource.await_available(), "a")
        self.assertEqual(self.resource.receive_available("a"), ["x"])
        threading.Timer(0.05, self.process.send_norequest, ("y", "b")).start()
        self.resource.await_available()
        self.assertEqual(self.resource.receive_available("b"), ["y"])

    def test_M4_unsolicited_replies_count_apart(self):
        self.process.send_reply("to nothing", "x")
        self.assertEqual(self.resource.receive_blocking("x"), "to nothing")
        self.assertEqual((self.resource.remaining("x"), self.resource.replies_received("x")), (0, 0))
        self.assertEqual(self.resource.unsolicited_replies("x"), 1)
        self.resource.send_request("q", "x")
        self.assertEqual(self.resource.remaining("x"), 1)
        self.process.send_norequest("progress", "x")
        self.process.receive_blocking("x")
        self.process.send_reply("r", "x")
        self.assertEqual(list(self.resource.receive_remaining("x")), ["r"])
        self.assertEqual(self.resource.receive_blocking("x"), "progress")

    def test_M4_failed_send_counts_nothing(self):
        with self.assertRaises(Exception):
            self.resource.send_request(threading.Lock(), "x")
        self.assertEqual((self.resource.remaining("x"), self.resource.messages_sent("x")), (0, 0))
        self.assertFalse(self.process.pipe_poll())

    def test_M4_end_settles(self):
        self.resource.send_request("q")
        self.process.close()
        with self.assertRaises(BrokenPipeError):
            list(self.resource.receive_remaining())
        self.assertEqual(self.resource.remaining(), 0)

    def test_M6_remote_traceback(self):
        def fail_in_a_function():
            raise LookupError("far away")

        try:
            fail_in_a_function()
        except LookupError as error:
            self.process.send_error(error, print_trace=False)
        with self.assertRaisesRegex(LookupError, "far away") as caught:
            self.resource.receive_blocking()
        self.assertIsInstance(caught.exception.__cause__, coproc.RemoteTraceback)
        self.assertIn("fail_in_a_function", str(caught.exception.__cause__))
        self.assertIn(f"process {os.getpid()}", str(caught.exception.__cause__))

    def test_M7_exceptions_that_do_not_pickle(self):
        for error, name in ((TwoArguments("one", "two"), "TwoArguments"), (Unpicklable(), "Unpicklable")):
            self.process.send_error(error)
            with self.assertRaises(coproc.RemoteError) as caught:
                self.resource.available()
            self.assertIn(name, caught.exception.type_name)
            self.assertEqual(caught.exception.message, str(error))
            self.assertIn(name, caught.exception.traceback)

    def test_M7_very_long_text(self):
        self.process.send_error(ValueError("x" * (4 * MIB)))
        with self.assertRaisesRegex(coproc.RemoteError, "^ValueError: xxx"):
            self.resource.available()

    def test_M8_ends_do_not_travel(self):
        for error in (SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit()):
            self.process.send_error(error)
            with self.assertRaises(coproc.RemoteError) as caught:
                self.resource.available()
            self.assertIsInstance(caught.exception.__cause__, type(error))
        with self.assertRaises(TypeError):
            self.process.send_error(5)
        self.assertEqual(self.resource.available(), 0)

    def test_sizes(self):
        """From where bytes are not copied by introspection, by a call through ctypes, and into memory of pages."""
        for size in (16383, 16384, 65535, 65536, MIB - 1, MIB, 5 * MIB):
            data = os.urandom(size)
            for payload in (data, bytearray(data), [data], b"\x80\x05" + data + b"."):
                self.process.send_request(payload)
                received = self.resource.receive_blocking()
                self.assertIs(type(received), type(payload))
                self.assertTrue(received == payload)
                self.resource.send_reply(received)
                self.assertTrue(self.process.receive_blocking() == payload)

    def test_M9_both_ends_send(self):
        """48 MiB each way before either receives."""
        payload = bytes(MIB)

        def flood(messenger):
            for _ in range(48):
                messenger.send_norequest(payload)

        other = threading.Thread(target=flood, args=(self.process,))
        other.start()
        flood(self.resource)
        other.join(30)
        self.assertFalse(other.is_alive())
        for messenger in (self.process, self.resource):
            for _ in range(48):
                self.assertEqual(len(messenger.receive_blocking()), MIB)

    def test_M9_send_times_out(self):
        self.process.send_timeout = 0.05
        self.assertEqual(self.process.send_timeout, 0.05)
        started = time.monotonic()
        with self.assertRaises(TimeoutError):
            for _ in range(300):
                self.process.send_norequest(bytes(MIB))
        self.assertLess(time.monotonic() - started, 20)
        n_sent = self.process.messages_sent()
        for _ in range(n_sent):
            self.resource.receive_blocking()
        self.assertEqual(self.resource.queue_size(), 0)

    def test_M10_no_starvation(self):
        self.process.send_norequest("wanted", "a")
        stop = threading.Event()

        def flood():
            while not stop.is_set() and self.process.messages_sent("b") < 60000:
                self.process.send_norequest("flood", "b")

        flooder = threading.Thread(target=flood)
        flooder.start()
        try:
            for _ in range(20):
                started = time.monotonic()
                self.assertEqual(self.resource.receive_blocking("a"), "wanted")
                self.assertLess(time.monotonic() - started, 5)
                self.process.send_norequest("wanted", "a")
        finally:
            stop.set()
            flooder.join()

    def test_M11_one_shot_channels(self):
        for i in range(3000):
            self.process.send_norequest(i, f"channel {i}")
            self.assertEqual(self.resource.receive_blocking(f"channel {i}"), i)
        self.assertEqual(self.resource.queue.queues, {})

    def test_M12_distinct_priorities(self):
        started = time.process_time()
        for i in range(20000):
            self.process.send_norequest(Item("x", (i * 7919) % 20011))
        # What did not fit into the pipe is written in the background.
        deadline = time.monotonic() + 30
        while self.resource.available() < 20000 and time.monotonic() < deadline:
            time.sleep(0.001)
        self.assertEqual(self.resource.available(), 20000)
        self.assertLess(time.process_time() - started, 10)
        self.assertEqual(self.resource.receive_blocking().priority, 0)

    def test_M13_bad_priorities(self):
        class Buggy:
            @property
            def priority(self):
                return self.no_such_attribute

        for bad, error in ((Item("x", "1"), TypeError), (Item("x", None), TypeError), (Buggy(), AttributeError),
                           (Item("x", math.nan), ValueError), (Item("x", 10**400), ValueError)):
            for send in (self.process.send_norequest, self.process.send_request):
                self.assertRaises(error, send, bad)
        self.assertEqual(self.resource.available(), 0)
        self.assertEqual((self.process.messages_sent(), self.process.remaining()), (0, 0))

    def test_M15_threads_that_send(self):
        def send(mark):
            for i in range(100):
                self.process.send_norequest((mark, i, mark * 40000))

        threads = [threading.Thread(target=send, args=(mark,)) for mark in "abcd"]
        for thread in threads:
            thread.start()
        counts = collections.Counter()
        for _ in range(400):
            mark, i, data = self.resource.receive_blocking()
            self.assertEqual((i, data), (counts[mark], mark * 40000))
            counts[mark] += 1
        for thread in threads:
            thread.join()

    def test_M17_one_kind_of_end(self):
        self.process.send_norequest("unread")
        self.resource.close()
        for send in (self.resource.send_norequest, self.resource.send_request):
            self.assertRaises(BrokenPipeError, send, "x")
        self.assertRaises(BrokenPipeError, self.resource.send_close_request)
        until(lambda: self.process.closed)
        self.assertRaises(BrokenPipeError, self.process.receive_blocking)
        self.assertRaises(BrokenPipeError, self.process.send_norequest, "x")

    def test_M18_no_noise(self):
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.process.send_error(ValueError("outside of an except"))
            try:
                raise KeyError("handled")
            except KeyError as error:
                self.process.send_error(error, print_trace=False)
        self.assertEqual(stderr.getvalue(), "")
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            try:
                raise KeyError("handled")
            except KeyError as error:
                self.process.send_error(error)
        self.assertIn("KeyError: 'handled'", stderr.getvalue())
        self.assertEqual(len({self.process, self.resource}), 2)  # they are hashable

    def test_M19_channels_that_would_match_nothing(self):
        for channel in (object(), math.nan, Item):
            if channel is Item:  # a class is the same on both sides
                self.process.send_norequest("x", channel)
                continue
            with self.assertRaises(TypeError):
                self.process.send_norequest("x", channel)
        self.assertEqual(self.resource.receive_available(Item), ["x"])


class _Explosive:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self):
        return divmod, (1, 0)


class Multi(Pair):
    messenger_type = coproc.MultiMessenger

    def test_fifo(self):
        for i in (3, 1, 2):
            self.process.send_norequest(Item(str(i), i))
        self.process.send_norequest(Item("no number", "x"))
        self.assertEqual([item.text for item in self.resource.receive_available()], ["3", "1", "2", "no number"])
        self.assertIn("queue=MultiQueue(queues={})", repr(self.resource))


class Pickle(Case):
    def test_M16_the_library_unpickles_nothing(self):
        """Bytes that would run a function stay bytes for a messenger of the library."""
        _, worker_end, host_end = Coproc.Messenger.new_pair(Coproc.PriorityMessenger)
        evil = pickle.dumps(_Explosive(), 5)
        worker_end.send_bytes(evil, None)
        message = host_end.receive_message(None, -1, None)
        self.assertEqual(message.get_bytes().get_data(), evil)


if __name__ == "__main__":
    main()
