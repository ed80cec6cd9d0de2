#!/usr/bin/env python3
"""Rules of this project that a compiler does not check. Prints what breaks them and exits 1."""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "include" / "dupq"
LONGEST = 400  # lines of a header or source
GENERATED = {"unicode_tables.hpp", "normal_form_tables.hpp", "split_tables.hpp"}

# A header includes only what stands at its floor or below. The longest matching prefix counts.
FLOORS = [
    ("core/", 1), ("metrics.hpp", 1), ("split.hpp", 1), ("cascade_band.hpp", 1),
    ("text/", 2), ("device/", 2),
    ("model/", 3), ("search/", 3),
    ("kernels.hpp", 4), ("workspace.hpp", 4), ("model.hpp", 4), ("encoder.hpp", 4), ("bi_encoder.hpp", 4),
    ("cross_encoder.hpp", 4), ("static_encoder.hpp", 4),
    ("index/", 5), ("index.hpp", 5), ("cascade.hpp", 5),
    ("training/", 5), ("training.hpp", 5),
    ("cuda/", 5),
    ("dupq.hpp", 6), ("cuda.cuh", 6),
]

# A product that feeds a sum is rounded once or twice as the compiler likes, so kernels say which: with an fma.
SPLIT_PRODUCTS = [
    r"_mm(256|512)?_(add|sub)_p[sd]\([^;]*_mm(256|512)?_mul_p[sd]",
    r"v(add|sub)q?_f32\([^;]*vmulq?_f32",
    r"vml[as]q?_f32",
    r"\b(add|sub)\([^;]*\bmul\(",
]

# Copies whose size is known at run time only and is never 0, or between memory that is always there: who sees to it.
NEVER_OF_NOTHING = {
    "heap_list.hpp": {"n * sizeof(T)", "(n - size_) * sizeof(T)"},  # nothing was asked for before, reserved
    "weights.hpp": {"n * sizeof(Number)"}, "widen.hpp": {"n * sizeof(float)"},  # tensors and rows have columns
    "ascii_chunk.hpp": {"size_"}, "prompted_text.hpp": {"prompt.size()"},
    "weight_checks.hpp": {"bytes - at"}, "tokenizer_keys.hpp": {"text.size()"},  # tensors, prompts and tokens are not empty
    "batch.hpp": {"kept * sizeof *ids_"},  # a workspace's
    "piece_key.hpp": {"std::min<std::size_t>(text.size() - at, 8)"},  # what loops have left
    "strip.hpp": {"(padded - rows) * bytes", "(padded - rows) * sketch_", "g.m * chunk_panels * sizeof(std::uint16_t)"},
    "packed_rows.hpp": {"groups_of(layout_.dim) * 64", "groups_of(layout_.sketch) * 64"},  # the caller's memory
    "graphs.hpp": {"count_ * sizeof(float)"}, "engine.hpp": {"pinned.used()"},  # memory of the GPU's, checked
    "packing.hpp": {"columns * sizeof(half)"},  # a table's row
    "unigram.hpp": {"size_ - at"},  # an array's
    "bpe_text.hpp": {"size"},  # what a stretch has left
    "torch_file.hpp": {"static_cast<std::size_t>(bytes)"},  # a number's
    "unfinished.hpp": {"name.size() - 1"}, "os_windows.hpp": {"bytes"},  # names are not empty
}


def files(folder, *suffixes):
    return sorted(p for p in folder.rglob("*") if p.suffix in suffixes) if folder.is_dir() else []


def library():
    return files(LIBRARY, ".hpp", ".inl", ".cuh")


def sources():
    """Every C++ file that people write and read."""
    found = [p for d in ("include", "tools", "examples", "tests", "bench")
             for p in files(ROOT / d, ".hpp", ".inl", ".cuh", ".cpp", ".cu")]
    return [p for p in found if p.name not in GENERATED]


