"""Tables as people have them: against Python's csv module, in JSON Lines, in other encodings, with other line ends."""

import csv
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import unittest

from tool import COMMAND, PATIENCE, TOOL, Case, read_npy

PAIR = ["question1", "question2"]
REPLACED = "U+FFFD stands for what is broken (--encoding reads latin1, windows-1252, utf-16)"


class Tables(Case):
    def texts(self, path, *words):
        """The texts of a file and the lines that they begin on, as `dedup` shows them; "bad" where it refuses."""
        done = self.run_tool("dedup", self.model("bert"), path, "--threshold", "-2", *words)
        if done.returncode == 1:
            return "bad"
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {}
        for row in csv.DictReader(io.StringIO(done.stdout.decode(), newline="")):
            for which in ("first", "second"):
                found[int(row[which])] = row[which + "_text"]
        return found


class Python(Tables):
    """The same rows as Python's csv module reads, in its strict mode."""

    @staticmethod
    def expected(text, **dialect):
        reader, found, header, line = csv.reader(io.StringIO(text, newline=""), strict=True, **dialect), {}, None, 1
        try:
            for row in reader:
                begin, line = line, reader.line_num + 1
                if header is None:
                    header = row
                elif row:
                    if len(row) != len(header):
                        return "bad"
                    found[begin] = row[header.index("question")]
        except csv.Error:
            return "bad"
        return found if len(found) > 1 else None

    def test_tables_that_python_writes(self):
        some = random.Random(1)
        pieces = ["good", "India", "", " ", '"', '""', ",", ";", "\t", "\n", "\r\n", "\r", "\u00e9", "\U0001f642", "|"]
        for i in range(24):
            rows = [["".join(some.choices(pieces, k=some.randrange(6))) for _ in range(3)] for _ in range(7)]
            separator, end = some.choice(",;|\t"), some.choice(["\n", "\r\n", "\r"])
            out = io.StringIO(newline="")
            # (Python quotes a line break only where that could end its rows, and then reads what it wrote differently.)
            quoting = csv.QUOTE_MINIMAL if end == "\r\n" and i % 2 else csv.QUOTE_ALL
            csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(
                [["id", "question", "x"], *rows])
            path = self.file("t.csv", ("\ufeff" if i % 5 == 0 else "") + out.getvalue())
            words = [] if separator in ",;" else ["--separator", separator if i % 2 else "\\t" if separator == "\t" else separator]
            # (Where LF ends lines Python counts the CRs in quotes, too: the texts, without their lines, are compared.)
            got, wanted = self.texts(path, *words), self.expected(out.getvalue(), delimiter=separator)
            self.assertIsInstance(got, dict, path.read_bytes())
            self.assertEqual([got[line] for line in sorted(got)], [wanted[line] for line in sorted(wanted)], path.read_bytes())

    def test_bytes_that_nobody_wrote(self):
        some, seen = random.Random(2), {"bad": 0, "good": 0}
        for _ in range(60):
            field = lambda: some.choice(["a", "b ", "", '""', '"x"', '"a,b"', '"c""d"', '"e\n\r\nf"', 'g"h', '"""i"', '"\n"'] * 4 +
                                        ['"open', '"x"y', "a,b", "\n"])
            body = "".join(field() + "," + field() + some.choice(["\n", "\r\n", "\n\n", ""]) for _ in range(4))
            text = "question,x\na,b\nc,d\n" + body
            wanted = self.expected(text)
            self.assertEqual(self.texts(self.file("t.csv", text)), wanted, text)
            seen["bad" if wanted == "bad" else "good"] += 1
        self.assertGreater(min(seen.values()), 9)

    def test_quotes_that_are_letters(self):
        some = random.Random(3)
        for _ in range(12):
            body = "".join(f'{"".join(some.choices(["a", " ", chr(34), ","], k=5))}\t{i}\n' for i in range(4))
            text = "question\tx\n" + body
            self.assertEqual(self.texts(self.file("t.tsv", text), "--quotes", "none"),
                             self.expected(text, delimiter="\t", quoting=csv.QUOTE_NONE), text)
            # What Python writes where it has to quote, a TSV is read as, too.
            out = io.StringIO(newline="")
            csv.writer(out, delimiter="\t", lineterminator="\n").writerows(
                [["question", "x"]] + [[row.split("\t")[0], "a\tb"] for row in body.splitlines()])
            self.assertEqual(self.texts(self.file("t.tsv", out.getvalue())), self.expected(out.getvalue(), delimiter="\t"))


