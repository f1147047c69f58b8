# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Functions and classes that the tests run in worker processes."""

import dataclasses
import os
import sys
import time

from coprocgi import Coproc


def double(value):
    return value * 2


def scale(value, factor=1):
    return value * factor


def fail(value):
    raise KeyError(value)


def leave(status):
    sys.exit(status)


def get_pid(value):
    return os.getpid()


def sleep(seconds):
    time.sleep(seconds)


def sleep_and_get_pid(seconds):
    time.sleep(seconds)
    return os.getpid()


def same(value):
    return value


def invert(value):
    return 1 / value


def complain(text):
    if text:
        raise Coproc.Error(text)


def die_of(value):
    if value:
        os._exit(1)


def odd(value):
    """Has results that cannot be sent."""
    return object() if value else "fine"


def count(messenger, start=0):
    """A loop of its own: numbers the requests."""
    for i, request in enumerate(messenger.messages(), start):
        messenger.reply(request, i)


def make_bytes(size):
    return b"x" * size


def look(messenger):
    """Holds a payload, and tells what its first byte is now."""
    data = messenger.receive("data")
    for request in messenger.messages():
        messenger.reply(request, data[0])


def refuse(messenger):
    raise ValueError("not today")


class Adder:
    def __init__(self, start=0):
        self.total = start

    def __call__(self, value):
        self.total += value
        return self.total

    @staticmethod
    def negate(value):
        return -value


@dataclasses.dataclass
class Greeter:
    messenger: object
    greeting: str = "Hello"

    def __call__(self):
        for request in self.messenger.messages("names"):
            self.messenger.reply(request, f"{self.greeting}, {request.payload}!")
