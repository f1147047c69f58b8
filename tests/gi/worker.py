# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A worker that is a Python program: answers each request with its payload."""

import sys

from coprocgi import Coproc, GLib, unpack

messenger, arguments = Coproc.worker_connect(Coproc.PriorityMessenger)
try:
    while True:
        request = messenger.receive_any(-1, None)
        messenger.reply(request, request.get_payload())
except GLib.Error as error:
    if not error.matches(Coproc.error_quark(), Coproc.Error.CLOSE_REQUESTED):
        raise
messenger.close()
sys.exit(unpack(arguments).get("code", 0) if arguments else 0)
