"""dedup: pairs of lines, best first; the nearest of each line; groups; a file without its duplicates; two files."""

import csv
import io
import json
import os
import subprocess
import unittest

from tool import COMMAND, WINDOWS, Case, posix_only

TEXTS = ["good", "India", "good", "what is good", "bad", "Good!", "India"]
# Some are near each other, some are equal, and line 9 holds what CSV quotes.
MORE = ["How do I learn Python?", "how do I LEARN python?", "Is Python better than Java?", "How do I learn Python?",
        "What is the best food?", "what is the best food ?", "How do I learn to cook?", "Who is the man from Paris?",
        'a "quoted", text', "How do I learn Java?", "What is the best food in Paris?", "How do I learn Python?"]
PAIRS = ["first", "second", "score", "first_text", "second_text"]


class Dedup(Case):
    """What the tool says is judged by the scores of all pairs, one at a time, and the definitions read slowly."""

    def rows(self, columns, *words, stdin="\n".join(TEXTS), name="bert"):
        rows = list(csv.reader(io.StringIO(self.ok("dedup", self.model(name), *words, stdin=stdin), newline="")))
        self.assertEqual(rows[0], columns)
        return rows[1:]

    def dedup(self, *words, **options):
        return [(int(a), int(b), float(s), x, y) for a, b, s, x, y in self.rows(PAIRS, *words, **options)]

    def groups(self, *words, **options):
        """[[(line, score, text), ...], ...]"""
        found = []
        for group, line, score, text in self.rows(["group", "line", "score", "text"], "--groups", *words, **options):
            if int(group) != len(found):
                self.assertEqual(int(group), len(found) + 1)
                found.append([])
            found[-1].append((int(line), float(score), text))
        return found

    def scores(self, first, second, name="bert"):
        """{(text, text): score} of each of `first` with each of `second`, as the verb `score` has it."""
        pairs = [(a, b) for a in dict.fromkeys(first) for b in dict.fromkeys(second)]
        given = "".join(a + "\t" + b + "\n" for a, b in pairs)
        lines = self.ok("score", self.model(name), "--pairs", "-", "--threshold", "0", stdin=given).splitlines()
        return {pair: float(line.split("\t")[2]) for pair, line in zip(pairs, lines, strict=True)}

    def expected(self, texts, threshold, scores):
        """Pairs of lines: those of distinct texts that score so much, and each repeat with its first line."""
        first = [texts.index(t) for t in texts]
        found = [(i, j) for j in range(len(texts)) for i in range(j)
                 if (first[j] == i if texts[i] == texts[j] else
                     first[i] == i and first[j] == j and scores[texts[i], texts[j]] >= threshold)]
        rows = [(i + 1, j + 1, scores[texts[i], texts[j]], texts[i], texts[j]) for i, j in found]
        return sorted(rows, key=lambda r: (-r[2], r[0], r[1]))


