# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A worker that is a Python program: answers each array of numbers with its median.

A host starts it: meson devenv -C build examples/script-host python3 $PWD/examples/python-worker.py
"""

import statistics

import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

messenger, arguments = Coproc.worker_connect()
with messenger:
    Coproc.serve(statistics.median, messenger)
