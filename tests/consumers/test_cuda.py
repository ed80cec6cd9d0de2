#!/usr/bin/env python3
"""Builds what -DDUPQ_CUDA=ON adds where nvcc is, as gpu.sh does. Where no GPU is, --device cuda must say so; where one is, it must
find what the CPU finds.

Environment: DUPQ (a tool built without CUDA), DUPQ_MODEL_FOLDER (a small Hugging Face folder).
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAIR = ("how do I learn C++?", "what is the best way to learn C++?")


def run(*command):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Cuda(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model = self.folder / "tiny.gguf"
        self.good("convert", os.environ["DUPQ_MODEL_FOLDER"], "-o", self.model)

    def good(self, *words, tool=os.environ["DUPQ"]):
        done = run(tool, *words)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_a_tool_built_without_cuda_names_the_option_that_builds_it(self):
        done = run(os.environ["DUPQ"], "score", self.model, *PAIR, "--device", "cuda")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--device cuda: this dupq is built without it (cmake -DDUPQ_CUDA=ON)", done.stdout)

    @unittest.skipUnless(shutil.which("nvcc"), "no nvcc here")
    def test_a_tool_built_with_cuda(self):
        build, gpu = self.folder / "build", shutil.which("nvidia-smi") and run("nvidia-smi").returncode == 0
        quick = [] if gpu else ["DUPQ_TEST_QUICK=1"]
        done = run("env", f"DUPQ_TEST_BUILD={build}", "ARCHITECTURE=80", *quick, ROOT / "tests/gpu.sh", "--only", "build")
        self.assertEqual(done.returncode, 0, done.stdout)
        if not gpu:
            done = run(ROOT / "tests/gpu.sh")
            self.assertEqual((done.returncode, done.stdout), (1, "gpu.sh: no GPU here: nvidia-smi finds none "
                                                              "(--only build needs none)\n"))
        words = ("score", self.model, *PAIR, "--threshold", "0.5")
        self.assertEqual(self.good(*words), self.good(*words, tool=build / "dupq"))
        if gpu:
            scores = [float(self.good(*words, "--device", d, tool=build / "dupq").split("\t")[0]) for d in ("cpu", "cuda")]
            self.assertLess(abs(scores[0] - scores[1]), 2e-3)
        else:
            done = run(build / "dupq", *words, "--device", "cuda")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"^dupq: cudaError\w+: no GPU that CUDA can use\n$")


if __name__ == "__main__":
    unittest.main()
