# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python values as GVariants, and back.

    None   mv (nothing)      str    s               dict with keys of one type   a{sv}, a{xv}, a{dv}
    bool   b                 tuple  (...)           list of one of int, float, str   ax, ad, as
    int    x, or t           bytes and what else has a buffer of bytes   ay         any other list   av
    float  d                 a buffer of numbers (array, numpy)   an, aq, ai, au, ax, at, ad

The serialised form is written and read here: a call of GLib for each value inside costs twenty times as
much. A GLib.Variant may stand anywhere in a value, and says its type itself.
"""

import array
import functools
import struct
import sys

from gi.repository import GLib

SMALL = 16384  # bytes: what is smaller is copied, which is cheaper than to map it

_new_bytes = GLib.Bytes.new
_new_from_bytes = GLib.Variant.new_from_bytes
_get_type = functools.lru_cache(256)(GLib.VariantType.new)

# What a GVariant of fixed size is in the terms of struct and array.
_NUMBERS = {"b": "B", "y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d",
            "h": "i"}
_SIZES = {code: struct.calcsize(number) for code, number in _NUMBERS.items()}
_UNPACK = {code: struct.Struct("<" + number).unpack_from for code, number in _NUMBERS.items()}
_INT = struct.Struct("<q").pack
_UINT = struct.Struct("<Q").pack
_DOUBLE = struct.Struct("<d").pack
_PADDING = [bytes(n) for n in range(8)]
_OFFSETS = {1: "B", 2: "H", 4: "I", 8: "Q"}


# --- writing ---

def _pad(size, alignment):
    return _PADDING[-size & alignment - 1]


def _offset_size(size, count):
    """The bytes for each of `count` framing offsets behind `size` bytes."""
    for width in (1, 2, 4):
        if size + width * count < 1 << 8 * width:
            return width
    return 8


def _add_offsets(parts, size, offsets):
    width = _offset_size(size, len(offsets))
    parts.append(array.array(_OFFSETS[width], offsets).tobytes())
    return b"".join(parts)


def _write_array(items, alignment):
    """An array of serialised elements of a type without a fixed size."""
    if not items:
        return b""
    parts, offsets, size = [], [], 0
    for item in items:
        if size & alignment - 1:
            padding = _pad(size, alignment)
            parts.append(padding)
            size += len(padding)
        parts.append(item)
        size += len(item)
        offsets.append(size)
    return _add_offsets(parts, size, offsets)


def _write_variant(value):
    kind, data = serialise(value)
    return b"%b\0%b" % (data, kind.encode())


def _write_integer(value):
    if -1 << 63 <= value < 1 << 63:
        return "x", _INT(value)
    if 0 <= value < 1 << 64:
        return "t", _UINT(value)
    raise OverflowError("An integer of a payload has at most 64 bits")


def _write_string(value):
    if "\0" in value:
        raise ValueError("A string of a payload cannot have a NUL in it")
    return "s", value.encode() + b"\0"


def _write_list(value):
    kinds = set(map(type, value))
    if kinds == {int}:
        try:
            return "ax", array.array("q", value).tobytes()
        except OverflowError:
            pass
    elif kinds == {float}:
        return "ad", array.array("d", value).tobytes()
    elif kinds == {str}:
        return "as", _write_array([_write_string(item)[1] for item in value], 1)
    return "av", _write_array([_write_variant(item) for item in value], 8)


def _write_dict(value):
    kinds = set(map(type, value)) or {str}
    code = {frozenset({str}): "s", frozenset({int}): "x", frozenset({float}): "d"}.get(frozenset(kinds))
    if code is None:
        raise TypeError("The keys of a dictionary in a payload are all str, all int or all float")
    entries = []
    for key, item in value.items():
        item = _write_variant(item)
        if code != "s":
            if code == "x" and not -1 << 63 <= key < 1 << 63:
                raise OverflowError("An integer that is a key of a payload has 63 bits and a sign")
            entries.append((_INT if code == "x" else _DOUBLE)(key) + item)
            continue
        key = _write_string(key)[1]
        body = [key, _pad(len(key), 8), item]
        entries.append(_add_offsets(body, sum(map(len, body)), [len(key)]))
    return f"a{{{code}v}}", _write_array(entries, 8)


def _write_tuple(value):
    if not value:
        return "()", b"\0"
    codes, parts, offsets, size, widest = [], [], [], 0, 1
    last = len(value) - 1
    fixed = True
    for i, item in enumerate(value):
        code, data = serialise(item)
        alignment, length = _measure(code)
        padding = _pad(size, alignment)
        size += len(padding) + len(data)
        parts += padding, data
        codes.append(code)
        widest = max(widest, alignment)
        if not length:
            fixed = False
            if i < last:
                offsets.append(size)
    if fixed:
        parts.append(_pad(size, widest))
        return f"({''.join(codes)})", b"".join(parts)
    offsets.reverse()
    return f"({''.join(codes)})", _add_offsets(parts, size, offsets)


def _write_glib(value):
    if not value.is_normal_form():
        value = value.get_normal_form()
    return value.get_type_string(), value.get_data_as_bytes().get_data()


# The format and the size of the items of a buffer: that of `l` differs.
_BUFFERS = {("?", 1): "b", ("c", 1): "y", ("d", 8): "d"}
_BUFFERS.update({(kind, size): code for size, code in ((1, "y"), (2, "n"), (4, "i"), (8, "x")) for kind in "bhilq"})
_BUFFERS.update({(kind, size): code for size, code in ((1, "y"), (2, "q"), (4, "u"), (8, "t")) for kind in "BHILQ"})
_TRUTHS = bytes([0] + [1] * 255)  # what a bool may be in memory, and what it is in a payload


def _write_buffer(view):
    kind = view.format.lstrip("<=@")
    code = "d" if kind == "f" else _BUFFERS.get((kind, view.itemsize))
    if code is None or view.ndim != 1:
        raise TypeError(f"A buffer of format '{view.format}' and {view.ndim} dimensions cannot be a payload")
    if kind == "f":
        return "ad", array.array("d", view.tolist()).tobytes()
    return "a" + code, view.tobytes().translate(_TRUTHS) if code == "b" else view.tobytes()


def _write_other(value):
    for kind in (bool, int, float, str, bytes, list, tuple, dict):
        if isinstance(value, kind):
            return _WRITERS[kind](value)
    if isinstance(value, GLib.Variant):
        return _write_glib(value)
    try:
        view = memoryview(value)
    except TypeError:
        raise TypeError(f"A value of type {type(value).__name__} cannot be (part of) a payload") from None
    if view.ndim == 0:  # a number of numpy's
        return serialise(view.tolist())
    if view.ndim > 1:
        return serialise(list(value))
    return _write_buffer(view)


_WRITERS = {
    type(None): lambda value: ("mv", b""),
    bool: lambda value: ("b", b"\1" if value else b"\0"),
    int: _write_integer,
    float: lambda value: ("d", _DOUBLE(value)),
    str: _write_string,
    bytes: lambda value: ("ay", value),
    bytearray: lambda value: ("ay", bytes(value)),
    memoryview: _write_buffer,
    list: _write_list,
    tuple: _write_tuple,
    dict: _write_dict,
    GLib.Variant: _write_glib,
}


def serialise(value):
    """The type of a value as a payload, and its serialised form."""
    return _WRITERS.get(type(value), _write_other)(value)


_SIMPLE = {
    bool: GLib.Variant.new_boolean,
    float: GLib.Variant.new_double,
}
_new_string = GLib.Variant.new_string
_new_int64 = GLib.Variant.new_int64


def to_variant(value):
    """A GLib.Variant of a value; one of its own is left as it is."""
    kind = type(value)
    if kind is GLib.Variant:
        return value
    if kind is str and "\0" not in value:
        return _new_string(value)
    if kind is int and -1 << 63 <= value < 1 << 63:
        return _new_int64(value)
    if kind in _SIMPLE:
        return _SIMPLE[kind](value)
    code, data = serialise(value)
    return _new_from_bytes(_get_type(code), _new_bytes(data), True)


# --- reading ---

@functools.lru_cache(1024)
def _split(code):
    """The codes of the members of a tuple or a dictionary entry."""
    members, i = [], 1
    while i < len(code) - 1:
        end = i
        while code[end] in "am":
            end += 1
        if code[end] in "({":
            depth = 0
            while True:
                depth += (code[end] in "({") - (code[end] in ")}")
                if depth == 0:
                    break
                end += 1
        members.append(code[i:end + 1])
        i = end + 1
    return members


@functools.lru_cache(1024)
def _measure(code):
    """The alignment of a type and its fixed size, or 0."""
    first = code[0]
    if first in _SIZES:
        return _SIZES[first], _SIZES[first]
    if first in "sog":
        return 1, 0
    if first == "v":
        return 8, 0
    if first in "am":
        return _measure(code[1:])[0], 0
    if code == "()":
        return 1, 1
    size, widest = 0, 1
    fixed = True
    for member in _split(code):
        alignment, length = _measure(member)
        widest = max(widest, alignment)
        fixed = fixed and length > 0
        size += (-size & alignment - 1) + length
    return widest, size + (-size & widest - 1) if fixed else 0


def _read_offsets(data, start, end):
    """The framing offsets of an array, and the bytes for each."""
    size = end - start
    width = _offset_size(size, 0)
    format_ = _OFFSETS[width]
    last = int.from_bytes(data[end - width:end], "little")
    table = array.array(format_)
    table.frombytes(data[start + last:end])
    return table


def _read_array(code, data, start, end):
    item = code[1:]
    if item == "y":
        return memoryview(data)[start:end].toreadonly()
    if item in _NUMBERS:
        if item == "b":
            return [byte != 0 for byte in data[start:end]]
        numbers = array.array(_NUMBERS[item])
        numbers.frombytes(data[start:end])
        return numbers.tolist()
    is_dict = item[0] == "{"
    alignment, length = _measure(item)
    result = []
    if length:
        for at in range(start, end, length):
            result.append(_read(item, data, at, at + length))
    elif start < end:
        at = start
        for offset in _read_offsets(data, start, end):
            at += -(at - start) & alignment - 1
            result.append(_read(item, data, at, start + offset))
            at = start + offset
    return dict(result) if is_dict else result


def _read_members(code, data, start, end):
    members = _split(code)
    if not members:
        return ()
    width = _offset_size(end - start, 0)
    result, at, table, last = [], start, end, len(members) - 1
    for i, member in enumerate(members):
        alignment, length = _measure(member)
        at += -(at - start) & alignment - 1
        if length:
            stop = at + length
        elif i == last:
            stop = table
        else:
            table -= width
            stop = start + int.from_bytes(data[table:table + width], "little")
        result.append(_read(member, data, at, stop))
        at = stop
    return tuple(result)


def _read_nested(data, start, end):
    text = bytes(data[max(start, end - 257):end])
    if b"\0" not in text:  # the type of a long tuple
        text = bytes(data[start:end])
    code = text[text.rindex(b"\0") + 1:].decode()
    return _read(code, data, start, end - len(code) - 1)


def _read_maybe(code, data, start, end):
    if start == end:
        return None
    item = code[1:]
    return _read(item, data, start, end if _measure(item)[1] else end - 1)


def _read(code, data, start, end):
    """The value at data[start:end], which the library has found to be in normal form."""
    first = code[0]
    if first in "sog":
        return str(data[start:end - 1], "utf-8")
    if first == "v":
        return _read_nested(data, start, end)
    if first == "a":
        return _read_array(code, data, start, end)
    if first == "b":
        return data[start] != 0
    if first in _UNPACK:
        return _UNPACK[first](data, start)[0]
    if first == "m":
        return _read_maybe(code, data, start, end)
    return _read_members(code, data, start, end)


def map_bytes(bytes_):
    """A writable view of a GLib.Bytes, which lives as long as the view does."""
    import ctypes  # when it is needed: it takes long
    size = bytes_.get_size()
    block = (ctypes.c_ubyte * size).from_address(bytes_.get_region(1, 0, size))
    block.owner = bytes_
    return memoryview(block).cast("B")


def view(bytes_):
    """A read-only view of a GLib.Bytes, or of a copy when it is small."""
    if bytes_.get_size() < SMALL:
        return memoryview(bytes_.get_data() or b"")
    return map_bytes(bytes_).toreadonly()


_READ_SIMPLE = {
    "s": GLib.Variant.get_string,
    "x": GLib.Variant.get_int64,
    "d": GLib.Variant.get_double,
    "b": GLib.Variant.get_boolean,
}


def from_variant(variant):
    """The Python value of a GLib.Variant; `ay` is a read-only memoryview."""
    code = variant.get_type_string()
    simple = _READ_SIMPLE.get(code)
    if simple is not None:
        return simple(variant)
    if not variant.is_normal_form():  # made here; what is received has been checked
        variant = variant.get_normal_form()
    data = view(variant.get_data_as_bytes())
    if len(data) < SMALL:
        data = data.obj
    return _read(code, data, 0, len(data))


assert sys.byteorder == "little"  # as the library requires
