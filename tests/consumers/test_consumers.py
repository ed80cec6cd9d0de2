#!/usr/bin/env python3
"""Builds small projects that use dupq the ways a user may: as a subdirectory, as an installed package, in two units.

Environment: DUPQ_BUILD (a build of dupq), DUPQ (the command-line tool), DUPQ_MODEL_FOLDER (a small Hugging Face folder).
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError(" ".join(map(str, command)) + f"\nexit {done.returncode}\n{done.stdout}")
    return done.stdout


class Consumers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def build(self, project, *options):
        run("cmake", "-S", HERE / project, "-B", self.folder / "build", *options)
        run("cmake", "--build", self.folder / "build")
        return self.folder / "build" / "consumer"

    def check(self, consumer):
        self.assertEqual(run(consumer), "no such model.gguf: no such file\n0.1 threshold 0.5\n")

    def test_add_subdirectory(self):
        self.check(self.build("add_subdirectory", f"-DDUPQ_SOURCE={ROOT}"))

    def test_find_package(self):
        prefix = self.folder / "prefix"
        run("cmake", "--install", os.environ["DUPQ_BUILD"], "--prefix", prefix)
        self.check(self.build("find_package", f"-DCMAKE_PREFIX_PATH={prefix}"))
        self.assertRegex(run(prefix / "bin" / "dupq", "--version"), r"\b0\.1\.0\b")

    def test_find_package_refuses_another_minor_version(self):
        prefix = self.folder / "prefix"
        run("cmake", "--install", os.environ["DUPQ_BUILD"], "--prefix", prefix)
        project = self.folder / "later"
        project.mkdir()
        (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.21)\nproject(later LANGUAGES NONE)\n"
                                                "find_package(dupq 0.2 REQUIRED CONFIG)\n")
        with self.assertRaisesRegex(AssertionError, "0.2"):
            run("cmake", "-S", project, "-B", self.folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}")

    def test_without_doctest_the_tests_are_left_out(self):
        said = run("cmake", "-S", ROOT, "-B", self.folder / "build", "-DCMAKE_DISABLE_FIND_PACKAGE_doctest=ON")
        self.assertEqual([line for line in said.splitlines() if "doctest" in line],
                         ["-- dupq: without doctest the tests are left out (it is Debian's doctest-dev; then "
                          "-DDUPQ_BUILD_TESTS=ON)"])
        targets = run("cmake", "--build", self.folder / "build", "--target", "help")
        self.assertIn("dupq_tool", targets)
        self.assertNotIn("dupq_unit", targets)

    def test_two_units(self):
        model = self.folder / "tiny.gguf"
        run(os.environ["DUPQ"], "convert", os.environ["DUPQ_MODEL_FOLDER"], "-o", model)
        self.assertIn("the same bits", run(self.build("two_units", f"-DDUPQ_SOURCE={ROOT}"), model))

    def test_kernels_compiled_once(self):
        consumer = self.build("two_units", f"-DDUPQ_SOURCE={ROOT}", "-DDUPQ_TARGET=dupq::compiled")
        vectors = r"\b(avx\w*|neon)_kernels::"
        for unit in ("main", "slow", "fast"):
            names = run("nm", "-C", self.folder / f"build/CMakeFiles/consumer.dir/{unit}.cpp.o")
            self.assertIn("available_kernels", names)
            self.assertNotRegex(names, vectors)
        self.assertRegex(run("nm", "-C", consumer), vectors)
        self.assertNotIn("training", run("nm", "-C", consumer))  # an object of its own, which only who trains links
        model = self.folder / "tiny.gguf"
        run(os.environ["DUPQ"], "convert", os.environ["DUPQ_MODEL_FOLDER"], "-o", model)
        self.assertIn("the same bits", run(consumer, model))

    def test_the_file_of_the_kernels_stands_alone(self):
        for header in ("kernels.hpp", "training/kernels.hpp"):
            for before, option, why in (("", "-DOTHER", "is for programs that define DUPQ_SEPARATE_COMPILATION"),
                                        ("#include <dupq/metrics.hpp>\n#include <dupq/core/platform.hpp>\n",
                                         "-DDUPQ_SEPARATE_COMPILATION", "stands alone in a file")):
                source = self.folder / "kernels.cpp"
                source.write_text(f"{before}#include <dupq/{header}>\n")
                with self.assertRaisesRegex(AssertionError, f"dupq: {header} {why}"):
                    run("c++", "-std=c++20", "-fsyntax-only", option, f"-I{ROOT}/include", source)


if __name__ == "__main__":
    unittest.main()
