"""match and cluster: pairs of vectors without a model, and the groups that they make, against `dedup`."""

import csv
import io
import math
import struct
import unittest

from tool import GOLDEN, Case, nul_texts


def npy(rows, dim, version=1, extra=b"", descr="<f4", order="False", shape=None):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape or (len(rows), dim)}, }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + b"".join(struct.pack(f"<{dim}f", *r) for r in rows) + extra


def table(text):
    return [tuple(row) for row in csv.reader(io.StringIO(text))]


class Vectors(Case):
    def setUp(self):
        super().setUp()
        texts = sorted(set(nul_texts(GOLDEN / "texts.txt")))
        self.texts = [t for t in texts if t.strip()]
        self.list = self.file("texts", "".join(t + "\0" for t in self.texts).encode())
        self.vectors = self.folder / "v.npy"
        self.ok("encode", self.model("bert"), "-0", self.list, "-o", self.vectors)


class Match(Vectors):
    def wanted(self, threshold, *words):
        rows = table(self.ok("dedup", self.model("bert"), "-0", self.list, "--threshold", threshold, *words))[1:]
        return sorted((int(r[0]) - 1, int(r[1]) - 1, r[2]) for r in rows)

    def found(self, *words):
        rows = table(self.ok("match", *words))
        self.assertEqual(rows[0], ("first", "second", "score"))
        return sorted((int(a), int(b), s) for a, b, s in rows[1:])

    def test_the_pairs_of_dedup(self):
        for threshold in (-1, 0.5, 0.9, 2):
            wanted = self.wanted(threshold)
            self.assertEqual(self.found(self.vectors, "--threshold", threshold), wanted)
            self.assertEqual(self.found(self.vectors, "--threshold", threshold, "--threads", 1, "--kernels", "scalar"), wanted)
        self.assertGreater(len(self.wanted(0.5)), 10)

    def test_blocks_have_the_pairs_of_the_whole(self):
        data = self.vectors.read_bytes()
        dim, n = (len(data) - 128) // 4 // len(self.texts), len(self.texts)
        row = lambda i: struct.unpack_from(f"<{dim}f", data, 128 + 4 * dim * i)
        cut = n // 3
        a = self.file("a.npy", npy([row(i) for i in range(cut)], dim))  # headers of any length
        b = self.file("b.npy", npy([row(i) for i in range(cut, n)], dim, version=2))
        parts = self.found(a, "--threshold", "0.5")
        parts += [(x + cut, y + cut, s) for x, y, s in self.found(b, "--threshold", "0.5")]
        parts += [(x, y + cut, s) for x, y, s in self.found(a, b, "--threshold", "0.5")]
        self.assertEqual(sorted(parts), self.wanted(0.5))
        out = self.folder / "out.jsonl"
        self.assertEqual(self.ok("match", a, "--threshold", "0.5", "-o", out), "")
        self.assertEqual(out.read_text().count("\n"), len(self.found(a, "--threshold", "0.5")))

    def test_nearest(self):
        """Of each row the k best others, or the best rows of another array, best first, equal ones in their order."""
        everything = {(a, b): float(s) for a, b, s in self.found(self.vectors, "--threshold", -2)}
        n = len(self.texts)
        score = lambda a, b: everything[min(a, b), max(a, b)]
        order = lambda row, others: sorted(others, key=lambda b: (-score(row, b), b))
        data = self.vectors.read_bytes()
        dim, cut = (len(data) - 128) // 4 // n, n // 3
        rows = [struct.unpack_from(f"<{dim}f", data, 128 + 4 * dim * i) for i in range(n)]
        a, b = self.file("a.npy", npy(rows[:cut], dim)), self.file("b.npy", npy(rows[cut:], dim))
        nearest = lambda *words: [(int(x), int(y), float(s)) for x, y, s in table(self.ok("match", *words))[1:]]
        for k in (1, 3, 2 ** 64 - 1):
            wanted = [(i, j, score(i, j)) for i in range(n) for j in order(i, (j for j in range(n) if j != i))[:k]]
            self.assertEqual(nearest(self.vectors, "--nearest", k), wanted)
            self.assertEqual(nearest(self.vectors, "--nearest", k, "--threshold", "0.5"), [w for w in wanted if w[2] >= 0.5])
            wanted = [(i, j - cut, score(i, j)) for i in range(cut) for j in order(i, range(cut, n))[:k]]
            self.assertEqual(nearest(a, b, "--nearest", k), wanted)
            self.assertEqual(nearest(a, b, "--nearest", k, "--threads", 1, "--kernels", "scalar"), wanted)
        none = self.file("none.npy", npy([], dim))
        for words in ([none], [none, a], [a, none]):
            self.assertEqual(nearest(*words, "--nearest", 2), [])

    def test_other_similarities_and_own_scores(self):
        path = self.file("p.npy", npy([(0, 0), (3, 4), (6, 8)], 2))
        for kind, own, scores in (("cosine", "1", {(1, 2, "1")}), ("dot", "25", {(1, 2, "50")}),
                                  ("euclidean", "-0", {(0, 1, "-5"), (1, 2, "-5")}), ("manhattan", "-0", set())):
            found = self.found(path, "--threshold", "-6" if kind != "cosine" else "0.5", "--similarity", kind)
            self.assertLessEqual(scores, set(found))
            self.assertEqual(self.found(path, "--own", "--similarity", kind)[1], (1, 1, own))
        self.assertEqual(self.found(self.file("nan.npy", npy([(math.nan, 1), (1, 1)], 2)), "--threshold", "-1"), [])
        for n in (0, 1):
            self.assertEqual(self.found(self.file("n.npy", npy([(1, 2)] * n, 2)), "--threshold", "0"), [])

    def test_refused(self):
        row, path = [(1.0, 2.0)], self.folder / "x.npy"
        for content, reason in ((b"", "is empty"), (b"question\n" * 9, "no NumPy array"), (npy(row, 2)[:40], "within its header"),
                                (npy(row, 2, version=9), "unknown version"), (npy(row, 2, descr="<f8"), "descr: float32"),
                                (npy(row, 2, order="True"), "fortran_order"), (npy(row, 2, shape="(2,)"), "shape: two numbers"),
                                (npy(row, 2, shape="(1, 0)"), "shape: 0 columns"), (npy(row, 2, shape="(2, 2)"), "before its last row"),
                                (npy(row, 2, shape="(99999999999999999999, 2)"), "shape: two numbers"),
                                (npy(row, 2, shape="(9999999999999999999, 2)"), "too many rows"),
                                (npy(row, 2, shape="(-1, 2)"), "shape: two numbers"),
                                (npy(row, 2, extra=b"x"), "goes on after its last row"), (npy(row, 2)[:-1], "before its last row")):
            path.write_bytes(content)
            self.assertRegex(self.refused("match", path, "--threshold", "0"), f"^dupq: {path}: .*{reason}")
        good = self.file("good.npy", npy(row, 2))
        self.assertIn("vectors of 3 numbers, and of 2", self.refused("match", good, self.file("3.npy", npy([(1, 2, 3)], 3)),
                                                                     "--threshold", "0"))
        self.assertIn("no such file", self.refused("match", self.folder / "gone.npy", "--threshold", "0"))
        for words, reason in (([good], "--threshold T or --nearest K is needed"), ([good, "--own", "--threshold", "1"], "needs no --threshold"),
                              ([good, good, "--own"], "for one file"), ([good, "--nearest", "0"], "--nearest cannot be '0'"),
                              ([good, "--own", "--nearest", "1"], "exclude each other"), ([good, "--threshold", "nan"], "--threshold cannot be"),
                              ([good, "--threshold", "0", "--similarity", "x"], "--similarity cannot be"),
                              ([good, "--threshold", "0", "--kernels", "x"], "--kernels cannot be")):
            self.assertIn(reason, self.refused("match", *words, status=2))


