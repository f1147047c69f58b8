# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python's signal handlers, and so Ctrl-C, run while a call of the library waits."""

import atexit
import sys
import threading

from gi.module import get_introspection_module

_set_interrupt_func = get_introspection_module("Coproc").set_interrupt_func
_MAIN_THREAD = threading.main_thread().ident
_THEIRS = "gi.overrides._coproc_interrupt"  # does the same for the override

raised = []  # what handlers have raised in a wait
_installed = False


def _run_handlers():
    """Goes on when a signal has come: there Python runs the handlers that are due."""
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


def install():
    """For the main thread, the only one in which Python runs handlers. There is one place for it in the
    library: when the override has taken it, or takes it later, it works for both.
    """
    global _installed

    if _installed or _THEIRS in sys.modules or threading.get_ident() != _MAIN_THREAD:
        return
    _installed = True
    handlers = _run_handlers()
    next(handlers)
    _set_interrupt_func(handlers.__next__)
    atexit.register(_set_interrupt_func, None)


def pop():
    """What a handler has raised in a wait of this thread, or None."""
    if threading.get_ident() != _MAIN_THREAD:
        return None
    theirs = sys.modules.get(_THEIRS)
    for waiting in (raised, theirs.raised if theirs is not None else ()):
        if waiting:
            return waiting.pop()
    return None
