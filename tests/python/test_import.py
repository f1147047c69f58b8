# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The names of the package, and what it costs to import it."""

import os
import re
import subprocess
import sys

from dropin import ROOT, Case, coproc, main

NAMES = """
    PriorityMessenger MultiMessenger WorkerResource LegacyWorkerResource BaseWorkerProcess
    WorkerResourcePool Pool LazyPool PriorityQueue PriorityMultiQueue MultiQueue ChannelID Message
    MessageType DataMessage CloseRequestMessage EncounteredErrorMessage ResourceRequestedClose
    MessageNotRecognizedError WorkerIsAlreadyAliveError WorkerIsAlreadyDeadError WorkerIsDeadError
    MemoryInfoNotAvailableError SendPayloadType RecvPayloadType
""".split()


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout


class Import(Case):
    def test_names(self):
        for name in NAMES:
            self.assertTrue(hasattr(coproc, name), name)
            self.assertIn(name, coproc.__all__)
            self.assertIn(name, dir(coproc))

    def test_all(self):
        scope = {}
        exec("from coproc import *", scope)
        self.assertLessEqual(set(NAMES), set(scope))

    def test_monitor_is_absent(self):
        self.assertFalse(hasattr(coproc, "Monitor"))
        with self.assertRaisesRegex(AttributeError, "monitor"):
            coproc.Monitor
        with self.assertRaises(ImportError):
            exec("from coproc import Monitor")
        with self.assertRaises(AttributeError):
            coproc.nonsense

    def test_base_exceptions(self):
        """Those of the original, which a worker's `except Exception` must not swallow."""
        for name in NAMES:
            if name.endswith("Error") or name == "ResourceRequestedClose":
                self.assertTrue(issubclass(getattr(coproc, name), BaseException), name)
                self.assertFalse(issubclass(getattr(coproc, name), Exception), name)
        self.assertEqual(str(coproc.ResourceRequestedClose()), "Resource requested that this process close.")

    def test_all_files_are_installed(self):
        folder = os.path.join(ROOT, "introspection", "python")
        with open(os.path.join(folder, "meson.build"), encoding="utf-8") as file:
            named = set(re.findall(r"'coproc/(.*?)'", file.read()))
        self.assertEqual(named, {name for name in os.listdir(f"{folder}/coproc") if name.endswith(".py")})

    def test_time(self):
        """Everything that a program with a worker needs, in less than 0.15 s of this process's time."""
        times = [
            float(
                run(
                    "import time; t = time.process_time(); import coproc; coproc.WorkerResource;"
                    "coproc.PriorityMessenger.new_pair(); print(time.process_time() - t)"
                )
            )
            for _ in range(3)
        ]
        self.assertLess(min(times), 0.15)

    def test_needs_only_pygobject(self):
        loaded = run(
            "import coproc, sys; coproc.WorkerResource, coproc.PriorityMessenger;"
            "print(*{name.partition('.')[0] for name in sys.modules})"
        ).split()
        for name in ("pandas", "numpy", "matplotlib", "psutil", "multiprocessing", "asyncio"):
            self.assertNotIn(name, loaded)


if __name__ == "__main__":
    main()
