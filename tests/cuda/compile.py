#!/usr/bin/env python3
"""What can be known of the GPU kernels where nvcc is but no GPU: they compile for an architecture without spills and
without serialised products, and take the registers that resources.tsv says.

compile.py ARCHITECTURE            for instance 80 or 90a
compile.py --update ARCHITECTURES  writes resources.tsv anew
compile.py --link                  two translation units with encoders, that is all kernels, are one program

Exits with 77 (skipped) where there is no nvcc. Registers depend on the compiler, so they are compared only with the
version of nvcc that resources.tsv names.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
PINNED = HERE / "resources.tsv"
FLAGS = ["-std=c++20", "-Werror", "all-warnings", "-I", str(INCLUDE)]


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def nvcc_version():
    text = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"release ([\d.]+)", text).group(1)


def compile_for(architecture, source):
    """Registers of each kernel; fails on warnings, spills, and on products that ptxas serialises."""
    command = ["nvcc", *FLAGS, f"-gencode=arch=compute_{architecture},code=sm_{architecture}",
               "-Xptxas", "-v,-warn-spills,-Werror", "-cubin", "-o", "/dev/null", str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    log = run.stdout + run.stderr
    if run.returncode != 0 or re.search(r"C7510|C7512", log):
        fail(log)
    names = re.findall(r"Compiling entry function '(\w+)'", log)
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
    if not names or len(names) != len(registers):
        fail("cannot read what ptxas says:\n" + log)
    plain = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    short = [re.sub(r"dupq::v\w+::(gpu::)?|^void |\([\w:]*args\)$", "", name) for name in plain.splitlines()]
    return dict(zip(short, registers))


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


def link():
    with tempfile.TemporaryDirectory() as folder:
        units = [str(HERE / name) for name in ("encoders.cu", "encoders_elsewhere.cu")]
        subprocess.run(["nvcc", *FLAGS, "-arch=sm_80", "-o", f"{folder}/program", *units], check=True)


if __name__ == "__main__":
    if shutil.which("nvcc") is None:
        print("skipped: no nvcc here")
        sys.exit(77)
    if sys.argv[1] == "--update":
        update(sys.argv[2:])
    elif sys.argv[1] == "--link":
        link()
    else:
        check(sys.argv[1])
