# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python values as payloads: what GLib makes of them, what comes back, and what it costs."""

import array
import enum
import random
import sys
import time
import unittest

from coprocgi import NATIVE, Case, Coproc, GLib, main, pair

MIB = 1 << 20


def plain(value):
    """The value with bytes instead of memoryviews."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def reference(value):
    """The GLib.Variant of a value, made by GLib's own functions."""
    simple = {type(None): "mv", bool: "b", int: "x", float: "d", str: "s"}.get(type(value))
    if simple is not None:
        return GLib.Variant(simple, value)
    if isinstance(value, bytes):
        return GLib.Variant.new_from_bytes(GLib.VariantType.new("ay"), GLib.Bytes.new(value), True)
    if isinstance(value, tuple):
        return GLib.Variant.new_tuple(*map(reference, value))
    if isinstance(value, dict):
        builder = GLib.VariantBuilder.new(GLib.VariantType.new("a{sv}"))
        for key, item in value.items():
            builder.add_value(GLib.Variant.new_dict_entry(GLib.Variant("s", key),
                                                          GLib.Variant.new_variant(reference(item))))
        return builder.end()
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= {int, float, str}:
        return GLib.Variant({int: "ax", float: "ad", str: "as"}[kinds.pop()], value)
    return GLib.Variant.new_array(GLib.VariantType.new("v"),
                                  [GLib.Variant.new_variant(reference(item)) for item in value])


