"""Options that relax the arithmetic of floats are refused when a program is compiled, whichever part of -ffast-math it is.

With clang some of them have no macro: they are found where code is optimised, and do nothing where it is not.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MESSAGE = "dupq: compile without -ffast-math"
BOTH = ["-ffast-math", "-Ofast", "-ffinite-math-only", "-funsafe-math-optimizations", "-freciprocal-math", "-fno-signed-zeros",
        "-fassociative-math -fno-signed-zeros -fno-trapping-math"]
REFUSED = {"g++": BOTH, "clang++": [*BOTH, "-fno-honor-nans", "-fno-honor-infinities", "-ffp-model=fast"]}
SMALL = "#include <dupq/core/platform.hpp>\nfloat third(float x) { const dupq::float_environment e; return e.pinned(x / 3); }\n"
COSINE = "#include <dupq/search/cosine.hpp>\nfloat same(const float* x) { return dupq::cosine({x, 3}, {x + 3, 3}); }\n"


class FloatFlags(unittest.TestCase):
    def compile(self, compiler, source, *flags):
        with tempfile.TemporaryDirectory(prefix="dupq-flags-") as folder:
            unit = pathlib.Path(folder, "unit.cpp")
            unit.write_text(source, "utf-8")
            done = subprocess.run([compiler, "-std=c++20", f"-I{ROOT}/include", *flags, "-c", unit, "-o", f"{folder}/unit.o"],
                                  capture_output=True, text=True, timeout=120)
        return "" if done.returncode == 0 else done.stderr

    def each(self, compiler):
        if shutil.which(compiler) is None:
            if os.environ.get("CI") == "true":
                self.fail(f"{compiler} is not installed")
            self.skipTest(f"{compiler} is not installed")
        for flags in [*("-O1 " + flags for flags in REFUSED[compiler]), "-O2 -fno-signed-zeros", "-Os -fno-signed-zeros"]:
            with self.subTest(compiler=compiler, flags=flags):
                self.assertIn(MESSAGE, self.compile(compiler, SMALL, *flags.split()))
        for flags in ("-O0", "-O2", "-O2 -ffp-contract=fast -fno-math-errno -fno-trapping-math -frounding-math"):
            with self.subTest(compiler=compiler, flags=flags):
                self.assertEqual(self.compile(compiler, SMALL, "-Wall", "-Wextra", "-Werror", *flags.split()), "")
        self.assertIn(MESSAGE, self.compile(compiler, COSINE, "-O1", "-fno-signed-zeros"))
        self.assertEqual(self.compile(compiler, COSINE, "-O1", "-ffast-math", "-DDUPQ_ALLOW_FAST_MATH"), "")

    def test_gcc(self):
        self.each("g++")

    def test_clang(self):
        self.each("clang++")


if __name__ == "__main__":
    unittest.main()
