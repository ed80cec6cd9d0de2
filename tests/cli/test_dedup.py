"""dedup: pairs of lines, best first."""

import csv
import io
import unittest

from tool import Case

TEXTS = ["good", "India", "good", "what is good", "bad", "Good!", "India"]


class Dedup(Case):
    def dedup(self, *words, stdin="\n".join(TEXTS), name="bert"):
        rows = list(csv.reader(io.StringIO(self.ok("dedup", self.model(name), *words, stdin=stdin), newline="")))
        self.assertEqual(rows[0], ["first", "second", "score", "first_text", "second_text"])
        return [(int(a), int(b), float(s), x, y) for a, b, s, x, y in rows[1:]]

    def test_all_pairs_best_first(self):
        rows = self.dedup("--threshold=-2")
        self.assertEqual(len(rows), 21)
        self.assertEqual(rows, sorted(rows, key=lambda r: (-r[2], r[0], r[1])))
        self.assertEqual({(a, b) for a, b, *_ in rows}, {(a, b) for b in range(1, 8) for a in range(1, b)})
        for a, b, score, x, y in rows:
            self.assertEqual((x, y), (TEXTS[a - 1], TEXTS[b - 1]))
            alone = self.ok("score", self.model("bert"), x, y, "--threshold", "0").split("\t")[0]
            self.assertEqual(score, float(alone))
        self.assertIn((1, 3), {r[:2] for r in rows[:2]})
        self.assertIn((2, 7), {r[:2] for r in rows[:2]})

    def test_threshold_and_top(self):
        rows = self.dedup("--threshold=-2")
        middle = rows[8][2]
        self.assertEqual(self.dedup("--threshold", str(middle)), [r for r in rows if r[2] >= middle])
        for k in (1, 2, 5, 20, 21, 100):
            self.assertEqual(self.dedup("--threshold=-2", "--top", k), rows[:k])

    def test_line_numbers_are_those_of_the_file(self):
        path = self.file("q.csv", 'id,question\n1,"good\nbad"\n2,India\n\n3,"good\nbad"\n')
        out = self.folder / "out.csv"
        self.assertEqual(self.ok("dedup", self.model("bert"), path, "--threshold", "0.999", "-o", out), "")
        rows = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline="")))
        self.assertEqual(rows[1][:2] + rows[1][3:], ["2", "6", "good\nbad", "good\nbad"])
        self.assertEqual(len(rows), 2)

    def test_empty_and_single(self):
        self.assertEqual(self.dedup("--threshold", "0", stdin=""), [])
        self.assertEqual(self.dedup("--threshold", "0", stdin="good"), [])

    def test_distances_need_a_threshold_that_is_meant_for_them(self):
        said = self.run_tool("dedup", self.model("bert-prompt"), stdin="a\nb\n")
        self.assertEqual((said.returncode, said.stdout), (1, b""))
        self.assertIn(b"need a --threshold", said.stderr)
        rows = self.dedup("--threshold=-100", name="bert-prompt")
        self.assertEqual(len(rows), 21)
        self.assertEqual(rows[0][2], 0)
        for a, b, score, x, y in rows[::5]:
            alone = self.ok("score", self.model("bert-prompt"), x, y, "--threshold", "0").split("\t")[0]
            self.assertEqual(score, float(alone))
        self.assertEqual(self.dedup("--threshold=-0.3", name="bert-prompt"), [r for r in rows if r[2] >= -0.3])

    def test_a_cross_encoder_is_refused(self):
        said = self.refused("dedup", self.model("cross"), stdin="a\nb\n")
        self.assertIn("cross.gguf", said)
        self.assertIn("wrong kind", said)


if __name__ == "__main__":
    unittest.main()
