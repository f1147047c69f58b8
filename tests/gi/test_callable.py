# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers that are Python functions and classes."""

import asyncio
import functools
import os
import subprocess
import sys
import tempfile

import callables
from coprocgi import NATIVE, Case, Coproc, main, until


def local(value):
    """A function of the program itself."""
    return f"from {os.path.basename(__file__)}: {value}"


class Callable(Case):
    def setUp(self):
        self.worker = None

    def tearDown(self):
        if self.worker is not None:
            self.worker.stop()

    def start(self, function, **arguments):
        self.worker = Coproc.WorkerResource.for_callable(function)
        self.worker.start(arguments)
        return self.worker.messenger

    def test_function(self):
        call = self.start(callables.double).call
        self.assertEqual([call(21, "any channel"), call("ab"), call([1])], [42, "abab", [1, 1]])
        self.worker.join(timeout=30)
        self.assertEqual(self.worker.exit_status, 0)

    def test_is_a_process(self):
        self.assertEqual(self.start(callables.get_pid).call(), self.worker.pid)
        self.assertNotEqual(self.worker.pid, os.getpid())

    def test_arguments(self):
        self.assertEqual(self.start(callables.scale, factor=3).call(2), 6)

    def test_class(self):
        call = self.start(callables.Adder, start=10).call
        self.assertEqual([call(1), call(2)], [11, 13])

    def test_qualified_name(self):
        self.assertEqual(self.start(callables.Adder.negate).call(1), -1)

    def test_program(self):
        self.assertEqual(self.start(local).call(1), "from test_callable.py: 1")

    def test_own_loop(self):
        call = self.start(callables.count, start=5).call
        self.assertEqual([call(), call()], [5, 6])
        self.worker.join(timeout=30)
        self.assertEqual(self.worker.exit_status, 0)

    def test_dataclass(self):
        self.assertEqual(self.start(callables.Greeter, greeting="Hi").call("you", "names"), "Hi, you!")

    def test_exception(self):
        """It fails the one request, with its type, its message and the worker's traceback."""
        call = self.start(callables.fail).call
        with self.assertRaises(KeyError) as caught:
            call("this one")
        self.assertIsInstance(caught.exception, Coproc.Handler)
        self.assertEqual(str(caught.exception), "KeyError: 'this one'")
        self.assertIn("in fail", str(caught.exception.__cause__))
        self.assertIn("raise KeyError(value)", str(caught.exception.__cause__))
        self.assertTrue(self.worker.is_alive())
        self.assertRaises(KeyError, call, "another one")

    def test_exit(self):
        """Who has asked is told that the worker ends, and by what."""
        call = self.start(callables.leave).call
        with self.assertRaises(Coproc.Handler) as caught:
            call(3)
        self.assertEqual(str(caught.exception), "SystemExit: 3")
        self.assertIn("sys.exit(status)", str(caught.exception.__cause__))
        self.worker.join(timeout=30)
        self.assertEqual(self.worker.exit_status, 3)

    def test_traceback_is_shown(self):
        code = ("import gi; gi.require_version('Coproc', '1'); from gi.repository import Coproc; import callables\n"
                "with Coproc.WorkerResource.for_callable(callables.fail) as worker: worker.messenger.call(1)")
        done = subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(__file__), text=True,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("raise KeyError(value)", done.stderr)
        self.assertIn("KeyError: 1", done.stderr.splitlines()[-1])

    def run_program(self, text, name):
        """Runs a program: from a file of that name, or from standard input. Returns: what it prints."""
        head = "import gi; gi.require_version('Coproc', '1'); from gi.repository import Coproc\n"
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(head + text)
            with open(file.name, encoding="utf-8") as file:
                command = [sys.executable, "-" if name == "stdin" else file.name]
                return subprocess.run(command, stdin=file, timeout=60, text=True, capture_output=True)

    def test_programs(self):
        """Functions of a program of any name, or of none, where cloudpickle is installed."""
        text = ("def double(value): return 2 * value\n"
                "if __name__ == '__main__':\n"
                "    with Coproc.WorkerResource.for_callable(double) as worker: print(worker.messenger.call(4))")
        self.assertEqual(self.run_program(text, "program.py").stdout, "8\n")
        self.assertEqual(self.run_program(text, "program").stdout, "8\n")
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.skipTest("cloudpickle is not installed")
        self.assertEqual(self.run_program(text, "stdin").stdout, "8\n")

    def test_program_without_a_guard(self):
        """It is told so, instead of starting a worker in each worker."""
        text = ("def double(value): return 2 * value\n"
                "with Coproc.WorkerResource.for_callable(double) as worker: worker.messenger.call(4)")
        done = self.run_program(text, "program.py")
        self.assertEqual(done.returncode, 1)
        self.assertIn("RuntimeError", done.stderr.splitlines()[-1])
        self.assertIn("__name__ == '__main__'", done.stderr.splitlines()[-1])

    def test_reply_cannot_be_sent(self):
        """Whoever has asked is told, and the worker goes on."""
        call = self.start(callables.odd).call
        self.assertRaises(TypeError, call, 1)
        self.assertEqual(call(0), "fine")

    def test_exception_at_the_start(self):
        messenger = self.start(callables.refuse)
        with self.assertRaises(ValueError) as caught:
            messenger.receive()
        self.assertIn("not today", str(caught.exception))
        until(lambda: not self.worker.is_alive())
        self.assertEqual(self.worker.exit_status, 1)

    def test_call_tells_why(self):
        """A call to a worker that could not begin fails with the reason, not only with the end."""
        for reference, kind in (("nonesuch:function", ImportError), ("json:nonesuch", AttributeError)):
            command = [sys.executable, "-m", "gi.overrides.coproc_worker", reference]
            with Coproc.WorkerResource.new_for_command(command) as worker:
                self.assertRaises(kind, worker.messenger.call, 1)

        async def run():
            async with Coproc.WorkerResource.for_callable(callables.refuse) as worker:
                with self.assertRaises(ValueError):
                    await worker.messenger.call_async(1)

        asyncio.run(run())

    def test_large_results(self):
        """Of whatever size, and more than there is room for."""
        messenger = self.start(callables.make_bytes)
        messenger.max_message_size = 1 << 20
        for size in (0, 16384, 1 << 20):
            self.assertEqual(messenger.call(size), b"x" * size)
        with self.assertRaises(Coproc.TooLarge):
            messenger.call((1 << 20) + 1)
        self.assertEqual(messenger.call(3), b"xxx")

    def test_alloc_bytes(self):
        """Bytes that are sent from the library's memory are not copied: the worker sees what becomes of them."""
        messenger = self.start(callables.look)
        data = messenger.alloc_bytes(1 << 20)
        self.assertFalse(data.readonly)
        data[:] = bytes(1 << 20)
        messenger.send_bytes(data, "data")
        self.assertEqual(messenger.call(), 0)
        data[0] = 7
        self.assertEqual(messenger.call(), 7 if NATIVE else 0)

    def test_wrong_arguments(self):
        messenger = self.start(callables.Adder, nonesuch=1)
        self.assertRaises(TypeError, messenger.receive)

    def test_command_line(self):
        """As a host in any language starts it."""
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("def shout(text):\n    return text.upper()\n")
            file.flush()
            for reference in (f"{file.name}:shout", "json:dumps"):
                command = [sys.executable, "-m", "gi.overrides.coproc_worker", reference]
                with Coproc.WorkerResource.new_for_command(command) as worker:
                    self.assertIn(worker.messenger.call("abc"), ("ABC", '"abc"'))

    def test_no_name(self):
        """What cannot be imported is carried by cloudpickle."""
        factor = 3
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.assertRaises(TypeError, Coproc.WorkerResource.for_callable, lambda value: value * factor)
            self.skipTest("cloudpickle is not installed")
        self.assertEqual(self.start(lambda value: value * factor).call(2), 6)
        self.worker.stop()
        self.assertEqual(self.start(functools.partial(callables.scale, factor=4)).call(2), 8)

    def test_not_callable(self):
        self.assertRaises(TypeError, Coproc.WorkerResource.for_callable, 42)


if __name__ == "__main__":
    main()
