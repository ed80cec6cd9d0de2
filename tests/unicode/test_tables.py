#!/usr/bin/env python3
"""The committed Unicode tables are what tools/unicode_tables.py makes of Debian's unicode-data, byte for byte."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GENERATOR = os.path.join(ROOT, "tools", "unicode_tables.py")
COMMITTED = os.path.join(ROOT, "include", "dupq", "text")
DATA = os.environ.get("DUPQ_UNICODE_DATA", "/usr/share/unicode")


class Tables(unittest.TestCase):
    def test_regenerated(self):
        if not os.path.exists(os.path.join(DATA, "UnicodeData.txt")):
            print(f"skipped: {DATA}/UnicodeData.txt is not there (Debian's package unicode-data)", flush=True)
            self.skipTest("no unicode-data")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, GENERATOR, "--data", DATA, "--out", folder], check=True)
            for name in ("unicode_tables.hpp", "normal_form_tables.hpp", "split_tables.hpp"):
                with open(os.path.join(folder, name), "rb") as made, open(os.path.join(COMMITTED, name), "rb") as committed:
                    self.assertTrue(made.read() == committed.read(), "run tools/unicode_tables.py and look at the change")

    def test_missing_data(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([sys.executable, GENERATOR, "--data", folder, "--out", folder], capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertEqual(len(run.stderr.splitlines()), 1)
            self.assertIn("UnicodeData.txt: No such file", run.stderr)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
