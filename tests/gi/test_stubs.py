# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What editors and help() know of the library."""

import __future__
import ast
import inspect
import os
import typing
import xml.etree.ElementTree

from coprocgi import Case, Coproc, main, pair

CORE = "{http://www.gtk.org/introspection/core/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
CLASSES = (Coproc.MapOperation, Coproc.Message, Coproc.Messenger, Coproc.Plugin, Coproc.PoolWorker,
           Coproc.WorkerPool, Coproc.WorkerResource)


def read_gir():
    """Names, with what each has."""
    members = {}
    for parent in xml.etree.ElementTree.parse(os.environ["COPROC_TEST_GIR"]).getroot().iter():
        if parent.tag not in [CORE + tag for tag in ("class", "record", "enumeration", "bitfield", "namespace")]:
            continue
        names = members.setdefault(parent.get("name"), set())
        for child in parent:
            if child.get("introspectable") == "0" or child.get(GLIB + "is-gtype-struct-for"):
                continue
            name = child.get("name", "").replace("-", "_")
            if child.tag in (CORE + "method", CORE + "constructor", CORE + "function", CORE + "property"):
                names.add(child.get("shadows", name))
            elif child.tag == CORE + "member":
                names.add(name.upper())
            elif child.tag in (CORE + "class", CORE + "record", CORE + "enumeration", CORE + "bitfield"):
                names.add(name)
    return members


class Stubs(Case):
    def setUp(self):
        with open(os.environ["COPROC_TEST_STUBS"], encoding="utf-8") as file:
            self.text = file.read()
        self.module = ast.parse(self.text)
        self.classes = {node.name: node for node in self.module.body if isinstance(node, ast.ClassDef)}

    def names(self, body):
        names = set()
        for node in body:
            if isinstance(node, ast.AnnAssign):
                names.add(node.target.id)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
        return names

    def run_module(self):
        """Runs what is written in any order, as type checkers read it."""
        scope, rest = {}, list(self.module.body)
        while rest:
            tried, rest = rest, []
            for node in tried:
                module = ast.Module([node], [])
                try:
                    exec(compile(module, "Coproc.pyi", "exec", flags=__future__.annotations.compiler_flag), scope)
                except NameError:
                    rest.append(node)
            self.assertLess(len(rest), len(tried), rest and ast.unparse(rest[0]))
        return scope

    def test_typelib(self):
        """They name all that the typelib has."""
        gir = read_gir()
        self.assertGreater(len(gir["Messenger"]), 50)
        self.assertLessEqual(gir.pop("Coproc"), self.names(self.module.body))
        for name, members in gir.items():
            if members:
                missing = members - self.names(self.classes[name].body)
                self.assertLessEqual(missing, {"quark"}, name)  # a function of the namespace

    def test_override(self):
        """And all that the override adds, with the parameters that it has."""
        self.assertLessEqual({name for name in dir(Coproc) if not name.startswith("_") and not name.endswith("Class")},
                             self.names(self.module.body))
        n = 0
        for kind in CLASSES:
            items = {node.name: node for node in self.classes[kind.__name__].body
                     if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
            for name, value in vars(kind).items():
                value = getattr(value, "__func__", value)
                if name.startswith("_") or not inspect.isfunction(value):
                    continue
                parameters = list(inspect.signature(value).parameters)
                if parameters != ["self", "args", "kwargs"]:  # which is as introspection has it
                    arguments = items[name].args
                    said = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
                    if said[:1] == ["cls"]:
                        said = said[len(said) - len(parameters):]
                    if arguments.vararg is not None:
                        said.insert(len(arguments.args), arguments.vararg.arg)
                    self.assertEqual(said, parameters, f"{kind.__name__}.{name}")
                    n += 1
        self.assertGreater(n, 40)

    def test_types(self):
        """All types are there, and few are just anything."""
        scope = self.run_module()
        functions = [value for value in scope.values() if inspect.isfunction(value)]
        properties = {}
        for kind in (scope[name] for name in self.classes):
            typing.get_type_hints(kind, scope)
            for name, value in vars(kind).items():
                value = getattr(value, "__func__", value)
                if isinstance(value, property):
                    properties[f"{kind.__name__}.{name}"] = typing.get_type_hints(value.fget, scope)["return"]
                elif inspect.isfunction(value):
                    functions.append(value)
        for function in functions:
            typing.get_type_hints(function, scope)
        anything = {name for name, kind in properties.items() if kind is typing.Any}
        self.assertEqual(anything, {"Message.payload"})
        for name, kind in (("WorkerResource.state", scope["WorkerState"]), ("WorkerPool.n_workers", int),
                           ("WorkerResource.plugin", typing.Optional[str]), ("Message.kind", scope["MessageKind"])):
            self.assertEqual(properties[name], kind)
        self.assertIs(scope["MessageKind"].__annotations__["REQUEST"], "MessageKind")
        self.assertTrue(issubclass(scope["TimedOut"], TimeoutError))


class Docstrings(Case):
    def test_all(self):
        """Whatever is defined here says what it is, and what introspection has, with which parameters."""
        for kind in CLASSES:
            self.assertTrue(kind.__doc__, kind)
            for name, value in vars(kind).items():
                if not name.startswith(("_", "do_")) and not isinstance(value, property):
                    self.assertTrue(value.__doc__, f"{kind.__name__}.{name}")
        self.assertIn("channel:str", Coproc.Messenger.available.__doc__)
        self.assertEqual(Coproc.WorkerResource.terminate.__name__, "terminate")

    def test_keywords(self):
        """Methods of the library's own take their arguments by name, too."""
        _other_end, messenger = pair(Coproc.MultiMessenger)
        self.assertEqual(messenger.available(channel="x"), 0)
        self.assertIsNone(messenger.receive_reply(channel="x", timeout_us=0))
        self.assertRaises(TypeError, messenger.available, nonsense=1)


if __name__ == "__main__":
    main()