class Pairs(Dedup):
    def test_all_pairs_best_first(self):
        for texts in (TEXTS, MORE):
            scores = self.scores(texts, texts)
            for threshold in (-2, 0, 0.5, 0.9, sorted(scores.values())[len(scores) // 2], 2):
                rows = self.dedup("--threshold", threshold, stdin="\n".join(texts))
                self.assertEqual(rows, self.expected(texts, threshold, scores))
        self.assertEqual({r[:2] for r in self.dedup("--threshold", "2")}, {(1, 3), (2, 7)})

    def test_top(self):
        rows = self.dedup("--threshold=-2")
        self.assertEqual(len(rows), 12)
        for k in (1, 2, 5, 11, 12, 13, 100, 2 ** 64 - 1):
            self.assertEqual(self.dedup("--threshold=-2", "--top", k), rows[:k])

    def test_thousands_of_repeats_are_one_entry(self):
        texts = ["good", "what is good"] + ["again and again"] * 5000 + ["again, and again"]
        rows = self.dedup("--threshold", "0.99999", stdin="\n".join(texts))
        self.assertEqual(len(rows), 4999 + (self.scores(texts[2:3], texts[-1:])[texts[2], texts[-1]] >= 0.99999))
        self.assertEqual({r[0] for r in rows}, {3})

    def test_line_numbers_are_those_of_the_file(self):
        path = self.file("q.csv", 'id,question\n1,"good\nbad"\n2,India\n\n3,"good\nbad"\n')
        out = self.folder / "out.csv"
        self.assertEqual(self.ok("dedup", self.model("bert"), path, "--threshold", "0.999", "-o", out), "")
        rows = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline="")))
        self.assertEqual(rows[1][:2] + rows[1][3:], ["2", "6", "good\nbad", "good\nbad"])
        self.assertEqual(len(rows), 2)

    @posix_only  # (Windows says by another name where they are, and Wine itself needs this one)
    def test_no_folder_for_temporary_files_is_needed(self):
        environment = {**os.environ, "TMPDIR": str(self.folder / "nowhere")}
        done = self.run_tool("dedup", self.model("bert"), "--threshold", "0", stdin="good\ngood\n", env=environment)
        self.assertEqual((done.returncode, done.stdout.count(b"\n")), (0, 2), done.stderr)

    def test_empty_and_single(self):
        for words in ([], ["--top", "1"], ["--nearest", "3"]):
            self.assertEqual(self.dedup("--threshold", "0", *words, stdin=""), [])
            self.assertEqual(self.dedup("--threshold", "0", *words, stdin="good"), [])
        self.assertEqual(self.groups("--threshold", "0", stdin=""), [])
        self.assertEqual(self.groups("--threshold", "0", stdin="good\n"), [])

    def test_distances_need_a_threshold_that_is_meant_for_them(self):
        said = self.run_tool("dedup", self.model("bert-prompt"), stdin="a\nb\n")
        self.assertEqual((said.returncode, said.stdout), (1, b""))
        self.assertIn(b"need a --threshold", said.stderr)
        scores = self.scores(TEXTS, TEXTS, name="bert-prompt")
        for threshold in (-100, -0.3):
            rows = self.dedup("--threshold", threshold, name="bert-prompt")
            self.assertEqual(rows, self.expected(TEXTS, threshold, scores))
        self.assertEqual(rows[0][2], 0)
        self.assertEqual(len(self.dedup("--nearest", "1", name="bert-prompt")), 7)  # which needs no threshold

    def test_a_cross_encoder_is_refused(self):
        said = self.refused("dedup", self.model("cross"), stdin="a\nb\n")
        self.assertIn("cross.gguf", said)
        self.assertIn("wrong kind", said)

    def test_json_lines(self):
        path = self.file("q.jsonl", "".join(json.dumps({"question": t}) + "\n" for t in MORE))
        m = self.model("bert")
        for words in ([], ["--nearest", "2"], ["--groups"]):
            words = [m, path, "--threshold", "0.5", *words]
            objects = [json.loads(line) for line in self.ok("dedup", *words).splitlines()]
            self.ok("dedup", *words, "-o", self.folder / "out.csv")
            rows = csv.DictReader(io.StringIO((self.folder / "out.csv").read_bytes().decode(), newline=""))
            self.assertEqual([{k: str(v) for k, v in o.items()} for o in objects], list(rows))
            self.assertTrue(objects)


class Nearest(Dedup):
    def nearest(self, texts, others, k, threshold, scores):
        """The same texts: each but itself; a repeat has its first line alone, right behind what that has."""
        out = []
        for i, text in enumerate(texts):
            if texts.index(text) != i:
                continue
            near = [(j + 1, scores[text, other], other) for j, other in enumerate(others)
                    if others.index(other) == j and (texts is not others or i != j) and scores[text, other] >= threshold]
            near = sorted(near, key=lambda n: (-n[1], n[0]))[:k]
            for copy in [j for j, other in enumerate(texts) if other == text]:
                if texts is others and copy != i:
                    near = [(i + 1, scores[text, text], text)]
                out += [(copy + 1, line, score, text, other) for line, score, other in near]
        return out

    def test_of_one_file(self):
        scores = self.scores(MORE, MORE)
        for k in (1, 2, 3, 9, 100, 2 ** 64 - 1):
            rows = self.dedup("--nearest", k, stdin="\n".join(MORE))
            self.assertEqual(rows, self.nearest(MORE, MORE, k, -2, scores))
        rows = self.dedup("--nearest", 3, "--threshold", "0.6", stdin="\n".join(MORE))
        self.assertEqual(rows, self.nearest(MORE, MORE, 3, 0.6, scores))
        self.assertGreater(len(rows), 5)

    def test_of_two_files(self):
        path, scores = self.file("more", "\n".join(MORE)), self.scores(TEXTS + MORE[:2], MORE)
        texts = TEXTS + MORE[:2]
        for k in (1, 2, 100):
            rows = self.dedup("--nearest", k, "--against", path, stdin="\n".join(texts))
            self.assertEqual(rows, self.nearest(texts, MORE, k, -2, scores))


