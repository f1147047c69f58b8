# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The programs in the README, and those of the pages, run as shown."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from coprocgi import Case, main

ROOT = os.environ["COPROC_TEST_SRCDIR"]


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def programs(language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", readme(), re.S | re.M)
    assert blocks, f"no block in {language}"
    return blocks


class Readme(Case):
    def run_program(self, language, name, commands):
        for text in programs(language):
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
        with open(os.path.join(ROOT, "introspection", "pages", name), encoding="utf-8") as file:
            blocks = re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.S | re.M)
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

    def test_links(self):
        """What the pages of the top level link to is there."""
        for page in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
            with open(os.path.join(ROOT, page), encoding="utf-8") as file:
                for target in re.findall(r"\]\(([^)#:]+)\)", file.read()):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, target)), f"{page}: {target}")


if __name__ == "__main__":
    main()