class Generator:
    """Random values, to a depth."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def value(self, depth):
        choose = self._random
        kind = choose.randrange(9 if depth else 6)
        if kind == 6:
            return [self.value(depth - 1) for _ in range(choose.randint(0, 5))]
        if kind == 7:
            return tuple(self.value(depth - 1) for _ in range(choose.randint(0, 4)))
        if kind == 8:
            return {"k" * choose.choice([0, 3, 300]) + str(i): self.value(depth - 1)
                    for i in range(choose.randint(0, 4))}
        return (None, choose.random() < .5, choose.randint(-1 << 63, (1 << 63) - 1), choose.random(),
                "ä" * choose.choice([0, 1, 200]), bytes(choose.choice([0, 3, 300])))[kind]


class Payload(Case):
    def setUp(self):
        self.worker_end, self.host_end = pair(Coproc.MultiMessenger)

    def cross(self, value):
        """What a value becomes on the other side, and the GLib.Variant that it was on the way."""
        self.host_end.send_norequest(value, "p")
        message = self.worker_end.receive_message("p")
        return message.payload, message.get_payload()

    def check(self, value, expected, code):
        got, variant = self.cross(value)
        self.assertEqual(plain(got), expected)
        self.assertIs(type(plain(got)), type(expected))
        self.assertEqual(variant.get_type_string(), code)

    def test_values(self):
        for value, code in (
                (None, "mv"), (True, "b"), (0, "x"), (-1 << 63, "x"), ((1 << 64) - 1, "t"), (1.5, "d"),
                ("", "s"), ("grün", "s"), (b"", "ay"), (b"\0\xff", "ay"), ([], "av"), ([1, 2], "ax"),
                ([.5], "ad"), (["a", ""], "as"), ([1, "a", None], "av"), ([True], "av"), ([1 << 63], "av"),
                ((), "()"), ((1, "a", True), "(xsb)"), ({}, "a{sv}"), ({"a": {"b": [None]}}, "a{sv}"),
                ({1: "x"}, "a{xv}"), ({.5: None}, "a{dv}"), ([[1], [2, 3]], "av"), ((True, ("a",)), "(b(s))"),
                ((True, (True, ()), ("a", 1), None, "b"), "(b(b())(sx)mvs)"), ((None, None), "(mvmv)"),
                ((True, ["a"], [], b"c"), "(basavay)"), ({1 << 62: {}}, "a{xv}"), ([tuple(range(300))], "av"),
                (("a", (True, ("b", (False, ("c", (1,)))))), "(s(b(s(b(s(x))))))")):
            with self.subTest(value):
                self.check(value, value, code)

    def test_subclasses(self):
        """Of the types that payloads have; elements and keys of them are not of exactly one type."""
        class Text(str):
            pass

        class Pairs(dict):
            pass

        number = enum.IntEnum("Number", "ONE TWO")
        self.assertEqual(self.cross(Text("x"))[0], "x")
        self.assertEqual(self.cross(number.TWO)[0], 2)
        self.assertEqual(self.cross(Pairs(a=Text("x")))[0], {"a": "x"})
        value, variant = self.cross([1, number.TWO])
        self.assertEqual((value, variant.get_type_string()), ([1, 2], "av"))
        with self.assertRaises(TypeError):
            self.host_end.send_norequest({Text("x"): 1})

    def test_buffers(self):
        for value, expected, code in (
                (bytearray(b"ab"), b"ab", "ay"), (memoryview(b"abcd")[::2], b"ac", "ay"),
                (array.array("d", [.5, 1]), [.5, 1.], "ad"), (array.array("f", [.5]), [.5], "ad"),
                (array.array("q", [-1]), [-1], "ax"), (array.array("H", [7]), [7], "aq"),
                (array.array("l", [-1]), [-1], "ax"), (memoryview(b"\0\2").cast("?"), [False, True], "ab"),
                (memoryview(bytearray(4)).cast("b"), bytes(4), "ay"), (array.array("d"), [], "ad"),
                (memoryview(array.array("i", [1, 2, 3]))[::-1], [3, 2, 1], "ai"),
                ((True, memoryview(b"ab"), array.array("H", [7])), (True, b"ab", [7]), "(bayaq)"),
                ([array.array("i", [1])], [[1]], "av")):
            with self.subTest(value):
                self.check(value, expected, code)

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        self.check(numpy.arange(3.), [0., 1., 2.], "ad")
        self.check(numpy.arange(3, dtype="u1"), b"\0\1\2", "ay")
        self.check(numpy.int64(3), 3, "x")
        self.check(numpy.float32(.5), .5, "d")
        self.check(numpy.eye(2), [[1., 0.], [0., 1.]], "av")

    def test_variants(self):
        """A GLib.Variant says its type itself, wherever it stands."""
        self.check(GLib.Variant("q", 7), 7, "q")
        self.check((GLib.Variant("y", 1), GLib.Variant("n", 2)), (1, 2), "(yn)")
        self.check({"a": GLib.Variant("(is)", (1, "x"))}, {"a": (1, "x")}, "a{sv}")
        for code, value in (
                ("(yd)", (1, .5)), ("a(ys)", [(1, "a"), (2, "b")]), ("a(yx)", [(1, 2)] * 3), ("mi", None),
                ("mi", 4), ("ms", "x"), ("a{ix}", {1: 2}), ("a{s(yv)}", {}), ("ab", [True, False]),
                ("(bms)", (True, None)), ("((yy)ya(qs)x)", ((1, 2), 3, [(4, "five"), (6, "7")], 8)),
                ("aad", [[1.], [], [2.]]), ("o", "/a/b"), ("g", "a{sv}"), ("aay", []), ("(ss)", ("a", "b"))):
            with self.subTest(code):
                self.check(GLib.Variant(code, value), value, code)

    def test_random(self):
        """Byte for byte what GLib makes, and back again."""
        for seed in range(500):
            value = Generator(seed).value(4)
            got, variant = self.cross(value)
            self.assertTrue(variant.equal(reference(value)), value)
            self.assertEqual(plain(got), value)

    def test_large(self):
        """Framing offsets of each width."""
        for size in (250, 300, 65500, 65600):
            for value in (["x" * size, "y"], ("x" * size, "y"), {"x" * size: "y"}, {"k": ["x" * size]}):
                got, variant = self.cross(value)
                self.assertTrue(variant.equal(reference(value)))
                self.assertEqual(got, value)

    def test_refused(self):
        """Nothing is sent of what cannot be sent."""
        for value, kind in ((object(), TypeError), ({1, 2}, TypeError), ({1: 1, "a": 2}, TypeError),
                            ([object()], TypeError), (1 << 64, OverflowError), ("a\0b", ValueError),
                            ({"a\0": 1}, ValueError), (1j, TypeError), (-1 << 64, OverflowError),
                            ({1 << 63: 1}, OverflowError), (["a", "b\0"], ValueError), ("\ud800", ValueError),
                            (memoryview(b"abcd").cast("B", (2, 2)), TypeError), ({None: 1}, TypeError)):
            with self.assertRaises(kind, msg=repr(value)):
                self.host_end.send_norequest(value, "p")
        endless = []
        endless.append(endless)
        with self.assertRaises(RecursionError):
            self.host_end.send_norequest(endless, "p")
        self.assertEqual(self.host_end.messages_sent("p"), 0)

    @unittest.skipUnless(NATIVE, "for the extension module")
    def test_hostile(self):
        """Nothing outside of a payload is read, whatever is in it and though it is said to be in normal form."""
        choose, n_refused = random.Random(1), 0
        for seed in range(300):
            variant = reference(Generator(seed).value(4))
            data = bytearray(variant.get_data_as_bytes().get_data() or b"")
            for _ in range(50):
                changed = bytearray(data[:choose.randint(len(data) // 2, len(data))])
                for _ in range(choose.randint(1, 4)):
                    if changed:
                        changed[choose.randrange(len(changed))] = choose.choice((0, 1, 255, choose.randrange(256)))
                # On the heap, so that AddressSanitizer and valgrind see what is read behind it.
                bad = GLib.Variant.new_from_bytes(variant.get_type(), GLib.Bytes.new(bytes(changed)), True)
                try:
                    Coproc.Message(bad).payload
                except ValueError:
                    n_refused += 1
        self.assertGreater(n_refused, 1000)

    @unittest.skipUnless(NATIVE, "for the extension module")
    def test_nothing_is_kept(self):
        """References are dropped, of what is sent, received, and refused."""
        values = [None, 1, .5, "text" * 9, b"x" * 20000, [1, 2], ["a"], {"a": {1: [None, 2.5]}}, ("a", (1, b"b")),
                  array.array("f", [1]), GLib.Variant("(is)", (1, "x")), memoryview(bytes(99))]
        refused = [object(), ["a", "b\0"], {"a": object()}, ("a", [1, object()]), {1: 1 << 70}]

        def work():
            for value in values:
                self.host_end.send_request(value, "p")
                self.worker_end.reply(self.worker_end.receive_message("p"), value)
            self.assertEqual(len(list(self.host_end.receive_remaining("p"))), len(values))
            self.host_end.send_request_multiple(iter(values), "p")
            for message in self.worker_end.receive_messages("p"):
                self.worker_end.reply(message, message.payload)
            self.assertEqual(len(self.host_end.receive_available("p")), len(values))
            for value in refused:
                self.assertRaises((TypeError, ValueError, OverflowError), self.host_end.send_norequest, value)
                self.assertRaises((TypeError, ValueError, OverflowError), self.host_end.send_request_multiple,
                                  [1, value])
            self.assertRaises(Coproc.TimedOut, self.host_end.receive, timeout=0)
            self.assertRaises(TypeError, self.host_end.receive, 5)
            self.assertIsNone(self.host_end.try_receive())

        for _ in range(20):
            work()
        before = sys.getallocatedblocks()
        for _ in range(200):
            work()
        self.assertLess(sys.getallocatedblocks() - before, 200)

    def test_bytes_are_a_view(self):
        """Received bytes are read-only, are not copied when they are many, and live as long as the view."""
        self.host_end.send_norequest(bytes(range(256)) * 4096, "p")
        view = self.worker_end.receive_blocking("p")
        self.assertIsInstance(view, memoryview)
        self.assertTrue(view.readonly)
        self.assertEqual(view, bytes(range(256)) * 4096)
        part = view[256:512]
        del view
        self.host_end.send_norequest(bytes(MIB), "p")
        other = self.worker_end.receive_blocking("p")
        self.assertEqual(part, bytes(range(256)))
        self.assertEqual(bytes(other), bytes(MIB))

    def test_budget(self):
        """Neither bytes nor numbers have a price by the piece."""
        self.host_end.max_variant_size = self.worker_end.max_variant_size = 16 * MIB
        for value, seconds in ((bytes(MIB), 1), (array.array("d", bytes(MIB)), 2)):
            start = time.monotonic()
            for _ in range(20):
                self.cross(value)
            # A call for each element takes a hundred times as long.
            self.assertLess(time.monotonic() - start, seconds)


if __name__ == "__main__":
    main()
