# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the tests of the package coproc share: waiting with a deadline, scripts in processes of their own."""

import os
import subprocess
import sys
import tempfile
import time

ROOT = os.environ["COPROC_TEST_SRCDIR"]
sys.path.insert(0, os.path.join(ROOT, "tests", "gi"))
from coprocgi import Case, main, open_fds  # noqa: E402, F401

import coproc  # noqa: E402, F401


def until(condition, seconds=30):
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.005)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run_script(text, timeout=60):
    """Runs a script as a program; gives the finished process, with its output as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        # with buffers, as usual: lines of two processes are not mixed
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        return subprocess.run(
            [sys.executable, path], capture_output=True, text=True, timeout=timeout, env=environment
        )


class Pair(Case):
    """Two connected messengers in this process."""

    messenger_type = coproc.PriorityMessenger

    def setUp(self):
        self.process, self.resource = self.messenger_type.new_pair()

    def tearDown(self):
        self.process.close()
        self.resource.close()
