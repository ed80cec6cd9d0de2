"""score: one pair, files of pairs in every format, streams."""

import csv
import io
import os
import select
import subprocess
import time
import unittest

from tool import COMMAND, EXPECTED, GOLDEN, PATIENCE, Case, nul_texts

NO_THRESHOLD = "no threshold in the model"


class Score(Case):
    def score(self, name, a, b, *words):
        value, verdict = self.ok("score", self.model(name), a, b, *words).rstrip("\n").split("\t")
        return float(value), verdict

    def test_one_pair(self):
        self.assertEqual(self.score("bert", "good", "good", "--threshold", "0.99")[1], "duplicate")
        value, verdict = self.score("bert", "good", "India")
        self.assertEqual(verdict, "duplicate" if value >= 0.75 else "different")
        self.assertEqual(self.score("bert", "good", "India", "--threshold", "1.5"), (value, "different"))
        self.assertEqual(self.score("bert", "good", "India", "--threshold=-1.5"), (value, "duplicate"))

    def test_a_model_without_threshold_says_which_one_is_used(self):
        for name, usual in (("bert", "0.75"), ("cross", "0.5"), ("cross_identity", "0")):
            done = self.run_tool("score", self.model(name), "a", "b")
            self.assertIn(f"{NO_THRESHOLD}, {usual} is used", done.stderr.decode())
            self.assertEqual(self.run_tool("score", self.model(name), "a", "b", "--threshold", "0.3").stderr, b"")

    def test_similarities_that_are_no_cosines(self):
        for name in ("bert-prompt", "bert-order", "bert-weightedmean"):
            done = self.run_tool("score", self.model(name), "-0", "--pairs", GOLDEN / "pairs.txt")
            self.assertEqual(done.returncode, 0)
            self.assertIn(f"{NO_THRESHOLD}, and none is usual", done.stderr.decode())
            wanted = (GOLDEN / "settings" / name / "expected.tsv").read_text().split()
            for line, expected in zip(done.stdout.decode().splitlines(), wanted, strict=True):
                score, duplicate = line.split(",")
                self.assertAlmostEqual(float(score), float(expected), delta=1e-5)
                self.assertEqual(duplicate, "")  # nothing is decided without a threshold
        self.assertEqual(self.score("bert-prompt", "good", "good")[1], "undecided")
        self.assertEqual(self.score("bert-prompt", "good", "good", "--threshold=-0.1"), (0, "duplicate"))
        pairs = self.file("p.csv", "question1,question2,is_duplicate\ngood,good,1\ngood,India,0\nbad,India,0\n")
        self.ok("calibrate", self.model("bert-prompt"), pairs, "-o", self.folder / "c.gguf")
        self.assertIn("duplicate", self.ok("score", self.folder / "c.gguf", "good", "good", stderr=""))
        self.assertIn("is for cosines", self.refused("eval", self.model("bert-prompt"), pairs, "--sweep", "grid"))

    def test_prompts_by_name(self):
        model = self.model("bert-prompt")
        self.assertEqual(self.ok("tokenize", model, stdin="y\n"), self.ok("tokenize", model, "--prompt", "none", stdin="How do you why\n"))
        self.assertEqual(self.ok("tokenize", model, "--prompt", "other", stdin="y\n"),
                         self.ok("tokenize", model, "--prompt", "none", stdin="x y\n"))
        self.assertIn("no prompt 'who', the model has 'other', 'ask'", self.refused("score", model, "a", "b", "--prompt", "who"))
        self.assertIn("the model has none", self.refused("score", self.model("bert"), "a", "b", "--prompt", "who"))
        ids = (GOLDEN / "settings/bert-prompt/expected.ids").read_text()
        self.assertEqual(self.ok("tokenize", model, "-0", GOLDEN / "texts.txt"), ids)

    def test_texts_that_begin_with_a_dash(self):
        self.assertIn("unknown option", self.refused("score", self.model("bert"), "-good", "bad", status=2))
        self.ok("score", self.model("bert"), "--", "-good", "--help")

    def test_cross_encoder_scores(self):
        for name in ("cross", "cross_identity"):
            got = self.ok("score", self.model(name), "-0", "--pairs", GOLDEN / "pairs.txt", "--threshold", "0.6")
            wanted = (EXPECTED / f"{name}.tsv").read_text().splitlines()
            for line, expected in zip(got.splitlines(), wanted, strict=True):
                score, duplicate = line.split(",")
                self.assertAlmostEqual(float(score), float(expected.split("\t")[1]), delta=1e-5)
                self.assertEqual(duplicate, str(int(float(score) >= 0.6)))

    def test_a_pair_alone_scores_as_in_a_file(self):
        texts = nul_texts(GOLDEN / "pairs.txt")[:40]
        for name in ("bert", "cross", "mpnet"):
            lines = self.ok("score", self.model(name), "-0", "--pairs", "-",
                            stdin="".join(t + "\0" for t in texts)).split()
            self.assertEqual(len(lines), 20)
            for i in (0, 7, 19):
                if not (texts[2 * i] + texts[2 * i + 1]).startswith("-"):
                    self.assertEqual(self.score(name, texts[2 * i], texts[2 * i + 1])[0], float(lines[i].split(",")[0]))

    def test_csv_keeps_its_columns_and_its_bytes(self):
        source = ('\ufeffid,question2,"question1",is_duplicate\r\n7,bad,"say ""good"",\nplease",1\r\n\r\n'
                  '8,"bad","good",0')
        path, out = self.file("p.csv", source), self.folder / "out.csv"
        self.assertEqual(self.ok("score", self.model("bert"), "--pairs", path, "-o", out, "--threshold", "0.5"), "")
        data = out.read_bytes().decode()
        self.assertEqual(data, self.ok("score", self.model("bert"), "--pairs", path, "--threshold", "0.5"))
        rows = list(csv.reader(io.StringIO(data.lstrip("\ufeff"), newline="")))
        self.assertEqual(rows[0], ["id", "question2", "question1", "is_duplicate", "score", "duplicate"])
        self.assertEqual(rows[1][:4], ["7", "bad", 'say "good",\nplease', "1"])
        self.assertEqual(rows[2][:4], ["8", "bad", "good", "0"])
        self.assertEqual(float(rows[2][4]), self.score("bert", "good", "bad")[0])
        self.assertTrue(data.startswith(source.split("\r\n")[0] + ",score,duplicate\r\n"))
        self.assertTrue(data.endswith("\r\n"))
        self.assertEqual(len(rows), 3)

    def test_a_tsv_stays_a_tsv(self):
        path = self.file("p.tsv", "question1\tquestion2\ngood, better\tbad\n")
        header, row = self.ok("score", self.model("bert"), "--pairs", path).splitlines()
        self.assertEqual(header, "question1\tquestion2\tscore\tduplicate")
        self.assertRegex(row, r"^good, better\tbad\t-?[0-9.e-]+\t[01]$")
        row = self.ok("score", self.model("bert"), "--pairs", "-", stdin="good, better\tbad").splitlines()
        self.assertRegex(row[0], r"^good, better\tbad\t-?[0-9.e-]+\t[01]$")
        self.assertEqual(len(row), 1)

    def test_empty_files(self):
        m = self.model("bert")
        self.assertEqual(self.ok("score", m, "--pairs", "-"), "")
        self.assertEqual(self.ok("score", m, "--pairs", self.file("p.csv", "question1,question2\n")),
                         "question1,question2,score,duplicate\n")
        self.assertIn("empty.csv: empty, where a header is expected",
                      self.refused("score", m, "--threshold", "0", "--pairs", self.file("empty.csv", "")))

    def test_bad_rows(self):
        m, words = self.model("bert"), ["--threshold", "0.5"]
        cases = [("question1,question2\na,b\n\"c,d\ne,f\n", "line 3: a quote is opened and never closed"),
                 ("question1,question2\na,b\nc\n", "line 3: 1 field where the header has 2"),
                 ("question1,question2\na,\"b\nb\"\n\"c\" d,e\n", "line 4: text after a closing quote"),
                 ("question1,other\na,b\n", "line 1: no column question2")]
        for content, wanted in cases:
            path, out = self.file("p.csv", content), self.folder / "out.csv"
            self.assertIn("p.csv: " + wanted, self.refused("score", m, "--pairs", path, "-o", out, *words))
            self.assertFalse(out.exists())
        self.assertIn("standard input: line 2: 3 fields",
                      self.refused("score", m, "--pairs", "-", *words, stdin="a\tb\nc\td\te\n"))
        self.assertIn("second text", self.refused("score", m, "-0", "--pairs", "-", *words, stdin="a\0b\0c\0"))

    def test_skip_bad(self):
        path = self.file("p.csv", 'question1,question2\na,b\nc\n"d" e,f\ng,h\n"i,j\nk,l\n')
        done = self.run_tool("score", self.model("bert"), "--pairs", path, "--skip-bad", "--threshold", "0.5")
        self.assertEqual(done.returncode, 0)
        self.assertEqual([line.split(",")[0] for line in done.stdout.decode().splitlines()],
                         ["question1", "a", "g", "k"])
        self.assertEqual(done.stderr.decode(),
                         f"3 rows skipped; the first: {path}: line 3: 1 field where the header has 2\n")

    def test_more_rows_than_a_chunk(self):
        rows = "".join(f"what is {i}\twhat was {i}\n" for i in range(2100))
        lines = self.ok("score", self.model("bert"), "--pairs", "-", stdin=rows).splitlines()
        self.assertEqual([l.rsplit("\t", 2)[0] for l in lines], rows.splitlines())
        self.assertEqual(float(lines[2000].split("\t")[2]), self.score("bert", "what is 2000", "what was 2000")[0])


