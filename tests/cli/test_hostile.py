"""Files made to cost much: refused in one line, in little memory and time."""

import pathlib
import shutil
import struct
import subprocess
import time
import unittest

from tool import COMMAND, GOLDEN, PATIENCE, TOOL, WINDOWS, Case

# Sanitizers take many times as much of both, and so does Wine, which is no Windows.
MEASURED = not WINDOWS and b"__asan_" not in pathlib.Path(TOOL).read_bytes()


class Hostile(Case):
    def cost(self, *words):
        """Runs the tool with 100 MB of memory, in which it must refuse; what it said, and its seconds."""
        start = time.monotonic()
        limit = "ulimit -v 100000 && " if MEASURED else ""
        done = subprocess.run(["sh", "-c", limit + 'exec "$@"', "sh", *COMMAND, *map(str, words)], capture_output=True,
                              timeout=60 * PATIENCE)
        said = done.stderr.decode()
        self.assertEqual((done.returncode, said.count("\n")), (1, 1), said)
        return said, time.monotonic() - start

    def folder_with_header(self, header):
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        shutil.copytree(GOLDEN / "bert", self.folder / "model")
        (self.folder / "model" / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        return self.folder / "model"

    def test_large_headers_of_checkpoints(self):
        one = '"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
        headers = {"missing": "{" + ",".join(one % i for i in range(350_000)) + "}",
                   "nested too deeply": '{"__metadata__":' + "[" * 10_000_000 + "}",
                   "too large": '{"a":{"dtype":"U8","data_offsets":[0,0],"shape":[' + "9," * 5_000_000 + "9]}}"}
        for why, header in headers.items():
            said, _ = self.cost("convert", self.folder_with_header(header.encode()), "-o", self.folder / "m.gguf")
            self.assertIn("model.safetensors: ", said)
            self.assertIn(why, said)
        self.assert_only("model")

    def test_model_files_of_thousands_of_tensors(self):
        count = 4096
        head = b"GGUF" + struct.pack("<IQQ", 3, count, 0)
        for step in (1, count - 1, 2503):  # in order, backwards, mixed
            infos = b""
            for i in range(count):
                name = (b"x" * 130)[:120] + b"%d" % i
                infos += struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 8, 1, i * step % count * 32)
            data = (head + infos).ljust((len(head + infos) + 31) // 32 * 32, b"\0") + bytes(count * 32)
            path = self.file("m.gguf", data)
            seconds = min(self.cost("info", path)[1] for _ in range(3 if MEASURED else 1))
            self.assertIn("general.architecture: missing key", self.refused("info", path))
            if MEASURED:
                self.assertLess(seconds, 0.5)  # a few milliseconds on a machine that does nothing else

    def test_a_pointer_in_place_of_a_model(self):
        path = self.file("m.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
        for words in (["info", path], ["tokenize", path]):
            self.assertEqual(self.refused(*words), f"dupq: {path}: is a git-lfs pointer: run git lfs pull\n")


if __name__ == "__main__":
    unittest.main()
