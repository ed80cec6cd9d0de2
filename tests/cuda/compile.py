#!/usr/bin/env python3
"""What can be known of the GPU kernels where nvcc is but no GPU: they compile for an architecture without spills and
without serialised products, take the registers that resources.tsv says, and fetch what they can before they wait.

compile.py ARCHITECTURE            for instance 80 or 90a
compile.py --update ARCHITECTURES  writes resources.tsv anew

Exits with 77 (skipped) where there is no nvcc. Registers depend on the compiler, so they are compared only with the
version of nvcc that resources.tsv names.
"""

import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
PINNED = HERE / "resources.tsv"
FLAGS = ["-std=c++20", "-Werror", "all-warnings", "-I", str(INCLUDE)]

# Loads of kernels for one text that come before they wait for the kernel before them (sm_90 and later): what hides
# the time that weights take. In the source they always do, but ptxas may move loads; so the machine code is looked at.
AHEAD = {"few_attention_kernel<32>": 3, "few_attention_kernel<64>": 5, "few_attention_kernel<128>": 9,
         "few_linear_kernel<false>": 9, "few_linear_kernel<true>": 9,
         **{f"norm_linear_kernel<{n}, (activation){a}>": 6 * n for n in (1, 2, 3) for a in (0, 1, 2)},
         **{f"norm_kernel<{n}>": 4 * n for n in (1, 2, 3, 4)}}
LOAD, WAIT = 0x981, 0x82E  # LDG and ACQBULK, in the lowest 12 bits of an instruction's 16 bytes


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def nvcc_version():
    text = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"release ([\d.]+)", text).group(1)


def short_names(names):
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return [re.sub(r"dupq::v\w+::(gpu::)?|^void |\([\w:]*args\)$", "", name) for name in plain.splitlines()]


def kernels_of(cubin):
    """The opcodes of each kernel of an ELF file."""
    begin, = struct.unpack_from("<Q", cubin, 0x28)
    size, count, of_names = struct.unpack_from("<HHH", cubin, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", cubin, begin + i * size) for i in range(count)]
    names = headers[of_names][4]
    code = {}
    for name, _, _, _, at, length in headers:
        text = cubin[names + name:cubin.index(b"\0", names + name)].decode()
        if text.startswith(".text."):
            code[text[6:]] = [word & 0xFFF for word, _ in struct.iter_unpack("<QQ", cubin[at:at + length])]
    return dict(zip(short_names(code), code.values()))


def check_waits(cubin, architecture):
    """Every kernel waits, and fetches before that what it can."""
    found = kernels_of(cubin)
    wrong = [f"{kernel}: never waits for the kernel before it (sm_{architecture})" for kernel, code in found.items()
             if WAIT not in code and not kernel.startswith("probe_kernel") and len(code) > 16]
    for kernel, least in AHEAD.items():
        code = found.get(kernel, [])
        ahead = code[:code.index(WAIT)].count(LOAD) if WAIT in code else 0
        if ahead < least:
            wrong.append(f"{kernel}: {ahead} loads before it waits, {least} are meant (sm_{architecture})")
    if wrong:
        fail("\n".join(wrong))


def compile_for(architecture, source):
    """Registers of each kernel; fails on warnings, memory of threads, and on products that ptxas serialises."""
    with tempfile.TemporaryDirectory() as folder:
        cubin = pathlib.Path(folder) / "kernels.cubin"
        command = ["nvcc", *FLAGS, f"-gencode=arch=compute_{architecture},code=sm_{architecture}",
                   "-Xptxas", "-v,-warn-spills,-Werror", "-cubin", "-o", str(cubin), str(source)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        log = run.stdout + run.stderr
        if run.returncode != 0 or re.search(r"serialized|C751\d|setmaxnreg ignored|[1-9]\d* bytes stack frame", log):
            fail(log)
        if int(architecture.rstrip("a")) >= 90:
            check_waits(cubin.read_bytes(), architecture)
    names = re.findall(r"Compiling entry function '(\w+)'", log)
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
    if not names or len(names) != len(registers):
        fail("cannot read what ptxas says:\n" + log)
    return dict(zip(short_names(names), registers))


def read_pinned():
    version, table = None, {}
    for line in PINNED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# nvcc "):
            version = line.split()[2]
        elif not line.startswith("#"):
            architecture, kernel, registers = line.split("\t")
            table.setdefault(architecture, {})[kernel] = int(registers)
    return version, table


def check(architecture):
    found = compile_for(architecture, HERE / "kernels.cu")
    version, table = read_pinned()
    if version != nvcc_version():
        print(f"nvcc {nvcc_version()}: no spills; registers are known for nvcc {version} only")
        return
    pinned = table.get(architecture, {})
    wrong = [f"{k}: {found.get(k)} registers, {pinned.get(k)} in {PINNED.name}" for k in sorted({*found, *pinned})
             if found.get(k) != pinned.get(k)]
    if wrong:
        fail("\n".join(wrong) + "\n(if that is meant: tests/cuda/compile.py --update ARCHITECTURES)")


def update(architectures):
    lines = [f"# nvcc {nvcc_version()}", "# architecture, kernel, registers of a thread; no kernel spills"]
    for architecture in architectures:
        found = compile_for(architecture, HERE / "kernels.cu")
        lines += [f"{architecture}\t{kernel}\t{registers}" for kernel, registers in sorted(found.items())]
    PINNED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if shutil.which("nvcc") is None:
        print("skipped: no nvcc here")
        sys.exit(77)
    if sys.argv[1] == "--update":
        update(sys.argv[2:])
    else:
        check(sys.argv[1])
