#!/usr/bin/env python3
"""tools/demo.sh does its job on a fetched model, and says what to do without a network.

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

DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "demo.sh"


def demo(**environment):
    """Runs the demo from another folder."""
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run([DEMO], cwd=elsewhere, env={**os.environ, "DUPQ_DEMO_BUILD": str(BUILD), **environment},
                              capture_output=True, text=True)


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
        run = demo(PIP_NO_INDEX="1")
        self.assertEqual(run.returncode, 1)
        self.assertIn("could not be fetched", run.stderr)
        self.assertIn(f"\n  {self.models / 'all-MiniLM-L6-v2'}\n", run.stderr)
        self.assertEqual(list(self.models.iterdir()), [])


if __name__ == "__main__":
    FOLDER, BUILD = map(pathlib.Path, sys.argv[1:])
    unittest.main(argv=sys.argv[:1])
