"""README.md's C++: its program is compiled as it says and run on a tiny model, and every call that it shows compiles."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from tool import Case  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# What the calls of the table are about.
SURROUNDINGS = """
#include <cstddef>
#include <dupq/dupq.hpp>
#include <span>
#include <string>
#include <vector>

using std::size_t;

int calls(dupq::result<dupq::model>& model, dupq::result<dupq::bi_encoder>& encoder, dupq::encoder_options options,
          std::vector<std::string> questions, std::vector<std::string> others, std::vector<float> floats,
          std::vector<float> scores, std::vector<int> labels, std::vector<dupq::match> matches, size_t rows, size_t dim,
          std::span<const std::byte> bytes,
          std::span<std::byte> storage, std::span<std::byte> workspace) {
  dupq::thread_pool pool;
%s
  return 0;
}
"""


class Readme(Case):
    def compile(self, text, *options):
        source = self.file("program.cpp", text)
        for compiler in filter(shutil.which, ("g++", "clang++")):
            done = subprocess.run([compiler, "-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror",
                                   "-I", ROOT / "include", source, *options], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_program(self):
        (program,) = re.findall(r"```cpp\n(#include.*?)```", README, re.S)
        self.assertIn("`g++ -std=c++20 -O2 -I include program.cpp`", README)
        place = self.folder / "program"
        self.compile(program, "-o", place)
        models = self.folder / "build" / "models"
        models.mkdir(parents=True)
        shutil.copy(self.model("bert"), models / "all-MiniLM-L6-v2.gguf")
        done = subprocess.run([place], cwd=self.folder, capture_output=True, text=True)
        score, decision = done.stdout.split()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(decision, "duplicate" if float(score) >= 0.75 else "different")
        done = subprocess.run([place], cwd=models, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("all-MiniLM-L6-v2.gguf: no such file", done.stderr)

    def test_the_calls(self):
        table = README.split("| you want | you call |")[1].split("\n\n")[0]
        calls = [call for call in re.findall(r"`([^`]*)`", table) if "(" in call or call.endswith(";")]
        self.assertGreater(len(calls), 9)
        (statement,) = re.findall(r"`(if \(auto done.*?)`", README)
        lines = [statement]
        for call in calls:
            if not call.endswith(";"):
                call = f"if (!{call}) return 1;"
            lines.append("{ " + call + " static_cast<void>(vectors); }" if "auto vectors" in call else call)
        lines = [line for line in lines if line != "dupq::thread_pool pool;"]  # it stands above
        self.compile(SURROUNDINGS % "\n".join("  " + line for line in lines), "-fsyntax-only",
                     "-Wno-missing-field-initializers", "-Wno-unused-parameter")


if __name__ == "__main__":
    unittest.main()
