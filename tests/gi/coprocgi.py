# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the Python tests share: the typelib, waiting with a deadline, TAP output."""

import os
import signal
import sys
import threading
import time
import unittest

import gi

# Most tests run twice: with the library as introspection gives it, and with the override.
OVERRIDE = "COPROC_TEST_OVERRIDE" in os.environ
if not OVERRIDE:
    sys.modules["gi.overrides.Coproc"] = None  # one that is installed is not seen, either

gi.require_version("Coproc", "1")
from gi.repository import Coproc, Gio, GLib, GObject  # noqa: E402, F401

SECOND = 1000000

assert Coproc.Messenger.__module__ == f"gi.{'overrides' if OVERRIDE else 'repository'}.Coproc"
# With the override the calls are those of its extension module, or of Python.
NATIVE = "COPROC_TEST_NATIVE" in os.environ
assert ("gi.overrides._coproc_native" in sys.modules) == NATIVE
assert ("gi.overrides._coproc_calls" in sys.modules) == (OVERRIDE and not NATIVE)


def string(text):
    return GLib.Variant("s", text)


def number(value):
    return GLib.Variant("x", value)


def unpack(payload):
    """The value of a payload, which is a GLib.Variant only without the override."""
    return payload.unpack() if isinstance(payload, GLib.Variant) else payload


def next_reply(messenger, channel=None):
    """The payload of the next reply, or None: with the override receive_remaining() is an iterator."""
    replies = messenger.receive_remaining(channel)
    return next(replies, None) if OVERRIDE else replies


def pair(messenger_type=Coproc.PriorityMessenger):
    """A connected pair: the worker's end, the host's end."""
    done, worker_end, host_end = Coproc.Messenger.new_pair(messenger_type)
    assert done
    return worker_end, host_end


def until(condition, context=None, seconds=30):
    """Runs a main context until the condition holds."""
    context = context or GLib.MainContext.default()
    deadline = time.monotonic() + seconds
    tick = GLib.timeout_source_new(10)
    tick.set_callback(lambda *_: True)
    tick.attach(context)
    try:
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("it did not happen in time")
            context.iteration(True)
    finally:
        tick.destroy()


def interrupt_soon(number=signal.SIGINT, seconds=0.05):
    """Sends this process a signal while it waits. Returns: a thread to join."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.start()
    return timer


def turn(context=None):
    """Runs what is ready in a main context."""
    context = context or GLib.MainContext.default()
    while context.iteration(False):
        pass


class Case(unittest.TestCase):
    longMessage = True

    def assertFails(self, code, function, *args):
        """Calls a function that must fail with a code of the error domain, and gives the error."""
        with self.assertRaises(GLib.Error) as caught:
            function(*args)
        error = caught.exception
        self.assertTrue(error.matches(Coproc.error_quark(), code), repr(error))
        return error

    def assertCancelled(self, function, *args):
        with self.assertRaises(GLib.Error) as caught:
            function(*args)
        error = caught.exception
        self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED), repr(error))


class TapResult(unittest.TestResult):
    """Prints a line of TAP for each test."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def _line(self, status, test, directive=""):
        self.count += 1
        print(f"{status} {self.count} {test.id().split('.', 1)[1]}{directive}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("ok", test, f" # SKIP {reason}")

    def _failed(self, test, error):
        self._line("not ok", test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print(f"# {line}")

    def addError(self, test, error):
        super().addError(test, error)
        self._failed(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._failed(test, error)


def main():
    """Runs the tests of the program, or those that the command line names."""
    program = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    if len(sys.argv) > 1:
        suite = loader.loadTestsFromNames(sys.argv[1:], program)
    else:
        suite = loader.loadTestsFromModule(program)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = TapResult()
    suite.run(result)
    sys.stdout.flush()
    sys.exit(0 if result.wasSuccessful() else 1)


def open_fds():
    return len(os.listdir("/proc/self/fd"))
