# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A worker that is a Python program, as short as one can be: answers each request with its payload."""

import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

messenger, arguments = Coproc.worker_connect()
with messenger:
    Coproc.serve(lambda payload: payload, messenger)