class Cluster(Vectors):
    def groups(self, *words):
        """The groups of two or more, as sets of rows by their representative."""
        rows, groups = table(self.ok("cluster", *words)), {}
        self.assertEqual(rows[0], ("row", "representative"))
        self.assertEqual([int(r) for r, _ in rows[1:]], list(range(len(rows) - 1)))
        for row, representative in rows[1:]:
            groups.setdefault(int(representative), set()).add(int(row))
        return {k: v for k, v in groups.items() if len(v) > 1}

    def test_the_groups_of_dedup(self):
        pairs = self.folder / "pairs.csv"
        for threshold in ("0.5", "0.8"):
            self.ok("match", self.vectors, "--threshold", threshold, "-o", pairs)
            header, *lines = pairs.read_text().splitlines()
            backwards = self.file("backwards.csv", "\r\n".join([header, *reversed(lines)]))
            for link in ("star", "first", "components"):
                wanted, first = {}, {}
                for group, line, _, _ in table(self.ok("dedup", self.model("bert"), "-0", self.list, "--threshold", threshold,
                                                       "--groups", "--link", link))[1:]:
                    wanted.setdefault(first.setdefault(group, int(line) - 1), set()).add(int(line) - 1)
                n = len(self.texts)
                self.assertEqual(self.groups(pairs, "--rows", n, "--link", link), wanted)
                self.assertEqual(self.groups(backwards, "--rows", n, "--link", link), wanted)
                self.assertEqual(self.groups(pairs, "--weights", self.file("w", "1\n" * n), "--link", link), wanted)

    def test_weights(self):
        pairs = self.file("p.csv", "first,second,score\n0,1,0.9\n1,2,0.8\n2,3,0.8\n")
        self.assertEqual(self.groups(pairs, "--rows", "4"), {1: {0, 1, 2}})
        self.assertEqual(self.groups(pairs, "--weights", self.file("w", "1\n1\n1\n5\n")), {0: {0, 1}, 2: {2, 3}})

    def test_refused(self):
        for content, reason in (("", "line 1 must be"), ("0,1,0.5\n", "line 1 must be"), ("first,second,score\n0,1\n", "line 2 is '0,1'"),
                                ("first,second,score\n0,1,0.5\n0,9,0.5\n", "line 3 is '0,9,0.5', and there are 4 rows"),
                                ("first,second,score\n-1,1,0.5\n", "line 2 is"), ("first,second,score\n0,1,0.5x\n", "line 2 is"),
                                ("first,second,score\n0,1,nan\n", "line 2 has no score"), ("first,second,score\n\n", "line 2 is ''"),
                                ("first,second,score\n" + "1" * 200000, "line 2|too long"), ("first,second,score\n0,4294967296,1\n", "line 2 is")):
            path = self.file("p.csv", content)
            self.assertRegex(self.refused("cluster", path, "--rows", "4"), f"^dupq: {path}: .*{reason}")
        path = self.file("p.csv", "first,second,score\n")
        self.assertEqual(self.groups(path, "--rows", "0"), {})
        self.assertIn("line 2 is 0", self.refused("cluster", path, "--weights", self.file("w", "1\n0\n")))
        self.assertIn("line 1 is 'x'", self.refused("cluster", path, "--weights", self.file("w", "x\n")))
        self.assertIn("either --rows or", self.refused("cluster", path, status=2))
        self.assertIn("either --rows or", self.refused("cluster", path, "--rows", "1", "--weights", "w", status=2))
        self.assertIn("--link cannot be", self.refused("cluster", path, "--rows", "1", "--link", "x", status=2))


if __name__ == "__main__":
    unittest.main()
