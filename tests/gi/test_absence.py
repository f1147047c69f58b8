# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What the library exports is what is introspected, and no private name is."""

import os
import subprocess
import xml.etree.ElementTree

from coprocgi import Case, Coproc, GLib, GObject, main

GIR = os.environ["COPROC_TEST_GIR"]
LIBRARY = os.environ["COPROC_TEST_LIBRARY"]
C = "{http://www.gtk.org/introspection/c/1.0}"
CORE = "{http://www.gtk.org/introspection/core/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"

# What the helper program calls: it must run the library that plugins are linked to, not a copy.
HELPER = {"coproc_worker_main"}

PRIVATE = (
    "Call", "Channel", "Decoder", "Endpoint", "Event", "Frame", "FrameHeader", "FrameKind", "IO",
    "Invocation", "Limits", "Op", "Outbox", "Outcome", "Outgoing", "Pace", "Parcel", "Pending", "PoolCore", "PoolDriver",
    "PoolEvents", "PoolJob", "PoolQueue", "PoolSettings", "PoolWait", "CallSet", "Results", "SetCall", "PluginDescriptor", "PluginEntry",
    "Slab", "Transport_Link", "TransportLink", "TypeWriter", "Wakeup",
)


def elements():
    return xml.etree.ElementTree.parse(GIR).getroot().iter()


class Absence(Case):
    def test_exported_symbols(self):
        introspected = set()
        for element in elements():
            if element.tag in (CORE + "function", CORE + "method", CORE + "constructor"):
                introspected.add(element.get(C + "identifier"))
            if element.get(GLIB + "get-type") is not None:
                introspected.add(element.get(GLIB + "get-type"))
        introspected.discard("intern")
        listing = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True,
                                 capture_output=True, text=True).stdout
        exported = {line.split()[-1] for line in listing.splitlines()}
        self.assertGreater(len(exported), 50)
        self.assertEqual(exported - HELPER, introspected)

    def test_private_types(self):
        for name in PRIVATE:
            self.assertFalse(hasattr(Coproc, name), name)

    def test_private_functions(self):
        for name in ("fix_discipline", "new_unannounced", "send_hello", "await_hello", "settle",
                     "set_end_func", "flush", "dup_request_cancellable"):
            self.assertFalse(hasattr(Coproc.Messenger, name), name)

    def test_varargs(self):
        self.assertFalse(hasattr(Coproc, "payload_get"))

    def test_shadowed_names(self):
        """No method hides one that every object has."""
        for kind in (Coproc.Messenger, Coproc.WorkerResource, Coproc.Plugin):
            for name in ("emit", "connect", "disconnect", "notify", "bind_property", "get_property",
                         "set_property", "ref", "unref", "run_dispose", "weak_ref", "freeze_notify"):
                self.assertEqual(getattr(kind, name), getattr(GObject.Object, name), name)

    def test_all_documented(self):
        """Each symbol has a text and the version that it came with."""
        kinds = ("function", "method", "constructor", "class", "enumeration", "bitfield", "property",
                 "virtual-method", "callback")
        poor = []
        for element in elements():
            if element.tag == CORE + "record" and element.get(GLIB + "is-gtype-struct-for"):
                continue
            public = (element.tag in [CORE + kind for kind in kinds]
                      or element.tag == GLIB + "signal"
                      or (element.tag == CORE + "record" and element.get(GLIB + "get-type")))
            if not public or (element.tag == CORE + "callback" and not element.get(C + "type")):
                continue
            name = element.get(C + "identifier") or element.get("name")
            if element.find(CORE + "doc") is None or element.get("version") != "1.0":
                poor.append(name)
        self.assertEqual(poor, [])

    def test_error_domain(self):
        self.assertEqual(Coproc.error_quark(), GLib.quark_from_string("coproc-error-quark"))
        names = [value.value_nick for value in Coproc.Error.__enum_values__.values()]
        self.assertEqual(names[:4], ["failed", "closed", "close-requested", "timed-out"])
        self.assertEqual(len(names), 24)


if __name__ == "__main__":
    main()
