"""A golden model on a Cortex-M7 without an operating system, files or a heap, run by QEMU: the same bits as everywhere,
in no more bytes than before.

Prints the bytes of flash and RAM that it takes. Needs arm-none-eabi-g++ with newlib and libstdc++, and qemu-system-arm:
where they are not installed it is skipped, but fails where CI=true.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-Wno-psabi"]
COMMON = ["-std=c++20", "-Os", "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-ffunction-sections",
          "-fdata-sections", *WARNINGS, f"-I{ROOT}/include", f"-I{ROOT}/tests"]
CORTEX_M7 = ["-mcpu=cortex-m7", "-mthumb"]
HARD_FLOAT = ["-mfloat-abi=hard", "-mfpu=fpv5-d16"]
SOFT_FLOAT = ["-mfloat-abi=soft"]


# Bytes that a program may take, a little above what Debian 12's compilers make of it. Whoever adds to what an embedded
# program carries finds the room elsewhere, or says here why it must grow. (64 bytes more, since sections are aligned: the
# kind of model that has no layers has a name, which an error may need.)
CORTEX_M7_CODE, CORTEX_M7_CONSTANTS = 37_700, 52_600
STATIC_CODE, STATIC_CONSTANTS = 39_700, 53_100  # of a static model's program on the Cortex-M7, beside the model
MOST_IMAGE = 2 << 20  # bytes of flash that it may take with its model
X86_64_CODE, X86_64_CONSTANTS = 305_000, 55_000  # (9,400 of code are products for AMX)


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed ({done.returncode}):\n{done.stdout}")
    return done.stdout


def sections(size, path):
    """The sections that are loaded, and their bytes."""
    found = dict(re.findall(r"^(\.\S+)\s+(\d+)", run(size, "-A", path), re.MULTILINE))
    return {name: int(bytes_) for name, bytes_ in found.items()}


def symbols_of(nm, path, pattern):
    """Bytes of the symbols whose names have the pattern."""
    lines = (line.split(None, 3) for line in run(nm, "-SC", "--defined-only", "--size-sort", path).splitlines())
    return sum(int(size, 16) for _, size, _, name in lines if re.search(pattern, name))


class Embedded(unittest.TestCase):
    def within(self, compiler, code, most_code, constants, most_constants):
        if run(compiler, "-dumpversion").strip().split(".")[0] == "12":  # others make a few percent more or less
            self.assertLessEqual(code, most_code)
            self.assertLessEqual(constants, most_constants)

    @classmethod
    def setUpClass(cls):
        for command in ("arm-none-eabi-g++", "qemu-system-arm"):
            if shutil.which(command) is None:
                if os.environ.get("CI") == "true":
                    raise AssertionError(f"{command} is not installed")
                raise unittest.SkipTest(f"{command} is not installed")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dupq-embedded-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        run(os.environ["DUPQ"], "convert", ROOT / "tests/golden/bert", "-o", cls.folder / "bert.gguf")
        shutil.copy(ROOT / "tests/golden/texts.txt", cls.folder)

    def firmware(self, name, flags):
        out = self.folder / f"{name}.elf"
        run("arm-none-eabi-g++", *COMMON, *CORTEX_M7, *flags, f"-Wa,-I{self.folder}", "-nostartfiles", "--specs=nano.specs",
            f"-T{HERE}/mps2-an500.ld", "-Wl,--gc-sections", HERE / "startup.cpp", HERE / "main.cpp", "-o", out)
        return out

    def simulate(self, firmware):
        output = run("qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-serial", "none", "-monitor", "none",
                     "-semihosting", "-kernel", firmware)
        self.assertIn("hash ", output)
        return output

    def test_same_bits_in_static_memory(self):
        firmware = self.firmware("hard", HARD_FLOAT)
        output = self.simulate(firmware)
        symbols = run("arm-none-eabi-nm", firmware)
        for heap in ("malloc", "sbrk", "_free_r", "__cxa_throw", "abort"):
            self.assertNotIn(heap, symbols)
        size = sections("arm-none-eabi-size", firmware)
        printed = {name: int(n) for name, n in re.findall(r"^(workspace|storage|stack) (\d+)$", output, re.MULTILINE)}
        ram = size[".data"] + size[".bss"]
        self.assertEqual(ram, printed["workspace"] + printed["storage"])  # the library has no variables of its own
        model = (self.folder / "bert.gguf").stat().st_size
        flash = size[".text"] + size[".rodata"] + size[".ARM.exidx"] + size[".data"]
        print(f"Cortex-M7, -Os: flash {flash} bytes ({size['.text']} code, {size['.rodata']} constants, of them "
              f"{symbols_of('arm-none-eabi-nm', firmware, 'unicode_tables::')} Unicode) + model {model}; static RAM {ram} "
              f"({printed['workspace']} workspace, {printed['storage']} storage), stack {printed['stack']}")
        self.within("arm-none-eabi-g++", size[".text"], CORTEX_M7_CODE, size[".rodata"], CORTEX_M7_CONSTANTS)

    def test_same_bits_without_floating_point_unit(self):
        self.simulate(self.firmware("soft", SOFT_FLOAT))

    def test_a_static_model_in_little_flash(self):
        """examples/embedded_static.cpp as it is, with a table of 8-bit integers: its score is that of this machine."""
        table, out = self.folder / "table.gguf", self.folder / "static.elf"
        run(os.environ["DUPQ"], "distill", self.folder / "bert.gguf", "--type", "int8", "-o", table)
        run("arm-none-eabi-g++", *COMMON, *CORTEX_M7, *HARD_FLOAT, f'-DDUPQ_EXAMPLE_MODEL="{table}"', "-nostartfiles",
            "--specs=nano.specs", f"-T{HERE}/mps2-an500.ld", "-Wl,--gc-sections", HERE / "startup.cpp", HERE / "putchar.cpp",
            ROOT / "examples/embedded_static.cpp", "-o", out)
        symbols = run("arm-none-eabi-nm", out)
        for unwanted in ("malloc", "sbrk", "_free_r", "__cxa_throw", "abort"):
            self.assertNotIn(unwanted, symbols)
        size, model = sections("arm-none-eabi-size", out), table.stat().st_size
        constants = size[".rodata"] - model
        image = size[".text"] + size[".rodata"] + size[".ARM.exidx"] + size[".data"]
        print(f"static model on a Cortex-M7, -Os: flash {image} bytes ({size['.text']} code, {constants} constants, "
              f"{model} model); static RAM {size['.data'] + size['.bss']}")
        self.assertLessEqual(image, MOST_IMAGE)
        self.within("arm-none-eabi-g++", size[".text"], STATIC_CODE, constants, STATIC_CONSTANTS)
        millionths, decision = run("qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-serial", "none", "-monitor",
                                   "none", "-semihosting", "-kernel", out).split()
        here = float(run(os.environ["DUPQ"], "score", table, "How do I learn Python?",
                         "What is the best way to learn Python?", "--threshold", "0.75").split()[0])
        self.assertLessEqual(abs(int(millionths) - 1e6 * here), 1)
        self.assertEqual(decision, "duplicate" if here >= 0.75 else "different")

    def test_size_on_this_machine(self):
        compiler = shutil.which("g++") or shutil.which("clang++")
        out = self.folder / "main.o"
        run(compiler, *COMMON, f"-Wa,-I{self.folder}", "-c", HERE / "main.cpp", "-o", out)
        size = sections("size", out)
        code = sum(n for name, n in size.items() if name.startswith(".text"))
        constants = sum(n for name, n in size.items() if name.startswith((".rodata", ".data")))
        vectorised = symbols_of("nm", out, r"(?<!scalar)_kernels::(?!table$)")  # of all instruction sets: one is chosen at run time
        self.assertLess(vectorised, code)
        print(f"{os.uname().machine}, -Os: {code} bytes code, of them {vectorised} for vector instructions, "
              f"{constants} constants")
        if "g++" in compiler and os.uname().machine == "x86_64":
            self.within(compiler, code, X86_64_CODE, constants, X86_64_CONSTANTS)


if __name__ == "__main__":
    unittest.main()