class Quotes(Tables):
    def test_a_tsv_with_quotes_as_letters_loses_no_row(self):
        rows = ['"Hello" is a greeting?\tgood\t1', '5" disk\t"bad"\t0', '"Who said\tit" once\t1', 'a\t"b\t0']
        path = self.file("p.tsv", "question1\tquestion2\tis_duplicate\n" + "\n".join(rows) + "\n")
        got = json.loads(self.ok("eval", self.model("bert"), path, "--json", stderr=""))
        self.assertEqual(got["pairs"], 4)
        lines = self.ok("score", self.model("bert"), "--pairs", path, "--threshold", "0", stderr="").splitlines()
        self.assertEqual([line.rsplit("\t", 2)[0] for line in lines[1:]], rows)

    def test_blank_lines_are_counted(self):
        path = self.file("p.csv", "question1,question2\na,b\n\nc,d\n\n")
        self.ok("tokenize", self.model("bert"), "--pairs", path, stderr=f"{path}: 2 blank lines skipped\n")


class Separators(Tables):
    def test_semicolons_are_found_in_the_header(self):
        path = self.file("p.csv", '"id";"question1";"question2"\r\n1;"a;b";c,d\r\n')
        header, row = self.ok("score", self.model("bert"), "--pairs", path, "--threshold", "0").split("\r\n")[:2]
        self.assertEqual(header, '"id";"question1";"question2";score;duplicate')
        self.assertRegex(row, r'^1;"a;b";c,d;-?[0-9.e-]+;[01]$')
        self.assertIn(f"{path}: line 1: text after a closing quote",
                      self.refused("score", self.model("bert"), "--threshold=0", "--pairs", path, "--separator", ","))

    def test_names_in_capitals(self):
        path = self.file("T.CSV", "question\na\nb\n")
        self.assertEqual(self.texts(path), {2: "a", 3: "b"})

    def test_carriage_returns_alone(self):
        m = self.model("bert")
        path = self.file("p.csv", 'question1,question2\rgood,"a\rb"\rx,y\r')
        rows = self.ok("score", m, "--pairs", path, "--threshold", "0").split("\r")
        self.assertEqual(rows[0], "question1,question2,score,duplicate")
        self.assertTrue(rows[1] == 'good,"a' and rows[2].startswith('b",') and rows[3].startswith("x,y,"))
        self.assertEqual(rows[4], "")
        self.assertEqual(self.ok("tokenize", m, stdin="good\rbad\r"), self.ok("tokenize", m, stdin="good\nbad\n"))


class Encodings(Tables):
    ROWS = ["caf\u00e9,\u00c5", "\u20ac 5,\u201cgood\u201d"]

    def scored(self, data, *words, stderr=""):
        got = self.ok("score", self.model("bert"), "--pairs", self.file("p.csv", data), "--threshold", "0", *words,
                      stderr=stderr)
        return [",".join(row.split(",")[:2]) for row in got.splitlines()[1:]]

    def test_results_are_utf8(self):
        table = "\n".join(["question1,question2", *self.ROWS]) + "\n"
        self.assertEqual(self.scored(table), self.ROWS)
        self.assertEqual(self.scored(table.encode("cp1252"), "--encoding", "windows-1252"), self.ROWS)
        latin = "question1,question2\ncaf\u00e9,\u00ff\n"
        self.assertEqual(self.scored(latin.encode("latin1"), "--encoding", "latin1"), ["caf\u00e9,\u00ff"])
        for order in ("le", "be"):
            self.assertEqual(self.scored(("\ufeff" + table).encode("utf-16-" + order)), self.ROWS)
            self.assertEqual(self.scored(table.encode("utf-16-" + order), "--encoding", "utf-16"), self.ROWS)

    def test_utf16_without_a_mark_is_no_riddle(self):
        path = self.file("p.csv", "question\na\n".encode("utf-16-le"))
        for words in ([], ["--encoding", "latin1"]):
            self.assertEqual(self.refused("tokenize", self.model("bert"), path, *words),
                             f"dupq: {path}: looks like UTF-16 (--encoding utf-16 reads it)\n")

    def test_what_is_no_utf8_is_counted(self):
        path = self.folder / "p.csv"
        data = "question1,question2\na,b\n".encode() + "\u00e9,c\n\u00e9,\u00e9\n".encode("latin1") + b"d,e\n"
        self.assertEqual(self.scored(data, stderr=f"{path}: 2 lines are not UTF-8, the first is line 3; {REPLACED}\n"),
                         ["a,b", "\ufffd,c", "\ufffd,\ufffd", "d,e"])
        self.ok("tokenize", self.model("bert"), stdin=b"a\n\xff\n",
                stderr=f"standard input: 1 line is not UTF-8, the first is line 2; {REPLACED}\n")
        self.ok("tokenize", self.model("bert"), "-0", stdin=b"a\n\0b\xff\0",
                stderr=f"standard input: 1 text is not UTF-8, the first is text 2; {REPLACED}\n")
        self.ok("encode", self.model("bert"), "-o", self.folder / "v.npy", "--encoding", "windows-1252", stdin=b"\x81",
                stderr="standard input: 1 line is not Windows-1252, the first is line 1; "
                       "U+FFFD stands for what is broken\n")

    def test_lone_surrogates(self):
        data = "question1,question2\n".encode("utf-16") + struct.pack("<4H", 0xD83D, ord(","), 0xDE42, ord("\n"))
        path = self.folder / "p.csv"
        self.assertEqual(self.scored(data, stderr=f"{path}: 1 line is not UTF-16, the first is line 2; "
                                                  "U+FFFD stands for what is broken\n"), ["\ufffd,\ufffd"])


