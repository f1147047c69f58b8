# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's signal handlers run while the library waits: Ctrl-C works at once."""

import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import callables
from coprocgi import Case, Coproc, SECOND, interrupt_soon, main, pair, until

CORE = "{http://www.gtk.org/introspection/core/1.0}"
WORKER = [sys.executable, os.path.join(os.path.dirname(__file__), "worker.py")]

# What can fail, but waits for nobody; and what has been waited for before it is called.
WAITS_FOR_NOBODY = {
    "Messenger.alloc_bytes", "Messenger.available", "Messenger.new_for_fds", "Messenger.new_pair",
    "Messenger.receive_available", "Messenger.send_close_request", "Messenger.send_error", "Messenger.try_receive",
    "Messenger.try_receive_message",
}


def read_calls():
    """What can fail, as NAME, or CLASS.NAME; the ends of asynchronous calls left out."""
    calls = set()
    for parent in xml.etree.ElementTree.parse(os.environ["COPROC_TEST_GIR"]).getroot().iter():
        for child in parent:
            name = child.get("name", "")
            if child.get("throws") and child.get("introspectable") != "0" and not name.endswith("_finish") \
                    and child.tag in (CORE + "function", CORE + "method", CORE + "constructor"):
                calls.add(name if parent.tag == CORE + "namespace" else f"{parent.get('name')}.{name}")
    return calls


