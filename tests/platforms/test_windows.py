"""dupq on Windows: built by MinGW's g++, run by Wine. The same bits from every kernel table, the unit tests of what knows
the operating system, and the tool, which converts a model to the same bytes.

Needs x86_64-w64-mingw32-g++-posix and Debian's wine64: where they are not installed it is skipped, but fails where
CI=true. Environment: DUPQ, the tool of this machine; DUPQ_BUILD, where to build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOLDEN = ROOT / "tests/golden"
COMPILER = "x86_64-w64-mingw32-g++-posix"
WINE = "/usr/lib/wine/wine64"
DOCTEST = pathlib.Path("/usr/include/doctest")
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
UNITS = ["unit/file.cpp", "unit/available_cores.cpp", "unit/thread_pool.cpp", "unit/model.cpp", "tool/output_file.cpp",
         "unit/main.cpp"]


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for name, there in ((COMPILER, shutil.which(COMPILER)), ("wine64", os.path.exists(WINE)),
                            ("doctest", DOCTEST.is_dir())):
            if not there:
                if os.environ.get("CI") == "true":
                    raise AssertionError(f"{name} is not installed")
                raise unittest.SkipTest(f"{name} is not installed")
        cls.folder = pathlib.Path(os.environ["DUPQ_BUILD"]) / "windows"
        shutil.rmtree(cls.folder, ignore_errors=True)
        (cls.folder / "include").mkdir(parents=True)
        (cls.folder / "include/doctest").symlink_to(DOCTEST)  # not all of /usr/include, which is this machine's
        # No window, no debugger that waits for somebody, no server but for these tests.
        cls.environment = {**os.environ, "HOME": str(cls.folder), "WINEPREFIX": str(cls.folder / "wine"), "WINEDEBUG": "-all",
                           "LC_ALL": "C.UTF-8",  # as what Wine takes the names of this machine
                           "WINEDLLOVERRIDES": "winedbg.exe,winemenubuilder.exe,explorer.exe=d;mscoree,mshtml="}
        cls.environment.pop("DISPLAY", None)
        cls.server("-p")
        cls.addClassCleanup(cls.server, "-k")

    @classmethod
    def server(cls, word):
        subprocess.run(["/usr/lib/wine/wineserver64", word], env=cls.environment, timeout=60, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def compile(self, name, *sources, flags=("-O1",)):
        out = self.folder / name
        done = subprocess.run(
            [COMPILER, "-std=c++20", *WARNINGS, *flags, "-static", "-s", "-Wa,-mbig-obj", f"-I{ROOT}/include", f"-I{ROOT}/tests",
             f"-I{ROOT}/tools/dupq", "-isystem", self.folder / "include", f'-DDUPQ_TEST_DIR="{ROOT}/tests/unit"',
             *(ROOT / source for source in sources), "-o", out],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        return out

    def run_wine(self, *words, status=0, timeout=200, **options):
        options.setdefault("input", b"")
        done = subprocess.run([WINE, *map(str, words)], env=self.environment, timeout=timeout, capture_output=True, **options)
        self.assertEqual(done.returncode, status, (done.stdout + done.stderr).decode(errors="replace")[-4000:])
        return done

    def golden(self, tool):
        """The converted golden models, as this machine's tool writes them."""
        models = self.folder / "models"
        models.mkdir(exist_ok=True)
        for name in ("bert", "bert_pooled", "mpnet", "cross"):
            for kind in ("f32", "int8"):
                subprocess.run([tool, "convert", GOLDEN / name, "-o", models / f"{name}.{kind}.gguf", "--type", kind],
                               check=True, stdout=subprocess.DEVNULL, timeout=60)
        return models

    def test_same_bits(self):
        models = self.golden(os.environ["DUPQ"])
        program = self.compile("hashes.exe", "tests/portability/hashes.cpp", flags=("-O2",))
        done = self.run_wine(program, models, GOLDEN, "scalar", timeout=300)
        print(done.stdout.decode(), file=sys.stderr)

    def test_units(self):
        program = self.compile("units.exe", *("tests/" + unit for unit in UNITS), flags=("-O0",))
        # Not what measures: time is another here, and the machine may be busy. Nor that a file which is
        # still open is gone at once: here it goes when it is closed.
        done = self.run_wine(program, "--test-case-exclude=idle threads sleep,two calls at a time*,a signal's clean-up*", timeout=300)
        self.assertNotIn(b"test cases: 0 ", done.stdout)

    def test_tool(self):
        tool = self.compile("dupq.exe", "tools/dupq/main.cpp", flags=("-O0",))
        ours, theirs = self.folder / "ours.gguf", self.folder / "modèle 問.gguf"
        subprocess.run([os.environ["DUPQ"], "convert", GOLDEN / "bert", "-o", ours, "--type", "int8"], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        self.run_wine(tool, "convert", GOLDEN / "bert", "-o", theirs, "--type", "int8")
        self.assertEqual(theirs.read_bytes(), ours.read_bytes())
        self.assertEqual(self.run_wine(tool, "score", theirs, "où est la rue 問? *", "Straße").stdout,
                         subprocess.run([os.environ["DUPQ"], "score", ours, "où est la rue 問? *", "Straße"],
                                        capture_output=True, check=True, timeout=60).stdout)


if __name__ == "__main__":
    unittest.main()