class Groups(Dedup):
    def judged(self, texts, threshold, scores, link):
        """The definitions of include/dupq/search/clusters.hpp, over lines."""
        first = [i for i, t in enumerate(texts) if texts.index(t) == i]
        near = {i: {j for j in first if j != i and scores[texts[i], texts[j]] >= threshold} for i in first}
        lines = {i: [j for j, t in enumerate(texts) if t == texts[i]] for i in first}
        degree = {i: len(lines[i]) - 1 + sum(len(lines[j]) for j in near[i]) for i in first}
        of, stands = {}, []
        if link == "components":
            for i in first:
                joined, ahead = {i}, [i]
                while ahead:
                    new = near[ahead.pop()] - joined
                    joined |= new
                    ahead += new
                of[i] = min(joined)
        else:
            for i in sorted(first, key=lambda i: -degree[i] if link == "star" else i):
                if not near[i] & set(stands):
                    stands.append(i)
            for i in first:
                reach = [j for j in near[i] & set(stands) if link == "star" or j < i]
                of[i] = i if i in stands else min(reach, key=lambda j: (-scores[texts[i], texts[j]], j))
        groups = {}
        for i in first:
            groups.setdefault(of[i], []).extend((j + 1, scores[texts[i], texts[of[i]]], texts[j]) for j in lines[i])
        groups = [sorted(rows, key=lambda r: (r[0] != stands + 1, -r[1], r[0])) for stands, rows in groups.items()
                  if len(rows) > 1]
        return sorted(groups, key=lambda rows: (-len(rows), rows[0][0]))

    def test_groups(self):
        for texts in (TEXTS, MORE):
            scores = self.scores(texts, texts)
            for threshold in (0.2, 0.5, 0.7, 0.9, 1.5, *sorted(scores.values())[::9]):
                for link in ("star", "first", "components"):
                    found = self.groups("--threshold", threshold, "--link", link, stdin="\n".join(texts))
                    self.assertEqual(found, self.judged(texts, threshold, scores, link), (threshold, link))
                    if link == "star":
                        self.assertEqual(found, self.groups("--threshold", threshold, stdin="\n".join(texts)))

    def test_threads_change_nothing(self):
        texts = "\n".join(MORE * 3 + [a + " " + b for a in MORE for b in MORE])
        words = ["--threshold", "0.95"]
        one = self.groups(*words, "--threads", "1", stdin=texts)
        self.assertGreater(len(one), 3)
        for threads in (2, 3):
            self.assertEqual(self.groups(*words, "--threads", threads, stdin=texts), one)

    def test_numbers_are_of_lines(self):
        path = self.file("q.csv", 'question\n"good\nbad"\nIndia\nIndia\nIndia\n"good\nbad"\n')
        rows = self.groups(path, "--threshold", "0.9999")
        self.assertEqual([[(line, text) for line, _, text in group] for group in rows],
                         [[(4, "India"), (5, "India"), (6, "India")], [(2, "good\nbad"), (7, "good\nbad")]])


