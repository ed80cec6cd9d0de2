#!/usr/bin/env python3
"""Compiles every kernel for every kind of GPU: no warnings, no spilled registers, and as many registers as registers.txt
says. Nothing runs on a GPU. Needs nvcc; where it is not installed this is skipped.

test_compile.py --pin writes registers.txt.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PINNED = HERE / "registers.txt"
KINDS = ["75", "80", "86", "89", "90", "120"]
NVCC = shutil.which("nvcc")
FLAGS = ["-std=c++20", "-O3", f"-I{ROOT}/include", "-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra,-Werror"]
SPILLS_ARE_ERRORS = ["-Xptxas", "-v,-warn-spills,-Werror"]


def nvcc(*arguments):
    done = subprocess.run([NVCC, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
    if done.returncode != 0:
        raise AssertionError(f"nvcc failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def release():
    return re.search(r"V([\d.]+)", nvcc("--version")).group(1)


def kernel_name(mangled):
    """run_kernel<product_norm<768u>, ...> is called product_norm(768)."""
    name, arguments = re.search(r"run_kernelINS1_\d+([a-z_]+)I(.*?)EEE?N?S1_", mangled).groups()
    values = re.findall(r"L(?:[jb]|NS_\d+v\d+_\d+\d*activationE|NS\d*_\d+activationE)(\d+)E", arguments + "E")
    return f"{name}({','.join(values)})"


def compile_all(folder):
    """{kernel: {kind: registers}}; fails if there is a warning, a spill or static shared memory."""
    kinds = [f"-gencode=arch=compute_{k},code=sm_{k}" for k in KINDS]
    log = nvcc(*FLAGS, *SPILLS_ARE_ERRORS, *kinds, "--threads", "2", "-c", HERE / "again.cu", "-o", folder / "again.o")
    found = {}
    for m in re.finditer(r"Compiling entry function '(\S+)' for 'sm_(\d+)'\n(?:(?!Compiling)[\s\S])*?Used (\d+) registers([^\n]*)", log):
        mangled, kind, registers, rest = m.groups()
        if "smem" in rest:
            raise AssertionError(f"{mangled} has static shared memory: {rest}")
        found.setdefault(kernel_name(mangled), {})[kind] = int(registers)
    return found


def table(found):
    width = max(map(len, found))
    lines = [f"{'kernel':{width}}" + "".join(f"{'sm_' + k:>8}" for k in KINDS)]
    lines += [f"{name:{width}}" + "".join(f"{found[name].get(k, 0):8}" for k in KINDS) for name in sorted(found)]
    return f"nvcc {release()}, registers of a thread\n" + "\n".join(lines) + "\n"


@unittest.skipIf(NVCC is None, "nvcc is not installed")
class Compile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_every_kernel_compiles_without_spills_and_two_units_link(self):
        got = table(compile_all(self.folder))
        pinned = PINNED.read_text(encoding="utf-8")
        if got.splitlines()[0] == pinned.splitlines()[0]:
            self.assertEqual(got, pinned, "registers changed; test_compile.py --pin writes them down")
        else:
            print(f"not compared, for they were pinned with another compiler: {pinned.splitlines()[0]}")
            self.assertEqual([line.split()[0] for line in got.splitlines()[1:]],
                             [line.split()[0] for line in pinned.splitlines()[1:]])
        program = self.folder / "program"
        nvcc(*FLAGS, "-gencode=arch=compute_80,code=sm_80", HERE / "main.cu", self.folder / "again.o", "-o", program)
        done = subprocess.run([program], stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "18 kernels\n"))

    def test_a_spill_is_an_error(self):
        source = self.folder / "spill.cu"
        source.write_text('#include "instances.cuh"\nnamespace gpu = dupq::gpu;\n'
                          "__global__ void __launch_bounds__(1024) crowded(const __grid_constant__ gpu::product_norm_task t) {\n"
                          "  gpu::product_norm<768>::run<gpu::ptx>(t);\n}\n")
        with self.assertRaisesRegex(AssertionError, "(?i)spill"):
            nvcc(*FLAGS, *SPILLS_ARE_ERRORS, f"-I{HERE}", "-arch=sm_80", "-c", source, "-o", self.folder / "spill.o")


if __name__ == "__main__":
    if sys.argv[1:] == ["--pin"]:
        with tempfile.TemporaryDirectory() as made:
            PINNED.write_text(table(compile_all(pathlib.Path(made))), encoding="utf-8")
    else:
        unittest.main()
