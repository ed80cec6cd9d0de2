#!/usr/bin/env python3
"""tools/demo.sh does its job on a fetched model, and says what to do without a network; so does notebook.sh.

demo.py MODEL_FOLDER BUILD: the model's Hugging Face folder, and where the demo may build.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def run(*command, **environment):
    """Runs a script of tools/ from another folder."""
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run([TOOLS / command[0], *command[1:]], cwd=elsewhere, capture_output=True, text=True,
                              env={**os.environ, "DUPQ_DEMO_BUILD": str(BUILD), **environment})


def demo(**environment):
    return run("demo.sh", **environment)


class Demo(unittest.TestCase):
    def setUp(self):
        self.models = BUILD / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        for path in self.models.iterdir():
            path.unlink()

    def test_with_the_model(self):
        (self.models / "all-MiniLM-L6-v2").symlink_to(FOLDER)
        first = demo()
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertRegex(first.stdout, r"(?m)^best +100 +0\.\d{4} +0\.7\d{3} ")
        pairs = re.findall(r"(?m)^0\.\d+ +(?:duplicate|different) +\S.* / \S.*\?$", first.stdout)
        self.assertEqual(len(pairs), 5, first.stdout)
        self.assertIn("Quora", first.stdout)
        start = time.monotonic()
        second = demo()
        self.assertEqual(second.returncode, 0, second.stderr)
        self.assertNotIn("Converting", second.stdout)
        self.assertLess(time.monotonic() - start, 30)

    def test_without_a_network(self):
        for command in (["demo.sh"], ["notebook.sh", TOOLS.parent / "examples" / "questions.csv"]):
            done = run(*command, PIP_NO_INDEX="1")
            self.assertEqual(done.returncode, 1)
            self.assertIn("could not be fetched", done.stderr)
            self.assertIn(f"\n  {self.models / 'all-MiniLM-L6-v2'}\n", done.stderr)
            self.assertEqual(list(self.models.iterdir()), [])

    def test_the_notebook_builds_the_tool_as_well(self):
        done = run("notebook.sh", "--quick", "--fresh", PIP_NO_INDEX="1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"What is in {BUILD / 'notebook-quick'}\n", done.stdout)
        self.assertTrue((BUILD / "notebook-quick" / "report.html").exists())


if __name__ == "__main__":
    FOLDER, BUILD = map(pathlib.Path, sys.argv[1:])
    unittest.main(argv=sys.argv[:1])