class EveryCall(Case):
    """Of all calls of the library that can fail each is interrupted here, or known to wait for nobody."""

    interrupted = set()

    def check(self, owner, name, *args):
        """Interrupts a method, of the class that has it."""
        timer = interrupt_soon()
        start = time.monotonic()
        with self.assertRaises(KeyboardInterrupt, msg=name):
            result = getattr(owner, name)(*args)
            next(result)  # what waits only then
        self.assertLess(time.monotonic() - start, 20)
        timer.join()
        bases = (owner if isinstance(owner, type) else type(owner)).__mro__
        self.interrupted.update(f"{base.__name__}.{name}" for base in bases)

    def test_1_receives(self):
        worker_end, host_end = pair()
        host_end.send_request("?", "r")
        for call in (("receive",), ("receive", "x", 60), ("receive_any",), ("receive_blocking", "x"),
                     ("receive_message", "x"), ("receive_messages", "x"), ("await_available",), ("messages",),
                     ("receive_remaining", "r"), ("receive_reply", "r", 60 * SECOND), ("call", "?", "c")):
            self.check(host_end, *call)
        self.assertEqual((host_end.remaining("c"), host_end.remaining("r")), (0, 1))
        worker_end.send_norequest("kept", "x")
        self.assertEqual(host_end.receive("x"), "kept")

    def test_2_sends(self):
        """To somebody who takes no more."""
        worker_end, host_end = pair()
        worker_end.send_request_multiple(range(5), "q")
        requests = host_end.receive_messages("q", 4)
        worker_end.max_queued_bytes = host_end.high_water_mark = 1 << 16
        host_end.send_timeout = SECOND // 5
        large = "x" * 20000
        with self.assertRaises(TimeoutError):
            while True:
                host_end.send_norequest(large)
        host_end.send_timeout = 60 * SECOND
        n_sent = host_end.messages_sent()
        for call in (("send_norequest", large), ("send_norequest", large.encode()), ("send_request", large),
                     ("send_request_multiple", [large]), ("send_bytes", large.encode()),
                     ("send_bytes_full", large.encode(), None, Coproc.MessageKind.REQUEST, 1.),
                     ("send_message", Coproc.Message(large), Coproc.MessageKind.NOREQUEST),
                     ("send_reply", large, "q"), ("reply", requests[1], large),
                     ("reply_error", requests[2], ValueError(large)), ("reply_multiple", requests[3:], [large]),
                     ("call", large)):
            self.check(host_end, *call)
        self.assertEqual(host_end.messages_sent(), n_sent)

    def test_3_workers(self):
        worker = Coproc.WorkerResource.new_for_command(["/bin/sleep", "60"])
        worker.start_timeout = 60 * SECOND
        self.check(worker, "start")
        worker = Coproc.WorkerResource.new_for_command(WORKER)
        worker.grace_period = 60 * SECOND
        worker.start()
        os.kill(worker.pid, signal.SIGSTOP)
        self.check(worker, "join")
        self.check(worker, "terminate")
        self.check(worker, "stop")
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()

    def test_4_pools(self):
        pool = Coproc.WorkerPool.new_for_command(["/bin/sleep", "60"], 2)
        pool.get_model().start_timeout = -1
        self.check(pool, "start")
        self.assertEqual(pool.state, Coproc.WorkerState.FAILED)
        pool = Coproc.WorkerPool.for_callable(callables.sleep, 1)
        pool.start()
        self.check(pool, "map", [60])
        self.check(pool, "map_messages", [Coproc.Message(60)], 1)
        operation = pool.map_ordered([60])
        self.check(operation, "next")
        self.check(operation, "__next__")
        until(lambda: pool.workers and pool.workers[0].pid)
        pid = pool.workers[0].pid
        os.kill(pid, signal.SIGSTOP)
        self.check(pool, "stop", 60 * SECOND)
        os.kill(pid, signal.SIGKILL)
        pool.stop()

    def test_5_plugins(self):
        plugin = os.path.join(os.environ["COPROC_TEST_PLUGINS"], "ctor-hang.so")
        self.check(Coproc.Plugin, "inspect", plugin)
        path = os.environ["COPROC_PLUGIN_PATH"]
        try:
            os.environ["COPROC_PLUGIN_PATH"] = os.environ["COPROC_TEST_PLUGINS"]
            self.check(Coproc.Plugin, "list")
        finally:
            os.environ["COPROC_PLUGIN_PATH"] = path

    def test_6_connect(self):
        """A worker whose host does not greet it."""
        code = ("import gi; gi.require_version('Coproc', '1'); from gi.repository import Coproc\n"
                "print('ready', flush=True); Coproc.worker_connect()")
        (there, ours), (here, theirs) = os.pipe(), os.pipe()
        with subprocess.Popen([sys.executable, "-c", code], pass_fds=(there, theirs), text=True,
                              env=dict(os.environ, COPROC_WORKER_FDS=f"{there},{theirs}"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGINT)
            self.assertIn("KeyboardInterrupt", process.communicate(timeout=20)[1])
        self.interrupted.add("worker_connect")
        for fd in (there, ours, here, theirs):
            os.close(fd)

    def test_7_complete(self):
        self.assertEqual(read_calls() - self.interrupted - WAITS_FOR_NOBODY, set())


class Interrupts(Case):
    """Signal handlers run at once, wherever the main thread waits."""

    def setUp(self):
        self.worker_end, self.host_end = pair()

    def test_handler_returns(self):
        """A handler that raises nothing does not end the wait: a call is made once."""
        seen = []
        old = signal.signal(signal.SIGUSR1, lambda *_: seen.append(time.monotonic()))
        try:
            interrupt_soon(signal.SIGUSR1)
            answer = threading.Thread(target=self.answer, args=(seen,))
            answer.start()
            self.assertEqual(self.host_end.call("?", "c"), "!")
            answer.join()
        finally:
            signal.signal(signal.SIGUSR1, old)
        self.assertEqual(self.host_end.requests_sent("c"), 1)

    def answer(self, seen):
        """Answers once the handler has run, though the main thread waits."""
        request = self.worker_end.receive_message("c")
        deadline = time.monotonic() + 30
        while not seen and time.monotonic() < deadline:
            time.sleep(0.001)
        self.worker_end.reply(request, "!" if seen else "the handler did not run")

    def test_other_exception(self):
        class Alarm(Exception):
            pass

        def handler(*_):
            raise Alarm

        old = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            self.assertRaises(Alarm, self.host_end.receive)
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_other_threads_raise_nothing(self):
        """What a handler has raised is the main thread's, however busy the others are with calls."""
        class Alarm(Exception):
            pass

        def handler(*_):
            raise Alarm

        failures, done = [], []

        def call():
            while not done:
                try:
                    self.worker_end.available("c")
                    self.worker_end.try_receive("c")
                    self.worker_end.receive("c", timeout=0)
                except TimeoutError:
                    pass
                except BaseException as error:
                    failures.append(error)

        def wait():
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            self.host_end.receive()

        old = signal.signal(signal.SIGALRM, handler)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=call) for _ in range(3)]
        try:
            for thread in threads:
                thread.start()
            for _ in range(100):
                self.assertRaises(Alarm, wait)
        finally:
            sys.setswitchinterval(interval)
            signal.signal(signal.SIGALRM, old)
            done.append(True)
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_other_threads_run(self):
        """A blocking call does not hold the GIL."""
        counted = []
        thread = threading.Thread(target=lambda: (counted.extend(range(1000)),
                                                  self.worker_end.send_norequest("go")))
        thread.start()
        self.assertEqual(self.host_end.receive(), "go")
        thread.join()
        self.assertEqual(len(counted), 1000)


if __name__ == "__main__":
    main()
