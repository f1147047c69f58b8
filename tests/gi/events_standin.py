# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""A stand-in for gi.events, which PyGObject has from 3.50 on and Debian 12 has not.

It has what the override and its test use of it: a policy whose loop, of a class in a module of that name, is
run by the GMainContext of the main thread. Where the real one is installed the test takes that.
"""

import asyncio
import selectors

from gi.repository import GLib


class _Selector(selectors.EpollSelector):
    """Waits in the context: an epoll descriptor can be polled as any other."""

    loop = None

    def select(self, timeout=None):
        context = GLib.MainContext.default()
        woken = []
        watch = GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, self.fileno(), GLib.IOCondition.IN,
                                      lambda *_: woken.append(True) or GLib.SOURCE_REMOVE)
        timer = 0
        if timeout is not None:
            timer = GLib.timeout_add(max(0, int(timeout * 1000)),
                                     lambda: woken.append(False) or GLib.SOURCE_REMOVE)
        # What the context dispatches may have given the loop something to do.
        while not woken and not self.loop._ready:
            context.iteration(True)
        if True not in woken:
            GLib.source_remove(watch)
        if timer and False not in woken:
            GLib.source_remove(timer)
        return super().select(0)


class GLibEventLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)


class GLibEventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return GLibEventLoop()


GLibEventLoop.__module__ = GLibEventLoopPolicy.__module__ = "gi.events"