class Stream(Case):
    def start(self, *words):
        process = subprocess.Popen([*COMMAND, "score", str(self.model("bert")), "--pairs", "-", "--threshold", "0.5",
                                    *words],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass

    def read_lines(self, process, n):
        """Waits for n lines."""
        got, end = b"", time.monotonic() + 30 * PATIENCE
        while got.count(b"\n") < n:
            ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
            self.assertTrue(ready, f"no answer after {got!r}")
            got += os.read(process.stdout.fileno(), 65536)
        return got.decode()

    def test_a_row_is_answered_before_the_next_one_comes(self):
        process = self.start()
        for i in range(5):
            process.stdin.write(f"good {i}\tbad\n".encode())
            process.stdin.flush()
            self.assertTrue(self.read_lines(process, 1).startswith(f"good {i}\tbad\t"))
        process.stdin.close()
        self.assertEqual(process.wait(30 * PATIENCE), 0)

    def test_a_header_and_half_a_row_hold_nothing_back(self):
        process = self.start("--format", "csv")
        process.stdin.write(b"question1,question2\ngood,bad\n\"half")
        process.stdin.flush()
        self.assertTrue(self.read_lines(process, 2).startswith("question1,question2,score,duplicate\ngood,bad,"))
        process.stdin.write(b" a row\",x\n")
        process.stdin.close()
        self.assertTrue(self.read_lines(process, 1).startswith("\"half a row\",x,"))
        self.assertEqual(process.wait(30 * PATIENCE), 0)

    def test_a_closed_pipe_ends_quietly(self):
        process = self.start()
        process.stdout.close()
        try:
            for _ in range(3000):
                process.stdin.write(b"good\tbad\n" * 100)
            process.stdin.close()
        except BrokenPipeError:
            pass
        self.assertEqual(process.wait(30 * PATIENCE), 0)
        self.assertEqual(process.stderr.read(), b"")


if __name__ == "__main__":
    unittest.main()
