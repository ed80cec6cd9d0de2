"""Runs the command-line tool on the tiny models of tests/golden. Environment: DUPQ, the tool; DUPQ_RUNNER, what runs it
(Wine, for a tool that is built for Windows), or nothing."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

TOOL = os.environ["DUPQ"]
COMMAND = [*os.environ.get("DUPQ_RUNNER", "").split(), TOOL]
WINDOWS = TOOL.endswith(".exe")
PATIENCE = 4 if WINDOWS else 1  # how many times as long everything may take
posix_only = unittest.skipIf(WINDOWS, "Windows has nothing like it")
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
EXPECTED = GOLDEN / "expected"


def nul_texts(path):
    """The texts of a file in which a NUL ends each."""
    return path.read_bytes().decode().split("\0")[:-1]


def read_npy(data):
    """A float32 array [rows, columns] as a list of tuples."""
    assert data[:8] == b"\x93NUMPY\x01\0", data[:8]
    size = 10 + struct.unpack("<H", data[8:10])[0]
    assert size % 64 == 0
    header = eval(data[10:size])
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    rows, columns = header["shape"]
    assert len(data) == size + 4 * rows * columns, len(data)
    row = struct.Struct(f"<{columns}f")
    return [row.unpack_from(data, size + i * row.size) for i in range(rows)]


class Case(unittest.TestCase):
    """A folder that disappears, models that are converted once, and ways to run the tool."""

    models = {}

    @classmethod
    def setUpClass(cls):
        cls.model_folder = pathlib.Path(tempfile.mkdtemp(prefix="dupq-"))
        cls.models = {}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.model_folder)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dupq-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def model(self, name):
        """A golden folder's model file."""
        if name not in self.models:
            path, source = self.model_folder / (name + ".gguf"), GOLDEN / name
            if (GOLDEN / "settings" / name).exists():  # another model with other settings
                source = self.model_folder / name
                shutil.copytree(GOLDEN / name.split("-")[0], source)
                shutil.copytree(GOLDEN / "settings" / name, source, dirs_exist_ok=True)
            self.ok("convert", source, "-o", path)
            self.models[name] = path
        return self.models[name]

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run_tool(self, *words, stdin=b"", **options):
        options.setdefault("timeout", 60 * PATIENCE)
        command = [*COMMAND, *map(str, words)]
        options |= {"input": stdin.encode() if isinstance(stdin, str) else stdin, "capture_output": True}
        done = subprocess.run(command, **options)
        # dupq never fails without a word: a runner (Wine) that does so has not started it, as was seen once in hundreds.
        if len(COMMAND) > 1 and done.returncode == 1 and not done.stderr and not done.stdout:
            done = subprocess.run(command, **options)
        return done

    def ok(self, *words, stdin=b"", stderr=None):
        """Runs the tool, which must be content, and returns what it printed; `stderr` is what else it must say."""
        done = self.run_tool(*words, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        if stderr is not None:
            self.assertEqual(done.stderr.decode(), stderr)
        return done.stdout.decode()

    def refused(self, *words, status=1, stdin=b""):
        """Runs the tool, which must fail, and returns the line that says why (wrong usage: up to three lines)."""
        done = self.run_tool(*words, stdin=stdin)
        said = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status, said)
        lines = said.count("\n")
        self.assertTrue(lines == 1 if status == 1 else 1 <= lines <= 3, said)
        self.assertTrue(said.endswith("\n"))
        return said

    def assert_only(self, *names):
        """Nothing but these files is in the folder."""
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), sorted(names))
