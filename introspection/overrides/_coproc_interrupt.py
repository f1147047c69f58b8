# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's signal handlers run while a call of the library waits: Ctrl-C works at once."""

import atexit
import threading

from gi.module import get_introspection_module

_set_interrupt_func = get_introspection_module("Coproc").set_interrupt_func

MAIN_THREAD = threading.main_thread().ident

# What a handler has raised in a wait that was ended by it; the call that waited raises it, in the main thread.
raised = []


def _run_handlers():
    """Resumed by the library in the main thread when a signal has come. Python runs pending handlers where a
    generator goes on, so that what they raise is caught here; in a function it would be in front of the try."""
    ended = False
    while True:
        try:
            yield ended
            ended = False
        except GeneratorExit:
            return
        except BaseException as error:
            # Without this frame: who clears the frames of a traceback would end the generator.
            raised.append(error.with_traceback(error.__traceback__.tb_next))
            ended = True


def pop():
    """What a handler has raised in a wait of this thread, or None."""
    return raised.pop() if raised and threading.get_ident() == MAIN_THREAD else None


def install():
    """For the main thread, the only one where Python runs handlers."""
    if threading.get_ident() != MAIN_THREAD:
        return
    handlers = _run_handlers()
    next(handlers)
    _set_interrupt_func(handlers.__next__)
    atexit.register(_set_interrupt_func, None)