def code(path):
    """The file with comments blanked out, line breaks kept."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def matches(pattern, text):
    """Line numbers of the matches."""
    return [text.count("\n", 0, m.start()) + 1 for m in re.finditer(pattern, text, flags=re.S)]


def where(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def floor(name):
    hits = [(len(prefix), number) for prefix, number in FLOORS if name.startswith(prefix)]
    return max(hits)[1] if hits else None


class Lint(unittest.TestCase):
    def none(self, found, rule):
        if found:
            self.fail(rule + "\n  " + "\n  ".join(found))

    def test_products_that_feed_sums_are_fused_explicitly(self):
        self.none([where(p, line) for p in files(LIBRARY / "device", ".hpp", ".inl") for r in SPLIT_PRODUCTS
                   for line in matches(r, code(p))],
                  "use fma (or multiply into a variable first, where two roundings are meant):")

    def test_no_instruction_set_is_chosen_by_the_preprocessor(self):
        # Two translation units with other flags would silently share one of the bodies.
        self.none([where(p, line) for p in library() if p.name != "platform.hpp"
                   for line in matches(r"#\s*(el)?if\w*[^\n]*__(AVX|SSE|FMA|F16C|ARM_FEATURE)", code(p))],
                  "instruction sets are chosen at run time:")

    def test_macros_live_in_platform(self):
        found = []
        for path in library():
            text = code(path)
            for m in re.finditer(r"^[ \t]*#\s*define\s+(\w+)", text, flags=re.M):
                name = m.group(1)
                local = re.search(rf"^[ \t]*#\s*undef\s+{name}\b", text[m.end():], flags=re.M)
                if not name.startswith("DUPQ_") or (path.name != "platform.hpp" and not local):
                    found.append(where(path, text.count("\n", 0, m.start()) + 1) + " " + name)
        self.none(found, "macros are DUPQ_* in platform.hpp, or undefined again in the same file:")

    def test_operating_systems_are_known_in_one_place(self):
        # platform.hpp says which kind there is, and one file an operating system does what its contract asks for.
        known = r"\b_WIN32\b|__unix__|__linux__|__APPLE__|DUPQ_POSIX|DUPQ_WINDOWS|<(fcntl|unistd|io|sched|windows|sys/\w+)\.h>|\baligned_alloc\b"
        paths = library() + files(ROOT / "tools" / "dupq", ".hpp", ".cpp", ".cu")
        self.none([where(p, line) for p in paths if p.name != "platform.hpp" and not p.name.startswith("os")
                   for line in matches(known, code(p))],
                  "core/os.hpp and tools/dupq/os.hpp are the contracts for operating systems:")

    def test_names_become_paths_in_one_place(self):
        # std::filesystem::path takes a std::string through Windows' code page, and gives one back the same way.
        made = r"(?![^;]*\b(os::path_of|filesystem::\w+)\()"  # by what knows
        wrong = rf"\.(generic_)?string\(\)|filesystem::path\s+\w+\s*[({{=]{made}|filesystem::path[({{]{made}"
        self.none([where(p, line) for p in library() + files(ROOT / "tools" / "dupq", ".hpp", ".cpp", ".cu")
                   if not p.name.startswith("os") for line in matches(wrong, code(p))],
                  "os::path_of and os::name_of know that names are UTF-8:")

    def test_copies_of_nothing_touch_no_null_pointer(self):
        # memcpy and its kind must not be given one even for no bytes, and empty spans, texts and vectors have no other.
        found = []
        for path in library() + files(ROOT / "tools" / "dupq", ".hpp", ".cpp", ".cu"):
            text = code(path)
            for m in re.finditer(r"\bmem(cpy|move|set|cmp)(\((?:[^();]|\((?:[^();]|\([^();]*\))*\))*\))", text):
                size = re.split(r",\s*(?![^()]*\))", m.group(2)[1:-1])[-1]
                constant = re.fullmatch(r"\d+|width|(panel_width \* )?sizeof\b *(\([^()]*\)|[\w.>*-]+)", size)
                asked = re.search(r"\bif \([^;{}]*(!= 0|!\w+\.empty\(\))\)[^;{}]*$", text[:m.start()].rsplit("\n", 1)[-1])
                known = path.name == "copy_bytes.hpp" or size in NEVER_OF_NOTHING.get(path.name, set())
                if not constant and not asked and not known:
                    found.append(where(path, text.count("\n", 0, m.start()) + 1) + " " + size)
        self.none(found, "use copy_bytes, or say in NEVER_OF_NOTHING why none is copied nowhere:")

    def test_one_header_includes_immintrin(self):
        users = [p for p in library() if "<immintrin.h>" in code(p)]
        self.assertLessEqual(len(users), 1, f"<immintrin.h> costs half a second: {users}")

    def test_headers_include_only_their_floor_and_below(self):
        found = []
        for path in library():
            own = floor(path.relative_to(LIBRARY).as_posix())
            if own is None:
                found.append(f"{path.relative_to(ROOT)}: on no floor; add it to FLOORS")
                continue
            for m in re.finditer(r'#\s*include\s+"([^"]+)"|#\s*include\s+<dupq/([^>]+)>', code(path)):
                target = LIBRARY / m.group(2) if m.group(2) else path.parent / m.group(1)
                name = target.resolve().relative_to(LIBRARY).as_posix()
                if (floor(name) or 0) > own:
                    found.append(f"{path.relative_to(ROOT)}: {name}")
        self.none(found, "a header includes what stands above it:")

    def test_headers_say_what_they_are_for(self):
        self.none([str(p.relative_to(ROOT)) for p in library()
                   if not p.read_text(encoding="utf-8").startswith("//")], "no opening comment:")

    def test_files_are_short(self):
        lengths = {p: p.read_text(encoding="utf-8").count("\n") for p in sources()}
        self.none([f"{p.relative_to(ROOT)}: {n} lines" for p, n in lengths.items() if n > LONGEST],
                  f"more than {LONGEST} lines:")

    def test_nothing_is_put_off(self):
        marks = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3))
        paths = sources() + files(ROOT / "tools", ".py", ".sh") + files(ROOT / "tests", ".py", ".sh")
        self.none([where(p, line) for p in paths for line in matches(rf"(//|#)[^\n]*\b({marks})\b", p.read_text("utf-8"))],
                  "do it or drop it:")

    def test_formatted(self):
        tool = shutil.which("clang-format")
        if tool is None:
            self.skipTest("clang-format is not installed")
        # (--dry-run reports the closing comment of "namespace dupq::inline ..." that it leaves as it is.)
        formatted = {p: subprocess.run([tool, "--style=file", str(p)], capture_output=True, text=True, check=True).stdout
                     for p in sources()}
        self.none([str(p.relative_to(ROOT)) for p, text in formatted.items() if text != p.read_text(encoding="utf-8")],
                  "run clang-format -i:")


if __name__ == "__main__":
    if not LIBRARY.is_dir():
        sys.exit(f"{LIBRARY}: not found")
    unittest.main()