class JsonLines(Tables):
    def objects(self, rows):
        return self.file("p.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def test_every_verb_reads_them(self):
        m, texts = self.model("bert"), ["good", "Ind\u00eda\n\"x\"", "", "good bad"]
        path = self.objects([{"id": i, "question": t} for i, t in enumerate(texts)])
        wanted = self.ok("tokenize", m, "-0", stdin="".join(t + "\0" for t in texts))
        self.assertEqual(self.ok("tokenize", m, path, stderr=""), wanted)
        self.assertEqual(self.ok("tokenize", m, "--format", "jsonl", stdin=path.read_bytes()), wanted)
        only = self.file("only.jsonl", "".join(json.dumps({"whatever": t}) + "\n" for t in texts))
        self.assertEqual(self.ok("tokenize", m, only), wanted)
        self.assertEqual(self.ok("tokenize", m, path, "--column", "question"), wanted)
        out = self.folder / "v.npy"
        self.ok("encode", m, path, "-o", out)
        self.assertEqual(len(read_npy(out.read_bytes())), 4)
        found = [json.loads(line) for line in self.ok("dedup", m, path, "--threshold", "-2").splitlines()]
        self.assertEqual(len(found), 6)
        self.assertEqual(list(found[0]), ["first", "second", "score", "first_text", "second_text"])
        for row in found:
            self.assertEqual((row["first_text"], row["second_text"]), (texts[row["first"] - 1], texts[row["second"] - 1]))
        self.ok("dedup", m, path, "--threshold", "-2", "-o", self.folder / "d.csv")
        lines = self.file("t.txt", "good\nbad\n")
        self.ok("dedup", m, lines, "--threshold", "-2", "-o", self.folder / "d.jsonl")
        self.assertEqual(json.loads((self.folder / "d.jsonl").read_text())["second_text"], "bad")
        table = list(csv.DictReader(io.StringIO((self.folder / "d.csv").read_bytes().decode(), newline="")))
        self.assertEqual([(float(r["score"]), r["first_text"]) for r in table],
                         [(r["score"], r["first_text"]) for r in found])

    def test_eval_and_calibrate(self):
        m, out = self.model("bert"), self.folder / "m.gguf"
        rows = [{"b": "good", "a": "good", "same": True}, {"a": "good", "b": "India", "same": 0}]
        words = [self.objects(rows), "--columns", "a,b,same"]
        self.assertEqual(json.loads(self.ok("eval", m, *words, "--json"))["f1"], 1)
        self.assertIn("on 2 pairs", self.ok("calibrate", m, *words, "-o", out))

    def test_score_keeps_the_objects(self):
        m = self.model("bert")
        lines = ['{"question1": "good", "n": 12345678901234567890, "question2":"b\\u00e9\\ud83d\\ude42", "x": [1.0, {}]}',
                 ' {"question2": "good", "question1": "good"} ']
        path = self.file("p.jsonl", "\ufeff" + "\r\n".join(lines))
        got = self.ok("score", m, "--pairs", path, "--threshold", "0.99", stderr="")
        self.assertEqual(got.count("\r\n"), 1)
        self.assertTrue(got.startswith(lines[0][:-1] + ', "score": '))
        first, second = (json.loads(line) for line in got.split("\r\n"))
        self.assertEqual({k: v for k, v in first.items() if k not in ("score", "duplicate")}, json.loads(lines[0]))
        self.assertEqual(list(second), ["question2", "question1", "score", "duplicate"])
        self.assertIs(second["duplicate"], True)
        value = self.ok("score", m, "good", "b\u00e9\U0001f642", "--threshold", "0.99").split("\t")
        self.assertIn(f'"score": {value[0]}, "duplicate": {"true" if value[1] == "duplicate" else "false"}'.encode(),
                      got.encode())
        out = self.folder / "out.jsonl"
        self.ok("score", m, "--pairs", path, "--threshold", "0.99", "-o", out)
        self.assertEqual(out.read_bytes().decode(), got)

    def test_a_result_is_json_where_python_wrote_something_else(self):
        line = '{"question1": "a NaN \\" Infinity", "question2": "b", "x": [NaN, -Infinity, Infinity], "NaN": NaN}'
        got = self.ok("score", self.model("bert"), "--pairs", "-", "--format", "jsonl", "--threshold", "0", stdin=line)
        self.assertTrue(got.startswith(line.replace("[NaN, -Infinity, Infinity]", "[null, null, null]")
                                       .replace("NaN}", 'null, "score": ')), got)

    def test_what_is_no_row(self):
        m, good = self.model("bert"), '{"question1": "a", "question2": "b"}\n'
        for line, why in (("[1]", "line 2: '[1]' is no JSON object"), ('{"question1": "a"}', "line 2: no key question2"),
                          ('{"question1": "a", "question2": null}', "line 2: question2 is 'null', not a string"),
                          ('{"question1": "a", ', "line 2, byte 19: ends too early"),
                          ('{"question1": "a", "question2": "b", "score": 1}', "line 2: there is a key score already")):
            path = self.file("p.jsonl", good + line + "\n" + good)
            self.assertIn(f"{path}: {why}", self.refused("score", m, "--threshold", "0", "--pairs", path))
        path = self.file("p.jsonl", good + "x\n" + good)
        done = self.run_tool("score", m, "--threshold", "0", "--pairs", path, "--skip-bad")
        self.assertEqual(done.stdout.count(b"\n"), 2)
        self.assertEqual(done.stderr.decode(), f"1 row skipped; the first: {path}: line 2, byte 0: a value is expected\n")

    def test_the_result_has_the_format_of_the_input(self):
        m, path = self.model("bert"), self.file("p.jsonl", "")
        for pairs, out in ((path, "x.csv"), (path, "x.tsv"), (self.file("p.csv", "question1,question2\n"), "x.jsonl")):
            self.assertIn("has the format of", self.refused("score", m, "--threshold", "0", "--pairs", pairs,
                                                            "-o", self.folder / out, status=2))
        self.assert_only("p.jsonl", "p.csv")


def plain_program():
    """Whether the tool is a Linux program whose memory is its own: a sanitizer keeps what is freed."""
    program = pathlib.Path(TOOL).read_bytes()
    return program.startswith(b"\x7fELF") and b"__asan_init" not in program and b"__tsan_init" not in program


class Memory(Tables):
    @unittest.skipUnless(plain_program(), "not a plain Linux program")
    def test_rows_wait_for_their_answer_by_bytes(self):
        # 300 rows of a megabyte: as one batch of 1,024 rows they would all be in memory at once.
        path = self.folder / "p.tsv"
        with open(path, "wb") as file:
            file.write(b"question1\tquestion2\n")
            for _ in range(300):
                file.write(b"good " * 100_000 + b"\t" + b"bad  " * 100_000 + b"\n")
        for words in (["score", "--threshold", "0", "--pairs", path], ["encode", path, "--column", "question1", "-o", "-"]):
            process = subprocess.Popen([*COMMAND, words[0], self.model("bert"), *words[1:]], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            self.assertLess(used.ru_maxrss, 120_000)  # KiB


class Stream(Tables):
    def test_an_object_is_answered_before_the_next_one_comes(self):
        process = subprocess.Popen([*COMMAND, "score", str(self.model("bert")), "--pairs", "-", "--format", "jsonl",
                                    "--threshold", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        for i in range(3):
            process.stdin.write(json.dumps({"question1": f"good {i}", "question2": "bad"}).encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["question1"], f"good {i}")
        process.stdin.close()
        self.assertEqual(process.wait(30 * PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
