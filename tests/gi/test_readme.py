# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The programs in the README, and those of the pages, run as shown."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from coprocgi import Case, Coproc, main

ROOT = os.environ["COPROC_TEST_SRCDIR"]


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def find_blocks(text, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
    assert blocks, f"no block in {language}"
    return blocks


def page(name):
    with open(os.path.join(ROOT, "introspection", "pages", name), encoding="utf-8") as file:
        return file.read()


# What stands around the blocks of C that are no programs of their own.
BEGIN = "#include <coproc.h>\n"
COUNT = 'COPROC_DEFINE_PLUGIN ("counting", "1.0", "", COPROC_ENTRY_POINT ("count", count_run, ""))\n'
MAP = """gboolean map (GVariant **inputs, gsize n_inputs, GVariant ***where, GError **error);
gboolean map (GVariant **inputs, gsize n_inputs, GVariant ***where, GError **error_)
{
  g_autoptr (GError) error = NULL;
  gsize n_results;
  GVariant **results;
%s
  *where = results;
  g_propagate_error (error_, g_steal_pointer (&error));
  return results != NULL;
}
"""


class Readme(Case):
    def run_program(self, language, name, commands):
        for text in find_blocks(readme(), language):
            with tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
                for command in commands:
                    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, "Hello!\n")

    def test_c(self):
        compile_command = re.search(r"^In C \(`(.*)`\):$", readme(), re.M).group(1)
        self.run_program("c", "hello.c", [["sh", "-c", compile_command], ["./a.out"]])

    def test_python(self):
        self.run_program("python", "hello.py", [[sys.executable, "hello.py"]])

    def test_js(self):
        if shutil.which("gjs") is None:
            self.skipTest("gjs is not installed")
        self.run_program("js", "hello.js", [["gjs", "-m", "hello.js"]])

    def run_page(self, name, language, suffix, command):
        """The blocks of a page are one program, and a module `jobs` where they begin with its name."""
        blocks = find_blocks(page(name), language)
        self.assertGreater(len(blocks), 2)
        with tempfile.TemporaryDirectory() as folder:
            for block in blocks:
                part = "jobs" if f"jobs{suffix}" in block.split("\n")[0] else "main"
                with open(os.path.join(folder, part + suffix), "a", encoding="utf-8") as file:
                    file.write(block)
            done = subprocess.run([*command, "main" + suffix], cwd=folder, capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_page_python(self):
        self.run_page("python.md", "python", ".py", [sys.executable])

    def test_page_javascript(self):
        if shutil.which("gjs") is None:
            self.skipTest("gjs is not installed")
        self.run_page("javascript.md", "js", ".js", ["gjs", "-m"])

    def test_page_plugins(self):
        """The plugins can be built as shown, and work."""
        text = page("writing-plugins.md")
        task, worker = find_blocks(text, "c")
        (command,) = find_blocks(text, "sh")
        self.assertIn("loud.c", command)
        with tempfile.TemporaryDirectory() as folder:
            for name, source in (("loud", task), ("counting", BEGIN + worker + COUNT)):
                with open(os.path.join(folder, name + ".c"), "w", encoding="utf-8") as file:
                    file.write(source)
                done = subprocess.run(["sh", "-c", command.replace("loud", name).replace("cc ", "cc -Wall -Werror ")],
                                      cwd=folder, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
            with Coproc.WorkerResource.new(os.path.join(folder, "loud.so"), "shout") as worker:
                self.assertEqual(worker.messenger.call("grün"), "GRÜN")
                self.assertRaises(Coproc.InvalidPayload, worker.messenger.call, 5)
            with Coproc.WorkerResource.new(os.path.join(folder, "counting.so"), "count") as worker:
                self.assertEqual([worker.messenger.call(None, "count") for _ in range(3)], [1, 2, 3])

    def test_page_fragments(self):
        """Parts of programs can at least be compiled."""
        (pools,), (supervision,) = find_blocks(page("pools.md"), "c"), find_blocks(page("supervision.md"), "c")
        connect = "void c (void *worker);\nvoid c (void *worker)" \
                  " { g_signal_connect (worker, \"restarted\", G_CALLBACK (on_restarted), NULL); }\n"
        flags = subprocess.run(["pkg-config", "--cflags", "coproc-1"], check=True, capture_output=True,
                               text=True).stdout.split()
        for source in (MAP % pools, supervision + connect):
            done = subprocess.run(["cc", "-Wall", "-Werror", "-Wno-unused-variable", "-fsyntax-only", *flags, "-xc",
                                   "-"], input=BEGIN + source, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_no_other_blocks(self):
        """No page shows a program that is not run here, or in the tests of the package."""
        for name in os.listdir(os.path.join(ROOT, "introspection", "pages")):
            if name.endswith(".md") and re.search("^```(c|js|python)$", page(name), re.M):
                self.assertIn(name, ("from-coproc-0.3.md", "from-multiprocessing.md", "javascript.md", "pools.md",
                                     "python.md", "supervision.md", "writing-plugins.md"))

    def test_quickstart(self):
        """What the README says that the quickstart prints is what it prints now."""
        with open(os.path.join(ROOT, "examples", "quickstart.sh"), encoding="utf-8") as file:
            names = re.findall(r'"\$root/([\w./]+)"', file.read().partition("in_build () {")[2].partition("}")[0])
        counted = subprocess.run(["wc", *names], cwd=ROOT, check=True, capture_output=True, text=True,
                                 env={"LC_ALL": "C.UTF-8"}).stdout
        lines = [" ".join(line.split()) for line in counted.splitlines()]
        self.assertEqual(len(lines), 4)
        for title in ("C", "Python", "JavaScript"):
            block = readme().partition(f"\n== {title}\n")[2].partition("\n\n")[0]
            self.assertEqual([" ".join(line.split()) for line in block.splitlines()], lines)

    def test_links(self):
        """What the pages of the top level link to is there."""
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                for target in re.findall(r"\]\(([^)#:]+)\)", file.read()):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, target)), f"{name}: {target}")


if __name__ == "__main__":
    main()
