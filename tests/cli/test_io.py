"""Files, pipes, disks and terminals: what every verb has in common."""

import os
import pathlib
import pty
import select
import shlex
import signal
import subprocess
import time
import unittest

from tool import COMMAND, GOLDEN, PATIENCE, WINDOWS, Case, posix_only

HEADER = "question1,question2,is_duplicate\n"


class Files(Case):
    def test_a_missing_file_or_a_directory_is_named(self):
        m, nowhere, out = self.model("bert"), self.folder / "nowhere.csv", self.folder / "out"
        for words in (["tokenize", m], ["encode", m, "-o", out], ["eval", m], ["calibrate", m, "-o", out],
                      ["dedup", m, "--threshold", "0"],
                      ["score", m, "--threshold", "0", "--pairs"]):
            self.assertIn("nowhere.csv: cannot be opened: No such file", self.refused(*words, nowhere))
            self.assertIn(f"{self.folder}: is a directory", self.refused(*words, self.folder))
        self.assert_only()

    def test_an_output_that_cannot_be(self):
        m = self.model("bert")
        pairs = self.file("p.csv", HEADER + "good,good,1\na,b,0\n")
        missing = self.folder / "no" / "such"
        for words in (["convert", GOLDEN / "bert"], ["encode", m, pairs, "--column", "question1"],
                      ["tokenize", m, pairs, "--column", "question1"],
                      ["score", m, "--pairs", pairs, "--threshold", "0"], ["calibrate", m, pairs],
                      ["dedup", m, pairs, "--column", "question1", "--threshold", "0"]):
            self.assertIn(f"{missing}: cannot be created", self.refused(*words, "-o", missing))
            self.assertIn(f"{self.folder}: is a directory", self.refused(*words, "-o", self.folder))
        self.assert_only("p.csv")

    @posix_only
    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_disk(self):
        m = self.model("bert")
        pairs = self.file("p.csv", HEADER + "good,good,1\na,b,0\n")
        for words in (["convert", GOLDEN / "bert"], ["encode", m, pairs, "--column", "question1"],
                      ["score", m, "--pairs", pairs, "--threshold", "0"],
                      ["calibrate", m, pairs], ["dedup", m, pairs, "--column", "question1", "--threshold", "0"]):
            self.assertEqual(self.refused(*words, "-o", "/dev/full"),
                             "dupq: /dev/full: cannot be written: No space left on device\n")
        for words in (["--help"], ["info", m], ["info", m, "--json"], ["tokenize", m, pairs, "--column", "question1"],
                      ["eval", m, pairs],
                      ["score", m, "a", "b", "--threshold", "0"], ["score", m, "--pairs", pairs, "--threshold", "0"],
                      ["convert", GOLDEN / "bert", "-o", self.folder / "m.gguf"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([*COMMAND, *map(str, words)], stdout=full, stderr=subprocess.PIPE, timeout=60 * PATIENCE)
            self.assertEqual((done.returncode, done.stderr),
                             (1, b"dupq: standard output: cannot be written: No space left on device\n"))

    @posix_only
    def test_closed_standard_streams(self):
        m = self.model("bert")
        done = subprocess.run(["sh", "-c", f"{shlex.join(COMMAND)} info '{m}' >&-"], capture_output=True, timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output: cannot be written", done.stderr)
        done = subprocess.run(["sh", "-c", f"{shlex.join(COMMAND)} tokenize '{m}' <&-"], capture_output=True, timeout=60 * PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard input: cannot be read", done.stderr)

    def test_a_reader_that_leaves(self):
        m = self.model("bert")
        texts = self.file("t.txt", "".join(f"what is {i}\n" for i in range(20000)))
        few = self.file("few.txt", "".join(f"what is {i}\n" for i in range(400)))
        for words in (f"tokenize '{m}' '{texts}'", f"dedup '{m}' --threshold 0.2 --top 50000 '{few}'",
                      f"encode '{m}' '{texts}' -o -", f"--help"):
            done = subprocess.run(["bash", "-c", f"set -o pipefail; {shlex.join(COMMAND)} {words} | head -c 10 | wc -c"],
                                  capture_output=True, timeout=120 * PATIENCE)
            self.assertEqual((done.returncode, done.stdout.strip(), done.stderr), (0, b"10", b""), words)


class Outputs(Case):
    def test_planted_links_are_not_followed(self):
        """Once the temporary's name was the output's with the process's number: whoever planted a link there had it
        overwrite what it points to."""
        victim = self.file("victim", "precious")
        texts = self.file("t.txt", "what is good\n")
        out = self.folder / "v.npy"
        subprocess.run(["sh", "-c", f"ln -s victim '{out}.partial-'$$ && exec {shlex.join(COMMAND)} encode '{self.model('bert')}' "
                        f"'{texts}' -o '{out}'"], check=True, timeout=60 * PATIENCE)
        self.assertEqual(victim.read_bytes(), b"precious")
        self.assertTrue(out.is_file() and not out.is_symlink())

    def test_two_writers_of_one_name(self):
        """Both at the same time: the output is one of the two, whole."""
        m, out = self.model("bert"), self.folder / "v.npy"
        texts = [self.file(f"{i}.txt", f"what is {i}\n" * (3000 + i)) for i in range(2)]
        whole = []
        for path in texts:
            self.ok("encode", m, path, "-o", self.folder / "alone.npy")
            whole.append((self.folder / "alone.npy").read_bytes())
        (self.folder / "alone.npy").unlink()
        for _ in range(5):
            writers = [subprocess.Popen([*COMMAND, "encode", m, path, "-o", out]) for path in texts]
            self.assertEqual([w.wait(60 * PATIENCE) for w in writers], [0, 0])
            self.assertIn(out.read_bytes(), whole)
        self.assert_only("0.txt", "1.txt", "v.npy")


    def test_an_output_may_replace_its_own_input(self):
        for name, content in (("p.csv", HEADER + "good,good,1\na,b,0\n"),
                              ("p.jsonl", '{"question1": "a", "question2": "b"}\n'), ("p.tsv", "question1\tquestion2\na\tb\n")):
            path = self.file(name, content)
            wanted = self.ok("score", self.model("bert"), "--threshold", "0", "--pairs", path)
            self.ok("score", self.model("bert"), "--threshold", "0", "--pairs", path, "-o", path)
            self.assertEqual(path.read_bytes().decode(), wanted)


class Interrupted(Case):
    def start(self, out):
        """An encode that waits for its input, with the temporary file already there."""
        process = subprocess.Popen([*COMMAND, "encode", str(self.model("bert")), "-o", str(out)], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 30 * PATIENCE
        while not list(self.folder.glob("*.partial-*")):
            self.assertLess(time.monotonic(), end, "no temporary file")
            time.sleep(0.01)
        return process

    @posix_only
    def test_signals_leave_the_old_file_and_nothing_else(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            out = self.file("v.npy", "old")
            process = self.start(out)
            process.send_signal(number)
            self.assertEqual(process.wait(30 * PATIENCE), -number)
            self.assertEqual(out.read_bytes(), b"old")
            self.assert_only("v.npy")

    def test_bad_input_leaves_the_old_file(self):
        out = self.file("v.npy", "old")
        path = self.file("t.csv", "question\ngood\n\"bad")
        self.refused("encode", self.model("bert"), path, "-o", out)
        self.assertEqual(out.read_bytes(), b"old")
        self.assert_only("v.npy", "t.csv")

    @posix_only
    def test_a_replaced_file_keeps_its_mode(self):
        out = self.file("v.npy", "old")
        out.chmod(0o600)
        self.ok("encode", self.model("bert"), "-o", out, stdin="good")
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)


class Progress(Case):
    def on_terminal(self, *words):
        """Runs the tool with a terminal as stderr; returns what it wrote there."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*COMMAND, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=theirs)
        os.close(theirs)
        said, end = b"", time.monotonic() + 120
        while time.monotonic() < end:
            ready, _, _ = select.select([ours], [], [], 1)
            if not ready:
                continue
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            said += chunk
        os.close(ours)
        self.assertEqual(process.wait(30 * PATIENCE), 0, said)
        return said.decode()

    def words(self):
        m = self.model("mpnet")
        rows = range(4000 if WINDOWS else 20000)
        texts = self.file("t.txt", "".join(f"what is {i} good for in India, and why is {i} bad\n" for i in rows))
        pairs = self.file("p.csv", HEADER + "".join(f"what is {i},why is {i} good or bad,{i % 2}\n" for i in rows))
        yield ["encode", m, texts, "-o", self.folder / "v.npy"], r"[\d,]+ texts, \d+%, \d+/s, \d+ (s|min) left"
        yield ["score", m, "--pairs", pairs, "--threshold", "0"], r"[\d,]+ pairs, \d+%, \d+/s, \d+ (s|min) left"
        yield ["eval", m, pairs], r"[\d,]+/40,000 questions, \d+/s, \d+ (s|min) left"

    @posix_only
    def test_shown_on_a_terminal_and_erased(self):
        for words, pattern in self.words():
            said = self.on_terminal(*words)
            lines = said.split("\r")
            self.assertGreater(len(lines), 2, said)
            self.assertEqual(lines[-1], "\033[K")
            for line in lines[1:-1]:
                self.assertRegex(line, "^" + pattern + "\033\\[K$")
            self.assertNotIn("\n", said)

    def test_nothing_elsewhere(self):
        for words, _ in self.words():
            self.assertEqual(self.run_tool(*words).stderr, b"")

    @posix_only
    def test_nothing_between_results_on_the_same_terminal(self):
        m = self.model("mpnet")
        texts = self.file("t.txt", "".join(f"what is {i}\twhy is {i} good or bad\n" for i in range(20000)))
        ours, theirs = pty.openpty()
        process = subprocess.Popen([*COMMAND, "score", str(m), "--threshold", "0", "--pairs", str(texts)],
                                   stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 65536)
            except OSError:
                break
        os.close(ours)
        self.assertEqual(process.wait(30 * PATIENCE), 0)
        self.assertNotIn(b"\033", said)
        self.assertEqual(said.count(b"\n"), 20000)


if __name__ == "__main__":
    unittest.main()
