# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Priorities, checked before anything is sent."""

import math


def check(value):
    """A priority as a float. TypeError: it is no number; ValueError: it is NaN, or beyond a double."""
    kind = type(value)
    if kind is not float and kind is not int:
        if not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
            raise TypeError(f"a priority is a number, not {kind.__name__}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"the priority {value} is beyond what a float can be") from None
    if number != number:
        raise ValueError("NaN is no priority: it is neither before nor after another")
    return number


def of(payload):
    """The priority of a payload: its attribute, or last. A property that fails is not taken for none."""
    try:
        value = payload.priority
    except AttributeError:
        if hasattr(type(payload), "priority"):
            raise
        return math.inf
    return check(value)
