# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The name that the library gives a channel, the same for equal objects in every process.

Objects are compared as dictionaries do it: 1, 1.0 and True are one channel. A text is its own name;
others have one that no text begins like.
"""

import enum
import pickle
import types

_MARK = "\x01"  # of the names that stand for something other than a text
_MAX_LENGTH = 256  # characters of a name; longer ones are hashed
_OF_NUMBERS = ("as_integer_ratio", "__index__")
PRIVATE = "\x02"  # of this package's own channels


def name(channel):
    """The name of a channel. TypeError: it is not hashable, or equal to nothing in another process."""
    hash(channel)
    if channel is None:
        return None
    text = _canonical(channel)
    if text[0] == "s" and text[1:2] not in ("", _MARK, PRIVATE) and "\0" not in text:
        if len(text) <= _MAX_LENGTH and text.isprintable():
            return text[1:]
    if len(text) > _MAX_LENGTH or not text.isprintable():
        import hashlib  # takes long, and is seldom needed

        data = text.encode(errors="surrogatepass")
        text = "#" + hashlib.sha256(data).hexdigest()
    return _MARK + text


def _inherits(channel, kind):
    """Whether it is compared as one of that kind is."""
    return isinstance(channel, kind) and type(channel).__eq__ is kind.__eq__


def _canonical(channel):
    if channel is None:
        return "N"
    if _inherits(channel, str):
        return "s" + str.__str__(channel)
    if _inherits(channel, bytes):
        return "b" + bytes(channel).hex()
    if isinstance(channel, complex) or any(hasattr(type(channel), name) for name in _OF_NUMBERS):
        return _canonical_number(channel)
    if _inherits(channel, tuple):
        return "(" + "".join(_sized(_canonical(item)) for item in channel) + ")"
    if _inherits(channel, frozenset):
        return "{" + "".join(sorted(_sized(_canonical(item)) for item in channel)) + "}"
    if isinstance(channel, enum.Enum):
        return f"e{_qualified(type(channel))}.{channel.name}"
    if isinstance(channel, (type, types.FunctionType, types.BuiltinFunctionType)):
        return "r" + _qualified(channel)
    return _canonical_object(channel)


def _sized(text):
    """Such that no two sequences of texts look alike."""
    return f"{len(text)}:{text}"


def _qualified(named):
    return f"{named.__module__}.{named.__qualname__}"


def _canonical_number(number):
    if isinstance(number, complex):
        if number.imag != 0:
            return f"c{_canonical_number(number.real)},{_canonical_number(number.imag)}"
        number = number.real
    try:
        numerator, denominator = number.as_integer_ratio()
    except (AttributeError, TypeError):
        return f"n{number.__index__()}"
    except (OverflowError, ValueError):  # an infinity; NaN is equal to nothing
        if number != number:
            raise TypeError("NaN is no channel: it is not equal to itself") from None
        return "n" + str(float(number))
    return f"n{numerator}" if denominator == 1 else f"n{numerator}/{denominator}"


def _canonical_object(channel):
    """An object with an equality of its own is told by what pickle would keep of it."""
    kind = type(channel)
    if kind.__eq__ is object.__eq__:
        raise TypeError(
            f"a channel of type {kind.__name__} is equal only to itself, so to none in another process"
        )
    reduced = channel.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    if isinstance(reduced, str):
        return f"r{kind.__module__}.{reduced}"
    return "o" + _canonical_parts(reduced)


def _canonical_parts(part):
    if isinstance(part, dict):
        items = (_canonical_parts(key) + _canonical_parts(value) for key, value in part.items())
        return "D" + "".join(sorted(_sized(item) for item in items))
    if isinstance(part, (tuple, list)):
        return "L" + "".join(_sized(_canonical_parts(item)) for item in part)
    if isinstance(part, (set, frozenset)):
        return "{" + "".join(sorted(_sized(_canonical_parts(item)) for item in part)) + "}"
    return _canonical(part)