class Keep(Dedup):
    def kept(self, texts, threshold, scores):
        """Numbers of the texts that are no duplicates of an earlier one that is kept."""
        out = []
        for i, text in enumerate(texts):
            if not any(texts[k] == text or scores[text, texts[k]] >= threshold for k in out):
                out.append(i)
        return out

    def keep(self, path, *words, name="out"):
        out = self.folder / name
        self.assertEqual(self.ok("dedup", self.model("bert"), path, "--keep", out, *words), "")
        return out.read_bytes()

    def test_first_lines_stay(self):
        for texts in (TEXTS, MORE):
            scores = self.scores(texts, texts)
            for threshold in (0.2, 0.5, 0.8, 0.99999, 1.5, *sorted(scores.values())[::9]):
                lines = [t.encode() + b"\n" for t in texts]
                expected = b"".join(lines[i] for i in self.kept(texts, threshold, scores))
                path = self.file("q.txt", b"".join(lines))
                self.assertEqual(self.keep(path, "--threshold", threshold), expected)
                # What stays has no duplicates, and what represents groups of the same kind stays.
                again = self.dedup("--threshold", threshold, stdin=expected)
                self.assertEqual(again, [])
                heads = {group[0][0] for group in self.groups(path, "--threshold", threshold, "--link", "first")}
                self.assertLessEqual(heads, {i + 1 for i in self.kept(texts, threshold, scores)})

    def test_rows_stay_byte_for_byte(self):
        exact = ["--threshold", "0.9999"]
        table = b'\xef\xbb\xbfid;"question";x\r\n1;"go""od";a\r\n2;India;"b;\r\nb"\r\n\r\n3;"go""od";c\n4;bad;'
        self.assertEqual(self.keep(self.file("q.csv", table), *exact, name="a.csv"),
                         b'\xef\xbb\xbfid;"question";x\r\n1;"go""od";a\r\n2;India;"b;\r\nb"\r\n4;bad;')
        table = b'question\tid\n"a" b\t1\n"a"\t2\n"a" b\t3\n'
        self.assertEqual(self.keep(self.file("q.tsv", table), *exact), b'question\tid\n"a" b\t1\n"a"\t2\n')
        objects = b'{"question": "g\\u006fod", "x": [1,  2]}\n\n{"question":"India"}\r\n {"question": "good"}\n{"question": "bad"}'
        self.assertEqual(self.keep(self.file("q.jsonl", objects), *exact),
                         b'{"question": "g\\u006fod", "x": [1,  2]}\n{"question":"India"}\r\n{"question": "bad"}')
        self.assertEqual(self.keep(self.file("q.txt", b"\xef\xbb\xbfgood\r\nbad\r\ngood\r\n"), *exact),
                         b"\xef\xbb\xbfgood\r\nbad\r\n")
        self.assertEqual(self.keep(self.file("old.txt", b"good\rgood\rbad"), *exact), b"good\rbad")
        self.assertEqual(self.keep(self.file("zeros", b"go\nod\0bad\0go\nod\0"), "-0", *exact), b"go\nod\0bad\0")
        self.assertEqual(self.keep(self.file("q2.csv", b"question\nA\nB\nA\nA\n"), *exact), b"question\nA\nB\n")
        self.assertEqual(self.keep(self.file("latin", b"caf\xe9\nbad\ncaf\xe9\n"), *exact, "--encoding", "latin1"),
                         "caf\u00e9\nbad\n".encode())
        self.assertEqual(self.keep(self.file("empty", b"")), b"")
        self.assertEqual(self.keep(self.file("header.csv", b"question\n")), b"question\n")

    def test_what_stays_is_counted(self):
        path = self.file("q.csv", "question\n" + "".join(t + "\n" for t in TEXTS))
        self.ok("dedup", self.model("bert"), path, "--threshold", "0.9999", "--keep", self.folder / "o.csv",
                stderr=f"{path}: 5 of 7 rows kept\n")
        out = self.ok("dedup", self.model("bert"), path, "--threshold", "0.9999", "--keep", "-")
        self.assertEqual(out, (self.folder / "o.csv").read_text())

    def test_what_is_read_is_not_replaced(self):
        m, text = self.model("bert"), b"good\ngood\n"
        path, other = self.file("q.txt", text), self.file("other.txt", text)
        os.link(path, self.folder / "link")
        for target in (path, self.folder / "." / "q.txt", self.folder / "link", other, m):
            for option in ("--keep", "-o"):
                said = self.refused("dedup", m, path, "--against", other, option, target, "--threshold", "0")
                self.assertIn("is read, and must not be replaced", said)
        if not WINDOWS:  # which has no name for what stands behind the standard input
            with open(path, "rb") as standard:
                done = subprocess.run([*COMMAND, "dedup", m, "--threshold", "0", "--keep", path], stdin=standard,
                                      capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr.decode()),
                             (1, f"dupq: {path}: is read, and must not be replaced by what is written\n"))
        self.assertEqual((path.read_bytes(), other.read_bytes()), (text, text))
        self.assert_only("q.txt", "other.txt", "link")

    def test_an_output_of_another_format_is_refused(self):
        m = self.model("bert")
        for name, out in (("q.csv", "o.jsonl"), ("q.jsonl", "o.csv"), ("q.jsonl", "o.tsv"), ("q.txt", "o.jsonl")):
            path = self.file(name, '{"question": "question"}\n' if name == "q.jsonl" else "question\n")
            said = self.refused("dedup", m, path, "--keep", self.folder / out, status=2)
            self.assertIn("the name of another", said)


