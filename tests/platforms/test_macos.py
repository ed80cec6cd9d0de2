"""The tool and a program of the tests compile for macOS, on Apple's CPUs and Intel's, by the clang and the headers of PyPI's
ziglang, warnings as errors. Nothing here can run them, and nothing is linked.

The package is installed into a folder beside the build; without a network the test is skipped, but fails where CI=true.
Environment: DUPQ_BUILD, where to build.
"""

import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = "ziglang==0.17.1"
# (zig takes -fsyntax-only for a wish to link, so an object it is, without optimisation.)
FLAGS = ["-std=c++20", "-c", "-O0", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
HASHES = ROOT / "tests/portability/hashes.cpp"


class MacOS(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(os.environ["DUPQ_BUILD"]) / "macos"
        cls.packages = cls.folder / "packages"
        if not (cls.packages / "ziglang").is_dir():
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target",
                                   cls.packages, PACKAGE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                if os.environ.get("CI") == "true":
                    raise AssertionError(done.stdout)
                raise unittest.SkipTest(f"{PACKAGE} cannot be installed: " + done.stdout.strip().split("\n")[-1])
        # All files of the tool as one: what they include is compiled once.
        cls.tool = cls.folder / "tool.cpp"
        cls.tool.write_text("".join(f'#include "{path.name}"\n' for path in sorted((ROOT / "tools/dupq").glob("*.cpp"))))

    def compile(self, cpu, *sources):
        environment = {**os.environ, "PYTHONPATH": str(self.packages), "ZIG_LOCAL_CACHE_DIR": str(self.folder / "cache"),
                       "ZIG_GLOBAL_CACHE_DIR": str(self.folder / "cache")}
        for source in sources:
            target = cpu.replace("arm64", "aarch64") + "-macos"
            done = subprocess.run([sys.executable, "-m", "ziglang", "c++", "-target", target, *FLAGS, f"-I{ROOT}/include",
                                   f"-I{ROOT}/tools/dupq", f"-I{ROOT}/tests", source, "-o", self.folder / "object.o"],
                                  env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
            self.assertGreater((self.folder / "object.o").stat().st_size, 100_000)

    def test_apple(self):
        self.compile("arm64", self.tool, HASHES)

    def test_intel(self):
        self.compile("x86_64", self.tool)


if __name__ == "__main__":
    unittest.main()
