"""dupq on Windows, beside the tests of the command line: the same bits from every kernel table, the unit tests of what
knows the operating system, and what a name, a file in use and a large file mean there. wine.py says what it needs.

Environment: DUPQ, the tool of this machine; DUPQ_BUILD, where `wine.py build` has built the tool for Windows.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import wine

GOLDEN = wine.ROOT / "tests/golden"
UNITS = ["unit/file.cpp", "unit/available_cores.cpp", "unit/thread_pool.cpp", "unit/model.cpp", "tool/output_file.cpp",
         "unit/main.cpp"]


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if wine.missing():
            raise unittest.SkipTest(", ".join(wine.missing()) + " is not installed")  # an error in wine.py where CI=true
        cls.folder = wine.FOLDER / "test"
        shutil.rmtree(cls.folder, ignore_errors=True)
        cls.folder.mkdir(parents=True)
        cls.tool = wine.FOLDER / "dupq.exe"
        cls.keeper = wine.keep()

    @classmethod
    def tearDownClass(cls):
        wine.let_go(cls.keeper)

    def start(self, *words, **options):
        return subprocess.Popen([wine.WINE, *map(str, words)], env=wine.ENVIRONMENT, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run_wine(self, *words, status=0, timeout=200, input=b""):
        process = self.start(*words)
        out, err = process.communicate(input, timeout)
        self.assertEqual(process.returncode, status, (out + err).decode(errors="replace")[-4000:])
        return out

    def here(self, *words):
        """This machine's own tool."""
        return subprocess.run([os.environ["DUPQ"], *map(str, words)], capture_output=True, check=True, timeout=60).stdout

    def test_same_bits(self):
        models = self.folder / "models"
        models.mkdir()
        for name in ("bert", "bert_pooled", "mpnet", "cross"):
            for kind in ("f32", "int8"):
                self.here("convert", GOLDEN / name, "-o", models / f"{name}.{kind}.gguf", "--type", kind)
        program = wine.compile("hashes.exe", "tests/portability/hashes.cpp", flags=("-O2",))
        print(self.run_wine(program, models, GOLDEN, "scalar", timeout=300).decode(), file=sys.stderr)

    def test_units(self):
        program = wine.compile("units.exe", *("tests/" + unit for unit in UNITS), flags=("-O0",))
        # Not what measures: time is another here, and the machine may be busy. Nor that a file which is
        # still open is gone at once: here it goes when it is closed.
        said = self.run_wine(program, "--test-case-exclude=idle threads sleep,two calls at a time*,a signal's clean-up*", timeout=300)
        self.assertNotIn(b"test cases: 0 ", said)

    def test_conversion_gives_the_same_bytes(self):
        ours, theirs = self.folder / "ours.gguf", self.folder / "modèle 問.gguf"
        self.here("convert", GOLDEN / "bert", "-o", ours, "--type", "int8")
        self.run_wine(self.tool, "convert", GOLDEN / "bert", "-o", theirs, "--type", "int8")
        self.assertEqual(theirs.read_bytes(), ours.read_bytes())
        texts = ("où est la rue 問? *", "Straße")
        self.assertEqual(self.run_wine(self.tool, "score", theirs, *texts), self.here("score", ours, *texts))

    def test_a_file_in_use_is_replaced_when_it_is_free(self):
        """Whoever has it open for a moment only, as virus scanners do, does not make an output fail."""
        model = self.folder / "used.gguf"
        self.run_wine(self.tool, "convert", GOLDEN / "bert", "-o", model)
        for pause in (0.3, None):
            user = self.start(self.tool, "score", model, "--pairs", "-", "--threshold", "0")
            user.stdin.write(b"a\tb\n")
            user.stdin.flush()
            self.assertTrue(user.stdout.readline().startswith(b"a\tb\t"))  # now it has mapped the model
            writer = self.start(self.tool, "convert", GOLDEN / "mpnet", "-o", model)
            if pause is not None:
                end = time.monotonic() + 60
                while not list(self.folder.glob("used.gguf.partial-*")) and writer.poll() is None:
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.01)
                time.sleep(pause)
                user.communicate(timeout=60)
            _, said = writer.communicate(timeout=60)
            if pause is None:  # (Windows 10 renames as POSIX does, Wine does not.)
                self.assertIn((writer.returncode, said.decode()),
                              ((0, ""), (1, f"dupq: {model}: cannot be created: Permission denied\n")))
                user.communicate(timeout=60)
            else:
                self.assertEqual((writer.returncode, said), (0, b""))
            self.assertEqual([p.name for p in self.folder.glob("used.gguf*")], ["used.gguf"])
        self.assertIn(b"mpnet", self.run_wine(self.tool, "info", model))


if __name__ == "__main__":
    unittest.main()
