# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers, as SEMANTICS.md has them: section 1.3, and the rows W1 to W13 of section 2."""

import abc
import atexit
import collections
import dataclasses
import enum
import functools
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import typing
import unittest

from dropin import Case, coproc, is_running, main, open_fds, run_script, until

FACTOR = 3
LOCK = threading.Lock()
T = typing.TypeVar("T")


def echo(messenger, factor=1):
    while True:
        messenger.send_reply(messenger.receive_blocking() * factor)


def echo_once(messenger):
    messenger.send_reply(messenger.receive_blocking())


def times_global(messenger):
    messenger.send_norequest(helper(messenger.receive_blocking()))


def helper(value):
    return value * FACTOR if value < 100 else helper(value // 2)


class TwoArguments(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


class OwnError(Exception):
    pass


class Echo(coproc.BaseWorkerProcess):
    def __call__(self):
        while True:
            self.messenger.send_reply(self.messenger.receive_blocking())


@dataclasses.dataclass
class Multiplier:
    messenger: coproc.PriorityMessenger
    factor: int = 2
    factors: list = dataclasses.field(default_factory=list)

    def __call__(self):
        while True:
            self.messenger.send_reply(self.messenger.receive_blocking() * self.factor)


class Page:
    """Of the script, and so known to the worker by value; its buffer is one that pickle need not copy."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return type(self), (pickle.PickleBuffer(self.data),)


class Colour(enum.Enum):
    RED = 1
    GREEN = 2

    @property
    def nice(self):
        return self._in_words()

    def _in_words(self):
        return self.name.title()

    @classmethod
    def _missing_(cls, value):
        return cls.RED


class Base(abc.ABC):
    @abc.abstractmethod
    def work(self):
        return "base"

    def __repr__(self):
        return type(self).__name__


class Derived(Base, typing.Generic[T]):
    __slots__ = ("a", "__private")

    def work(self):
        return "derived of " + super().work()

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def static():
        return FACTOR

    @functools.cached_property
    def cached(self):
        return "cached"


Point = collections.namedtuple("Point", "x y")


@functools.lru_cache(maxsize=10)
def cached_square(n):
    return n * n


class Worker(Case):
    def setUp(self):
        self.workers = []

    def tearDown(self):
        for worker in self.workers:
            worker.terminate(check_alive=False)

    def new(self, *args, **kwargs):
        worker = coproc.WorkerResource(*args, **kwargs)
        self.workers.append(worker)
        return worker

    def started(self, target, messenger_type=coproc.PriorityMessenger, **kwargs):
        worker = self.new(target, messenger_type)
        worker.start(**kwargs)
        return worker

    def ask(self, target, *requests, **kwargs):
        with coproc.WorkerResource(target) as worker:
            for request in requests:
                worker.messenger.send_request(request)
            return list(worker.messenger.receive_remaining())

    def until_dead(self, worker):
        until(lambda: not worker.is_alive())

    # --- section 1.3 ---

    def test_buffers(self):
        """Of classes that the worker cannot import, both ways."""
        with coproc.WorkerResource(echo_once) as worker:
            data = bytearray(os.urandom(1 << 20))
            worker.messenger.send_request([Page(data), Page(bytearray(b"few"))])
            large, small = worker.messenger.receive_blocking()
            self.assertEqual((type(large), large.data, small.data), (Page, data, b"few"))

    def test_targets(self):
        local = {"factor": 5}

        def closure(messenger):
            messenger.send_reply(messenger.receive_blocking() * local["factor"])

        self.assertEqual(self.ask(echo, 1, "x", b"y"), [1, "x", b"y"])
        self.assertEqual(self.ask(Echo, [1]), [[1]])
        self.assertEqual(self.ask(Multiplier, 4), [8])
        self.assertEqual(self.ask(closure, 2), [10])
        self.assertEqual(self.ask(lambda m: m.send_reply(m.receive_blocking() + 1), 2), [3])
        self.assertEqual(self.ask(functools.partial(echo, factor=7), 3), [21])
        for method in ("fork", "spawn", "forkserver"):
            with coproc.WorkerResource(times_global, method=method) as worker:
                worker.messenger.send_norequest(300)
                self.assertEqual(worker.messenger.receive_blocking(), 225)

    def test_keywords(self):
        worker = self.started(echo, factor=3)
        worker.messenger.send_request("ab")
        self.assertEqual(next(worker.messenger.receive_remaining()), "ababab")
        worker = self.started(Multiplier, factor=4)
        worker.messenger.send_request("ab")
        self.assertEqual(next(worker.messenger.receive_remaining()), "abababab")
        self.assertRaises(TypeError, worker.is_alive, 1)
        self.assertRaises(TypeError, worker.start, 1)

    def test_large_start(self):
        """Arguments, and what a target refers to, may be as large as any message."""
        large = bytes(20 << 20)
        with_large = lambda messenger, data: messenger.send_norequest((len(data), len(large)))
        worker = self.started(with_large, data=large)
        self.assertEqual(worker.messenger.receive_blocking(), (20 << 20, 20 << 20))

    def test_worker_process_type(self):
        worker = self.new(worker_process_type=Multiplier, messenger_type=coproc.MultiMessenger)
        with worker:
            self.assertIs(type(worker.messenger), coproc.MultiMessenger)
            worker.messenger.send_request(4)
            self.assertEqual(worker.messenger.receive_blocking(), 8)

    def test_legacy(self):
        worker = coproc.LegacyWorkerResource(Multiplier)
        self.workers.append(worker)
        self.assertIs(worker.worker_process_type, Multiplier)
        with self.assertRaises(TypeError):  # the class is called in the host
            worker.start(wrong=1)
        self.assertFalse(worker.is_alive())
        with worker:
            worker.messenger.send_request(4)
            self.assertEqual(worker.messenger.receive_blocking(), 8)

    def test_own_messenger_type(self):
        class Counting(coproc.PriorityMessenger):
            def twice(self, data):
                self.send_norequest(data)
                self.send_norequest(data)

        with coproc.WorkerResource(lambda messenger: messenger.twice("x"), Counting) as worker:
            self.assertIs(type(worker.messenger), Counting)
            self.assertEqual([worker.messenger.receive_blocking() for _ in range(2)], ["x", "x"])

    def test_by_value(self):
        """What a worker cannot import comes to it by value, and back as what it is here."""

        def target(messenger):
            while True:
                function, args = messenger.receive_blocking()
                messenger.send_reply(function(*args))

        @dataclasses.dataclass(frozen=True)
        class Local:
            x: int
            tags: tuple = ()

            def moved(self, by):
                return dataclasses.replace(self, x=self.x + by)

        def recursive(n):
            return 1 if n < 2 else n * recursive(n - 1)

        calls = (
            (Local.moved, (Local(1, ("t",)), 2), Local(3, ("t",))),
            (recursive, (5,), 120),
            (cached_square, (4,), 16),
            (lambda colour: (colour.nice, Colour(2), Colour(9)), (Colour.RED,),
             ("Red", Colour.GREEN, Colour.RED)),
            (lambda derived: (derived.work(), derived.make().work(), repr(derived), derived.static(), derived.cached),
             (Derived(),), ("derived of base", "derived of base", "Derived", FACTOR, "cached")),
            (lambda point: Point(point.y, point.x), (Point(1, 2),), Point(2, 1)),
            (isinstance, (Local(1), Local), True),
            (lambda: os.path.basename(sys.executable) != "", (), True),
            (lambda: sorted(vars(sys.modules["__main__"]).keys() & {"LOCK", "unittest"}), (), []),
        )
        with coproc.WorkerResource(target) as worker:
            for function, args, expected in calls:
                worker.messenger.send_request((function, args))
                (got,) = worker.messenger.receive_remaining()
                self.assertEqual((got, type(got)), (expected, type(expected)))

    def test_by_value_from_threads(self):
        """What one thread is about to tell, another may need."""
        class Local:
            def __init__(self, n):
                self.n = n

        def target(messenger):
            while True:
                messenger.send_reply(messenger.receive_blocking().n)

        worker = self.started(target)
        threads = [threading.Thread(target=worker.messenger.send_request, args=(Local(i),)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(worker.messenger.receive_remaining()), list(range(8)))

    def test_global_that_cannot_be_sent(self):
        """A function may mention it, and is told when it uses it."""

        def target(messenger):
            messenger.send_norequest("here")
            with LOCK:
                pass

        worker = self.started(target)
        self.until_dead(worker)
        with self.assertRaisesRegex(NameError, "LOCK"):
            worker.messenger.receive_blocking()
        self.assertEqual(worker.messenger.receive_blocking(), "here")

    def test_await_available_beside_definitions(self):
        """What travels beside the messages wakes nobody up."""

        def target(messenger):
            messenger.send_norequest("ready")
            while True:
                messenger.await_available()
                got = messenger.receive_available("c")
                messenger.send_norequest(len(got))

        class Local:
            pass

        worker = self.started(target)
        self.assertEqual(worker.messenger.receive_blocking(), "ready")
        worker.messenger.send_norequest(Local(), "c")
        self.assertEqual(worker.messenger.receive_blocking(), 1)
        worker.messenger.send_norequest(Local(), "c")
        self.assertEqual(worker.messenger.receive_blocking(), 1)

    def test_never_started(self):
        worker = self.new(echo)
        for function in (worker.terminate, worker.join, worker.check_process_exists):
            self.assertRaises(coproc.WorkerIsDeadError, function)
        for name in ("pid", "messenger", "proc"):
            self.assertRaises(coproc.WorkerIsDeadError, getattr, worker, name)
        self.assertFalse(worker.is_alive())
        self.assertFalse(worker.process_exists())
        self.assertIsNone(worker.terminate(check_alive=False))

    def test_already_alive(self):
        worker = self.started(echo)
        with self.assertRaisesRegex(
            coproc.WorkerIsAlreadyAliveError,
            f"^Worker {worker.pid} cannot be started because it is already alive.$",
        ):
            worker.start()
        with self.assertRaisesRegex(
            coproc.WorkerIsAlreadyAliveError,
            f"^Cannot enter context when worker is already alive: self.pid={worker.pid}$",
        ):
            with worker:
                pass

    def test_restart(self):
        worker = self.started(echo)
        first, pid = worker.messenger, worker.pid
        first.send_request("x")
        worker.terminate()
        worker.start()
        self.assertIsNot(worker.messenger, first)
        self.assertNotEqual(worker.pid, pid)
        self.assertEqual(worker.messenger.requests_sent(), 0)
        worker.reset_process(factor=2)
        worker.messenger.send_request("x")
        self.assertEqual(worker.messenger.receive_blocking(), "xx")

    def test_process(self):
        worker = self.started(lambda messenger: sys.exit(7))
        worker.proc.join(30)
        self.until_dead(worker)
        self.assertEqual(worker.proc.exitcode, 7)
        self.assertEqual(worker.pid, worker.proc.pid)
        worker = self.started(echo)
        self.assertIsNone(worker.proc.exitcode)
        worker.proc.kill()
        worker.proc.join()
        self.until_dead(worker)
        self.assertEqual(worker.proc.exitcode, -signal.SIGKILL)

    def test_terminate_of_a_dead_worker(self):
        worker = self.started(echo)
        worker.terminate()
        with self.assertRaisesRegex(coproc.WorkerIsAlreadyDeadError, f"^Worker {worker.pid} cannot be terminated"):
            worker.terminate()
        self.assertIsNone(worker.terminate(check_alive=False))

    def test_exceptions_of_the_worker(self):
        """An uncaught exception is raised in the host, as what it is."""

        def target(messenger):
            raise OwnError("from the worker", 5)

        worker = self.started(target)
        with self.assertRaises(OwnError) as caught:
            worker.messenger.receive_blocking()
        self.assertEqual(caught.exception.args, ("from the worker", 5))
        self.assertIn("in target", str(caught.exception.__cause__))
        self.assertRaises(BrokenPipeError, worker.messenger.receive_blocking)
        self.until_dead(worker)
        self.assertEqual(worker.proc.exitcode, 1)

    def test_nested(self):
        """A worker may have workers."""

        def outer(messenger):
            with coproc.WorkerResource(echo) as inner:
                inner.messenger.send_request(messenger.receive_blocking())
                messenger.send_reply([inner.messenger.receive_blocking()])

        self.assertEqual(self.ask(outer, "x"), [["x"]])

    # --- the rows of section 2 ---

    def test_W1_a_worker_cleans_up(self):
        def target(messenger, path):
            atexit.register(lambda: open(path + ".atexit", "w").close())
            try:
                messenger.receive_blocking()
            except coproc.ResourceRequestedClose:
                with open(path, "w", encoding="utf-8") as file:
                    file.write("tidied")

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "file")
            worker = self.started(target, path=path)
            self.assertEqual(worker.terminate(), "closed")
            self.assertEqual(worker.proc.exitcode, 0)
            self.assertTrue(os.path.exists(path) and os.path.exists(path + ".atexit"))

    def test_W2_back_to_back(self):
        worker = self.new(echo)
        for i in range(8):
            with worker:
                worker.messenger.send_request(i)
                self.assertEqual(worker.messenger.receive_blocking(), i)
                pid = worker.pid
            self.assertFalse(worker.is_alive())
            self.assertFalse(is_running(pid))

    def test_W3_join_loses_nothing(self):
        def target(messenger):
            for i in range(5):
                messenger.send_norequest(bytes(1 << 20))
            try:
                messenger.receive_blocking()
            except coproc.ResourceRequestedClose:
                for i in range(3):
                    messenger.send_norequest(i)

        worker = self.started(target)
        worker.join()
        self.assertFalse(worker.is_alive())
        self.assertEqual(len(worker.messenger.receive_available()), 8)

    def test_W3_join_times_out(self):
        worker = self.started(lambda messenger: time.sleep(1000))
        started = time.monotonic()
        self.assertRaises(TimeoutError, worker.join, timeout=0.05)
        self.assertLess(time.monotonic() - started, 10)
        self.assertTrue(worker.is_alive())
        worker.grace_period = 0.05
        worker.terminate()

    def test_W4_close_then_join(self):
        for pause in (0, 0.02):
            worker = self.started(echo)
            worker.messenger.send_close_request()
            time.sleep(pause)
            worker.join()
            worker.join()
            self.assertEqual(worker.proc.exitcode, 0)

    def test_W5_the_end_is_told(self):
        worker = self.started(lambda messenger: os.kill(os.getpid(), signal.SIGSEGV))
        worker.messenger.send_request("q")
        with self.assertRaisesRegex(coproc.WorkerDiedError, "SEGV"):
            list(worker.messenger.receive_remaining())
        self.until_dead(worker)
        self.assertEqual(worker.proc.exitcode, -signal.SIGSEGV)

        def prints_and_exits(messenger):
            print("what went wrong", file=sys.stderr, flush=True)
            os._exit(9)

        worker = self.started(prints_and_exits)
        with self.assertRaisesRegex(BrokenPipeError, "(?s)9.*what went wrong"):
            worker.messenger.receive_blocking()

    def test_W6_the_host_is_killed(self):
        for method in ("fork", "spawn"):
            done = run_script(
                "import coproc, os, signal, time\n"
                "def target(messenger):\n"
                "    messenger.send_norequest(os.getpid())\n"
                "    time.sleep(1000)\n"
                f"worker = coproc.WorkerResource(target, method={method!r})\n"
                "worker.start()\n"
                "print(worker.messenger.receive_blocking(), flush=True)\n"
                "os.kill(os.getpid(), signal.SIGKILL)\n"
            )
            self.assertEqual(done.returncode, -signal.SIGKILL)
            until(lambda: not is_running(int(done.stdout)))

    def test_W7_the_host_ends(self):
        """A script that forgets its worker ends, and so does the worker."""
        done = run_script(
            "import coproc, os, time\n"
            "def target(messenger):\n"
            "    messenger.send_norequest(os.getpid())\n"
            "    time.sleep(1000)\n"
            "worker = coproc.WorkerResource(target)\n"
            "worker.start()\n"
            "print(worker.messenger.receive_blocking())\n",
            timeout=30,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        until(lambda: not is_running(int(done.stdout)))

    def test_W7_dropped(self):
        worker = coproc.WorkerResource(echo)
        worker.start()
        pid = worker.pid
        del worker
        until(lambda: not is_running(pid))

    def test_W8_deaf_worker(self):
        def target(messenger):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            messenger.send_norequest("deaf")
            time.sleep(1000)

        worker = self.new(target)
        worker.grace_period = 0.1
        worker.start()
        self.assertEqual(worker.messenger.receive_blocking(), "deaf")
        self.assertEqual(worker.terminate(), "killed")
        self.assertFalse(worker.is_alive())

    def test_W9_no_strange_descriptors(self):
        def target(messenger):
            messenger.send_norequest(len(os.listdir("/proc/self/fd")))

        numbers = []
        for _ in range(3):
            worker = self.started(target)
            numbers.append(worker.messenger.receive_blocking())
        self.assertEqual(len(set(numbers)), 1, numbers)

    def test_W9_none_is_left_open(self):
        with coproc.WorkerResource(echo):
            pass
        before = open_fds()
        for _ in range(3):
            with coproc.WorkerResource(echo) as worker:
                worker.messenger.send_request(1)
        del worker
        until(lambda: open_fds() <= before)

    def test_W10_held_lock(self):
        """A lock that a thread of the host holds is not inherited, whatever the method."""
        held = threading.Event()
        release = threading.Event()

        def hold():
            with LOCK:
                held.set()
                release.wait(60)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        try:
            for method in ("fork", None):
                with coproc.WorkerResource(echo, method=method) as worker:
                    worker.messenger.send_request("x")
                    self.assertEqual(worker.messenger.receive_blocking(), "x")
        finally:
            release.set()
            thread.join()

    def test_W11_bad_starts(self):
        for target, kwargs, error in (
            (echo, {"wrong": 1}, TypeError),
            (Multiplier, {"wrong": 1}, TypeError),
            ("not callable", {}, TypeError),
            (echo, {"factor": threading.Lock()}, TypeError),
            (echo, {"factor": _Explosive()}, ZeroDivisionError),
        ):
            worker = self.new(target)
            self.assertRaises(error, worker.start, **kwargs)
            self.assertFalse(worker.is_alive())
        worker = self.new(echo, method="teleport")
        self.assertRaises(ValueError, worker.start)
        self.assertRaises(TypeError, coproc.WorkerResource)

    def test_W12_the_body_s_exception(self):
        worker = self.new(echo)
        with self.assertRaises(OwnError):
            with worker:
                worker.messenger.close()
                raise OwnError
        self.assertFalse(worker.is_alive())

    def test_W13_close_is_a_normal_end(self):
        done = run_script(
            "import coproc\n"
            "def target(messenger):\n"
            "    messenger.receive_blocking()\n"
            "worker = coproc.WorkerResource(target)\n"
            "worker.start()\n"
            "worker.join()\n"
            "print(worker.proc.exitcode)\n"
        )
        self.assertEqual((done.stdout, done.stderr), ("0\n", ""))

    def test_W13_interrupt(self):
        """Ctrl-C ends each blocking call at once, and no worker prints a traceback of its own."""
        for call in (
            "worker.messenger.receive_blocking()",
            "worker.messenger.await_available()",
            "list(worker.messenger.receive_remaining())",
            "while True: worker.messenger.send_norequest(bytes(1 << 20))",
            "worker.join()",
            "worker.proc.join()",
            "pool.map(time.sleep, [1000])",
            "coproc.WorkerResource(target).start(argument=SlowToTakeUp())",
        ):
            self.assertEqual(self.run_interrupted(call), ("interrupted\n", ""), call)

    @unittest.skipUnless("COPROC_TEST_OVERRIDE" in os.environ, "for the override")
    def test_W13_interrupt_of_either(self):
        """A program may use the override, too: whichever is imported first, who waits is interrupted."""
        imports = ["import coproc; coproc.MultiMessenger\n", "from gi.repository import Coproc\n"]
        for order in (imports, imports[::-1]):
            done = run_script(
                "import gi, signal\n"
                "gi.require_version('Coproc', '1')\n"
                + "".join(order)
                + "def stop(*_):\n"
                "    raise KeyError('stop')\n"
                "signal.signal(signal.SIGALRM, stop)\n"
                "ours = coproc.MultiMessenger.new_pair()\n"
                "_, *theirs = Coproc.Messenger.new_pair(Coproc.MultiMessenger)\n"
                "for messenger in (ours[0], theirs[0]) * 2:\n"
                "    signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
                "    try:\n"
                "        messenger.receive_blocking('x')\n"
                "    except KeyError:\n"
                "        print('stopped')\n"
            )
            self.assertEqual((done.stdout, done.stderr), ("stopped\n" * 4, ""), order)

    def run_interrupted(self, call):
        done = run_script(
            "import coproc, os, signal, threading, time\n"
            "coproc.WorkerResource\n"
            "if 'COPROC_TEST_OVERRIDE' in os.environ:\n"
            "    from gi.repository import Coproc\n"
            "coproc.WorkerResource.grace_period = 0.05\n"
            "def target(messenger, argument=None):\n"
            "    time.sleep(1000)\n"
            "class SlowToTakeUp:\n"
            "    def __reduce__(self):\n"
            "        return time.sleep, (1000,)\n"
            "worker = coproc.WorkerResource(target)\n"
            "worker.start()\n"
            "worker.messenger.send_request(1)\n"
            "pool = coproc.Pool(1)\n"
            "if 'pool' in " + repr(call) + ":\n"
            "    pool.start()\n"
            "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
            "started = time.monotonic()\n"
            "try:\n"
            f"    {call}\n"
            "except KeyboardInterrupt:\n"
            "    assert time.monotonic() - started < 5\n"
            "    print('interrupted')\n"
            "worker.terminate()\n"
            "pool.terminate(check_alive=False)\n"
        )
        return done.stdout, done.stderr


class _Explosive:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self):
        return divmod, (1, 0)


if __name__ == "__main__":
    main()