class Against(Dedup):
    def test_pairs_with_another_file(self):
        texts = TEXTS + MORE[1:5]
        scores, path = self.scores(texts, MORE), self.file("more", "\n".join(MORE))
        first = [j for j, t in enumerate(MORE) if MORE.index(t) == j]
        for threshold in (-2, 0.5, 0.9, 2):
            expected = [(i + 1, j + 1, scores[a, MORE[j]], a, MORE[j]) for i, a in enumerate(texts) for j in first
                        if a == MORE[j] or scores[a, MORE[j]] >= threshold]
            expected.sort(key=lambda r: (-r[2], r[0], r[1]))
            words = ["--threshold", threshold, "--against", path]
            self.assertEqual(self.dedup(*words, stdin="\n".join(texts)), expected)
            self.assertEqual(self.dedup(*words, "--top", "4", stdin="\n".join(texts)), expected[:4])
            out = self.ok("dedup", self.model("bert"), "--keep", "-", *words, stdin="\n".join(texts) + "\n")
            known = {r[0] for r in expected}
            self.assertEqual(out, "".join(t + "\n" for i, t in enumerate(texts) if i + 1 not in known))
        self.assertEqual(len(expected), 4)  # the equal ones, whatever the threshold

    def test_each_file_has_its_own_format(self):
        table = self.file("a.csv", "id,title\n7,good\n8,India\n")
        for name, content in (("b.txt", "India\nbad\n"), ("b.jsonl", '{"title": "India"}\n{"title": "bad"}\n'),
                              ("b.tsv", "x\ttitle\n\tIndia\n\tbad\n")):
            other = self.file(name, content)
            lines = {"b.txt": (3, 1), "b.jsonl": (3, 1), "b.tsv": (3, 2)}[name]
            words = ["--column", "title", "--threshold", "0.9999"]
            self.assertEqual([r[:2] for r in self.dedup(table, "--against", other, *words)], [lines])
            out = self.folder / "pairs"  # a name that says no format
            self.ok("dedup", self.model("bert"), other, "--against", table, *words, "-o", out)
            rows = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline="")))[1:]
            self.assertEqual([(int(r[0]), int(r[1])) for r in rows], [lines[::-1]])
        self.assertIn("a file with a header", self.refused("dedup", self.model("bert"), self.file("c.txt", ""),
                                                           "--against", other.with_name("b.txt"), "--column", "title",
                                                           status=2))

    def test_what_is_odd_is_said_of_its_file(self):
        a, b = self.file("a", "good\n" + "bad " * 100 + "\n"), self.file("b", b"ha\xff\n" + b"good " * 100)
        said = self.run_tool("dedup", self.model("bert"), a, "--against", b, "--threshold", "0.9999").stderr.decode()
        self.assertEqual(sorted(line.split(":")[0] for line in said.splitlines()), [str(a), str(b), str(b)])
        self.assertEqual(said.count("1 text cut to"), 2)

    def test_no_such_file(self):
        said = self.refused("dedup", self.model("bert"), "--against", self.folder / "nowhere", "--threshold", "0",
                            "-o", self.folder / "out", stdin="good\n")
        self.assertIn("nowhere: cannot be opened: No such file", said)
        self.assert_only()


class Usage(Dedup):
    def test_wrong_usage(self):
        m = self.model("bert")
        jobs = {"--groups": [], "--keep": ["x"], "--nearest": ["1"], "--top": ["1"]}
        for a in jobs:
            for b in jobs:
                if a < b:
                    self.assertIn("exclude each other", self.refused("dedup", m, a, *jobs[a], b, *jobs[b], status=2))
        for words, why in ((["--nearest", "0"], "--nearest cannot be '0'"),
                           (["--nearest", "-3"], "--nearest cannot be '-3'"),
                           (["--top", "0"], "--top cannot be '0'"),
                           (["--threshold", "nan"], "--threshold cannot be 'nan'"),
                           (["--threshold", "much"], "--threshold cannot be 'much'"),
                           (["--groups", "--link", "chain"], "--link cannot be 'chain' (star, first, components)"),
                           (["--link", "star"], "--link needs --groups"),
                           (["--groups", "--against", "x"], "--groups are made within one file"),
                           (["--keep", "x", "-o", "y"], "--keep OUT names the output"),
                           (["--against", "-"], "--against needs another file"),
                           (["x", "--against", "x"], "--against needs another file")):
            self.assertIn(why, self.refused("dedup", m, *words, status=2))

    def test_a_full_disk(self):
        m = self.model("bert")
        for words in (["-o", "/dev/full"], ["--keep", "/dev/full"], ["--groups", "-o", "/dev/full"],
                      ["--nearest", "1", "-o", "/dev/full"]):
            said = self.refused("dedup", m, "--threshold", "0", *words, stdin="good\nbad\n" * 2)
            self.assertIn("/dev/full: cannot be written: No space left on device", said)


if __name__ == "__main__":
    unittest.main()
